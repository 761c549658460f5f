"""What two tokens are compared by, as rows of a position and of the keys that it sees.

PairRows(symbols, labels)        rows over some labels
    .keys_of(apart)              what each key brings to the difference of two logits
    .condition(numbers, least)   that a sum of numbers of the claim is at least so much
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.head_linear import LinearHead
from handcraft.proof.lanes.last_heads import Apart
from handcraft.proof.lanes.least_mean import KeyValues, SumCondition
from handcraft.proof.lanes.pair_table import by_side
from handcraft.proof.lanes.summands import Summands
from handcraft.proof.lanes.symbols import Labels, Symbols, spread

_MOST_COMPARED = 400_000  # pairs of positions, for two tokens
_LARGEST = 2**50  # of weights and rests that are added up


class PairRows:
    """Rows over some labels: of the position that asks, and of the keys.

    possible  [n_query] True for the rows that can be asked
    there     [n_query, n_key] True for the pairs that can be
    """

    def __init__(self, symbols: Symbols, labels: Labels) -> None:
        self.labels = labels
        self.symbols = symbols
        self.queries, keys = by_side(labels)
        self.own, self.others = symbols.shape(self.queries), symbols.shape(keys)
        if np.prod((*self.own, *self.others)) > _MOST_COMPARED:
            raise Rejected("two tokens are compared in too many pairs")
        self.possible = symbols.possible(self.queries).reshape(-1)
        self.there = self._by_pair(symbols.possible(labels), labels)

    def _by_query(self, table: Array, labels: Labels) -> Array:  # -> [n_query]
        found = spread(table, labels, self.queries)
        return np.broadcast_to(found, self.own).reshape(-1)

    def _by_pair(self, table: Array, labels: Labels) -> Array:
        """[n_query, n_key] of a table over some of the labels."""
        found = spread(table, labels, self.labels)
        found = np.broadcast_to(found, (*self.own, *self.others))
        return found.reshape(len(self.possible), -1)

    def keys_of(self, apart: Apart) -> KeyValues:
        """What each key brings to the difference of two logits."""
        own = self._by_query(apart.own.low, apart.own.labels)
        none = np.zeros(len(own), dtype=bool)
        if apart.head is None or apart.keys is None:
            nothing = np.zeros(self.there.shape)
            all_keys = np.ones(self.there.shape, dtype=bool)
            return KeyValues(
                *(self.there, all_keys, nothing, np.zeros(len(own)), own),
                *(none, none, False, self.symbols.n),
            )
        low = self._by_pair(apart.keys.low, apart.keys.labels)
        first = np.full(len(own), apart.first)
        return self._weighed(apart.head, low, first, own)

    def _weighed(
        self, head: LinearHead, low: Array, first: Array, own: Array
    ) -> KeyValues:
        """The keys as a head weighs them."""
        pairs = head.pairs
        of_query = self.symbols.shape(pairs.queries)
        of_key = self.symbols.shape(pairs.keys)
        chosen = head.chosen.reshape((*of_query, *of_key))
        chosen = self._by_pair(chosen, (*pairs.queries, *pairs.keys))
        among, sure = (
            self._by_query(flags.reshape(of_query), pairs.queries)
            for flags in (head.among, head.sure)
        )
        if not head.mean:  # what has no share brings nothing
            low, chosen = np.where(chosen, low, 0.0), np.ones_like(chosen)
        return KeyValues(
            *(self.there, chosen, low, first, own),
            *(among, sure, head.mean, self.symbols.n),
        )

    def condition(
        self, added: Sequence[tuple[Summands, int]], least: int
    ) -> SumCondition:
        """The condition that a sum of numbers, each so many times, is at least so much."""
        weights: Array = np.zeros(self.there.shape, dtype=np.int64)
        rest: Array = np.zeros(len(self.possible), dtype=np.int64)
        largest = 0
        for number, factor in added:
            w, r = number.weights, number.rest
            weights = weights + factor * self._by_pair(w.table, w.labels)
            rest = rest + factor * self._by_query(r.table, r.labels)
            most = max(np.abs(w.table).max(), np.abs(r.table).max())
            largest += abs(factor) * int(most)
        if largest > _LARGEST:
            raise Rejected("the claim compares numbers that are too large")
        return self._divided(np.where(self.there, weights, 0), least - rest)

    def _divided(self, weights: Array, least: Array) -> SumCondition:
        """The condition with weights that have no common factor: what is at least 1 of a sum of
        threes is at least 3.
        """
        common = int(np.gcd.reduce(weights, axis=None)) or 1
        return SumCondition(weights // common, -(-least // common))
