"""The token of the greatest number, two tokens at a time: no table has so many rows.

    MostByPairs(meaning, most)       the numbers of a claim `most`, as sums over keys
        .margin(stream)              the least margin of the right token, and the greatest error

Where the claim says x, the number of x is at least that of each other token y, and greater if y is
listed before x. So for each ordered pair the logit of x must be ahead of that of y on all texts in
which this holds of the two; of a y that is not listed, or where that is not enough, on all texts in
which the number of x, times how many are listed, is at least the sum of all of them.
Rules of this file: every token of the vocabulary is compared with every one that is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.last_heads import Apart, Bounded, LastHeads
from handcraft.proof.lanes.least_mean import SumCondition, KeyValues
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.pair_table import by_side
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.summands import (
    Summands,
    summands_of,
    whole_summands,
)
from handcraft.proof.lanes.symbols import MOST_TABLE_ROWS, Labels, spread
from handcraft.sequence.expression import Expression

_MOST_COMPARED = 400_000  # pairs of positions, for two tokens


class MostByPairs:
    """A claim `most`: its tokens, and the number of each."""

    def __init__(self, meaning: MeaningForms, most: Expression) -> None:
        self.symbols = meaning.symbols
        self.named = [str(token) for (token,), _ in most.table]
        if len(set(self.named)) < len(self.named) or len(self.named) != len(
            most.args
        ):
            raise Rejected("the claim names a token twice")
        found = [summands_of(meaning, x) for x in most.args]
        with self.symbols.of_asked(self.symbols.texts is not None):
            self.numbers = whole_summands(self.symbols, found)

    def margin(self, stream: LaneStream) -> tuple[float, float]:
        """The least margin of the right token, and the greatest error of a difference. Raises
        Rejected where it may not be ahead.
        """
        ids = stream.model.vocabulary.ids
        if not set(self.named) <= set(ids):
            raise Rejected("the claim may ask for what is no token")
        if len(stream.model.vocabulary.tokens) < 2:
            raise Rejected("there is a single token")
        listed = {ids[token]: i for i, token in enumerate(self.named)}
        least, error = np.inf, 0.0
        with self.symbols.of_asked(stream.asked is not None):
            heads = LastHeads(stream)
            for x, i in listed.items():
                for y in range(len(stream.wte)):
                    if y == x:
                        continue
                    apart = heads.apart(x, y)
                    pair = _Pair(self, stream, apart, i, listed.get(y))
                    least = min(least, pair.margin())
                    error = max(error, apart.error)
        if not np.isfinite(least):
            raise Rejected("the claim is silent on every context")
        return float(least), error

    def conditions(
        self, x: int, y: int | None
    ) -> Iterator[tuple[Sequence[tuple[int, int]], int]]:
        """What holds where the claim says the token of number x: multiples of numbers, of which the
        sum is at least so much. The second one is that of the pair y, if it is listed.
        """
        if y is not None:
            yield ((x, 1), (y, -1)), int(y < x)
        # each of those before is less by 1 at least
        every = [(z, -1) for z in range(len(self.named)) if z != x]
        yield ((x, len(every)), *every), x


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two tokens: the one that the claim says, and another one."""

    claim: MostByPairs
    stream: LaneStream
    apart: Apart
    x: int
    y: int | None

    def margin(self) -> float:
        """By how much the first is ahead, at least. Raises Rejected where it may not be."""
        worst = -np.inf
        for parts, least in self.claim.conditions(self.x, self.y):
            found = self._under(parts, least)
            if found > 0:
                return found
            worst = max(worst, found)
        raise Rejected(f"the margin may be {worst:.6g}")

    def _under(self, parts: Sequence[tuple[int, int]], least: int) -> float:
        """The least margin where this condition holds."""
        numbers = self.claim.numbers
        added = [(numbers[i], factor) for i, factor in parts]
        table = self._table(added)
        held = table.held(added, least)
        possible = table.possible
        return float(table.keys.least(held)[possible].min(initial=np.inf))

    def _table(self, added: Sequence[tuple[Summands, int]]) -> _Table:
        apart, symbols = self.apart, self.claim.symbols
        read = {*apart.own.labels}
        for number, _ in added:
            read |= {*number.weights.labels, *number.rest.labels}
        if apart.keys is not None and apart.head is not None:
            head = apart.head.pairs
            read |= {*apart.keys.labels, *head.queries, *head.keys}
        labels = tuple(sorted(read))
        if np.prod(symbols.shape(labels)) > _MOST_COMPARED:
            raise Rejected("two tokens are compared in too many pairs")
        return _Table.of(self.stream, apart, labels)


@dataclass(frozen=True, eq=False)
class _Table:
    """What two tokens are compared by: rows of a position, and of the keys that it sees.

    shapes  of the rows, and of the keys
    """

    labels: Labels
    possible: Array  # [n_query]
    keys: KeyValues
    shapes: tuple[tuple[int, ...], tuple[int, ...]]

    @classmethod
    def of(cls, stream: LaneStream, apart: Apart, labels: Labels) -> _Table:
        """The table over these labels."""
        symbols = stream.symbols
        queries, others = by_side(labels)
        shapes = symbols.shape(queries), symbols.shape(others)
        size = int(np.prod(shapes[0]))
        there = symbols.possible(labels).reshape(size, -1)
        possible = symbols.possible(queries).reshape(-1)
        both = shapes[0] + shapes[1]

        def rows(table: Bounded, of: Labels, shape: tuple[int, ...]) -> Array:
            found = spread(table.low, table.labels, of)
            return np.broadcast_to(found, shape)

        own = rows(apart.own, queries, shapes[0]).reshape(-1)
        none = np.zeros(size, dtype=bool)
        head, n = apart.head, symbols.n
        if head is None or apart.keys is None:
            keys = KeyValues(
                there,
                np.ones_like(there),
                np.zeros(there.shape),
                np.zeros(size),
                own,
                none,
                none,
                False,
                n,
            )
            return cls(labels, possible, keys, shapes)
        pairs = head.pairs
        order = (*pairs.queries, *pairs.keys)
        chosen = head.chosen.reshape(symbols.shape(order))
        chosen = np.broadcast_to(spread(chosen, order, labels), both)
        low = rows(apart.keys, labels, both).reshape(there.shape)
        chosen = chosen.reshape(there.shape)

        def of_query(flags: Array) -> Array:
            flags = flags.reshape(symbols.shape(pairs.queries))
            flags = spread(flags, pairs.queries, queries)
            return np.broadcast_to(flags, shapes[0]).reshape(-1)

        first = np.full(size, apart.first)
        among, sure = of_query(head.among), of_query(head.sure)
        if not head.mean:  # what is not summed brings nothing
            low, chosen = np.where(chosen, low, 0.0), np.ones_like(chosen)
        keys = KeyValues(
            there, chosen, low, first, own, among, sure, head.mean, n
        )
        return cls(labels, possible, keys, shapes)

    def held(
        self, added: Sequence[tuple[Summands, int]], least: int
    ) -> SumCondition:
        """The condition that a sum of numbers, each so many times, is at least so much."""
        queries, _ = by_side(self.labels)
        both = self.shapes[0] + self.shapes[1]
        weights: Array = np.zeros(both, dtype=np.int64)
        rest: Array = np.zeros(self.shapes[0], dtype=np.int64)
        for number, factor in added:
            table = number.weights
            weights = weights + factor * spread(
                table.table, table.labels, self.labels
            )
            other = number.rest
            rest = rest + factor * spread(other.table, other.labels, queries)
        if max(np.abs(weights).max(), np.abs(rest).max()) > MOST_TABLE_ROWS:
            raise Rejected("the claim compares numbers that are too large")
        rows = self.keys.there.shape
        return SumCondition(weights.reshape(rows), least - rest.reshape(-1))
