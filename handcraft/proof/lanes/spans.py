"""Sums of known sums: a total whose weights are, query by query, a combination of others.

    of_known(symbols, labels, numbers)   such a total as a form; None where it is none

For one query let weights W[k] = a W1[k] + b W2[k] + ... + c + d [k is the query itself]. Then the
sum of W over the keys is a T1 + b T2 + ... + c (how many there are) + d, whatever the text, and a,
b, c, d may be others for each query.
Rules of this file: a combination is searched for in floats and believed only if it is exact, in
whole numbers, on all pairs that can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations
from math import lcm
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    as_objects,
    collapsed,
    constant_form,
    in_small,
)
from handcraft.proof.lanes.pair_table import PairTable, by_side
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    Labels,
    Symbols,
    spread,
)

_MOST_PARTS = 10  # the latest sums
_MOST_TOGETHER = 3
_MOST_OF_PROMPTS = (
    4  # in prompts a count is known in whole, which four heads add up
)
_MOST_SOLVED = 200_000  # pairs
_ROWS_AT_ONCE = 2**19  # that are told apart: eight bytes each, a few times
_LARGEST = (
    2**16
)  # factors and their common denominator: the products below are exact
_DENOMINATOR = 60

KnownTotal = tuple[Labels, Array, Form]
Factors = tuple[tuple[int, ...], int]  # numerators and a denominator
Solve = Callable[[Array, Array, Array], "list[Factors | None] | None"]


def of_known(symbols: Symbols, labels: Labels, numbers: Array) -> Form | None:
    """The form of a sum that is a combination of a few known ones; else None."""
    parts: list[KnownTotal] = symbols.totals[-_MOST_PARTS:]
    if symbols.texts is not None:
        found = _of_distinct(symbols, labels, numbers, parts)
        if found is not None:
            return found
    for solve in (_for_all, _by_query):
        for many in range(1, _MOST_TOGETHER + 1):
            for chosen in combinations(parts, many):
                found = _combined(symbols, labels, numbers, chosen, solve)
                if found is not None:
                    return found
    return None


def _of_distinct(
    symbols: Symbols, labels: Labels, numbers: Array, parts: list[KnownTotal]
) -> Form | None:
    """The same in the texts of prompts, where pairs are many, and few of them differ: one
    combination for all queries, of sums over no more than this one and the places are.
    """
    places = {(0, AT_END), (0, AT_INDEX), (1, AT_INDEX)}
    wide = tuple(sorted({*labels, *places}))
    parts = [p for p in parts if set(p[0]) <= set(wide)]
    try:
        shape = symbols.shape(wide)
    except Rejected:
        return None
    pairs = PairTable.of(symbols, *by_side(wide))

    def of_pairs(table: Array, own: Labels) -> Array:
        small = in_small(table)
        whole = np.broadcast_to(spread(small, own, wide), shape)
        return whole.reshape(pairs.mask.shape)[pairs.mask]

    columns = [of_pairs(table, own) for own, table, _ in parts]
    columns += [np.ones(int(pairs.mask.sum()), dtype=np.int8)]
    columns += [_itself(pairs)[pairs.mask], of_pairs(numbers, labels)]
    rows = _distinct_of(columns)
    if not len(rows):
        return None
    for many in range(1, _MOST_OF_PROMPTS + 1):
        for chosen in combinations(range(len(parts)), many):
            read = [*chosen, len(parts), len(parts) + 1, len(parts) + 2]
            factors = _factors(_distinct(rows[:, read]))
            if factors is not None:
                solved = [factors] * len(pairs.mask)
                try:
                    return _form(
                        symbols, pairs, solved, [parts[i] for i in chosen]
                    )
                except Rejected:  # it has too many rows
                    return None
    return None


def _combined(
    symbols: Symbols,
    labels: Labels,
    numbers: Array,
    parts: Sequence[KnownTotal],
    solve: Solve,
) -> Form | None:
    """The form of a sum that is a combination of these."""
    wide = tuple(sorted({x for p in parts for x in p[0]} | set(labels)))
    try:
        shape = symbols.shape(wide)
    except Rejected:
        return None
    if np.prod(shape) > _MOST_SOLVED:
        return None
    pairs = PairTable.of(symbols, *by_side(wide))

    def flat(table: Array, own: Labels) -> Array:
        whole = np.broadcast_to(spread(table, own, wide), shape)
        return whole.reshape(pairs.mask.shape)

    columns = [flat(table, own) for own, table, _ in parts]
    columns += [np.ones_like(columns[0]), _itself(pairs)]
    matrix = np.stack(columns, axis=-1)  # [n_query, n_key, n_part + 2]
    solved = solve(matrix, flat(numbers, labels), pairs.mask)
    if solved is None:
        return None
    try:
        return _form(symbols, pairs, solved, parts)
    except Rejected:  # it has too many rows
        return None


def _for_all(
    matrix: Array, wanted: Array, mask: Array
) -> list[Factors | None] | None:
    """The same factors for all queries, if there are."""
    rows = np.column_stack([matrix[mask], wanted[mask]])
    found = _factors(_distinct(rows))
    return None if found is None else [found] * len(mask)


def _itself(pairs: PairTable) -> Array:  # -> [n_query, n_key]
    """1 for a position and itself, where the index of both is known; else 0."""
    if (0, AT_INDEX) not in pairs.queries or (1, AT_INDEX) not in pairs.keys:
        return np.zeros(pairs.mask.shape, dtype=np.int8)
    q, k = pairs.row((0, AT_INDEX)), pairs.column((1, AT_INDEX))
    return (q[:, None] == k[None, :]).astype(np.int8)


def _by_query(
    matrix: Array, wanted: Array, mask: Array
) -> list[Factors | None] | None:
    """The factors for each query, None for one that sees nothing; None where a query has none.
    The same for as many queries as possible: those that tell most are asked first.
    """
    rows = [
        _distinct(np.column_stack([matrix[i][own], wanted[i][own]]))
        for i, own in enumerate(mask)
    ]
    tried: list[Factors] = []
    found: list[Factors | None] = [None] * len(rows)
    for i in sorted(range(len(rows)), key=lambda i: -len(rows[i])):
        if not len(rows[i]):
            break
        same = (x for x in tried if _fits(rows[i], x))
        found[i] = next(same, None) or _factors(rows[i])
        own = found[i]
        if own is None:
            return None
        if own not in tried:
            tried.append(own)
    return found


def _distinct_of(columns: Sequence[Array]) -> Array:  # m of [n] -> [n', m]
    """Each row of these columns once, where there are too many rows to stand side by side."""
    starts = range(0, max(1, len(columns[0])), _ROWS_AT_ONCE)
    parts = [
        _distinct_few([x[i : i + _ROWS_AT_ONCE] for x in columns])
        for i in starts
    ]
    if len(parts) == 1:
        return parts[0]
    return _distinct_few(list(np.concatenate(parts).T))


def _distinct_few(columns: Sequence[Array]) -> Array:  # m of [n] -> [n', m]
    """The same with a number for each row."""
    number, many = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        if not len(column):
            break
        own = column.astype(np.int64)
        own -= own.min()
        span = int(own.max()) + 1
        if many * span >= 2**62:
            (number, many), (own, span) = _numbered(number), _numbered(own)
        number, many = number * span + own, many * span
    at = np.unique(number, return_index=True)[1]
    return np.column_stack([x[at].astype(np.int64) for x in columns])


def _numbered(column: Array) -> tuple[Array, int]:
    """The same with a number for each value, and how many there are."""
    values, at = np.unique(column, return_inverse=True)
    return at.reshape(-1), len(values)


def _distinct(rows: Array) -> Array:  # [n, m] -> [n_distinct, m]
    """Each row once."""
    return _distinct_of(list(rows.T)) if len(rows) else rows


def _fits(rows: Array, factors: Factors) -> bool:
    """True if the combination is exact."""
    numerators, d = factors
    return np.array_equal(rows[:, :-1] @ np.array(numerators), rows[:, -1] * d)


def _factors(rows: Array) -> Factors | None:  # [n_key, n + 1]
    """Whole x and d with a x = d b, if there are: b stands in the last column."""
    if np.abs(rows).max() > 2**30:
        return None
    a, b = rows[:, :-1].astype(np.float64), rows[:, -1].astype(np.float64)
    x = np.linalg.lstsq(a, b, rcond=None)[0]
    near = [Fraction(float(i)).limit_denominator(_DENOMINATOR) for i in x]
    d = lcm(*(i.denominator for i in near))
    if d > _LARGEST or any(abs(i) * d > _LARGEST for i in near):
        return None
    found = tuple(int(i * d) for i in near), d
    return found if _fits(rows, found) else None


def _form(
    symbols: Symbols,
    pairs: PairTable,
    solved: Sequence[Factors | None],
    parts: Sequence[KnownTotal],
) -> Form:
    """The combination of the sums."""
    known = next(x for x in solved if x is not None)
    table = np.empty(len(solved), dtype=object)
    table[:] = [known if x is None else x for x in solved]
    factors = collapsed(
        symbols,
        Form(pairs.queries, table.reshape(symbols.shape(pairs.queries))),
    )
    read = [form for _, _, form in parts]
    read += [_seen(symbols), constant_form(1)]
    used = [
        i
        for i in range(len(read))
        if any(x[0][i] for x in factors.table.reshape(-1))
    ]

    def combined(own: Factors, *sums: Any) -> Any:
        whole = sum(x * own[0][i] for i, x in zip(used, sums, strict=True))
        d = own[1]
        return Fraction(whole, d) if whole % d else whole // d

    return applied(symbols, combined, factors, *(read[i] for i in used))


def _seen(symbols: Symbols) -> Form:
    """How many positions are seen."""
    table = as_objects([int(x) for x in symbols.number_seen()])
    return Form(((0, symbols.seen),), table)
