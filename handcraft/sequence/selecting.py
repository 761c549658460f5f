"""Evaluates selections: what each query position makes of the key positions that it selects.

    selected(e, columns)   the value of a selection at each query position

Rules of this file: the selected positions come as matrices [n_text, n_query, n_key]. Of one long
text they come a block of queries at a time, so that memory stays small; several texts are so
many that they fit at once (handcraft.sequence.columns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import Any, TypeAlias

import numpy as np

from handcraft.sequence.expression_checks import PAIRS
from handcraft.sequence.operations import SHORT, Fields, selection_of
from handcraft.sequence.pairs import Grid, Ints, Readings
from handcraft.sequence.values import Value, as_number, bounded


def selected(e: Fields, columns: Readings) -> list[Value]:
    """The value of a selection at each query position, one text after the other."""
    reduce = _REDUCING[e.op](e, columns)
    values: list[Value] = []
    for rows in _blocks(e, columns):  # [n_text, n_query of the block, n_key]
        values.extend(reduce(rows))
    return values


def _blocks(e: Fields, columns: Readings) -> Iterator[Grid]:
    """The positions that the queries select; of one text a block of queries at a time."""
    n, n_query = columns.n, len(columns.queries)
    limits = _limits(e, columns)  # [n_text, n_query, 1]
    size = max(1, PAIRS // max(1, n) // _kept(e))
    if len(columns.texts) > 1:
        size = max(1, n_query)
    for start in range(0, n_query, size):
        stop = min(start + size, n_query)
        allowed = np.arange(n)[None, None] < limits[:, start:stop]
        truth = _short if e.op in SHORT else _long
        yield allowed & truth(e, columns, start, stop)


def _limits(e: Fields, columns: Readings) -> Ints:
    """The position below which each query may select."""
    shape = len(columns.texts), len(columns.queries), 1
    if e.op in SHORT:
        return np.array(columns.positions(e), dtype=np.int64).reshape(shape)
    seen = np.array([columns.seen(q) for q in columns.queries], dtype=np.int64)
    return np.broadcast_to(seen[None, :, None], shape)


def _kept(e: Fields) -> int:
    """How many matrices a condition may keep, in proportion: those of what it shares."""
    where = selection_of(e).condition if e.op not in SHORT else 1
    if isinstance(where, int | str) or where.spread == where.size:
        return 1
    return 1 + where.size // 8


def _long(e: Fields, columns: Readings, start: int, stop: int) -> Grid:
    true, _ = columns.pairs.truth(selection_of(e).condition, start, stop)
    return true


def _short(e: Fields, columns: Readings, start: int, stop: int) -> Grid:
    """Where the tokens stand at their distances that a short selection asks for."""
    n, n_text = columns.n, len(columns.texts)
    first, step = e.every
    j = np.arange(n)
    found = ((j >= first) & ((j - first) % step == 0))[None, None]
    seen = np.array([columns.seen(q) for q in columns.queries[start:stop]])
    for distance, what in e.where:
        at = j + distance
        inside = (at >= 0)[None, None] & (at[None] < seen[:, None])[None]
        found = found & inside & _tokens(columns, what, at, start, stop)
    return np.broadcast_to(found, (n_text, stop - start, n))


def _tokens(
    columns: Readings, what: Any, at: Ints, start: int, stop: int
) -> Grid:
    """Where the token at a distance from each key is the one that is asked for."""
    n, texts = columns.n, columns.texts
    read = [
        text[i] if 0 <= i < n else None for text in texts for i in at.tolist()
    ]
    shape = len(texts), 1, n
    if isinstance(what, str | tuple):
        wanted = {what} if isinstance(what, str) else set(what)
        held = [token in wanted for token in read]
        return np.array(held, dtype=bool).reshape(shape)
    numbers = {token: i for i, token in enumerate({*read} - {None})}
    keys = np.array([numbers.get(token, -1) for token in read], dtype=np.int64)
    asked = np.array(
        [numbers.get(x, -2) for x in columns.of(what)],
        dtype=np.int64,
    ).reshape(len(texts), len(columns.queries), 1)
    return asked[:, start:stop] == keys.reshape(shape)


# ------------------------------------------------- from the selected positions

_Reduce: TypeAlias = Callable[[Grid], Sequence[Value]]


def _count(_: Fields, __: Readings) -> _Reduce:
    return lambda rows: rows.sum(axis=2).ravel().tolist()


def _first(_: Fields, __: Readings) -> _Reduce:
    return lambda rows: _if_any(rows, _place(rows))


def _latest(_: Fields, __: Readings) -> _Reduce:
    def latest(rows: Grid) -> list[Value]:
        return _if_any(rows, rows.shape[2] - 1 - _place(rows[:, :, ::-1]))

    return latest


def _place(rows: Any) -> Ints:
    """The first greatest of each row, 0 of an empty one."""  # [n_text, n_query]
    if not rows.shape[2]:
        return np.zeros(rows.shape[:2], dtype=np.int64)
    found: Ints = rows.argmax(axis=2)
    return found


def _if_any(rows: Grid, places: Ints) -> list[Value]:
    """The places, None where a row selects nothing."""
    found: Any = rows.any(axis=2)
    pairs = zip(places.ravel().tolist(), found.ravel().tolist(), strict=True)
    return [at if some else None for at, some in pairs]


def _best(e: Fields, columns: Readings) -> _Reduce:
    """The first of the positions with the greatest score; an undefined score is passed over."""
    scores = columns.keys.of(selection_of(e).value)
    defined = sorted(as_number(e, x) for x in {*scores} - {None})
    ordered: dict[Value, int] = {x: i for i, x in enumerate(defined)}
    ranks = np.array(
        [ordered.get(x, -1) for x in scores], dtype=np.int64
    ).reshape(len(columns.texts), 1, columns.n)

    def best(rows: Grid) -> list[Value]:
        kept = rows & (ranks >= 0)
        return _if_any(kept, _place(np.where(kept, ranks, -1)))

    return best


def _fetch(e: Fields, columns: Readings) -> _Reduce:
    """The value at the only selected position: the default at none, undefined at several."""
    selection = selection_of(e)
    values = columns.keys.of(selection.value)
    default = (
        [None] * len(columns.texts) * len(columns.queries)
        if selection.default is None
        else columns.of(selection.default)
    )
    asked = iter(default)
    first = np.arange(len(columns.texts))[:, None] * columns.n  # of each text

    def fetch(rows: Grid) -> list[Value]:
        counts = rows.sum(axis=2).ravel().tolist()
        places = (_place(rows) + first).ravel().tolist()
        return [
            otherwise if not n else values[at] if n == 1 else None
            for n, at, otherwise in zip(counts, places, asked, strict=False)
        ]

    return fetch


def _total(e: Fields, columns: Readings) -> _Reduce:
    """The sum of the values of the selected positions, undefined where one of them is."""
    values = columns.keys.of(selection_of(e).value)
    shape = len(columns.texts), columns.n, 1
    undefined = np.array([x is None for x in values], dtype=bool)
    defined = [0 if x is None else as_number(e, x) for x in values]
    scale = _scale({x.denominator for x in defined})
    scaled = [int(x * scale) for x in defined]
    small = sum(map(abs, scaled)) < 2**62
    numbers = np.array(scaled, dtype=np.int64 if small else object)

    def total(rows: Grid) -> list[Value]:
        sums = (rows if small else rows.astype(object)) @ numbers.reshape(shape)
        wrong: Any = (rows & undefined.reshape(shape).transpose(0, 2, 1)).any(
            axis=2
        )
        return [
            None if bad else _exact(int(x), scale)
            for x, bad in zip(sums.ravel(), wrong.ravel(), strict=True)
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


def _mean(e: Fields, columns: Readings) -> _Reduce:
    """The sum by the number of positions, exactly; undefined where nothing is selected."""
    total = _total(e, columns)

    def mean(rows: Grid) -> list[Value]:
        counts = rows.sum(axis=2).ravel().tolist()
        return [
            Fraction(x) / n
            if n and x is not None and not isinstance(x, str)
            else None
            for x, n in zip(total(rows), counts, strict=True)
        ]

    return mean


_REDUCING: Mapping[str, Callable[[Fields, Readings], _Reduce]] = {
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
