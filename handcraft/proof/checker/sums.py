"""What a softmax returns, from counts: the keys so far, as groups of one score interval, and a bound of all others.

    group     score interval, how many keys, and of their values: sum, radius of it, sum of sizes, power of two
    behind    every key that was left out is behind the best one by that much: always accounted for, with any value

    w_k       a key's weight is within d_k of its group's middle one, exp(score) up to 8u and the subtraction
    z         |z - z0| <= (sum_k w_k (d_k sum |v - z0| + radius) + hidden (1 + ...)) / least total, and gamma_n

Which keys are left out is the certificate's choice: a bad one makes the bound useless, never wrong. Rules of this file:
one head, one query; what is joined is covered by the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.gpt2 import Array
from handcraft.proof.checker.boxes import UP, Floats, Rejected, grid, hull


@dataclass(frozen=True)
class Known:
    """The keys so far: groups (low, high, how many, number of the values' row); how far those left out are behind.

    Where there is no group, `behind` is minus the greatest score left out.
    """

    groups: tuple[tuple[float, float, int, int], ...] = ()
    behind: float = math.inf


class Softmax:
    """One head with one query, and everything that it can see. Keys and what is known of them are numbered."""

    def __init__(self, floats: Floats, scale: float, gap: float, n_ctx: int) -> None:
        self.floats, self.scale, self.gap, self.n_ctx = floats, scale, gap, n_ctx
        self.enough = (floats.silent + 40) * scale  # what is that far behind weighs nothing
        self._rounds = 0.0 if math.frexp(scale)[0] == 0.5 else 4 * floats.u
        self.rows: list[Array] = []  # of values [4, n_value]: sum, radius, sum of sizes, power of two
        self.keys: list[tuple[float, float, int]] = []
        self.known: list[Known] = [Known()]
        self.numbers: dict[object, int] = {Known(): 0}
        self.asked: dict[object, int] = {}
        self.sums: dict[tuple[int, int], int] = {}
        self.least: Array | float = math.inf
        self.most: Array | float = -math.inf

    def key(self, low: float, high: float, c: Array, r: Array) -> int:  # [n_value] each
        """One key: what it can score and hold."""
        self.least, self.most = np.minimum(self.least, c - r), np.maximum(self.most, c + r)
        value = self._value(np.stack([c, r, np.abs(c) + r, np.where(r == 0, grid(c), -1e5)]) + 0.0)
        return self._number((low, high, value), self.keys)

    def _number(self, item: Any, of: list[Any]) -> int:
        found = self.numbers.setdefault(item, len(of))
        if found == len(of):
            of.append(item)
        return found

    def _value(self, row: Array) -> int:
        found = self.numbers.setdefault(row.tobytes(), len(self.rows))
        if found == len(self.rows):
            self.rows.append(row)
        return found

    def insert(self, known: int, key: int, floor: float) -> int:
        """What is known with one key more. Below the floor it is left out at once."""
        name = known, key, floor
        found = self.asked.get(name)
        if found is None:
            found = self.asked[name] = self._number(self._insert(self.known[known], self.keys[key], floor), self.known)
        return found

    def _insert(self, known: Known, key: tuple[float, float, int], floor: float) -> Known:
        low, high, value = key
        least = max((group[0] for group in known.groups), default=0.0)
        if high <= floor or (known.groups and least - high >= self.gap):
            return Known(known.groups, min(known.behind, least - high))
        most = max((group[1] for group in known.groups), default=0.0)
        rise = low - most if not known.groups or low > most else 0.0
        behind = min([known.behind + rise, *(low - group[1] for group in known.groups if low - group[1] >= self.gap), self.enough])
        groups, count = [], 1
        for group in known.groups:
            if group[:2] == (low, high):
                count, value = group[2] + 1, self._sum(group[3], value)
            elif low - group[1] < self.gap:
                groups.append(group)
        return Known(tuple(sorted([*groups, (low, high, count, value)])), behind)

    def _sum(self, a: int, b: int) -> int:
        if (a, b) not in self.sums:
            x, y = self.rows[a], self.rows[b]
            size, power = x[2] + y[2], np.minimum(x[3], y[3])
            inexact = np.where(size <= np.exp2(np.clip(53 + power, -1000, 1000)), 0.0, size * 2.0**-52)
            self.sums[a, b] = self._value(np.stack([x[0] + y[0], (x[1] + y[1] + inexact) * UP, size, power]))
        return self.sums[a, b]

    def join(self, a: int, b: int) -> int:
        """What holds of both. Raises Rejected where they are too different."""
        if a == b or (a, b) in self.asked:
            return a if a == b else self.asked[a, b]
        found = self.asked[a, b] = self._number(self._join(self.known[a], self.known[b]), self.known)
        return found

    def _join(self, a: Known, b: Known) -> Known:
        if [g[2] for g in a.groups] != [g[2] for g in b.groups]:
            raise Rejected("two ways lead to a state and see different numbers of keys")
        both = zip(a.groups, b.groups, strict=True)
        groups = [(min(x[0], y[0]), max(x[1], y[1]), x[2], self._hull(x[3], y[3])) for x, y in both]
        return Known(tuple(sorted(groups)), min(a.behind, b.behind))

    def _hull(self, a: int, b: int) -> int:
        if a == b:
            return a
        x, y = self.rows[a], self.rows[b]
        c, r = hull(np.minimum(x[0] - x[1], y[0] - y[1]), np.maximum(x[0] + x[1], y[0] + y[1]))
        return self._value(np.stack([c, r, np.maximum(x[2], y[2]), np.where(r == 0, np.minimum(x[3], y[3]), -1e5)]))

    # ------------------------------------------------------------ the mean

    def mean(self, number: int, n_keys: int) -> tuple[Array, Array]:  # -> [n_value], [n_value]
        """The mean value of so many keys and how far it can be off. Raises Rejected where nothing is known of it."""
        known = self.known[number]
        left = n_keys - sum(group[2] for group in known.groups)
        if not known.groups or left < 0:
            raise Rejected("a head sees no key that is known")
        low, high = self._scaled(known)
        behind = math.inf if not left else known.behind / self.scale * (1 - 1e-12) - self._wide(known, known.behind)
        if behind < 0:
            raise Rejected("a key that was left out may be the best")
        top = max(range(len(low)), key=lambda i: low[i])
        count = known.groups[top][2]
        sharp = (count == 1 or known.groups[top][0] == known.groups[top][1]) and all(
            x < low[top] for x in [*high[:top], *high[top + 1 :]]
        )
        leak = self._leak(behind, left)
        if sharp and len(low) == 1 and (leak == 0 or (count == 1 and leak <= self.floats.u / 4)):
            return self._alone(count, self.rows[known.groups[0][3]], leak)
        return self._mixed(known, low, high, (low[top], high[top]) if sharp else (max(high), max(high)), leak)

    def _scaled(self, known: Known) -> tuple[list[float], list[float]]:
        """The scores after the division by sqrt(d_head)."""
        wide = self._rounds
        low = [(g[0] - wide * abs(g[0])) / self.scale for g in known.groups]
        return low, [(g[1] + wide * abs(g[1])) / self.scale for g in known.groups]

    def _wide(self, known: Known, behind: float) -> float:
        """What the division can take of a distance."""
        return 2 * self._rounds * (max(abs(x) for group in known.groups for x in group[:2]) + abs(behind)) / self.scale

    def _leak(self, behind: float, left: int) -> float:
        """At most how much all keys left out weigh, against a best one."""
        return 0.0 if left == 0 or behind >= self.floats.silent else left * math.exp(-behind) * 1.01

    def _alone(self, n: int, row: Array, leak: float) -> tuple[Array, Array]:
        """Keys of one score, ahead of all others: each weighs exactly 1 before the division."""
        total, r, size, power = row
        if n == 1:  # sums to exactly 1; adding what leaked is off by no more than that
            most = np.maximum(np.abs(self.least), np.abs(self.most))
            return total, (r + 3.1 * leak * most + (self.n_ctx * self.floats.least if leak else 0.0)) * UP
        halves = n & (n - 1) == 0
        exact = halves & self.floats.exact(size / n, power - (n.bit_length() - 1)) & (r == 0)
        rounding = self.floats.gamma(n + 3) * size / n + n * self.floats.least
        return total / n, (r / n + np.where(exact, 0.0, rounding)) * UP

    def _mixed(
        self, known: Known, low: list[float], high: list[float], best: tuple[float, float], leak: float
    ) -> tuple[Array, Array]:  # fmt: skip
        """Several groups. `best` is where the greatest score lies; where that is a group's own, this weighs exactly 1."""
        least, most = self._weights(low, high, best)  # [n_groups] each, of one key
        counts = np.array([float(g[2]) for g in known.groups])
        rows = np.stack([self.rows[g[3]] for g in known.groups])  # [n_groups, 4, n_value]
        w, total = (least + most) / 2, float(least @ counts)
        if not total > 0:
            raise Rejected("the weights of a head cannot be bounded")
        z = (w @ rows[:, 0]) / (w @ counts)  # [n_value]
        size = np.maximum(np.abs(self.least), np.abs(self.most))
        away = rows[:, 2] + counts[:, None] * np.abs(z)  # [n_groups, n_value]
        moved = (most - least) / 2 @ away + most @ rows[:, 1] + leak * (size + np.abs(z))
        mass = (most @ rows[:, 2] + leak * size) / total
        rounding = self.floats.gamma(self.n_ctx + 4) * (mass + np.abs(z)) * 1.01 + self.n_ctx * self.floats.least * (1 + size)
        return z, np.asarray((moved / total * 1.01 + rounding + 2.0**-48 * mass) * UP)

    def _weights(self, low: list[float], high: list[float], best: tuple[float, float]) -> tuple[Array, Array]:
        """The least and the greatest weight of a key of each group, against the best score."""
        off = [self.floats.u * (abs(best[1] - a) + 1) + 2.0**-48 * (abs(a) + abs(best[1])) for a in low]
        error, faint = 9.5 * self.floats.u, 50 - self.floats.silent  # what may be flushed to zero is below that
        least = [0.0 if a - best[1] < faint else math.exp(a - best[1] - e) * (1 - error) for a, e in zip(low, off, strict=True)]
        most = [math.exp(min(b - best[0], 0.0) + e) * (1 + error) for b, e in zip(high, off, strict=True)]
        exact = [(a, b) == best for a, b in zip(low, high, strict=True)]  # it is the greatest score itself: exp(0) = 1
        return np.where(exact, 1.0, least), np.where(exact, 1.0, most)
