"""Evaluates selections: what each query position makes of the key positions that it selects.

    selected(e, columns)   the value of a selection at each query position

Rules of this file: the selected positions come as a matrix [n_query, n_key], a block of queries
at a time, so that memory stays small for a long text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import Any, TypeAlias

import numpy as np

from handcraft.sequence.expression_checks import Node, condition_of
from handcraft.sequence.pairs import Grid, Ints, Readings
from handcraft.sequence.values import Value, as_number, bounded

_PAIRS = 2**22  # pairs of positions in a block


def selected(e: Node, columns: Readings) -> list[Value]:
    """The value of a selection at each query position."""
    reduce = _REDUCING[e.op](e, columns)
    values: list[Value] = []
    for rows in _blocks(e, columns):  # [n_query of the block, n_key]
        values.extend(reduce(rows))
    return values


def _blocks(e: Node, columns: Readings) -> Iterator[Grid]:
    """The positions that the queries select, a block of queries at a time."""
    n = len(columns.tokens)
    limits = np.array(
        [columns.seen(q) for q in columns.queries], dtype=np.int64
    )
    if e.op in _SHORT:
        limits = np.array(columns.positions(e), dtype=np.int64)
    size = max(1, _PAIRS // max(1, n) // _kept(e))
    for start in range(0, len(columns.queries), size):
        stop = min(start + size, len(columns.queries))
        allowed = np.arange(n)[None] < limits[start:stop, None]
        truth = _short if e.op in _SHORT else _long
        yield allowed & truth(e, columns, start, stop)


def _kept(e: Node) -> int:
    """How many matrices a condition may keep, in proportion: those of what it shares."""
    where = condition_of(e) if e.op not in _SHORT else 1
    if isinstance(where, int | str) or where.spread == where.size:
        return 1
    return 1 + where.size // 8


def _long(e: Node, columns: Readings, start: int, stop: int) -> Grid:
    true, _ = columns.pairs.truth(condition_of(e), start, stop)
    return true


def _short(e: Node, columns: Readings, start: int, stop: int) -> Grid:
    """Where the tokens stand at their distances that a short selection asks for."""
    n = len(columns.tokens)
    first, step = e.every
    found = ((np.arange(n) >= first) & ((np.arange(n) - first) % step == 0))[
        None
    ]
    seen = np.array([columns.seen(q) for q in columns.queries[start:stop]])
    for distance, what in e.where:
        at = np.arange(n) + distance
        inside = (at >= 0)[None] & (at[None] < seen[:, None])
        found = found & inside & _tokens(columns, what, at, start, stop)
    return np.broadcast_to(found, (stop - start, n))


def _tokens(
    columns: Readings, what: Any, at: Ints, start: int, stop: int
) -> Grid:
    """Where the token at a distance from each key is the one that is asked for."""
    n = len(columns.tokens)
    read = [columns.tokens[i] if 0 <= i < n else None for i in at.tolist()]
    if isinstance(what, str | tuple):
        wanted = {what} if isinstance(what, str) else set(what)
        return np.array([token in wanted for token in read], dtype=bool)[None]
    numbers = {token: i for i, token in enumerate(set(columns.tokens))}
    keys = np.array(
        [numbers.get(token or "", -1) for token in read], dtype=np.int64
    )
    asked = [numbers.get(x, -2) for x in columns.of(what)[start:stop]]  # type: ignore[arg-type]
    return np.array(asked, dtype=np.int64)[:, None] == keys[None]


# ------------------------------------------------- from the selected positions

_Reduce: TypeAlias = Callable[[Grid], Sequence[Value]]


def _count(_: Node, __: Readings) -> _Reduce:
    return lambda rows: rows.sum(axis=1).tolist()


def _first(_: Node, __: Readings) -> _Reduce:
    def first(rows: Grid) -> list[Value]:
        return _if_any(rows, rows.argmax(axis=1) if rows.size else [])

    return first


def _latest(_: Node, __: Readings) -> _Reduce:
    def latest(rows: Grid) -> list[Value]:
        n = rows.shape[1]
        return _if_any(rows, n - 1 - rows[:, ::-1].argmax(axis=1) if n else [])

    return latest


def _if_any(rows: Grid, places: Any) -> list[Value]:
    """The places, None where a row selects nothing."""
    if not rows.shape[1]:
        return [None] * len(rows)
    found: Any = rows.any(axis=1)
    return [
        int(at) if some else None
        for at, some in zip(places, found, strict=True)
    ]


def _best(e: Node, columns: Readings) -> _Reduce:
    """The first of the positions with the greatest score; an undefined score is passed over."""
    scores = columns.keys.of(e.args[0])
    defined = sorted(as_number(e, x) for x in {*scores} - {None})
    ordered: dict[Value, int] = {x: i for i, x in enumerate(defined)}
    ranks = np.array([ordered.get(x, -1) for x in scores], dtype=np.int64)

    def best(rows: Grid) -> list[Value]:
        kept = rows & (ranks >= 0)[None]
        among = np.where(kept, ranks[None], -1)
        return _if_any(kept, among.argmax(axis=1) if rows.shape[1] else [])

    return best


def _fetch(e: Node, columns: Readings) -> _Reduce:
    """The value at the only selected position: the default at none, undefined at several."""
    values = columns.keys.of(e.args[0])
    default = (
        columns.of(e.args[2])
        if len(e.args) > 2
        else [None] * len(columns.queries)
    )
    asked = iter(default)

    def fetch(rows: Grid) -> list[Value]:
        counts = rows.sum(axis=1)
        places = rows.argmax(axis=1) if rows.shape[1] else counts
        return [
            otherwise if not n else values[at] if n == 1 else None
            for n, at, otherwise in zip(counts, places, asked, strict=False)
        ]

    return fetch


def _total(e: Node, columns: Readings) -> _Reduce:
    """The sum of the values of the selected positions, undefined where one of them is."""
    values = columns.keys.of(e.args[0])
    undefined = np.array([x is None for x in values], dtype=bool)
    defined = [0 if x is None else as_number(e, x) for x in values]
    scale = _scale({x.denominator for x in defined})
    scaled = [int(x * scale) for x in defined]
    small = sum(map(abs, scaled)) < 2**62
    numbers = np.array(scaled, dtype=np.int64 if small else object)

    def total(rows: Grid) -> list[Value]:
        sums = rows @ numbers if small else [sum(numbers[row]) for row in rows]
        wrong = (rows & undefined[None]).any(axis=1)
        return [
            None if bad else _exact(int(x), scale)
            for x, bad in zip(sums, wrong, strict=True)
        ]

    return total


def _scale(denominators: set[int]) -> int:
    """What makes all of them whole numbers."""
    scale = 1
    for denominator in denominators:
        scale = int(bounded(lcm(scale, denominator)))
    return scale


def _exact(number: int, scale: int) -> int | Fraction:
    return number if scale == 1 else Fraction(number, scale)


def _mean(e: Node, columns: Readings) -> _Reduce:
    """The sum by the number of positions, exactly; undefined where nothing is selected."""
    total = _total(e, columns)

    def mean(rows: Grid) -> list[Value]:
        return [
            Fraction(x) / int(n)
            if n and x is not None and not isinstance(x, str)
            else None
            for x, n in zip(total(rows), rows.sum(axis=1), strict=True)
        ]

    return mean


_SHORT = ("count", "first", "latest")
_REDUCING: Mapping[str, Callable[[Node, Readings], _Reduce]] = {
    "count": _count,
    "first": _first,
    "latest": _latest,
    "count_where": _count,
    "first_where": _first,
    "latest_where": _latest,
    "best": _best,
    "fetch": _fetch,
    "total_where": _total,
    "mean": _mean,
}
