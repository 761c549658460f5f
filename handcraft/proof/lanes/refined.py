"""What a head reads where a claim's choice may select nothing, and a head always selects something.

    keeps_to(one, other)   True if `one` selects the position that `other` selects, wherever that
                           selects any

A claim says nothing where nothing is found, and a head then reads the best of the rest. What both
read of a symbol is the same where the claim's choice is not Nowhere. That is so, query by query, if
what `other` may select stands for `one` in the same order, and all else below; or what stands
elsewhere never is the best, since another key that is there has the same token in front of a
greater level.
Rules of this file: keys are told apart by their index; what they have read is the same where both
have read it at one index that is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.levels import LevelTable
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    MOST_TABLE_ROWS,
    AxisLabel,
    Labels,
    Nowhere,
    Symbols,
    spread,
)


def learn_refined(choice: LevelTable, new: int, symbol: int) -> None:
    """Learn of what a choice reads that it is what others read, where those read any."""
    symbols = choice.symbols
    if symbols.texts is not None or not symbols.causal:
        return
    for other, known in enumerate(symbols.all[:new]):
        if known.choice is None or known.choice[1] != symbol:
            continue
        if known.choice[0] == choice.number:
            continue
        second = symbols.known["levels", known.choice[0]]
        if keeps_to(choice, second):
            _learn(symbols, (other, new), second.none_of(symbol))
        if keeps_to(second, choice):
            _learn(symbols, (new, other), choice.none_of(symbol))


def _learn(symbols: Symbols, pair: tuple[int, int], none: Nowhere) -> None:
    """The first is Nowhere, or both are the same."""
    a, b = (symbols.all[s].values for s in pair)
    fact = [[x == none or _same(x, y) for y in b] for x in a]
    symbols.learn(pair, np.array(fact))


def _same(a: object, b: object) -> bool:
    return (type(a) is str, a) == (type(b) is str, b)


def keeps_to(one: LevelTable, other: LevelTable) -> bool:
    """True if `one` selects the same position as `other` in all texts where that selects one."""
    if not _falls_back(one) or _falls_back(other):
        return False
    pairs = _Pairs.of(one, other)
    if pairs is None:
        return False
    return all(
        pairs.keeps(int(row))
        for row in np.flatnonzero(pairs.selected.any((1, 2)))
    )


def _falls_back(choice: LevelTable) -> bool:
    """True if it always selects something."""
    possible = choice.symbols.possible(choice.queries).reshape(-1)
    return bool((choice.sure[possible] >= 0).all())


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Two choices over the same queries, indices of keys and what is read there.

    levels    [n_query, n_index, n_value] of the one
    wanted    the same of the other, -1 where it does not select
    places    [n_index] where a key of the one has read its value, -1 where it is of no place
    """

    levels: Array
    wanted: Array
    places: Array

    @property
    def selected(self) -> Array:
        return np.array(self.wanted >= 0)

    @classmethod
    def of(cls, one: LevelTable, other: LevelTable) -> _Pairs | None:
        """Both, where they can be compared."""
        symbols = one.symbols
        index: AxisLabel = (1, AT_INDEX)
        read = [[x for x in c.keys if x != index] for c in (one, other)]
        queries = tuple(sorted({*one.queries, *other.queries}))
        if any(len(x) > 1 for x in read) or bool(read[0]) != bool(read[1]):
            return None
        size = prod(len(symbols.all[s].values) for _, s in queries)
        values = len(symbols.all[read[0][0][1]].values) if read[0] else 1
        if size * symbols.n * (values + 1) > MOST_TABLE_ROWS:
            return None
        if not read[0]:
            none = np.full(symbols.n, -1)
            wide = (*queries, index)
            a, b = (_table(c, wide)[..., None] for c in (one, other))
            return cls(a, b, none)
        return cls._read(one, other, queries, read[0][0], read[1][0])

    @classmethod
    def _read(
        cls,
        one: LevelTable,
        other: LevelTable,
        queries: Labels,
        a: AxisLabel,
        b: AxisLabel,
    ) -> _Pairs | None:
        """Both, where each reads one symbol of a key."""
        symbols = one.symbols
        first, second = _places(symbols, a[1]), _places(symbols, b[1])
        index: AxisLabel = (1, AT_INDEX)
        levels = _table(one, (*queries, index, a))
        wanted = _table(other, (*queries, index, b))
        if a == b:
            places = np.full(symbols.n, -1) if first is None else first[1]
            return cls(levels, wanted, places)
        if first is None or second is None or first[0] != second[0]:
            return None
        same = _at_one_place(first[1], second[1])
        if (wanted[:, ~same] >= 0).any():
            return None  # it may select what is another thing here
        numbers = {_key(x): i for i, x in enumerate(symbols.all[b[1]].values)}
        moved = np.full(levels.shape, -1, dtype=np.int64)
        for i, x in enumerate(symbols.all[a[1]].values):
            if (at := numbers.pop(_key(x), None)) is not None:
                moved[..., i] = wanted[..., at]
        if any((wanted[..., at] >= 0).any() for at in numbers.values()):
            return None  # a value that the other one does not have
        return cls(levels, moved, first[1])

    def keeps(self, row: int) -> bool:
        """True if one query selects what is wanted, wherever any is."""
        levels, wanted = self.levels[row], self.wanted[row]
        chosen = wanted >= 0
        own = levels[chosen]
        if own.min() < 0 or not _in_order(wanted[chosen], own):
            return False
        others = ~chosen & (levels >= own.min())
        first = int(np.flatnonzero(chosen.any(axis=1))[0])
        return all(
            self._never_best(levels, int(k), others[k], first)
            for k in np.flatnonzero(others.any(axis=1))
        )

    def _never_best(
        self, levels: Array, k: int, values: Array, first: int
    ) -> bool:
        """True if a key with one of these values never is the best where any key from `first` on is
        there: another one, not behind that, has the same value and a greater level.
        """
        if self.places[k] < 0:
            return False
        same = np.flatnonzero(self.places[: first + 1] == self.places[k])
        return any((levels[x] > levels[k])[values].all() for x in same)


def _at_one_place(a: Array, b: Array) -> Array:
    """True where two keys have read at one place."""
    return np.array((a == b) & (a >= 0))


def _in_order(wanted: Array, levels: Array) -> bool:
    """True if a greater number has a greater level."""
    order = np.lexsort((levels, wanted))
    a, b = wanted[order], levels[order]
    starts = np.flatnonzero(np.append(True, a[1:] != a[:-1]))
    least = np.minimum.reduceat(b, starts)
    most = np.maximum.reduceat(b, starts)
    return bool((least[1:] > most[:-1]).all())


def _key(value: object) -> object:
    if isinstance(value, Nowhere):
        return "nowhere", value.read
    return type(value) is str, value


def _table(choice: LevelTable, wide: Labels) -> Array:
    """[n_query, ...] the levels of a choice over wider labels, of which it has no others; -1 where
    a pair cannot be.
    """
    symbols = choice.symbols
    shape = symbols.shape(wide)
    levels = choice.levels.reshape(symbols.shape(choice.labels))
    whole = np.broadcast_to(spread(levels, choice.labels, wide), shape)
    possible = symbols.possible(tuple(sorted(wide)))
    order = [tuple(sorted(wide)).index(x) for x in wide]
    whole = np.where(np.transpose(possible, order), whole, -1)
    queries = tuple(x for x in wide if x[0] == 0)
    size = prod(len(symbols.all[s].values) for _, s in queries)
    return whole.reshape(size, *shape[len(queries) :])


def _places(symbols: Symbols, symbol: int) -> tuple[int, Array] | None:
    """The symbol that is read, and [n_index] where by a position with this index, -1 where it reads
    none; None where that is not known.
    """
    read = symbols.all[symbol].choice
    if read is None:
        return (symbol, np.arange(symbols.n))
    place = symbols.known["levels", read[0]].certain(AT_INDEX)
    if place is None or not set(place.labels) <= {(0, AT_INDEX)}:
        return None
    own = np.broadcast_to(place.table, (symbols.n,)).tolist()
    return read[1], np.array([-1 if isinstance(x, Nowhere) else x for x in own])
