"""Choices: the one position that a position selects, by levels.

    Levels(symbols, form)   how each pair of positions stands: a level from 0 on, or -1
        .picked(symbol)     the symbol at the first of the positions of the greatest level, as a
                            form; Nowhere where all have -1

What is read is a form of symbols that are known, where it is certain, the position's own, or a sum
over what stands up to a known index; else it is a symbol of its own (handcraft.proof.lanes.picked).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.alike import as_value_of, older_of, value_key
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    as_objects,
    composed,
    over,
    variable,
)
from handcraft.proof.lanes.levels import LevelTable
from handcraft.proof.lanes.picked import symbol_read
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AxisLabel,
    Labels,
    Nowhere,
    Symbols,
    spread,
)
from handcraft.proof.lanes.totals import total_form
from handcraft.proof.lanes.walked import is_walked
from handcraft.proof.lanes.widened import places_of


class Levels(LevelTable):
    """A choice among positions by whole levels, -1 for what is never selected."""

    telling = AT_INDEX

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
        place = ("read", self.symbols.asking, self.number, symbol)
        known: Form | None = self.symbols.known.get(place)
        known = self._known_form(symbol) if known is None else known
        if known is not None:
            self.symbols.known[place] = known
            return known
        key = ("picked", self.symbols.asking, self.number, symbol)
        if key not in self.symbols.known:
            moved = found_there(self, symbol)
            self.symbols.known[key] = (
                variable(self.symbols, symbol_read(self, symbol))
                if moved is None
                else moved
            )
        found: Form = self.symbols.known[key]
        return found

    def _known_form(self, symbol: int) -> Form | None:
        """The symbol at the selected position, where no symbol of its own is needed."""
        found = self.certain(symbol)
        if found is None and is_walked(self.symbols, symbol):
            found = found_there(self, symbol)
        if found is None and self.symbols.texts is not None:
            found = self._itself_at(symbol)
            if found is None:
                found = self._older(symbol)
            if found is None:
                found = self._otherwise(symbol)
        return found

    def _older(self, symbol: int) -> Form | None:
        """A symbol as an older one that is the same wherever a position may be selected; None
        without one.
        """
        if symbol <= AT_END:
            return None
        selected = self.levels.reshape(self.symbols.shape(self.labels)) >= 0
        counts = places_of(self.symbols, self.labels, selected)
        older = older_of(self.symbols, symbol, counts)
        if older is None:
            return None
        values = as_value_of(self.symbols, symbol)
        gone, none = self.none_of(older), self.none_of(symbol)
        first = self.values_of(symbol)[0]  # where there is none, no text is
        return applied(
            self.symbols,
            lambda x: none if x == gone else values.get(value_key(x), first),
            self.picked(older),
        )

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
        if not self.symbols.asking and "echoes" in self.symbols.known:
            return None  # an element is read in one way in the prompt and in its echo
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
        mask = self.having(symbol)  # [n_query, n_key, n_value]
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
            values[row] = self.values_of(symbol)[
                int(mask[row, below].any(0).argmax())
            ]
            levels[row, below] = -1
        return None if all(x is none for x in values) else (levels, values)


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
        if ("classes", symbol) in symbols.known:
            values = symbols.all[symbol].values
            return _one_of(symbols, values, Form(wide, found))
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


def _made(symbols: Symbols, symbol: int) -> tuple[Labels, Array, Any] | None:
    """The weights that a total is made of, the levels of a choice, or the classes of a derived
    symbol, and what is no selection.
    """
    if (classes := symbols.known.get(("classes", symbol))) is not None:
        return classes[0], classes[1].astype(object), None
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
