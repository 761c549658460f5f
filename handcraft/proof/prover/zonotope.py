"""Zonotopes: everything that the model's floats can be, whatever the order of the additions.

A zonotope is a set of vectors: a centre c, a matrix of generators g, and a remainder r. It holds
every c + g e + d where each number of e is between -1 and 1 and each number of d is at most r in
size. Two numbers that depend on the same e move together, so an error that is added and later
subtracted cancels; computing with such sets is called affine arithmetic.

Here c is computed in float64. The remainder bounds the rounding of the model's own floats, whose
unit roundoff is u (2^-24 for float32), for any order of summation, with or without fused
multiply-add:

    |fl(x W) - x W| <= gamma_k (|x| |W|),  gamma_k = k u / (1 - k u),

for k terms that are not exactly zero. What underflows may be flushed to zero, so each inexact
operation costs the least normal number besides.

    grid    the greatest e for which a number is a multiple of 2^e: a sum of multiples of one
            power of two that stays small enough is not rounded at all

Rules of this file: a radius is rounded up; a centre is never taken to be better than its own
float64 rounding. Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2002,
chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Activation, Array

UP = 1 + 2.0**-40  # rounds a radius up past its own float64 error
OWN = 2.0**-53  # the unit roundoff of the centres
MOST_TERMS = 2_000_000  # sums that are computed in one go
_SUMMED = 2**18  # of these at once: each takes a dozen numbers on the way
_ROWS = 1_024  # of which what they share is known at once
NEVER = 4000.0  # the grid of a zero: it is a multiple of every power of two
# the grid of what is uncertain, below every other even with the grid of a weight
_UNKNOWN = -1e6
# the grid of a weight that is not there, above every other even with UNKNOWN
ABSENT = 1e9
_SPARSE = 32  # where at most one product in so many is not zero, those are looked at alone
_AT_ONCE = 2**16  # products whose grids are looked at together
LIPSCHITZ = 1.13  # of gelu: its slope is at most 1.129
BEND = 0.5  # of gelu: half its second derivative is at most 0.4
GELU_ERROR = (
    16.0  # roundings of size |x| in evaluating gelu, tanh within 8u included
)


@dataclass(frozen=True)
class Zonotope:
    """The numbers c + g e + d with all |e| <= 1 and |d| <= r: centre, remainder,
    generators.

    Two numbers that are uncertain for the same reason move together; without g nothing is
    shared.
    """

    c: Array  # [...]
    r: Array  # [...]
    g: Array | None = None  # [..., n_shared]

    def __getitem__(self, key: Any) -> Zonotope:
        return Zonotope(
            self.c[key], self.r[key], None if self.g is None else self.g[key]
        )

    def lanes(self, which: Array) -> Zonotope:  # [n, n_lanes] -> [n, n_which]
        """Return the same for some lanes only, row after row in memory."""
        c, r = (np.take(part, which, axis=1) for part in (self.c, self.r))
        g = None if self.g is None else np.take(self.g, which, axis=1)
        return Zonotope(c, r, g)

    @cached_property
    def radius(self) -> Array:
        """The greatest distance from the centre, generators included."""
        return self.r if self.g is None else (self.r + moved_most(self.g)) * UP

    @property
    def size(self) -> Array:
        """The greatest absolute value."""
        return np.abs(self.c) + self.radius

    @property
    def low(self) -> Array:
        """The least value."""
        return self.c - self.radius

    @property
    def high(self) -> Array:
        """The greatest value."""
        return self.c + self.radius

    @cached_property
    def finite(self) -> bool:
        """True if every number has a bound."""
        return bool(
            np.isfinite(self.c).all() and np.isfinite(self.radius).all()
        )

    @property
    def shared(self) -> int:
        """The number of generators."""
        return 0 if self.g is None else self.g.shape[-1]

    def with_generators(
        self, before: int = 0
    ) -> Zonotope:  # [n, n_lanes] -> the same
        """Return the same with each lane's remainder turned into a generator of its own, so
        that what is computed from the lane shares it. The new ones stand behind `before`
        others.
        """
        lanes = np.flatnonzero(
            np.isfinite(self.r).all(axis=0) & (self.r > 0).any(axis=0)
        )
        if not len(lanes):
            return self
        old = self.shared or before
        g = np.zeros((*self.c.shape, old + len(lanes)))
        if self.g is not None:
            g[..., :old] = self.g
        g[:, lanes, old + np.arange(len(lanes))] = self.r[:, lanes]
        r = self.r.copy()
        r[:, lanes] = 0.0
        return Zonotope(self.c, r, g)

    def to_interval(self) -> Zonotope:
        """Return an interval around it: the same without generators."""
        return Zonotope(self.c, self.radius)


def moved_most(g: Array) -> Array:  # [..., n_shared] -> [...]
    """Return the sum of the sizes of a number's generators, in any order: there are few."""
    return np.asarray(np.einsum("...k->...", np.abs(g)))


def exactly(values: Array) -> Zonotope:
    """Return the zonotope of floats that are known exactly."""
    c = np.asarray(values, dtype=np.float64)
    return Zonotope(c, np.zeros_like(c))


def stack(parts: list[Zonotope], axis: int = 0) -> Zonotope:
    """Return zonotopes of equal shapes, without their generators, along a new axis."""
    return Zonotope(
        np.stack([x.c for x in parts], axis),
        np.stack([x.r for x in parts], axis),
    )


def grid(values: Array) -> Array:  # [...] -> [...]
    """Return the greatest e for which a float64 is a multiple of 2^e; NEVER for zero."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return np.where(values == 0, NEVER, lowest + exponent - 53.0)


def power_of_two(values: Array) -> Array:  # [...] -> [...] bool
    """True for each value that is a power of two, of either sign."""
    return np.asarray(np.abs(np.frexp(values)[0]) == 0.5)


def by_rows(compute: Callable[[slice], Zonotope], n: int) -> Zonotope:
    """Return what is computed of n rows, computed some rows at a time, since the generators
    take many times the memory of the rows.
    """
    if n <= _ROWS:
        return compute(slice(None)).to_interval()
    parts = [
        compute(slice(i, i + _ROWS)).to_interval() for i in range(0, n, _ROWS)
    ]
    return Zonotope(
        np.concatenate([part.c for part in parts]),
        np.concatenate([part.r for part in parts]),
    )


class Precision:
    """The model's arithmetic: float32 or float64."""

    def __init__(self, dtype: str) -> None:
        self.digits, self.least, self.zero_below, self.saturated = (
            (24, 2.0**-126, 105.0, 6.0)
            if dtype == "float32"
            else (53, 2.0**-1022, 747.0, 8.0)
        )
        self.u = 2.0**-self.digits

    def gamma(self, k: Array | float) -> Array | float:
        """Return the relative error of k operations, including that of computing the centre."""
        return k * self.u / (1 - k * self.u) + k * OWN / (1 - k * OWN)

    def linear(
        self, x: Zonotope, w: Array, b: Array
    ) -> Zonotope:  # [n, n_in], [n_in, n_out], [n_out] -> [n, n_out]
        """Return x W + b, each column bounded on its own: a column of zeros is its constant."""
        b = b.astype(np.float64)
        c = np.broadcast_to(b, (len(x.c), len(b))).copy()  # [n, n_out]
        r = np.zeros_like(c)
        g = None if x.g is None else np.zeros((*c.shape, x.shared))
        # a lane that is 0 in every row adds nothing
        there = ((x.c != 0) | (x.radius != 0)).any(axis=0)
        read = np.flatnonzero(there & w.any(axis=1))
        w = w[read].astype(np.float64)
        x = x.lanes(read)
        live = np.flatnonzero(w.any(axis=0))
        width = max(1, MOST_TERMS // max(1, len(x.c)))
        step = max(1, _SUMMED // max(1, len(read), min(width, len(live))))
        for i in range(0, len(live), width):
            columns = live[i : i + width]
            part = w[:, columns]
            for j in range(0, len(c), step):
                rows = slice(j, j + step)
                c[rows, columns], r[rows, columns] = self._columns(
                    x[rows], part, b[columns]
                )
            if g is not None and x.g is not None:
                g[:, columns] = np.matmul(part.T, x.g)
        return self.snapped(Zonotope(c, r, g))

    def _columns(
        self, x: Zonotope, w: Array, b: Array
    ) -> tuple[Array, Array]:  # [n, k], [k, m], [m] -> [n, m], [n, m]
        full, radius = w != 0, x.radius  # [k, m], [n, k]
        lost = ~np.isfinite(radius)  # [n, k]
        x = Zonotope(x.c, np.where(lost, 0.0, x.r), x.g)
        radius = np.where(lost, 0.0, radius)
        loose, size = (
            radius @ np.abs(w),
            np.abs(x.c) @ np.abs(w) + np.abs(b),
        )  # [n, m]
        known = np.where(
            (radius == 0) | (x.c == 0), grid(x.c), _UNKNOWN
        )  # [n, k]
        # [n, m]
        finest = np.minimum(
            _finest(known, np.where(full, grid(w), ABSENT)), grid(b)
        )
        there = (x.c != 0) | (radius != 0)  # [n, k]
        # [n, k]: a product with it may round
        rounds = there & ~(power_of_two(x.c) & (radius == 0))
        doubled = (
            rounds.astype(np.float64) @ (full & ~power_of_two(w))
        ) == 0  # [n, m]
        # [n, m]
        k = np.rint(there.astype(np.float64) @ full).astype(np.int64) + (b != 0)
        c = x.c @ w + b
        shared = (
            0.0
            if x.g is None
            else np.where(lost, 0.0, moved_most(x.g)) @ np.abs(w)
        )
        r = (
            x.r @ np.abs(w)
            + self.summed(c, size + loose, loose, shared, finest, k, doubled)
        ) * UP
        # of an unbounded lane that is not read nothing is lost
        return c, np.where(lost.astype(np.float64) @ full > 0, np.inf, r)

    def summed(
        self,
        c: Array,
        size: Array,
        loose: Array,
        shared: Array | float,
        finest: Array,
        k: Array,
        doubled: Array,
    ) -> Array:  # [n] -> [n]
        """Return how far a sum of k products that are not exactly zero can be off by
        rounding alone.

        size     the sum of the sizes of the products
        finest   the grid of those that are known exactly
        loose    the sum of their radii
        doubled  true if no product rounds, since one factor is a power of two
        shared   the part of `loose` that comes from generators, and is not in the sum's remainder
        """
        underflow = (k + 1) * self.least
        rounds = np.maximum(k - doubled, 0)
        error = self.gamma(rounds) * size * UP + underflow
        # the last of these roundings is that of the sum itself, which may be small
        before = self.gamma(np.maximum(rounds - 1, 0)) * size * UP
        last = (self.u * 1.01) * (np.abs(c) + loose + self.gamma(rounds) * size)
        error = np.minimum(error, before + last + 4 * OWN * size + underflow)
        two = (k <= 2) & doubled  # one addition: it is off by its own last bit
        error = np.where(
            two,
            (self.u * 1.01) * (np.abs(c) + loose) + 4 * OWN * size + underflow,
            error,
        )
        # zeros that are not quite zero vanish beside any other number, or stay what they are;
        # the radius covers both, but of an uncertainty that is shared it takes one for certain:
        # either may be wrong by all of it
        faint = (
            loose * 1.01 + underflow
            < np.exp2(np.clip(finest - self.digits - 2, -1000, 1000))
        ) & self.exact(size, finest)
        error = np.where(
            faint,
            shared + self.gamma(k) * loose * UP + underflow * (loose > 0),
            error,
        )
        error = np.where(
            (k == 1) & doubled,
            np.where((loose == 0) & (np.abs(c) >= self.least), 0.0, self.least),
            error,
        )
        return np.where(k == 0, 0.0, error)

    def snapped(self, x: Zonotope) -> Zonotope:
        """Return the same, given that the model's numbers are floats: one that is close
        enough to a float is that float.
        """
        rounded = (
            x.c.astype(np.float32).astype(np.float64)
            if self.digits == 24
            else x.c
        )
        sure = (
            (rounded == x.c)
            & (x.radius < np.abs(x.c) * self.u / 2)
            & (np.abs(x.c) >= self.least)
        )
        return Zonotope(
            x.c,
            np.where(sure, 0.0, x.r),
            None if x.g is None else np.where(sure[..., None], 0.0, x.g),
        )

    def exact(self, size: Array, finest: Array) -> Array:
        """True where sums of multiples of 2^finest of this total size are computed without
        rounding.
        """
        most = np.exp2(np.clip(self.digits + finest, -1000, 1000))
        # the size itself is a float64
        fits = size <= most if self.digits == 24 else size < most
        return fits & (finest >= math.log2(self.least)) & np.isfinite(finest)

    def add(
        self, x: Zonotope, y: Zonotope
    ) -> Zonotope:  # [...], [...] -> [...]
        """Return x + y, rounded once. A generator has the same place in both."""
        c = x.c + y.c
        rx = x.radius
        ry = y.radius
        size = np.abs(x.c) + np.abs(y.c)
        exact = (
            (rx == 0)
            & (ry == 0)
            & self.exact(size, np.minimum(grid(x.c), grid(y.c)))
        )
        error = (self.u + 2 * OWN) * (size + rx + ry) + self.least
        # the other one is a float, too, and no further away
        near = np.minimum(x.size, y.size)
        own = np.where(
            (x.c == 0) | (y.c == 0), 0.0, 2 * OWN * size
        )  # of the centre
        error = np.minimum(
            error, near + np.where(near > 0, own + self.least, 0.0)
        )
        return self.snapped(
            Zonotope(
                c,
                (x.r + y.r + np.where(exact, 0.0, error)) * UP,
                _together(x, y),
            )
        )

    def activation(
        self, x: Zonotope, kind: Activation
    ) -> Zonotope:  # [...] -> [...]
        """Return relu or gelu of x. Far from zero it is the identity or zero to the last
        bit; between, its tangent and a bound of what the tangent misses.
        """
        radius = x.radius
        edge = 0.0 if kind == "relu" else self.saturated
        passes = x.c - radius >= edge
        stops = x.c + radius <= -edge
        c, slope, r = (
            self._relu(x, radius) if kind == "relu" else self._gelu(x, radius)
        )
        r = np.where((x.c == 0) & (radius == 0), 0.0, r)
        c = np.where(passes, x.c, np.where(stops, 0.0, c))
        slope = np.where(passes, 1.0, np.where(stops, 0.0, slope))
        r = np.where(passes, x.r, np.where(stops, 0.0, r))
        return Zonotope(c, r, None if x.g is None else x.g * slope[..., None])

    def _relu(self, x: Zonotope, radius: Array) -> tuple[Array, Array, Array]:
        return np.maximum(x.c, 0.0), np.zeros_like(x.c), radius

    def _gelu(self, x: Zonotope, radius: Array) -> tuple[Array, Array, Array]:
        inner = np.sqrt(2 / np.pi) * (x.c + 0.044715 * x.c**3)
        tanh = np.tanh(inner)
        rise = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x.c**2)
        slope = 0.5 * (1 + tanh) + 0.5 * x.c * (1 - tanh**2) * rise
        missed = np.minimum(
            BEND * radius * radius, (LIPSCHITZ + np.abs(slope)) * radius
        )
        size = np.abs(x.c) + radius
        error = GELU_ERROR * (self.u + OWN) * size + self.least
        # gelu(x) is x / 2 plus 0 to |x| / 2: of a wide interval that says more than a tangent
        wide = size < 4 * missed
        slope = np.where(wide, 0.5, slope)
        missed = np.where(wide, size / 4, missed)
        return (
            np.where(wide, 0.5 * x.c + size / 4, 0.5 * x.c * (1 + tanh)),
            slope,
            (np.abs(slope) * x.r + missed + error) * UP,
        )


def _together(x: Zonotope, y: Zonotope) -> Array | None:
    if x.g is None or y.g is None:
        return y.g if x.g is None else x.g
    if x.shared < y.shared:
        x, y = y, x
    g = np.array(x.g)
    g[..., : y.shared] += y.g
    return g


def _finest(known: Array, fine: Array) -> Array:  # [n, k], [k, m] -> [n, m]
    """Return the least sum of grids over the products of each row and column; -inf if one
    is not known.
    """
    found = np.full((len(known), fine.shape[1]), NEVER)
    there, read = known < NEVER, fine < ABSENT
    products = int(there.sum(axis=0) @ read.sum(axis=1))
    if _SPARSE * products < found.size * len(fine):
        for i in range(len(fine)):
            at = np.ix_(np.flatnonzero(there[:, i]), np.flatnonzero(read[i]))
            both = known[at[0], i] + fine[i, at[1]]
            found[at] = np.minimum(found[at], both)
        return np.where(found < _UNKNOWN / 2, -np.inf, found)
    some = max(1, _AT_ONCE // max(1, found.size))
    for i in range(0, len(fine), some):
        np.minimum(
            found,
            (known[:, i : i + some, None] + fine[i : i + some]).min(axis=1),
            out=found,
        )
    return np.where(found < _UNKNOWN / 2, -np.inf, found)
