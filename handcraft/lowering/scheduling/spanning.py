"""Leaves out lanes of the embedding that are sums of others: the position from the flags of its
digits, the number of a token from its code.

    spanned(stream, texts, every=)   the same rules, which read the sums in their place
    told_once(stream, texts)         the same for what one head brings from positions

Rules of this file: a sum is exact in float32 wherever it is read, or no less exact than the lane
was; a lane that the answer is written over stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.scheduling.rewriting import changed, read_by, rules_of
from handcraft.lowering.stream import BOS, ONE, Stream

PARTS = 2  # a factor of a sum is a whole number of halves
GREATEST = 2.0**12
_EXACT = (
    2.0**22
)  # how many of the least parts float32 adds without an error, with room


@dataclass(frozen=True)
class Texts:
    """What can stand in a context behind its first token.

    tokens  the tokens that are read; none where that is not known
    places  the number of positions
    """

    tokens: Sequence[str]
    places: int


_Columns = Mapping[Lane, np.ndarray]


def spanned(stream: Stream, texts: Texts, *, every: bool) -> Stream:
    """The stream without tables that are sums of others; without `every` a flag stays."""
    kept = _written_over(stream)
    for columns in _columns(stream, texts):
        basis: list[Lane] = []
        for lane in _in_order(columns, kept):
            found = None
            if lane not in kept and (every or not _is_flag(columns[lane])):
                found = _as_sum(lane, basis, columns)
            if found is None or not _stays_exact(stream, lane, found, columns):
                basis.append(lane)
            else:
                stream = _without(stream, lane, found)
    return stream


def told_once(stream: Stream, texts: Texts) -> Stream:
    """The stream in which a head brings no lane that is a sum of others that it brings."""
    columns = _positions(stream, texts)
    for i in range(len(stream.heads)):
        brought = _brought(stream, i, columns)
        basis: list[Lane] = []
        for lane in _in_order(brought, set()):
            found = _as_sum(lane, basis, brought, free=False)
            if found is None or not _stays_exact(stream, lane, found, brought):
                basis.append(lane)
            else:
                stream = _not_brought(stream, i, lane, found)
    kept = copy(stream)
    kept.heads = [head for head in stream.heads if head.writes]
    return kept


def _brought(stream: Stream, i: int, columns: _Columns) -> _Columns:
    """What a head brings that it alone writes, by the position where it is read."""
    head = stream.heads[i]
    if head.final or not columns:
        return {}
    written = Counter(x for rule in rules_of(stream) for x in set(rule.writes))
    return {
        lane: gain * _column_of(what, columns)
        for lane, (what, gain) in head.adds.items()
        if written[lane] == 1
        and lane not in head.bias
        and all(x in columns or x == BOS for x in what.lanes_read)
    }


def _column_of(x: Affine, columns: _Columns) -> np.ndarray:
    size = len(next(iter(columns.values())))
    found = np.full(size, x.constant)
    for lane, by in x.terms:
        if lane != BOS:
            found = found + by * columns[lane]
    return found


def _not_brought(stream: Stream, i: int, lane: Lane, found: Affine) -> Stream:
    new = _without(stream, lane, found)
    head = new.heads[i]
    adds = {k: v for k, v in head.adds.items() if k != lane}
    new.heads[i] = replace(head, adds=adds)
    return new


def _written_over(stream: Stream) -> set[Lane]:
    kept = {BOS, *(lane for _, lane, _ in stream.constants)}
    for rule in rules_of(stream):
        kept |= set(rule.writes)
    return kept


def _columns(stream: Stream, texts: Texts) -> Iterator[_Columns]:
    """The lanes of tokens, and those of positions, each with what it holds."""
    tables = stream.tables.items()
    if texts.tokens:
        yield {
            lane: np.array([table.tokens.get(t, 0.0) for t in texts.tokens])
            for lane, table in tables
            if table.tokens
        }
    yield _positions(stream, texts)


def _positions(stream: Stream, texts: Texts) -> _Columns:
    rest = [0.0] * texts.places
    return {
        lane: np.array([*table.positions, *rest][: texts.places])
        for lane, table in stream.tables.items()
        if table.positions
    }


def _is_flag(column: np.ndarray) -> bool:
    return set(column.tolist()) <= {0.0, 1.0}


def _in_order(columns: _Columns, kept: set[Lane]) -> list[Lane]:
    """Those that stay, then flags, of which most others are sums, then numbers."""
    return sorted(
        columns, key=lambda x: (x not in kept, not _is_flag(columns[x]))
    )


def _as_sum(
    lane: Lane, basis: Sequence[Lane], columns: _Columns, *, free: bool = True
) -> Affine | None:
    """The lane as a sum of others, and of a constant where it is free, with plain factors."""
    column = columns[lane]  # [n]
    ones = np.full(len(column), float(free))
    parts = np.stack([ones, *(columns[x] for x in basis)], 1)  # [n, n_parts]
    found = np.linalg.lstsq(parts, column, rcond=None)[0]
    factors = np.round(found * PARTS) / PARTS
    if np.abs(factors).max() > GREATEST:
        return None
    if (parts @ factors != column).any():
        return None
    terms = dict(zip(basis, factors[1:].tolist(), strict=True))
    return ONE.scaled(float(factors[0])).plus(Affine.of(terms))


def _stays_exact(
    stream: Stream, lane: Lane, found: Affine, columns: _Columns
) -> bool:
    for rule in rules_of(stream):
        for x in read_by(rule):
            if lane in x.lanes_read:
                new = _put(x, lane, found)
                if not _is_exact(new, columns) and (
                    _reach(new, columns) > 2 * _reach(x, columns)
                ):
                    return False
    return True


def _put(x: Affine, lane: Lane, found: Affine) -> Affine:
    """The expression with a sum in the place of a lane."""
    terms = dict(x.terms)
    if lane not in terms:
        return x
    by = terms.pop(lane)
    return Affine.of(terms, x.constant).plus(found.scaled(by))


def _reach(x: Affine, columns: _Columns) -> float:
    """The greatest sum of the sizes of its terms, as far as they are in these columns."""
    found = np.full(len(next(iter(columns.values()))), abs(x.constant))
    for lane, by in x.terms:
        if lane in columns:
            found = found + np.abs(by * columns[lane])
    return float(found.max())


def _is_exact(x: Affine, columns: _Columns) -> bool:
    """True if float32 adds its terms without an error."""
    if any(lane not in columns and lane != BOS for lane in x.lanes_read):
        return False
    numbers = [x.constant]
    for lane, by in x.terms:
        if lane != BOS:
            numbers += [by, *(by * columns[lane]).tolist()]
    bottom = max(Fraction(number).denominator for number in numbers)
    return bottom * _reach(x, columns) < _EXACT and bottom < _EXACT


def _without(stream: Stream, lane: Lane, found: Affine) -> Stream:
    new = changed(copy(stream), lambda x: _put(x, lane, found))
    new.times = {x: t for x, t in stream.times.items() if x != lane}
    new.tables = {x: t for x, t in stream.tables.items() if x != lane}
    return new
