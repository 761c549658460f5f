"""Choices: the one position that a position selects, by levels.

    Levels(symbols, form)   how each pair of positions stands: a level from 0 on, or -1
        .picked(symbol)     the symbol at the first of the positions of the greatest level, as a
                            form; Nowhere where all have -1
        .sure               the level that some position surely has, by query

Choices that always select the same should be one, however they are written: so levels below one
that some position surely has are -1, and the others are in_numbers. What is known of the selected
position (the index that it is asked for) is that, and no symbol.
Rules of this file: positions are the same only where the index says so, or a rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import (
    Form,
    as_objects,
    collapsed,
    variable,
)
from handcraft.proof.lanes.links import linked
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AxisLabel,
    Labels,
    LaneSymbol,
    Nowhere,
    Symbols,
    spread,
)


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
        index = np.indices(self.symbols.shape(labels))
        return index[labels.index(label)].reshape(-1)

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
        big = np.iinfo(np.int64).max
        worst = np.where(self.mask, levels, big)
        found = [worst.min(axis=1, initial=big)]  # any key: there is one
        found.append(
            np.where(self._itself(), levels, big).min(axis=1, initial=big)
        )
        fewest = self.fewest_seen()
        for label in self.keys:
            found += self._placed(label, worst, fewest)
        sures = [np.where(x == big, -1, x) for x in found]
        return np.maximum(np.max(sures, axis=0), -1)

    def _itself(self) -> Array:
        """True for pairs that may be a position and itself."""
        same = self.mask.copy()
        for side, s in self.keys:
            if side == 1 and (0, s) in self.queries:
                a, b = self.row((0, s)), self.column((1, s))
                same &= a[:, None] == b[None, :]
        return same

    def _placed(
        self, label: AxisLabel, worst: Array, fewest: Array
    ) -> list[Array]:
        """What the position with this index, or rank, has at least: one for each that is there."""
        big = np.iinfo(np.int64).max
        first = self.first(label)
        if first is None:
            return []
        place, found = self.column(label), []
        for at in range(first, first + self.symbols.n):
            level = worst[:, place == at].min(axis=1, initial=big)
            found.append(np.where(fewest > at - first, level, big))
        return found

    def first(self, label: AxisLabel) -> int | None:
        """The least index, or rank; None for a symbol that several positions may share."""
        if label[0] == 0:
            return None
        if label[1] == AT_INDEX:
            return 0
        return self.symbols.all[label[1]].first

    def at_most_one(self, columns: Array) -> bool:
        """True if of these keys of one query at most one can be there."""
        if not len(columns):
            return True
        return any(
            self.first(label) is not None
            and len(np.unique(self.column(label)[columns])) == 1
            for label in self.keys
        )


class Levels:
    """A choice among positions by whole levels, -1 for what is never selected."""

    def __init__(self, symbols: Symbols, form: Form) -> None:
        self.symbols = symbols
        form = self._settled(_first_of_each(symbols, form))
        self.labels = form.labels
        self.queries, self.keys = by_side(self.labels)
        self.pairs = PairTable.of(symbols, self.queries, self.keys)
        levels = whole_numbers(form)
        levels = levels.reshape(self.pairs.mask.shape)
        self.levels = np.where(self.pairs.mask, levels, -1)
        self.sure = self.pairs.sure(self.levels)
        self.number = self._numbered()

    def _settled(self, form: Form) -> Form:
        """The form of levels that stays the same when it is settled again."""
        for _ in range(4):
            queries, keys = by_side(form.labels)
            pairs = PairTable.of(self.symbols, queries, keys)
            levels = whole_numbers(form)
            levels = levels.reshape(pairs.mask.shape)
            levels = np.where(pairs.mask, levels, -1)
            below = levels < pairs.sure(levels)[:, None]
            levels = np.where(below, -1, levels)
            levels = _dense(levels)
            shape = self.symbols.shape(form.labels)
            new = collapsed(
                self.symbols, Form(form.labels, levels.reshape(shape))
            )
            if new.labels == form.labels:
                return new
            form = new
        return form

    def _numbered(self) -> int:
        """The number of the choice: that of another one, where both always select the same."""
        if (known := self._of_index()) is not None:
            return known
        numbers: dict[Any, int] = self.symbols.choices
        key = (self.labels, self.levels.tobytes())
        return numbers.setdefault(key, len(numbers))

    def _of_index(self) -> int | None:
        """The choice whose index is what this one asks for: there(index) == that."""
        if len(self.labels) != 2 or self.labels[1] != (1, AT_INDEX):
            return None
        asked = self.symbols.all[self.labels[0][1]]
        if asked.choice is None or asked.choice[1] != AT_INDEX:
            return None
        index = np.arange(self.symbols.n)
        values = asked.values
        wanted = np.array(
            [-1 if isinstance(x, Nowhere) else int(x) for x in values]
        )
        same = wanted[:, None] == index[None, :]
        if np.array_equal(
            (self.levels >= 0) & self.pairs.mask, same & self.pairs.mask
        ):
            return asked.choice[0]
        return None

    def picked(self, symbol: int) -> Form:
        """The symbol at the position that is selected."""
        first: Levels = self.symbols.known.setdefault(
            ("levels", self.number), self
        )
        if first is not self:  # it knows who asks
            return first.picked(symbol)
        if self.symbols.all[symbol].everywhere:
            places = self.picked(AT_INDEX).table.reshape(-1)
            if any(isinstance(x, Nowhere) for x in places):
                raise Rejected("what all positions share, read at none")
            return variable(self.symbols, symbol)
        if (known := self._certain(symbol)) is not None:
            return known
        key = ("picked", self.number, symbol)
        if key not in self.symbols.known:
            self.symbols.known[key] = self._new(symbol)
        return variable(self.symbols, self.symbols.known[key])

    def _certain(self, symbol: int) -> Form | None:
        """The symbol as a form of the query's symbols, where those decide it; else None."""
        asked = self.symbols.possible(self.queries).reshape(-1)
        if (1, symbol) not in self.keys:
            if (self.levels[asked] >= 0).any():
                return None
            column = np.zeros(self.levels.shape[1], dtype=np.int64)
        else:
            column = self.pairs.column((1, symbol))
        values = self.symbols.all[symbol].values
        found: list[Any] = [self._none(symbol)] * len(asked)
        for row in np.flatnonzero(asked):
            may = np.unique(column[self.levels[row] >= 0])
            if len(may) > 1 or (len(may) and self.sure[row] < 0):
                return None
            if len(may):
                found[row] = values[may[0]]
        table = as_objects(found).reshape(self.symbols.shape(self.queries))
        return collapsed(self.symbols, Form(self.queries, table))

    def _new(self, symbol: int) -> int:
        """A symbol of what can be read, and a fact on who reads it."""
        fact = self._fact(symbol)
        asked = self.symbols.possible(self.queries).reshape(-1)
        may: Array = np.array(fact[asked].any(axis=0))
        values = (*self._values(symbol), self._none(symbol))
        kept = tuple(
            x for x, is_one in zip(values, may.tolist(), strict=True) if is_one
        )
        everywhere = not self.symbols.causal and all(
            self.symbols.all[s].everywhere for _, s in self.queries
        )
        new = self.symbols.add(
            LaneSymbol(kept, everywhere, choice=(self.number, symbol))
        )
        shape = (*self.symbols.shape(self.queries), len(kept))
        labels = (*(s for _, s in self.queries), new)
        self.symbols.learn(labels, fact[:, may].reshape(shape))
        self._beside(new, symbol)
        for own, weights, form in self.symbols.known.get("totals", []):
            linked(self.symbols, self, new, (own, weights, form.labels[0][1]))
        return new

    def _beside(self, new: int, symbol: int) -> None:
        """What is read at one position is read there together, or nowhere."""
        key = ("together", self.number)
        together = self.symbols.known.setdefault(key, [])
        for other, read in together:
            labels = tuple(sorted(((0, symbol), (0, read))))
            fits = self.symbols.possible(labels)
            fits = fits if labels[0] == (0, symbol) else fits.T
            fact = np.array(
                [
                    [
                        self._fit(a, symbol, b, read, fits)
                        for b in self._values(other)
                    ]
                    for a in self._values(new)
                ]
            )
            self.symbols.learn((new, other), fact)
        together.append((new, symbol))

    def _values(self, symbol: int) -> tuple[Any, ...]:
        return self.symbols.all[symbol].values

    def _none(self, symbol: int) -> Nowhere:
        """What is read of a symbol where no position is selected: it is no value of the symbol,
        which is older than what is read of it.
        """
        return Nowhere(self.number, symbol)

    def _fit(self, a: Any, symbol: int, b: Any, read: int, fits: Array) -> bool:
        gone = a == self._none(symbol), b == self._none(read)
        if any(gone):
            return all(gone)
        at = self._values(symbol).index(a), self._values(read).index(b)
        return bool(fits[at])

    def _fact(self, symbol: int) -> Array:
        """[n_query, n_value + 1] True for what a query may read, Nowhere last."""
        size = len(self.symbols.all[symbol].values)
        fact = np.zeros((len(self.levels), size + 1), dtype=bool)
        fact[:, -1] = self.sure < 0
        for row, levels in enumerate(self.levels):
            chosen = levels >= 0
            if (1, symbol) in self.keys:
                fact[row, self.pairs.column((1, symbol))[chosen]] = True
            else:
                fact[row, :-1] = chosen.any()
        return fact


def one_at_most(symbols: Symbols, form: Form) -> bool:
    """True if each query selects one position at most: of those whose value is not below 0."""
    queries, keys = by_side(form.labels)
    pairs = PairTable.of(symbols, queries, keys)
    levels = whole_numbers(form)
    chosen = (levels.reshape(pairs.mask.shape) >= 0) & pairs.mask
    return all(pairs.at_most_one(np.flatnonzero(row)) for row in chosen)


def by_side(labels: Labels) -> tuple[Labels, Labels]:
    """The labels of the query, and those of the key."""
    queries = tuple(x for x in labels if x[0] == 0)
    return queries, tuple(x for x in labels if x[0] == 1)


def _first_of_each(symbols: Symbols, form: Form) -> Form:
    """Levels at each of which there is one position: of equals, the first is at the greatest."""
    labels = tuple(sorted({*form.labels, (1, AT_INDEX)}))
    shape, n = symbols.shape(labels), symbols.n
    own = spread(whole_numbers(form), form.labels, labels)
    later = symbols.place(labels, (1, AT_INDEX), n - 1 - np.arange(n))
    levels = np.where(own < 0, -1, own * n + later)
    return Form(labels, np.array(np.broadcast_to(levels, shape)))


def whole_numbers(form: Form) -> Array:
    """The table of a form whose values are whole numbers."""
    return np.asarray(form.table, dtype=np.int64)


def _dense(levels: Array) -> Array:  # [n_query, n_key] -> the same
    """The levels of each query in_numbers from 0 on."""
    found = np.full_like(levels, -1)
    for row, own in enumerate(levels):
        kept = own >= 0
        if kept.any():
            found[row, kept] = np.unique(own[kept], return_inverse=True)[1]
    return found
