"""A head as a sum over keys, each with a value of its own: nothing need be known of the sum.

    linear_head(head, queries, keys, begin)   the LinearHead of a head that sums or takes a mean

A head that sums (head_sum) gives each key that is near the first token the same share. One that
takes a mean (head_mean) gives the same share to all keys of one level; the first token may be among
them, or alone where there is none.
Rules of this file: a share is off in proportion to itself; what is left of others is bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Rejected, Zonotope
from handcraft.proof.lanes.head_choice import leak_of, levels_of
from handcraft.proof.lanes.head_sum import is_sum, key_share
from handcraft.proof.lanes.pair_table import PairTable
from handcraft.proof.lanes.scores import Begin, HeadScores, PairScores
from handcraft.proof.lanes.symbols import Labels

_WIDEST = 0.5  # scores of one level are as near as that
_FAR = 12.0  # what is farther ahead than that has nearly all
_EXP = 16.0  # units of roundoff, of a share's exponential and of their sum


@dataclass(frozen=True, eq=False)
class LinearHead:
    """How a head weighs keys.

    pairs   of its queries and keys, as far as its scores depend on them
    chosen  [n_query, n_key] True for keys that have a share
    among   [n_query] True where the first token is always one of them
    sure    [n_query] True where there surely is another one
    mean    True where all shares are equal, and together 1; else each is `share`
    off     how far a share can be off, in parts of it
    rest    the weight of all other keys together, at most
    """

    pairs: PairTable
    chosen: Array
    among: Array
    sure: Array
    mean: bool
    share: float
    off: float
    rest: float


def linear_head(
    head: HeadScores,
    queries: tuple[Labels, Zonotope],
    keys: tuple[Labels, Zonotope],
    begin: Begin,
) -> LinearHead:
    """How a head weighs keys. Raises Rejected for one that does not give equal shares."""
    scores = head.of(queries, keys, begin)
    if is_sum(scores, begin) and _has_nearly_all(scores):
        return _sum(head, scores)
    return _mean(head, scores, begin)


def _has_nearly_all(scores: PairScores) -> bool:
    """True if the first token has nearly all of the attention: each key has next to nothing."""
    behind = scores.first_low[:, None] - scores.high
    return bool(behind[scores.pairs.mask].min() > _FAR)


def _sum(head: HeadScores, scores: PairScores) -> LinearHead:
    mask = scores.pairs.mask
    low = scores.first_low[:, None] - scores.high
    high = scores.first_high[:, None] - scores.low
    near = mask & (low <= low[mask].min() + _WIDEST)
    share, off, rest = key_share(head, low, high, near, mask & ~near)
    no = np.zeros(len(mask), dtype=bool)
    whole = head.n * rest * UP
    return LinearHead(
        scores.pairs, near, no, no, False, share, off / share * UP, whole
    )


def _mean(head: HeadScores, scores: PairScores, begin: Begin) -> LinearHead:
    levels, gaps = levels_of(scores)
    pairs, asked = scores.pairs, scores.asked
    sure = pairs.sure(np.maximum(levels, -1))
    ahead = pairs.mask & (levels >= 0) & (levels >= sure[:, None])
    beside = pairs.mask & (levels == -2) & (sure < 0)[:, None]
    is_ahead, is_beside = ahead.any(axis=1), beside.any(axis=1)
    if (is_ahead & is_beside & asked).any():
        raise Rejected("the first token stands beside a key")
    low = pairs.least(levels, ahead)
    high = np.where(ahead, levels, -1).max(axis=1)
    if (is_ahead & (low != high) & asked).any():
        raise Rejected("a head may select several positions that differ")
    if not begin.there and (sure[asked] < 0).any():
        raise Rejected("a head may select no position")
    chosen = ahead | beside
    width = _width(scores, chosen, is_beside & asked)
    gap = float(gaps[asked].min(initial=np.inf))
    off = _uneven(head, width, gap)
    return LinearHead(
        pairs, chosen, is_beside, sure >= 0, True, 1.0, off, leak_of(head, gap)
    )


def _width(scores: PairScores, chosen: Array, among: Array) -> float:
    """By how much the scores of what a query selects can differ."""
    low = np.where(chosen, scores.low, np.inf).min(axis=1)
    high = np.where(chosen, scores.high, -np.inf).max(axis=1)
    low = np.where(among, np.minimum(low, scores.first_low), low)
    high = np.where(among, np.maximum(high, scores.first_high), high)
    width = float(np.max((high - low)[scores.asked], initial=0.0))
    if not width <= _WIDEST:
        raise Rejected("the scores of what a head selects differ")
    return width


def _uneven(head: HeadScores, width: float, gap: float) -> float:
    """How far a share of several can be off, and what is brought with it, in parts of both."""
    number = head.n + 1
    # each score is the same float: exp is 1, and their number is a float; but for what is left
    exact = width == 0 and gap > head.floats.silent and number < 2**20
    terms = number + 4 if exact else 2 * number + 8 + _EXP
    rounded = float(head.floats.gamma(terms))
    apart = math.expm1(width * (1 + 2.0**-10)) * (1 + 2.0**-10)
    return ((1 + apart) * (1 + rounded) - 1) * UP
