"""The keys that a softmax has seen so far, in groups of like scores, with rows for their values.

    group     score interval, number of keys, and of their values: sum, radius, sum of sizes,
              power of two, the size up to which a sum of such multiples rounds nothing, and the
              least and the greatest of them
    behind    every key that was left out is behind the best one by at least this much; it is
              always accounted for, with any value

Rules of this file: a row covers the values that it stands for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UNCERTAIN, UP, grid, hull

_AT_ONCE = 2**12  # values whose rows are made together


class KeysSoFar(NamedTuple):
    """The keys so far: groups (low, high, number of keys, number of the row of their
    values), and how far the keys left out are behind.

    The groups are sorted. If there is none, `behind` is minus the greatest score left out.
    """

    groups: tuple[tuple[float, float, int, int], ...] = ()
    behind: float = math.inf


class Values:
    """The values of keys, in numbered rows [7, n_value]: sum, radius, sum of sizes, power
    of two, greatest size that is exact, and the least and the greatest value of a key.
    """

    def __init__(self) -> None:
        self.rows: list[Array] = []
        self._numbers: dict[bytes, int] = {}
        self._sums: dict[tuple[int, int], int] = {}
        self._hulls: dict[tuple[int, int], int] = {}
        self._table: Array | None = None  # the rows so far, and room for more
        self._in_table = 0

    def of(self, numbers: Array) -> Array:  # [...] -> [..., 7, n_value]
        """Return the rows of these numbers."""
        self._fill()
        return np.asarray(self._table)[numbers.astype(int)]

    def _fill(self) -> None:
        """Put the rows that are new into the table, which at least doubles when it is full."""
        new = self.rows[self._in_table :]
        if not new:
            return
        if self._table is None or len(self._table) < len(self.rows):
            table = np.empty((2 * len(self.rows), *new[0].shape))
            if self._table is not None:
                table[: self._in_table] = self._table[: self._in_table]
            self._table = table
        self._table[self._in_table : len(self.rows)] = new
        self._in_table = len(self.rows)

    def numbers(self, c: Array, r: Array) -> list[int]:  # [n, n_value] each
        """Return the numbers of the rows of single values, some at a time: a row takes much more
        memory than its value.
        """
        return [
            number
            for i in range(0, len(c), _AT_ONCE)
            for number in self._single(c[i : i + _AT_ONCE], r[i : i + _AT_ONCE])
        ]

    def _single(self, c: Array, r: Array) -> list[int]:
        power = np.where(r == 0, grid(c), UNCERTAIN)
        # no value is -0.0
        rows = (
            np.stack(
                [c, r, np.abs(c) + r, power, _exact(power), c - r, c + r],
                axis=1,
            )
            + 0.0
        )
        return [self._number(row) for row in rows]

    def _number(self, row: Array) -> int:
        found = self._numbers.setdefault(row.tobytes(), len(self.rows))
        if found == len(self.rows):
            self.rows.append(row.copy() if row.base is not None else row)
        return found

    def sum(self, a: int, b: int) -> int:
        """Return the number of the row for the values of both together."""
        found = self._sums.get((a, b))
        if found is None:
            x = self.rows[a]
            y = self.rows[b]
            row = x + y
            np.minimum(x[3:6], y[3:6], out=row[3:6])
            np.maximum(x[6], y[6], out=row[6])
            rounded = row[2] > row[4]
            if rounded.any():
                row[1] += np.where(rounded, row[2] * 2.0**-52, 0.0)
            row[1] *= UP
            found = self._sums[a, b] = self._number(row)
        return found

    def hull(self, a: int, b: int) -> int:
        """Return the number of a row that covers either."""
        if a == b:
            return a
        if (a, b) not in self._hulls:
            x = self.rows[a]
            y = self.rows[b]
            c, r = hull(
                np.minimum(x[0] - x[1], y[0] - y[1]),
                np.maximum(x[0] + x[1], y[0] + y[1]),
            )
            power = np.where(r == 0, np.minimum(x[3], y[3]), UNCERTAIN)
            self._hulls[a, b] = self._number(
                np.stack(
                    [
                        c,
                        r,
                        np.maximum(x[2], y[2]),
                        power,
                        _exact(power),
                        np.minimum(x[5], y[5]),
                        np.maximum(x[6], y[6]),
                    ]
                )
            )
        return self._hulls[a, b]

    def size(self, numbers: Iterable[int]) -> Array:  # -> [n_value]
        """Return the greatest size of a value in these rows."""
        # [n, 2, n_value]
        rows = np.stack([self.rows[number][:2] for number in numbers])
        least = (rows[:, 0] - rows[:, 1]).min(axis=0)
        most = (rows[:, 0] + rows[:, 1]).max(axis=0)
        return np.maximum(np.abs(least), np.abs(most))


def _exact(power: Array) -> Array:  # [...] -> [...]
    """Return the greatest size up to which a float64 holds every multiple of 2^power."""
    return np.exp2(np.clip(53 + power, -1000, 1000))
