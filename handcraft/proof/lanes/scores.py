"""The scores of a head, pair by pair: intervals that hold whatever the floats are.

    PairScores                 the scores of all pairs of a query and a key, and of the first token
    HeadScores(...).of(...)    these, of what queries and keys can hold

Rules of this file: every score is bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Floats, Zonotope
from handcraft.proof.lanes.pair_table import PairTable
from handcraft.proof.lanes.symbols import Labels, Symbols, TooManyRows

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
    there: bool = True


def no_begin(width: int, values: int) -> Begin:
    """What is offered where texts have no first token of their own: nothing."""
    none = Zonotope.of(np.zeros((1, width)))
    return Begin(none, none, Zonotope.of(np.zeros((1, values))), there=False)


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
        less = shared_in(q, k)
        low, high = low + less, high - less
        return self.by_root(low, high)

    def by_root(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Intervals of scores, after the division by the root of the width."""
        root = math.sqrt(self.d_head)
        error = 4 * (self.floats.u + 2.0**-52)

        def divided(x: Array, sign: float) -> Array:
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

        return divided(low, -1.0), divided(high, 1.0)

    def of(
        self,
        queries: tuple[Labels, Zonotope],
        keys: tuple[Labels, Zonotope],
        begin: Begin,
        wider: Labels = (),
    ) -> PairScores:
        """The scores of all pairs, over the query's labels and the key's own, and those that are
        named; what all positions share is the query's. Raises Rejected where there are too many.
        """
        of_keys = tuple(sorted({*keys[0], *wider}))
        at_keys = tuple(self.symbols.label(1, s) for _, s in of_keys)
        shared = tuple(x for x in at_keys if x[0] == 0)
        wide = tuple(sorted({*queries[0], *shared}))
        own = tuple(x for x in at_keys if x[0] == 1)
        pairs = PairTable.of(self.symbols, wide, own)
        if pairs.mask.size > _MOST_SCORED:
            raise TooManyRows("a head compares too many pairs")
        of_query = row_numbers(self.symbols, wide, queries[0])
        of_shared = row_numbers(self.symbols, wide, shared)
        all_keys = (*shared, *own)
        by_shared = row_numbers(self.symbols, all_keys, at_keys)
        by_shared = by_shared.reshape(-1, pairs.mask.shape[1])
        by_shared = row_numbers(self.symbols, of_keys, keys[0])[by_shared]
        low, high = np.zeros(pairs.mask.shape), np.zeros(pairs.mask.shape)
        first = np.full((2, len(pairs.mask)), -np.inf)
        asked = self.symbols.possible(wide).reshape(-1)
        asked = np.flatnonzero(asked)  # others are of no position
        for j in np.unique(of_shared[asked]):
            known: dict[Any, int] = {}
            for row in asked[of_shared[asked] == j]:
                q = queries[1][of_query[row] : of_query[row] + 1]
                same = known.setdefault(
                    (q.c.tobytes(), q.radius.tobytes()), row
                )
                low[row], high[row], first[0, row], first[1, row] = (
                    self.row(q, keys[1], begin, by_shared[j])
                    if same == row
                    else (low[same], high[same], *first[:, same])
                )
        return PairScores(pairs, low, high, first[0], first[1])

    def row(
        self,
        q: Zonotope,
        keys: Zonotope,
        begin: Begin,
        rows: Array | slice = slice(None),
    ) -> tuple[Array, Array, float, float]:
        """The scores of one query and of keys in some rows, all less one number that is the same
        for all: what the error of the query gives to the best key. Only differences of scores
        matter to a head, and two keys that are near each other get nearly the same of that error.
        Where there is no first token, it stands below all keys.
        """
        q, keys, first_key = _where_asked(q, keys, begin.k)
        keys = keys[rows]
        scores = self.divided(q, keys)
        first = self.divided(q, first_key)
        if len(scores[0]) and q.radius.any():
            best = keys.c[int(np.argmax(scores[0] + scores[1]))]  # [d_match]
            scores = self._beside(q, keys, best, *scores)
            first = self._beside(q, first_key, best, *first)
        if not begin.there:
            return (*scores, -np.inf, -np.inf)
        return (*scores, float(first[0][0]), float(first[1][0]))

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


def _where_asked(
    q: Zonotope, keys: Zonotope, first: Zonotope
) -> tuple[Zonotope, Zonotope, Zonotope]:  # [1, m], [n, m], [1, m]
    """The columns in which a query is not exactly 0: elsewhere it adds exactly 0 to each score, of
    keys that are numbers.
    """
    asked = np.flatnonzero((q.c[0] != 0) | (q.radius[0] != 0))
    most = q.c.shape[1] // 2  # where more are left, a copy of them costs more
    if len(asked) > most or not (keys.finite and first.finite):
        return q, keys, first
    return q[:, asked], keys[:, asked], first[:, asked]


def shared_in(q: Zonotope, k: Zonotope) -> Array:  # [1, m], [n, m] -> [n]
    """By how much less the errors that the lanes of a key share can move its score than as many
    errors, each of one lane.
    """
    b = q.c[0]  # [m]
    apart = np.abs(k.g).sum(axis=2) @ np.abs(b)
    whole = np.abs(np.einsum("m,nme->ne", b, k.g)).sum(axis=1)
    less = (apart - whole) - apart * 2.0**-40
    return np.asarray(np.where(less > 0, less, 0.0))


def row_numbers(
    symbols: Symbols, labels: Labels, part: Labels
) -> Array:  # -> [n_row]
    """The row of a table over some of the labels, for each row of one over all."""
    shape = symbols.shape(labels)
    if not part:
        return np.zeros(int(np.prod(shape, dtype=np.int64)), dtype=np.int64)
    index = np.indices(shape)
    at = tuple(index[labels.index(x)] for x in part)
    found = np.ravel_multi_index(at, symbols.shape(part))
    return np.array(found.reshape(-1))
