"""Recipes for heads that find by content, count, or do the work of several."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from fetching import AT, final, seen
from hypothesis import given
from hypothesis import strategies as st

from handcraft import (
    Block,
    Head,
    Program,
    local,
    position,
    scratch,
    slot,
    token,
)
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.core.sharp import gap
from handcraft.language.slots import Slot
from handcraft.recipes import (
    addresses,
    attend_to,
    attend_where,
    count_where,
    mean,
    merge,
    running_sum,
)

# ---------------------------------------------------------------- by content


PAIRS = [
    "".join(x) for x in product("ab", "uv", "ab", "uv")
]  # own letter, own mark, letter and mark asked about
now = token(["^", *PAIRS])


def part(name: str, i: int, labels: str) -> Slot:
    """A one-hot slot of the i-th character of a token; ^ has none."""
    return slot(
        name,
        labels=labels,
        token={
            x: [float(x != "^" and x[i] == c) for c in labels]
            for x in ["^", *PAIRS]
        },
    )


letter, mark, asks, marks = (
    part("letter", 0, "ab"),
    part("mark", 1, "uv"),
    part("asks", 2, "ab"),
    part("marks", 3, "uv"),
)
PARTS = (now, letter, mark, asks, marks, seen)
MATCHES: dict[int, Any] = {1: {letter: asks}, 2: {letter: asks, mark: marks}}
words = st.lists(st.sampled_from(PAIRS), max_size=30).map(
    lambda word: ["^", *word]
)


def matches(word: list[str], i: int, conditions: int) -> list[int]:
    """The visible positions that agree with what position i asks about."""
    wanted = word[i][2 : 2 + conditions]
    return [
        j
        for j in range(i + 1)
        if word[i] != "^" and word[j] != "^" and word[j][:conditions] == wanted
    ]


def look_up(
    word: list[str],
    conditions: int,
    prefer: Any,
    *,
    default: bool = True,
    n_ctx: int = 32,
    **options: Any,
) -> Array:
    """The position that attend_where finds, or the mean of them, at every position."""
    at = addresses(n_ctx)
    head = attend_where(
        MATCHES[conditions],
        value={seen: at["p"]},
        at=at,
        prefer=prefer,
        conditions=conditions,
        default=now["^"] if default else None,
        **options,
    )
    return final(Program(embedding=(at, *PARTS), layers=(head,)), [word])[0]


CHOICES: dict[Any, Any] = {
    "latest": max,
    "first": min,
    None: lambda found: sum(found) / len(found),
}


@pytest.mark.parametrize("prefer", CHOICES)
@pytest.mark.parametrize("conditions", [1, 2])
@given(words)
def test_attend_where_finds_the_match(
    conditions: int, prefer: Any, word: list[str]
) -> None:
    """The latest or the first match, or the mean over all; the default where nothing matches,
    even if half agrees.
    """
    found = look_up(word, conditions, prefer)
    expected = [
        CHOICES[prefer](matches(word, i, conditions) or [0])
        for i in range(len(word))
    ]
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("prefer", CHOICES)
@pytest.mark.parametrize("conditions", [1, 2])
def test_attend_where_over_a_long_window(conditions: int, prefer: Any) -> None:
    """Preference over 512 positions never outweighs an agreement, nor does the default."""
    word = [
        "^",
        *Random(3).choices(
            [*PAIRS[:3], *(x for x in PAIRS if x[0] == "a")], k=511
        ),
    ]  # few b
    found = look_up(word, conditions, prefer, n_ctx=512, nearer=26)
    expected = [
        CHOICES[prefer](matches(word, i, conditions) or [0])
        for i in range(len(word))
    ]
    assert np.abs(found - expected).max() < 1e-3


@given(words)
def test_attend_where_without_a_default(word: list[str]) -> None:
    """Without a default the matches are found alike."""
    found = look_up(word, 2, "latest", default=False)
    expected = {
        i: max(matches(word, i, 2))
        for i in range(len(word))
        if matches(word, i, 2)
    }
    assert {i: round(float(found[i]), 3) for i in expected} == expected


def test_attend_where_with_a_key() -> None:
    """What a position offers may be another expression than the lanes it is asked about by."""
    at, t = addresses(8), token("xy?")
    head = attend_where(
        {local("is_x"): t["?"]},
        key={local("is_x"): t["x"]},
        value={seen: at["p"]},
        at=at,
        prefer="first",
    )
    assert final(Program(embedding=(at, t, seen), layers=(head,)), ["yxxy?y?"])[
        0, [4, 6]
    ] == pytest.approx([1, 1])


def test_attend_where_refuses() -> None:
    """A preference needs positions, and a gap that does not leak over them."""
    with Refused(
        ProgramError,
        "attend_where > at: a preference needs a slot with the position:"
        " at=addresses(n_ctx)",
        here=True,
    ):
        attend_where({letter: asks}, value={seen: 1}, prefer="latest")
    with Refused(
        ProgramError,
        "attend_where > at: a preference needs a slot with the position:"
        " at=addresses(n_ctx)",
        here=True,
    ):
        attend_where(
            {letter: asks}, value={seen: 1}, prefer="latest", at=position(4)
        )
    with Refused(
        ProgramError,
        "attend_where > nearer: 12 leaks to other matches over 64 positions; 22.9"
        " does not",
        here=True,
    ):
        attend_where(
            {letter: asks},
            value={seen: 1},
            prefer="first",
            at=addresses(64),
            nearer=12,
        )
    assert 22.8 < gap(64) < 22.9


# ---------------------------------------------------------------- counting


@pytest.mark.parametrize("d_head", [None, 16, 64, 100])
@pytest.mark.parametrize("share", [0.01, 0.5, 1])
def test_running_sum_counts(d_head: int | None, share: float) -> None:
    """Counts up to 1023 are within a relative 2e-6 of the sum of sizes (and 2^-30 a position),
    as the docstring says.
    """
    draw = Random(4)
    word = [
        draw.choice([-1, 1, 1]) if draw.random() < share else 0
        for _ in range(1023)
    ]
    t = token(["^", "-1", "0", "1"])
    up, both = scratch("up"), scratch("both")
    head = running_sum(t["^"], {up: t["1"], both: t["1"] - t["-1"]})
    program = Program(
        embedding=(t, up, both), n_ctx=1024, layers=(head,), d_head=d_head
    )
    found = final(program, [["^", *map(str, word)]], *up, *both)[0]
    expected = np.cumsum([[0, 0], *([x == 1, x] for x in word)], axis=0)
    assert np.abs(found - expected).max() < 1e-2
    sizes = np.cumsum([[0, 0], *([x == 1, abs(x)] for x in word)], axis=0)
    assert (
        np.abs(found - expected) <= sizes * (2e-6 + 1024 / 2**30) + 1e-6
    ).all()


@pytest.mark.parametrize("conditions", [1, 2])
@pytest.mark.parametrize("n_ctx", [12, 1024])
def test_count_where_counts_the_matches(conditions: int, n_ctx: int) -> None:
    """The number of earlier positions that agree in every condition, not in some."""
    word = ["^", *Random(n_ctx).choices(PAIRS, k=n_ctx - 1)]
    head = count_where(
        now["^"],
        MATCHES[conditions],
        {seen: 1 - now["^"]},
        conditions=conditions,
    )
    program = Program(embedding=PARTS, n_ctx=n_ctx, layers=(head,))
    expected = [len(matches(word, i, conditions)) for i in range(n_ctx)]
    assert np.abs(final(program, [word])[0] - expected).max() < 1e-2


def test_count_where_with_a_key() -> None:
    """What is counted may be offered under another name."""
    t = token("^xy?")
    head = count_where(
        t["^"],
        {local("is_x"): 1},
        {seen: t["x"] + t["y"]},
        key={local("is_x"): t["x"]},
    )
    program = Program(embedding=(t, seen), n_ctx=6, layers=(head,))
    assert final(program, ["^xyxx?"])[0] == pytest.approx(
        [0, 1, 1, 2, 3, 3], abs=1e-4
    )


# ---------------------------------------------------------------- heads in one


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
def test_merged_heads_do_the_same(word: list[str]) -> None:
    """One merged head writes what the separate heads wrote, in fewer heads."""
    t, at, lanes = (
        token("abc"),
        addresses(12),
        (scratch("one"), scratch("two"), scratch("three")),
    )
    parts = [
        attend_to(at, at["p"] - 1, value={to: i * t["a"] - t["c"] + i})
        for i, to in enumerate(lanes, 1)
    ]
    several = Program(embedding=(at, t, *lanes), layers=(Block(parts),))
    one = Program(embedding=(at, t, *lanes), layers=(merge(*parts),))
    targets = [lane for to in lanes for lane in to.lanes]
    assert (
        np.abs(
            final(one, [word], *targets) - final(several, [word], *targets)
        ).max()
        < 1e-6
    )
    assert (several.build().n_head, one.build().n_head) == (3, 1)


def test_merge_of_one_head_is_that_head() -> None:
    """There is nothing to merge."""
    head = mean({seen: now["^"]}, name="all")
    assert merge(head) == head


def test_merge_refuses() -> None:
    """Heads that look elsewhere, or that give one value lane two meanings, cannot be one."""
    one, two, three = (scratch(name) for name in ("one", "two", "three"))
    back = attend_to(AT, AT["p"] - 1, value={one: AT["p"]})
    for other in (
        attend_to(AT, AT["p"] - 2, value={two: 1}),
        mean({two: 1}),
        Head(query=back.query, key=back.key, value={two: 1}),
    ):
        with Refused(
            ProgramError,
            "merge > heads: have different queries, keys or scores, so they cannot"
            " be one",
            here=True,
        ):
            merge(back, other)
    shared = (
        attend_to(AT, AT["p"] - 1, value={two: 1}),
        attend_to(AT, AT["p"] - 1, value={two: 2}, adds={three: two}),
    )
    for heads in (shared, (back, *shared)):
        with Refused(
            ProgramError,
            "merge > heads: both use the value lane two; give one of them a local(...)"
            " lane",
            here=True,
        ):
            merge(*heads)
