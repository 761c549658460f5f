"""Several right answers: `after({"a": {"b", "c"}})` is right where any of them is greatest, and
prover, checker, enumeration and exports mean the same by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import recorded
from cli_runner import handcraft
from conftest import Refused, examples
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Block, Head, Model, Program, after, position, token
from handcraft.claims.kinds import After
from handcraft.claims.reference import Reference
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import verify
from handcraft.proof.checker import Rejected, check, examine
from handcraft.proof.checker import claim as checker_claim
from handcraft.proof.checker.certificate import claim_hash
from handcraft.proof.enumerate import compiled
from handcraft.proof.judge import Judge
from handcraft.proof.prover import cases
from handcraft.proof.tally import Tally
from handcraft.runtimes.agreement import compare_runtime
from handcraft.testing import assert_accurate

ABC = Vocabulary(("a", "b", "c"))

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
            "After > table[0]: no token is right after 'ab': name one, or leave the row"
            " out, so that nothing is claimed there"
        ),
    ),
    (
        {"a": "b", "ab": ["b", "c", "b"]},
        (
            "After > table[1]: the token 'b' stands twice among those that are right"
            " after 'ab'; name it once"
        ),
    ),
    (
        {"ab": {"b", 5}},
        (
            "After > table[0]: the tokens that are right after 'ab' are texts, found"
            " int 5"
        ),
    ),
    (
        {("a", "b"): [("b", "c")]},
        (
            "After > table[0]: the tokens that are right after 'ab' are texts, found"
            " tuple ('b', 'c')"
        ),
    ),
    (
        {"ab": None},
        (
            "After > table[0]: what is right after 'ab' is a token, or a set of tokens"
            " such as {'a', 'b'}, found NoneType None; leave the row out, so that nothing"
            " is claimed there"
        ),
    ),
    (
        {"ab": {"b": 0.5}},
        (
            "After > table[0]: what is right after 'ab' is a token, or a set of tokens"
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


def three(claim: Any, c: float = 50) -> Program:
    """After a the tokens b and c have 50 each (or c another logit), after b the token a has 50,
    after c it has 1.
    """
    p, t = position(3), token("abc")
    say = Head(
        query=1024 * p,
        key=p,
        value=t,
        output={
            t["a"]: 50 * t["b"] + t["c"] - t["a"],
            t["b"]: 50 * t["a"] - t["b"],
            t["c"]: c * t["a"] - t["c"],
        },
    )
    return Program(embedding=(p, t), layers=(say,), claim=claim, name="three")


CHECKED = [
    (
        {"a": {"b", "x"}},
        (
            "three > claim: the token 'x', one of those that are right after 'a', is not"
            " in the vocabulary a, b, c"
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


@dataclass(frozen=True)
class Votes:
    """The logits after a context: what its last token gives, and what the one before it gives;
    whole numbers.
    """

    tokens: tuple[str, ...]
    n_ctx: int
    own: tuple[tuple[int, ...], ...]
    before: tuple[tuple[int, ...], ...]
    table: tuple[tuple[tuple[str, ...], frozenset[str]], ...]

    def program(self) -> Program:
        """Two heads, which copy the last token and the one before it."""
        p, t = position(self.n_ctx), token(self.tokens)

        def gives(rows: tuple[tuple[int, ...], ...]) -> Any:
            return {
                t[one]: sum(
                    (row[i] * t[other] for other, row in self._rows(rows)),
                    start=0 * t[one],
                )
                for i, one in enumerate(self.tokens)
            }

        own = Head(query=2048 * p, key=p, value=t, output=gives(self.own))
        before = Head(
            query=2048 * p.previous + 0 * p,  # at the first position itself
            key=p,
            value=t,
            output=gives(self.before),
        )
        return Program(
            embedding=(p, t),
            layers=(Block([own, before]),),
            claim=after(dict(self.table)),
            name="votes",
        )

    def _rows(self, rows: Any) -> Any:
        return zip(self.tokens, rows, strict=True)

    def contexts(self) -> list[tuple[str, ...]]:
        """Every context."""
        return [
            context
            for n in range(1, self.n_ctx + 1)
            for context in product(self.tokens, repeat=n)
        ]

    def right(self, context: tuple[str, ...]) -> frozenset[str] | None:
        """The tokens that are right after a context."""
        fits = [
            (len(ending), right)
            for ending, right in self.table
            if context[-len(ending) :] == ending
        ]
        return max(fits, key=lambda fit: fit[0])[1] if fits else None

    def margins(self) -> dict[tuple[str, ...], int]:
        """The best right logit minus the best wrong one, where the claim speaks."""
        found = {}
        for context in self.contexts():
            if (right := self.right(context)) is None:
                continue
            index = self.tokens.index
            votes = list(self.own[index(context[-1])])
            votes[index(context[-1])] += 1  # its own lane is read out, too
            row = self.before[index(context[-2:][0])]
            votes = [a + b for a, b in zip(votes, row, strict=True)]
            named = dict(zip(self.tokens, votes, strict=True))
            found[context] = max(named[x] for x in right) - max(
                named[x] for x in self.tokens if x not in right
            )
        return found


@st.composite
def votes(draw: Any) -> Votes:
    """Small programs with logits that are often tied, and claims of one to all but one token."""
    tokens = draw(st.sampled_from(["abc", "abcd", ("ab", "c", "d")]))
    tokens = tuple(tokens)
    cells = st.tuples(*[st.integers(-2, 3)] * len(tokens))
    ending = st.lists(st.sampled_from(tokens), min_size=1, max_size=3)
    right = st.frozensets(
        st.sampled_from(tokens), min_size=1, max_size=len(tokens) - 1
    )
    table = draw(
        st.dictionaries(ending.map(tuple), right, min_size=1, max_size=4)
    )
    given_by = [draw(st.tuples(*[cells] * len(tokens))) for _ in range(2)]
    if draw(st.booleans()):  # so that more are right
        given_by[0] = tuple(
            tuple(
                8 if token in table.get((own,), ()) else vote
                for token, vote in zip(tokens, row, strict=True)
            )
            for own, row in zip(tokens, given_by[0], strict=True)
        )
    n_ctx = draw(st.integers(max(map(len, table)), 3))
    return Votes(tokens, n_ctx, *given_by, tuple(table.items()))


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


# ---------------------------------------------------------------- what is printed


def test_a_counterexample_names_all_that_would_be_right(here: Path) -> None:
    """On the terminal, as JSON, and in an author's own test."""
    wrong = three(after({"a": {"b", "c"}, "b": {"b", "c"}}))
    wrong.build().save(here / "built")
    shown = handcraft("verify", "built")
    assert shown.code == 1
    assert (
        "wrong after 'b': expected 'b' or 'c', got 'a' (margin -50)"
        in shown.out
    )
    told = handcraft("verify", "built", "--json").json["counterexample"]
    assert told == {
        "tokens": ["b"],
        "expected": ["b", "c"],
        "got": "a",
        "margin": -50.0,
    }
    with pytest.raises(AssertionError) as failed:
        assert_accurate(wrong)
    first = str(failed.value).splitlines()[0]
    assert (
        first == "three after ['b']: expected 'b' or 'c', got 'a' (margin -50)"
    )


# ---------------------------------------------------------------- forgeries


WIDE = {"a": {"b", "c"}, "b": "a", "c": {"a", "b"}}
NARROW = {"a": "b", "b": "a", "c": {"a", "b"}}


def test_a_certificate_of_a_wider_claim_is_none_of_a_narrower_one() -> None:
    """After a two tokens are equal: right where either may follow, a tie where one must. With the
    hash of the narrower claim written into it the bounds do not hold.
    """
    wide, narrow = (three(after(table)).build() for table in (WIDE, NARROW))
    certificate = recorded(wide)
    assert check(wide, certificate).margin == 1.0
    with pytest.raises(Rejected, match="a certificate of another claim"):
        check(narrow, certificate)
    forged = replace(certificate, claim=claim_hash(narrow))
    with pytest.raises(Rejected, match="the margin may be 0"):
        check(narrow, forged)
    assert verify(narrow).verdict == "refuted"


def test_a_certificate_states_no_more_than_the_margin_of_the_best() -> None:
    """The certain margin is that of the best right token over the best wrong one."""
    model = three(after(WIDE)).build()
    certificate = recorded(model)
    exact = verify(model, methods=["exhaustive"]).min_margin
    assert certificate.margin == exact == 1.0
    with pytest.raises(Rejected, match=r"it states a margin of 1\.5"):
        check(model, replace(certificate, margin=1.5))


def test_a_prover_that_widens_a_claim_is_stopped_by_the_checker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a prover that takes c for right after a, too, nothing is proved."""
    model = three(after(NARROW)).build()
    plain = cases._wanted
    monkeypatch.setattr(
        cases,
        "_wanted",
        lambda value, vocabulary: plain(
            ("b", "c") if value == "b" else value, vocabulary
        ),
    )
    found = verify(model, methods=["certificate"])
    assert found.verdict in ("unknown", "refuted")
    assert verify(model).verdict == "refuted"


def test_real_runs_stop_a_checker_that_widens_it_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With both sides broken in the same way, the claim's own meaning is asked of the examples."""
    model = three(after(NARROW)).build()
    plain, read = cases._wanted, checker_claim.Endings.answer
    monkeypatch.setattr(
        cases,
        "_wanted",
        lambda value, vocabulary: plain(
            ("b", "c") if value == "b" else value, vocabulary
        ),
    )
    monkeypatch.setattr(
        checker_claim.Endings,
        "answer",
        lambda *asked: (1, 2) if (found := read(*asked)) == 1 else found,
    )
    assert examine(model, recorded(model)).margin == 1.0
    found = verify(model, methods=["certificate"])
    assert found.verdict == "unknown"
    assert found.reason is not None
    assert "the claim does not say there what the proof takes for right" in (
        found.reason
    )


# ---------------------------------------------------------------- exports


@pytest.mark.parametrize(
    ("table", "differ"), [(WIDE, 0), (NARROW, 13), (None, 13)]
)
def test_a_runtime_may_choose_among_right_tokens(
    table: Any, differ: int
) -> None:
    """After a the model says b, by a hair, and the runtime c: no disagreement where both are
    right, else one for each of the 13 contexts that end in a.
    """
    claim = None if table is None else after(table)
    model = three(claim, c=50 - 2.0**-11).build()
    assert compare_runtime(model, later(model)).argmax_disagreements == differ


def later(model: Model) -> Any:
    """A runtime that is off by a hair, in favour of the last token."""

    def run(ids: Array) -> Array:
        return np.array(model(ids)) + np.arange(3) * 2.0**-10

    return run
