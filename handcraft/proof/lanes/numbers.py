"""What floats a lane holds, by its symbols: a centre, shared errors and a remainder for each row.

    LaneNumbers            c + sum of g e + d for each row of a table, |e| <= 1 and |d| <= r
    gathered        several lanes side by side, as one zonotope with a row for each row of all
    at_rows         the same at some of the rows
    lanes_of        a zonotope taken apart again
    simpler         the same without labels on which hardly anything depends
    smaller         the same over derived symbols, where it then has fewer rows

An error e belongs to one lane at one position: what is computed there from the lane moves with
it. Rules of this file: a radius is never too small; what is left out is added to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Rejected, Zonotope
from handcraft.proof.lanes.derived import (
    RowGroups,
    by_classes,
    by_known,
    by_less,
    count_rows,
    large,
)
from handcraft.proof.lanes.symbols import (
    MOST_TABLE_ROWS,
    Labels,
    Symbols,
    TooManyRows,
)

MOST_GATHERED = 8 * MOST_TABLE_ROWS  # numbers of all rows together
_MOST_AT_ONCE = MOST_TABLE_ROWS // 4  # numbers of a block of rows
_SMALL = 2.0**-26  # what depends on a symbol by so little does not


@dataclass(frozen=True, eq=False)
class LaneNumbers:
    """The numbers of one lane.

    c, r  [the shape of the labels] the centre and the remainder
    g     the coefficients of each shared error, by its number
    """

    labels: Labels
    c: Array
    r: Array
    g: dict[int, Array] = field(default_factory=dict)

    @property
    def radius(self) -> Array:
        """How far each number can be from its centre."""
        total = self.r
        for part in self.g.values():
            total = total + np.abs(part)
        return total * UP

    @property
    def most(self) -> float:
        """The greatest size of a number."""
        return float((np.abs(self.c) + self.radius).max() * UP)

    @property
    def is_zero(self) -> bool:
        """True if it is exactly 0 everywhere."""
        return not self.c.any() and not self.radius.any()


def single(c: float, r: float = 0.0) -> LaneNumbers:
    """A lane that is one number."""
    return LaneNumbers((), np.array(float(c)), np.array(float(r)))


def gathered(
    symbols: Symbols, lanes: Sequence[LaneNumbers], labels: Labels = ()
) -> tuple[Labels, Zonotope, list[int]]:
    """Lanes side by side: the labels of the rows, the rows, and the numbers of the errors."""
    wide, lanes, errors = read_together(symbols, lanes, labels)
    size = count_rows(symbols, wide)
    if size * max(1, len(lanes)) * (len(errors) + 2) > MOST_GATHERED:
        raise TooManyRows("what is read together has too many rows")
    rows = at_rows(symbols, lanes, wide, np.arange(size))
    return wide, rows, errors


def read_together(
    symbols: Symbols, lanes: Sequence[LaneNumbers], labels: Labels = ()
) -> tuple[Labels, Sequence[LaneNumbers], list[int]]:
    """The labels of all lanes, the lanes over fewer rows where these are many, and the numbers of
    their errors.
    """
    wide = _wide(lanes, labels)
    if count_rows(symbols, wide) > large(symbols):
        lanes = [smaller(symbols, lane) for lane in lanes]
        wide = _wide(lanes, labels)
    symbols.shape(wide)  # Rejected where it is too large
    return wide, lanes, errors_of(lanes)


def errors_of(lanes: Sequence[LaneNumbers]) -> list[int]:
    """The numbers of the errors of several lanes."""
    return sorted({e for lane in lanes for e in lane.g})


def in_blocks(rows: Array, wide: int) -> Iterator[Array]:
    """Rows in parts, each of them small though a row has so many numbers."""
    size = max(1, _MOST_AT_ONCE // max(1, wide))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def at_rows(
    symbols: Symbols, lanes: Sequence[LaneNumbers], labels: Labels, rows: Array
) -> Zonotope:
    """Lanes side by side, at some rows of a table over these labels."""
    index = np.unravel_index(rows, symbols.shape(labels)) if labels else ()
    at = dict(zip(labels, index, strict=True))
    errors = {e: i for i, e in enumerate(errors_of(lanes))}
    c, r = np.zeros((len(rows), len(lanes))), np.zeros((len(rows), len(lanes)))
    g = np.zeros((len(rows), len(lanes), len(errors)))
    for i, lane in enumerate(lanes):
        own = tuple(at[x] for x in lane.labels)
        c[:, i], r[:, i] = lane.c[own], lane.r[own]
        for e, part in lane.g.items():
            g[:, i, errors[e]] = part[own]
    return Zonotope(c, r, g)


def _wide(lanes: Sequence[LaneNumbers], labels: Labels) -> Labels:
    return tuple(sorted({x for lane in lanes for x in lane.labels} | {*labels}))


def lanes_of(
    symbols: Symbols, labels: Labels, rows: Zonotope, errors: Sequence[int]
) -> list[LaneNumbers]:
    """The columns of a zonotope as lanes."""
    if not (np.isfinite(rows.c).all() and np.isfinite(rows.radius).all()):
        raise Rejected("a number is out of range")
    shape = symbols.shape(labels)
    return [
        simpler(
            symbols,
            LaneNumbers(
                labels,
                rows.c[:, i].reshape(shape),
                rows.r[:, i].reshape(shape),
                {
                    e: rows.g[:, i, j].reshape(shape)
                    for j, e in enumerate(errors)
                    if rows.g[:, i, j].any()
                },
            ),
        )
        for i in range(rows.c.shape[1])
    ]


def simpler(
    symbols: Symbols, lane: LaneNumbers, small: float = _SMALL
) -> LaneNumbers:
    """The lane without the labels on which its numbers depend by so little at most, which adds to
    its radius. Rows that no position can have do not count.
    """
    if not lane.labels:
        return lane
    mask = symbols.possible(lane.labels)
    for label in lane.labels[::-1]:
        axis = lane.labels.index(label)
        c, off = _middle(lane.c, mask, axis)
        g: dict[int, Array] = {}
        for e, part in lane.g.items():
            g[e], more = _middle(part, mask, axis)
            off = off + more
        if (off <= small * np.maximum(1.0, np.abs(c))).all():
            labels = (*lane.labels[:axis], *lane.labels[axis + 1 :])
            r = np.where(mask, lane.r, 0.0).max(axis=axis)
            lane = LaneNumbers(
                labels, c, np.where(off > 0, (r + off) * UP, r), g
            )
            mask = np.asarray(mask.any(axis=axis))
    return lane


def _middle(x: Array, mask: Array, axis: int) -> tuple[Array, Array]:
    """The middle of the numbers along an axis that can be, and how far they are from it."""
    low = np.where(mask, x, np.inf).min(axis=axis)
    high = np.where(mask, x, -np.inf).max(axis=axis)
    # where none can be it is what it would be, so that it depends on no more
    some, one = mask.any(axis=axis), x.take(0, axis=axis)
    low, high = np.where(some, low, one), np.where(some, high, one)
    middle = np.where(low == high, low, (low + high) / 2)
    return middle, np.where(
        low == high, 0.0, np.maximum(high - middle, middle - low) * UP
    )


def smaller(
    symbols: Symbols, lane: LaneNumbers, *, new: bool = False
) -> LaneNumbers:
    """The lane over derived symbols that decide its numbers, where it then has fewer rows."""
    if len(lane.labels) < 2:
        return lane
    mask = symbols.possible(lane.labels)
    columns = lane.c[mask][None]
    near = _near(columns)
    groups = by_known(symbols, lane.labels, columns, near)
    if groups is None and new:
        classes = _classes(lane.c, float(near[0]))
        found = by_classes(symbols, lane.labels, classes)
        groups = None if found is None else found[0]
    return lane if groups is None else _grouped(symbols, lane, groups)


def _near(columns: Array) -> Array:  # [n_column, n_row] -> [n_column]
    """How near numbers are that are taken for the same."""
    return _SMALL * np.asarray(np.abs(columns).max(axis=1, initial=0.0))


def fewer_rows(
    symbols: Symbols, labels: Labels, rows: Zonotope
) -> tuple[Labels, Zonotope]:
    """Rows without shared errors over derived symbols that decide all columns, or else over fewer
    of their own, where there are such symbols.
    """
    if len(labels) < 2 or not rows.c.shape[1]:
        return labels, rows
    shape = symbols.shape(labels)
    columns = rows.c[symbols.possible(labels).reshape(-1)].T
    groups = by_known(symbols, labels, columns, _near(columns), 1)
    if groups is None and not symbols.few:
        groups = by_less(symbols, labels, columns, _near(columns))
    if groups is None:
        return labels, rows
    lanes = [
        _grouped(
            symbols,
            LaneNumbers(labels, c.reshape(shape), r.reshape(shape)),
            groups,
        )
        for c, r in zip(rows.c.T, rows.radius.T, strict=True)
    ]
    c, r = (
        np.stack([x.reshape(-1) for x in part], axis=1)
        for part in ([x.c for x in lanes], [x.r for x in lanes])
    )
    return groups.labels, Zonotope.of(c, r)


def _classes(c: Array, near: float) -> Array:
    """Numbers that are near each other as classes, from 0 on."""
    values, at = np.unique(c, return_inverse=True)
    number = np.cumsum(np.r_[0, np.diff(values) > near])
    return np.asarray(number[at].reshape(c.shape))


def _grouped(
    symbols: Symbols, lane: LaneNumbers, groups: RowGroups
) -> LaneNumbers:
    """A lane with a row for each group of its rows."""
    shape = symbols.shape(groups.labels)
    order = np.argsort(groups.number, kind="stable")
    own = groups.number[order]
    first = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
    at = own[first]

    def by_group(x: Array, f: Any) -> Any:
        return f.reduceat(x[groups.mask][order], first)

    def middle(x: Array) -> tuple[Array, Array]:
        low, high = by_group(x, np.minimum), by_group(x, np.maximum)
        half = np.maximum(high - (low + high) / 2, (low + high) / 2 - low)
        same = low == high
        c = np.where(same, low, (low + high) / 2)
        return c, np.where(same, 0.0, half * UP)

    def rows(x: Array) -> Array:  # others are of no text: any number does
        out = np.full(int(np.prod(shape, dtype=np.int64)), x[0])
        out[at] = x
        return out.reshape(shape)

    c, off = middle(lane.c)
    g: dict[int, Array] = {}
    for e, part in lane.g.items():
        g[e], more = middle(part)
        off = off + more
    r = by_group(lane.r, np.maximum)
    r = np.where(off > 0, (r + off) * UP, r)
    return LaneNumbers(
        groups.labels, rows(c), rows(r), {e: rows(x) for e, x in g.items()}
    )
