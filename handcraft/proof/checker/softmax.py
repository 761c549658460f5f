"""Bounds on what a head returns for one query: the softmax mean, from groups of keys and a bound on
all keys that were left out (keys.py).

    w_k       a key's weight is within d_k of its group's middle one: exp(score) up to 8u, and
              the subtraction
    z         the mean z lies as near to the middle one z0 as
              (sum_k w_k (d_k sum |v - z0| + radius) + hidden (|v| + |z0|)) / (least total weight),
              and what gamma_n allows for rounding

The certificate chooses which keys are left out: a bad choice makes the bound useless, never
wrong. Rules of this file: one head, one query; what is joined is covered by the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.keys import KeysSoFar, Values
from handcraft.proof.checker.zonotope import UP, Floats, Rejected, summed


def _down(a: float, b: float) -> float:
    """Return a + b, or the float below if the sum was rounded up: what is carried along is
    never too large.
    """
    total = a + b
    back = total - a
    return (
        math.nextafter(total, -math.inf)
        if (a - (total - back)) + (b - back) < 0
        else total
    )


class Softmax:
    """One head with one query, and everything that it can see. Keys, and what is known of
    them, are numbered.

    `values` may be shared by several of them.
    """

    def __init__(
        self,
        floats: Floats,
        scale: float,
        gap: float,
        n_ctx: int,
        values: Values | None = None,
    ) -> None:
        self.floats = floats
        self.scale = scale
        self.gap = gap
        self.n_ctx = n_ctx
        # what is that far behind weighs nothing
        self.enough = (floats.silent + 40) * scale
        self._rounds = 0.0 if math.frexp(scale)[0] == 0.5 else 4 * floats.u
        self.values = values or Values()
        self.rows = self.values.rows
        self.keys: list[tuple[float, float, int]] = []
        self.known: list[KeysSoFar] = [KeysSoFar()]
        self.numbers: dict[object, int] = {self.known[0]: 0}
        self.asked: dict[tuple[int, int, bool], int] = {}
        self.joined: dict[tuple[int, int], int] = {}
        self._size: Array | None = None  # [n_value]
        self._sized = 0  # of so many keys

    def key(
        self, low: float, high: float, c: Array, r: Array
    ) -> int:  # [n_value] each
        """Return the number of a key, by its scores and its value."""
        return self.keys_of([low], [high], c[None], r[None])[0]

    def keys_of(
        self, low: Sequence[float], high: Sequence[float], c: Array, r: Array
    ) -> list[int]:  # [n, n_value] each
        """Return the numbers of many keys."""
        return [
            self.known_key(*key)
            for key in zip(low, high, self.values.numbers(c, r), strict=True)
        ]

    def known_key(self, low: float, high: float, value: int) -> int:
        """Return the number of a key, by the number of its value."""
        return self._number((low, high, value), self.keys)

    def covering(self, keys: Sequence[int]) -> int:
        """Return one key for several of the same score: its value covers theirs."""
        low, high, value = self.keys[keys[0]]
        for key in keys[1:]:
            value = self.values.hull(value, self.keys[key][2])
        return self.known_key(low, high, value)

    def size(self) -> Array:  # -> [n_value]
        """Return the greatest size of the value of any key."""
        if self._size is None or self._sized < len(self.keys):
            new = self.values.size(
                {value for _, _, value in self.keys[self._sized :]}
            )
            self._size = (
                new if self._size is None else np.maximum(self._size, new)
            )
            self._sized = len(self.keys)
        return self._size

    def _number(self, item: Any, of: list[Any]) -> int:
        found = self.numbers.setdefault(item, len(of))
        if found == len(of):
            of.append(item)
        return found

    def insert(self, known: int, key: int, floor: float) -> int:
        """Return what is known with one key more. A key below the floor is left out at once."""
        name = known, key, self.keys[key][1] <= floor
        found = self.asked.get(name)
        if found is None:
            found = self.asked[name] = self._number(
                self._insert(self.known[known], self.keys[key], name[2]),
                self.known,
            )
        return found

    def _insert(
        self, known: KeysSoFar, key: tuple[float, float, int], below: bool
    ) -> KeysSoFar:
        low, high, value = key
        # the greatest of those that the scores are sure to reach
        least = known.groups[-1][0] if known.groups else 0.0
        if below or (known.groups and least - high >= self.gap):
            return KeysSoFar(
                known.groups, min(known.behind, _down(least, -high))
            )
        most = max([group[1] for group in known.groups], default=0.0)
        rise = _down(low, -most) if not known.groups or low > most else 0.0
        hidden = [
            _down(low, -group[1])
            for group in known.groups
            if low - group[1] >= self.gap
        ]
        behind = min([_down(known.behind, rise), *hidden, self.enough])
        groups = []
        count = 1
        for group in known.groups:
            # there may be several, where a join gave them the same interval
            if group[:2] == (low, high):
                count = group[2] + count
                value = self.values.sum(group[3], value)
            elif low - group[1] < self.gap:
                groups.append(group)
        return KeysSoFar(
            tuple(sorted([*groups, (low, high, count, value)])), behind
        )

    def join(self, a: int, b: int) -> int:
        """Return what holds of both. Raises Rejected if they are too different."""
        if a == b or (a, b) in self.joined:
            return a if a == b else self.joined[a, b]
        found = self.joined[a, b] = self._number(
            self._join(self.known[a], self.known[b]), self.known
        )
        return found

    def _join(self, a: KeysSoFar, b: KeysSoFar) -> KeysSoFar:
        if [g[2] for g in a.groups] != [g[2] for g in b.groups]:
            raise Rejected(
                "two ways lead to a state and see different numbers of keys"
            )
        both = zip(a.groups, b.groups, strict=True)
        groups = [
            (
                min(x[0], y[0]),
                max(x[1], y[1]),
                x[2],
                self.values.hull(x[3], y[3]),
            )
            for x, y in both
        ]
        return KeysSoFar(tuple(sorted(groups)), min(a.behind, b.behind))

    # ------------------------------------------------------------ the mean

    def mean(
        self, number: int, n_keys: int, size: Array | None = None
    ) -> tuple[Array, Array]:  # -> [n_value] each
        """Return the mean value of so many keys and how far it can be off; no value is
        greater than `size` [n_value].

        Raises Rejected if nothing is known of it.
        """
        known = self.known[number]
        left = n_keys - sum(group[2] for group in known.groups)
        if not known.groups or left < 0:
            raise Rejected("a head sees no key that is known")
        low, high = self._scaled(known)
        behind = self._behind(known) if left else math.inf
        if behind < 0:
            raise Rejected("a key that was left out may be the best")
        top = max(range(len(low)), key=lambda i: low[i])
        count = known.groups[top][2]
        sharp = (
            count == 1 or known.groups[top][0] == known.groups[top][1]
        ) and all(x < low[top] for x in [*high[:top], *high[top + 1 :]])
        leak = self._leak(behind, left)
        size = self.size() if size is None else size
        if sharp and len(low) == 1 and leak <= self.floats.u / 4:
            return self._alone(count, self.rows[known.groups[0][3]], leak, size)
        best = (low[top], high[top]) if sharp else (max(high), max(high))
        return self._mixed(known, self._weights(low, high, best), leak, size)

    def _behind(self, known: KeysSoFar) -> float:
        """Return how far the keys left out are behind, after the division."""
        behind = known.behind / self.scale * (1 - 1e-12)
        return behind - self._wide(known, known.behind)

    def _scaled(self, known: KeysSoFar) -> tuple[list[float], list[float]]:
        """Return the least and greatest scores after the division by sqrt(d_head), up to a
        number that is the same for all of them.

        Each quotient is rounded by itself, by u of its size. The divisor is off by 3u at
        most, but it is one divisor: where two scores lie near each other, so do the quotients.
        """
        if not self._rounds:
            return (
                [g[0] / self.scale for g in known.groups],
                [g[1] / self.scale for g in known.groups],
            )
        u = self.floats.u * 1.01
        best = max(g[0] for g in known.groups)
        off = [
            [u * abs(x) + 3 * u * abs(x - best) for x in g[:2]]
            for g in known.groups
        ]
        pairs = list(zip(known.groups, off, strict=True))
        return (
            [(g[0] - wide[0]) / self.scale for g, wide in pairs],
            [(g[1] + wide[1]) / self.scale for g, wide in pairs],
        )

    def _wide(self, known: KeysSoFar, behind: float) -> float:
        """Return how much the division can take off a distance of scores."""
        return (
            2
            * self._rounds
            * (
                max(abs(x) for group in known.groups for x in group[:2])
                + abs(behind)
            )
            / self.scale
        )

    def _leak(self, behind: float, left: int) -> float:
        """Return an upper bound on the total weight of all keys left out, against a best one."""
        if left == 0 or behind >= self.floats.silent:
            return 0.0
        # exp is exact to 8u only where it is normal
        return left * (math.exp(-behind) * 1.01 + self.floats.least)

    def _alone(
        self, n: int, row: Array, leak: float, most: Array
    ) -> tuple[Array, Array]:
        """Return the mean of keys of one score, ahead of all others: each weighs exactly 1
        before the division.

        With what leaked, at most u / 4, they still sum to exactly n: beside 1 it is rounded
        away. Beside a sum of values it is rounded away as well if the sum is exact and not
        0, and the leak is far below its last bit.
        """
        total, r, size, power = row[:4]
        # adding it is off by no more
        leaked = 3.1 * leak * most + (
            self.n_ctx * self.floats.least if leak else 0.0
        )
        if n == 1:
            return total, (r + leaked) * UP
        finest = power - (n.bit_length() - 1)
        halves = n & (n - 1) == 0
        absorbed = leaked < np.exp2(
            np.clip(finest - self.floats.digits - 2, -1000, 1000)
        )
        exact = (
            halves
            & self.floats.exact(size / n, finest)
            & (r == 0)
            & ((leak == 0) | absorbed)
        )
        n_terms = self.n_ctx if leak else n
        rounding = (
            self.floats.gamma(n_terms + 4) * (size / n + leaked)
            + n_terms * self.floats.least
        )
        return total / n, (r / n + leaked + np.where(exact, 0.0, rounding)) * UP

    def _mixed(
        self,
        known: KeysSoFar,
        weights: tuple[Array, Array],
        leak: float,
        size: Array,
    ) -> tuple[Array, Array]:
        """Return the mean of several groups, given the least and greatest weight of a key
        of each [n_groups].
        """
        least, most = weights
        counts = np.array([float(g[2]) for g in known.groups])
        # [n_groups, 7, n_value]
        rows = np.stack([self.rows[g[3]] for g in known.groups])
        w = (least + most) / 2
        total = float(least @ counts)
        if not total > 0:
            raise Rejected("the weights of a head cannot be bounded")
        z = (w @ rows[:, 0]) / (w @ counts)  # [n_value]
        # how far all values of a group are from the mean, in two ways
        furthest = np.maximum(np.abs(rows[:, 5] - z), np.abs(rows[:, 6] - z))
        away = np.minimum(  # [n_groups, n_value]
            rows[:, 2] + counts[:, None] * np.abs(z),
            counts[:, None] * furthest,
        )
        moved = (
            (most - least) / 2 @ away
            + most @ rows[:, 1]
            + leak * (size + np.abs(z))
        )
        mass = (most @ rows[:, 2] + leak * size) / total
        gamma = self.floats.gamma(self.n_ctx + 4)
        rounding = gamma * (
            mass + np.abs(z)
        ) + self.n_ctx * self.floats.least * (1 + size)
        again = 1.01 + 4 * gamma  # what is rounded is rounded itself
        return z, np.asarray(
            (moved / total + rounding) * again + summed(self.n_ctx) * mass
        ) * UP

    def _weights(
        self, low: list[float], high: list[float], best: tuple[float, float]
    ) -> tuple[Array, Array]:
        """Return the least and the greatest weight of a key of each group, against the best
        score.

        `best` is where that lies; if it is a group's own, a key of the group weighs exactly
        1.
        """
        u, (bottom, top) = self.floats.u, best
        error = 9.5 * u
        faint = (
            50 - self.floats.silent
        )  # what may be flushed to zero is below that
        # below the least normal number exp is known up to that
        rest = self.floats.least
        least = []
        most = []
        for a, b in zip(low, high, strict=True):
            if (a, b) == best:  # it is the greatest score itself: exp(0) = 1
                least.append(1.0)
                most.append(1.0)
                continue
            off = u * (abs(top - a) + 1) + 2.0**-48 * (abs(a) + abs(top))
            least.append(
                0.0
                if a - top < faint
                else math.exp(a - top - off) * (1 - error)
            )
            most.append(
                math.exp(min(b - bottom, 0.0) + off) * (1 + error) + rest
            )
        return np.array(least), np.array(most)
