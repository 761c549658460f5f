"""Sums that climb by one at most: where such a sum is d, some position before has raised it to d.

    climbed(symbols, pairs, worst)   what that says of levels that are surely there

Let each token add 1 at most to a sum, which is 0 before the first. If it is d > 0 at a position,
then there was a first one at which it was d or more: there it was d, for it was less before and
rose by 1. So the latest bracket that opened to my depth is there, whatever was closed since.
Rules of this file: a position sees all up to itself, and the sum is over these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.symbols import (
    AT_TOKEN,
    AxisLabel,
    Labels,
    Symbols,
)


def climbed(symbols: Symbols, pairs: Any, worst: Array) -> list[Array]:
    """[n_query] of each sum of both sides the level that a position has which raised it to what it
    is for the query, at least; the greatest number where no such position is known.

    worst  [n_query, n_key] the level of each pair, the greatest number where it cannot be
    """
    big = np.iinfo(np.int64).max
    found = []
    for own, other, weights in _sums(symbols, pairs.queries, pairs.keys):
        mine, there = (
            np.array(symbols.all[s].values)[at]
            for (_, s), at in (
                (own, pairs.row(own)),
                (other, pairs.column(other)),
            )
        )
        raises = np.ones(len(there), dtype=bool)
        if (1, AT_TOKEN) in pairs.keys:
            raises = weights[pairs.column((1, AT_TOKEN))] == 1
        levels = np.full(len(mine), big)
        for d in np.unique(mine[mine > 0]):
            rows, keys = mine == d, raises & (there == d)
            levels[rows] = worst[rows][:, keys].min(axis=1, initial=big)
        found.append(levels)
    return found


def _sums(
    symbols: Symbols, queries: Labels, keys: Labels
) -> Iterator[tuple[AxisLabel, AxisLabel, Array]]:
    """The sums that climb, as labels of the query and of the key, and their weights by token."""
    if not symbols.causal:
        return
    for own in queries:
        for other in keys:
            one, same = (
                symbols.known.get(("weights", s)) for _, s in (own, other)
            )
            if one is None or same is None or one[0] != ((1, AT_TOKEN),):
                continue
            if one[0] == same[0] and np.array_equal(one[1], same[1]):
                weights = np.asarray(one[1], dtype=np.int64)
                if weights.max() == 1:
                    yield own, other, weights
