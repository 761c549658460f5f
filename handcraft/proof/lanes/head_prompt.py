"""Heads that choose, in the texts of prompts: at some positions more may be known than at others.

    chosen_in_prompts(head, scores, values, begin)   what such a head brings of lanes
    some_mean(head, lane, first)                     what any head brings of a lane

A program for prompts may compute anything at a position that nobody asks and no head reads. So a
query for which a head mixes positions that differ is no reason to refuse it: what it gets is a mean
of values, between the least and the greatest.
Rules of this file: for every other query the head is one that chooses (head_choice).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP
from handcraft.proof.lanes.choices import Levels
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.head_choice import (
    far_apart,
    left_of,
    levels_of,
    lost_in,
    read_of_choice,
)
from handcraft.proof.lanes.numbers import LaneNumbers
from handcraft.proof.lanes.pair_table import PairTable
from handcraft.proof.lanes.scores import (
    Begin,
    HeadScores,
    PairScores,
    row_numbers,
)
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    MOST_TABLE_ROWS,
    TOLD_LESS,
    Symbols,
    spread,
)


def chosen_in_prompts(
    head: HeadScores,
    scores: PairScores,
    values: Sequence[LaneNumbers],
    begin: Begin,
) -> list[LaneNumbers]:
    """What a head brings of lanes, each at the one position of the greatest level, or between the
    least and the greatest value there is.
    """
    levels, gaps = levels_of(scores)
    pairs, asked = scores.pairs, scores.asked
    sure = pairs.sure(np.maximum(levels, -1))
    beside = (levels == -2).any(axis=1) & (sure < 0) & asked
    reached = (levels >= 0) & (levels >= sure[:, None]) & ~beside[:, None]
    same, alone, several = _spread(head.symbols, pairs, levels, reached, values)
    unknown = beside | several
    if unknown.any() and (wider := _wider(head.symbols, scores)) is not None:
        # where in the text a position is may tell more
        return chosen_in_prompts(head, wider, values, begin)
    labels = (*pairs.queries, *pairs.keys)
    kept = np.where(unknown[:, None], -1, np.maximum(levels, -1))
    form = Form(labels, kept.reshape(head.symbols.shape(labels)))
    choice = Levels(head.symbols, form)
    gap = float(gaps[asked & ~unknown].min(initial=np.inf))
    u = lost_in(head, gap, alone)
    found = []
    for i, lane in enumerate(values):
        error = left_of(head, gap, lane, begin, i, alone) + same[i]
        read = read_of_choice(head.symbols, choice, lane, begin, i, error, u)
        if unknown.any():
            first = begin.v.c[0, i], begin.v.radius[0, i]
            read = _anything(head, read, pairs, unknown, lane, first)
        found.append(read)
    return found


def _spread(
    symbols: Symbols,
    pairs: PairTable,
    levels: Array,
    reached: Array,
    values: Sequence[LaneNumbers],
) -> tuple[list[float], bool, Array]:
    """How far apart the values at one level can be, True if each is of one position, and the
    queries for which several positions with different values are at one level.
    """
    spread_of = [0.0] * len(values)
    alone, several = True, np.zeros(len(levels), dtype=bool)
    for row, own in enumerate(levels):
        for level in np.unique(own[reached[row]]):
            at = np.flatnonzero((own == level) & reached[row])
            if pairs.at_most_one(at, row):
                continue
            alone = False
            far = far_apart(symbols, pairs, values, row, at)
            if far is None:
                several[row] = True
                break
            spread_of = [max(x) for x in zip(spread_of, far, strict=True)]
    return spread_of, alone, several


def _wider(symbols: Symbols, scores: PairScores) -> PairScores | None:
    """The same with the place of the query; None where it is there already, or too much."""
    old = scores.pairs
    queries = tuple(sorted({*old.queries, (0, AT_INDEX), (0, AT_END)}))
    size = len(old.mask[0])
    for _, s in queries:
        size *= len(symbols.all[s].values)
    if queries == old.queries:
        return None
    if size > MOST_TABLE_ROWS:
        symbols.known[TOLD_LESS] = True
        return None
    row = row_numbers(symbols, queries, old.queries)
    return PairScores(
        PairTable.of(symbols, queries, old.keys),
        scores.low[row],
        scores.high[row],
        scores.first_low[row],
        scores.first_high[row],
    )


def _anything(
    head: HeadScores,
    read: LaneNumbers,
    pairs: PairTable,
    unknown: Array,
    lane: LaneNumbers,
    first: tuple[float, float],
) -> LaneNumbers:
    """What is read, but between the least and the greatest value there is for queries of which
    more is not known: what is brought is a mean of values.
    """
    symbols = head.symbols
    middle, far = some_mean(head, lane, first)
    wide = tuple(sorted({*read.labels, *pairs.queries}))
    shape = symbols.shape(wide)
    rows = unknown.reshape(symbols.shape(pairs.queries))
    rows = np.broadcast_to(spread(rows, pairs.queries, wide), shape)
    c, r = (spread(x, read.labels, wide) for x in (read.c, read.r))
    return LaneNumbers(wide, np.where(rows, middle, c), np.where(rows, far, r))


def some_mean(
    head: HeadScores, lane: LaneNumbers, first: tuple[float, float]
) -> tuple[float, float]:
    """The middle of all that a head may bring of a lane, and how far it can be from that: a mean
    of values is between the least and the greatest one.
    """
    low = min(float((lane.c - lane.radius).min()), first[0] - first[1])
    high = max(float((lane.c + lane.radius).max()), first[0] + first[1])
    middle = (low + high) / 2
    far = max(high - middle, middle - low) * UP
    return middle, (far + head.rounding(max(abs(low), abs(high)))) * UP
