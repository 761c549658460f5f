"""Squares of numbers, for scores that compare them.

    Squares(lower, read_off).of(node, held)   the square of the number of a value
                            .made(node, held)   the same, as it is made
                            .of_lane(lane, held, a, b)   that of what one lane holds

Rules of this file: of numbers that are too many or too near to each other for neurons there is no
square, and None says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.placing import placed_square
from handcraft.lowering.pointwise import Images, images, mapped
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Inexact
from handcraft.lowering.stream import Held, constant
from handcraft.lowering.values.read_off import ReadOff
from handcraft.sequence.values import Value

_BLURRED = (
    1 / 16
)  # a square is compared with squares, so steps are seldom needed


class Squares:
    """The squares of one program, each made once."""

    def __init__(self, lower: Ground, read_off: ReadOff) -> None:
        self._lower = lower
        self._read_off = read_off
        self._known: dict[int, tuple[Held, Held | None]] = {}  # by identity
        self._of_lanes: dict[Lane, Held | None] = {}

    def of(self, node: Node, held: Held) -> Held | None:
        """The square of the number of a value. None where it has too many numbers."""
        if id(held) not in self._known:
            self._known[id(held)] = held, self._lower.square(node, held)
        return self._known[id(held)][1]

    def made(self, node: Node, held: Held) -> Held | None:
        """The square by the cheapest rule there is for it."""
        if held.codes is None:
            return None
        if (found := self._read_off.square(held)) is not None:
            return found
        codes = {x: z * z for x, z in held.codes.items()}
        if not held.z.terms:
            return Held(constant(held.z.constant**2), codes)
        if node.op == "select" and node.data == "at":
            return placed_square(self._lower, node)
        if len(held.z.terms) == 1:
            return self._of_multiple(held, codes)
        f = images((z, z * z) for z in held.codes.values())
        name = f"{self._lower.named(node)}_squared"
        return self._by_neurons(held, f, codes, name)

    def _of_multiple(
        self, held: Held, codes: Mapping[Value, float]
    ) -> Held | None:
        """(a z + b)^2 is a^2 z^2 + 2 a b z + b^2, so one square serves all multiples."""
        ((lane, a),) = held.z.terms
        b = held.z.constant
        if lane not in self._of_lanes:
            self._of_lanes[lane] = self._lower.lane_square(lane, held, a, b)
        square = self._of_lanes[lane]
        if square is None:
            return None
        mixed = Affine.of({lane: 2 * a * b}, b * b)
        radius = a * a * square.radius + 2 * abs(b) * held.radius
        return Held(square.z.scaled(a * a).plus(mixed), codes, radius)

    def of_lane(
        self, lane: Lane, held: Held, a: float, b: float
    ) -> Held | None:
        """The square of what a lane holds, of which the value is a times it plus b."""
        table = self._lower.stream.tables.get(lane)
        name = f"{lane.slot}_squared"
        if table is not None:
            found = self._lower.stream.table(name, table.squared())
            return Held(found.expression())
        zs = [(z - b) / a for z in (held.codes or {}).values()]
        f = images((z, z * z) for z in zs)
        inner = Held(lane.expression(), None, held.radius / abs(a))
        return self._by_neurons(inner, f, {}, name)

    def _by_neurons(
        self,
        held: Held,
        f: Images | None,
        codes: Mapping[Value, float],
        name: str,
    ) -> Held | None:
        if f is None:
            return None
        stream = self._lower.stream
        try:
            z, radius = mapped(
                stream, held.z, held.radius, f, name, blurred=_BLURRED
            )
        except Inexact:
            return None
        return Held(z, codes, radius)
