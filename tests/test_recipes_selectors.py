"""Selectors, and the recipes that count, take the mean and fetch by one: on every text of up to
five digits behind a sink, against plain Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product
from random import Random
from typing import Any

import numpy as np
import pytest
from fetching import final

from handcraft import Program, position, scratch, slot, token
from handcraft.language.rules import Head
from handcraft.recipes import (
    addresses,
    compare,
    fetch_one,
    key_flag,
    mean_over,
    one_hot_of,
    query_flag,
    same_number,
    square,
    total_over,
    total_over_any,
)
from handcraft.recipes.selectors import Selector

N = 5
AT = addresses(N + 1)
t = token("^0123")
DIGITS = {t[d]: int(d) for d in "0123"}
FEW = {t["1"]: 1, t["3"]: 3}  # 0 and 2 are of no class
k = slot("k", token={d: int(d) for d in "0123"})
kk = slot("kk", token={d: int(d) ** 2 for d in "0123"})
out = scratch("out")
SLOTS = (AT, t, k, kk, out)
Holds = Callable[[int, int], bool]

less, same = compare(DIGITS, "<", DIGITS), compare(DIGITS, "==", DIGITS)
equal = same_number((k, kk), (k, kk), most=3)
two, one = key_flag(t["2"]), query_flag(t["1"])
SELECTORS: dict[str, tuple[Selector, Holds]] = {
    "<": (less, lambda k, q: k < q),
    "<=": (compare(DIGITS, "<=", DIGITS), lambda k, q: k <= q),
    "==": (same, lambda k, q: k == q),
    "!=": (compare(DIGITS, "!=", DIGITS), lambda k, q: k != q),
    ">": (compare(DIGITS, ">", DIGITS), lambda k, q: k > q),
    ">=": (compare(DIGITS, ">=", DIGITS), lambda k, q: k >= q),
    "a function": (
        compare(DIGITS, lambda k, q: (k + q) % 3 == 1, DIGITS),
        lambda k, q: (k + q) % 3 == 1,
    ),
    "never": (compare(DIGITS, lambda *_: False, DIGITS), lambda *_: False),
    "always": (compare(DIGITS, lambda *_: True, DIGITS), lambda *_: True),
    "no class": (
        compare(FEW, "<=", FEW),
        lambda k, q: k <= q and k % 2 == q % 2 == 1,
    ),
    "not in no class": (
        ~compare(FEW, "<=", DIGITS),
        lambda k, q: not (k <= q and k % 2 == 1),
    ),
    "a slot": (compare(t, "<", t), lambda k, q: k < q),
    "same number": (equal, lambda k, q: k == q),
    "key": (two, lambda k, _: k == 2),
    "query": (one, lambda _, q: q == 1),
    "not": (~less, lambda k, q: k >= q),
    "and": (less & ~two, lambda k, q: k < q and k != 2),
    "and of squares": (equal & ~two, lambda k, q: k == q != 2),
    "and of one table": (
        less & compare(DIGITS, "!=", DIGITS),
        lambda k, q: k < q,
    ),
    "or": (less | same, lambda k, q: k <= q),
    "or of key and query": (two | one, lambda k, q: k == 2 or q == 1),
    "or of two keys": (
        two | key_flag(t["2"]),
        lambda k, _: k == 2,
    ),
    "or of a flag": (
        ~(one | key_flag(t["0"] + t["2"])),
        lambda k, q: not (q == 1 or k % 2 == 0),
    ),
}
PAIRS = list(
    combinations(
        ["<", "==", "key", "query", "same number", "and of squares", "never"], 2
    )
)
WORDS = [list(product(range(4), repeat=n)) for n in range(1, N + 1)]


def selected(
    word: Sequence[int], i: int, holds: Holds, *, causal: bool
) -> list[int]:
    """The places in the word, from 1 on, that place i selects."""
    return [
        j
        for j, key in enumerate(word, 1)
        if (j <= i or not causal) and holds(key, word[i - 1])
    ]


def everywhere(
    heads: Head | Sequence[Head],
    right: Callable[[list[int]], float],
    holds: Holds,
    *,
    causal: bool,
    d_head: int | None = None,
) -> float:
    """The greatest error of what heads write, over every place of every word."""
    layer = [heads] if isinstance(heads, Head) else list(heads)
    program = Program(
        embedding=SLOTS, layers=[layer], causal=causal, d_head=d_head
    )
    worst = 0.0
    for words in WORDS:
        texts = [["^", *map(str, word)] for word in words]
        found = final(program, texts, *out)[:, 1:, 0]
        expected = [
            [
                right(selected(word, i, holds, causal=causal))
                for i in range(1, len(word) + 1)
            ]
            for word in words
        ]
        worst = max(worst, float(np.abs(found - expected).max()))
    return worst


both_masks = pytest.mark.parametrize("causal", [True, False])
every_selector = pytest.mark.parametrize("which", SELECTORS)


@both_masks
@every_selector
def test_total_over_counts_what_is_selected(which: str, causal: bool) -> None:
    """How many positions are selected, and the sum of a value over them."""
    selector, holds = SELECTORS[which]
    head = total_over(selector, {out: 1}, sink=t["^"], causal=causal)
    assert everywhere(head, len, holds, causal=causal) < 1e-3
    head = total_over(selector, {out: AT["p"]}, sink=t["^"], causal=causal)
    assert everywhere(head, sum, holds, causal=causal) < 1e-3


@both_masks
@every_selector
def test_mean_over_has_a_default(which: str, causal: bool) -> None:
    """The mean over what is selected; where nothing is, the default that the sink brings."""
    selector, holds = SELECTORS[which]
    head = mean_over(
        selector,
        value={out: AT["p"] + 2},
        sink=t["^"],
        default=-7,
        causal=causal,
    )
    assert (
        everywhere(
            head,
            lambda js: sum(js) / len(js) + 2 if js else -7,
            holds,
            causal=causal,
        )
        < 1e-5
    )


@both_masks
@pytest.mark.parametrize("prefer", ["first", "latest"])
@every_selector
def test_fetch_one_prefers_the_first_or_the_latest(
    which: str, prefer: Any, causal: bool
) -> None:
    """Of several positions one has all of the attention; of none the sink."""
    selector, holds = SELECTORS[which]
    head = fetch_one(
        selector,
        value={out: AT["p"]},
        prefer=prefer,
        at=AT,
        sink=t["^"],
        default={out: 9},
        causal=causal,
    )
    choose = min if prefer == "first" else max
    assert (
        everywhere(head, lambda js: choose(js, default=9), holds, causal=causal)
        < 1e-5
    )


@both_masks
@pytest.mark.parametrize("names", PAIRS)
def test_total_over_any_counts_each_position_once(
    names: tuple[str, ...], causal: bool
) -> None:
    """The sum over what any of two selectors selects, though both may select it."""
    several = [SELECTORS[name] for name in names]
    heads = total_over_any(
        [selector for selector, _ in several],
        {out: 1},
        sink=t["^"],
        causal=causal,
    )
    assert len(heads) <= 3

    def holds(k: int, q: int) -> bool:
        return any(hold(k, q) for _, hold in several)

    assert everywhere(heads, len, holds, causal=causal) < 1e-3


def test_total_over_any_of_many() -> None:
    """One head for each selector that has an opposite; of others, one for each set of them."""
    tables = [SELECTORS[name] for name in ("<", "key", "query", "no class")]
    squares = [SELECTORS[name] for name in ("same number", "and of squares")]
    for several, count in ((tables, 4), (squares, 3), (tables + squares, 7)):
        heads = total_over_any(
            [x for x, _ in several], {out: 1}, sink=t["^"], causal=False
        )
        assert len(heads) == count

        def holds(k: int, q: int, several: Any = several) -> bool:
            return any(hold(k, q) for _, hold in several)

        assert everywhere(heads, len, holds, causal=False) < 3e-3


def test_total_over_any_of_parts_that_are_apart() -> None:
    """Where the author says that no position is selected twice, each selector is one head: less by
    the high digit, or by the low one where the high ones are equal.
    """
    high, low = scratch("high", "01"), scratch("low", "01")
    less = compare(high, "<", high)
    rest = compare(high, "==", high) & compare(low, "<", low)
    heads = total_over_any(
        [less, rest], {out: 1}, sink=t["^"], apart=True, causal=False
    )
    program = Program(
        embedding=(*SLOTS, high, low),
        layers=[
            [
                *one_hot_of(t["2"] + t["3"], high, sink=t["^"]),
                *one_hot_of(t["1"] + t["3"], low, sink=t["^"]),
            ],
            list(heads),
        ],
        causal=False,
    )
    assert len(heads) == 2
    for words in WORDS:
        found = final(program, [["^", *map(str, w)] for w in words], *out)
        expected = [[sum(x < y for x in w) for y in w] for w in words]
        assert np.abs(found[:, 1:, 0] - expected).max() < 1e-3


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@both_masks
def test_fetch_by_a_rank_sorts(activation: Any, causal: bool) -> None:
    """A rank is counted, squared and fetched by: the digits in order, of every text. In a causal
    program the last position sees them all.
    """
    rank, rank2, digit = scratch("rank rank2 digit")
    own = compare(DIGITS, "==", DIGITS)
    place = position(N + 1, name="place")
    places = {place[str(i)]: i for i in range(1, N + 1)}
    earlier = own & compare(places, "<", places)
    parts = total_over_any(
        [less, earlier], {rank: 1}, sink=t["^"], apart=True, causal=causal
    )
    program = Program(
        embedding=(*SLOTS, place, rank, rank2, digit),
        layers=[
            [*parts, *square(rank, N, {rank2: 1})],
            fetch_one(
                same_number(
                    (rank, rank2),
                    (AT["p"] - 1, AT["pp"] - 2 * AT["p"] + 1),
                    most=N,
                ),
                value={digit: k},
                sink=t["^"],
                default=-1,
                causal=causal,
            ),
        ],
        causal=causal,
        activation=activation,
    )
    for words in WORDS:
        found = final(program, [["^", *map(str, w)] for w in words], *digit)[
            :, 1:, 0
        ]
        expected = np.array([sorted(w) for w in words])
        if causal:  # the ranks of earlier positions are of what they saw
            found, expected = found[:, :1], np.array(words)[:, :1]
        assert np.abs(found - expected).max() < 1e-3


# ---------------------------------------------------------------- how exact it is


@pytest.mark.parametrize(
    ("most", "d_head"), [(20, 7), (362, None), (362, 4), (362, 13)]
)
@both_masks
def test_same_number_is_exact_at_every_width(
    most: int, d_head: int | None, causal: bool
) -> None:
    """The mean over equal numbers is exact to their limit, whatever sqrt(d_head) is."""
    draw = Random(most)
    names = [
        most,
        most - 1,
        -most,
        1 - most,
        0,
        1,
        *draw.choices(range(-most, most), k=9),
    ]
    names = sorted({*names})
    x = slot("x", token={str(i): i for i in names})
    xx = slot("xx", token={str(i): i * i for i in names})
    at = addresses(401)
    head = mean_over(
        same_number((x, xx), (x, xx), most=most),
        value={out: at["p"]},
        sink=t["^"],
        causal=causal,
    )
    program = Program(
        embedding=(at, token(["^"]), x, xx, out),
        layers=[head],
        vocabulary=["^", *map(str, names)],
        causal=causal,
        d_head=d_head,
    )
    word = draw.choices(names, k=400)
    found = final(program, [["^", *map(str, word)]], *out)[0, 1:, 0]
    for i, q in enumerate(word):
        js = [
            j + 1
            for j, key in enumerate(word)
            if key == q and (j <= i or not causal)
        ]
        assert abs(found[i] - sum(js) / len(js)) < 1e-4
