"""The scores of a head, pair by pair: intervals that hold whatever the floats are.

    PairScores                 the scores of all pairs of a query and a key, and of the first token
    HeadScores(...).of(...)    these, of what queries and keys can hold

Rules of this file: every score is bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Floats, Rejected, Zonotope
from handcraft.proof.lanes.choices import PairTable
from handcraft.proof.lanes.symbols import Labels, Symbols

_MOST_SCORED = 4_000_000  # pairs


@dataclass(frozen=True, eq=False)
class PairScores:
    """The scores of the pairs, after the division: [n_query, n_key], and of the first token."""

    pairs: PairTable
    low: Array
    high: Array
    first_low: Array  # [n_query]
    first_high: Array

    @property
    def asked(self) -> Array:
        """True for the queries that can be."""
        possible = self.pairs.symbols.possible(self.pairs.queries)
        return np.array(possible.reshape(-1))


@dataclass(frozen=True, eq=False)
class Begin:
    """What the first token offers to a head: its query, key and values, one row each."""

    q: Zonotope
    k: Zonotope
    v: Zonotope


class HeadScores:
    """How one head scores, in floats."""

    def __init__(self, symbols: Symbols, floats: Floats, d_head: int) -> None:
        self.symbols = symbols
        self.floats = floats
        self.d_head = d_head
        self.n = symbols.n

    def rounding(self, size: float) -> float:
        """What the softmax and the sum of the values round, of values of this size at most."""
        u = self.floats.u
        least = (self.n + 2) * self.floats.least
        return ((32 + 4 * self.n) * u * size + least * (2 + size)) * UP

    def divided(self, q: Zonotope, k: Zonotope) -> tuple[Array, Array]:
        """The scores of one query, after the division by the root of the width."""
        low, high = self.floats.dot(q.plain(), k.plain())
        root = math.sqrt(self.d_head)
        error = 4 * (self.floats.u + 2.0**-52)

        def by_root(x: Array, sign: float) -> Array:
            found = x / root
            off = np.abs(found) * error + np.where(
                x == 0, 0.0, self.floats.least
            )
            exact = (
                x == 0
                if root != 2.0 ** round(math.log2(root))
                else ((x == 0) | (np.abs(found) >= self.floats.least))
            )
            return np.where(exact, found, found + sign * off)

        return by_root(low, -1.0), by_root(high, 1.0)

    def of(
        self,
        queries: tuple[Labels, Zonotope],
        keys: tuple[Labels, Zonotope],
        begin: Begin,
    ) -> PairScores:
        """The scores of all pairs. Raises Rejected where there are too many."""
        at_keys = tuple(self.symbols.label(1, s) for _, s in keys[0])
        if len(queries[1].c) * len(keys[1].c) > _MOST_SCORED:
            raise Rejected("a head compares too many pairs")
        rows = [
            (
                *self.divided(queries[1][i : i + 1], keys[1]),
                *self.divided(queries[1][i : i + 1], begin.k),
            )
            for i in range(len(queries[1].c))
        ]
        low, high, first_low, first_high = (
            np.stack([row[i] for row in rows]) for i in range(4)
        )
        return self._by_pair(
            queries[0], at_keys, low, high, first_low[:, 0], first_high[:, 0]
        )

    def _by_pair(
        self,
        queries: Labels,
        keys: Labels,
        low: Array,
        high: Array,
        first_low: Array,
        first_high: Array,
    ) -> PairScores:
        """The scores as a matrix over the query's labels and the key's own; what all positions
        share is the query's.
        """
        shared = tuple(x for x in keys if x[0] == 0)
        wide = tuple(sorted({*queries, *shared}))
        own = tuple(x for x in keys if x[0] == 1)
        index = np.indices(self.symbols.shape((*wide, *own)))
        labels = (*wide, *own)

        def number(part: Labels) -> Array:
            shape = self.symbols.shape(part)
            if not part:
                return np.zeros(index.shape[1:], dtype=np.int64)
            at = [index[labels.index(x)] for x in part]
            return np.ravel_multi_index(tuple(at), shape)

        q, k = number(queries), number(keys)
        pairs = PairTable.of(self.symbols, wide, own)
        shape = pairs.mask.shape
        q, k = q.reshape(shape), k.reshape(shape)
        return PairScores(
            pairs,
            low[q, k],
            high[q, k],
            first_low[q[:, 0]],
            first_high[q[:, 0]],
        )
