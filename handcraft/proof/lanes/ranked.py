"""Counts that are ranks among some positions of a text with a prompt: no two have the same.

    ranks_at(symbols, symbol)   the sets of places at which a total is a rank
    ranks_by(symbols, labels, weights)
                                the same of the sum of weights

A position in an echo knows of its element what it has read there, and counts the elements that
belong before it. If that is a strict order of the elements, of any two one is before the other,
then each position has another count, and all counts from the least on are there.
Rules of this file: the order is checked for all pairs and triples of what elements can hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import less_axis, over
from handcraft.proof.lanes.ranked_places import (
    MOST_HELD,
    RankedPlaces,
    echo_places,
    least_in_order,
    whole_groups,
)
from handcraft.proof.lanes.ranked_sums import ranks_by_sums
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    Labels,
    Symbols,
    spread,
)


def ranks_at(symbols: Symbols, symbol: int) -> list[RankedPlaces]:
    """The sets of places at which a total is a rank; none for any other symbol."""
    key = "ranked", symbol
    if key not in symbols.known:
        symbols.known[key] = []  # while it is computed
        with symbols.of_asked(False):
            symbols.known[key] = _found(symbols, symbol)
    found: list[RankedPlaces] = symbols.known[key]
    return found


def _found(symbols: Symbols, symbol: int) -> list[RankedPlaces]:
    weights = symbols.known.get(("weights", symbol))
    if weights is None or symbols.all[symbol].asked:
        return []
    return ranks_by(symbols, *weights)


def ranks_by(
    symbols: Symbols, labels: Labels, numbers: Array
) -> list[RankedPlaces]:
    """The sets of places at which the sum of these weights is a rank."""
    if symbols.texts is None or symbols.asking:
        return []
    try:
        order = _Order.of(symbols, labels, numbers)
    except Rejected:
        return []
    if order is None:
        return ranks_by_sums(symbols, labels, numbers)
    groups = [order.group(echo) for echo in echo_places(symbols)]
    return whole_groups(groups)


@dataclass(frozen=True, eq=False)
class _Order:
    """The weights of a total, by the end, the query's index and what it has read of its element,
    and by the key's index and the same of the key.

    element  [n_end, n_index] the index that a query has read, -1 for none
    rows     [n_end, n_index, n_read ..., n_index, n_held ...]
    held     [n_end, n_index, n_held ...] True for what a key can hold
    read_as  of each symbol that is held, the number of each value as it is read, -1 for none
    """

    symbols: Symbols
    element: Array
    rows: Array
    held: Array
    read_as: list[Array]

    @classmethod
    def of(
        cls, symbols: Symbols, labels: Labels, numbers: Array
    ) -> _Order | None:
        """The weights; None where a query knows of its element in another way."""
        labels, numbers = _at_echoes(symbols, labels, numbers)
        reading = [s for side, s in labels if side == 0 and s > AT_END]
        choices = [symbols.all[s].choice for s in reading]
        held = sorted({c[1] for c in choices if c is not None})
        if any(symbols.all[s].asked for s in reading):
            return None
        if not reading or None in choices or len(held) < len(reading):
            return None
        if AT_INDEX in held or AT_END in held:
            return None
        reading.sort(key=lambda s: (symbols.all[s].choice or (0, 0))[1])
        wide: Labels = (
            *((0, AT_END), (0, AT_INDEX), *((0, s) for s in reading)),
            *((1, AT_INDEX), *((1, s) for s in held)),
        )
        if not set(labels) <= set(wide):
            return None
        shape = symbols.shape(wide)
        element = _element(symbols, reading)
        if element is None:
            return None
        rows = np.broadcast_to(spread(numbers, labels, wide), shape)
        kept = ((0, AT_END), (1, AT_INDEX), *((1, s) for s in held))
        return cls(
            symbols,
            element,
            rows,
            symbols.possible(kept),
            [
                _numbers(symbols, s, r)
                for s, r in zip(held, reading, strict=True)
            ],
        )

    def group(self, echo: Array) -> RankedPlaces:
        """The positions of one echo, of the ends for which the counts are ranks there."""
        there = np.zeros(self.element.shape, dtype=bool)
        first = np.zeros(len(there), dtype=np.int64)
        for e, own in enumerate(echo):
            places = np.flatnonzero(own)
            least = self._least(e, places) if len(places) else None
            if least is not None:
                there[e, places], first[e] = True, least
        return RankedPlaces(there, first)

    def _least(self, e: int, places: Array) -> int | None:
        """The least count at these places, if all are ranks; else None."""
        elements = self.element[e, places]
        if (elements < 0).any() or len(set(elements.tolist())) < len(places):
            return None
        if elements.max() > places.min():  # one may not be seen
            return None
        others = np.ones(self.element.shape[1], dtype=bool)
        others[elements] = False
        can = np.where(self._by_key(others), self.held[e], False)
        if (self.rows[e, places] != 0)[..., can].any():
            return None
        return self._of_pairs(e, places, elements)

    def _by_key(self, of_index: Array) -> Array:
        """Numbers of each index of a key, beside what it can hold."""
        return of_index.reshape(-1, *([1] * len(self.read_as)))

    def _of_pairs(self, e: int, places: Array, elements: Array) -> int | None:
        state = np.argwhere(self.held[e][elements])  # [n_state, 1 + n_held]
        if not len(state) or len(state) > MOST_HELD:
            return None
        at, values = state[:, 0], state[:, 1:].T
        read = [a[v] for a, v in zip(self.read_as, values, strict=True)]
        if any((x < 0).any() for x in read):
            return None
        counts = self.rows[e][
            (
                places[at][:, None],
                *(x[:, None] for x in read),
                elements[at][None, :],
                *(x[None, :] for x in values),
            )
        ]  # [n_state, n_state] who counts whom
        return least_in_order(counts, at)


def _at_echoes(
    symbols: Symbols, labels: Labels, numbers: Array
) -> tuple[Labels, Array]:
    """Weights without what the position itself holds, if that makes no difference in an echo."""
    place = (0, AT_END), (0, AT_INDEX)
    own = [x for x in labels if x[0] == 0 and not _is_read(symbols, x[1])]
    own = [x for x in own if x not in place]
    if not own:
        return labels, numbers
    wide = tuple(sorted({*labels, *place}))
    shape = symbols.shape(wide)
    numbers = np.broadcast_to(spread(numbers, labels, wide), shape)
    there = np.array(echo_places(symbols).any(axis=0))
    mask = symbols.possible(wide) & spread(there, place, wide)
    for label in own:
        fewer = less_axis(numbers, mask, wide.index(label))
        if fewer is None:
            return labels, numbers
        numbers, mask = fewer
        wide = tuple(x for x in wide if x != label)
    return wide, np.where(mask, numbers, 0)


def _is_read(symbols: Symbols, symbol: int) -> bool:
    return symbols.all[symbol].choice is not None


def _element(symbols: Symbols, reading: list[int]) -> Array | None:
    """[n_end, n_index] the index of the element that is read, the same of all these symbols."""
    wide = ((0, AT_INDEX), (0, AT_END))
    found: list[Array] = []
    for s in reading:
        choice: Any = symbols.known[
            "levels", (symbols.all[s].choice or (0,))[0]
        ]
        place = choice.certain(AT_INDEX)
        if place is None or not set(place.labels) <= set(wide):
            return None
        table = over(symbols, place, wide)
        found.append(
            np.array(
                [x if isinstance(x, int) else -1 for x in table.reshape(-1)]
            )
        )
    if any((x != found[0]).any() for x in found):
        return None
    return found[0].reshape(symbols.shape(wide)).T


def _numbers(symbols: Symbols, held: int, read: int) -> Array:
    """The number that each value of a symbol has among what is read of it, -1 for none."""
    place = {
        (type(x) is str, x): i for i, x in enumerate(symbols.all[read].values)
    }
    return np.array(
        [place.get((type(x) is str, x), -1) for x in symbols.all[held].values]
    )
