"""Heads that take a mean: of the greatest level there may be several positions, and all of them
have the same share.

    mean_of_several(head, scores, levels, ...)   what such a head brings of lanes

What is brought is a ratio of two sums: the total of the value over the positions at the level, by
their number. Where there is none, the first token's value is brought, if that stands above all
other keys.
Rules of this file: each query has one level that can be the greatest, so that what is selected is a
condition on pairs; scores within it may differ by little, and the share by a factor of e to that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Rejected
from handcraft.proof.lanes.forms import Form, labels_of, over
from handcraft.proof.lanes.head_choice import leak_of, reached_by
from handcraft.proof.lanes.head_sum import units_of, weights_of
from handcraft.proof.lanes.numbers import LaneNumbers, single
from handcraft.proof.lanes.scores import Begin, HeadScores, PairScores
from handcraft.proof.lanes.totals import total_form

_WIDEST = 0.5  # scores of one level are as near as that


def mean_of_several(
    head: HeadScores,
    scores: PairScores,
    levels: Array,
    gaps: Array,
    values: Sequence[LaneNumbers],
    begin: Begin,
) -> list[LaneNumbers]:
    """The means of several lanes. Raises Rejected where a level is not told from others."""
    chosen = selected_of(scores, levels)
    width = _width(scores, chosen)
    gap = float(gaps[scores.asked].min(initial=np.inf))
    one, count = np.ones(()), scores.pairs
    number = total_form(
        head.symbols,
        weights_of(head.symbols, count, chosen, (), one),
    )
    return [
        _mean(head, scores, chosen, number, lane, begin, i, gap, width)
        for i, lane in enumerate(values)
    ]


def selected_of(scores: PairScores, levels: Array) -> Array:
    """True for the pairs at the level of each query that alone can be the greatest."""
    chosen = reached_by(scores, levels)
    low = scores.pairs.least(levels, chosen)
    high = np.where(chosen, levels, -1).max(axis=1)
    if (chosen.any(axis=1) & (low != high)).any():
        raise Rejected("a head may select several positions that differ")
    return chosen


def _width(scores: PairScores, chosen: Array) -> float:
    """By how much the scores of what a query selects can differ."""
    low = np.where(chosen, scores.low, np.inf).min(axis=1)
    high = np.where(chosen, scores.high, -np.inf).max(axis=1)
    width = float(np.max(high - low, initial=0.0))
    if width > _WIDEST:
        raise Rejected("the scores of what a head selects differ")
    return width


def _mean(
    head: HeadScores,
    scores: PairScores,
    chosen: Array,
    number: Form,
    lane: LaneNumbers,
    begin: Begin,
    i: int,
    gap: float,
    width: float,
) -> LaneNumbers:
    """The mean of one lane, and how far it can be off."""
    symbols = head.symbols
    unit, numbers, far = units_of(lane)
    total = total_form(
        symbols,
        weights_of(symbols, scores.pairs, chosen, lane.labels, numbers),
    )
    labels = labels_of(total, number)
    sums, counts = (
        over(symbols, form, labels).astype(np.float64)
        for form in (total, number)
    )
    first, off = float(begin.v.c[0, i]), float(begin.v.radius[0, i])
    some = counts > 0
    c = np.where(some, unit * sums / np.where(some, counts, 1.0), first)
    size = max(lane.most, (abs(first) + off) * UP)
    near = float((far + lane.radius).max())
    error = max(near, off) + _apart(head, gap, width, size)
    r = error * UP + np.abs(c) * 2.0**-50
    return (
        LaneNumbers(labels, c, r * UP)
        if labels
        else single(float(c), float(r * UP))
    )


def _apart(head: HeadScores, gap: float, width: float, size: float) -> float:
    """How far shares that are not equal, and what is left of others, move a mean: each share is
    off by a factor of e^width at most, and so all together by e^width - 1.
    """
    leak = leak_of(head, gap)
    uneven = math.expm1(width * (1 + 2.0**-10)) * (1 + 2.0**-10)
    return (2 * (min(1.0, leak) + uneven) * size + head.rounding(size)) * UP
