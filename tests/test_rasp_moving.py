"""Programs that move tokens, as users of RASP write them, against plain Python functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasp_against import MANY, Program, Programs, each

from handcraft import rasp
from handcraft.rasp import Comparison, indices, tokens

programs = Programs()


def at(
    position: rasp.SOp, sop: rasp.SOp = tokens, default: Any = None
) -> rasp.SOp:
    """The value at a position, the default where there is no such position."""
    here = rasp.Select(indices, position, Comparison.EQ)
    return rasp.Aggregate(here, sop, default=default)


def back(steps: int, sop: rasp.SOp = tokens, default: Any = None) -> rasp.SOp:
    """The value that stands some positions to the left, or to the right of a negative number."""
    return at(indices - steps, sop, default).named(f"back_{steps}")


def sorted_by_unique(keys: rasp.SOp, sop: rasp.SOp) -> rasp.SOp:
    """The values in the order of their keys, no two of which are equal."""
    below = rasp.SelectorWidth(rasp.Select(keys, keys, Comparison.LT))
    return rasp.Aggregate(rasp.Select(below, indices, Comparison.EQ), sop)


def rank(keys: rasp.SOp) -> rasp.SOp:
    """The number of keys before each one; of equals, the one further left comes first."""
    smaller = rasp.Select(keys, keys, Comparison.LT)
    equal = rasp.Select(keys, keys, Comparison.EQ)
    before = rasp.Select(indices, indices, Comparison.LT)
    return rasp.SelectorWidth(smaller | (equal & before)).named("rank")


def ordered(vals: rasp.SOp, keys: rasp.SOp) -> rasp.SOp:
    """The values in the order of their keys, equals in the order of the input."""
    new = rasp.Select(rank(keys), indices, Comparison.EQ)
    return rasp.Aggregate(new, vals)


@programs.against(lambda xs: xs[::-1], "abc")
def reverse() -> rasp.SOp:
    """The input backwards."""
    mirrored = (rasp.length - 1 - rasp.indices).named("mirrored")
    mirror = rasp.Select(rasp.indices, mirrored, rasp.Comparison.EQ)
    return rasp.Aggregate(mirror, rasp.tokens).named("reverse")


@programs.against(lambda xs: [None, None, *xs][: len(xs)], "abc")
def shift_by_two() -> rasp.SOp:
    """The token two to the left, None where there is none."""
    return back(2)


@programs.against(lambda xs: [*xs, "_"][1:], "abc")
def shift_left() -> rasp.SOp:
    """The next token, and a default at the end."""
    return back(-1, default="_")


@programs.against(lambda xs: xs[-1:] + xs[:-1], "abc")
def rotate() -> rasp.SOp:
    """Each token one to the right, the last in front."""
    source = rasp.SequenceMap(lambda i, n: (i - 1) % n, indices, rasp.length)
    return at(source)


@programs.against(
    each(lambda xs, i: (*xs, None)[i ^ 1] if i ^ 1 < len(xs) else None), "abc"
)
def swap_pairs() -> rasp.SOp:
    """The other token of each pair; None where the last one has no other."""
    return at(rasp.Map(lambda i: i ^ 1, indices))


@programs.against(lambda xs: xs[:1] * len(xs), "abc")
def first_token() -> rasp.SOp:
    """The first token everywhere."""
    return at(rasp.Full(0))


@programs.against(lambda xs: xs[-1:] * len(xs), "abc")
def last_token() -> rasp.SOp:
    """The last token everywhere."""
    return at(rasp.length - 1)


@programs.against(
    lambda xs: [x for x in xs[len(xs) // 2 :][:1] for _ in xs], "ab"
)
def middle_token() -> rasp.SOp:
    """The token in the middle everywhere."""
    return at(rasp.Map(lambda n: n // 2, rasp.length))


@programs.against(
    lambda xs: [*sorted(set(xs)), *[None] * len(xs)][: len(xs)], [5, -1, 0, 2]
)
def sort_unique() -> rasp.SOp:
    """The different numbers in their order, then None: first occurrences are sorted."""
    same = rasp.Select(tokens, tokens, Comparison.EQ)
    before = rasp.Select(indices, indices, Comparison.LT)
    new = rasp.SelectorWidth(same & before) == 0
    keys = rasp.SequenceMap(lambda x, new: x if new else 1e9, tokens, new)
    first_of = rasp.Select(rank(keys), indices, Comparison.EQ)
    vals = rasp.SequenceMap(lambda x, new: x if new else "", tokens, new)
    return rasp.Map(
        lambda x: None if x == "" else x, rasp.Aggregate(first_of, vals)
    )


@programs.against(sorted, [3, -1, 0])
def sort() -> rasp.SOp:
    """The numbers in their order, however many are equal."""
    return ordered(rasp.tokens, rasp.tokens)


@programs.against(sorted, [3, -1, 0.5], longest=9)
def sort_by_unique_keys() -> rasp.SOp:
    """The numbers in their order, by keys that a small part of the position makes unique."""
    keys = rasp.SequenceMap(
        lambda x, i: x + 0.25 * i / 10, rasp.tokens, rasp.indices
    )
    return sorted_by_unique(keys, rasp.tokens)


@programs.against(lambda xs: sorted(xs, key=len), ["eel", "ox", "ant", "y"])
def sort_by_length_of_word() -> rasp.SOp:
    """Words in the order of their length."""
    return ordered(rasp.tokens, rasp.Map(len, rasp.tokens))


@programs.against(lambda xs: sorted(xs, reverse=True), [3, -1, 0])
def sort_down() -> rasp.SOp:
    """The numbers from the greatest to the least."""
    return ordered(rasp.tokens, 0 - rasp.tokens)


@programs.against(
    lambda xs: (
        sorted(dict.fromkeys(xs), key=lambda x: (-xs.count(x), xs.index(x)))
        + [None] * (len(xs) - len(set(xs)))
    ),
    "abcd",
)
def sort_by_frequency() -> rasp.SOp:
    """The different tokens from the most to the least frequent, then None."""
    same = rasp.Select(tokens, tokens, Comparison.EQ)
    hist = -1 * rasp.SelectorWidth(same)
    new = (
        rasp.SelectorWidth(
            rasp.selector_and(
                same, rasp.Select(indices, indices, Comparison.LT)
            )
        )
        == 0
    )
    keys = rasp.SequenceMap(lambda n, new: n if new else 1, hist, new)
    vals = rasp.SequenceMap(lambda x, new: x if new else "", tokens, new)
    return rasp.Map(lambda x: x or None, ordered(vals, keys))


@programs.against(
    lambda xs: (
        [max(xs, key=lambda x: (xs.count(x), -xs.index(x)))] * len(xs)
        if xs
        else []
    ),
    "abc",
)
def most_frequent() -> rasp.SOp:
    """The most frequent token everywhere; of equals the one that occurs first."""
    hist = rasp.SelectorWidth(rasp.Select(tokens, tokens, Comparison.EQ))
    best = rasp.Select(rank(0 - hist), rasp.Full(0), Comparison.EQ)
    return rasp.Aggregate(best, tokens)


@programs.against(
    lambda xs: [
        sorted(range(len(xs)), key=xs.__getitem__).index(i)
        for i in range(len(xs))
    ],
    [0.5, -2, 0.25],
)
def rank_of_each() -> rasp.SOp:
    """The place of each number in their order."""
    return rank(rasp.tokens)


@programs.against(lambda xs: [min(xs, default=0)] * len(xs), [-3, 2, 0.5])
def minimum() -> rasp.SOp:
    """The least number everywhere."""
    return at(rasp.Full(0), ordered(tokens, tokens))


@programs.against(lambda xs: [max(xs, default=0)] * len(xs), [-3, 2, 0.5])
def maximum() -> rasp.SOp:
    """The greatest number everywhere: the mean of those that none exceeds."""
    greater = rasp.Select(tokens, tokens, Comparison.GT)
    unbeaten = rasp.Select(
        rasp.SelectorWidth(greater), rasp.Full(0), Comparison.EQ
    )
    return rasp.Aggregate(unbeaten, tokens)


@programs.against(
    lambda xs: [sorted(xs)[len(xs) // 2]] * len(xs) if xs else [], [4, -1, 0]
)
def median() -> rasp.SOp:
    """The number in the middle of their order."""
    middle = rasp.Map(lambda n: n // 2, rasp.length)
    return at(middle, ordered(tokens, tokens))


def _induction(xs: list[str], i: int) -> str | None:
    found = [k for k in range(1, i + 1) if xs[k - 1] == xs[i]]
    return xs[found[-1]] if found else None


@programs.against(each(_induction), "abc")
def induction() -> rasp.SOp:
    """The token that followed the latest earlier copy of this one."""
    prev = back(1, default="^")
    seen = rasp.Select(indices, indices, Comparison.LEQ)
    same_prev = rasp.Select(prev, prev, Comparison.EQ) & seen
    match = rasp.SelectorAnd(rasp.Select(prev, tokens, Comparison.EQ), seen)
    latest = rasp.Select(
        rasp.SelectorWidth(same_prev), rasp.SelectorWidth(match), Comparison.EQ
    )
    return rasp.Aggregate(rasp.SelectorAnd(match, latest), tokens)


def ends_of(pattern: str) -> rasp.SOp:
    """True where a pattern ends."""
    letters = [
        back(len(pattern) - 1 - i, tokens == letter, default=False)
        for i, letter in enumerate(pattern)
    ]
    found = letters[0]
    for letter in letters[1:]:
        found = rasp.SequenceMap(lambda x, y: x and y, found, letter)
    return found.named(f"ends_of_{pattern}")


@programs.against(
    each(lambda xs, i: xs[max(0, i - 2) : i + 1] == list("abc")), "abc"
)
def detect_abc() -> rasp.SOp:
    """True where abc ends."""
    return ends_of("abc")


@programs.against(lambda xs: ["aba" in "".join(xs)] * len(xs), "ab")
def contains_aba() -> rasp.SOp:
    """True everywhere where aba occurs anywhere."""
    ends = ends_of("aba")
    return rasp.SelectorWidth(rasp.Select(ends, ends, lambda k, _: k)) != 0


@programs.against(
    each(lambda xs, i: xs[xs[i]] if 0 <= xs[i] < len(xs) else None),
    [-1, 0, 1, 3],
)
def pointer() -> rasp.SOp:
    """The number at the position that each number names; None where there is no such position."""
    return at(rasp.tokens)


@programs.against(
    lambda xs: [
        *[x for x in xs if x in "aeiou"],
        *[x for x in xs if x not in "aeiou"],
    ],
    "abe",
)
def vowels_first() -> rasp.SOp:
    """The vowels, then the consonants, each in the order of the input."""
    return ordered(tokens, rasp.Map(lambda x: x not in "aeiou", tokens))


@programs.against(
    lambda xs: [*filter(None, xs), *[None] * xs.count("")], ["", "ant", "ox"]
)
def without_empty() -> rasp.SOp:
    """The words that are not empty, moved to the left; None fills up."""
    kept = ordered(tokens, tokens == "")
    return rasp.Map(lambda x: None if x == "" else x, kept)


@programs.against(sorted, [False, True])
def sort_flags() -> rasp.SOp:
    """Flags in their order, still flags."""
    return ordered(rasp.tokens, rasp.tokens)


@programs.against(lambda xs: [xs == xs[::-1]] * len(xs), "ab")
def palindrome() -> rasp.SOp:
    """True where the input reads the same backwards."""
    mirrored = at(rasp.length - 1 - rasp.indices)
    differs = rasp.SequenceMap(lambda x, y: x != y, tokens, mirrored)
    wrong = rasp.Select(differs, rasp.Full(True), Comparison.EQ)
    return rasp.SelectorWidth(wrong) == 0


@programs.against(each(lambda xs, i: xs[i // 2]), "abc")
def double_each() -> rasp.SOp:
    """Each token twice, as far as there is room."""
    return at(rasp.Map(lambda i: i // 2, indices))


@programs.against(each(lambda xs, i: max(xs[: i + 1])), [-2, 0, 0.5, 4])
def running_maximum() -> rasp.SOp:
    """The greatest number up to each position: those that no later one up to there exceeds."""
    seen = rasp.Select(indices, indices, Comparison.LEQ)
    exceeded = rasp.Select(tokens, tokens, Comparison.GT) & seen
    record = rasp.SelectorWidth(exceeded) == 0
    records = rasp.Select(record, rasp.Full(True), Comparison.EQ) & seen
    number = rasp.SelectorWidth(records)
    latest = rasp.Select(number, number, Comparison.EQ) & records
    return rasp.Aggregate(latest, tokens)


def _since(xs: list[str], i: int) -> int | None:
    found = [k for k in range(i + 1) if xs[k] == "a"]
    return i - found[-1] if found else None


@programs.against(each(_since), "ab")
def since_a() -> rasp.SOp:
    """The number of positions back to the latest a; None before the first."""
    is_a = rasp.Select(tokens, rasp.Full("a"), Comparison.EQ)
    seen = rasp.Select(indices, indices, Comparison.LEQ)
    number = rasp.SelectorWidth(is_a & seen)
    latest = rasp.Select(number, number, Comparison.EQ) & is_a & seen
    return indices - rasp.Aggregate(latest, indices)


@pytest.mark.parametrize("many", MANY)
@pytest.mark.parametrize("program", programs, ids=str)
def test_a_program_that_moves_tokens_is_right_on_every_short_input(
    program: Program, many: int
) -> None:
    """Each program equals the plain function above it on every input of a few tokens."""
    program.holds_on_every_short_input(many)


@pytest.mark.parametrize("program", programs, ids=str)
@given(data=st.data())
def test_a_program_that_moves_tokens_is_right_on_longer_inputs(
    program: Program, data: st.DataObject
) -> None:
    """Each program equals the plain function above it on drawn inputs of up to 20 tokens."""
    program.holds(program.make(), data.draw(program.inputs()))
