"""The language of claims: each operation against plain Python, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft.core.errors import ProgramError
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression
from handcraft.sequence.expression_checks import DEEPEST, MOST_PARTS
from handcraft.sequence.words import (
    below,
    cases,
    count,
    end,
    equal,
    first,
    here,
    latest,
    lookup,
    lowest,
    most,
    otherwise,
    own,
    ratio,
    state,
    step,
    token_at,
    total,
)

texts = st.text("abc", min_size=1, max_size=8)
numbers = st.integers(-9, 9)
everys = st.tuples(st.integers(0, 3), st.integers(1, 3))
nothing = lookup({}, 0)  # None after every context

# ---------------------------------------------------------------- positions and tokens


@given(texts, st.integers(-2, 9))
def test_positions_and_tokens(text: str, i: int) -> None:
    """`here` is the last index, `own` the last token; outside the context there is no token."""
    assert here(text) == len(text) - 1
    assert own(text) == text[-1]
    assert token_at(i)(text) == (text[i] if 0 <= i < len(text) else None)


def test_end_and_step_are_told() -> None:
    """The prompt's last index and an aligned step are known only where they are told."""
    assert (end("ab"), step("ab")) == (None, None)
    assert evaluate(end + 10 * step, "abc", end=1, step=2) == 21


def test_tokens_may_be_long() -> None:
    """A context is a text of tokens of one character, or a tuple of tokens."""
    assert token_at(1)(("<a>", "<b>", "c")) == "<b>"
    assert count({0: "<a>"})(["<a>", "<b>", "<a>"]) == 2


# ---------------------------------------------------------------- selections


@given(
    texts,
    st.dictionaries(
        st.integers(-2, 2), st.sampled_from(["a", "b", ("a", "c")]), max_size=2
    ),
    st.integers(-1, 9),
    everys,
)
def test_selections_by_fixed_tokens(
    text: str, where: dict[int, Any], before: int, every: tuple[int, int]
) -> None:
    """A position fits where every distance has one of its tokens, below `before`, at the start
    or whole steps from it.
    """

    def stands(i: int, what: Any) -> bool:
        return 0 <= i < len(text) and text[i] in what

    fits = [
        j
        for j in range(len(text))
        if j < before and j >= every[0] and (j - every[0]) % every[1] == 0
        if all(stands(j + distance, what) for distance, what in where.items())
    ]
    assert first(where, before=before, every=every)(text) == (
        fits[0] if fits else None
    )
    assert latest(where, before=before, every=every)(text) == (
        fits[-1] if fits else None
    )
    assert count(where, before=before, every=every)(text) == len(fits)


@given(texts)
def test_selections_by_computed_tokens(text: str) -> None:
    """What must stand there may be computed: the induction rule."""
    places = [j for j in range(1, len(text)) if text[j - 1] == text[-1]]
    assert count({-1: own})(text) == len(places)
    assert token_at(latest({-1: own}))(text) == (
        text[places[-1]] if places else None
    )
    assert count({0: own}, before=here)(text) == text[:-1].count(text[-1])


@given(texts)
def test_nothing_in_a_selection(text: str) -> None:
    """A token that is nothing stands nowhere, and nothing lies before nothing."""
    assert (
        count({0: nothing})(text)
        == count({}, before=nothing)(text)
        == total({"a": 1}, before=nothing)(text)
        == 0
    )
    assert first({0: nothing})(text) is None


@given(
    texts,
    st.dictionaries(st.sampled_from("abc"), numbers),
    st.integers(-1, 9),
    everys,
)
def test_sums(
    text: str, values: dict[str, int], before: int, every: tuple[int, int]
) -> None:
    """The sum over the positions, and the least sum of a beginning, the empty one included."""
    seen = [values.get(token, 0) for j, token in enumerate(text) if j < before]
    assert total(values, before=before, every=every)(text) == sum(
        seen[every[0] :: every[1]]
    )
    assert lowest(values, before=before)(text) == min(
        sum(seen[:n]) for n in range(len(seen) + 1)
    )


@given(
    texts,
    st.dictionaries(
        st.sampled_from("pq"),
        st.dictionaries(st.sampled_from("abc"), st.sampled_from("pq")),
    ),
)
def test_an_automaton(text: str, delta: dict[str, dict[str, str]]) -> None:
    """It goes on by each token that its state names, and stays at every other."""
    at = "p"
    for token in text:
        at = delta.get(at, {}).get(token, at)
    assert state(delta, "p")(text) == at


# ---------------------------------------------------------------- numbers and choices


OPERATIONS: list[
    tuple[Callable[[Any, Any], Any], Callable[[int, int], Any]]
] = [
    (lambda a, b: a + b, lambda a, b: a + b),
    (lambda a, b: a - b, lambda a, b: a - b),
    (lambda a, b: a * b, lambda a, b: a * b),
    (
        lambda a, b: a // b,
        lambda a, b: math.floor(Fraction(a, b)) if b else None,
    ),
    (
        lambda a, b: a % b,
        lambda a, b: a - b * math.floor(Fraction(a, b)) if b else None,
    ),
    (ratio, lambda a, b: Fraction(a, b) if b else None),
    (equal, lambda a, b: 1 if a == b else 0),
    (below, lambda a, b: 1 if a < b else 0),
]


@given(st.sampled_from(OPERATIONS), numbers, numbers)
def test_numbers(operation: Any, a: int, b: int) -> None:
    """Whole numbers, rounded down; division by zero is None."""
    build, plain = operation
    left, right = total({"a": a}), total({"a": b})
    assert build(left, right)("a") == plain(a, b)
    if b:
        assert build(left, b)("a") == plain(a, b)


@given(numbers)
def test_numbers_may_stand_first(a: int) -> None:
    """A number may stand on the left of + - and *."""
    assert [x("abc") for x in (a + here, a - here, a * here)] == [
        a + 2,
        a - 2,
        a * 2,
    ]


@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, 2, "x"])), texts
)
def test_lookup(table: dict[str, Any], text: str) -> None:
    """A table by one value or by several; what it lacks is None."""
    assert lookup(table, own)(text) == table.get(text[-1])
    assert lookup({(key, 1): value for key, value in table.items()}, own, 1)(
        text
    ) == table.get(text[-1])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, nothing]),
            st.sampled_from(["x", "y", nothing]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_cases(rows: list[Any], default: bool) -> None:
    """The first row whose condition is neither 0 nor None, else the default; None where there
    is none.
    """
    chosen = next(
        (then for condition, then in rows if condition == 1),
        "z" if default else nothing,
    )
    built = cases(*rows, "z") if default else cases(*rows)
    assert built("a") == (None if chosen == nothing else chosen)


@given(texts)
def test_most(text: str) -> None:
    """The token with the greatest number, the first of equals."""
    assert most({x: count({0: x}) for x in "cab"})(text) == max(
        "cab", key=text.count
    )


def test_nothing_spreads() -> None:
    """What is computed from None is None, but for a default."""
    for built in (
        nothing + 1,
        equal(nothing, nothing),
        below(nothing, 1),
        lookup({1: 1}, nothing),
        token_at(nothing),
        most({"a": nothing, "b": 1}),
        ratio(1, nothing),
        otherwise(nothing, nothing),
        here // (here - here),
    ):
        assert built("a") is None
    assert otherwise(nothing, "b")("a") == "b"
    assert otherwise("a", "b")("a") == "a"


def test_a_part_of_a_token_is_none() -> None:
    """There is no token at a position that is no whole number; a selection goes up to it."""
    assert token_at(ratio(1, 2))("abc") is None
    assert token_at(ratio(2, 2))("abc") == "b"
    assert count({}, before=ratio(3, 2))("abc") == 2


def test_the_tokens_of_an_expression() -> None:
    """It names the tokens that it can answer beside those that it reads: not what it looks up
    or compares.
    """
    assert token_at(latest({-1: "x"})).tokens == ()
    assert otherwise(own, "?").tokens == ("?",)
    assert lookup({("a", 1): "b", ("c", 2): 3}, own, here).tokens == ("b",)
    assert most({"a": count({0: "b"})}).tokens == ("a",)
    assert cases(
        (equal(own, "x"), lookup({"x": "b"}, own)),
        (1, "c"),
        otherwise(own, "d"),
    ).tokens == ("b", "c", "d")
    assert state({"p": {"a": "q"}}, "p").tokens == ("p", "q")


# ---------------------------------------------------------------- what is refused


DEEP = here
for _ in range(DEEPEST - 1):
    DEEP = DEEP + 1
WIDE = most({str(i): here + i for i in range(MOST_PARTS - 2)})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DEEP + 1, "Expression: an expression may be nested 40 deep"),
        (
            lambda: WIDE + 1,
            "Expression: an expression may have 5000 parts, found 5001",
        ),
        (lambda: here // 0, "Expression: divide by zero"),
        (lambda: here % 0, "Expression: modulo by zero"),
        (
            lambda: here + 10**10,
            "Expression: a number in an expression may be 1000000000 at most",
        ),
        (lambda: own + "a", "Expression: add takes numbers, found 'a'"),
        (
            lambda: cases((own == "a", "x"), "y"),
            (
                "claim: a condition was expected, found False: Python compared (or"
                " inverted) at once, since nothing in it is read at the key position;"
                " write there(tokens) == 'a' for the key's token, equal(tokens, 'a')"
                " for the query's"
            ),
        ),
        (
            lambda: cases("x", (1, "y")),
            (
                "claim: cases takes (condition, value) pairs, and one value at the end"
                " as the default"
            ),
        ),
        (
            lambda: count({}, every=(0, 0)),
            (
                "Expression: every=(start, step) needs a start from 0 and a step from"
                " 1, found (0, 0)"
            ),
        ),
        (
            lambda: count("a"),
            (
                "claim: a condition was expected, found 'a'; write there(tokens) =="
                " 'a'"
            ),
        ),
        (
            lambda: count({0: 3}),
            (
                "claim: count takes a token, an expression or several tokens at each"
                " distance"
            ),
        ),
        (lambda: total({"a": 0.5}), "claim: total takes {token: whole number}"),
        (lambda: lowest("a"), "claim: lowest takes {token: whole number}"),
        (
            lambda: state({"a": "b"}, "a"),
            "claim: state takes {state: {token: next state}} and a start",
        ),
        (
            lambda: state({"a": {"b": 1}}, "a"),
            (
                "Expression: state takes {state: {token: next state}} and a start, all"
                " of them texts"
            ),
        ),
        (
            lambda: lookup("a", own),
            "claim: lookup takes a table {value: value} and what is looked up",
        ),
        (
            lambda: lookup({("a", "b"): 1}, own),
            (
                "Expression: lookup takes a table whose keys are 1 values, as many as"
                " are looked up"
            ),
        ),
        (
            lambda: most({}),
            "Expression: most takes {token: number} with at least one token",
        ),
    ],
)
def test_what_makes_no_expression(build: Any, message: str) -> None:
    """An expression that can have no meaning is refused where it is written."""
    with pytest.raises(ProgramError) as caught:
        build()
    assert str(ProgramError(caught.value.message, caught.value.path)) == message
    assert Path(caught.value.source.file).name == "test_words.py"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("build", "op", "found"),
    [
        (own + 1, "add", "'b'"),
        (below(1, own), "below", "'b'"),
        (token_at(own), "token_at", "'b'"),
        (count({}, before=own), "count", "'b'"),
        (most({"x": own}), "most", "'b'"),
        (-1 * own, "multiply", "'b'"),
    ],
)
def test_a_token_is_no_number(build: Expression, op: str, found: str) -> None:
    """A token where a number is needed is found when the expression is asked."""
    with Refused(ProgramError, f"claim: {op} takes numbers, found {found}"):
        build("ab")
