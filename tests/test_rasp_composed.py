"""Selectors made of selectors, called for their matrix, and programs that see no later token,
against plain Python functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasp_against import MANY, Program, Programs, each, share

from handcraft import rasp

programs = Programs()


def rows(
    holds: Callable[[list[Any], int, int], bool], *, causal: bool = False
) -> Callable[[list[Any]], rasp.SelectorValue]:
    """The plain function of a matrix: of a key's and a query's position."""
    return lambda xs: [
        [holds(xs, k, q) and not (causal and k > q) for k in range(len(xs))]
        for q in range(len(xs))
    ]


def same() -> rasp.Selector:
    """Equal tokens."""
    return rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)


def asking(predicate: rasp.Predicate) -> rasp.Selector:
    """Tokens by positions."""
    return rasp.Select(rasp.TokensType(), rasp.IndicesType(), predicate)


def before() -> rasp.Selector:
    """Earlier positions."""
    return rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LT)


def near() -> rasp.Selector:
    """The positions next to each one."""
    left = rasp.Select(rasp.indices, rasp.indices - 1, rasp.Comparison.EQ)
    right = rasp.Select(rasp.indices, rasp.indices + 1, rasp.Comparison.EQ)
    return rasp.SelectorOr(left, right)


@programs.against(rows(lambda xs, k, q: xs[k] == xs[q]), "abc")
def equality() -> rasp.Selector:
    """Equal tokens select each other."""
    return same()


@programs.against(rows(lambda _, k, q: k < q), "ab")
def strictly_lower() -> rasp.Selector:
    """Each position selects those before it."""
    return before().named("before")


@programs.against(rows(lambda _, k, q: abs(k - q) == 1), "ab")
def neighbours() -> rasp.Selector:
    """Each position selects the one on its left and the one on its right."""
    return near()


@programs.against(rows(lambda _, k, q: abs(k - q) <= 1), "ab")
def band() -> rasp.Selector:
    """Each position selects itself and its neighbours."""
    here = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.EQ)
    return near() | here


@programs.against(rows(lambda xs, k, q: xs[k] == xs[q] and k < q), "abc")
def earlier_copies() -> rasp.Selector:
    """Two selectors of different keys stay two."""
    return rasp.SelectorAnd(same(), before())


@programs.against(rows(lambda xs, k, q: not (xs[k] == xs[q] or k < q)), "abc")
def neither() -> rasp.Selector:
    """The contrary of an either-or."""
    return rasp.SelectorNot(rasp.SelectorOr(same(), before()))


@programs.against(rows(lambda xs, k, q: not (xs[k] == xs[q] or k < q)), "abc")
def neither_by_operators() -> rasp.Selector:
    """The same, as both contraries."""
    return ~same() & ~before()


@programs.against(rows(lambda xs, k, q: (xs[k] == xs[q]) != (k < q)), "abc")
def exactly_one() -> rasp.Selector:
    """One of two, but not both: selectors nested three deep."""
    return (same() | before()) & ~(same() & before())


@programs.against(rows(lambda xs, k, q: 0 < xs[k] <= xs[q]), [-2, 0, 1, 3])
def between() -> rasp.Selector:
    """Keys above a constant and up to the query, from two Selects that become one."""
    above = rasp.Select(rasp.tokens, rasp.Full(0), rasp.Comparison.GT)
    up_to = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.LEQ)
    both = rasp.selector_and(above, up_to)
    assert isinstance(both, rasp.Select)
    return both


@programs.against(
    rows(lambda xs, k, q: xs[k] >= xs[q] or xs[q] < 0), [-1, 0, 2]
)
def or_a_constant_key() -> rasp.Selector:
    """A Full for the keys fits any keys."""
    at_least = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.GEQ)
    negative = rasp.Select(rasp.Full(0), rasp.tokens, rasp.Comparison.GT)
    either = rasp.selector_or(at_least, negative)
    assert isinstance(either, rasp.Select)
    return either


@programs.against(rows(lambda xs, k, q: xs[k] == q), [-1, 0, 1, True])
def addressed() -> rasp.Selector:
    """Each position is selected by the positions that its own token names."""
    return asking(rasp.Comparison.EQ)


@programs.against(
    rows(lambda xs, k, q: xs[k] is None or xs[k] % 2 == q % 2), [None, 0, 1, 3]
)
def of_the_same_kind() -> rasp.Selector:
    """Even positions select even numbers, odd ones odd numbers, and all select None."""
    parity: rasp.Predicate = lambda k, q: k is None or k % 2 == q % 2  # noqa: E731
    return asking(parity)


@programs.against(rows(lambda xs, k, q: xs[k] != xs[q]), "abc")
def other_tokens() -> rasp.Selector:
    """All that is not equal."""
    return rasp.selector_not(same())


@programs.against(rows(lambda *_: False), "ab")
def nothing() -> rasp.Selector:
    """A selector that is empty, and one that is not and then is."""
    none = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.FALSE)
    every = rasp.Select(rasp.indices, rasp.tokens, rasp.Comparison.TRUE)
    return rasp.SelectorAnd(none, rasp.SelectorNot(every))


@programs.against(lambda xs: ["?"] * len(xs), "ab")
def default_of_nothing() -> rasp.SOp:
    """The default stands where nothing is selected."""
    none = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.FALSE)
    return rasp.Aggregate(none, rasp.tokens, default="?")


@programs.against(lambda xs: [None] * len(xs), [1, -1])
def nothing_of_nothing() -> rasp.SOp:
    """A default of None is no number, and what is computed from it stays None."""
    none = rasp.SelectorNot(
        rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
    )
    return rasp.Aggregate(none, rasp.tokens) + rasp.indices


@programs.against(rows(lambda _, k, q: k // 2 == q // 2), "ab")
def blocks() -> rasp.Selector:
    """Positions select those of their own pair, by a map of keys and of queries."""
    pair = rasp.Map(lambda i: i // 2, rasp.indices)
    return rasp.Select(pair, pair, rasp.Comparison.EQ)


@programs.against(rows(lambda _, k, q: k == 2 - q), "ab", shortest=3, longest=3)
def constant_mirror() -> rasp.Selector:
    """Rows that do not depend on the input."""
    mirror: rasp.SelectorValue = [
        [False, False, True],
        [False, True, False],
        [True, False, False],
    ]
    return rasp.ConstantSelector(mirror)


@programs.against(lambda xs: xs[::-1], "abc", shortest=3, longest=3)
def constant_reverse() -> rasp.SOp:
    """A sequence of three backwards, by rows that are given."""
    mirror = rasp.ConstantSelector([[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    return rasp.Aggregate(mirror, rasp.tokens)


@programs.against(rows(lambda _, k, q: k != q), "ab", shortest=2, longest=2)
def constant_contrary() -> rasp.Selector:
    """The contrary of rows that are not checked."""
    identity: rasp.SelectorValue = [[True, False], [False, True]]
    return ~rasp.ConstantSelector(identity, check_length=False)


@programs.against(
    lambda xs: [
        sum(abs(k - q) == 1 and x == "a" for k, x in enumerate(xs))
        for q in range(len(xs))
    ],
    "ab",
)
def a_nearby() -> rasp.SOp:
    """The number of neighbours that are an a."""
    is_a = rasp.Select(rasp.tokens, rasp.Full("a"), rasp.Comparison.EQ)
    return rasp.SelectorWidth(rasp.SelectorAnd(near(), is_a))


@programs.against(rows(lambda *_: True, causal=True), "ab", causal=True)
def causal_everything() -> rasp.Selector:
    """Everything is the lower triangle where no token sees a later one."""
    return rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)


@programs.against(
    rows(lambda xs, k, q: xs[k] != xs[q], causal=True), "abc", causal=True
)
def causal_contrary() -> rasp.Selector:
    """The contrary of a selector selects no later token either."""
    return rasp.SelectorNot(same())


@programs.against(
    rows(lambda xs, k, q: xs[k] == xs[q] or xs[k] == "a", causal=True),
    "abc",
    causal=True,
)
def causal_either() -> rasp.Selector:
    """An either-or below the diagonal."""
    is_a = rasp.Select(rasp.tokens, rasp.Full("a"), rasp.Comparison.EQ)
    return rasp.selector_or(same(), is_a, simplify=False)


@programs.against(each(lambda _, i: i + 1), "ab", causal=True)
def causal_position() -> rasp.SOp:
    """The width of everything counts the tokens so far."""
    every = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
    return rasp.SelectorWidth(every)


@programs.against(lambda xs: [len(xs)] * len(xs), "ab", causal=True)
def causal_length() -> rasp.SOp:
    """The length itself is no selector: it stays what it is."""
    return rasp.length


@programs.against(
    each(lambda xs, i: xs[: i + 1].count(xs[i])), "abc", causal=True
)
def causal_hist() -> rasp.SOp:
    """The number of copies of each token so far."""
    return rasp.SelectorWidth(same())


@programs.against(
    each(lambda xs, i: share(xs[: i + 1])), [-1, 0, 0.5, True], causal=True
)
def causal_mean() -> rasp.SOp:
    """The mean so far."""
    every = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.TRUE)
    return rasp.Aggregate(every, rasp.tokens)


@programs.against(
    each(lambda xs, i: xs[len(xs) - 1 - i] if len(xs) - 1 - i <= i else None),
    "abc",
    causal=True,
)
def causal_reverse() -> rasp.SOp:
    """Only the second half of a reversed sequence can be seen in time; before, it is None."""
    mirrored = rasp.length - 1 - rasp.indices
    mirror = rasp.Select(rasp.indices, mirrored, rasp.Comparison.EQ)
    return rasp.Aggregate(mirror, rasp.tokens)


@programs.against(each(lambda _, i: [i % 3, -i]), "ab", causal=True)
def causal_pairs() -> rasp.SOp:
    """An s-op without selectors does not depend on who sees whom."""
    return rasp.SequenceMap(
        lambda x, y: [x, y],
        rasp.Map(lambda i: i % 3, rasp.indices),
        0 - rasp.indices,
    )


@pytest.mark.parametrize("many", MANY)
@pytest.mark.parametrize("program", programs, ids=str)
def test_a_composed_program_is_right_on_every_short_input(
    program: Program, many: int
) -> None:
    """Each program equals the plain function above it on every input of a few tokens."""
    program.holds_on_every_short_input(many)


@pytest.mark.parametrize("program", programs, ids=str)
@given(data=st.data())
def test_a_composed_program_is_right_on_longer_inputs(
    program: Program, data: st.DataObject
) -> None:
    """Each program equals the plain function above it on drawn inputs of up to 20 tokens."""
    program.holds(program.make(), data.draw(program.inputs()))
