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

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.alike import alike
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    as_objects,
    collapsed,
    composed,
    over,
    variable,
)
from handcraft.proof.lanes.links import linked
from handcraft.proof.lanes.pair_table import PairTable, by_side
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    MOST_TABLE_ROWS,
    AxisLabel,
    Labels,
    LaneSymbol,
    Nowhere,
    Symbols,
    spread,
)
from handcraft.proof.lanes.totals import total_form
from handcraft.proof.lanes.widened import kept_rows, places_of, widened


class Levels:
    """A choice among positions by whole levels, -1 for what is never selected."""

    def __init__(
        self, symbols: Symbols, form: Form, *, asked_only: bool = False
    ) -> None:
        self.symbols = symbols
        self.asked_only = asked_only  # whether another one is the same
        form = _first_of_each(symbols, form)
        wide = widened(symbols, form.labels)
        if symbols.texts is not None and (0, AT_END) not in wide:
            raise Rejected("the pairs of a choice are too many to be placed")
        form = (
            self._settled(form)
            if symbols.texts is None
            else self._settled_at(form, wide)
        )
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
        key = (self.symbols.asking, labels, levels.tobytes())
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

    def picked(self, symbol: int) -> Form:
        """The symbol at the position that is selected."""
        first: Levels = self.symbols.known.setdefault(
            ("levels", self.number), self
        )
        if first is not self:  # it knows who asks
            return first.picked(symbol)
        if self.symbols.all[symbol].everywhere:
            if self.symbols.texts is not None:  # who reads it asks for a place
                return variable(self.symbols, symbol)
            places = self.picked(AT_INDEX).table.reshape(-1)
            if any(isinstance(x, Nowhere) for x in places):
                raise Rejected("what all positions share, read at none")
            return variable(self.symbols, symbol)
        if (known := self._known_form(symbol)) is not None:
            return known
        key = ("picked", self.symbols.asking, self.number, symbol)
        if key not in self.symbols.known:
            moved = found_there(self, symbol)
            self.symbols.known[key] = (
                variable(self.symbols, self._new(symbol))
                if moved is None
                else moved
            )
        form: Form = self.symbols.known[key]
        return form

    def _known_form(self, symbol: int) -> Form | None:
        """The symbol at the selected position, where no symbol of its own is needed."""
        found = self.certain(symbol)
        if found is None and self.symbols.texts is not None:
            found = self._itself_at(symbol)
            if found is None:
                found = self._otherwise(symbol)
        return found

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

    def _with(self, levels: Array, *, asked_only: bool = False) -> Levels:
        """The choice with other levels of the same pairs."""
        shape = self.symbols.shape(self.labels)
        form = Form(self.labels, levels.reshape(shape))
        return Levels(self.symbols, form, asked_only=asked_only)

    def _itself_at(self, symbol: int) -> Form | None:
        """A symbol where some queries surely read themselves: their own, and that of a choice which
        says nothing for them; None where there are no such queries.
        """
        place, index = self.certain(AT_INDEX), (0, AT_INDEX)
        if place is None or index not in self.queries:
            return None
        at = over(self.symbols, place, self.queries).reshape(-1)
        asked = self.symbols.possible(self.queries).reshape(-1)
        own = (at == self.pairs.row(index)) & asked
        if not own.any():
            return None
        mine = variable(self.symbols, symbol)
        if own[asked].all():
            return mine
        rest = self._with(np.where(own[:, None], -1, self.levels))
        flags = as_objects(own.tolist()).reshape(
            self.symbols.shape(self.queries)
        )
        gone, none = rest.none_of(symbol), self.none_of(symbol)
        return applied(
            self.symbols,
            lambda is_own, x, other: (
                x if is_own else none if other == gone else other
            ),
            Form(self.queries, flags),
            mine,
            rest.picked(symbol),
        )

    def _otherwise(self, symbol: int) -> Form | None:
        """A symbol of a choice that falls back to a known value: that of a known choice without
        the positions that have it, and the value where this selects none; None for any other.
        """
        found = self._fallback(symbol)
        if found is None:
            return None
        levels, values = found
        rest = self._with(levels, asked_only=True)
        if rest.number != self.number and rest.is_known:
            gone = rest.none_of(symbol)
            shape = self.symbols.shape(self.queries)
            return applied(
                self.symbols,
                lambda x, other: other if x == gone else x,
                rest.picked(symbol),
                Form(self.queries, as_objects(values).reshape(shape)),
            )
        return None

    def _fallback(self, symbol: int) -> tuple[Array, list[Any]] | None:
        """The levels without those at the bottom that all have one value of the symbol and of which
        one surely is there, and the value of each query; None where there are no such levels.
        """
        mask = self._having(symbol)  # [n_query, n_key, n_value]
        if mask is None:
            return None
        levels, none = self.levels.copy(), self.none_of(symbol)
        values: list[Any] = [none] * len(levels)
        for row in np.flatnonzero(self.sure >= 0):
            kept = np.flatnonzero(levels[row] >= 0)
            order = kept[np.argsort(levels[row, kept], kind="stable")]
            may = mask[row, order]  # [n_kept, n_value], the lowest first
            so_far = np.logical_or.accumulate(may, axis=0).sum(axis=1)
            cut = levels[row, order[so_far > 1]].min(initial=len(levels[row]))
            below = order[levels[row, order] < cut]
            if not len(below) or cut <= self.sure[row]:
                continue
            values[row] = self._values(symbol)[
                int(mask[row, below].any(0).argmax())
            ]
            levels[row, below] = -1
        return None if all(x is none for x in values) else (levels, values)

    def _having(self, symbol: int) -> Array | None:
        """[n_query, n_key, n_value] True for what a key can have; None where that is too much."""
        wide = tuple(sorted({*self.keys, (1, symbol)}))
        shape = (*self.symbols.shape(self.queries), *self.symbols.shape(wide))
        size = len(self._values(symbol))
        if (1, symbol) in self.keys:
            column = self.pairs.column((1, symbol))
            return self.pairs.mask[..., None] & (
                column[:, None] == np.arange(size)
            )
        if np.prod(shape, dtype=np.int64) > MOST_TABLE_ROWS:
            return None
        mask = self.symbols.possible((*self.queries, *wide)).reshape(shape)
        axis = len(self.queries) + wide.index((1, symbol))
        return np.moveaxis(mask, axis, -1).reshape(*self.levels.shape, size)

    def _only(self, symbol: int, asked: Array) -> Form | None:
        """The same, where of each query there is one value that it may read."""
        fact = self._fact(symbol)
        if (fact[asked].sum(axis=1) != 1).any():
            return None
        values = (*self._values(symbol), self.none_of(symbol))
        which = np.where(asked, fact.argmax(axis=1), len(values) - 1)
        table = as_objects([values[i] for i in which])
        table = table.reshape(self.symbols.shape(self.queries))
        return collapsed(self.symbols, Form(self.queries, table))

    def _new(self, symbol: int) -> int:
        """A symbol of what can be read, and a fact on who reads it."""
        fact = self._fact(symbol)
        asked = self.symbols.possible(self.queries).reshape(-1)
        may: Array = np.array(fact[asked].any(axis=0))
        values = (*self._values(symbol), self.none_of(symbol))
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
        self._agrees(new, symbol)
        for own, weights, form in self.symbols.totals:
            linked(self.symbols, self, new, (own, weights, form.labels[0][1]))
        return new

    def _agrees(self, new: int, symbol: int) -> None:
        """What is read at an index that is known is the same as another one reads there."""
        if self.symbols.texts is None:
            return
        place = self.certain(AT_INDEX)
        where = ((0, AT_INDEX), (0, AT_END))
        if place is None or not set(place.labels) <= set(where):
            return
        wide = tuple(sorted(where))
        none = Nowhere(-1, -1)
        at = [
            none if isinstance(x, Nowhere) else x
            for x in over(self.symbols, place, wide).reshape(-1)
        ]
        key = "placed", self.symbols.asking, symbol
        placed = self.symbols.known.setdefault(key, [])
        for other, known in placed:
            same = np.array([a == b for a, b in zip(at, known, strict=True)])
            equal = [
                [self._alike(a, b) for b in self._values(other)]
                for a in self._values(new)
            ]
            fact = ~same[:, None, None] | np.array(equal)[None]
            shape = (*self.symbols.shape(wide), *fact.shape[1:])
            self.symbols.learn(
                (*(s for _, s in wide), new, other), fact.reshape(shape)
            )
        placed.append((new, at))
        self._is_there(new, symbol, wide, at)

    def _is_there(
        self, new: int, symbol: int, wide: Labels, at: list[Any]
    ) -> None:
        """What is read at an index that is known is what the key with this index has."""
        index = np.arange(self.symbols.n)
        places = np.array([-1 if isinstance(x, Nowhere) else x for x in at])
        there = (places[:, None] == index[None]).reshape(
            *self.symbols.shape(wide), self.symbols.n
        )
        own = np.array(
            [
                [not self._alike(a, b) for b in self._values(symbol)]
                for a in self._values(new)
            ]
        )
        gone = np.array(
            [a == self.none_of(symbol) for a in self._values(new)], dtype=bool
        )
        self.symbols.never(
            (*wide, (1, AT_INDEX)),
            there,
            ((0, new), (1, symbol)),
            own & ~gone[:, None],
        )

    def _alike(self, a: Any, b: Any) -> bool:
        """True for the same value, each as its choice has it."""
        if isinstance(a, Nowhere) and isinstance(b, Nowhere):
            return a.read == b.read
        return bool(type(a) is type(b) and a == b)

    def _beside(self, new: int, symbol: int) -> None:
        """What is read at one position is read there together, or nowhere."""
        key = ("together", self.symbols.asking, self.number)
        together = self.symbols.known.setdefault(key, [])
        for other, read in together:
            labels = tuple(sorted(((0, symbol), (0, read))))
            with self.symbols.of_asked(False):  # it is any position
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

    def none_of(self, symbol: int) -> Nowhere:
        """What is read of a symbol where no position is selected: it is no value of the symbol,
        which is older than what is read of it.
        """
        return Nowhere(self.number, symbol)

    def _fit(self, a: Any, symbol: int, b: Any, read: int, fits: Array) -> bool:
        gone = a == self.none_of(symbol), b == self.none_of(read)
        if any(gone):
            return all(gone)
        at = self._values(symbol).index(a), self._values(read).index(b)
        return bool(fits[at])

    def _fact(self, symbol: int) -> Array:
        """[n_query, n_value + 1] True for what a query may read, Nowhere last."""
        size = len(self.symbols.all[symbol].values)
        fact = np.zeros((len(self.levels), size + 1), dtype=bool)
        fact[:, -1] = self.sure < 0
        if self.symbols.texts is not None and (1, symbol) not in self.keys:
            fact[:, :-1] = self._there(symbol)
            return fact
        for row, levels in enumerate(self.levels):
            chosen = levels >= 0
            if (1, symbol) in self.keys:
                fact[row, self.pairs.column((1, symbol))[chosen]] = True
            else:
                fact[row, :-1] = chosen.any()
        return fact

    def _there(self, symbol: int) -> Array:
        """[n_query, n_value] True for what a position that may be selected can have."""
        mask = self._having(symbol)
        chosen: Array = np.array(self.levels >= 0)
        if mask is None:
            size = len(self._values(symbol))
            some: Array = np.array(chosen.any(axis=1))
            return np.repeat(some[:, None], size, axis=1)
        found: Array = mask & chosen[..., None]
        return np.array(found.any(axis=1))


def found_there(choice: Levels, symbol: int) -> Form | None:
    """A total, or a choice, of the position that is selected, as one of the position that asks;
    None where that is not known: at an index that is known it is over what stands up to there.
    """
    symbols = choice.symbols
    made = _made(symbols, symbol)
    if symbols.texts is None or not symbols.asking or made is None:
        return None
    labels, table, nothing = made
    place = choice.certain(AT_INDEX)
    if place is None or any(
        isinstance(x, Nowhere)
        for x in place.table[symbols.possible(place.labels)]
    ):
        return None
    read = [_found(choice, place, label) for label in labels]
    try:
        wide, found = composed(symbols, labels, table, read, nothing)
        form = _up_to(symbols, Form(wide, found), place, nothing)
    except Rejected:
        return None
    values = symbols.all[symbol].values
    if nothing == 0:
        return _one_of(symbols, values, total_form(symbols, form))
    number, read_there = symbols.all[symbol].choice or (0, 0)
    own = Levels(symbols, form)
    gone = Nowhere(number, read_there)
    seen = applied(
        symbols,
        lambda x: gone if x == own.none_of(read_there) else x,
        own.picked(read_there),
    )
    return _one_of(symbols, values, seen)


def _one_of(symbols: Symbols, values: tuple[Any, ...], form: Form) -> Form:
    """A form that has these values alone in all texts: in a row with another one there is none."""
    known = {(type(x) is str, x) for x in values}
    return applied(
        symbols,
        lambda x: x if (type(x) is str, x) in known else values[0],
        form,
    )


def _made(symbols: Symbols, symbol: int) -> tuple[Labels, Array, int] | None:
    """The weights that a total is made of, or the levels of a choice, and what is no selection."""
    if (weights := symbols.known.get(("weights", symbol))) is not None:
        return (*weights, 0)
    if (chosen := symbols.all[symbol].choice) is not None:
        levels: Levels = symbols.known["levels", chosen[0]]
        return (*levels.kept[:2], -1)
    return None


def _found(choice: Levels, place: Form, label: AxisLabel) -> Form:
    """What a label of the selected position is: its own symbols are found there."""
    side, symbol = label
    if side == 1 or choice.symbols.all[symbol].everywhere:
        return variable(choice.symbols, symbol, side)
    return place if symbol == AT_INDEX else choice.picked(symbol)


def _up_to(symbols: Symbols, form: Form, place: Form, nothing: int) -> Form:
    """A table of pairs, with `nothing` at keys behind a place."""
    labels = tuple(sorted({*form.labels, *place.labels, (1, AT_INDEX)}))
    shape = symbols.shape(labels)
    table = np.broadcast_to(spread(form.table, form.labels, labels), shape)
    numbers = [-1 if isinstance(x, Nowhere) else x for x in place.table.flat]
    at = np.array(numbers, dtype=np.int64).reshape(place.table.shape)
    at = spread(at, place.labels, labels)
    index = symbols.place(labels, (1, AT_INDEX), np.arange(symbols.n))
    kept = np.where(index <= at, table, nothing)
    return Form(labels, as_objects(kept.reshape(-1).tolist()).reshape(shape))


def one_at_most(symbols: Symbols, form: Form) -> bool:
    """True if each query selects one position at most: of those whose value is not below 0."""
    queries, keys = by_side(form.labels)
    pairs = PairTable.of(symbols, queries, keys)
    levels = whole_numbers(form)
    chosen = (levels.reshape(pairs.mask.shape) >= 0) & pairs.mask
    return all(pairs.at_most_one(np.flatnonzero(row)) for row in chosen)


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
