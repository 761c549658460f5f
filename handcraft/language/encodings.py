"""Encodings: lanes that hold a number in different ways, for `position(n, ...)` and
`token(tokens, ...)`.

    scalar()         value                    the number itself
    squares()        p, pp                    the number and its square: the address of
                     `recipes.attend_to`
    binary(3)        bit2, bit1, bit0         its bits
    thermometer(4)   above0 ... above3        1 for every threshold it is above
    periodic(10)     cos10, sin10             its place on a circle of that length

    position(64, **squares(), **binary(6))    token("01234567", **binary(3))

Each returns {lane: function}; `of` turns the key (a position, or the text of a token) into the
number, `int` by default. Rules of this file: the lane's name says what it holds, so that
`explain` can be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Lanes = dict[str, Callable[[Any], float]]
Number = Callable[[Any], float]


def scalar(of: Number = int) -> Lanes:
    """The number itself."""
    return {"value": of}


def squares(of: Number = int) -> Lanes:
    """The number and its square."""
    return {"p": of, "pp": lambda key: of(key) ** 2}


def binary(bits: int, of: Number = int) -> Lanes:
    """Its bits, the highest first, as 0 and 1."""

    def bit(i: int) -> Callable[[Any], float]:
        return lambda key: int(of(key)) >> i & 1

    return {f"bit{i}": bit(i) for i in range(bits - 1, -1, -1)}


def thermometer_lanes(most: int, of: Number = int) -> Lanes:
    """For each threshold from 0 to most - 1 whether it is above."""

    def above(threshold: int) -> Callable[[Any], float]:
        return lambda key: int(of(key) > threshold)

    return {f"above{k}": above(k) for k in range(most)}


def periodic(period: float, of: Number = int) -> Lanes:
    """Its place on a circle of that length."""
    turn = 2 * math.pi / period
    return {
        f"cos{period:g}".replace(".", "_"): lambda key: math.cos(turn * of(key)),
        f"sin{period:g}".replace(".", "_"): lambda key: math.sin(turn * of(key)),
    }
