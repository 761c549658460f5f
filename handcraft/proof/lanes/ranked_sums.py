"""Counts that are ranks where who counts has found a sum, and so has who is counted.

    ranks_by_sums(symbols, labels, weights)   the sets of places at which the sum of these weights
                                              is a rank

A position in one echo counts positions in an earlier one, each of which stands for an element. Both
have found something of their element: a token of it, or how many elements are like it. It is the
same at both of its positions, if both find it in the same way and see all that it is found in. So
what a position of an element counts depends on two elements, as a rank does.
Rules of this file: that it is the same is checked for all values of what it is found by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import over
from handcraft.proof.lanes.ranked_places import (
    MOST_HELD,
    RankedPlaces,
    echo_places,
    least_in_order,
    whole_groups,
)
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AxisLabel,
    Labels,
    Symbols,
    spread,
)

_WHERE = (AT_INDEX, AT_END)


def ranks_by_sums(
    symbols: Symbols, labels: Labels, numbers: Array
) -> list[RankedPlaces]:
    """The sets of places at which the sum of these weights is a rank."""
    own = {s for side, s in labels if side == 0 and s not in _WHERE}
    held = {s for side, s in labels if side == 1 and s not in _WHERE}
    if not own or own != held or any(symbols.all[s].asked for s in own):
        return []
    try:
        order = _SumOrder.of(symbols, sorted(own), labels, numbers)
    except Rejected:
        return []
    if order is None:
        return []
    echoes = echo_places(symbols)
    return whole_groups(
        [
            order.group(echo, earlier)
            for i, echo in enumerate(echoes)
            for earlier in echoes[:i]
        ]
    )


@dataclass(frozen=True, eq=False)
class _SumOrder:
    """The weights of a count, by the end, the query's index and what it has found, and by the key's
    index and what that has found.

    found    the symbols of what is found
    rows     [n_end, n_index, n_found ..., n_index, n_found ...]
    held     [n_end, n_index, n_found ...] True for what a key can hold
    element  [n_end, n_index] the index of the element that a position reads, -1 for none
    """

    symbols: Symbols
    found: list[int]
    rows: Array
    held: Array
    element: Array

    @classmethod
    def of(
        cls, symbols: Symbols, found: list[int], labels: Labels, numbers: Array
    ) -> _SumOrder | None:
        """The weights; None where positions do not all read one element."""
        element = _element(symbols, found)
        if element is None:
            return None
        read = [(0, s) for s in found]
        keys = [(1, s) for s in found]
        wide = (*_where(0), *read, (1, AT_INDEX), *keys)
        rows = np.broadcast_to(
            spread(numbers, labels, wide), symbols.shape(wide)
        )
        held = symbols.possible(((0, AT_END), (1, AT_INDEX), *keys))
        return cls(symbols, found, rows, held, element)

    def group(self, echo: Array, earlier: Array) -> RankedPlaces:
        """The positions of one echo, of the ends for which the counts of those of an earlier one,
        all of which they see, are ranks there.
        """
        there = np.zeros(self.element.shape, dtype=bool)
        first = np.zeros(len(there), dtype=np.int64)
        for e in range(len(there)):
            places, counted = map(np.flatnonzero, (echo[e], earlier[e]))
            least = self._least(e, places, counted) if len(places) else None
            if least is not None:
                there[e, places], first[e] = True, least
        return RankedPlaces(there, first)

    def _least(self, e: int, places: Array, counted: Array) -> int | None:
        """The least count at these places, if all are ranks; else None."""
        read = self.element[e]
        if (read[places] < 0).any() or (read[places] != read[counted]).any():
            return None
        if self._counts_others(e, places, counted):
            return None
        same = all(
            _is_same(self.symbols, s, e, int(q), int(k))
            for s in self.found
            for q, k in zip(places, counted, strict=True)
        )
        return self._of_pairs(e, places, counted) if same else None

    def _counts_others(self, e: int, places: Array, counted: Array) -> bool:
        """True if something else may be counted as well."""
        others = np.ones(self.element.shape[1], dtype=bool)
        others[counted] = False
        others = others.reshape(-1, *([1] * len(self.found)))
        weighs = self.rows[e, places] != 0
        return bool(weighs[..., others & self.held[e]].any())

    def _of_pairs(self, e: int, places: Array, counted: Array) -> int | None:
        state = np.argwhere(self.held[e][counted])  # [n_state, 1 + n_found]
        if not len(state) or len(state) > MOST_HELD:
            return None
        at, values = state[:, 0], state[:, 1:].T
        counts = self.rows[e][
            (
                places[at][:, None],
                *(x[:, None] for x in values),
                counted[at][None, :],
                *(x[None, :] for x in values),
            )
        ]  # [n_state, n_state] who counts whom
        return least_in_order(counts, at)


def _where(side: int) -> tuple[AxisLabel, AxisLabel]:
    return (0, AT_END), (side, AT_INDEX)


def _element(symbols: Symbols, found: list[int]) -> Array | None:
    """[n_end, n_index] the index of the element that all of this is found of; None where it is of
    several, or of none.
    """
    read = {s for x in found for s in _choices_of(symbols, x)}
    tables = [_index_read(symbols, s) for s in sorted(read)]
    if not tables or any(x is None for x in tables):
        return None
    one = tables[0]
    if any(not np.array_equal(x, one) for x in tables[1:]):  # type: ignore[arg-type]
        return None
    return one


def _choices_of(symbols: Symbols, s: int) -> list[int]:
    """The choices by which a symbol is found: itself, or those that its sum depends on."""
    if symbols.all[s].choice is not None:
        return [s]
    if (known := symbols.known.get(("weights", s))) is None:
        raise Rejected("what is found is no sum")
    own = [x for side, x in known[0] if side == 0 and x not in _WHERE]
    if not own:
        raise Rejected("a sum is that of no element")
    return [c for x in own for c in _choices_of(symbols, x)]


def _index_read(symbols: Symbols, s: int) -> Array | None:
    """[n_end, n_index] the index at which a choice reads, -1 for none; None where who asks does not
    say it.
    """
    choice: Any = symbols.known["levels", (symbols.all[s].choice or (0,))[0]]
    place = choice.certain(AT_INDEX)
    where: Labels = tuple(sorted(_where(0)))
    if place is None or not set(place.labels) <= set(where):
        return None
    table = over(symbols, place, where)
    index = [x if isinstance(x, int) else -1 for x in table.reshape(-1)]
    return np.array(index).reshape(symbols.shape(where)).T


def _is_same(symbols: Symbols, s: int, e: int, q: int, k: int) -> bool:
    """True if two positions that read the same element surely have the same of a symbol. What a
    choice reads there is what that element has.
    """
    if symbols.all[s].choice is not None:
        return True
    labels, weights = symbols.known["weights", s]
    own = [x for side, x in labels if side == 0 and x not in _WHERE]
    if not all(_is_same(symbols, x, e, q, k) for x in own):
        return False
    keys = [x for x in labels if x[0] == 1 and x[1] != AT_INDEX]
    wide: Labels = (*_where(0), *((0, x) for x in own), (1, AT_INDEX), *keys)
    shape = symbols.shape(wide)
    rows = np.broadcast_to(spread(weights, labels, wide), shape)[e]
    of_q, of_k = (np.moveaxis(rows[x], len(own), 0) for x in (q, k))
    both, later = slice(0, k + 1), slice(k + 1, q + 1)
    same = np.array_equal(of_q[both], of_k[both])
    return bool(same and not of_q[later].any())
