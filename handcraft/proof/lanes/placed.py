"""Choices of a position whose index is known: by where the prompt ends and where is asked.

    PlacedChoice(symbols, places)   the choice of these positions
        .picked(symbol)             the symbol that is read there, as a form
    read_there(...)                 a value at such a position, or another one where it is nowhere

A table of all pairs grows with the third power of the length: by end, index and index of the key.
Where the index of the key is known, a table of that by end and index is enough, and what is read
there is a symbol: two choices of the same places read the same. It is used where texts are prompts.
Rules of this file: of such a symbol nothing is believed but that the text has it at that place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    as_objects,
    over,
    variable,
)
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AT_TOKEN,
    Labels,
    LaneSymbol,
    Nowhere,
    PromptTexts,
    Symbols,
)

# a claim made of these alone reads tokens at indices that are known
OF_PLACES = frozenset(
    (
        *("end", "here", "add", "subtract", "multiply", "divide", "modulo"),
        *("equal", "below", "both", "either", "negate", "least", "greatest"),
        *("cases", "lookup", "otherwise", "given", "token_at", "precedes"),
    )
)
WHERE: Labels = ((0, AT_INDEX), (0, AT_END))


def texts_of(symbols: Symbols) -> PromptTexts:
    """The texts of prompts. Raises Rejected for other ones."""
    if symbols.texts is None:
        raise Rejected("the texts are of no prompts")
    return symbols.texts


def asking_places(symbols: Symbols) -> Array:  # -> [n_end, n_index]
    """True for the places that can ask."""
    return np.array(symbols.possible(WHERE).T)


class PlacedChoice:
    """A choice by the index of the position.

    places   [n_end, n_index] of the query: the index that it selects, -1 for none
    telling  a symbol by which it is told whether there is one
    """

    def __init__(
        self, symbols: Symbols, places: Array, telling: int = AT_INDEX
    ) -> None:
        self.telling = telling
        asked = asking_places(symbols)
        if (places > np.arange(symbols.n))[asked].any():
            raise Rejected("a position is read that is not seen")
        self.symbols = symbols
        self.asked = asked
        self.places = np.where(asked, places, -1)
        key = "of places", symbols.asking, self.places.tobytes()
        self.number = symbols.choices.setdefault(key, len(symbols.choices))

    def picked(self, symbol: int) -> Form:
        """The symbol at the selected position."""
        if self.symbols.all[symbol].everywhere:
            return variable(self.symbols, symbol)
        key = "read at a place", self.number, symbol
        if key not in self.symbols.known:
            self.symbols.known[key] = (
                self._index() if symbol == AT_INDEX else self._read(symbol)
            )
        form: Form = self.symbols.known[key]
        return form

    def _index(self) -> Form:
        none = Nowhere(self.number, AT_INDEX)
        found = [none if x < 0 else int(x) for x in self.places.T.reshape(-1)]
        table = as_objects(found).reshape(self.places.T.shape)
        return Form(WHERE, table)

    def _read(self, symbol: int) -> Form:
        """A symbol of its own: one of the tokens that can stand at these places."""
        if symbol != AT_TOKEN:
            raise Rejected("what a position has found is read at a place")
        ends = range(len(self.places))
        may = np.any([self.tokens(e).any(axis=0) for e in ends], axis=0)
        values: list[Any] = [
            t
            for t, is_one in zip(
                (*self.symbols.alphabet, Nowhere(self.number, symbol)),
                may.tolist(),
                strict=True,
            )
            if is_one
        ]
        new = self.symbols.add(LaneSymbol(tuple(values)))
        self.symbols.known["reads", new] = self
        return variable(self.symbols, new)

    def tokens(self, end: int) -> Array:  # -> [n_index, n_token + 1]
        """True for the tokens that can be read at each place of texts with the end of this number;
        last where there is none.
        """
        there, places = texts_of(self.symbols).there[end], self.places[end]
        found = np.zeros((len(places), there.shape[1] + 1), dtype=bool)
        found[:, :-1] = there[np.maximum(places, 0)]
        found[places < 0, :-1] = False
        found[places < 0, -1] = True
        found[~self.asked[end]] = False
        return found


def read_there(value: Form, choice: PlacedChoice, default: Form) -> Form:
    """A value at the selected position, or the default."""
    symbols = choice.symbols
    if not set(value.labels) <= {(0, AT_TOKEN)}:
        raise Rejected("what a position has found is read at a place")
    gone = choice.asked & (choice.places < 0)
    others = over(symbols, default, WHERE).T[gone].tolist()
    kinds = {(type(x) is str, x) for x in others}
    if len(kinds) > 1:
        raise Rejected("what is read at no place is not always the same")
    other = others[0] if others else None
    tokens = variable(symbols, AT_TOKEN).table.tolist()
    row = dict(zip(tokens, over(symbols, value, ((0, AT_TOKEN),)), strict=True))
    return applied(
        symbols,
        lambda x: other if isinstance(x, Nowhere) else row[x],
        choice.picked(AT_TOKEN),
    )


def index_of_place(symbols: Symbols, place: Form, skipped: int) -> Array | None:
    """[n_end, n_index] the index of a place that a form asks for, -1 where that is none of the text
    or the first token; None where it depends on more than where is asked, or is no whole number.
    """
    if not set(place.labels) <= set(WHERE):
        return None
    if not all(x is None or type(x) is int for x in place.table.reshape(-1)):
        return None
    values = over(symbols, place, WHERE).T
    numbers = [
        -1
        if x is None or not skipped <= x < symbols.n + skipped
        else x - skipped
        for x in values.reshape(-1)
    ]
    found = np.array(numbers).reshape(values.shape)
    # what stands behind is not there yet
    return np.where(found <= np.arange(symbols.n), found, -1)


def said_at_places(
    symbols: Symbols, said: Form, end: int
) -> list[set[Any]] | None:  # -> [n_index]
    """What a form can be at each place of the texts with the end of this number, where it depends
    on such symbols alone; None for others.
    """
    known: dict[Any, PlacedChoice] = symbols.known
    if not said.labels or any(
        ("reads", s) not in known for _, s in said.labels
    ):
        return None
    may = [
        _of_values(symbols, s, known["reads", s].tokens(end))
        for _, s in said.labels
    ]
    numbers, values = said.numbered
    kinds: dict[bytes, set[Any]] = {}  # many places can have the same
    found: list[set[Any]] = []
    for i in range(symbols.n):
        key = b"".join(own[i].tobytes() for own in may)
        if key not in kinds:
            can = np.ix_(*(own[i] for own in may))
            kinds[key] = {values[x] for x in np.unique(numbers[can])}
        found.append(kinds[key])
    return found


def _of_values(symbols: Symbols, symbol: int, may: Array) -> Array:
    """[n_index, n_value] which values of such a symbol can be, by the tokens that can be."""
    numbers = {x: i for i, x in enumerate(symbols.alphabet)}
    at = [
        -1 if isinstance(x, Nowhere) else numbers[x]
        for x in symbols.all[symbol].values
    ]
    return np.array(may[:, at])
