"""The keys that a query can see, in classes of equal score, and the sums of their values.

    class      keys of one score and one radius of it, with the range of all their values
    label      (class of a key, number of its value)
    summary    ((class, number of keys, sum of their values), ...): the keys so far, without
               those that are behind another class by the gap

Rules of this file: every key that a class stands for lies in the class's range of values.
"""

from __future__ import annotations

import math

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.prover.network import HeadPart
from handcraft.proof.prover.zonotope import (
    NEVER,
    OWN,
    UP,
    Precision,
    Zonotope,
    grid,
    power_of_two,
)

Label = tuple[int, int]  # a class of scores, a value
# (class, how many, sum of their values), by class
Summary = tuple[tuple[int, int, int], ...]


def scores_of(
    precision: Precision,
    query: Zonotope,
    keys: Zonotope,
    *,
    apart: bool = False,
) -> Zonotope:  # [n_match], [n, n_match] -> [n]
    """Return the scores before they are divided by sqrt(d_head); with `apart`, up to a number
    that all of them share.

    A query that is off by e moves the score of a key by e times that key. What it moves one key
    by, here the one with the greatest score, may be taken off all of them: no softmax sees it.
    """
    if keys.finite:  # zero times anything else adds nothing
        asked = np.flatnonzero((query.c != 0) | (query.r != 0))
        query, keys = query[asked], keys[:, asked]
    c = keys.c @ query.c
    q = np.abs(query.c) + query.r
    size = np.abs(keys.c) @ q + keys.r @ q
    common = np.zeros(len(query.c))
    if apart and len(c):
        common = keys.c[c.argmax()]
    spread = keys.r @ q + np.abs(keys.c - common) @ query.r
    # what they share is rounded with each of them, here and by the division
    spread = spread + 2 * precision.u * (np.abs(common) @ query.r)
    there = ((keys.c != 0) | (keys.r != 0)) & (q != 0)  # [n, n_match]
    known = (query.r == 0) & (keys.r == 0)
    finest = np.where(
        known, grid(keys.c) + grid(query.c), np.where(there, -np.inf, NEVER)
    ).min(axis=1, initial=NEVER)
    doubled = ~there | (known & (power_of_two(keys.c) | power_of_two(query.c)))
    error = precision.summed(
        c, size, spread, 0.0, finest, there.sum(axis=1), doubled.all(axis=1)
    )
    return Zonotope(c, (spread + error) * UP)


class Values:
    """Value vectors and sums of them, each stored once under a number."""

    def __init__(self) -> None:
        self.rows: list[Array] = []
        self._numbers: dict[bytes, int] = {}
        self._added: dict[tuple[int, int], int] = {}
        # the rows when they were last asked for, and room for more
        self._stacked: Array = np.empty((0, 0))
        self._filled = 0

    def number(self, value: Array) -> int:  # [n_value]
        """Return the number of a vector."""
        value = value + 0.0  # -0.0 and 0.0 are one
        key = value.tobytes()
        if key not in self._numbers:
            self._numbers[key] = len(self.rows)
            self.rows.append(value)
        return self._numbers[key]

    def numbers(self, values: Array) -> Array:  # [n, n_value] -> [n]
        """Return the numbers of many vectors."""
        unique, inverse = np.unique(values + 0.0, axis=0, return_inverse=True)
        return np.array([self.number(row) for row in unique])[
            inverse.reshape(-1)
        ]

    def of(self, numbers: Array) -> Array:  # [...] -> [..., n_value]
        """Return the vectors of these numbers."""
        new = self.rows[self._filled :]
        if new and len(self.rows) > len(self._stacked):
            room = np.empty((2 * len(self.rows), len(new[0])))
            if self._filled:
                room[: self._filled] = self._stacked[: self._filled]
            self._stacked = room
        if new:
            self._stacked[self._filled : len(self.rows)] = new
            self._filled = len(self.rows)
        return self._stacked[numbers]

    def add(self, a: int, b: int) -> int:
        """Return the number of the sum of two numbered vectors."""
        if (a, b) not in self._added:
            self._added[a, b] = self.number(self.rows[a] + self.rows[b])
        return self._added[a, b]


class KeyClasses:
    """The classes of the keys that one query of one head can see."""

    def __init__(
        self,
        precision: Precision,
        head: HeadPart,
        gap: float,
        n_keys: int,
        values: Values | None = None,
    ) -> None:
        self.precision = precision
        self.head = head
        self.gap = gap
        self.n_keys = n_keys
        self.values = values or Values()
        # the divisor is a float, too
        self.scale = (
            float(np.float32(head.scale))
            if precision.digits == 24
            else head.scale
        )
        # dividing by a power of two rounds nothing
        self.exact_scale = math.frexp(self.scale)[0] == 0.5
        # of each class: the score before division and its radius
        self.scores: list[tuple[float, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []
        # of each class: the least and greatest centre of a value
        self.centres: list[tuple[Array, Array]] = []
        # ... the least and greatest value, the radius of a value, its grid
        self.least: list[Array] = []
        self.most: list[Array] = []
        self.loose: list[Array] = []
        self.finest: list[Array] = []
        self._classes: dict[tuple[float, float], int] = {}
        self._inserted: dict[tuple[Summary, Label], Summary] = {}
        self._range: tuple[Array, Array] | None = None
        self._kinds: Array | None = None
        self._bounds: tuple[Array, Array] | None = None
        self._hidden: dict[int, float] = {}

    def label(
        self, score: tuple[float, float], value: Array, radius: Array
    ) -> Label:
        """Return the class of a key and the number of its value."""
        kind = self._class(score, len(value))
        finest = np.where(radius == 0, grid(value), -np.inf)
        self._widen(
            kind, value - radius, value + radius, radius, finest, value, value
        )
        return kind, self.values.number(value)

    def _class(self, score: tuple[float, float], n_value: int) -> int:
        if not (math.isfinite(score[0]) and math.isfinite(score[1])):
            score = (
                0.0,
                math.inf,
            )  # nothing is known: it may be above every other
        kind = self._classes.get(score)
        if kind is None:
            kind = self._classes[score] = len(self.scores)
            self._hidden.clear()
            self._bounds = None
            self.scores.append(score)
            spread = score[1] + (
                0.0
                if self.exact_scale
                else (1.01 * self.precision.u + 2 * OWN)
                * (abs(score[0]) + score[1])
            )
            self.low.append((score[0] - spread) / self.scale)
            self.high.append((score[0] + spread) / self.scale)
            self.centres.append(
                (np.full(n_value, np.inf), np.full(n_value, -np.inf))
            )
            self.least.append(np.full(n_value, np.inf))
            self.most.append(np.full(n_value, -np.inf))
            self.loose.append(np.zeros(n_value))
            self.finest.append(np.full(n_value, 4000.0))
        return kind

    def _widen(
        self,
        kind: int,
        least: Array,
        most: Array,
        loose: Array,
        finest: Array,
        low: Array,
        high: Array,
    ) -> None:
        self._range = self._kinds = None
        self.centres[kind] = (
            np.minimum(self.centres[kind][0], low),
            np.maximum(self.centres[kind][1], high),
        )
        self.least[kind] = np.minimum(self.least[kind], least)
        self.most[kind] = np.maximum(self.most[kind], most)
        self.loose[kind] = np.maximum(self.loose[kind], loose)
        self.finest[kind] = np.minimum(self.finest[kind], finest)

    def labels(
        self, scores: Zonotope, values: Zonotope, numbers: Array
    ) -> tuple[Array, Array]:  # [n], [n, n_value], [n] -> [n], [n]
        """Return the classes of many keys, and the numbers of their values as they are given."""
        known = np.isfinite(scores.c) & np.isfinite(scores.r)
        # [n, 2]
        pairs = np.stack(
            [np.where(known, scores.c, 0.0), np.where(known, scores.r, np.inf)],
            axis=1,
        )
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
        # [n]
        kinds = np.array(
            [
                self._class((float(c), float(r)), values.c.shape[1])
                for c, r in unique
            ]
        )[inverse.reshape(-1)]
        finest = np.where(values.r == 0, grid(values.c), -np.inf)
        order = np.argsort(kinds, kind="stable")
        found, starts = np.unique(kinds[order], return_index=True)
        columns = [
            (np.minimum, values.low),
            (np.maximum, values.high),
            (np.maximum, values.r),
            (np.minimum, finest),
        ]
        columns += [(np.minimum, values.c), (np.maximum, values.c)]
        parts = [
            ufunc.reduceat(rows[order], starts, axis=0)
            for ufunc, rows in columns
        ]
        for i, kind in enumerate(found.tolist()):
            self._widen(kind, *(part[i] for part in parts))
        return kinds, numbers

    def beats(self, kind: int, other: int) -> bool:
        """True if every key of one class is ahead of every key of the other by the gap."""
        return self.low[kind] - self.high[other] >= self.gap

    def insert(self, summary: Summary, label: Label) -> Summary:
        """Return the summary with one more key."""
        found = self._inserted.get((summary, label))
        if found is None:
            found = self._inserted[summary, label] = self._insert(
                summary, label
            )
        return found

    def _insert(self, summary: Summary, label: Label) -> Summary:
        kind, value = label
        if any(self.beats(other, kind) for other, _, _ in summary):
            return summary
        rest = [
            row
            for row in summary
            if row[0] != kind and not self.beats(kind, row[0])
        ]
        own = next(
            (
                (n + 1, self.values.add(total, value))
                for k, n, total in summary
                if k == kind
            ),
            (1, value),
        )
        return tuple(sorted([*rest, (kind, *own)]))

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The least and the greatest score of each class [n_classes] each."""
        if self._bounds is None:
            self._bounds = np.array(self.low), np.array(self.high)
        return self._bounds

    @property
    def range(self) -> tuple[Array, Array]:
        """The least and the greatest value of any key [n_value] each."""
        if self._range is None:
            self._range = np.min(self.least, axis=0), np.max(self.most, axis=0)
        return self._range

    @property
    def kinds(self) -> Array:
        """For each class [5, n_classes, n_value]: least value, greatest value, radius, 1 if
        all have one sign, greatest size.
        """
        if self._kinds is None:
            least = np.array(self.least)
            most = np.array(self.most)
            signed = [(low >= 0) | (high <= 0) for low, high in self.centres]
            self._kinds = np.stack(
                [
                    least,
                    most,
                    np.array(self.loose),
                    np.array(signed),
                    np.maximum(np.abs(least), np.abs(most)),
                ]
            )
        return self._kinds
