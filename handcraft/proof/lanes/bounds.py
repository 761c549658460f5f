"""What a total is at least and at most, by what is known of the position that asks.

    bounds_of(symbols, labels, numbers)   the TotalBounds of the sum of numbers over the keys

Of each index below the number of positions that are seen there is exactly one position, and so of
each rank; the position itself is one of those that it sees, with weights that are known. Each is
counted with the most that it can weigh, and with the least.
Rules of this file: a bound may allow too much, never too little; no table has more rows than a
limit, and where one would, less is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import least_and_most
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    IS_SAME,
    AxisLabel,
    Labels,
    Symbols,
    compared_in,
    spread,
)

_MOST_BOUNDED = 4_000_000  # pairs that are looked at


@dataclass(frozen=True, eq=False)
class TotalBounds:
    """The least and the most by row of a table of one position.

    known  True for the rows that can be
    """

    labels: Labels
    low: Array
    high: Array
    known: Array

    @property
    def certain(self) -> bool:
        """True if the sum is the same in each row that can be."""
        return bool((self.low == self.high)[self.known].all())


def bounds_of(symbols: Symbols, labels: Labels, numbers: Array) -> TotalBounds:
    """The bounds of a sum, by all that it depends on or, where that is too much, by less."""
    queries = {x for x in labels if x[0] == 0} | {(0, symbols.seen)}
    compared = compared_in(symbols, labels)
    own = {(0, s) for side, s in labels if side == 1 and s not in compared}
    keys = tuple(x for x in labels if x[0] == 1)
    for asked in (tuple(sorted(queries | own)), tuple(sorted(queries))):
        try:
            size = np.prod(symbols.shape((*asked, *keys)), dtype=np.int64)
        except Rejected:
            continue
        if size <= _MOST_BOUNDED:
            return _bounded(symbols, asked, keys, labels, numbers)
    return _roughly(symbols, labels, numbers)


def _roughly(symbols: Symbols, labels: Labels, numbers: Array) -> TotalBounds:
    """The least and the greatest weight of all, times the number of positions."""
    known = numbers[symbols.possible(labels)]
    seen = symbols.number_seen()
    there = np.ones(len(seen), dtype=bool)
    low, high = int(known.min()), int(known.max())
    return TotalBounds(((0, symbols.seen),), low * seen, high * seen, there)


def _bounded(
    symbols: Symbols,
    asked: Labels,
    keys: Labels,
    labels: Labels,
    numbers: Array,
) -> TotalBounds:
    wide = (*asked, *keys)
    mask = symbols.possible(wide)
    weights = np.broadcast_to(spread(numbers, labels, wide), mask.shape)
    shape = symbols.shape(asked)
    seen = _over(symbols.number_seen(), (0, symbols.seen), asked, shape)
    place = _place(symbols, keys)
    if place is not None:
        low, high, known = _placed(symbols, place, asked, keys, weights, mask)
    else:
        low, high, known = _any(asked, weights, mask, seen)
        mine = _itself(symbols, asked, labels, numbers)
        if mine is not None:
            low, high = low * (seen - 1) + mine, high * (seen - 1) + mine
        else:
            low, high = low * seen, high * seen
    return TotalBounds(asked, low, high, known & symbols.possible(asked))


def _over(
    table: Array, label: AxisLabel, labels: Labels, shape: tuple[int, ...]
) -> Array:
    return np.broadcast_to(spread(table, (label,), labels), shape)


def _place(symbols: Symbols, keys: Labels) -> AxisLabel | None:
    """The index, or a rank, among the keys' labels."""
    if (1, AT_INDEX) in keys:
        return (1, AT_INDEX)
    ranks = [x for x in keys if symbols.all[x[1]].first is not None]
    return ranks[0] if ranks else None


def _placed(
    symbols: Symbols,
    place: AxisLabel,
    asked: Labels,
    keys: Labels,
    weights: Array,
    mask: Array,
) -> tuple[Array, Array, Array]:
    """One position with each index, or rank: by the number of positions that are seen."""
    fewer = tuple(len(asked) + i for i, x in enumerate(keys) if x != place)
    low, high, there = least_and_most(weights, mask, fewer)  # [asked, place]
    first = symbols.all[place[1]].first or 0
    places = slice(first, first + symbols.n)
    count = symbols.number_seen() - 1
    at = spread(count, ((0, symbols.seen),), asked)[..., None]
    at = np.broadcast_to(at, (*low.shape[:-1], 1))

    def upto(x: Array) -> Array:
        added = np.add.accumulate(x[..., places], axis=-1)
        return np.take_along_axis(added, at, axis=-1)[..., 0]

    known = upto(np.where(there, 0, 1)) == 0
    return upto(low), upto(high), known


def _any(
    asked: Labels, weights: Array, mask: Array, seen: Array
) -> tuple[Array, Array, Array]:
    """The least and the most of any one position."""
    fewer = tuple(range(len(asked), weights.ndim))
    low, high, there = least_and_most(weights, mask, fewer)
    some = there & (seen > 0)
    return np.where(some, low, 0), np.where(some, high, 0), some


def _itself(
    symbols: Symbols, asked: Labels, labels: Labels, numbers: Array
) -> Array | None:
    """The weight of the position itself, where the rows say what it is as a key."""
    same = compared_in(symbols, labels)
    if any((0, s) not in asked for _, s in labels if s not in same):
        return None
    shape = symbols.shape(asked)
    index = np.indices(shape)
    at = [
        np.full(shape, IS_SAME) if s in same else index[asked.index((0, s))]
        for _, s in labels
    ]
    return np.asarray(numbers[tuple(at)])
