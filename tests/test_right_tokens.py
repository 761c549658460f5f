"""Several right answers: `after({"a": {"b", "c"}})` is right where any of them is greatest, and
prover, checker, enumeration and exports mean the same by it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from conftest import Refused, examples, interpret, programs
from hypothesis import given
from hypothesis import strategies as st
from voting import Votes, three, votes

from handcraft import Model, Program, after
from handcraft.claims.kinds import After
from handcraft.claims.reference import Reference
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import verify
from handcraft.proof.enumerate import compiled
from handcraft.proof.judge import Judge
from handcraft.proof.near_pass import Near
from handcraft.proof.tally import Tally, margins_of

# ---------------------------------------------------------------- as it is kept


def test_the_order_of_right_tokens_is_no_part_of_a_claim() -> None:
    """A set, a list and a tuple make one claim, the same in every process; one token is kept as it
    is written, alone or in a set.
    """
    claim = after({"a": {"c", "b"}, "b": {"a"}})
    assert claim.table == (("a", ("b", "c")), ("b", "a"))
    assert claim == after({"a": ["c", "b"], "b": "a"})
    assert claim == after({"a": ("b", "c"), "b": frozenset("a")})
    assert claim != after({"a": {"a", "b"}, "b": "a"})
    assert claim.model_dump(mode="json")["table"] == [
        ["a", ["b", "c"]],
        ["b", "a"],
    ]
    assert After.model_validate_json(claim.model_dump_json()) == claim
    assert claim.tokens == ("b", "c", "a")


def test_the_longest_ending_decides_with_all_its_tokens() -> None:
    """A longer ending with one right token is not widened by a shorter one with several, nor the
    other way round; tokens may have several characters.
    """
    tokens = Vocabulary(("ab", "c", "d"))
    claim = after(
        {
            ("c",): {"ab", "d"},
            ("ab", "c"): "c",
            ("d", "ab", "c"): {"c", "d"},
        }
    )
    said = Reference(claim, tokens)
    assert said(("c",)) == said(("c", "c")) == ("ab", "d")
    assert said(("c", "ab", "c")) == "c"
    assert said(("d", "ab", "c")) == ("c", "d")
    assert said(("ab",)) is None


WRITTEN = [
    (
        {"ab": set()},
        (
            "after > table[0]: no token is right after 'ab': name one, or leave the row"
            " out, so that nothing is claimed there"
        ),
    ),
    (
        {"a": "b", "ab": ["b", "c", "b"]},
        (
            "after > table[1]: the token 'b' stands twice among those that are right"
            " after 'ab'; name it once"
        ),
    ),
    (
        {"ab": {"b", 5}},
        (
            "after > table[0]: the tokens that are right after 'ab' are texts, found"
            " int 5"
        ),
    ),
    (
        {("a", "b"): [("b", "c")]},
        (
            "after > table[0]: the tokens that are right after 'ab' are texts, found"
            " tuple ('b', 'c')"
        ),
    ),
    (
        {"ab": None},
        (
            "after > table[0]: what is right after 'ab' is a token, or a set of tokens"
            " such as {'a', 'b'}, found None; leave the row out, so that nothing"
            " is claimed there"
        ),
    ),
    (
        {"ab": {"b": 0.5}},
        (
            "after > table[0]: what is right after 'ab' is a token, or a set of tokens"
            " such as {'a', 'b'}, found dict {'b': 0.5}; probabilities go into"
            " distribution({...})"
        ),
    ),
]


@pytest.mark.parametrize(("table", "message"), WRITTEN)
def test_what_is_no_set_of_tokens_is_refused(table: Any, message: str) -> None:
    """Where it is written, with the row and with what would work."""
    with Refused(ProgramError, message, here=True):
        after(table)


CHECKED = [
    (
        {"a": {"b", "x"}},
        (
            "three > claim: the token 'x', one of those that are right after 'a', is not"
            " in the vocabulary 'a', 'b', 'c'"
        ),
    ),
    (
        {"a": "b", "cb": {"a", "b", "c"}},
        (
            "three > claim: every token is right after 'cb', so the row says nothing:"
            " leave it out"
        ),
    ),
    (
        {"b": "a", "cb": {"a", "b", "c"}},
        (
            "three > claim: every token is right after 'cb', so the row says nothing but"
            " hides the row 'b': write longer endings instead of that"
        ),
    ),
]


@pytest.mark.parametrize(("table", "message"), CHECKED)
def test_a_row_must_name_known_tokens_and_leave_one_out(
    table: Any, message: str
) -> None:
    """What depends on the vocabulary is found when the program is made."""
    claim = after(table)
    with pytest.raises(ProgramError) as refused:
        three(claim)
    assert str(refused.value) == f"{message} ({claim.source})"


# ---------------------------------------------------------------- programs with exact logits


def named(model: Model, ids: Any) -> tuple[str, ...]:
    """The tokens of ids."""
    return tuple(model.vocabulary.tokens[i] for i in ids)


@examples(40)
@given(votes())
def test_every_method_says_what_plain_python_says(drawn: Votes) -> None:
    """Verdict, counts, least margin and counterexample of the proof, the enumeration and the draw,
    for one and several right tokens, against the sums of whole numbers.
    """
    margins = drawn.margins()
    model = drawn.program().build()
    wrong = [context for context, margin in margins.items() if margin <= 0]
    for method in ("certificate", "exhaustive", "sampled"):
        found = verify(model, methods=[method])
        if not margins:
            assert found.verdict == "unknown"
        elif wrong:
            assert found.verdict in ("refuted", "unknown")
            assert found.verdict == "refuted" or method == "certificate"
        else:
            assert found.verdict == (
                "proved" if method == "certificate" else "checked"
            )
            assert found.checked == len(margins)
            assert found.min_margin == min(margins.values())
        if method == "exhaustive" and wrong:
            told = found.counterexample
            assert told is not None
            context = tuple(told.tokens)
            assert len(context) == min(map(len, wrong))
            assert margins[context] == told.margin
            right = told.expected
            right = {right} if isinstance(right, str) else set(right)
            assert right == drawn.right(context)
            assert found.min_margin == min(margins.values())


@pytest.mark.slow
@examples(20)
@given(votes())
def test_the_compiled_enumeration_counts_the_same(drawn: Votes) -> None:
    """The walk in compiled code, where numba is installed, against the sums of whole numbers."""
    model = drawn.program().build()
    judge = Judge(model, model.program.claim)  # type: ignore[union-attr, arg-type]
    if not compiled.available():
        pytest.skip("needs the extra `fast`")
    tally = Tally()
    engine = compiled.Engine(judge)
    engine.count(tally, (), model.n_ctx, lambda _: True)
    margins = drawn.margins()
    right = sum(margin > 0 for margin in margins.values())
    assert (tally.checked, tally.correct) == (len(margins), right)
    assert tally.min_margin == min(margins.values(), default=np.inf)
    assert (tally.worst is None) == (right == len(margins))


@examples(20)
@given(programs(), st.integers(0, 2))
def test_of_any_program_no_margin_is_more_than_the_rules_give(
    program: Program, more: int
) -> None:
    """Whatever comes first somewhere after a token, and the next ones in order, are claimed to be
    right after it: nothing is called right that the rules, computed in plain Python, call wrong,
    and no margin is said to be greater than it is.
    """
    tokens = program.vocabulary
    logits = {
        context: interpret(program, list(context))[-1]
        for n in range(1, program.n_ctx + 1)
        for context in product(tokens, repeat=n)
    }
    table: dict[str, set[str]] = {}
    for context, row in logits.items():
        table.setdefault(context[-1], set()).add(max(row, key=row.__getitem__))
    for right in table.values():
        right |= set(tokens[:more])
    table = {
        one: right for one, right in table.items() if len(right) < len(tokens)
    }
    if not table:
        return
    margins = [
        max(row[x] for x in table[context[-1]])
        - max(row[x] for x in tokens if x not in table[context[-1]])
        for context, row in logits.items()
        if context[-1] in table
    ]
    size = max(abs(x) for row in logits.values() for x in row.values())
    fields = {name: getattr(program, name) for name in Program.model_fields}
    model = Program(**fields | {"claim": after(table)}).build("float64")
    for method in ("certificate", "exhaustive"):
        found = verify(model, methods=[method])
        if found.verdict in ("proved", "checked"):
            assert found.checked == len(margins)
            assert found.min_margin is not None
            assert 0 < found.min_margin <= min(margins) + 1e-9 * size
        if method == "exhaustive" and min(margins) > 1e-6 * size:
            assert found.verdict == "checked"
            assert found.min_margin == pytest.approx(
                min(margins), abs=1e-9 * size
            )


def test_either_of_two_may_win() -> None:
    """One right token is greatest in some contexts, the other one in others, and where both are
    equal that is no tie: proved, with the margin over the wrong one.
    """
    table = {"a": {"b", "c"}, "b": {"a"}, "c": {"b", "c"}}
    drawn = Votes(
        ("a", "b", "c"),
        3,
        ((0, 9, 2), (30, 0, 0), (0, 6, 5)),
        ((0, 0, 0), (0, -9, 9), (0, 0, 0)),
        tuple(((last,), frozenset(right)) for last, right in table.items()),
    )
    model = drawn.program().build()
    logits = {
        context: model(context)[-1].tolist() for context in ("a", "ba", "c")
    }
    assert logits == {"a": [1, 9, 2], "ba": [1, 0, 11], "c": [0, 6, 6]}
    found = verify(model)
    assert (found.verdict, found.min_margin) == ("proved", 6.0)
    assert min(drawn.margins().values()) == 6
    for one in ("b", "c"):
        fewer = ((("a",), frozenset(one)), *drawn.table[1:])
        narrower = replace(drawn, table=fewer).program().build()
        assert verify(narrower).verdict == "refuted"


# ---------------------------------------------------------------- margins and doubts


LOGITS = st.sampled_from([-2.0, 0.0, 0.5, 3.0, np.inf, -np.inf, np.nan])


@given(
    st.tuples(*[LOGITS] * 4), st.sets(st.integers(0, 3), min_size=1, max_size=3)
)
def test_the_margin_is_that_of_the_best(
    row: tuple[float, ...], right: set[int]
) -> None:
    """Of the right ones over the best wrong one; a logit that is not finite makes it wrong."""
    ids = [*right, *[max(right)] * (4 - len(right))]
    found = margins_of(np.array([row]), np.array([ids]))[0]
    if not np.isfinite(row).all():
        assert found == -np.inf
        return
    best = max(row[i] for i in right)
    assert found == best - max(row[i] for i in range(4) if i not in right)


NUMBERS = st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 3.0, 4.0])] * 4)


@given(NUMBERS, NUMBERS, st.sets(st.integers(0, 3), min_size=2, max_size=3))
def test_what_is_sure_of_several_no_error_can_turn(
    row: tuple[float, ...], off: tuple[float, ...], right: set[int]
) -> None:
    """Where the second look is sure that a context is right, it is so if every right logit is as
    low and every wrong one as high as it may be; and the other way round.
    """
    model = three(after({"a": {"b", "c"}})).build()
    second = Judge(model, model.program.claim).second  # type: ignore[union-attr, arg-type]
    c, e = np.array([row]), np.array([off])
    near = Near(c, e, np.zeros_like(c))
    ids = np.array([[*right, *[max(right)] * (4 - len(right))]])
    if not second._sure(ids, near, near)[0]:
        return
    wrong = set(range(4)) - right
    low = max(row[i] - off[i] for i in right)
    low -= max(row[i] + off[i] for i in wrong)
    high = max(row[i] + off[i] for i in right)
    high -= max(row[i] - off[i] for i in wrong)
    margin = max(row[i] for i in right) - max(row[i] for i in wrong)
    assert low > 0 if margin > 0 else high <= 0
