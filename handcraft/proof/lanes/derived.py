"""Derived symbols: what depends on many symbols and has few values, as a symbol of its own.

    as_derived(symbols, labels, classes)   the symbol whose value is a class, by other symbols
    by_known(symbols, labels, columns)     labels that say as much with derived symbols, but fewer
    by_less(symbols, labels, columns)      fewer of the same labels that say as much
    applied_to_few(symbols, f, *forms)     what f makes of forms, over derived symbols where else
                                           the table would be too large
    smaller_form(symbols, form)            a form over fewer rows

A derived symbol is defined by a table: for each row of other symbols of the same position the
number of a class. Two tables that part the rows that can be in the same way define one symbol. Of
two derived symbols it is known which classes stand together, and which stand at an index.
Rules of this file: a fact may allow too much, never too little; a table is replaced only where the
new labels decide all of its rows that can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.compared import by_comparisons
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    as_objects,
    in_numbers,
    labels_of,
)
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AT_TOKEN,
    MOST_TABLE_ROWS,
    AxisLabel,
    Labels,
    LaneSymbol,
    Symbols,
    compared_in,
    spread,
)

_LARGE = 2**16  # rows: a table with more is looked at
_LARGE_OF_FEW = 2**12  # where tables are kept small
_TOGETHER = MOST_TABLE_ROWS  # rows of several tables together
_MOST_CLASSES = 256
_FEWER = 4  # times fewer rows make a symbol of its own worth it
_MOST_BESIDE = 16  # derived symbols with which a new one is compared


@dataclass(frozen=True, eq=False)
class DerivedSymbol:
    """A symbol and the table that defines it, over labels of the same position."""

    symbol: int
    labels: Labels
    classes: Array


def count_rows(symbols: Symbols, labels: Labels) -> int:
    """How many rows a table over these labels has."""
    return prod(len(symbols.all[s].values) for _, s in labels)


def large(symbols: Symbols) -> int:
    """The rows of a table that is not large."""
    return _LARGE_OF_FEW if symbols.few else _LARGE


def most_together(symbols: Symbols) -> int:
    """The rows of several tables together that are not too many."""
    return large(symbols) if symbols.few else _TOGETHER


def _of_texts(symbols: Symbols) -> set[int]:
    """The symbols that a text has before any head reads it."""
    whole = symbols.texts is not None or not symbols.causal
    return {AT_TOKEN, AT_INDEX, AT_END} if whole else {AT_TOKEN, AT_INDEX}


def _known(symbols: Symbols) -> list[DerivedSymbol]:
    found: list[DerivedSymbol] = symbols.known.setdefault("derived", [])
    return [
        x for x in found if symbols.asking or not symbols.all[x.symbol].asked
    ]


def as_derived(
    symbols: Symbols, labels: Labels, classes: Array
) -> tuple[DerivedSymbol, Array]:
    """The symbol of these classes, from 0 on, and the class of each of its values."""
    mask = symbols.possible(labels)
    own = classes[mask]
    for known in _known(symbols):
        if known.labels == labels:
            there = known.classes[mask]
            found = _one_to_one(
                there, own, len(symbols.all[known.symbol].values)
            )
            if found is not None:
                return known, found
    kept, numbers = np.unique(own, return_inverse=True)
    table = np.zeros(classes.shape, dtype=np.int64)
    table[mask] = numbers
    new = symbols.add(LaneSymbol(tuple(range(len(kept)))))
    symbols.known["classes", new] = labels, table
    found_new = DerivedSymbol(new, labels, table)
    _learn(symbols, found_new, mask)
    symbols.known["derived"].append(found_new)
    return found_new, kept


def _one_to_one(there: Array, own: Array, size: int) -> Array | None:
    """The class of each value of a known symbol, where they part rows in the same way."""
    found = np.zeros(size, dtype=np.int64)
    found[there] = own
    same = np.array_equal(found[there], own)
    if not same or len(np.unique(there)) != len(np.unique(own)):
        return None
    return found


# ------------------------------------------------------------ facts


def _learn(symbols: Symbols, new: DerivedSymbol, mask: Array) -> None:
    """Keep the definition, and what it says beside places and other derived symbols."""
    size = len(symbols.all[new.symbol].values)
    known = list(symbols.known["derived"])[-_MOST_BESIDE:]
    if mask.size * size <= MOST_TABLE_ROWS:
        fact = mask[..., None] & (new.classes[..., None] == np.arange(size))
        symbols.learn((*(s for _, s in new.labels), new.symbol), fact)
    else:
        for label in new.labels:
            _together(symbols, new, new.labels, [label])
    places = [(0, s) for s in _of_texts(symbols) - {AT_TOKEN}]
    _together(symbols, new, tuple(sorted({*new.labels, *places})), places)
    for other in known:
        if symbols.all[other.symbol].asked and not symbols.asking:
            continue
        wide = tuple(sorted({*new.labels, *other.labels}))
        if count_rows(symbols, wide) <= MOST_TABLE_ROWS:
            mask = symbols.possible(wide)
            one, two = (
                np.broadcast_to(spread(x.classes, x.labels, wide), mask.shape)[
                    mask
                ]
                for x in (new, other)
            )
            fact = np.zeros(
                (size, len(symbols.all[other.symbol].values)), dtype=bool
            )
            fact[one, two] = True
            symbols.learn((new.symbol, other.symbol), fact)


def _together(
    symbols: Symbols,
    new: DerivedSymbol,
    wide: Labels,
    kept: Sequence[AxisLabel],
) -> None:
    """Keep which classes stand beside which values of some labels, of the rows that can be."""
    if count_rows(symbols, wide) > MOST_TABLE_ROWS:
        return
    mask = symbols.possible(wide)
    at = np.nonzero(mask)
    classes = np.broadcast_to(
        spread(new.classes, new.labels, wide), mask.shape
    )[mask]
    own = tuple(x for x in wide if x in kept)
    shape = (*symbols.shape(own), len(symbols.all[new.symbol].values))
    fact = np.zeros(shape, dtype=bool)
    fact[(*(at[wide.index(x)] for x in own), classes)] = True
    symbols.learn((*(s for _, s in own), new.symbol), fact)


# ------------------------------------------------------------ fewer rows


@dataclass(frozen=True, eq=False)
class RowGroups:
    """The rows of a table that can be, in groups: those of one row over other labels.

    mask    which rows of the old table can be
    number  the row of the new table, of each of these
    """

    labels: Labels
    mask: Array
    number: Array


def by_known(
    symbols: Symbols,
    labels: Labels,
    columns: Array,
    near: Array,
    times: int = 2,
) -> RowGroups | None:
    """Fewer rows that decide a table, over derived symbols that are known; None where there are
    not as many times fewer.

    columns, near  [n_column, n_possible], [n_column] what is decided, each within a distance
    """
    mask = symbols.possible(labels)
    at = np.nonzero(mask)
    parts = dict(zip(labels, at, strict=True))
    for known in _known(symbols):
        if set(known.labels) <= set(labels) and (0, known.symbol) not in parts:
            parts[0, known.symbol] = known.classes[
                tuple(parts[x] for x in known.labels)
            ]
    if len(parts) == len(labels):
        return None
    # the greatest are left out first, and what is derived last
    order = sorted(
        parts, key=lambda x: (x not in labels, -len(symbols.all[x[1]].values))
    )
    kept = _needed(symbols, order, parts, columns, near)
    if count_rows(symbols, kept) * times > mask.size:
        return None
    return RowGroups(kept, mask, _numbers(symbols, kept, parts))


def by_less(
    symbols: Symbols, labels: Labels, columns: Array, near: Array
) -> RowGroups | None:
    """The rows over fewer of their labels, where these decide a table: a number that is the sum of
    two others, which are not needed then, has fewer rows than they have together. None where all
    are needed.
    """
    mask = symbols.possible(labels)
    parts = dict(zip(labels, np.nonzero(mask), strict=True))
    # the greatest are left out first, and of equal ones the newest: a part of what was there before
    order = sorted(
        labels, key=lambda x: (-len(symbols.all[x[1]].values), -x[1])
    )
    kept = _needed(symbols, order, parts, columns, near)
    if len(kept) == len(labels):
        return None
    return RowGroups(kept, mask, _numbers(symbols, kept, parts))


def _needed(
    symbols: Symbols,
    order: Sequence[AxisLabel],
    parts: dict[AxisLabel, Array],
    columns: Array,
    near: Array,
) -> Labels:
    """Labels that decide all columns: each in turn is left out if the others do."""
    kept = sorted(parts)
    for label in order:
        fewer = tuple(x for x in kept if x != label)
        if _decided(_numbers(symbols, fewer, parts), columns, near):
            kept = list(fewer)
    return tuple(kept)


def _numbers(
    symbols: Symbols, labels: Labels, parts: dict[AxisLabel, Array]
) -> Array:
    """The row of a table over these labels, for each row of another one."""
    number = np.zeros(len(next(iter(parts.values()))), dtype=np.int64)
    for label in labels:
        number = number * len(symbols.all[label[1]].values) + parts[label]
    return number


def _decided(number: Array, columns: Array, near: Array) -> bool:
    """True if all rows with one number have nearly the same in each column."""
    order = np.argsort(number, kind="stable")
    own = number[order]
    first = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
    for column, most in zip(columns[:, order], near, strict=True):
        low = np.minimum.reduceat(column, first)
        high = np.maximum.reduceat(column, first)
        if (high - low > most).any():
            return False
    return True


def by_classes(
    symbols: Symbols, labels: Labels, classes: Array
) -> tuple[RowGroups, Array] | None:
    """The rows of a table by a derived symbol of their classes, and the class of each of its
    values; None where that is not much less.
    """
    mask = symbols.possible(labels)
    many = len(np.unique(classes[mask]))
    if many > _MOST_CLASSES or many * _FEWER > mask.size:
        return None
    found, of_value = as_derived(symbols, labels, classes)
    numbers = found.classes[mask]
    return RowGroups(((0, found.symbol),), mask, numbers), of_value


# ------------------------------------------------------------ forms


def applied_to_few(
    symbols: Symbols, f: Callable[..., Any], *forms: Form
) -> Form:
    """What f makes of forms: where they are too many together, of smaller ones."""
    if count_rows(symbols, labels_of(*forms)) > most_together(symbols):
        forms = tuple(smaller_form(symbols, x) for x in forms)
    if count_rows(symbols, labels_of(*forms)) > MOST_TABLE_ROWS:
        forms = tuple(by_comparisons(symbols, x) for x in forms)
    return applied(symbols, f, *forms)


def by_bases(symbols: Symbols, form: Form) -> Form:
    """The form over what defines its derived symbols, where that fits a table: of sums that are the
    same, one may be written with a derived symbol and another one without it.
    """
    for side, symbol in form.labels:
        if ("classes", symbol) not in symbols.known:
            continue
        own, classes = symbols.known["classes", symbol]
        at_key = tuple(symbols.label(side, s) for _, s in own)
        kept = [x for x in form.labels if x != (side, symbol)]
        wide = tuple(sorted({*kept, *at_key}))
        if count_rows(symbols, wide) > MOST_TABLE_ROWS:
            continue
        at = [
            spread(classes, at_key, wide)
            if x == (side, symbol)
            else symbols.place(
                wide, x, np.arange(len(symbols.all[x[1]].values))
            )
            for x in form.labels
        ]
        table = np.broadcast_to(form.table[tuple(at)], symbols.shape(wide))
        return by_bases(symbols, Form(wide, table))
    return form


def of_few_rows(symbols: Symbols, form: Form) -> Form:
    """A form that has no more rows than what is large, if there is such a one."""
    if count_rows(symbols, form.labels) <= large(symbols):
        return form
    return smaller_form(symbols, form)


def smaller_form(symbols: Symbols, form: Form) -> Form:
    """The form over fewer rows, if there is one; of a key, if it is one of a key."""
    shared = {x for x in form.labels if symbols.all[x[1]].everywhere}
    own = set(form.labels) - shared
    if not own or len({side for side, _ in own}) > 1:
        return form
    if compared_in(symbols, form.labels):  # it is of two positions
        return form
    if (0, next(iter(own))[1]) in own:
        return _smaller(symbols, form)
    moved = Form(*_sorted([(0, s) for _, s in form.labels], form.table))
    with symbols.of_asked(False):  # a key stands anywhere
        found = _smaller(symbols, moved)
    labels = [symbols.label(1, s) for _, s in found.labels]
    return Form(*_sorted(labels, found.table))


def _sorted(labels: Sequence[AxisLabel], table: Array) -> tuple[Labels, Array]:
    order = sorted(range(len(labels)), key=lambda i: labels[i])
    return tuple(labels[i] for i in order), np.transpose(table, order)


def _smaller(symbols: Symbols, form: Form) -> Form:
    """The same of a form of one position. Where tables are kept small by all means, what stands
    where in a text is left as it is: more is known of it than of its class.
    """
    read = {s for _, s in form.labels}
    if (symbols.few and read <= _of_texts(symbols)) or len(read) < 2:
        return form
    numbers, values = in_numbers(form.table)
    mask = symbols.possible(form.labels)
    own = numbers[mask]
    groups = by_known(symbols, form.labels, own[None], np.zeros(1))
    if groups is None:
        found = by_classes(symbols, form.labels, numbers)
        if found is None:
            return form
        groups = found[0]
    table = np.zeros(count_rows(symbols, groups.labels), dtype=np.int64)
    table[groups.number] = own
    shape = symbols.shape(groups.labels)
    return Form(groups.labels, as_objects(values)[table].reshape(shape))
