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
        """
        c, r = self.means([number], n_keys, size)
        return c[0], r[0]

    def means(
        self, numbers: Sequence[int], n_keys: int, size: Array | None = None
    ) -> tuple[Array, Array]:  # -> [n, n_value] each
        """Return the same of several numbers: what differs by the values alone is computed
        together.
        """
        size = self.size() if size is None else size
        together: dict[int, list[int]] = {}
        for i, number in enumerate(numbers):
            n_groups = len(self.known[number].groups)
            together.setdefault(n_groups, []).append(i)
        c, r = np.empty((2, len(numbers), len(size)))
        for at in together.values():
            known = [self.known[numbers[i]] for i in at]
            c[at], r[at] = self._means(known, n_keys, size)
        return c, r

    def _means(
        self, known: Sequence[KeysSoFar], n_keys: int, size: Array
    ) -> tuple[Array, Array]:  # -> [n, n_value] each
        """Return the means where there are equally many groups.

        Raises Rejected if nothing is known of them.
        """
        # [n, n_groups, 4]
        groups = np.array([one.groups for one in known], dtype=np.float64)
        groups = groups.reshape(len(known), -1, 4)
        scores, counts = groups[:, :, :2], groups[:, :, 2]
        left = n_keys - counts.sum(axis=1)  # [n]
        if not groups.size or (left < 0).any():
            raise Rejected("a head sees no key that is known")
        behind = self._behind(scores, np.array([one.behind for one in known]))
        if ((left > 0) & (behind < 0)).any():
            raise Rejected("a key that was left out may be the best")
        leak = self._leak(behind, left)
        # [n, n_groups, 7, n_value]
        rows = self.values.of(groups[:, :, 3])
        low, high = self._scaled(scores)
        top, sharp = _sharp(scores, counts, low, high)
        alone = sharp & (low.shape[1] == 1) & (leak <= self.floats.u / 4)
        c, r = np.empty((2, len(known), len(size)))
        for n in set(counts[alone, 0].tolist()):
            at = alone & (counts[:, 0] == n)
            c[at], r[at] = self._alone(int(n), rows[at, 0], leak[at], size)
        at = ~alone
        if at.any():
            best = _best(low[at], high[at], top[at], sharp[at])
            weights = self._weights(low[at], high[at], best)
            c[at], r[at] = self._mixed(
                counts[at], rows[at], weights, leak[at], size
            )
        return c, r

    def _behind(self, scores: Array, behind: Array) -> Array:  # -> [n]
        """Return how far the keys left out are behind, after the division."""
        # how much the division can take off a distance of scores
        wide = (
            2
            * self._rounds
            * (np.abs(scores).max(axis=(1, 2)) + np.abs(behind))
            / self.scale
        )
        return np.asarray(behind / self.scale * (1 - 1e-12) - wide)

    def _scaled(self, scores: Array) -> tuple[Array, Array]:
        """Return the least and greatest scores [n, n_groups] after the division by
        sqrt(d_head), up to a number that is the same for all of a row.

        Each quotient is rounded by itself, by u of its size. The divisor is off by 3u at
        most, but it is one divisor: where two scores lie near each other, so do the quotients.
        """
        low, high = scores[:, :, 0], scores[:, :, 1]
        u = self.floats.u * 1.01 if self._rounds else 0.0
        best = low.max(axis=1, keepdims=True)
        below, above = (
            u * np.abs(x) + 3 * u * np.abs(x - best) for x in (low, high)
        )
        return (low - below) / self.scale, (high + above) / self.scale

    def _leak(self, behind: Array, left: Array) -> Array:  # [n], [n] -> [n]
        """Return an upper bound on the total weight of all keys left out, against a best one."""
        some = (left > 0) & ~(behind >= self.floats.silent)
        leak = np.zeros(len(left))
        # exp is exact to 8u only where it is normal
        leak[some] = left[some] * (
            _exp(-behind[some]) * 1.01 + self.floats.least
        )
        return leak

    def _alone(
        self, n: int, rows: Array, leak: Array, most: Array
    ) -> tuple[
        Array, Array
    ]:  # [n_means, 7, n_value] -> [n_means, n_value] each
        """Return the means of n keys of one score, ahead of all others: each weighs exactly 1
        before the division.

        With what leaked, at most u / 4, they still sum to exactly n: beside 1 it is rounded
        away. Beside a sum of values it is rounded away as well if the sum is exact and not
        0, and the leak is far below its last bit.
        """
        total, r, size, power = rows.swapaxes(0, 1)[:4]
        leak = leak[:, None]
        # adding it is off by no more
        leaked = 3.1 * leak * most + np.where(
            leak > 0, self.n_ctx * self.floats.least, 0.0
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
        n_terms = np.where(leak > 0, self.n_ctx, n)
        rounding = (
            self.floats.gamma(n_terms + 4) * (size / n + leaked)
            + n_terms * self.floats.least
        )
        return total / n, (r / n + leaked + np.where(exact, 0.0, rounding)) * UP

    def _mixed(
        self,
        counts: Array,
        rows: Array,
        weights: tuple[Array, Array],
        leak: Array,
        size: Array,
    ) -> tuple[Array, Array]:  # -> [n, n_value] each
        """Return the means of several groups [n, n_groups, 7, n_value], given the number of
        keys, and the least and greatest weight of a key of each group [n, n_groups].
        """
        least, most = weights
        w = (least + most) / 2
        total = (least * counts).sum(axis=1)[:, None]
        if not (total > 0).all():
            raise Rejected("the weights of a head cannot be bounded")
        sums, radii, sizes, least_of, most_of = (
            rows[:, :, i] for i in (0, 1, 2, 5, 6)
        )
        z = (
            _weighed(w, sums) / (w * counts).sum(axis=1)[:, None]
        )  # [n, n_value]
        middle = z[:, None]
        # how far all values of a group are from the mean, in two ways
        furthest = np.maximum(
            np.abs(least_of - middle), np.abs(most_of - middle)
        )
        away = np.minimum(  # [n, n_groups, n_value]
            sizes + counts[:, :, None] * np.abs(middle),
            counts[:, :, None] * furthest,
        )
        lost = leak[:, None]
        moved = (
            _weighed((most - least) / 2, away)
            + _weighed(most, radii)
            + lost * (size + np.abs(z))
        )
        mass = (_weighed(most, sizes) + lost * size) / total
        gamma = self.floats.gamma(self.n_ctx + 4)
        rounding = gamma * (
            mass + np.abs(z)
        ) + self.n_ctx * self.floats.least * (1 + size)
        again = 1.01 + 4 * gamma  # what is rounded is rounded itself
        return z, np.asarray(
            (moved / total + rounding) * again + summed(self.n_ctx) * mass
        ) * UP

    def _weights(
        self, low: Array, high: Array, best: tuple[Array, Array]
    ) -> tuple[Array, Array]:  # [n, n_groups] -> the same
        """Return the least and the greatest weight of a key of each group, against the best
        score.

        `best` is where that lies [n, 1] each; if it is a group's own, a key of the group
        weighs exactly 1.
        """
        u, (bottom, top) = self.floats.u, best
        error = 9.5 * u
        faint = (
            50 - self.floats.silent
        )  # what may be flushed to zero is below that
        # below the least normal number exp is known up to that
        rest = self.floats.least
        off = u * (np.abs(top - low) + 1) + 2.0**-48 * (
            np.abs(low) + np.abs(top)
        )
        least = np.where(
            low - top < faint, 0.0, _exp(low - top - off) * (1 - error)
        )
        most = _exp(np.minimum(high - bottom, 0.0) + off) * (1 + error) + rest
        # it is the greatest score itself: exp(0) = 1
        own = (low == bottom) & (high == top)
        return np.where(own, 1.0, least), np.where(own, 1.0, most)


def _sharp(
    scores: Array, counts: Array, low: Array, high: Array
) -> tuple[Array, Array]:  # [n, n_groups, ...] -> [n], [n] bool
    """Return the group with the greatest score, and where each of its keys has surely the
    greatest score of all: it is one key, or they have one score, and all others are below.
    """
    each = np.arange(len(low))
    top = low.argmax(axis=1)
    one = (counts[each, top] == 1) | (
        scores[each, top, 0] == scores[each, top, 1]
    )
    below = high < low[each, top][:, None]
    below[each, top] = True
    return top, one & below.all(axis=1)


def _best(
    low: Array, high: Array, top: Array, sharp: Array
) -> tuple[Array, Array]:  # [n, n_groups], [n] -> [n, 1] each
    """Return between what the best score lies."""
    each = np.arange(len(low))
    most = high.max(axis=1)
    bottom = np.where(sharp, low[each, top], most)
    return bottom[:, None], np.where(sharp, high[each, top], most)[:, None]


def _weighed(w: Array, x: Array) -> Array:  # [n, k], [n, k, d] -> [n, d]
    """Return the sum of the k rows of each x, each times its weight."""
    return np.asarray(np.matmul(w[:, None], x)[:, 0])


def _exp(x: Array) -> Array:  # [...] -> [...]
    """Return exp of each number as the C library computes it, within one last bit."""
    found = [math.exp(value) for value in x.ravel().tolist()]
    return np.array(found, dtype=np.float64).reshape(x.shape)
