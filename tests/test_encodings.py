"""Encodings of numbers as lanes of a position or a token slot."""

from __future__ import annotations

import math

import pytest

from handcraft import Program, position, token
from handcraft.language.encodings import (
    binary,
    periodic,
    scalar,
    squares,
    thermometer_lanes,
)
from handcraft.recipes import attend_to


def row(lanes: dict[str, object], key: int) -> list[float]:
    """What a position slot with these lanes holds at a position."""
    slot = position(16, **lanes)  # type: ignore[arg-type]
    assert slot.labels == tuple(lanes)
    assert isinstance(slot.positions, tuple)
    return list(slot.positions[key])


@pytest.mark.parametrize("n", range(16))
def test_each_encoding_holds_the_number(n: int) -> None:
    """A scalar, squares, bits, thresholds and a place on a circle all say which number it is."""
    assert row(scalar(), n) == [n]
    assert row(squares(), n) == [n, n * n]
    assert row(binary(4), n) == [int(bit) for bit in f"{n:04b}"]
    assert row(thermometer_lanes(16), n) == [1.0] * n + [0.0] * (16 - n)
    assert row(periodic(8), n) == pytest.approx(
        [math.cos(math.pi * n / 4), math.sin(math.pi * n / 4)]
    )


def test_tokens_are_read_as_numbers() -> None:
    """A digit token's lanes are those of its number; `of` says how other tokens are read."""
    assert dict(token("0123", **binary(2)).tokens or ()) == {
        "0": (0, 0),
        "1": (0, 1),
        "2": (1, 0),
        "3": (1, 1),
    }
    letters = token("abc", **scalar("abc".index))
    assert dict(letters.tokens or ()) == {"a": (0,), "b": (1,), "c": (2,)}


def test_lanes_of_several_encodings_stand_side_by_side() -> None:
    """The squares serve as an address beside any other encoding, and explain names every lane."""
    at, t = position(8, **squares(), **binary(3)), token("ab")
    program = Program(
        embedding=(at, t),
        layers=[attend_to(at, at["p"] - 1, value=t, adds=50 * t)],
    )
    assert program.build().names.stream[:5] == (
        "position:p",
        "position:pp",
        "position:bit2",
        "position:bit1",
        "position:bit0",
    )
    assert program.build().generate("ab", 1) == "a"
