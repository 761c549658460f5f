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
        found: dict[int, int] = {}
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
        c, r = self.means([summary])
        return c[0], r[0]

    def means(
        self, summaries: Sequence[Summary]
    ) -> tuple[Array, Array]:  # -> [n, n_value] each
        """Return the same of several summaries: those of as many classes are computed at once."""
        together: dict[int, dict[Summary, None]] = {}
        for summary in summaries:
            if summary not in self._averages:
                together.setdefault(len(summary), {})[summary] = None
        for some in together.values():
            new = list(some)
            for summary, c, r in zip(new, *self._means(new), strict=True):
                self._averages[summary] = c, r
        found = [self._averages[summary] for summary in summaries]
        return np.stack([c for c, _ in found]), np.stack([r for _, r in found])

    def forget(self) -> None:
        """Forget the means that were computed before more keys were known."""
        self._averages.clear()

    def _means(
        self, summaries: Sequence[Summary]
    ) -> tuple[Array, Array]:  # -> [n, n_value] each
        """Return the means of summaries of equally many classes."""
        # [n, n_classes] each
        kinds, counts, totals = np.moveaxis(np.array(summaries), 2, 0)
        sums = self.values.of(totals)  # [n, n_classes, n_value]
        low = self.bounds[0][kinds]
        top = low.argmax(axis=1)[:, None]  # [n, 1]
        score = np.array(self.scores)[kinds, 0]
        weights = np.exp(
            (score - np.take_along_axis(score, top, axis=1)) / self.scale
        )
        # [n, n_classes], of one key each
        weights = weights / (weights * counts).sum(axis=1)[:, None]
        theta = self._theta(kinds, counts, top)
        z = np.matmul(weights[:, None], sums)[:, 0]  # [n, n_value]
        best = np.take_along_axis(kinds, top, axis=1)[:, 0]
        left_out = self.n_keys - counts.sum(axis=1)
        leak = np.array(
            [
                self._leak(*both)
                for both in zip(best.tolist(), left_out.tolist(), strict=True)
            ]
        )
        radius = np.full(z.shape, np.inf)
        known = theta.max(axis=1) < WIDEST
        alone = (theta[:, 0] == 0) & (leak <= self.precision.u / 4)
        alone = known & alone & (kinds.shape[1] == 1)
        for kind, n in {*zip(kinds[alone, 0], counts[alone, 0], strict=True)}:
            at = alone & (kinds[:, 0] == kind) & (counts[:, 0] == n)
            radius[at] = self._alone(int(kind), int(n), z[at], leak[at][0])
        at = known & ~alone
        if at.any():
            radius[at] = self._radius(
                kinds[at],
                counts[at],
                sums[at],
                weights[at],
                theta[at],
                z[at],
                leak[at],
            )
        found = Zonotope(z, radius * UP)
        found = self.precision.snapped(found) if self.floats else found
        return found.c, found.r

    def _alone(self, kind: int, n: int, z: Array, leak: float) -> Array:
        """Return the radius [n_means, n_value] for n keys of exactly one score, or one key, so
        far ahead that the weights sum to exactly n.

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
        vanishes = (n == 1) | self._vanishes(kind, n, size, leaked)
        mass = self._sizes(kind, n, z * n) / n + leaked
        rounding = (
            float(self.precision.gamma(self.n_keys + 4)) * mass
            + self.n_keys * self.precision.least
        )
        return np.asarray(
            loose + leaked + np.where(vanishes[:, None], 0.0, rounding)
        )

    def _vanishes(
        self, kind: int, n: int, size: Array, leaked: Array
    ) -> Array:  # [n_means, n_value] -> [n_means] bool
        """True where the mean of n values is exact, and the leak is rounded away beside every
        nonzero sum of some of them.
        """
        halvings = n.bit_length() - 1
        finest = self.finest[kind] - halvings  # [n_value]
        exact = n == 2**halvings and bool(
            self.precision.exact(size, finest).all()
        )
        last_bit = np.exp2(
            np.clip(finest - self.precision.digits - 2, -1000, 1000)
        )
        return exact & np.asarray((leaked < last_bit).all(axis=-1))

    def _sizes(
        self, kind: int, n: int, total: Array
    ) -> Array:  # [..., n_value] -> the same
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

    @np.errstate(invalid="ignore")  # of a score without bounds nothing is known
    def _theta(
        self, kinds: Array, counts: Array, top: Array
    ) -> Array:  # [n, n_classes] each, [n, 1] -> [n, n_classes]
        """Return upper bounds on the relative errors of the weights of classes."""
        low, high = (bound[kinds] for bound in self.bounds)
        radius = np.array(self.scores)[kinds, 1]
        top_low = np.take_along_axis(low, top, axis=1)
        top_high = np.take_along_axis(high, top, axis=1)
        is_top = np.arange(kinds.shape[1]) == top
        alone = (is_top | (high < top_low)).all(axis=1)[:, None]
        # the maximum is its own score: exp(0) = 1
        sure = is_top & alone & ((counts == 1) | (radius == 0))
        u = self.precision.u
        middle = (low + high) / 2
        own = (high - low) / 2
        widest = (top_high - top_low) / 2
        # where the weight of the best key is 1, its radius is in all others; else the weights
        # are those against the middle of its class, up to a factor that they share
        width = np.where(alone, own + widest, own)
        size = np.abs(middle - (top_low + top_high) / 2) + 2 * (own + widest)
        known = width + 2 * u * size < WIDEST
        off = np.where(known, width + 2 * (u + 4 * OWN) * size, 0.0)
        theta = np.expm1(off) * 1.01 + (EXP_ERROR + 1) * u * 1.01
        return np.where(sure, 0.0, np.where(known, theta, np.inf))

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
        kinds: Array,
        counts: Array,
        sums: Array,
        weights: Array,
        theta: Array,
        z: Array,
        leak: Array,
    ) -> Array:  # [n, n_classes] each, [n, n_value] -> [n, n_value]
        # [n, n_classes, n_value] each
        least, most, loose, signed, size = self.kinds[:, kinds]
        n = counts[:, :, None].astype(np.float64)
        off = theta[:, :, None]
        rest = 1 - theta.max(axis=1)[:, None]  # [n, 1]
        weight = (weights / rest)[:, :, None]
        sizes = np.where(signed > 0, np.abs(sums) + n * loose, n * size)
        mean = z[:, None]
        away = np.maximum(np.abs(most - mean), np.abs(least - mean))
        # [n, n_value]
        moved = (
            weight
            * (
                off * np.minimum(n * away, sizes + n * np.abs(mean))
                + n * loose * (1 + off)
            )
        ).sum(axis=1)
        mass = (weight * (1 + off) * sizes).sum(axis=1)
        (low, high), lost = self.range, leak[:, None] / rest
        moved += lost * (np.maximum(np.abs(high - z), np.abs(low - z)) + moved)
        mass += lost * np.maximum(np.abs(low), np.abs(high))
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
