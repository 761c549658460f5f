"""Heads that sum over too many pairs, scored by comparisons: one interval for all pairs of values
of a symbol that are in the same order.

    compared_scores(head, queries, keys, begin)   the scores of such a head; None for any other

The scores of all pairs are computed, as products of matrices, but only the least and the greatest
of each comparison are kept. So a head that counts "as much, and further on the left" is read where
a number and a place of both positions make millions of pairs.
Rules of this file: each pair that can be is inside of the interval of its row and comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import (
    ANY,
    UP,
    Floats,
    Rejected,
    Zonotope,
    grid,
)
from handcraft.proof.lanes.compared import comparison_of, is_compared, sign_of
from handcraft.proof.lanes.derived import count_rows
from handcraft.proof.lanes.head_sum import is_sum
from handcraft.proof.lanes.pair_table import PairTable, by_side
from handcraft.proof.lanes.scores import Begin, HeadScores, PairScores
from handcraft.proof.lanes.symbols import (
    MOST_TABLE_ROWS,
    SIGNS,
    AxisLabel,
    Labels,
    Symbols,
)

_MOST_COMPARED = 2**25  # pairs that are scored

HeadRows = tuple[Labels, Zonotope]


def compared_scores(
    head: HeadScores, queries: HeadRows, keys: HeadRows, begin: Begin
) -> PairScores | None:
    """The scores by comparisons, where pairs are too many to be looked at each by itself."""
    symbols = head.symbols
    if not symbols.few or symbols.causal or symbols.texts is not None:
        return None
    pairs = count_rows(symbols, queries[0]) * count_rows(symbols, keys[0])
    if not MOST_TABLE_ROWS < pairs <= _MOST_COMPARED or not begin.there:
        return None
    both = [x[1] for x in queries[0] if x in keys[0]]
    both = [s for s in both if is_compared(symbols, s)]
    if len(both) != 1 or any(symbols.all[s].everywhere for _, s in keys[0]):
        return None
    found = _ScoredRows.of(head, queries, keys, both[0]).scores(begin)
    return found if is_sum(found, begin) else None


@dataclass(frozen=True, eq=False)
class _ScoredRows:
    """Queries and keys with a row for each value of the symbol that is compared, beside others.

    queries, keys    [n_other, n_value] the numbers of their rows
    asked, there     [n_other, n_value] True for the rows that can be
    """

    head: HeadScores
    labels: tuple[Labels, Labels]
    rows: tuple[Zonotope, Zonotope]
    queries: Array
    keys: Array
    asked: Array
    there: Array
    symbol: int

    @classmethod
    def of(
        cls, head: HeadScores, queries: HeadRows, keys: HeadRows, symbol: int
    ) -> _ScoredRows:
        """Rows of queries and keys by this symbol."""
        label = 0, symbol
        one, asked = _by_value(head.symbols, queries[0], label)
        other, there = _by_value(head.symbols, keys[0], label)
        rest = tuple(x for x in queries[0] if x != label)
        at_key = tuple((1, s) for _, s in keys[0] if s != symbol)
        rows = queries[1].plain(), keys[1].plain()
        return cls(head, (rest, at_key), rows, one, other, asked, there, symbol)

    def scores(self, begin: Begin) -> PairScores:
        """The least and the greatest score of each row and comparison."""
        head, shape = self.head, (len(self.queries), len(self.keys), len(SIGNS))
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        first = np.full((2, len(self.queries)), np.inf)
        scored = _Products.of(head.floats, self.rows[0], self.rows[1])
        of_first = _Products.of(head.floats, self.rows[0], begin.k.plain())
        for i, own in enumerate(self.queries):
            asked = self.asked[i]
            if not asked.any():
                continue
            low[i], high[i] = self._of_signs(
                *head.by_root(*scored.bounds(own)), asked
            )
            a, b = head.by_root(*of_first.bounds(own[asked]))
            first[:, i] = a.min(), -b.max()
        return self._as_pairs(low, high, first[0], -first[1])

    def _of_signs(
        self, low: Array, high: Array, asked: Array
    ) -> tuple[Array, Array]:  # [n_value, n_key], ... -> [n_other, n_sign]
        """The intervals of one row of queries, by comparison."""
        size, order = len(asked), self.keys.reshape(-1)
        sign = sign_of(size)[:, None, :]
        can = asked[:, None, None] & self.there[None]  # [value, other, value]
        low, high = (x[:, order].reshape(can.shape) for x in (low, high))
        found = np.zeros((2, len(self.keys), len(SIGNS)))
        for i in range(len(SIGNS)):
            own = can & (sign == i)
            found[0, :, i] = np.where(own, low, np.inf).min(axis=(0, 2))
            found[1, :, i] = np.where(own, high, -np.inf).max(axis=(0, 2))
        return found[0], found[1]

    def _as_pairs(
        self, low: Array, high: Array, first_low: Array, first_high: Array
    ) -> PairScores:
        """Scores [n_query, n_other, n_sign] over labels of pairs, in their order."""
        symbols = self.head.symbols
        compared = 1, comparison_of(symbols, self.symbol)
        labels = (*self.labels[0], *self.labels[1], compared)
        wide = tuple(sorted(labels))
        order = [labels.index(x) for x in wide]
        shape = symbols.shape(labels)
        low, high = (
            np.transpose(x.reshape(shape), order).reshape(len(first_low), -1)
            for x in (low, high)
        )
        pairs = PairTable.of(symbols, *by_side(wide))
        mask = pairs.mask & (low <= high)  # others are no pairs
        pairs = PairTable(symbols, pairs.queries, pairs.keys, mask)
        return PairScores(pairs, low, high, first_low, first_high)


def _by_value(
    symbols: Symbols, labels: Labels, label: AxisLabel
) -> tuple[Array, Array]:  # -> [n_other, n_value], [n_other, n_value]
    """The rows of a table by one of its labels, and which of them can be."""
    shape = symbols.shape(labels)
    rows = np.arange(int(np.prod(shape))).reshape(shape)
    axis, size = labels.index(label), len(symbols.all[label[1]].values)
    rows, there = (
        np.moveaxis(x, axis, -1).reshape(-1, size)
        for x in (rows, symbols.possible(labels))
    )
    return rows, there


@dataclass(frozen=True, eq=False)
class _Products:
    """The products of rows of queries and keys, as a model computes them.

    finest  the power of two that each term whose factors are known exactly is a multiple of
    """

    floats: Floats
    q: Zonotope
    k: Zonotope
    finest: float

    @classmethod
    def of(cls, floats: Floats, q: Zonotope, k: Zonotope) -> _Products:
        """All of them."""
        finest = grid(q.c).min(axis=0) + grid(k.c).min(axis=0)
        return cls(floats, q, k, float(finest.min(initial=ANY)))

    def bounds(
        self, rows: Array
    ) -> tuple[Array, Array]:  # [n] -> [n, n_key], [n, n_key]
        """The least and the greatest product of some queries with each key, before the division."""
        b, t, a, s = self.q.c[rows], self.q.r[rows], self.k.c, self.k.r
        terms, u = a.shape[1], self.floats.u
        c = b @ a.T
        off, known = np.zeros_like(c), np.ones(c.shape, dtype=bool)
        if s.any() or t.any():
            off = (np.abs(b) + t) @ s.T + t @ np.abs(a).T
            known = ~(_is((b != 0) | (t > 0)) @ _is(s > 0).T > 0)
            known &= ~(_is(t > 0) @ _is((a != 0) | (s > 0)).T > 0)
        size = np.abs(b) @ np.abs(a).T + off
        exact = known & self.floats.exact(size, np.array(self.finest))
        gamma = self.floats.gamma(terms) * size
        rounded = gamma + (u + 2.0**-50) * (np.abs(c) + off + gamma)
        error = np.where(exact, 0.0, rounded + (terms + 1) * self.floats.least)
        r = (off + error) * UP
        if not (np.isfinite(c).all() and np.isfinite(r).all()):
            raise Rejected("a score is out of range")
        return c - r, c + r


def _is(flags: Array) -> Array:
    """1.0 where a flag is True."""
    return flags.astype(np.float64)
