"""Bounds on what a head returns for one query: the softmax mean of the values.

Keys of equal score form a class. If the best score of a class is behind another class by a gap
G, each of its keys weighs at most e^-G as much as the other's; such keys are left out, and their
total weight is bounded by the leak. For the classes that stay, only counts and sums are kept:

    summary    ((class, number of keys, sum of their values), ...)

Contexts with the same summary have the same mean, up to

    theta      the relative error of a weight: radius of the score, the subtraction, exp within
               8u; 0 within a single exact class
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

EXP_ERROR = 8.0  # units of roundoff: the assumption on exp
WIDEST = 0.5  # the uncertainty of a log weight above which no bound is given

Label = tuple[int, int]  # a class of scores, a value
Summary = tuple[
    tuple[int, int, int], ...
]  # (class, how many, sum of their values), by class


def scores_of(
    precision: Precision, query: Zonotope, keys: Zonotope
) -> Zonotope:  # [n_match], [n, n_match] -> [n]
    """Return the scores before they are divided by sqrt(d_head)."""
    c, q = keys.c @ query.c, np.abs(query.c) + query.r
    spread = keys.r @ q + np.abs(keys.c) @ query.r
    size = np.abs(keys.c) @ np.abs(query.c) + spread
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
        return np.array([self.number(row) for row in unique])[inverse.reshape(-1)]

    def add(self, a: int, b: int) -> int:
        """Return the number of the sum of two numbered vectors."""
        if (a, b) not in self._added:
            self._added[a, b] = self.number(self.rows[a] + self.rows[b])
        return self._added[a, b]


class Means:
    """The softmax means that one query of one head can see."""

    def __init__(
        self,
        precision: Precision,
        head: HeadPart,
        gap: float,
        n_keys: int,
        values: Values | None = None,
    ) -> None:
        self.precision, self.head, self.gap, self.n_keys = precision, head, gap, n_keys
        self.values = values or Values()
        self.floats = True  # whether the means are numbers of the model, or only computed from them
        self.scale = (
            float(np.float32(head.scale)) if precision.digits == 24 else head.scale
        )  # the divisor is a float, too
        # dividing by a power of two rounds nothing
        self.exact_scale = math.frexp(self.scale)[0] == 0.5
        self.scores: list[
            tuple[float, float]
        ] = []  # of each class: the score before division and its radius
        self.low: list[float] = []
        self.high: list[float] = []
        self.centres: list[
            tuple[Array, Array]
        ] = []  # of each class: the least and greatest centre of a value
        self.least: list[
            Array
        ] = []  # ... the least and greatest value, the radius of a value, its grid
        self.most: list[Array] = []
        self.loose: list[Array] = []
        self.finest: list[Array] = []
        self._classes: dict[tuple[float, float], int] = {}
        self._inserted: dict[tuple[Summary, Label], Summary] = {}
        self._averages: dict[Summary, tuple[Array, Array]] = {}
        self._range: tuple[Array, Array] | None = None
        self._kinds: Array | None = None
        self._hidden: dict[int, float] = {}

    # ------------------------------------------------------------ sorting keys

    def label(self, score: tuple[float, float], value: Array, radius: Array) -> Label:
        """Return the class of a key and the number of its value."""
        kind = self._class(score, len(value))
        finest = np.where(radius == 0, grid(value), -np.inf)
        self._widen(kind, value - radius, value + radius, radius, finest, value, value)
        return kind, self.values.number(value)

    def _class(self, score: tuple[float, float], n_value: int) -> int:
        if not (math.isfinite(score[0]) and math.isfinite(score[1])):
            score = 0.0, math.inf  # nothing is known: it may be above every other
        kind = self._classes.get(score)
        if kind is None:
            kind = self._classes[score] = len(self.scores)
            self._hidden.clear()
            self.scores.append(score)
            spread = score[1] + (
                0.0
                if self.exact_scale
                else (1.01 * self.precision.u + 2 * OWN) * (abs(score[0]) + score[1])
            )
            self.low.append((score[0] - spread) / self.scale)
            self.high.append((score[0] + spread) / self.scale)
            self.centres.append((np.full(n_value, np.inf), np.full(n_value, -np.inf)))
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
        pairs = np.stack(
            [np.where(known, scores.c, 0.0), np.where(known, scores.r, np.inf)], axis=1
        )  # [n, 2]
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
        kinds = np.array(
            [self._class((float(c), float(r)), values.c.shape[1]) for c, r in unique]
        )[inverse.reshape(-1)]  # [n]
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
        parts = [ufunc.reduceat(rows[order], starts, axis=0) for ufunc, rows in columns]
        for i, kind in enumerate(found.tolist()):
            self._widen(kind, *(part[i] for part in parts))
        return kinds, numbers

    def beats(self, kind: int, other: int) -> bool:
        """True if every key of one class is ahead of every key of the other by the gap."""
        return self.low[kind] - self.high[other] >= self.gap

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
        found.scores, found.low, found.high = (
            list(self.scores),
            list(self.low),
            list(self.high),
        )
        found._classes, found.floats = dict(self._classes), False
        slack = float(np.abs(rows).max(initial=0.0)) * 2.0**-40
        for least, most, loose in zip(self.least, self.most, self.loose, strict=True):
            low, high = (
                np.where(f > 0, least, most) @ f,
                np.where(f > 0, most, least) @ f,
            )
            found.least.append(np.array([low - slack]))
            found.most.append(np.array([high + slack]))
            found.loose.append(np.array([loose @ np.abs(f) + slack]))
            found.centres.append((found.least[-1], found.most[-1]))
            found.finest.append(np.array([-np.inf]))
        return found

    def alike(self, kinds: Sequence[int], later: Sequence[int]) -> dict[int, int]:
        """Return for each class that a single best key can have the class that stands for
        it.

        Two classes are the same here if each later class hides both, or is hidden by both.
        The one with the largest leak stands for all of them, and is widened to cover their
        values.
        """
        low, high, after = (
            np.array(self.low),
            np.array(self.high),
            np.array(later, dtype=int),
        )
        together: dict[bytes, list[int]] = {}
        for kind in kinds:
            hides, hidden = (
                low[kind] - high[after] >= self.gap,
                low[after] - high[kind] >= self.gap,
            )
            if (hides | hidden).all():
                together.setdefault(hides.tobytes(), []).append(kind)
        found = {}
        for group in together.values():
            worst = max(group, key=lambda kind: self._leak(kind, 1))
            for kind in group:
                self._widen(
                    worst,
                    self.least[kind],
                    self.most[kind],
                    self.loose[kind],
                    self.finest[kind],
                    *self.centres[kind],
                )
                if kind != worst:
                    self.forget()  # means that were computed for fewer
                found[kind] = worst
        return found

    def insert(self, summary: Summary, label: Label) -> Summary:
        """Return the summary with one more key."""
        found = self._inserted.get((summary, label))
        if found is None:
            found = self._inserted[summary, label] = self._insert(summary, label)
        return found

    def _insert(self, summary: Summary, label: Label) -> Summary:
        kind, value = label
        if any(self.beats(other, kind) for other, _, _ in summary):
            return summary
        rest = [
            row for row in summary if row[0] != kind and not self.beats(kind, row[0])
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

    # ------------------------------------------------------------ their mean

    def mean(self, summary: Summary) -> tuple[Array, Array]:
        """Return the mean value and its radius [n_value] each, among at most n_keys keys."""
        found = self._averages.get(summary)
        if found is None:
            found = self._averages[summary] = self._mean(summary)
        return found

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
            least, most = np.array(self.least), np.array(self.most)
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

    def forget(self) -> None:
        """Forget the means that were computed before more keys were known."""
        self._averages.clear()

    def _mean(self, summary: Summary) -> tuple[Array, Array]:
        kinds, counts = (
            [k for k, _, _ in summary],
            np.array([float(n) for _, n, _ in summary]),
        )  # [n_classes]
        sums = np.stack(
            [self.values.rows[total] for _, _, total in summary]
        )  # [n_classes, n_value]
        top = max(kinds, key=lambda k: self.low[k])
        behind = np.array(
            [(self.scores[k][0] - self.scores[top][0]) / self.scale for k in kinds]
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
        loose, size = (
            self.loose[kind],
            np.maximum(np.abs(self.least[kind]), np.abs(self.most[kind])),
        )
        low, high = self.range
        away, most = (
            np.maximum(np.abs(high - z), np.abs(low - z)),
            np.maximum(np.abs(high), np.abs(low)),
        )
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
        exact = n == 2**halvings and bool(self.precision.exact(size, finest).all())
        return exact and bool(
            (
                leaked
                < np.exp2(np.clip(finest - self.precision.digits - 2, -1000, 1000))
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
            (low >= 0) | (high <= 0), np.abs(total) + n * self.loose[kind], n * size
        )

    def _theta(self, kind: int, n: int, top: int, kinds: Sequence[int]) -> float:
        """Return an upper bound on the relative error of a weight of this class."""
        alone = all(self.high[k] < self.low[top] for k in kinds if k != top)
        if kind == top and alone and (n == 1 or self.scores[top][1] == 0):
            return 0.0  # the maximum is its own score: exp(0) = 1
        u, middle = self.precision.u, (self.low[kind] + self.high[kind]) / 2
        width = (self.high[kind] - self.low[kind]) / 2 + (
            self.high[top] - self.low[top]
        ) / 2
        size = abs(middle - (self.low[top] + self.high[top]) / 2) + 2 * width
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
        return left_out * (
            math.exp(-gap) * 1.01 + self.precision.least
        )  # exp is exact to 8u only where it is normal

    def _radius(
        self, summary: Summary, weights: Array, theta: Array, z: Array, leak: float
    ) -> Array:
        kinds, counts, totals = zip(*summary, strict=True)
        least, most, loose, signed, size = self.kinds[
            :, list(kinds)
        ]  # [n_classes, n_value] each
        n, off, weight = (
            np.array(counts, dtype=float)[:, None],
            theta[:, None],
            (weights / (1 - theta.max()))[:, None],
        )
        total = np.stack([self.values.rows[number] for number in totals])
        sizes = np.where(signed > 0, np.abs(total) + n * loose, n * size)
        away = np.maximum(np.abs(most - z), np.abs(least - z))
        moved = (
            weight
            * (
                off * np.minimum(n * away, sizes + n * np.abs(z))
                + n * loose * (1 + off)
            )
        ).sum(axis=0)  # [n_value]
        mass = (weight * (1 + off) * sizes).sum(axis=0)
        (low, high), leak = self.range, leak / (1 - theta.max())
        moved += leak * (np.maximum(np.abs(high - z), np.abs(low - z)) + moved)
        mass += leak * np.maximum(np.abs(low), np.abs(high))
        rounding = (
            float(self.precision.gamma(self.n_keys + 4)) * (mass + np.abs(z)) * 1.01
        )
        largest = np.maximum(np.abs(low), np.abs(high))
        return np.asarray(
            moved + rounding + self.n_keys * self.precision.least * (1 + largest)
        )
