"""Layered the boxes of a graph in columns, so that its lines cross little: a layered drawing.

The columns are given: a transformer computes sublayer by sublayer, so the order that a library
would search for is known. What is left is the order inside each column. A line that passes columns
gets a narrow place in each, and in a few sweeps every place moves to the mean of its neighbours
(the barycentre heuristic of Sugiyama, Tagawa and Toda, 1981). Then the boxes are set apart from
top to bottom, each as near to its neighbours as those above it allow.

Rules of this file: names and sizes in, places out; the same graph gives the same places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Key: TypeAlias = tuple[
    str, int
]  # of a box or of a line that passes: its name, its column
SWEEPS = 12
THIN = 10.0  # pixels that a passing line keeps free


@dataclass(frozen=True)
class Layered:
    """`middle` has the height of each box and each passing line, `height` is that of all."""

    middle: Mapping[Key, float]
    height: float


def placed_columns(
    columns: Sequence[Sequence[str]],
    heights: Mapping[str, float],
    edges: Sequence[tuple[str, str]],
    gap: float,
) -> Layered:
    """Where the boxes stand that are given by column, and the lines from earlier to later ones."""
    own = {name: i for i, names in enumerate(columns) for name in names}
    last = dict(
        own
    )  # the last column that a line of the box passes, or its own
    for sender, receiver in edges:
        last[sender] = max(last[sender], own[receiver] - 1)
    keys: list[list[Key]] = [
        [(name, i) for name in own if own[name] <= i <= last[name]]
        for i in range(len(columns))
    ]
    near = _neighbours(own, last, edges)
    size = {
        key: heights[key[0]] if own[key[0]] == key[1] else THIN
        for column in keys
        for key in column
    }
    _order(keys, near)
    return _spread(keys, near, size, gap)


def _neighbours(
    own: Mapping[str, int],
    last: Mapping[str, int],
    edges: Sequence[tuple[str, str]],
) -> dict[Key, list[Key]]:
    """What each place is joined to in the columns before and after it."""
    near: dict[Key, list[Key]] = {}
    links = [
        ((name, i), (name, i + 1))
        for name in own
        for i in range(own[name], last[name])
    ]
    links += [
        ((sender, own[receiver] - 1), (receiver, own[receiver]))
        for sender, receiver in edges
    ]
    for a, b in links:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    return near


def _order(keys: list[list[Key]], near: Mapping[Key, Sequence[Key]]) -> None:
    """Order each column by the mean place of the neighbours, forwards and backwards in turn."""
    for sweep in range(SWEEPS):
        place = {
            key: (i + 0.5) / len(column)
            for column in keys
            for i, key in enumerate(column)
        }
        step = 1 if sweep % 2 else -1
        for column in keys[::-step]:
            column.sort(key=lambda key: _mean(key, near, place, key[1] + step))
            for i, key in enumerate(column):
                place[key] = (i + 0.5) / len(column)


def _mean(
    key: Key,
    near: Mapping[Key, Sequence[Key]],
    place: Mapping[Key, float],
    column: int | None = None,
) -> float:
    """The mean place of the neighbours, of those in a column where one is given; else its own."""
    found = [
        place[other]
        for other in near.get(key, ())
        if column is None or other[1] == column
    ]
    return sum(found) / len(found) if found else place[key]


def _spread(
    keys: Sequence[Sequence[Key]],
    near: Mapping[Key, Sequence[Key]],
    size: Mapping[Key, float],
    gap: float,
) -> Layered:
    """Set the places of each column apart, near to their neighbours."""
    middle: dict[Key, float] = {}
    for column in keys:
        y = 0.0
        for key in column:
            middle[key] = y + size[key] / 2
            y += size[key] + gap
    for sweep in range(SWEEPS):
        for column in keys if sweep % 2 else keys[::-1]:
            wanted = {key: _mean(key, near, middle) for key in column}
            middle |= _apart(column, wanted, size, gap)
    top = min((middle[key] - size[key] / 2 for key in middle), default=0.0)
    middle = {key: y - top for key, y in middle.items()}
    ends = (middle[key] + size[key] / 2 for key in middle)
    return Layered(middle, max(ends, default=0.0))


def _apart(
    column: Sequence[Key],
    wanted: Mapping[Key, float],
    size: Mapping[Key, float],
    gap: float,
) -> dict[Key, float]:
    """The places that are wanted, pushed down where two would touch, then moved back together by
    the mean of how far they were pushed.
    """
    found: dict[Key, float] = {}
    free = -1e9
    for key in column:
        found[key] = max(wanted[key], free + size[key] / 2)
        free = found[key] + size[key] / 2 + gap
    pushed = [found[key] - wanted[key] for key in column]
    back = sum(pushed) / len(pushed) if pushed else 0.0
    return {key: y - back for key, y in found.items()}
