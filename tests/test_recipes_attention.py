"""Recipes for heads: where they look and what they fetch, against plain Python, in float32 and
over their whole range.

Attention knows no activation; the programs still run with gelu and with relu where a test is cheap.
"""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Block, Head, Program, local, position, scratch, slot, token
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array, trace
from handcraft.language.affine import Lane
from handcraft.language.slots import Slot
from handcraft.recipes import (
    addresses,
    attend_to,
    attend_where,
    count_where,
    kernel,
    mean,
    mean_where,
    merge,
    running_sum,
)
from handcraft.recipes.attention import gap

seen = scratch("seen")
AT = addresses(8)


def final(program: Program, contexts: Any, *lanes: Lane) -> Array:
    """What the lanes hold in the end after contexts [n_batch][n_seq] of tokens: [n_batch,
    n_seq], or one more axis.
    """
    model, ids = program.build(), {name: i for i, name in enumerate(program.vocabulary)}
    stream = trace(
        np.array([[ids[t] for t in tokens] for tokens in contexts]),
        model.weights,
        **model.config,
    )["resid_final"]
    found = stream[..., [program.layout.column[lane] for lane in lanes or seen.lanes]]
    return found if lanes else found[..., 0]


def fetched(
    n_ctx: int, goals: list[float], d_head: int | None = None, **options: Any
) -> Array:
    """Where a head that attends to a computed target looks, for every goal and every position:
    [n_goals, n_ctx].
    """
    at, goal = addresses(n_ctx), slot("goal", token={str(g): g for g in goals})
    look = attend_to(at, goal, value={seen: at["p"]}, **options)
    return final(
        Program(embedding=(at, goal, seen), layers=(look,), d_head=d_head),
        [[str(g)] * n_ctx for g in goals],
    )


# ---------------------------------------------------------------- a computed position


@pytest.mark.parametrize(
    ("n_ctx", "sharpness", "d_head", "every"),
    [
        (1, 24, 4, 1),
        (2, 24, 4, 1),
        (7, 24, 4, 1),
        (64, 24, 4, 1),
        (64, 24, 5, 1),
        (256, 25, 4, 1),
        (197, 24, 5, 10),
        (256, 25, 7, 10),
    ],
)
def test_attend_to_every_target_from_every_position(
    n_ctx: int, sharpness: float, d_head: int, every: int
) -> None:
    """Every target is found from every position; one that is not visible is replaced by the
    nearest that is.
    """
    goals = list(range(-3, n_ctx + 3, every))
    expected = [[min(max(goal, 0), i) for i in range(n_ctx)] for goal in goals]
    assert (
        np.abs(fetched(n_ctx, goals, d_head, sharpness=sharpness) - expected).max()
        < 1e-4
    )


def test_attend_to_over_the_longest_window() -> None:
    """At the limit of exact float32, 26 * 803^2 < 2^24, the right position is still found."""
    goals = [0, 1, 400, 401, 801, 802]
    expected = [[min(goal, i) for i in range(803)] for goal in goals]
    assert np.abs(fetched(803, goals, sharpness=26) - expected).max() < 1e-3


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("back", [0, 1, 2, 5])
def test_attend_to_an_offset(activation: Any, back: int) -> None:
    """A fixed offset back fetches what stands there, position 0 where there is nothing."""
    now, text = token("abc"), "abcabbacca"
    at, was = addresses(len(text)), scratch("was", "abc")
    look = attend_to(at, at["p"] - back, value={was: now})
    found = final(
        Program(embedding=(at, now, was), layers=(look,), activation=activation),
        [text],
        *was,
    )[0]
    expected = [
        [float(text[max(0, i - back)] == c) for c in "abc"] for i in range(len(text))
    ]
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (AT["p"] - 1, {"range": (-1, AT["p"] - 1)}),
        (3, {"range": (3, 3)}),
        (3 - AT["pp"], {"range": (-46, 3)}),
        (seen, {"range": (0, AT["p"]), "missing": "refuse"}),
        (AT["p"], {"missing": "refuse"}),
        (0, {"range": (0, 0), "missing": "refuse"}),
    ],
)
def test_ranges_that_hold(target: Any, options: Any) -> None:
    """A range that can be visible is accepted; with "refuse" it must be visible from
    everywhere: 0 and oneself are.
    """
    assert attend_to(AT, target, value={seen: AT["p"]}, **options).scores == "exact"


REFUSE = "causality hides it: pass missing='nearest', or bound it by position:p"


@pytest.mark.parametrize(
    ("at", "target", "options", "message"),
    [
        (
            AT,
            1,
            {"sharpness": 12},
            "sharpness: 12 leaks to neighbours over 8 positions; 20.8 does not",
        ),
        (
            addresses(900),
            1,
            {"sharpness": 26},
            (
                "sharpness: 26 over 900 positions is past exact float32; 803 positions"
                " are not"
            ),
        ),
        (
            position(8),
            1,
            {},
            "at: position must hold the position and its square: use addresses(n_ctx)",
        ),
        (
            token("ab"),
            1,
            {},
            "at: token must hold the position and its square: use addresses(n_ctx)",
        ),
        (
            position(8, p=float),
            1,
            {},
            "at: position must hold the position and its square: use addresses(n_ctx)",
        ),
        (
            position(8, p=float, pp=float),
            1,
            {},
            (
                "at: position: p must be the position and pp its square: use"
                " addresses(n_ctx)"
            ),
        ),
        (
            AT,
            1,
            {"missing": "last"},
            "missing: must be 'nearest' or 'refuse', found 'last'",
        ),
        (
            AT,
            AT["p"] + 1,
            {},
            (
                "target: position:p + 1 lies in the future of every position; causality"
                " hides it"
            ),
        ),
        (
            AT,
            1,
            {"missing": "refuse"},
            (
                "range: missing='refuse' needs range=(least, greatest) for a computed"
                " target"
            ),
        ),
        (
            AT,
            seen,
            {"range": (0, 8)},
            (
                "range: a target of 8 is never visible; the greatest is at most"
                " position:p, and below 8"
            ),
        ),
        (
            AT,
            seen,
            {"range": (0, AT["p"] + 1)},
            (
                "range: a target of position:p + 1 is never visible; the greatest is at"
                " most position:p, and below 8"
            ),
        ),
        (
            AT,
            seen,
            {"range": (5, 3)},
            "range: the least target 5 is above the greatest, 3",
        ),
        (
            AT,
            seen,
            {"range": (-1, AT["p"]), "missing": "refuse"},
            f"range: a target of -1 does not exist; {REFUSE}",
        ),
        (
            AT,
            AT["p"] - 1,
            {"missing": "refuse"},
            f"range: a target of -1 does not exist; {REFUSE}",
        ),
        (
            AT,
            seen,
            {"range": (0, 3), "missing": "refuse"},
            f"range: a target of 3 is in the future of earlier positions; {REFUSE}",
        ),
    ],
)
def test_attend_to_refuses(at: Slot, target: Any, options: Any, message: str) -> None:
    """A gap that leaks, a scale past float32, a slot without p and p^2, a target that causality
    hides: each says what would work.
    """
    with Refused(ProgramError, f"attend_to > {message}", here=True):
        attend_to(at, target, value={seen: 1}, **options)


@given(st.integers(1, 800))
def test_the_sharpness_that_a_refusal_names_is_accepted(n_ctx: int) -> None:
    """Whoever follows the message is not refused again."""
    with pytest.raises(ProgramError) as refusal:
        attend_to(addresses(n_ctx), 0, value={seen: 1}, sharpness=1)
    advised = float(refusal.value.message.split("; ")[1].split()[0])
    assert attend_to(addresses(n_ctx), 0, value={seen: 1}, sharpness=advised)


# ---------------------------------------------------------------- kernels and means

numbers = slot("number", token={str(d): d for d in range(10)})
digits = st.lists(st.integers(0, 9), min_size=1, max_size=24)
KERNELS = st.dictionaries(
    st.integers(0, 23),
    st.sampled_from([1e-6, 0.001, 0.5, 1, 2, 10, 1000, 1e6]),
    min_size=1,
    max_size=5,
)


@given(KERNELS, digits)
def test_kernel_is_a_weighted_mean(weights: dict[int, float], word: list[int]) -> None:
    """Each position holds the mean of the visible offsets by their weights, whatever the scale
    of those.
    """
    p = position(24)
    program = Program(
        embedding=(p, numbers, seen),
        layers=(kernel(p, weights, value={seen: numbers}),),
    )
    found = final(program, [list(map(str, word))])[0]
    for i in range(len(word)):
        visible = {i - o: w for o, w in weights.items() if o <= i}
        if visible:
            expected = sum(w * word[j] for j, w in visible.items()) / sum(
                visible.values()
            )
            assert found[i] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1, 1e6])
def test_kernel_weights_have_no_scale(scale: float) -> None:
    """Only the ratios of the weights matter: a single tiny one still takes everything."""
    p, word = position(16), "9000000000000001"
    program = Program(
        embedding=(p, numbers, seen),
        layers=(kernel(p, {0: 2 * scale, 1: scale}, value={seen: numbers}),),
    )
    expected = [9, 3, *[0] * 13, 2 / 3]
    assert np.abs(final(program, [word])[0] - expected).max() < 1e-5


def test_kernel_refuses() -> None:
    """It needs a one-hot position, and positive weights of offsets inside the window."""
    with Refused(
        ProgramError,
        "kernel > at: position must be a one-hot position slot: position(n_ctx)",
        here=True,
    ):
        kernel(AT, {0: 1}, value={seen: 1})
    wrong: Any
    for wrong in ({}, {8: 1}, {-1: 1}, {0: 0}, {0: -1}, {0: float("nan")}):
        with Refused(
            ProgramError,
            "kernel > weights: takes {offset back: positive weight} with offsets 0"
            " to 7",
            here=True,
        ):
            kernel(position(8), wrong, value={seen: 1})


@pytest.mark.parametrize("n_ctx", [1, 5, 1024])
def test_mean_is_over_everything_so_far(n_ctx: int) -> None:
    """Uniform attention is the lower-triangular mean."""
    word = Random(1).choices(range(10), k=n_ctx)
    program = Program(
        embedding=(numbers, seen), n_ctx=n_ctx, layers=(mean({seen: numbers}),)
    )
    expected = np.cumsum(word) / np.arange(1, n_ctx + 1)
    assert np.abs(final(program, [map(str, word)])[0] - expected).max() < 1e-4


@pytest.mark.parametrize("n_ctx", [6, 1024])
@pytest.mark.parametrize("share", [0.003, 0.5, 1])
def test_mean_where_is_over_the_flagged(n_ctx: int, share: float) -> None:
    """Only positions with the flag count, however few they are; all of them where none has it."""
    flag = slot("flag", token={str(d): d % 2 for d in range(10)})
    draw = Random(2)
    word = [draw.randrange(10) // 2 * 2 + (draw.random() < share) for _ in range(n_ctx)]
    head = mean_where(flag, {seen: numbers}, n_ctx=n_ctx)
    found = final(
        Program(embedding=(numbers, flag, seen), n_ctx=n_ctx, layers=(head,)),
        [map(str, word)],
    )[0]
    chosen = [
        [d for d in word[: i + 1] if d % 2] or word[: i + 1] for i in range(n_ctx)
    ]
    assert np.abs(found - [sum(c) / len(c) for c in chosen]).max() < 1e-4


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
            x: [float(x != "^" and x[i] == c) for c in labels] for x in ["^", *PAIRS]
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
words = st.lists(st.sampled_from(PAIRS), max_size=30).map(lambda word: ["^", *word])


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
        CHOICES[prefer](matches(word, i, conditions) or [0]) for i in range(len(word))
    ]
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("prefer", CHOICES)
@pytest.mark.parametrize("conditions", [1, 2])
def test_attend_where_over_a_long_window(conditions: int, prefer: Any) -> None:
    """Preference over 512 positions never outweighs an agreement, nor does the default."""
    word = [
        "^",
        *Random(3).choices([*PAIRS[:3], *(x for x in PAIRS if x[0] == "a")], k=511),
    ]  # few b
    found = look_up(word, conditions, prefer, n_ctx=512, nearer=26)
    expected = [
        CHOICES[prefer](matches(word, i, conditions) or [0]) for i in range(len(word))
    ]
    assert np.abs(found - expected).max() < 1e-3


@given(words)
def test_attend_where_without_a_default(word: list[str]) -> None:
    """Without a default the matches are found alike."""
    found = look_up(word, 2, "latest", default=False)
    expected = {
        i: max(matches(word, i, 2)) for i in range(len(word)) if matches(word, i, 2)
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
        attend_where({letter: asks}, value={seen: 1}, prefer="latest", at=position(4))
    with Refused(
        ProgramError,
        "attend_where > nearer: 12 leaks to other matches over 64 positions; 22.9"
        " does not",
        here=True,
    ):
        attend_where(
            {letter: asks}, value={seen: 1}, prefer="first", at=addresses(64), nearer=12
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
        draw.choice([-1, 1, 1]) if draw.random() < share else 0 for _ in range(1023)
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
    assert (np.abs(found - expected) <= sizes * (2e-6 + 1024 / 2**30) + 1e-6).all()


@pytest.mark.parametrize("conditions", [1, 2])
@pytest.mark.parametrize("n_ctx", [12, 1024])
def test_count_where_counts_the_matches(conditions: int, n_ctx: int) -> None:
    """The number of earlier positions that agree in every condition, not in some."""
    word = ["^", *Random(n_ctx).choices(PAIRS, k=n_ctx - 1)]
    head = count_where(
        now["^"], MATCHES[conditions], {seen: 1 - now["^"]}, conditions=conditions
    )
    program = Program(embedding=PARTS, n_ctx=n_ctx, layers=(head,))
    expected = [len(matches(word, i, conditions)) for i in range(n_ctx)]
    assert np.abs(final(program, [word])[0] - expected).max() < 1e-2


def test_count_where_with_a_key() -> None:
    """What is counted may be offered under another name."""
    t = token("^xy?")
    head = count_where(
        t["^"], {local("is_x"): 1}, {seen: t["x"] + t["y"]}, key={local("is_x"): t["x"]}
    )
    program = Program(embedding=(t, seen), n_ctx=6, layers=(head,))
    assert final(program, ["^xyxx?"])[0] == pytest.approx([0, 1, 1, 2, 3, 3], abs=1e-4)


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
        np.abs(final(one, [word], *targets) - final(several, [word], *targets)).max()
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
        attend_to(AT, AT["p"] - 1, value={two: 2}, output={three: two}),
    )
    for heads in (shared, (back, *shared)):
        with Refused(
            ProgramError,
            "merge > heads: both use the value lane two; give one of them a local(...)"
            " lane",
            here=True,
        ):
            merge(*heads)
