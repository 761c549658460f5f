"""The symbol of what a choice reads, with all that is known of it beside others.

    symbol_read(choice, symbol)   a new one: its values, and by query what may be read

What one choice reads is read at one position. What two read of a symbol at an index that is known
is the same where the indices are, and it is what the key with that index has.
Rules of this file: a fact may allow too much, never too little.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.forms import over
from handcraft.proof.lanes.levels import LevelTable
from handcraft.proof.lanes.links import linked
from handcraft.proof.lanes.picked_itself import learn_itself
from handcraft.proof.lanes.refined import learn_refined
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    Labels,
    LaneSymbol,
    Nowhere,
)


def symbol_read(choice: LevelTable, symbol: int) -> int:
    """A symbol of what can be read, and a fact on who reads it."""
    asked = choice.symbols.possible(choice.queries).reshape(-1)
    # a query that cannot be reads nothing
    fact: Array = choice.facts_of(symbol) & asked[:, None]
    may: Array = np.array(fact.any(axis=0))
    values = (*choice.values_of(symbol), choice.none_of(symbol))
    kept = tuple(
        x for x, is_one in zip(values, may.tolist(), strict=True) if is_one
    )
    everywhere = not choice.symbols.causal and all(
        choice.symbols.all[s].everywhere for _, s in choice.queries
    )
    new = choice.symbols.add(
        LaneSymbol(kept, everywhere, choice=(choice.number, symbol))
    )
    shape = (*choice.symbols.shape(choice.queries), len(kept))
    labels = (*(s for _, s in choice.queries), new)
    choice.symbols.learn(labels, fact[:, may].reshape(shape))
    learn_itself(choice, new, symbol)
    _beside(choice, new, symbol)
    _agrees(choice, new, symbol)
    learn_refined(choice, new, symbol)
    for own, weights, form in choice.symbols.totals:
        linked(choice.symbols, choice, new, (own, weights, form.labels[0][1]))
    return new


def _agrees(choice: LevelTable, new: int, symbol: int) -> None:
    """What is read at an index that is known is the same as another one reads there."""
    if choice.symbols.texts is None:
        return
    place = choice.certain(AT_INDEX)
    where = ((0, AT_INDEX), (0, AT_END))
    if place is None or not set(place.labels) <= set(where):
        return
    wide = tuple(sorted(where))
    none = Nowhere(-1, -1)
    at = [
        none if isinstance(x, Nowhere) else x
        for x in over(choice.symbols, place, wide).reshape(-1)
    ]
    key = "placed", choice.symbols.asking, symbol
    placed = choice.symbols.known.setdefault(key, [])
    for other, known in placed:
        same = np.array([a == b for a, b in zip(at, known, strict=True)])
        equal = [
            [_alike(a, b) for b in choice.values_of(other)]
            for a in choice.values_of(new)
        ]
        fact = ~same[:, None, None] | np.array(equal)[None]
        shape = (*choice.symbols.shape(wide), *fact.shape[1:])
        choice.symbols.learn(
            (*(s for _, s in wide), new, other), fact.reshape(shape)
        )
    placed.append((new, at))
    _is_there(choice, new, symbol, wide, at)


def _is_there(
    choice: LevelTable, new: int, symbol: int, wide: Labels, at: list[Any]
) -> None:
    """What is read at an index that is known is what the key with this index has."""
    index = np.arange(choice.symbols.n)
    places = np.array([-1 if isinstance(x, Nowhere) else x for x in at])
    there = (places[:, None] == index[None]).reshape(
        *choice.symbols.shape(wide), choice.symbols.n
    )
    own = np.array(
        [
            [not _alike(a, b) for b in choice.values_of(symbol)]
            for a in choice.values_of(new)
        ]
    )
    gone = np.array(
        [a == choice.none_of(symbol) for a in choice.values_of(new)], dtype=bool
    )
    choice.symbols.never(
        (*wide, (1, AT_INDEX)),
        there,
        ((0, new), (1, symbol)),
        own & ~gone[:, None],
    )


def _alike(a: Any, b: Any) -> bool:
    """True for the same value, each as its choice has it."""
    if isinstance(a, Nowhere) and isinstance(b, Nowhere):
        return a.read == b.read
    return bool(type(a) is type(b) and a == b)


def _beside(choice: LevelTable, new: int, symbol: int) -> None:
    """What is read at one position is read there together, or nowhere."""
    key = ("together", choice.symbols.asking, choice.number)
    together = choice.symbols.known.setdefault(key, [])
    for other, read in together:
        labels = tuple(sorted(((0, symbol), (0, read))))
        with choice.symbols.of_asked(False):  # it is any position
            fits = choice.symbols.possible(labels)
        fits = fits if labels[0] == (0, symbol) else fits.T
        fact = np.array(
            [
                [
                    _fit(choice, a, symbol, b, read, fits)
                    for b in choice.values_of(other)
                ]
                for a in choice.values_of(new)
            ]
        )
        choice.symbols.learn((new, other), fact)
    together.append((new, symbol))


def _fit(
    choice: LevelTable, a: Any, symbol: int, b: Any, read: int, fits: Array
) -> bool:
    gone = a == choice.none_of(symbol), b == choice.none_of(read)
    if any(gone):
        return all(gone)
    at = choice.values_of(symbol).index(a), choice.values_of(read).index(b)
    return bool(fits[at])
