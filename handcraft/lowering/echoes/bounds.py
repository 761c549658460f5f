"""Bounds what lanes hold at any position, also where what they mean is not known yet.

    Bounds(stream, places).of(x)   the least and the greatest number that an expression can be

A head brings what is between the numbers of its keys, and neurons that read one sum are looked at
where they bend. Rules of this file: nothing is assumed of which numbers stand side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.stream import BOS, Hinge, LaneTable, Stream
from handcraft.recipes.sums import ANCHOR

_Range = tuple[float, float]
_ZERO: _Range = (0.0, 0.0)


class Bounds:
    """The bounds of the lanes of a stream, for texts of so many positions."""

    def __init__(self, stream: Stream, places: int) -> None:
        self.stream = stream
        self.places = places
        self._known: dict[Lane, _Range] = {}

    def of(self, x: Affine) -> _Range:
        """The least and the greatest number of an expression."""
        found = (x.constant, x.constant)
        for lane, factor in x.terms:
            found = _sum(found, _times(self.lane(lane), factor))
        return found

    def lane(self, lane: Lane) -> _Range:
        """The least and the greatest number of a lane."""
        if lane not in self._known:
            self._known[lane] = self._found(lane)
        return self._known[lane]

    def _found(self, lane: Lane) -> _Range:
        if lane == BOS:
            return 0.0, 1.0
        found = _of_table(self.stream.tables.get(lane, LaneTable()))
        for head in self.stream.heads:
            if lane in head.adds:
                what, gain = head.adds[lane]
                by = gain * self.places / ANCHOR if head.counts else gain
                low, high = self.of(what)
                found = _sum(found, _times((min(low, 0), max(high, 0)), by))
        hinges = [x for x in self.stream.hinges if lane in x.adds]
        return _sum(found, self._of_neurons(hinges, lane))

    def _of_neurons(self, hinges: Sequence[Hinge], lane: Lane) -> _Range:
        """Of neurons that read multiples of one sum, the numbers at their bends; of others, the
        sums of their own bounds.
        """
        if not hinges:
            return _ZERO
        whens = [_read(hinge.when) for hinge in hinges]
        amounts = [hinge.adds[lane] for hinge in hinges]
        along = _factors(whens)
        if along is None:
            found = _ZERO
            for when, amount in zip(whens, amounts, strict=True):
                low, high = self.of(when)
                found = _sum(found, _times((max(low, 0), max(high, 0)), amount))
            return found
        low, high = self.of(Affine.of(dict(whens[0].terms)))
        bends = [
            -w.constant / by
            for w, by in zip(whens, along, strict=True)
            if low < -w.constant / by < high
        ]
        values = [
            sum(
                amount * max(by * x + w.constant, 0.0)
                for w, by, amount in zip(whens, along, amounts, strict=True)
            )
            for x in (low, high, *bends)
        ]
        return min(values), max(values)


def _of_table(table: LaneTable) -> _Range:
    numbers = [0.0, *table.tokens.values(), *table.positions]
    return min(numbers), max(numbers)


def _read(when: Affine) -> Affine:
    """What a neuron reads at every position but the first."""
    terms = {lane: x for lane, x in when.terms if lane != BOS}
    return Affine.of(terms, when.constant)


def _factors(whens: Sequence[Affine]) -> list[float] | None:
    """How many times the sum that the first one reads each of them reads; None for another one."""
    first = dict(whens[0].terms)
    if not first:
        return None
    lane, unit = next(iter(first.items()))
    found = []
    for when in whens:
        by = dict(when.terms).get(lane, 0.0) / unit
        if not by or dict(when.terms) != {k: x * by for k, x in first.items()}:
            return None
        found.append(by)
    return found


def _sum(a: _Range, b: _Range) -> _Range:
    return a[0] + b[0], a[1] + b[1]


def _times(a: _Range, by: float) -> _Range:
    low, high = a[0] * by, a[1] * by
    return min(low, high), max(low, high)
