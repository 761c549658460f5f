"""Tables of pairs in the texts of prompts, compared by what can be there alone.

    settled(symbols, form)   a form without the labels on which it does not depend
    kept_rows(...)           the same of whole numbers
    widened(...)             labels with those that say where in a text a pair is
    by_place(...)            what a sum has at each place at least, and at most, taken out of it
    sums_of(...)             the least and the greatest sum of weights over the keys, by query

Where a prompt ends says which tokens can be at a place. So a table is looked at beside the end and
both places, and a label is left out only if no possible row needs it. Two tables that differ in
rows that no text has become the same table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.alike import alike
from handcraft.proof.lanes.forms import (
    Form,
    as_objects,
    collapsed,
    least_and_most,
    less_axis,
)
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AT_TOKEN,
    MOST_TABLE_ROWS,
    Labels,
    Symbols,
    spread,
)

_MOST_SUMMED = 2 * MOST_TABLE_ROWS


def widened(symbols: Symbols, labels: Labels) -> Labels:
    """Labels with the end of the prompt and the places of both sides, where that fits a table."""
    if symbols.texts is None:
        return labels
    more = {(0, AT_END), (0, AT_INDEX)}
    if any(side == 1 for side, _ in labels):
        more.add((1, AT_INDEX))
    wide = tuple(sorted({*labels, *more}))
    if _rows(symbols, wide) > MOST_TABLE_ROWS and symbols.is_one_asked:
        # the end says which position asks
        wide = tuple(sorted({*labels, *more - {(0, AT_INDEX)}}))
    return wide if _rows(symbols, wide) <= MOST_TABLE_ROWS else labels


def _beside_end(symbols: Symbols, labels: Labels) -> Labels:
    """The same, or labels with the end alone where that would be too much."""
    wide = widened(symbols, labels)
    fewer = tuple(sorted({*labels, (0, AT_END)}))
    if wide == labels and _rows(symbols, fewer) <= MOST_TABLE_ROWS:
        return fewer
    return wide


def _rows(symbols: Symbols, labels: Labels) -> int:
    return prod(len(symbols.all[s].values) for _, s in labels)


def kept_rows(
    labels: Labels, numbers: Array, mask: Array, empty: int
) -> tuple[Labels, Array, Array]:
    """Whole numbers without the labels on which no possible row depends, `empty` in rows that
    are not possible, and the rows that are.
    """
    for label in sorted(labels, reverse=True):
        axis = labels.index(label)
        if (fewer := less_axis(numbers, mask, axis)) is not None:
            numbers, mask = fewer
            labels = (*labels[:axis], *labels[axis + 1 :])
    return labels, np.where(mask, numbers, empty), mask


def settled(symbols: Symbols, form: Form) -> Form:
    """The form of a sum's weights as a table that equal ones have in common."""
    wide = _beside_end(symbols, form.labels)
    numbers, values = form.numbered
    if 0 not in values:
        values = [*values, 0]
    numbers = np.broadcast_to(
        spread(numbers, form.labels, wide), symbols.shape(wide)
    )
    mask = symbols.possible(wide)
    labels, kept, _ = kept_rows(wide, numbers, mask, values.index(0))
    return Form.of_numbers(labels, kept, values)


@dataclass(frozen=True, eq=False)
class PlacedSum:
    """A sum as what it surely has, and a rest.

    known         the part that the end and the places decide
    labels, rest  the weights of the rest, from 0 on
    first         the sum of those of the first key that matters: what stands behind it may
                  not matter, and then differs from sum to sum
    """

    known: Form
    labels: Labels
    rest: Array
    first: int

    def is_rarer(self, other: PlacedSum) -> bool:
        """True if it has less of what matters than another sum has."""
        if self._much != other._much:
            return self._much < other._much
        return self.rest.tobytes() < other.rest.tobytes()

    @cached_property
    def _much(self) -> tuple[int, int, Labels]:
        return self.first, int(self.rest.sum()), self.labels


def by_place(
    symbols: Symbols, labels: Labels, weights: Array
) -> tuple[PlacedSum, PlacedSum] | None:
    """A sum by the least, and by the greatest, weight that each place can have; None where the
    texts are of no prompts, or a table would be too large.
    """
    wide = widened(symbols, labels)
    places = {(0, AT_END), (0, AT_INDEX), (1, AT_INDEX)}
    if symbols.is_one_asked:  # the end says which position that is
        places.discard((0, AT_INDEX))
    if symbols.texts is None or not places <= set(wide):
        return None
    mask = symbols.possible(wide)
    rows = np.broadcast_to(spread(weights, labels, wide), mask.shape)
    others = tuple(
        i for i, (side, s) in enumerate(wide) if side == 1 and s != AT_INDEX
    )
    low, high, _ = least_and_most(rows, mask, others, keepdims=True)
    return (
        _rest(symbols, wide, mask, rows - low, low),
        _rest(symbols, wide, mask, high - rows, high),
    )


def places_of(symbols: Symbols, wide: Labels, rows: Array) -> Array:
    """[n_end, n_index] True for the places of keys in some of these rows."""
    kept = (0, AT_END), (1, AT_INDEX)
    if not set(kept) <= set(wide):
        shape = symbols.shape(((0, AT_END), (0, AT_INDEX)))
        return np.ones(shape, dtype=bool)
    gone = tuple(i for i, x in enumerate(wide) if x not in kept)
    return np.array(rows.any(axis=gone))


def _rest(
    symbols: Symbols, wide: Labels, mask: Array, rest: Array, known: Array
) -> PlacedSum:
    rest = np.where(mask, rest, 0)
    # where it is 0 whatever is found there, another symbol may be read
    counts = places_of(symbols, wide, rest != 0)
    labels, same = alike(symbols, wide, rest, counts, 0)
    labels, kept, _ = kept_rows(labels, same, symbols.possible(labels), 0)
    queries = tuple(x for x in wide if x[0] == 0)
    keys = tuple(i for i, x in enumerate(wide) if x[0] == 1)
    sums = as_objects(known.sum(axis=keys).reshape(-1).tolist())
    form = Form(queries, sums.reshape(symbols.shape(queries)))
    place = wide.index((1, AT_INDEX))
    by_key = rest.sum(axis=tuple(i for i in range(len(wide)) if i != place))
    first = int(by_key[by_key > 0][:1].sum())
    return PlacedSum(collapsed(symbols, form), labels, kept, first)


def sums_of(
    symbols: Symbols, labels: Labels, weights: Array
) -> tuple[Labels, Array, Array] | None:
    """The least and the greatest sum over the keys, by the query's labels with end and index; None
    where the texts are of no prompts, or the table would be too large.
    """
    if symbols.texts is None:
        return None
    places = {(0, AT_END), (0, AT_INDEX), (1, AT_INDEX)}
    wide = tuple(sorted({*labels, *places, (1, AT_TOKEN)}))
    if _rows(symbols, wide) > _MOST_SUMMED:
        wide = tuple(sorted({*labels, *places}))
    whole = _rows(symbols, wide) <= MOST_TABLE_ROWS
    if not whole:  # who asks is not known to see a place
        wide = tuple(sorted({*labels, *places} - {(0, AT_INDEX)}))
    if _rows(symbols, wide) > MOST_TABLE_ROWS or not set(labels) <= set(wide):
        return None
    mask = symbols.possible(wide)
    rows = np.broadcast_to(spread(weights, labels, wide), mask.shape)
    others = tuple(
        i for i, (side, s) in enumerate(wide) if side == 1 and s != AT_INDEX
    )
    low, high, _ = least_and_most(rows, mask, others)
    if not whole:
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    kept = tuple(x for i, x in enumerate(wide) if i not in others)
    axis = kept.index((1, AT_INDEX))
    queries = tuple(x for x in kept if x[0] == 0)
    return queries, low.sum(axis=axis), high.sum(axis=axis)
