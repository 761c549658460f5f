"""Flags of values: 1 where a value is one of some, else 0.

    Flags(lower, read_off).indicator(bases, rows, members)   that of several values together
                          .one_hot(base)                     a flag for each value of one

Rules of this file: a value that the embedding knows has its flags there; the flag of one value is
what the others leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from handcraft.language.affine import Affine
from handcraft.lowering.ground import Ground
from handcraft.lowering.pointwise import mapped, sure_images
from handcraft.lowering.reading.bases import function_of
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import ONE, Held, constant
from handcraft.lowering.values.directions import of_several
from handcraft.lowering.values.functions import codes_at
from handcraft.lowering.values.inputs import leaf_of
from handcraft.lowering.values.read_off import ReadOff
from handcraft.sequence.values import Value


class Flags:
    """The flags of one program, each made once."""

    def __init__(self, lower: Ground, read_off: ReadOff) -> None:
        self._lower = lower
        self._read_off = read_off
        self._one_hots: dict[int, tuple[Node, Mapping[Value, Held]]] = {}
        self._known: dict[Any, Held] = {}

    def indicator(
        self,
        bases: Sequence[Node],
        rows: Sequence[tuple[Value, ...]],
        members: frozenset[int],
    ) -> Held:
        """1 where the values of these nodes are one of some rows, else 0."""
        wanted = {rows[i] for i in members}
        key = (tuple(map(id, bases)), frozenset(wanted))
        if key not in self._known:
            self._known[key] = self._indicated(bases, rows, wanted)
        return self._known[key]

    def _indicated(
        self,
        bases: Sequence[Node],
        rows: Sequence[tuple[Value, ...]],
        wanted: set[tuple[Value, ...]],
    ) -> Held:
        if len(wanted) == len(rows):
            return Held(constant(1), {1: 1.0})
        if len(bases) == 1:
            return self._one_of(bases[0], {x for (x,) in wanted})
        held = [self._lower.hold(base) for base in bases]
        points = {
            at: float(row in wanted)
            for row in rows
            if (at := codes_at(held, row)) is not None
        }
        z, radius = of_several(self._lower.stream, held, points, "is_one_of")
        return _flag(z, radius)

    def _one_of(self, base: Node, wanted: set[Value]) -> Held:
        """1 where a value is one of some, as a sum of lanes."""
        if id(base) not in self._one_hots:
            self._one_hots[id(base)] = base, self._lower.one_hot(base)
        z, radius = Affine.of({}), 0.0
        for x, held in self._one_hots[id(base)][1].items():
            if x in wanted:
                z, radius = z.plus(held.z), radius + held.radius
        return _flag(z, radius)

    # ------------------------------------------------------------ a flag for each value

    def one_hot(self, base: Node) -> Mapping[Value, Held]:
        """A flag for each value; the one that has none is what the others leave."""
        if (leaf := leaf_of(base)) is not None:
            lanes = self._lower.flag_lanes(base, leaf).items()
            flags = {x: _flag(lane.expression()) for x, lane in lanes}
            return _with_last(self._lower.listed(base), flags)
        if (count := self._read_off.count_in(base)) is not None:
            return self._off_a_number(base, count)
        return self._by_neurons(base)

    def _by_neurons(self, base: Node) -> Mapping[Value, Held]:
        lower = self._lower
        held = lower.exact(base, lower.hold(base))
        points = {
            x: at[0]
            for x in lower.listed(base)
            if (at := codes_at([held], [x])) is not None
        }
        flags: dict[Value, Held] = {}
        for x in [*points][1:]:
            f = sure_images((z, float(x == y)) for y, z in points.items())
            name = lower.naming.of_flag(base, x)
            flags[x] = _flag(
                *mapped(lower.stream, held.z, held.radius, f, name, flag=True)
            )
        return _with_last([*points], flags)

    def _off_a_number(self, base: Node, count: Node) -> Mapping[Value, Held]:
        """The same for what is read off a number."""
        ask = function_of(base, [count])
        codes: dict[Value, float] = {0: 0.0, 1: 1.0}
        values = self._lower.listed(base)
        flags = {
            x: self._read_off.column(
                self._lower.naming.of_flag(base, x),
                count,
                partial(_is, ask, x),
                codes,
            )
            for x in values[1:]
        }
        return _with_last(values, flags)


def _flag(z: Affine, radius: float = 0.0) -> Held:
    return Held(z, {0: 0.0, 1: 1.0}, radius)


def _with_last(
    values: Sequence[Value], flags: Mapping[Value, Held]
) -> Mapping[Value, Held]:
    """The flags and that of the one value that has none: 1 less all of them."""
    z, radius = ONE, 0.0
    for held in flags.values():
        z, radius = z.plus(held.z.scaled(-1.0)), radius + held.radius
    (last,) = (x for x in values if x not in flags)
    return {**flags, last: _flag(z, radius)}


def _is(ask: Callable[[Sequence[Value]], Value], x: Value, count: int) -> float:
    """1 where a function of a number has this value, else 0."""
    return float(ask([count]) == x)
