"""Lowers `at`: the value at a computed position, where BOS, if there is one, is position 0.

The score of a position p is -A (p - place)^2 but for the square of the place, which is the same
for all: the nearest position has all of the attention. BOS, where p is 0, is one of them.
"""

from __future__ import annotations

import math
from dataclasses import replace

from handcraft.language.affine import Affine
from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.bringing import freed
from handcraft.lowering.heads.scores import SLACK
from handcraft.lowering.pointwise import FORGOTTEN, all_whole
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import FLOAT32, Held, constant, zero_at_bos

STRENGTH = 64.0
_ROUNDED = 4  # roundings of a number that a head brings with a weight of 1


def placed(lower: Ground, node: Node) -> Held:
    """The value of a node at the position that its condition says."""
    value = _numbered(lower, node)
    return _brought(lower, node, value)


def placed_square(lower: Ground, node: Node) -> Held | None:
    """The square of the number that stands for it, brought by the same head."""
    value = _numbered(lower, node)
    square = lower.squared(node.value, value)
    if square is None:
        return None
    codes = {x: z * z for x, z in (value.codes or {}).items()}
    return _brought(lower, node, replace(square, codes=codes))


def _numbered(lower: Ground, node: Node) -> Held:
    """The value at the key, as numbers of which 0 is what BOS brings."""
    value = lower.hold(node.value)
    if value.codes is None:
        raise Refused(
            node.value, "has too many values to be fetched", "a shorter window"
        )
    if node.default is None:
        return value
    z, codes = freed(value.z, dict(value.codes), node.default.data)
    return Held(z, codes, value.radius)


def _brought(lower: Ground, node: Node, value: Held) -> Held:
    place = _place(lower, node)
    behind = STRENGTH * (1 - 2 * place.radius) - _rounding(lower)
    if behind < SLACK:
        raise Refused(
            node.condition,
            f"is a position that is only known to {place.radius:.2g}",
            "a shorter window",
        )
    p, squares = _positions(lower)
    rows = (
        (place.z.scaled(2 * STRENGTH), p),
        (constant(1), squares.scaled(-STRENGTH)),
    )
    lane = lower.stream.attend(
        rows, lower.named(node), [(zero_at_bos(value.z), 1.0)]
    )[0]
    radius = value.radius + _dust(lower, value, behind)
    return Held(lane.expression(), value.codes, radius)


def _dust(lower: Ground, value: Held, behind: float) -> float:
    """How far what a head brings is from the value at its key. Other keys bring less than float32
    can add to a whole number, and the key's own weight is 1.
    """
    codes = (value.codes or {}).values()
    reach = max(map(abs, codes), default=0.0)
    leak = 2 * reach * lower.n * math.exp(-behind)
    if leak < FORGOTTEN and not value.radius and all_whole(codes):
        return 0.0
    return leak + _ROUNDED * FLOAT32 * reach


def _place(lower: Ground, node: Node) -> Held:
    """The position as a number, which is whole."""
    domain = lower.domain(node.condition)
    held = lower.standard(node.condition)
    whole = domain.step is not None and domain.step == int(domain.step)
    if held is None or not domain.numeric or not whole:
        raise Refused(
            node.condition, "is no whole number", "a position of the text"
        )
    return held


def _rounding(lower: Ground) -> float:
    """How far float32 can move a score."""
    return 16 * FLOAT32 * STRENGTH * (lower.n + 1) ** 2


def _positions(lower: Ground) -> tuple[Affine, Affine]:
    """P and p^2 of a key, both 0 at BOS."""
    index = lower.hold(lower.core.index)
    square = lower.squared(lower.core.index, index) or index
    if not lower.anchored:
        return index.z, square.z
    p = index.z.plus(constant(1))
    squares = square.z.plus(index.z.scaled(2.0)).plus(constant(1))
    return zero_at_bos(p), zero_at_bos(squares)
