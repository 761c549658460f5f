"""Programs that count, as users of RASP write them, against plain Python functions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasp_against import MANY, Program, Programs, each, share

from handcraft import rasp

programs = Programs()


def counted_length() -> rasp.SOp:
    """The length, from the width of a selector of everything."""
    everything = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
    return rasp.SelectorWidth(everything).named("length")


def frequency(sop: rasp.SOp = rasp.tokens) -> rasp.SOp:
    """The number of times that each value occurs."""
    same = rasp.Select(sop, sop, rasp.Comparison.EQ).named("same")
    return rasp.SelectorWidth(same).named("hist")


def earlier() -> rasp.Selector:
    """The positions before each one."""
    return rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LT)


def share_so_far(flags: rasp.SOp) -> rasp.SOp:
    """The share of flags that are set, up to each position."""
    seen = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LEQ)
    share = rasp.Aggregate(seen, rasp.numerical(flags), default=0)
    return rasp.numerical(share.named("share_so_far"))


def all_set(flags: rasp.SOp) -> rasp.SOp:
    """True where every flag of the sequence is set."""
    unset = rasp.Select(flags, flags, lambda key, query: not key)
    return rasp.SelectorWidth(unset) == 0


@programs.against(lambda xs: [len(xs)] * len(xs), "abc")
def length_by_width() -> rasp.SOp:
    """The length of the input."""
    return counted_length()


@programs.against(lambda xs: [xs.count(x) for x in xs], "abc")
def hist() -> rasp.SOp:
    """The number of times that each token occurs."""
    return frequency()


def _double_hist(xs: list[str]) -> list[int]:
    return [len({y for y in xs if xs.count(y) == xs.count(x)}) for x in xs]


@programs.against(_double_hist, "abc")
def double_hist() -> rasp.SOp:
    """The number of different tokens that occur as often as each one does."""
    copy_before = rasp.SelectorAnd(
        rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ), earlier()
    )
    first = rasp.SelectorWidth(copy_before) == 0
    counted = rasp.SequenceMap(
        lambda n, new: n if new else -1, frequency(), first
    )
    return rasp.SelectorWidth(
        rasp.Select(counted, frequency(), rasp.Comparison.EQ)
    )


@programs.against(lambda xs: [xs.count("a")] * len(xs), "abc")
def count_a() -> rasp.SOp:
    """The number of a's, by a predicate that does not ask the query."""
    is_a = rasp.Select(
        rasp.tokens, rasp.tokens, lambda key, query: key == "a"
    ).named("is_a")
    return rasp.SelectorWidth(is_a).named("count_a")


@programs.against(
    lambda xs: [sum(xs.count(y) <= 2 for y in xs)] * len(xs), "abc"
)
def count_less_frequent() -> rasp.SOp:
    """The number of tokens that occur at most twice."""
    counts = frequency()
    rare = rasp.Select(counts, counts, lambda key, query: key <= 2)
    return rasp.SelectorWidth(rare)


@programs.against(
    each(lambda xs, i: share([x == "x" for x in xs[: i + 1]])), "xyz"
)
def frac_prevs() -> rasp.SOp:
    """The share of x's up to each position."""
    return share_so_far(rasp.tokens == "x")


@programs.against(
    lambda xs: [share([1 if x == "x" else 0 for x in xs])] * len(xs), "xyz"
)
def frac_all() -> rasp.SOp:
    """The share of x's in all."""
    is_x = rasp.Map(lambda t: 1 if t == "x" else 0, rasp.tokens)
    everything = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.TRUE)
    return rasp.Aggregate(everything, rasp.numerical(is_x))


def _balance(left: str, right: str, xs: list[str], i: int) -> float:
    seen = xs[: i + 1]
    return share([x == left for x in seen]) - share([x == right for x in seen])


def balance_of(left: str, right: str) -> rasp.SOp:
    """The share of one token less that of another, up to each position."""
    lefts = share_so_far(rasp.tokens == left).named("lefts")
    rights = share_so_far(rasp.tokens == right).named("rights")
    return rasp.numerical(rasp.LinearSequenceMap(lefts, rights, 1, -1))


@programs.against(each(lambda xs, i: _balance("(", ")", xs, i)), "()a")
def pair_balance() -> rasp.SOp:
    """The share of brackets that opened, less that of those that closed."""
    return balance_of("(", ")")


def _shuffle_dyck(pairs: list[str], xs: list[str]) -> list[bool]:
    good = all(
        _balance(*pair, xs, i) >= 0 for pair in pairs for i in range(len(xs))
    ) and all(_balance(*pair, xs, len(xs) - 1) == 0 for pair in pairs)
    return [good] * len(xs)


def shuffled(pairs: list[str]) -> rasp.SOp:
    """True where each kind of bracket is balanced, whatever stands between."""
    balances = [balance_of(*pair) for pair in pairs]
    never_below = rasp.Full(True)
    even_at_the_end = rasp.Full(True)
    last = rasp.Select(rasp.indices, rasp.length - 1, rasp.Comparison.EQ)
    for balance in balances:
        below = rasp.Select(balance, balance, lambda key, query: key < 0)
        never_below = never_below & (rasp.SelectorWidth(below) == 0)
        at_the_end = rasp.Aggregate(last, balance)
        even_at_the_end = even_at_the_end & (at_the_end == 0)
    return rasp.SequenceMap(
        lambda x, y: x and y, never_below, even_at_the_end
    ).named("shuffle_dyck")


@programs.against(lambda xs: _shuffle_dyck(["()"], xs), "()")
def shuffle_dyck1() -> rasp.SOp:
    """True everywhere where the brackets of one kind are balanced."""
    return shuffled(["()"])


@programs.against(lambda xs: _shuffle_dyck(["()", "{}"], xs), "(){}")
def shuffle_dyck2() -> rasp.SOp:
    """True everywhere where two kinds of brackets are balanced, each for itself."""
    return shuffled(["()", "{}"])


@programs.against(
    each(lambda xs, i: xs[: i + 1].count("(") - xs[: i + 1].count(")")), "()"
)
def depth() -> rasp.SOp:
    """The depth of each position in brackets, below 0 where too many close."""
    opened = rasp.Select(rasp.tokens, rasp.tokens, lambda k, q: k == "(")
    closed = rasp.Select(rasp.tokens, rasp.tokens, lambda k, q: k == ")")
    seen = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LEQ)
    return rasp.SelectorWidth(opened & seen) - rasp.SelectorWidth(closed & seen)


@programs.against(lambda xs: [sum(xs) % 2] * len(xs), [0, 1])
def parity() -> rasp.SOp:
    """1 where the number of ones is odd."""
    ones = rasp.Select(rasp.tokens, rasp.Full(1), rasp.Comparison.EQ)
    return rasp.Map(lambda n: n % 2, rasp.SelectorWidth(ones))


@programs.against(lambda xs: [xs.count(x) == 1 for x in xs], "abc")
def is_unique() -> rasp.SOp:
    """True where a token occurs nowhere else."""
    return frequency() == 1


@programs.against(lambda xs: [len(set(xs))] * len(xs), "abcd")
def distinct() -> rasp.SOp:
    """The number of different tokens."""
    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    number = rasp.SelectorWidth(same & earlier())
    return rasp.SelectorWidth(
        rasp.Select(number, rasp.Full(0), rasp.Comparison.EQ)
    )


@programs.against(each(lambda xs, i: xs[:i].count(xs[i])), "abc")
def occurrence() -> rasp.SOp:
    """The number of earlier copies of each token."""
    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    return rasp.SelectorWidth(rasp.selector_and(same, earlier()))


@programs.against(
    lambda xs: [share([x < 0 for x in xs])] * len(xs), [-2, -1, 0, 3]
)
def share_of_negatives() -> rasp.SOp:
    """The mean of booleans is the share of the true ones."""
    everything = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
    return rasp.Aggregate(everything, rasp.tokens < 0)


@programs.against(lambda xs: [sum(xs)] * len(xs), [-3, 0, 1, 7])
def total() -> rasp.SOp:
    """The sum: the mean times the length, made whole again."""
    everything = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.TRUE)
    mean = rasp.Aggregate(everything, rasp.tokens)
    return rasp.Map(round, mean * rasp.length)


@programs.against(each(lambda xs, i: share(xs[: i + 1])), [-1.5, 0, 2, 0.25])
def running_mean() -> rasp.SOp:
    """The mean up to each position, of fractions and negative numbers."""
    return share_so_far(rasp.tokens)


def _variance(xs: list[Any]) -> list[Any]:
    mean = share(xs)
    return [share([x * x for x in xs]) - mean * mean] * len(xs)


@programs.against(_variance, [-2, 0, 1, 3])
def variance() -> rasp.SOp:
    """The mean of the squares less the square of the mean."""
    everything = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
    mean = rasp.Aggregate(everything, rasp.tokens)
    return rasp.Aggregate(
        everything, rasp.Map(lambda x: x * x, rasp.tokens)
    ) - rasp.Map(lambda x: x * x, mean)


@programs.against(lambda xs: ["a" in xs] * len(xs), "abc")
def contains_a() -> rasp.SOp:
    """True everywhere where an a occurs anywhere."""
    is_a = rasp.Select(rasp.tokens, rasp.Full("a"), rasp.Comparison.EQ)
    return rasp.SelectorWidth(is_a) > 0


@programs.against(lambda xs: [len(set(xs)) == 1] * len(xs), "abc")
def all_equal() -> rasp.SOp:
    """True where no token differs from any other."""
    other = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.NEQ)
    return all_set(rasp.SelectorWidth(other) == 0)


@programs.against(lambda xs: [sum(xs) > len(xs) / 2] * len(xs), [True, False])
def majority() -> rasp.SOp:
    """True where more than half of the tokens are true, by the mean of booleans."""
    everything = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.TRUE)
    return rasp.Aggregate(everything, rasp.tokens) > 0.5


@programs.against(lambda xs: [sum(y > x for y in xs) for x in xs], [-1, 0, 0.5])
def greater() -> rasp.SOp:
    """The number of numbers that are greater than each one."""
    more = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.GT)
    return rasp.SelectorWidth(more)


@programs.against(each(lambda xs, i: xs[i] in xs[:i]), "abc")
def has_prev() -> rasp.SOp:
    """True where the same token stood before."""
    copy_before = rasp.SelectorAnd(
        rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ), earlier()
    )
    return rasp.SelectorWidth(copy_before) != 0


@programs.against(
    each(lambda xs, i: sum(a == b for a, b in pairwise(xs[: i + 1]))), "ab"
)
def doubles() -> rasp.SOp:
    """The number of tokens, up to each position, that repeat the one before them."""
    before = rasp.Select(rasp.indices, rasp.indices, lambda k, q: k == q - 1)
    prev = rasp.Aggregate(before, rasp.tokens, default="")
    again = rasp.SequenceMap(lambda x, y: x == y, rasp.tokens, prev)
    seen = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LEQ)
    is_again = rasp.Select(again, rasp.Full(True), rasp.Comparison.EQ)
    return rasp.SelectorWidth(is_again & seen)


def _runs(xs: list[str], i: int) -> int:
    start = i
    while start and xs[start - 1] == xs[i]:
        start -= 1
    return i - start + 1


@programs.against(each(_runs), "ab")
def run_length() -> rasp.SOp:
    """The length of the run of equal tokens that ends here, back to the latest change."""
    before = rasp.Select(rasp.indices, rasp.indices, lambda k, q: k == q - 1)
    prev = rasp.Aggregate(before, rasp.tokens, default="")
    begins = rasp.SequenceMap(lambda x, y: x != y, rasp.tokens, prev)
    changes = rasp.Select(begins, rasp.Full(True), rasp.Comparison.EQ)
    seen = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LEQ)
    run = rasp.SelectorWidth(changes & seen)
    same_run = rasp.Select(run, run, rasp.Comparison.EQ)
    return rasp.SelectorWidth(same_run & seen)


@pytest.mark.parametrize("many", MANY)
@pytest.mark.parametrize("program", programs, ids=str)
def test_a_program_that_counts_is_right_on_every_short_input(
    program: Program, many: int
) -> None:
    """Each program equals the plain function above it on every input of a few tokens."""
    program.holds_on_every_short_input(many)


@pytest.mark.parametrize("program", programs, ids=str)
@given(data=st.data())
def test_a_program_that_counts_is_right_on_longer_inputs(
    program: Program, data: st.DataObject
) -> None:
    """Each program equals the plain function above it on drawn inputs of up to 20 tokens."""
    program.holds(program.make(), data.draw(program.inputs()))
