"""Encodings of a number as lanes, for `position(n, ...)` and `token(tokens, ...)`.

    scalar()              value                  the number itself
    squares()             p, pp                  the number and its square, for `recipes.attend_to`
    binary(3)             bit2, bit1, bit0       its bits
    thermometer_lanes(4)  above0 ... above3      1 for every threshold that it exceeds
    periodic(10)          cos10, sin10           its point on a circle with this period

    position(64, **squares(), **binary(6))    token("01234567", **binary(3))

Each returns {lane name: function}. `of` turns the key (a position, or the text of a token) into
the number, `int` by default. Rules of this file: a lane's name says what it holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Lanes = dict[str, Callable[[Any], float]]
Number = Callable[[Any], float]


def scalar(of: Number = int) -> Lanes:
    """One lane: the number itself."""
    return {"value": of}


def squares(of: Number = int) -> Lanes:
    """Two lanes: the number and its square."""
    return {"p": of, "pp": lambda key: of(key) ** 2}


def binary(bits: int, of: Number = int) -> Lanes:
    """One lane a bit, the highest first: 0 or 1."""

    def bit(i: int) -> Callable[[Any], float]:
        return lambda key: int(of(key)) >> i & 1

    return {f"bit{i}": bit(i) for i in range(bits - 1, -1, -1)}


def thermometer_lanes(most: int, of: Number = int) -> Lanes:
    """One lane for each threshold from 0 to most - 1: 1 where the number is above it, else 0."""

    def above(threshold: int) -> Callable[[Any], float]:
        return lambda key: int(of(key) > threshold)

    return {f"above{k}": above(k) for k in range(most)}


def periodic(period: float, of: Number = int) -> Lanes:
    """Two lanes: cosine and sine of the number on a circle with this period."""
    turn = 2 * math.pi / period
    return {
        f"cos{period:g}".replace(".", "_"): lambda key: math.cos(
            turn * of(key)
        ),
        f"sin{period:g}".replace(".", "_"): lambda key: math.sin(
            turn * of(key)
        ),
    }
