"""Forms: functions of symbols, as tables of their values.

    Form         a table of values over labels; a constant has no labels
    constant, variable, applied, collapsed

Rules of this file: values are those of the language (whole numbers, fractions, texts, None), or
Nowhere; rows that are not possible may hold anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.symbols import (
    MOST_TABLE_ROWS,
    Labels,
    Nowhere,
    Symbols,
    TooManyRows,
    spread,
)

_MOST_ASKED = 1_000_000  # rows that are computed value by value
_FEW = 4096  # rows of a table that are computed row by row


@dataclass(frozen=True, eq=False)
class Form:
    """A value for each row of a table over sorted labels.

    known  the number of each value in a list, and that list, where these were there before; in
           numbers as small as they can be
    """

    labels: Labels
    table: Array  # of objects, or of whole numbers
    known: tuple[Array, Sequence[Any]] | None = None

    @property
    def numbered(self) -> tuple[Array, Sequence[Any]]:
        """The table with the number of each value in a list, and that list."""
        if self.known is None:
            return in_numbers(self.table)
        numbers, values = self.known
        return numbers.astype(np.int64), values

    @property
    def sides(self) -> set[int]:
        """The sides that it reads."""
        return {side for side, _ in self.labels}


def constant_form(value: Any) -> Form:
    """The form that always has this value."""
    table = np.empty((), dtype=object)
    table[()] = value
    return Form((), table)


def as_objects(values: Sequence[Any]) -> Array:
    """Values as an array of objects."""
    table = np.empty(len(values), dtype=object)
    table[:] = list(values)
    return table


def as_whole_objects(numbers: Array) -> Array:
    """Whole numbers as objects: each is a number of the language."""
    flat = np.asarray(numbers, dtype=np.int64).reshape(-1).tolist()
    return as_objects(flat).reshape(np.shape(numbers))


def variable(symbols: Symbols, symbol: int, side: int = 0) -> Form:
    """The form that is a symbol itself."""
    label = symbols.label(side, symbol)
    return Form((label,), as_objects(symbols.all[symbol].values))


def labels_of(*forms: Form) -> Labels:
    """The labels of several forms, sorted."""
    return tuple(sorted({label for form in forms for label in form.labels}))


def applied(
    symbols: Symbols, f: Callable[..., Any], *forms: Form, collapse: bool = True
) -> Form:
    """The form whose values f makes of those of several forms."""
    labels = labels_of(*forms)
    shape = symbols.shape(labels)  # Rejected where it is too large
    if np.prod(shape) > _FEW:
        return _by_values(symbols, f, labels, forms, collapse=collapse)
    arrays = [
        np.broadcast_to(spread(form.table, form.labels, labels), shape)
        for form in forms
    ]
    flat = [array.reshape(-1) for array in arrays]
    table = as_objects([f(*row) for row in zip(*flat, strict=True)])
    found = Form(labels, table.reshape(shape))
    return collapsed(symbols, found) if collapse else found


def _by_values(
    symbols: Symbols,
    f: Callable[..., Any],
    labels: Labels,
    forms: Sequence[Form],
    *,
    collapse: bool,
) -> Form:
    """The same for a large table: f is asked once for each values that stand in a row together."""
    shape = symbols.shape(labels)
    code, most = np.zeros(shape, dtype=np.int64), 1
    parts = [form.numbered for form in forms]
    flat = [
        np.broadcast_to(spread(numbers, form.labels, labels), shape)
        for form, (numbers, _) in zip(forms, parts, strict=True)
    ]
    for numbers, (_, values) in zip(flat, parts, strict=True):
        code, most = code * len(values) + numbers, most * len(values)
        if most > 2**40:
            known, code = np.unique(code, return_inverse=True)
            code, most = code.reshape(shape), len(known)
    known, first, code = np.unique(code, return_index=True, return_inverse=True)
    if len(known) > _MOST_ASKED:
        raise TooManyRows(f"a table of {len(known):,} values is too large")
    rows = [
        [values[i] for i in numbers.reshape(-1)[first]]
        for numbers, (_, values) in zip(flat, parts, strict=True)
    ]
    asked = as_objects([f(*row) for row in zip(*rows, strict=True)])
    numbers, values = in_numbers(asked)
    found = numbers[code.reshape(-1)].reshape(shape)
    if collapse:
        return _less(symbols, labels, found, values)
    return of_numbers(labels, found, values)


def _less(
    symbols: Symbols, labels: Labels, numbers: Array, values: Sequence[Any]
) -> Form:
    """The form of numbered values without the labels on which no possible row depends."""
    mask = symbols.possible(labels)
    for label in sorted(labels, reverse=True):
        axis = labels.index(label)
        if (fewer := less_axis(numbers, mask, axis)) is not None:
            numbers, mask = fewer
            labels = (*labels[:axis], *labels[axis + 1 :])
    return of_numbers(labels, numbers, values)


def of_numbers(labels: Labels, numbers: Array, values: Sequence[Any]) -> Form:
    """The form whose values have these numbers in a list, in which each stands once."""
    table = np.empty(numbers.shape, dtype=object)
    table[...] = as_objects(values)[numbers]
    small = np.min_scalar_type(len(values))
    return Form(labels, table, (numbers.astype(small), values))


def at_index(symbols: Symbols, place: Form, index: Form) -> Form:
    """Levels: 0 where a place is the index of the key, a whole number, else -1."""
    labels = labels_of(place, index)
    shape = symbols.shape(labels)
    numbers = [
        int(x) if isinstance(x, int | Fraction) and x == int(x) else -1
        for x in place.table.reshape(-1)
    ]
    at = np.array(numbers, dtype=object).reshape(place.table.shape)
    at = np.where((at < 0) | (at >= symbols.n + 1), -1, at).astype(np.int64)
    key = index.table.astype(np.int64)
    same = spread(at, place.labels, labels) == spread(key, index.labels, labels)
    levels = np.broadcast_to(same, shape).astype(np.int64) - 1
    return collapsed(symbols, Form(labels, levels))


def ranked(
    symbols: Symbols, where: Form, index: Form, rank: Callable[[int], int]
) -> Form:
    """Levels: a rank of the key's index where a condition is 1, else -1."""
    labels = labels_of(where, index)
    shape = symbols.shape(labels)
    ranks = np.array([rank(int(i)) for i in index.table])
    flags = spread(where.table.astype(bool), where.labels, labels)
    levels = np.where(flags, spread(ranks, index.labels, labels), -1)
    return collapsed(symbols, Form(labels, np.broadcast_to(levels, shape)))


def collapsed(symbols: Symbols, form: Form) -> Form:
    """The same without the labels on which no possible row depends."""
    numbers, values = form.numbered
    return _less(symbols, form.labels, numbers, values)


def in_numbers(table: Array) -> tuple[Array, list[Any]]:
    """A table with a number for each value, and the values."""
    if table.dtype != object:  # whole numbers
        kinds, places = np.unique(table, return_inverse=True)
        return places.reshape(table.shape), kinds.tolist()
    known: dict[Any, int] = {}
    values: list[Any] = []
    found = np.zeros(table.size, dtype=np.int64)
    for i, value in enumerate(table.reshape(-1)):
        key = (type(value) is str, value)
        if key not in known:
            known[key] = len(values)
            values.append(value)
        found[i] = known[key]
    return found.reshape(table.shape), values


def less_axis(
    numbers: Array, mask: Array, axis: int
) -> tuple[Array, Array] | None:
    """A table without an axis, if all possible rows along it are the same; else None."""
    big = np.iinfo(np.int64).max
    low = np.where(mask, numbers, big).min(axis=axis)
    high = np.where(mask, numbers, -1).max(axis=axis)
    some: Array = np.array(mask.any(axis=axis))
    if (some & (low != high)).any():
        return None
    # where none can be it is what it would be, so that it depends on no more
    return np.where(some, low, numbers.take(0, axis=axis)), some


def moved_to_key(symbols: Symbols, form: Form) -> Form:
    """A form of one position, read at the key position."""
    if 1 in form.sides:
        raise Rejected("a condition reads the key of a key")
    moved = [symbols.label(1, s) for _, s in form.labels]
    order = sorted(range(len(moved)), key=lambda i: moved[i])
    return Form(tuple(moved[i] for i in order), np.transpose(form.table, order))


def over(symbols: Symbols, form: Form, labels: Labels) -> Array:
    """The table of a form over wider labels."""
    found = spread(form.table, form.labels, labels)
    return np.broadcast_to(found, symbols.shape(labels))


def composed(
    symbols: Symbols,
    labels: Labels,
    table: Array,
    read: Sequence[Form],
    none: Any,
) -> tuple[Labels, Array]:
    """A table over symbols, where each symbol is given by a form: what a choice reads of it. It has
    `none` where one is Nowhere, and not because what is read is.
    """
    wider = labels_of(*read)
    shape = symbols.shape(wider)
    if np.prod(shape) > MOST_TABLE_ROWS:
        raise TooManyRows("a table is too large")
    found: list[Array] = []
    gone = np.zeros(shape, dtype=bool)
    for (_, symbol), form in zip(labels, read, strict=True):
        places = {
            (type(x) is str, x): i
            for i, x in enumerate(symbols.all[symbol].values)
        }
        values = form.table.reshape(-1)
        flat = [places.get((type(x) is str, x), -1) for x in values]
        if any(
            i < 0 and not (isinstance(x, Nowhere) and x.read == symbol)
            for i, x in zip(flat, values, strict=True)
        ):
            raise Rejected("a symbol has a value that is not known of it")
        index = np.array(flat, dtype=np.int64).reshape(form.table.shape)
        index = np.broadcast_to(spread(index, form.labels, wider), shape)
        gone |= index < 0
        found.append(np.maximum(index, 0))
    out = np.empty(shape, dtype=table.dtype)
    out[...] = table[tuple(found)]
    out[gone] = none
    return wider, out
