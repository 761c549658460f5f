"""Sums that climb by one at most: where such a sum is d, some position before has raised it to d.

    climbed(symbols, pairs, levels)   what that says of levels that are surely there

Let each token add 1 at most to a sum, which is 0 before the first. If it is d > 0 at a position,
then there was a first one at which it was d or more: there it was d, for it was less before and
rose by 1. So the latest bracket that opened to my depth is there, whatever was closed since.
Rules of this file: a position sees all up to itself, and the sum is over these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.by_end import key_values
from handcraft.proof.lanes.symbols import AT_END, AT_TOKEN, Symbols


def climbed(symbols: Symbols, pairs: Any, levels: Array) -> list[Array]:
    """[n_query] of each sum that climbs the level that a position has which raised it to what it is
    for the query, at least; the greatest number where no such position is known.

    levels  [n_query, n_key] the level of each pair
    """
    if not symbols.causal:
        return []
    big = np.iinfo(np.int64).max
    found = []
    for own in pairs.queries:
        weights = _weights(symbols, own[1])
        if weights is None or weights.max() != 1:
            continue
        mine = np.array(symbols.all[own[1]].values)[pairs.row(own)]
        raises = np.ones(levels.shape[1], dtype=bool)
        if (1, AT_TOKEN) in pairs.keys:
            raises = weights[pairs.column((1, AT_TOKEN))] == 1
        sure = np.full(len(mine), big)
        for d in np.unique(mine[mine > 0]):
            there = _at(symbols, pairs, own[1], int(d))
            if there is not None:
                least = pairs.least(levels, pairs.mask & there & raises)
                sure = np.where(mine == d, least, sure)
        found.append(sure)
    return found


def _weights(symbols: Symbols, symbol: int) -> Array | None:
    """What each token weighs in a sum; None for any other symbol."""
    labels, weights = symbols.known.get(("weights", symbol), (None, None))
    if labels != ((1, AT_TOKEN),):
        return None
    return np.asarray(weights, dtype=np.int64)


def _at(symbols: Symbols, pairs: Any, symbol: int, value: int) -> Array | None:
    """[n_query or 1, n_key] True for keys of which the same sum can have this value; None where
    that is not known.
    """
    weights = _weights(symbols, symbol)
    for side, s in pairs.keys:
        same = _weights(symbols, s) if side == 1 else None
        if same is None or weights is None:
            continue
        if np.array_equal(same, weights):
            values = np.array(symbols.all[s].values)
            return np.asarray(values[pairs.column((1, s))] == value)[None]
    if symbols.all[symbol].asked:
        return None
    known = key_values(symbols, pairs.keys, symbol)  # [n_end, n_key, n_value]
    if known is None:
        return None
    can = known[..., symbols.all[symbol].values.index(value)]
    ends = (0, AT_END)
    if ends in pairs.queries:
        return np.asarray(can[pairs.row(ends)])
    return np.asarray(can.any(axis=0))[None]
