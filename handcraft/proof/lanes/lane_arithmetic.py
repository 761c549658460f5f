"""Sums and products of lanes: what is read together is gathered, a row for each values of the
symbols that it depends on.

    LaneArithmetic(symbols, floats).sum(a, b)       two lanes added up
        .linear(lanes, w, b)                        lanes times columns, and a bias
        .active(lane, activation)                   what neurons make of a lane
        .kept_apart(lane)  .own(lane)               a lane with its radius as an error of its own

Errors are numbered: the same number in two lanes is the same error, so that what is added and later
taken away is gone. Rules of this file: the bounds are those of the checker's own arithmetic
(handcraft.proof.checker.zonotope).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Floats, Zonotope
from handcraft.proof.lanes.derived import count_rows
from handcraft.proof.lanes.dust import LaneFloats
from handcraft.proof.lanes.numbers import (
    MOST_GATHERED,
    LaneNumbers,
    at_rows,
    gathered,
    in_blocks,
    lanes_of,
    read_together,
    simpler,
    single,
)
from handcraft.proof.lanes.symbols import Symbols, TooManyRows

_GREAT = 2.0**-10  # a remainder
_MOST_KEPT = 2**15  # rows of a lane with one error more


class LaneArithmetic:
    """Sums and products of lanes of one model."""

    def __init__(self, symbols: Symbols, floats: LaneFloats) -> None:
        self.symbols = symbols
        self.floats = floats
        self.errors = 0

    def sum(self, a: LaneNumbers, b: LaneNumbers) -> LaneNumbers:
        """The sum of two lanes."""
        if b.is_zero:
            return a
        if a.is_zero:
            return self._fewer(b)
        labels, rows, errors = gathered(self.symbols, [a, b])
        one, other = (
            Zonotope(rows.c[:, [i]], rows.r[:, [i]], rows.g[:, [i]])
            for i in (0, 1)
        )
        (found,) = lanes_of(
            self.symbols, labels, self.floats.add(one, other), errors
        )
        return self._fewer(found)

    def _fewer(self, lane: LaneNumbers) -> LaneNumbers:
        """The lane with one error instead of several, where it then depends on fewer labels. All of
        its errors together are at most its radius, and so a number from -1 to 1 times that.
        """
        plain = LaneNumbers(lane.labels, lane.c, np.zeros_like(lane.c))
        fewer = simpler(self.symbols, plain)
        if not lane.g or len(fewer.labels) == len(lane.labels):
            return lane
        mask = self.symbols.possible(lane.labels)
        gone = tuple(
            i for i, x in enumerate(lane.labels) if x not in fewer.labels
        )
        r = np.where(mask, lane.radius, 0.0).max(axis=gone) + fewer.r
        return self.own(LaneNumbers(fewer.labels, fewer.c, r * UP))

    def linear(
        self, lanes: Sequence[LaneNumbers], w: Array, b: Array
    ) -> list[LaneNumbers]:  # n_in lanes, [n_in, n_out], [n_out] -> n_out lanes
        """The products of lanes and columns, each computed from what it reads alone."""
        return [
            self._product(lanes, w[:, i].astype(np.float64), float(b[i]))
            for i in range(w.shape[1])
        ]

    def _product(
        self, lanes: Sequence[LaneNumbers], w: Array, b: float
    ) -> LaneNumbers:
        """The product of lanes and one column [n_in]."""
        read = [int(i) for i in np.flatnonzero(w) if not lanes[int(i)].is_zero]
        if not read:
            return single(b)
        labels, own, errors = read_together(
            self.symbols, [lanes[i] for i in read]
        )
        rows = np.arange(count_rows(self.symbols, labels))
        wide = len(own) * (len(errors) + 2)
        if len(rows) * wide > MOST_GATHERED:
            raise TooManyRows("what is read together has too many rows")
        found = [
            self._products(at_rows(self.symbols, own, labels, some), w[read], b)
            for some in in_blocks(rows, wide)
        ]
        (lane,) = lanes_of(self.symbols, labels, _joined(found), errors)
        return lane

    def _products(self, rows: Zonotope, w: Array, b: float) -> Zonotope:
        """The product of rows and one column."""
        found = self.floats.linear(rows, w[:, None], np.array([b]))
        if len(w) > 1:
            return found
        return _less_itself(found, rows, float(w[0]), b, self.floats)

    def kept_apart(self, lane: LaneNumbers) -> LaneNumbers:
        """The lane with a great remainder as an error of its own, beside those that it has: what is
        taken off the lane later takes it away as well.
        """
        if not lane.r.max() > _GREAT or lane.c.size > _MOST_KEPT:
            return lane
        self.errors += 1
        zero = np.zeros_like(lane.r)
        g = lane.g | {self.errors: lane.r}
        return LaneNumbers(lane.labels, lane.c, zero, g)

    def active(self, lane: LaneNumbers, activation: str) -> LaneNumbers:
        """What neurons make of a lane."""
        labels, rows, errors = gathered(self.symbols, [lane])
        found = self.floats.activation(rows, activation)
        (after,) = lanes_of(self.symbols, labels, found, errors)
        return after

    def own(self, lane: LaneNumbers) -> LaneNumbers:
        """The lane with its radius as an error of its own, for what is computed from it."""
        lane = simpler(
            self.symbols, lane, 0.0
        )  # what is brought may be multiplied by 2^30
        r = lane.radius
        if not r.any():
            return lane
        self.errors += 1
        return LaneNumbers(
            lane.labels, lane.c, np.zeros_like(r), {self.errors: r}
        )


def _less_itself(
    found: Zonotope, x: Zonotope, w: float, b: float, floats: Floats
) -> Zonotope:
    """What is exactly 0: the product of a power of two that is known exactly, which rounds nothing,
    and the same number taken away.
    """
    c = x.c[:, 0]
    is_power = np.abs(np.frexp(c)[0]) == 0.5
    known = is_power & (x.radius[:, 0] == 0) & (abs(b) >= floats.least)
    zero = (known & (c * w == -b))[:, None]
    g = np.where(zero[..., None], 0.0, found.g)
    return Zonotope(
        np.where(zero, 0.0, found.c), np.where(zero, 0.0, found.r), g
    )


def _joined(parts: Sequence[Zonotope]) -> Zonotope:
    """Blocks of rows as one."""
    if len(parts) == 1:
        return parts[0]
    c, r, g = (
        np.concatenate(x)
        for x in zip(*((x.c, x.r, x.g) for x in parts), strict=True)
    )
    return Zonotope(c, r, g)
