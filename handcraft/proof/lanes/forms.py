"""Forms: functions of symbols, as tables of their values.

    Form         a table of values over labels; a constant has no labels
    constant, variable, applied, collapsed

A table holds few values many times. So each value has a number, which is kept in few bytes, and
what is asked of a table is asked of these numbers.

Rules of this file: values are those of the language (whole numbers, fractions, texts, None), or
Nowhere; rows that are not possible may hold anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
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
_FEW_ROWS = 6  # along an axis, that are compared before all


class Form:
    """A value for each row of a table over sorted labels. It never changes.

    table     [the shape of the labels] objects, or whole numbers
    numbered  the same as a number for each value, and the values, no two of them the same
    """

    def __init__(self, labels: Labels, table: Array) -> None:
        self.labels = labels
        self.table = table

    @classmethod
    def of_numbers(
        cls, labels: Labels, numbers: Array, values: Sequence[Any]
    ) -> Form:
        """The form of numbered values, no two of which are the same."""
        form = cls.__new__(cls)
        form.labels = labels
        form.numbered = in_few_bytes(numbers, len(values)), list(values)
        return form

    @cached_property
    def table(self) -> Array:
        """The values themselves, where only their numbers are known."""
        numbers, values = self.numbered
        table = np.empty(numbers.shape, dtype=object)
        table[...] = as_objects(values)[numbers]
        return table

    @cached_property
    def numbered(self) -> tuple[Array, list[Any]]:
        """The numbers, where only the values are known."""
        numbers, values = in_numbers(self.table)
        return in_few_bytes(numbers, len(values)), values

    @property
    def sides(self) -> set[int]:
        """The sides that it reads."""
        return {side for side, _ in self.labels}

    def values_at(self, rows: Array) -> list[Any]:
        """The different values in the rows for which a table is True."""
        numbers, values = self.numbered
        return [values[i] for i in np.unique(numbers[rows])]


def of_whole_numbers(labels: Labels, numbers: Array) -> Form:
    """The form of whole numbers."""
    numbers = np.asarray(numbers, dtype=np.int64)
    values = np.unique(numbers)
    at = np.searchsorted(values, numbers)
    return Form.of_numbers(labels, at, values.tolist())


def as_key(numbers: Array) -> tuple[str, bytes]:
    """Whole numbers in few bytes: those of two tables of one shape are the same if these are."""
    small = in_small(numbers)
    return small.dtype.str, small.tobytes()


def in_small(numbers: Array) -> Array:
    """Whole numbers of as few bytes as these ones need: sums of them may need more."""
    ends = numbers.min(initial=0), numbers.max(initial=0)
    kind = np.result_type(*map(np.min_scalar_type, ends))
    if kind.kind == "f":  # which would round them
        kind = np.dtype(np.int64)
    return numbers.astype(kind)


def in_few_bytes(numbers: Array, count: int) -> Array:
    """Numbers from 0 on, below a count, that one more and -1 still fit beside."""
    return numbers.astype(np.int16 if count < 2**15 - 1 else np.int64)


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
    code, most = np.zeros(shape, dtype=np.int32), 1
    parts = [form.numbered for form in forms]
    flat = [
        np.broadcast_to(spread(numbers, form.labels, labels), shape)
        for form, (numbers, _) in zip(forms, parts, strict=True)
    ]
    for numbers, (_, values) in zip(flat, parts, strict=True):
        if most * len(values) > 2**40:
            rows, code = _different(code, most)
            most = len(rows)
        if most * len(values) > 2**31:
            code = code.astype(np.int64)
        code, most = code * len(values) + numbers, most * len(values)
    rows, code = _different(code, most)
    if len(rows) > _MOST_ASKED:
        raise TooManyRows(f"a table of {len(rows):,} values is too large")
    at = np.unravel_index(rows, shape)
    read = [
        [values[i] for i in numbers[at]]
        for numbers, (_, values) in zip(flat, parts, strict=True)
    ]
    asked = as_objects([f(*row) for row in zip(*read, strict=True)])
    numbers, values = in_numbers(asked)
    found = in_few_bytes(numbers, len(values))[code]
    if collapse:
        return _less(symbols, labels, found, values)
    return Form.of_numbers(labels, found, values)


def _different(code: Array, most: int) -> tuple[Array, Array]:
    """A row of each code that there is, and the codes as numbers from 0 on: those are below
    `most`.
    """
    if most > code.size:
        _, rows, code_at = np.unique(
            code, return_index=True, return_inverse=True
        )
        return rows, code_at.reshape(code.shape)
    row = np.full(most, -1)
    row[code.reshape(-1)] = np.arange(code.size)
    number = np.cumsum(row >= 0, dtype=np.int32) - 1
    return row[row >= 0], number[code]


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
    return Form.of_numbers(labels, numbers, values)


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
    """A table with a number for each value, and the values, in the order in which they appear."""
    flat = table.reshape(-1)
    if table.dtype != object:  # whole numbers
        kinds, places = _kinds(flat)
        return places.reshape(table.shape), kinds.tolist()
    if flat.size <= _FEW:
        numbers, values = _each_numbered(flat)
        return numbers.reshape(table.shape), values
    # one object is one value: each is looked at once
    objects = np.fromiter(map(id, flat), dtype=np.int64, count=flat.size)
    _, first, at = np.unique(objects, return_index=True, return_inverse=True)
    order = np.argsort(first)
    numbers, values = _each_numbered(flat[first[order]])
    by_object = np.empty_like(numbers)
    by_object[order] = numbers
    return by_object[at].reshape(table.shape), values


def _kinds(flat: Array) -> tuple[Array, Array]:
    """The different ones of whole numbers, sorted, and which of them each is: they are not sorted
    themselves where they are near each other.
    """
    least = int(flat.min(initial=0))
    size = int(flat.max(initial=0)) - least + 1
    if size > max(_FEW, flat.size // 4):
        return np.unique(flat, return_inverse=True)
    there = np.zeros(size, dtype=bool)
    at = flat.astype(np.int64) - least  # a difference may need more bytes
    there[at] = True
    number = np.cumsum(there, dtype=np.int32) - 1
    return np.flatnonzero(there) + least, number[at]


def _each_numbered(flat: Array) -> tuple[Array, list[Any]]:
    """A number for each value of a row, and the values; a text is never a number."""
    known: dict[Any, int] = {}
    values: list[Any] = []
    found = np.zeros(flat.size, dtype=np.int64)
    for i, value in enumerate(flat):
        key = (type(value) is str, value)
        if key not in known:
            known[key] = len(values)
            values.append(value)
        found[i] = known[key]
    return found, values


def less_axis(
    numbers: Array, mask: Array, axis: int
) -> tuple[Array, Array] | None:
    """A table without an axis, if all possible rows along it are the same; else None."""
    if _few_differ(np.moveaxis(numbers, axis, 0), np.moveaxis(mask, axis, 0)):
        return None
    big = np.iinfo(numbers.dtype).max
    low = np.where(mask, numbers, big).min(axis=axis)
    high = np.where(mask, numbers, -1).max(axis=axis)
    some: Array = np.array(mask.any(axis=axis))
    if (some & (low != high)).any():
        return None
    # where none can be it is what it would be, so that it depends on no more
    return np.where(some, low, numbers.take(0, axis=axis)), some


def least_and_most(
    numbers: Array,
    mask: Array,
    axes: tuple[int, ...],
    *,
    keepdims: bool = False,
) -> tuple[Array, Array, Array]:
    """The least and the greatest of whole numbers along axes, of possible rows alone, and where
    there are any: 0 where there are none.
    """
    far = np.iinfo(numbers.dtype).max
    there = np.asarray(mask.any(axis=axes, keepdims=keepdims))
    low = numbers.min(axis=axes, where=mask, initial=far, keepdims=keepdims)
    high = numbers.max(axis=axes, where=mask, initial=-far, keepdims=keepdims)
    return np.where(there, low, 0), np.where(there, high, 0), there


def _few_differ(numbers: Array, mask: Array) -> bool:
    """True if a few of the rows along the first axis are not the same: it costs little to ask them
    before all.
    """
    some = np.linspace(0, len(numbers) - 1, _FEW_ROWS).astype(int).tolist()
    return any(
        bool((mask[i] & mask[j] & (numbers[i] != numbers[j])).any())
        for i, j in pairwise(dict.fromkeys(some))
    )


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
