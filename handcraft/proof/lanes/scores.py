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
            self._row(queries[1][i : i + 1], keys[1], begin.k)
            for i in range(len(queries[1].c))
        ]
        low, high, first_low, first_high = (
            np.stack([row[i] for row in rows]) for i in range(4)
        )
        return self._by_pair(
            queries[0], at_keys, low, high, first_low[:, 0], first_high[:, 0]
        )

    def _row(
        self, q: Zonotope, keys: Zonotope, first: Zonotope
    ) -> tuple[Array, Array, Array, Array]:
        """The scores of one query, all less one number that is the same for all: what the error of
        the query gives to the best key. Only differences of scores matter to a head, and two keys
        that are near each other get nearly the same of that error.
        """
        low, high = self.divided(q, keys)
        first_low, first_high = self.divided(q, first)
        if not len(low) or not q.radius.any():
            return low, high, first_low, first_high
        best = keys.c[int(np.argmax(low + high))]  # [d_match]
        return (
            *self._beside(q, keys, best, low, high),
            *self._beside(q, first, best, first_low, first_high),
        )

    def _beside(
        self, q: Zonotope, k: Zonotope, best: Array, low: Array, high: Array
    ) -> tuple[Array, Array]:
        """Scores whose part by the error of the query is that of the distance from a key."""
        root = math.sqrt(self.d_head)
        t = q.radius[0]
        whole, apart = np.abs(k.c) @ t, np.abs(k.c - best) @ t
        size = np.maximum(np.abs(low), np.abs(high))
        # the division rounds the score itself, not the difference
        error = size * (4 * self.floats.u + 2.0**-45) + self.floats.least
        error = error + (whole + apart) * 2.0**-45
        less = (whole - apart) / root
        return low + less - error, high - less + error

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
