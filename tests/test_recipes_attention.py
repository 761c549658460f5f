"""Recipes for heads: where they look and what they fetch, against plain Python, in float32 and
over their whole range.

Attention knows no activation; the programs still run with gelu and with relu where a test is cheap.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from fetching import AT, fetched, final, seen
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Program, position, scratch, slot, token
from handcraft.core.errors import ProgramError
from handcraft.language.slots import Slot
from handcraft.recipes import addresses, attend_to, kernel, mean, mean_where

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
        np.abs(
            fetched(n_ctx, goals, d_head, sharpness=sharpness) - expected
        ).max()
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
        Program(
            embedding=(at, now, was), layers=(look,), activation=activation
        ),
        [text],
        *was,
    )[0]
    expected = [
        [float(text[max(0, i - back)] == c) for c in "abc"]
        for i in range(len(text))
    ]
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("n_ctx", "sharpness", "d_head", "every"),
    [
        (1, 24, 4, 1),
        (2, 24, 4, 1),
        (7, 24, 5, 1),
        (64, 24, 4, 3),
        (197, 24, 7, 20),
    ],
)
def test_attend_to_what_follows(
    n_ctx: int, sharpness: float, d_head: int, every: int
) -> None:
    """Where nothing is hidden, every target is found from every position; one that the text does
    not have is replaced by its first or its last position.
    """
    goals = list(range(-3, n_ctx + 3, every))
    at, goal = addresses(n_ctx), slot("goal", token={str(g): g for g in goals})
    look = attend_to(
        at, goal, value={seen: at["p"]}, sharpness=sharpness, causal=False
    )
    program = Program(
        embedding=(at, goal, seen), layers=(look,), d_head=d_head, causal=False
    )
    for n in {1, n_ctx // 2 or 1, n_ctx}:
        found = final(program, [[str(g)] * n for g in goals])
        expected = [[min(max(g, 0), n - 1)] * n for g in goals]
        assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("ahead", [-2, -1, 0, 1, 2, 5])
def test_attend_to_an_offset_of_either_sign(ahead: int) -> None:
    """In a program that is not causal, the next position is at["p"] + 1."""
    now, text = token("abc"), "abcabbacca"
    at, was = addresses(12), scratch("was", "abc")
    look = attend_to(at, at["p"] + ahead, value={was: now}, causal=False)
    found = final(
        Program(embedding=(at, now, was), layers=(look,), causal=False),
        [text],
        *was,
    )[0]
    last = len(text) - 1
    expected = [
        [float(text[min(max(0, i + ahead), last)] == c) for c in "abc"]
        for i in range(len(text))
    ]
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (AT["p"] + 1, {}),
        (7, {"range": (0, 7)}),
        (seen, {"range": (0, AT["p"] + 3)}),
        (seen, {"range": (2, 2 * AT["p"])}),
        (seen, {"range": (0, AT["p"]), "missing": "refuse"}),
        (seen, {"range": (0, AT["p"] - 1), "missing": "refuse"}),
        (0, {"missing": "refuse", "range": (0, 0)}),
    ],
)
def test_ranges_that_hold_where_nothing_is_hidden(
    target: Any, options: Any
) -> None:
    """A later position may be meant; with "refuse", those that every text has."""
    assert attend_to(AT, target, value={seen: AT["p"]}, causal=False, **options)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (
            seen,
            {"range": (0, 8)},
            "range: a target of 8 is past the last position, 7",
        ),
        (8, {}, "target: 8 is past the last position, 7"),
        (
            AT["p"] + 1,
            {"missing": "refuse"},
            (
                "range: a target of position:p + 1 is past the end of shorter texts: pass"
                " missing='nearest', or bound it by position:p"
            ),
        ),
        (
            seen,
            {"range": (0, 3), "missing": "refuse"},
            (
                "range: a target of 3 is past the end of shorter texts: pass"
                " missing='nearest', or bound it by position:p"
            ),
        ),
        (
            AT["p"] - 1,
            {"missing": "refuse"},
            (
                "range: a target of -1 does not exist: pass missing='nearest', or bound it by"
                " position:p"
            ),
        ),
        (
            seen,
            {"causal": 0},
            "causal: must be True or False, found int 0",
        ),
    ],
)
def test_attend_to_refuses_what_no_text_has(
    target: Any, options: Any, message: str
) -> None:
    """Without the causal mask, what is outside the window, or of a shorter text, is refused."""
    options = {"causal": False} | options
    with Refused(ProgramError, f"attend_to > {message}", here=True):
        attend_to(AT, target, value={seen: 1}, **options)


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
    assert (
        attend_to(AT, target, value={seen: AT["p"]}, **options).scores
        == "exact"
    )


NOT_CAUSAL = "; in a program with causal=False, say causal=False here too"
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
            addresses(800),
            1,
            {"sharpness": 12},
            "sharpness: 12 leaks to neighbours over 800 positions; 25.4 does not",
        ),
        (
            addresses(1200),
            1,
            {"sharpness": 26},
            (
                "at: 1200 positions are too many for one number, whose scores float32"
                " tells apart up to 1024: use two_digits(1200) and attend_to_digits"
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
                f" hides it{NOT_CAUSAL}"
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
                f" most position:p, and below 8{NOT_CAUSAL}"
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
def test_attend_to_refuses(
    at: Slot, target: Any, options: Any, message: str
) -> None:
    """A gap that leaks, a window past float32, a slot without p and p^2, a target that causality
    hides: each says what would work.
    """
    with Refused(ProgramError, f"attend_to > {message}", here=True):
        attend_to(at, target, value={seen: 1}, **options)


@given(st.integers(1, 1024))
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
def test_kernel_is_a_weighted_mean(
    weights: dict[int, float], word: list[int]
) -> None:
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


@given(
    st.dictionaries(
        st.integers(-9, 9), st.sampled_from([0.5, 1, 2, 1000]), min_size=1
    ),
    st.lists(st.integers(0, 9), min_size=1, max_size=10),
)
def test_kernel_looks_ahead(weights: dict[int, float], word: list[int]) -> None:
    """Where nothing is hidden, an offset may be negative: so far ahead."""
    p = position(10)
    program = Program(
        embedding=(p, numbers, seen),
        layers=(kernel(p, weights, value={seen: numbers}, causal=False),),
        causal=False,
    )
    found = final(program, [list(map(str, word))])[0]
    for i in range(len(word)):
        visible = {
            i - o: w for o, w in weights.items() if 0 <= i - o < len(word)
        }
        if visible:
            expected = sum(w * word[j] for j, w in visible.items()) / sum(
                visible.values()
            )
            assert found[i] == pytest.approx(expected, abs=2e-5)


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
    with Refused(
        ProgramError,
        "kernel > weights: takes {offset back: positive weight} with offsets -7 to 7",
        here=True,
    ):
        kernel(position(8), {-8: 1}, value={seen: 1}, causal=False)


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
    word = [
        draw.randrange(10) // 2 * 2 + (draw.random() < share)
        for _ in range(n_ctx)
    ]
    head = mean_where(flag, {seen: numbers}, n_ctx=n_ctx)
    found = final(
        Program(embedding=(numbers, flag, seen), n_ctx=n_ctx, layers=(head,)),
        [map(str, word)],
    )[0]
    chosen = [
        [d for d in word[: i + 1] if d % 2] or word[: i + 1]
        for i in range(n_ctx)
    ]
    assert np.abs(found - [sum(c) / len(c) for c in chosen]).max() < 1e-4
