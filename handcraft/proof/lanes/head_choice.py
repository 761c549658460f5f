"""Heads that choose: of the greatest level there is one position only, or all have the same value.

    levels_of(scores)                           the levels at which the scores stand
    chosen_by(head, scores, levels, ...)        what such a head brings of lanes

The scores stand at levels that are far apart, and the greatest one has all of the attention but
e^-gap. Where the first token stands above all keys, its values are brought.
Rules of this file: a level may be taken for unreachable only where a greater one surely is there
(handcraft.proof.lanes.choices).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Rejected
from handcraft.proof.lanes.choices import Levels
from handcraft.proof.lanes.forms import Form, composed
from handcraft.proof.lanes.numbers import LaneNumbers
from handcraft.proof.lanes.pair_table import PairTable
from handcraft.proof.lanes.scores import Begin, HeadScores, PairScores
from handcraft.proof.lanes.symbols import Labels, Symbols, spread

_GAP = 12.0  # scores that are nearer than that are at one level
_SAME = 2.0**-12  # values at one level that are as near as that are the same


class ReadChoice(Protocol):
    """The choice of a position.

    telling  a symbol by which it is told whether there is one
    """

    @property
    def telling(self) -> int: ...

    def picked(self, symbol: int) -> Form:
        """The symbol at the position that is selected."""
        ...


class SeveralDiffer(Rejected):
    """Several positions with different values stand at one level."""


def levels_of(scores: PairScores) -> tuple[Array, Array]:
    """The level of each pair, and by how much each query tells its levels apart. -1 stands for
    what is behind the first token, -2 for what is beside it.
    """
    levels = np.full(scores.pairs.mask.shape, -1, dtype=np.int32)
    gaps = np.full(len(levels), np.inf)
    for row in np.flatnonzero(scores.asked):
        kept = np.flatnonzero(scores.pairs.mask[row])
        levels[row, kept], gaps[row] = levels_beside(
            scores.low[row, kept],
            scores.high[row, kept],
            scores.first_low[row],
            scores.first_high[row],
        )
    return levels, gaps


def levels_beside(
    low: Array, high: Array, first_low: float, first_high: float
) -> tuple[Array, float]:
    """The levels of the keys of one query, beside the first token, and how far levels are apart."""
    if first_low == -np.inf:  # there is no first token
        return _clusters(low, high)
    own, gap = _clusters(np.append(low, first_low), np.append(high, first_high))
    ahead, beside = own[:-1] - own[-1] - 1, own[:-1] == own[-1]
    return np.where(beside, -2, np.where(ahead >= 0, ahead, -1)), gap


def alone_at_levels(scores: PairScores) -> tuple[Array, Array] | None:
    """The levels and the gaps, if at each level that can be the greatest there is one position at
    most, so that values need not be compared; else None.
    """
    levels, gaps = levels_of(scores)
    try:
        reached = reached_by(scores, levels)
    except Rejected:  # with what is read there it may be told
        return None
    if not scores.pairs.one_at_each(levels, reached):
        return None
    return levels, gaps


def chosen_by(
    head: HeadScores,
    scores: PairScores,
    levels: Array,
    gaps: Array,
    values: Sequence[LaneNumbers],
    begin: Begin,
) -> list[LaneNumbers]:
    """What a head brings of lanes, each at the one position of the greatest level."""
    pairs = scores.pairs
    reached = reached_by(scores, levels)
    same, alone = [0.0] * len(values), True
    if not pairs.one_at_each(levels, reached):
        same, alone = spread_at(head.symbols, pairs, levels, reached, values)
    labels = (*pairs.queries, *pairs.keys)
    table = np.maximum(levels, -1).reshape(head.symbols.shape(labels))
    form = Form(labels, table)
    choice = Levels(head.symbols, form)
    gap = float(gaps[scores.asked].min(initial=np.inf))
    u = lost_in(head, gap, alone)
    found = []
    for i, lane in enumerate(values):
        error = left_of(head, gap, lane, begin, i, alone) + same[i]
        found.append(
            read_of_choice(head.symbols, choice, lane, begin, i, error, u)
        )
    return found


def reached_by(scores: PairScores, levels: Array) -> Array:
    """True for the pairs whose level can be the greatest of their query. Raises Rejected where the
    first token stands beside a key, and no greater level is surely there.
    """
    sure = scores.pairs.sure(np.maximum(levels, -1))
    beside = (levels == -2).any(axis=1) & (sure < 0)
    if (beside & scores.asked).any():
        raise Rejected("the first token stands beside a key")
    return np.asarray((levels >= 0) & (levels >= sure[:, None]))


def leak_of(head: HeadScores, gap: float) -> float:
    """The weight of all that is not selected, at most."""
    return head.n * math.exp(-gap) * (1 + 2.0**-10)


def lost_in(head: HeadScores, gap: float, alone: bool) -> float:
    """The unit roundoff, if the weight of what is selected is exactly 1; else 0."""
    return (
        head.floats.u
        if alone and leak_of(head, gap) < head.floats.u / 8
        else 0.0
    )


def left_of(
    head: HeadScores,
    gap: float,
    lane: LaneNumbers,
    begin: Begin,
    i: int,
    alone: bool,
) -> float:
    """How far a value can be from that of the selected key."""
    if alone and gap > head.floats.silent:
        return 0.0
    size = max(lane.most, float(np.abs(begin.v.c[0, i]) + begin.v.radius[0, i]))
    leak = leak_of(head, gap)
    if alone and leak < head.floats.u / 8:
        # its weight is exactly 1; what is added to a float moves it by twice that at most
        least = (head.n + 2) * head.floats.least
        return (4 * leak * size + least * (2 + size)) * UP
    return (2 * min(1.0, leak) * size + head.rounding(size)) * UP


def spread_at(
    symbols: Symbols,
    pairs: PairTable,
    levels: Array,
    reached: Array,
    values: Sequence[LaneNumbers],
) -> tuple[list[float], bool]:
    """How far apart the values at one level can be, and True if each is of one position.
    Raises SeveralDiffer where several positions with different values are at one level.
    """
    spread_of = [0.0] * len(values)
    alone = True
    for row, own in enumerate(levels):
        for level in np.unique(own[reached[row]]):
            at = np.flatnonzero((own == level) & reached[row])
            if pairs.at_most_one(at, row):
                continue
            alone = False
            far = far_apart(symbols, pairs, values, row, at)
            if far is None:
                raise SeveralDiffer(
                    "a head may select several positions that differ"
                )
            spread_of = [max(x) for x in zip(spread_of, far, strict=True)]
    return spread_of, alone


def far_apart(
    symbols: Symbols,
    pairs: PairTable,
    values: Sequence[LaneNumbers],
    row: int,
    at: Array,
) -> list[float] | None:
    """How far apart the values at some keys of one query are; None where they differ."""
    found = []
    for lane in values:
        index = at_pairs(symbols, pairs, lane, row, at)
        c, r = np.atleast_1d(lane.c[index], lane.radius[index])
        if float(c.max() - c.min()) > _SAME:
            return None
        found.append(float((c + r).max() - (c - r).min()) * UP)
    return found


def at_pairs(
    symbols: Symbols, pairs: PairTable, lane: LaneNumbers, row: int, at: Array
) -> tuple[Array, ...]:
    """Where a lane's numbers at some keys of one query stand in its tables."""
    index = []
    for _, s in lane.labels:
        label = symbols.label(1, s)
        if label[0] == 1:
            index.append(pairs.column(label)[at])
        else:
            index.append(np.full(len(at), pairs.row(label)[row]))
    return tuple(index)


def read_of_choice(
    symbols: Symbols,
    choice: ReadChoice,
    lane: LaneNumbers,
    begin: Begin,
    i: int,
    error: float,
    u: float,
) -> LaneNumbers:
    """A value at the selected position, or the first token's. What is left of others may be lost
    in rounding: u is the unit roundoff, if the weight of what is selected is exactly 1, else 0.
    """
    read = [choice.picked(s) for _, s in lane.labels]
    labels, c, r = lane.labels, lane.c, lane.radius
    if all(symbols.all[s].everywhere for _, s in labels):
        # the same at all positions: whether there is one decides
        telling = (0, choice.telling)
        own: Labels = tuple(sorted((*labels, telling)))
        read.insert(own.index(telling), choice.picked(choice.telling))
        shape = symbols.shape(own)
        c, r = (np.broadcast_to(spread(x, labels, own), shape) for x in (c, r))
        labels = own
    first, off = begin.v.c[0, i], begin.v.radius[0, i]
    wide, centre = composed(symbols, labels, c, read, first)
    _, radius = composed(symbols, labels, r, read, off)
    centre, radius = (np.array(x, dtype=np.float64) for x in (centre, radius))
    # a float that is known exactly, to which numbers are added that are together less than an
    # eighth of its last digit: in any order each sum on the way is it, or without it as small
    kept = (radius == 0) & (error < np.abs(centre) * (u / 8))
    radius = np.where(kept, 0.0, (radius + error) * UP)
    return LaneNumbers(wide, centre, radius)


def _clusters(low: Array, high: Array) -> tuple[Array, float]:
    """The number of each score's level, from the least on, and the least gap between two."""
    if not len(low):
        return np.zeros(0, dtype=np.int64), math.inf
    order = np.argsort(low, kind="stable")
    below = np.maximum.accumulate(high[order])[:-1]  # the top of those so far
    apart = low[order][1:] - below
    found = np.zeros(len(low), dtype=np.int64)
    found[order[1:]] = np.cumsum(apart > _GAP)
    gap = float(apart[apart > _GAP].min(initial=math.inf))
    return found, gap * (1 - 2.0**-40) if math.isfinite(gap) else gap
