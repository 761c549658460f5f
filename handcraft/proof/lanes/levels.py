"""The levels of pairs of positions, as a table: who may select whom, and what is read there.

    LevelTable(symbols, form)   how each pair of positions stands: a level from 0 on, or -1
        .number                 of the choice; the same for two that always select the same
        .sure                   the level that some position surely has, by query
        .certain(symbol)        what is read of a symbol, where that is certain
        .facts_of(symbol)       what may be read of it, by query
    one_at_most                 True where each query selects one position at most

Choices that always select the same should be one, however they are written: so levels below one
that some position surely has are -1, and the others are numbered. What is known of the selected
position (the index that it is asked for) is that, and no symbol.
Rules of this file: positions are the same only where the index says so, or a rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.alike import alike
from handcraft.proof.lanes.by_end import by_end, key_values
from handcraft.proof.lanes.forms import (
    Form,
    as_key,
    as_objects,
    collapsed,
)
from handcraft.proof.lanes.pair_table import PairTable, by_side
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    MOST_TABLE_ROWS,
    Labels,
    Nowhere,
    Symbols,
    compared_in,
    spread,
)
from handcraft.proof.lanes.widened import kept_rows, places_of, widened

_MOST_HAVING = 20_000_000  # flags: what each key can have, by query


class LevelTable:
    """Which positions may be selected, by whole levels, -1 for what is never selected."""

    def __init__(
        self, symbols: Symbols, form: Form, *, asked_only: bool = False
    ) -> None:
        self.symbols = symbols
        self.asked_only = asked_only  # whether another one is the same
        if compared_in(symbols, form.labels):
            raise Rejected("a position is chosen by a comparison")
        form = _first_of_each(symbols, form)
        wide = widened(symbols, form.labels)
        if symbols.texts is not None and (0, AT_END) not in wide:
            form = by_end(symbols, form)
            wide = widened(symbols, form.labels)
        # where pairs are too many to be placed in a text, they are looked at by themselves
        placed = symbols.texts is not None and (0, AT_END) in wide
        form = self._settled_at(form, wide) if placed else self._settled(form)
        self.labels = form.labels
        self.queries, self.keys = by_side(self.labels)
        self.pairs = PairTable.of(symbols, self.queries, self.keys)
        levels = whole_numbers(form)
        levels = levels.reshape(self.pairs.mask.shape)
        self.levels = np.where(self.pairs.mask, levels, -1)
        self.sure = self.pairs.sure(self.levels)
        self.kept = self._kept()
        self.is_known = True  # False where no other one selects the same
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

    def _settled_at(self, form: Form, wide: Labels) -> Form:
        """The same over labels that stay: those of a text with a prompt."""
        shape = self.symbols.shape(wide)
        levels = spread(whole_numbers(form), form.labels, wide)
        levels = np.broadcast_to(levels, shape)
        pairs = PairTable.of(self.symbols, *by_side(wide))
        levels = np.where(pairs.mask, levels.reshape(pairs.mask.shape), -1)
        below = levels < pairs.sure(levels)[:, None]
        levels = _dense(np.where(below, -1, levels)).reshape(shape)
        if any(side == 1 and s > AT_END for side, s in wide):
            counts = places_of(self.symbols, wide, levels >= 0)
            wide, levels = alike(self.symbols, wide, levels, counts, -1)
        return Form(wide, levels)

    def _kept(self) -> tuple[Labels, Array, Array]:
        """The levels, in whole, without the labels that nothing depends on, and what can be."""
        shape = self.symbols.shape(self.labels)
        levels, mask = (
            self.levels.reshape(shape),
            self.pairs.mask.reshape(shape),
        )
        if self.symbols.texts is None:
            return self.labels, levels, mask
        return kept_rows(self.labels, levels, mask, -1)

    def _numbered(self) -> int:
        """The number of the choice: that of another one, where both always select the same."""
        if (known := self._of_index()) is not None:
            return known
        numbers: dict[Any, int] = self.symbols.choices
        labels, levels, _ = self.kept
        key = (self.symbols.asking, labels, as_key(levels))
        self.is_known = key in numbers
        if self.asked_only and not self.is_known:
            return -1
        return numbers.setdefault(key, len(numbers))

    def _of_index(self) -> int | None:
        """The choice whose index is what this one asks for: there(index) == that."""
        labels, levels, mask = self.kept
        if len(labels) != 2 or labels[1] != (1, AT_INDEX):
            return None
        asked = self.symbols.all[labels[0][1]]
        if asked.choice is None or asked.choice[1] != AT_INDEX:
            return None
        index = np.arange(self.symbols.n)
        values = asked.values
        wanted = np.array(
            [-1 if isinstance(x, Nowhere) else int(x) for x in values]
        )
        same = wanted[:, None] == index[None, :]
        if np.array_equal((levels >= 0) & mask, same & mask):
            return asked.choice[0]
        return None

    def certain(self, symbol: int) -> Form | None:
        """The symbol as a form of the query's symbols, where those decide it; else None."""
        asked = self.symbols.possible(self.queries).reshape(-1)
        if self.symbols.texts is not None:
            return self._only(symbol, asked)
        if (1, symbol) not in self.keys:
            if (self.levels[asked] >= 0).any():
                return None
            column = np.zeros(self.levels.shape[1], dtype=np.int64)
        else:
            column = self.pairs.column((1, symbol))
        values = self.symbols.all[symbol].values
        found: list[Any] = [self.none_of(symbol)] * len(asked)
        for row in np.flatnonzero(asked):
            may = np.unique(column[self.levels[row] >= 0])
            if len(may) > 1 or (len(may) and self.sure[row] < 0):
                return None
            if len(may):
                found[row] = values[may[0]]
        table = as_objects(found).reshape(self.symbols.shape(self.queries))
        return collapsed(self.symbols, Form(self.queries, table))

    def _only(self, symbol: int, asked: Array) -> Form | None:
        """The same, where of each query there is one value that it may read."""
        fact = self.facts_of(symbol)
        if (fact[asked].sum(axis=1) != 1).any():
            return None
        values = (*self.values_of(symbol), self.none_of(symbol))
        which = np.where(asked, fact.argmax(axis=1), len(values) - 1)
        table = as_objects([values[i] for i in which])
        table = table.reshape(self.symbols.shape(self.queries))
        return collapsed(self.symbols, Form(self.queries, table))

    def having(self, symbol: int) -> Array | None:
        """[n_query, n_key, n_value] True for what a key can have; None where that is too much."""
        wide = tuple(sorted({*self.keys, (1, symbol)}))
        shape = (*self.symbols.shape(self.queries), *self.symbols.shape(wide))
        size = len(self.values_of(symbol))
        if (1, symbol) in self.keys:
            column = self.pairs.column((1, symbol))
            return self.pairs.mask[..., None] & (
                column[:, None] == np.arange(size)
            )
        if np.prod(shape, dtype=np.int64) > MOST_TABLE_ROWS:
            return self._having_by_end(symbol)
        mask = self.symbols.possible((*self.queries, *wide)).reshape(shape)
        axis = len(self.queries) + wide.index((1, symbol))
        return np.moveaxis(mask, axis, -1).reshape(*self.levels.shape, size)

    def _having_by_end(self, symbol: int) -> Array | None:
        """The same by the end alone, where that is little enough."""
        known = key_values(self.symbols, self.keys, symbol)
        ends = (0, AT_END)
        if known is None or ends not in self.queries:
            return None
        if self.levels.size * known.shape[-1] > _MOST_HAVING:
            return None
        mask = known[self.pairs.row(ends)]  # [n_query, n_key, n_value]
        return np.array(mask & self.pairs.mask[..., None])

    def facts_of(self, symbol: int) -> Array:
        """[n_query, n_value + 1] True for what a query may read, Nowhere last."""
        size = len(self.symbols.all[symbol].values)
        fact = np.zeros((len(self.levels), size + 1), dtype=bool)
        fact[:, -1] = self.sure < 0
        if self.symbols.texts is not None and (1, symbol) not in self.keys:
            fact[:, :-1] = self._there(symbol)
            return fact
        if (1, symbol) in self.keys:
            rows, keys = np.nonzero(self.levels >= 0)
            fact[rows, self.pairs.column((1, symbol))[keys]] = True
        else:
            some: Array = np.array((self.levels >= 0).any(axis=1))
            fact[:, :-1] = some[:, None]
        return fact

    def _there(self, symbol: int) -> Array:
        """[n_query, n_value] True for what a position that may be selected can have."""
        mask = self.having(symbol)
        chosen: Array = np.array(self.levels >= 0)
        if mask is None:
            size = len(self.values_of(symbol))
            some: Array = np.array(chosen.any(axis=1))
            return np.repeat(some[:, None], size, axis=1)
        found: Array = mask & chosen[..., None]
        return np.array(found.any(axis=1))

    def values_of(self, symbol: int) -> tuple[Any, ...]:
        return self.symbols.all[symbol].values

    def none_of(self, symbol: int) -> Nowhere:
        """What is read of a symbol where no position is selected: it is no value of the symbol,
        which is older than what is read of it.
        """
        return Nowhere(self.number, symbol)


def one_at_most(symbols: Symbols, form: Form) -> bool:
    """True if each query selects one position at most: of those whose value is not below 0."""
    wide = widened(symbols, form.labels)
    pairs = PairTable.of(symbols, *by_side(wide))
    levels = np.broadcast_to(
        spread(whole_numbers(form), form.labels, wide), symbols.shape(wide)
    )
    chosen = (levels.reshape(pairs.mask.shape) >= 0) & pairs.mask
    return all(
        pairs.at_most_one(np.flatnonzero(row), i)
        for i, row in enumerate(chosen)
    )


def _first_of_each(symbols: Symbols, form: Form) -> Form:
    """Levels at each of which there is one position: of equals, the first is at the greatest."""
    labels = tuple(sorted({*form.labels, (1, AT_INDEX)}))
    shape, n = symbols.shape(labels), symbols.n
    whole = whole_numbers(form)
    # in few bytes, where these hold the greatest level
    few = (int(whole.max(initial=0)) + 1) * n < 2**31
    kind = np.int32 if few else np.int64
    own = spread(whole.astype(kind), form.labels, labels)
    index = np.arange(n, dtype=kind)
    later = symbols.place(labels, (1, AT_INDEX), n - 1 - index)
    levels = np.where(own < 0, kind(-1), own * kind(n) + later)
    return Form(labels, np.array(np.broadcast_to(levels, shape)))


def whole_numbers(form: Form) -> Array:
    """The table of a form whose values are whole numbers, not as objects."""
    if "table" in vars(form):
        whole = form.table.dtype != object
        return form.table if whole else form.table.astype(np.int64)
    numbers, values = form.numbered
    if not all(type(x) is int for x in values):
        return np.asarray(form.table, dtype=np.int64)
    return np.array(values, dtype=np.int64)[numbers]


def _dense(levels: Array) -> Array:  # [n_query, n_key] -> the same
    """The levels of each query in_numbers from 0 on."""
    found = np.full(levels.shape, -1, dtype=np.int32)  # fewer than a table has
    for row, own in enumerate(levels):
        kept = own >= 0
        if kept.any():
            found[row, kept] = np.unique(own[kept], return_inverse=True)[1]
    return found
