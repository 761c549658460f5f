"""Heads that sum: the first token has the greatest score, and its values are exactly 0.

    is_sum(scores, begin)             True for such a head
    sum_of_head(head, scores, lane)     what it brings of a lane

So each key has a share e^(s - b) / (1 + ...) of the attention: the same for all that are nearest to
the first token, next to nothing for others. What is brought is that share times the sum of the
values over these keys.
"""

from __future__ import annotations

import math

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Rejected
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    moved_to_key,
    of_whole_numbers,
)
from handcraft.proof.lanes.numbers import LaneNumbers
from handcraft.proof.lanes.pair_table import PairTable
from handcraft.proof.lanes.scores import Begin, HeadScores, PairScores
from handcraft.proof.lanes.symbols import Labels, Symbols
from handcraft.proof.lanes.totals import total_form

_NEAR = 0.5  # scores of what is summed are as near as that
_FARTHEST = 60.0  # the first token is not farther ahead of what is summed
_EXP = 8.0  # units of roundoff
_PARTS = (1, 2, 4, 8, 16)


def is_sum(scores: PairScores, begin: Begin) -> bool:
    """True if the first token is ahead of all keys, but not too far, and brings nothing."""
    if not begin.there or begin.v.c.any() or begin.v.radius.any():
        return False
    mask = scores.pairs.mask
    behind = scores.first_low[:, None] - scores.high
    return bool(
        mask.any()
        and (behind[mask] >= 0).all()
        and behind[mask].min() <= _FARTHEST
    )


def sum_of_head(
    head: HeadScores, scores: PairScores, lane: LaneNumbers
) -> LaneNumbers:
    """A share of the sum of a value over the keys that are nearest to the first token."""
    near, (share, off, rest) = _nearest(head, scores)
    unit, numbers, far = units_of(lane)
    weights = weights_of(head.symbols, scores.pairs, near, lane.labels, numbers)
    summed = total_form(head.symbols, weights)
    c = _as_floats(summed) * unit
    # a share is off in proportion to what it brings: of values of one sign that is the sum itself
    mask = head.symbols.possible(weights.labels)
    sizes = weights.table[mask].astype(np.float64)
    one_sign = (sizes >= 0).all() or (sizes <= 0).all()
    most = np.abs(c) if one_sign else np.full_like(c, head.n * lane.most)
    wrong = float((far + lane.radius).max()) * UP
    error = head.n * ((share + off) * wrong + 2 * rest * lane.most)
    r = off * most * UP + (error + small_of(head, lane.most)) * UP
    c = c * share
    return LaneNumbers(summed.labels, c, (r + np.abs(c) * 2.0**-50) * UP)


def _nearest(
    head: HeadScores, scores: PairScores
) -> tuple[Array, tuple[float, float, float]]:
    """The keys nearest to the first token, and what key_share says of them."""
    mask = scores.pairs.mask
    behind_low = scores.first_low[:, None] - scores.high
    behind_high = scores.first_high[:, None] - scores.low
    near = mask & (behind_low <= behind_low[mask].min() + _NEAR)
    return near, key_share(head, behind_low, behind_high, near, mask & ~near)


def _as_floats(form: Form) -> Array:
    """The numbers of a form: those of rows that can be are no texts."""
    numbers = [float(x) for x in form.table.reshape(-1)]
    return np.array(numbers).reshape(form.table.shape)


def small_of(head: HeadScores, size: float) -> float:
    """What underflows."""
    return 4 * (head.n + 2) * head.floats.least * (1 + size)


def key_share(
    head: HeadScores, low: Array, high: Array, near: Array, others: Array
) -> tuple[float, float, float]:
    """The share of a key that is summed, how far it can be off, and that of any other."""
    u = head.floats.u

    def error(far: float) -> float:
        # the argument of exp is a rounded difference; exp, the sums of shares and of what they
        # bring, each of n + 1 terms in any order; the division and the product
        rounded = _EXP + 2 * (head.n + 1) + 4
        return (rounded * u + u * (far + 1)) * (1 + 2.0**-8) + 2.0**-40

    nearest, farthest = float(low[near].min()), float(high[near].max())
    most = math.exp(-nearest) * (1 + error(farthest))
    rest = 0.0
    if others.any():
        # e^-x(1 - u) is the less the greater x is: of all others the nearest one counts
        beside = float(low[others].min())
        rest = math.exp(-beside) * (1 + error(max(beside, 0.0)))
    whole = 1 + head.n * (most + rest)
    least = math.exp(-farthest) * (1 - error(farthest)) / whole
    share = 2.0 ** round(math.log2((most + least) / 2))
    if not least <= share <= most:
        share = (most + least) / 2
    off = max(most - share, share - least) * UP
    return share, off + share * 2.0**-48, rest * UP


def weights_of(
    symbols: Symbols,
    pairs: PairTable,
    chosen: Array,
    labels: Labels,
    numbers: Array,
) -> Form:
    """The value where a key is chosen, else 0."""
    shape = symbols.shape((*pairs.queries, *pairs.keys))
    labels_of_pair = (*pairs.queries, *pairs.keys)
    flags = Form.of_numbers(
        labels_of_pair, chosen.reshape(shape).astype(int), (0, 1)
    )
    value = moved_to_key(symbols, of_whole_numbers(labels, numbers))
    return applied(symbols, lambda a, b: a * b, flags, value)


def units_of(lane: LaneNumbers) -> tuple[float, Array, Array]:
    """A unit, the whole numbers of it that a lane is nearly, and how far it is from them."""
    for part in _PARTS:
        numbers = np.rint(lane.c * part)
        far = np.abs(lane.c - numbers / part)
        if (far <= 1e-3 / part).all() and (np.abs(numbers) < 2**20).all():
            return 1 / part, numbers.astype(np.int64), far * UP
    raise Rejected("what is summed is no multiple of one number")
