"""Bounds on what a head returns for one query: the softmax mean of the values.

Keys of equal score form a class. If the best score of a class is behind another class by a gap
G, each of its keys weighs at most e^-G as much as the other's; such keys are left out, and their
total weight is bounded by the leak. For the classes that stay, only counts and sums are kept:

    summary    ((class, number of keys, sum of their values), ...)

Contexts with the same summary have the same mean, up to

    theta      the relative error of a weight: radius of the score, the subtraction, exp within
               8u; 0 within a single exact class. A factor that all weights share is divided out
    leak       lambda * range of the values, lambda = n e^-G, 0 if exp underflows
    rounding   gamma_n of the sums

A single winner has weight exp(0) / 1 = 1 exactly, and 2^k equal winners have 2^-k exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.prover.keys import KeyClasses, Summary, Values
from handcraft.proof.prover.network import HeadPart
from handcraft.proof.prover.zonotope import OWN, UP, Precision, Zonotope

EXP_ERROR = 8.0  # units of roundoff: the assumption on exp
WIDEST = 0.5  # the uncertainty of a log weight above which no bound is given


class Means(KeyClasses):
    """The softmax means that one query of one head can see."""

    def __init__(
        self,
        precision: Precision,
        head: HeadPart,
        gap: float,
        n_keys: int,
        values: Values | None = None,
    ) -> None:
        super().__init__(precision, head, gap, n_keys, values)
        # true if the means are numbers of the model, not only computed from them
        self.floats = True
        self._averages: dict[Summary, tuple[Array, Array]] = {}

    # ------------------------------------------------------------ sorting keys

    def projected(
        self, f: Array, rows: Array
    ) -> Means:  # [n_value], [n_numbers] the values' projections
        """Return the same classes with one number f . v for each value v; its rounding is
        bounded elsewhere.
        """
        out = np.ones((1, 1))
        head = replace(
            self.head,
            value=(
                self.head.value[0] @ f[:, None],
                np.atleast_1d(self.head.value[1] @ f),
            ),
            out=out,
        )
        found = Means(self.precision, head, self.gap, self.n_keys)
        found.scores = list(self.scores)
        found.low = list(self.low)
        found.high = list(self.high)
        found._classes, found.floats = dict(self._classes), False
        slack = float(np.abs(rows).max(initial=0.0)) * 2.0**-40
        for least, most, loose in zip(
            self.least, self.most, self.loose, strict=True
        ):
            low = np.where(f > 0, least, most) @ f
            high = np.where(f > 0, most, least) @ f
            found.least.append(np.array([low - slack]))
            found.most.append(np.array([high + slack]))
            found.loose.append(np.array([loose @ np.abs(f) + slack]))
            found.centres.append((found.least[-1], found.most[-1]))
            found.finest.append(np.array([-np.inf]))
        return found

    def alike(
        self, kinds: Sequence[int], later: Sequence[int]
    ) -> dict[int, int]:
        """Return for each class that a single best key can have the class that stands for
        it.

        Two classes are the same here if each later class hides both, or is hidden by both.
        The one with the largest leak stands for all of them, and is widened to cover their
        values.
        """
        low, high = self.bounds
        kinds = list(kinds)
        after = np.array(later, dtype=int)
        # [n_kinds, n_later] bool
        hides = low[kinds][:, None] - high[after] >= self.gap
        hidden = low[after] - high[kinds][:, None] >= self.gap
        sure = (hides | hidden).all(axis=1)
        together: dict[bytes, list[int]] = {}
        for kind, row, known in zip(kinds, hides, sure.tolist(), strict=True):
            if known:
                together.setdefault(row.tobytes(), []).append(kind)
        found = {}
        for group in together.values():
            worst = max(group, key=lambda kind: self._leak(kind, 1))
            found |= dict.fromkeys(group, worst)
            for kind in group:
                if kind != worst:
                    self._cover(worst, kind)
                    self.forget()  # means that were computed for fewer
        return found

    def _cover(self, kind: int, other: int) -> None:
        """Widen a class to cover the values of another one."""
        self._widen(
            kind,
            self.least[other],
            self.most[other],
            self.loose[other],
            self.finest[other],
            *self.centres[other],
        )

    # ------------------------------------------------------------ their mean

    def mean(self, summary: Summary) -> tuple[Array, Array]:
        """Return the mean value and its radius [n_value] each, among at most n_keys keys."""
        found = self._averages.get(summary)
        if found is None:
            found = self._averages[summary] = self._mean(summary)
        return found

    def forget(self) -> None:
        """Forget the means that were computed before more keys were known."""
        self._averages.clear()

    def _mean(self, summary: Summary) -> tuple[Array, Array]:
        # [n_classes]
        kinds = [k for k, _, _ in summary]
        counts = np.array([float(n) for _, n, _ in summary])
        # [n_classes, n_value]
        sums = np.stack([self.values.rows[total] for _, _, total in summary])
        top = max(kinds, key=lambda k: self.low[k])
        behind = np.array(
            [
                (self.scores[k][0] - self.scores[top][0]) / self.scale
                for k in kinds
            ]
        )
        weights = np.exp(behind)
        weights = weights / (weights @ counts)  # [n_classes], of one key each
        theta = np.array([self._theta(k, n, top, kinds) for k, n, _ in summary])
        if not theta.max() < WIDEST:
            return weights @ sums, np.full(sums.shape[1], np.inf)
        z = weights @ sums  # [n_value]
        leak = self._leak(top, self.n_keys - int(counts.sum()))
        if len(kinds) == 1 and theta[0] == 0 and leak <= self.precision.u / 4:
            radius = self._alone(kinds[0], int(counts[0]), z, leak)
        else:
            radius = self._radius(summary, weights, theta, z, leak)
        found = Zonotope(z, radius * UP)
        found = self.precision.snapped(found) if self.floats else found
        return found.c, found.r

    def _alone(self, kind: int, n: int, z: Array, leak: float) -> Array:
        """Return the radius for n keys of exactly one score, or one key, so far ahead that
        the weights sum to exactly n.

        Each weight is 1 / n, and adding what leaks is off by at most what is added.
        """
        loose = self.loose[kind]
        size = np.maximum(np.abs(self.least[kind]), np.abs(self.most[kind]))
        low, high = self.range
        away = np.maximum(np.abs(high - z), np.abs(low - z))
        most = np.maximum(np.abs(high), np.abs(low))
        leaked = leak * (away + 2 * most) * 1.01 + (
            self.n_keys * self.precision.least if leak else 0.0
        )
        if n == 1 or self._vanishes(kind, n, size, leaked):
            return np.asarray(loose + leaked)
        mass = self._sizes(kind, n, z * n) / n + leaked
        return np.asarray(
            loose
            + leaked
            + float(self.precision.gamma(self.n_keys + 4)) * mass
            + self.n_keys * self.precision.least
        )

    def _vanishes(self, kind: int, n: int, size: Array, leaked: Array) -> bool:
        """True if the mean of n values is exact, and the leak is rounded away beside every
        nonzero sum of some of them.
        """
        halvings = n.bit_length() - 1
        finest = self.finest[kind] - halvings  # [n_value]
        exact = n == 2**halvings and bool(
            self.precision.exact(size, finest).all()
        )
        return exact and bool(
            (
                leaked
                < np.exp2(
                    np.clip(finest - self.precision.digits - 2, -1000, 1000)
                )
            ).all()
        )

    def _sizes(
        self, kind: int, n: int, total: Array
    ) -> Array:  # [n_value] -> [n_value]
        """Return an upper bound on the sum of sizes of n values: the size of the sum if all
        have one sign.
        """
        low, high = self.centres[kind]
        size = np.maximum(np.abs(self.least[kind]), np.abs(self.most[kind]))
        return np.where(
            (low >= 0) | (high <= 0),
            np.abs(total) + n * self.loose[kind],
            n * size,
        )

    def _theta(
        self, kind: int, n: int, top: int, kinds: Sequence[int]
    ) -> float:
        """Return an upper bound on the relative error of a weight of this class."""
        alone = all(self.high[k] < self.low[top] for k in kinds if k != top)
        if kind == top and alone and (n == 1 or self.scores[top][1] == 0):
            return 0.0  # the maximum is its own score: exp(0) = 1
        u = self.precision.u
        middle = (self.low[kind] + self.high[kind]) / 2
        own = (self.high[kind] - self.low[kind]) / 2
        widest = (self.high[top] - self.low[top]) / 2
        # where the weight of the best key is 1, its radius is in all others; else the weights
        # are those against the middle of its class, up to a factor that they share
        width = own + widest if alone else own
        size = abs(middle - (self.low[top] + self.high[top]) / 2) + 2 * (
            own + widest
        )
        if not width + 2 * u * size < WIDEST:
            return math.inf
        return (
            math.expm1(width + 2 * (u + 4 * OWN) * size) * 1.01
            + (EXP_ERROR + 1) * u * 1.01
        )

    def _leak(self, top: int, left_out: int) -> float:
        """Return an upper bound on the total weight, relative to the best key, of the
        classes left out.
        """
        if left_out == 0:
            return 0.0
        if top not in self._hidden:
            self._hidden[top] = max(
                (h for h in self.high if self.low[top] - h >= self.gap),
                default=-math.inf,
            )
        gap = self.low[top] - self._hidden[top]
        if gap >= self.precision.zero_below:
            return 0.0  # exp underflows
        # exp is exact to 8u only where it is normal
        return left_out * (math.exp(-gap) * 1.01 + self.precision.least)

    def _radius(
        self,
        summary: Summary,
        weights: Array,
        theta: Array,
        z: Array,
        leak: float,
    ) -> Array:
        kinds, counts, totals = zip(*summary, strict=True)
        # [n_classes, n_value] each
        least, most, loose, signed, size = self.kinds[:, list(kinds)]
        n = np.array(counts, dtype=float)[:, None]
        off = theta[:, None]
        weight = (weights / (1 - theta.max()))[:, None]
        total = np.stack([self.values.rows[number] for number in totals])
        sizes = np.where(signed > 0, np.abs(total) + n * loose, n * size)
        away = np.maximum(np.abs(most - z), np.abs(least - z))
        # [n_value]
        moved = (
            weight
            * (
                off * np.minimum(n * away, sizes + n * np.abs(z))
                + n * loose * (1 + off)
            )
        ).sum(axis=0)
        mass = (weight * (1 + off) * sizes).sum(axis=0)
        (low, high), leak = self.range, leak / (1 - theta.max())
        moved += leak * (np.maximum(np.abs(high - z), np.abs(low - z)) + moved)
        mass += leak * np.maximum(np.abs(low), np.abs(high))
        rounding = (
            float(self.precision.gamma(self.n_keys + 4))
            * (mass + np.abs(z))
            * 1.01
        )
        largest = np.maximum(np.abs(low), np.abs(high))
        return np.asarray(
            moved
            + rounding
            + self.n_keys * self.precision.least * (1 + largest)
        )
