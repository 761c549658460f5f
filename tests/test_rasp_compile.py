"""Compiled RASP: `compile_rasp_to_model` against the s-op itself, called with the same text."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice, product
from random import Random
from typing import Any

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from rasp_against import Program
from test_rasp_composed import programs as composed
from test_rasp_counting import programs as counting
from test_rasp_moving import programs as moving
from test_rasp_random import Spec, build, sops
from test_rasp_values import programs as values

from handcraft import rasp, verify
from handcraft.rasp import causal_eval

BOS = "compiler_bos"
PROGRAMS = [
    program
    for program in (*counting, *moving, *values, *composed)
    if isinstance(program.make(), rasp.SOp)
]
KNOWN = {  # of the programs that users of RASP know, and n
    "hist": 20,
    "double_hist": 10,
    "frac_prevs": 20,
    "pair_balance": 20,
    "shuffle_dyck1": 10,
    "reverse": 20,
    "sort": 10,
    "sort_unique": 5,
    "sort_by_frequency": 5,
    "induction": 5,
    "parity": 10,
    "total": 10,
    "most_frequent": 5,
    "fizzbuzz": 20,
}
OF_THE_LENGTH = "is not known to a causal model, which sees no later token"
REASONS = (  # why one of the programs cannot be compiled
    OF_THE_LENGTH,
    "a list, which can change",
    "(check_length=False), which no lane can",
    "which float32 cannot tell apart",
    "would read a number that is only known to",
)


def same(found: Any, wanted: Any) -> bool:
    """True for equal values; a text is no number, and floats may be rounded."""
    if isinstance(found, float) or isinstance(wanted, float):
        numbers = isinstance(found, int | float) and isinstance(
            wanted, int | float
        )
        return numbers and abs(found - wanted) < 1e-9
    return bool(found == wanted) and isinstance(found, str) == isinstance(
        wanted, str
    )


def meant(sop: rasp.SOp, text: list[Any], *, causal: bool) -> list[Any] | None:
    """What the s-op itself says; None where it raises."""
    evaluate = causal_eval.evaluate if causal else rasp.evaluate
    try:
        return evaluate(sop, text)
    except (ValueError, TypeError, ArithmeticError):
        return None


def holds(
    model: Any, sop: rasp.SOp, texts: Iterator[list[Any]], *, causal: bool
) -> int:
    """Asserts that a model says what its s-op says; returns of how many texts that is."""
    many = 0
    for text in texts:
        wanted = meant(sop, text, causal=causal)
        if wanted is None:
            continue
        first, *found = model.apply([BOS, *text]).decoded
        assert first == BOS
        assert len(found) == len(wanted)
        assert all(map(same, found, wanted)), (text, wanted, found)
        many += 1
    return many


def short_texts(over: Sequence[Any], n: int, many: int) -> Iterator[list[Any]]:
    """Texts of 1 to n tokens, the shortest first."""
    texts = (
        list(text)
        for length in range(1, n + 1)
        for text in product(over, repeat=length)
    )
    return islice(texts, many)


def drawn_texts(over: Sequence[Any], n: int, many: int) -> Iterator[list[Any]]:
    """Texts with lengths spread evenly, full ones and ones of one token among them."""
    drawn = Random(0)
    yield [over[0]]
    yield [over[-1]] * n
    for i in range(many):
        length = n if i % 4 == 0 else drawn.randint(1, n)
        yield [drawn.choice(over) for _ in range(length)]


def compiled(sop: rasp.SOp, over: Sequence[Any], n: int, **more: Any) -> Any:
    """The model, or the reason why there is none."""
    try:
        return rasp.compile_rasp_to_model(sop, set(over), n, **more)
    except NotImplementedError as error:
        return str(error)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "program", [p for p in PROGRAMS if str(p) in KNOWN], ids=str
)
def test_a_known_program_holds_at_length(
    program: Program, causal: bool
) -> None:
    """Compiled for 5 to 20 tokens it says what the s-op says, where every token sees all others
    and where none sees a later one; only the length is unknown there.
    """
    sop, n = program.make(), KNOWN[str(program)]
    model = compiled(sop, program.over, n, causal=causal)
    if isinstance(model, str):
        assert causal
        assert OF_THE_LENGTH in model
        return
    texts = drawn_texts(program.over, n, 25)
    assert holds(model, sop, texts, causal=causal) > 4


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_every_program_holds_on_short_texts(
    program: Program, causal: bool
) -> None:
    """All programs of the tests of RASP, on every short text, or a reason that is known."""
    over = list(dict.fromkeys(program.over))  # a set has True and 1 once
    n = min(program.longest, max(4, program.shortest))
    sop = program.make()
    model = compiled(sop, over, n, causal=causal)
    if isinstance(model, str):
        assert any(reason in model for reason in REASONS), model
        return
    assert holds(model, sop, short_texts(over, n, 200), causal=causal)


VOCABULARIES = st.sampled_from(
    [
        (0, 1, -2, 3),
        ("a", "b"),
        ("a", "", 1, 2),
        (0.5, True, -2),
        (None, "a", 0),
    ]
)


@given(
    spec=sops(3),
    over=VOCABULARIES,
    causal=st.booleans(),
    simplify=st.booleans(),
)
@examples(100)
def test_a_random_program_is_right_or_refused(
    spec: Spec, over: tuple[Any, ...], causal: bool, simplify: bool
) -> None:
    """Whatever is compiled says what the s-op says."""
    sop = build(spec, rasp, simplify)
    model = compiled(sop, over, 3, causal=causal)
    if isinstance(model, str):
        assert model.startswith("cannot be compiled: ")
        return
    holds(model, sop, drawn_texts(over, 3, 12), causal=causal)


# ---------------------------------------------------------------- single meanings


def test_a_mean_has_its_default_where_nothing_is_selected() -> None:
    """0, another number, a text, and None, beside values of which 0 is one."""
    earlier = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LT)
    for default in 0, 7, -0.5, "none", None:
        sop = rasp.Aggregate(earlier, rasp.tokens, default)
        model = rasp.compile_rasp_to_model(sop, {-1, 0, 2}, 4)
        assert holds(model, sop, short_texts([-1, 0, 2], 4, 120), causal=False)


def test_one_selected_value_is_itself_and_several_are_a_mean() -> None:
    """Tokens of any kind: None and texts where they are alone, numbers also together."""
    near = rasp.Select(rasp.indices, rasp.indices, lambda k, q: 0 <= q - k <= 1)
    sop = rasp.Aggregate(near, rasp.tokens)
    over = [None, "a", 1, 4]
    model = rasp.compile_rasp_to_model(sop, set(over), 3)
    assert holds(model, sop, short_texts(over, 3, 84), causal=False) == 16


def test_flags_and_numbers_that_are_equal_are_one_value() -> None:
    """True answers as 1 does, and what tells them apart is refused."""
    flag = rasp.tokens == "a"
    both = rasp.SequenceMap(lambda x, y: y if x else 1, flag, flag)
    model = rasp.compile_rasp_to_model(both, {"a", "b"}, 2)
    assert model.apply([BOS, "a", "b"]).decoded[1:] == [1, 1]
    told = rasp.Map(repr, both, simplify=False)
    with pytest.raises(NotImplementedError, match="which are equal and so one"):
        rasp.compile_rasp_to_model(told, {"a", "b"}, 2)


def test_a_function_is_not_asked_for_what_never_occurs() -> None:
    """1 / x is never asked of a 0 that no token is, and 0 / 0 is no value of a sum."""
    hist = rasp.SelectorWidth(
        rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    )
    sop = 1 / hist
    model = rasp.compile_rasp_to_model(sop, {"a", "b"}, 4)
    assert holds(model, sop, short_texts("ab", 4, 30), causal=False) == 30


def test_numbers_that_no_float32_tells_apart_are_kept_apart() -> None:
    """10^9 and 10^9 + 1 stand for themselves."""
    sop = rasp.Map(lambda x: x + 1, rasp.tokens)
    over = {10**9, 10**9 + 1, 10**12}
    model = rasp.compile_rasp_to_model(sop, over, 2)
    assert model.apply([BOS, 10**9 + 1, 10**12]).decoded[1:] == [
        10**9 + 2,
        10**12 + 1,
    ]


def test_tokens_may_be_anything_that_can_be_hashed() -> None:
    """Tuples, texts that look like numbers, the token that is taken for BOS, and the empty text."""
    over = [(1, "x"), "1", 1, "^", "", frozenset({2})]
    same_token = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    for sop in rasp.tokens, rasp.SelectorWidth(same_token):
        model = rasp.compile_rasp_to_model(sop, set(over), 6)
        assert holds(model, sop, drawn_texts(over, 6, 40), causal=False)


def test_constants_are_of_one_length() -> None:
    """A constant s-op and constant rows are compiled for texts of their own length."""
    rows = rasp.ConstantSelector([[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    sop = rasp.SequenceMap(
        lambda x, y: f"{x}{y}",
        rasp.Aggregate(rows, rasp.tokens),
        rasp.ConstantSOp([5, None, 7]),
    )
    model = rasp.compile_rasp_to_model(sop, {"a", "b"}, 4)
    assert holds(model, sop, short_texts("ab", 4, 30), causal=False) == 8
