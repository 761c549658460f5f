"""Positions of long windows: one number tells 1024 apart, two digits tell apart as many as there
are, each against plain Python, in float32 and for any width of a head.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from fetching import fetched, final, seen

from handcraft import Program, position, scratch, slot, token
from handcraft.core.errors import ProgramError
from handcraft.recipes import (
    addresses,
    attend_to,
    attend_to_digits,
    attend_where,
    quotient,
    two_digits,
)

GOALS = [-3, 0, 1, 2, 511, 512, 1000, 1022, 1023, 1030]


@pytest.mark.parametrize("d_head", [None, 4, 5, 64, 100])
@pytest.mark.parametrize("n_ctx", [198, 725, 1024])
def test_attend_to_over_a_long_window(n_ctx: int, d_head: int | None) -> None:
    """Past 724 positions every target is still found from every position; one that is not visible
    is replaced by the nearest that is. Nothing need be said for that.
    """
    expected = [[min(max(goal, 0), i) for i in range(n_ctx)] for goal in GOALS]
    found = fetched(n_ctx, GOALS, d_head)
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize("off", [-0.01, 0.01])
def test_a_target_that_is_not_quite_whole(off: float) -> None:
    """A target that another head computed is a little off; the nearest position gets all of the
    attention.
    """
    goals = [goal + off for goal in (0, 1, 700, 1022, 1023)]
    expected = [[min(round(goal), i) for i in range(1024)] for goal in goals]
    assert np.abs(fetched(1024, goals, 5) - expected).max() < 1e-3


@pytest.mark.parametrize("back", [1, 2, 723, 1023])
def test_attend_to_an_offset_over_a_long_window(back: int) -> None:
    """What stands a fixed offset back is found, and position 0 where there is nothing."""
    at, t = addresses(1024), token("ab")
    head = attend_to(at, at["p"] - back, value={seen: at["p"]})
    found = final(
        Program(embedding=(at, t, seen), layers=(head,)), ["a" * 1024]
    )
    assert found[0].tolist() == [max(i - back, 0) for i in range(1024)]


@pytest.mark.parametrize("prefer", ["latest", "first"])
def test_a_preference_over_a_long_window(prefer: Any) -> None:
    """Of many matches the latest or the first is found, over 1,500 positions."""
    text = Random(5).choices("ab", [1, 20], k=1500)
    at, t = addresses(1500), token("ab")
    head = attend_where(
        {t["a"]: 1}, value={seen: at["p"]}, at=at, prefer=prefer
    )
    found = final(Program(embedding=(at, t, seen), layers=(head,)), [text])[0]
    choose = {"latest": max, "first": min}[prefer]
    places = [i for i, x in enumerate(text) if x == "a"]
    for i in range(places[0], 1500):
        wanted = choose(place for place in places if place <= i)
        assert found[i] == pytest.approx(wanted, abs=1e-3)


# ---------------------------------------------------------------- two digits


@pytest.mark.parametrize("n_ctx", [1, 2, 16, 17, 100, 4096, 4097])
def test_two_digits_are_those_of_the_position(n_ctx: int) -> None:
    """P is base times the first digit and the second one; beside them stand their squares."""
    at = two_digits(n_ctx, half=lambda i: i / 2)
    assert at.labels == ("p", "high", "low", "hh", "ll", "half")
    assert at.n_ctx == n_ctx
    base = next(b for b in (1, 2, 4, 8, 16, 32, 64, 128) if b * b >= n_ctx)
    assert isinstance(at.positions, tuple)
    for i, row in enumerate(at.positions):
        high, low = divmod(i, base)
        assert row == (i, high, low, high * high, low * low, i / 2)


@pytest.mark.parametrize("d_head", [None, 4, 9])
def test_attend_to_the_position_before_over_3000(d_head: int | None) -> None:
    """A lane of the slot holds the first digit of the position before; the borrow is in it."""
    at = two_digits(3000, before=lambda i: max(i - 1, 0) // 64)
    t = token("ab")
    target = at["p"] - 1
    head = attend_to_digits(
        at, target, high=at["before"], value={seen: at["p"]}
    )
    program = Program(embedding=(at, t, seen), layers=(head,), d_head=d_head)
    found = final(program, ["a" * 3000])[0]
    assert np.abs(found - [0, *range(2999)]).max() < 1e-9


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_attend_to_a_computed_position_over_2000(activation: Any) -> None:
    """Neurons compute the first digit of any number, so any number can be attended to."""
    n_ctx, goals = 2000, [0, 63, 64, 65, 1023, 1024, 1535, 1999]
    at = two_digits(n_ctx)
    goal = slot("goal", token={str(g): g for g in goals})
    high = scratch("high")
    head = attend_to_digits(at, goal, high=high, value={seen: at["p"]})
    program = Program(
        embedding=(at, goal, high, seen),
        layers=(quotient(goal, 64, n_ctx - 1, {high: 1}), head),
        activation=activation,
    )
    for number in goals:
        found = final(program, [[str(number)] * n_ctx])[0]
        assert found[number:] == pytest.approx(number, abs=1e-3)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("sharpness", [None, 26, 1])
def test_one_number_is_refused_past_1024_positions(sharpness: Any) -> None:
    """The message names the recipes for longer windows."""
    with Refused(
        ProgramError,
        "attend_to > at: 1025 positions are too many for one number, whose scores"
        " float32 tells apart up to 1024: use two_digits(1025) and attend_to_digits",
        here=True,
    ):
        attend_to(addresses(1025), 1, value={seen: 1}, sharpness=sharpness)


def test_attend_to_refuses_digits() -> None:
    """A slot of two digits has a recipe of its own."""
    with Refused(
        ProgramError,
        "attend_to > at: position must hold the position and its square: use"
        " addresses(n_ctx), or attend_to_digits",
        here=True,
    ):
        attend_to(two_digits(2000), 1, value={seen: 1})


@pytest.mark.parametrize(
    ("at", "options", "message"),
    [
        (
            addresses(8),
            {},
            (
                "at: position must hold the two digits of the position, and their"
                " squares: use two_digits(n_ctx)"
            ),
        ),
        (
            position(8, p=float, high=float, low=float, hh=float, ll=float),
            {},
            (
                "at: position must hold the two digits of the position, and their"
                " squares: use two_digits(n_ctx)"
            ),
        ),
        (
            two_digits(2000),
            {"sharpness": 12},
            "sharpness: 12 leaks to neighbours over 2000 positions; 26.4 does not",
        ),
        (
            two_digits(2000),
            {"sharpness": 5000},
            "sharpness: 5000 over 2000 positions is past exact float32; 4096 is not",
        ),
    ],
)
def test_attend_to_digits_refuses(at: Any, options: Any, message: str) -> None:
    """A slot without digits, a gap that leaks, or one past float32: each says what would work."""
    with Refused(ProgramError, f"attend_to_digits > {message}", here=True):
        attend_to_digits(at, 1, high=0, value={seen: 1}, **options)
