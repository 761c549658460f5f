"""The pairs of a position that asks and one that it sees, as a matrix.

    PairTable   which pairs can be, and which level some position surely has
    by_side     labels of the one, and of the other

Rules of this file: positions are the same only where the index says so, or a rank.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.climbs import climbed
from handcraft.proof.lanes.ranked import ranks_at
from handcraft.proof.lanes.ranked_places import RankedPlaces
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AxisLabel,
    Labels,
    Symbols,
)

_GREATEST = np.iinfo(np.int64).max  # where there is no level


@dataclass(frozen=True, eq=False)
class PairTable:
    """The pairs of a query and a key as a matrix: queries in rows, keys in columns.

    queries, keys  their labels
    mask           [n_query, n_key] True where the pair can be
    """

    symbols: Symbols
    queries: Labels
    keys: Labels
    mask: Array
    _numbers: dict[tuple[Labels, AxisLabel], Array] = field(
        default_factory=dict
    )

    @classmethod
    def of(cls, symbols: Symbols, queries: Labels, keys: Labels) -> PairTable:
        """The pairs over these labels, those of queries first."""
        mask = symbols.possible((*queries, *keys))
        size = int(np.prod(symbols.shape(queries), dtype=np.int64))
        return cls(symbols, queries, keys, mask.reshape(size, -1))

    def column(self, label: AxisLabel) -> Array:  # -> [n_key]
        """The number of the value of a key's symbol, by key."""
        return self._read(self.keys, label)

    def row(self, label: AxisLabel) -> Array:  # -> [n_query]
        """The same of a query's, by query."""
        return self._read(self.queries, label)

    def _read(self, labels: Labels, label: AxisLabel) -> Array:
        key = labels, label
        if key not in self._numbers:
            index = np.indices(self.symbols.shape(labels))
            self._numbers[key] = index[labels.index(label)].reshape(-1)
        return self._numbers[key]

    def fewest_seen(self) -> Array:  # -> [n_query]
        """How many positions each query sees at least; 0 for one that cannot be."""
        label = (0, self.symbols.seen)
        labels = tuple(sorted({*self.queries, label}))
        mask = np.moveaxis(
            self.symbols.possible(labels), labels.index(label), -1
        )
        if label in self.queries:
            seen = self.symbols.number_seen()[self.row(label)]
            return np.where(
                self.symbols.possible(self.queries).reshape(-1), seen, 0
            )
        first = mask.argmax(axis=-1).reshape(-1)
        return np.where(mask.any(axis=-1).reshape(-1), first + 1, 0)

    def sure(self, levels: Array) -> Array:  # [n_query, n_key] -> [n_query]
        """The greatest level that some position surely has, or a greater one; -1 without one."""
        found = [self.least(levels, self.mask)]  # any key: there is one
        found.append(self.least(levels, self._itself()))
        fewest = self.fewest_seen()
        for label in self.keys:
            found += self._placed(label, levels, fewest)
        found += climbed(self.symbols, self, levels)
        found += self._ranked(levels)
        sures = [np.where(x == _GREATEST, -1, x) for x in found]
        return np.maximum(np.max(sures, axis=0), -1)

    def least(
        self, levels: Array, of: Array
    ) -> Array:  # [n_query, n_key], bool -> [n_query]
        """The least level of some keys of each query, the greatest number where there is none."""
        # without a copy of all levels
        return np.asarray(
            np.minimum.reduce(
                levels, axis=1, dtype=np.int64, initial=_GREATEST, where=of
            )
        )

    def _itself(self) -> Array:
        """True for pairs that may be a position and itself."""
        same = self.mask.copy()
        for side, s in self.keys:
            if side == 1 and (0, s) in self.queries:
                a, b = self.row((0, s)), self.column((1, s))
                same &= a[:, None] == b[None, :]
        return same

    def _placed(
        self, label: AxisLabel, levels: Array, fewest: Array
    ) -> list[Array]:
        """What the position with this index, or rank, has at least: one for each that is there."""
        first = self.first(label)
        if first is None:
            return []
        place, found = self.column(label), []
        for at in range(first, first + self.symbols.n):
            keys = np.flatnonzero(place == at)
            level = self.least(levels[:, keys], self.mask[:, keys])
            found.append(np.where(fewest > at - first, level, _GREATEST))
        return found

    def _ranked(self, levels: Array) -> list[Array]:
        """The same of ranks among some places, all of which the query sees."""
        big = _GREATEST
        found: list[Array] = []
        for places, column, keys in self._groups:
            level = np.full(len(self.mask), big)
            ends, index = self.row((0, AT_END)), self.row((0, AT_INDEX))
            for e in np.flatnonzero(places.there.any(axis=1)):
                at = np.flatnonzero(places.there[e])
                rows = np.flatnonzero((ends == e) & (index >= at[-1]))
                inside = places.there[e][keys]
                for rank in places.first[e] + np.arange(len(at)):
                    at_rank = np.ix_(rows, inside & (column == rank))
                    if self.mask[at_rank].size:
                        least = self.least(levels[at_rank], self.mask[at_rank])
                        known = level[rows]
                        level[rows] = np.where(
                            known == big,
                            least,
                            np.where(
                                least == big, known, np.maximum(known, least)
                            ),
                        )
            found.append(level)
        return found

    @cached_property
    def _groups(self) -> list[tuple[RankedPlaces, Array, Array]]:
        """Each set of places at which a key's symbol is a rank, with the number that each key has
        of it, and of its index; none where the pairs do not say which places they are.
        """
        where = {(0, AT_END), (0, AT_INDEX)} <= set(self.queries)
        if not where or (1, AT_INDEX) not in self.keys:
            return []
        index = self.column((1, AT_INDEX))
        return [
            (places, self.column(label), index)
            for label in self.keys
            for places in ranks_at(self.symbols, label[1])
        ]

    def first(self, label: AxisLabel) -> int | None:
        """The least index, or rank; None for a symbol that several positions may share."""
        if label[0] == 0:
            return None
        if label[1] == AT_INDEX:
            return 0
        return self.symbols.all[label[1]].first

    def at_most_one(self, columns: Array, query: int | None = None) -> bool:
        """True if of these keys of one query, if it is said which, at most one can be there."""
        if not len(columns):
            return True
        alone = any(
            self.first(label) is not None
            and len(np.unique(self.column(label)[columns])) == 1
            for label in self.keys
        )
        if alone or query is None or not self._groups:
            return alone
        end = self.row((0, AT_END))[query]
        return any(
            len(np.unique(column[columns])) == 1
            and places.there[end][keys[columns]].all()
            for places, column, keys in self._groups
        )

    def one_at_each(self, levels: Array, reached: Array) -> bool:
        """True if of the keys at one level of a query that are reached at most one can be there.

        levels, reached  [n_query, n_key]
        """
        rows, columns = np.nonzero(reached)
        if not len(rows):
            return True
        found = levels[rows, columns]
        order = np.lexsort((found, rows))
        group = np.stack([rows[order], found[order]])
        new = np.append(True, (np.diff(group) != 0).any(axis=0))
        starts, at = np.flatnonzero(new), columns[order]
        alone = np.zeros(len(starts), dtype=bool)
        for label in self.keys:
            if self.first(label) is not None:
                place = self.column(label)[at]
                least = np.minimum.reduceat(place, starts)
                alone |= least == np.maximum.reduceat(place, starts)
        return bool(alone.all())


def by_side(labels: Labels) -> tuple[Labels, Labels]:
    """The labels of the query, and those of the key."""
    queries = tuple(x for x in labels if x[0] == 0)
    return queries, tuple(x for x in labels if x[0] == 1)
