"""Zonotopes: everything that the model's floats can be; written anew for the checker, from the
same definition as the prover's.

A zonotope is a set of vectors: a centre c, a matrix of generators g, and a remainder r. It holds
every c + g e + d where each number of e is between -1 and 1 and each number of d is at most r in
size. Two numbers that depend on the same e move together, so an error that is added and later
subtracted cancels; computing with such sets is called affine arithmetic.

    sum     A sum of k products is off by at most gamma_k times the sum of their sizes, in any
            order, fused or not. It is off by nothing if all products are multiples of one power
            of two and their sizes sum to no more than the mantissa holds.
    gelu    Far enough from zero for tanh to be 1 in size, it is the identity or zero. Elsewhere
            it is its tangent, off by its curvature.

Rules of this file: a radius is never too small; what underflows may be flushed to zero. Source:
Higham, "Accuracy and Stability of Numerical Algorithms", 2002, chapter 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array

ANY = 1e6  # the power of two that zero is a multiple of: of every one
UNCERTAIN = -1e5  # the power of two that an uncertain number is a multiple of
UP = 1 + 2.0**-40
_AT_ONCE = 2**18  # sums at once: each takes a dozen numbers on the way
MOST_SHARED = 64  # lanes whose uncertainty is followed as such


class Rejected(Exception):  # noqa: N818  # a verdict
    """The reason why a certificate is not accepted; `context` holds the ids after which a
    prediction may be wrong, if it is that.
    """

    def __init__(self, message: str, context: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.context = tuple(context)


@dataclass(frozen=True, eq=False)
class Zonotope:
    """Rows of numbers, c + g e + d with all |e| <= 1 and |d| <= r: centre, remainder,
    generators.
    """

    c: Array  # [n, d]
    r: Array  # [n, d]
    g: Array  # [n, d, n_shared]

    @classmethod
    def of(
        cls, c: Array, r: Array | None = None
    ) -> Zonotope:  # [n, d] -> the same
        """Return the zonotope of numbers, given how far each can be off."""
        c = np.asarray(c, dtype=np.float64)
        return cls(
            c, np.zeros_like(c) if r is None else r, np.zeros((*c.shape, 0))
        )

    def __getitem__(self, rows: Any) -> Zonotope:
        return Zonotope(self.c[rows], self.r[rows], self.g[rows])

    @cached_property
    def finite(self) -> bool:
        """True if every number has a bound."""
        return bool(
            np.isfinite(self.c).all() and np.isfinite(self.radius).all()
        )

    @cached_property
    def radius(self) -> Array:
        """The greatest distance of each number from its centre, generators included."""
        if not self.g.shape[-1]:
            return self.r * UP
        return (self.r + shared_sizes(self.g)) * UP

    def plain(self) -> Zonotope:
        """Return the same without generators."""
        return Zonotope.of(self.c, self.radius)

    def shared(self) -> Zonotope:
        """Return the same with the remainder of every uncertain lane as a generator, which
        is shared by what is computed from the lane.
        """
        most = self.r.max(axis=0, initial=0.0)
        lanes = np.flatnonzero((most > 0) & (most < 1))[:MOST_SHARED]
        own = np.zeros((*self.c.shape, len(lanes)))
        r = self.r.copy()
        own[:, lanes, np.arange(len(lanes))], r[:, lanes] = (
            self.r[:, lanes],
            0.0,
        )
        return Zonotope(self.c, r, np.concatenate([self.g, own], axis=2))


def shared_sizes(g: Array) -> Array:  # [n, d, n_shared] -> [n, d]
    """Return the sum of the sizes of each number's generators."""
    return np.asarray(np.einsum("ijk->ij", np.abs(g)))


def up(k: int) -> float:
    """Return the factor that makes a float64 sum of k products, none of them negative, no
    less than the true sum.
    """
    return UP + k * 2.0**-52


def summed(k: int) -> float:
    """Return how far a float64 sum of k products is off, relative to the sum of their sizes."""
    return (k + 2) * 2.0**-52


def spread_of(
    g: Array, w: Array
) -> tuple[
    Array, Array
]:  # [n, d, n_shared], [d_out, d] -> [n, d_out, n_shared], [n, d_out]
    """Return the generators of W x, and how far these float64 sums are off in all."""
    if not g.shape[2]:
        return np.zeros((len(g), len(w), 0)), np.zeros((len(g), len(w)))
    return np.matmul(w, g), summed(w.shape[1]) * up(g.shape[2]) * (
        shared_sizes(g) @ np.abs(w).T
    )


def hull(
    low: Array, high: Array
) -> tuple[Array, Array]:  # [...], [...] -> [...], [...]
    """Return a centre and a radius that cover both."""
    c = (low + high) / 2
    return c, np.where(low == high, 0.0, np.maximum(high - c, c - low) * UP)


def grid(x: Array) -> Array:  # [...] -> [...]
    """Return the greatest e for which each number is a multiple of 2^e."""
    mantissa, exponent = np.frexp(x)
    whole = (mantissa * 2.0**53).astype(np.int64)
    odd = np.frexp((whole & -whole).astype(np.float64))[1]
    return np.where(x == 0, ANY, exponent + odd - 54.0)


def _halved(x: Array) -> Array:  # [...] -> [...] bool
    """True for each power of two: a product with it rounds nothing."""
    return np.asarray(np.abs(np.frexp(x)[0]) == 0.5)


def difference_of(
    a: Array, b: Array
) -> tuple[Array, Array]:  # [n], [n] -> [n], [n]
    """Return a - b, and how far the float64 of it is off."""
    exact = np.abs(a) + np.abs(b) <= np.exp2(
        np.clip(53 + np.minimum(grid(a), grid(b)), -1000, 1000)
    )
    return a - b, np.where(exact, 0.0, 2.0**-52 * (np.abs(a) + np.abs(b)))


def product_of(
    a: Array, b: Array
) -> tuple[Array, Array]:  # [n, k], [k] -> [n], [n]
    """Return a b, and how far the float64 of it is off: not at all if all terms are
    multiples of one power of two.
    """
    size = np.abs(a) @ np.abs(b)
    finest = np.where((a != 0) & (b != 0), grid(a) + grid(b), 1e6).min(
        axis=1, initial=1e6
    )
    exact = (size <= np.exp2(np.clip(53 + finest, -1000, 1000))) & (
        finest > -900
    )
    return a @ b, np.where(exact, 0.0, summed(len(b)) * size + 2.0**-1000)


class Floats:
    """The model's arithmetic: float32 or float64."""

    def __init__(self, dtype: str) -> None:
        single = dtype == "float32"
        self.digits, self.least = (
            (24, 2.0**-126) if single else (53, 2.0**-1022)
        )
        self.silent = (
            105.0 if single else 747.0
        )  # exp of less than minus this is 0
        self.flat = (
            6.0 if single else 8.0
        )  # tanh is 1 in size in gelu from here on
        self.u = 2.0**-self.digits

    def gamma(self, k: Array | float) -> Array:
        """Return the relative error of k roundings, the checker's own included."""
        return np.asarray(k * self.u / (1 - k * self.u) + k * 2.0**-52)

    def exact(self, size: Array, finest: Array) -> Array:
        """True where a sum of multiples of 2^finest of this total size rounds nothing."""
        most = np.exp2(np.clip(self.digits + finest, -1000, 1000))
        # the size itself is a rounded float64
        fits = size <= most if self.digits == 24 else size * UP < most
        return fits & (finest >= np.log2(self.least))

    def linear(
        self, x: Zonotope, w: Array, b: Array
    ) -> Zonotope:  # [n, d], [d, d_out], [d_out] -> [n, d_out]
        """Return x w + b as the model computes it."""
        # a lane that is exactly 0 in every row adds nothing to any sum
        used = np.flatnonzero(((x.c != 0) | (x.radius != 0)).any(axis=0))
        if 2 * len(used) < len(w):
            parts = (np.take(part, used, axis=1) for part in (x.c, x.r, x.g))
            x = Zonotope(*parts)
            w = w[used]
        w = w.astype(np.float64)
        b = b.astype(np.float64)
        step = max(1, _AT_ONCE // max(1, *w.shape))
        if len(x.c) <= step:
            return self._sums(x, w, b)
        c, r = np.empty((2, len(x.c), len(b)))
        g = np.empty((*c.shape, x.g.shape[2]))
        for i in range(0, len(c), step):
            rows = slice(i, i + step)
            part = self._sums(x[rows], w, b)
            c[rows], r[rows], g[rows] = part.c, part.r, part.g
        return Zonotope(c, r, g)

    def _sums(
        self, x: Zonotope, w: Array, b: Array
    ) -> Zonotope:  # [n, d], [d, d_out], [d_out] -> [n, d_out]
        radius = x.radius
        size = (np.abs(x.c) + radius) @ np.abs(w) + np.abs(b)
        there = (x.c != 0) | (radius != 0)
        terms = there.astype(np.float64) @ (w != 0) + (b != 0)
        exact = self.exact(
            size * UP,
            np.minimum(
                finest_of(np.where(radius == 0, grid(x.c), UNCERTAIN), grid(w)),
                grid(b),
            ),
        )
        # products
        rounded = (there & ~(_halved(x.c) & (radius == 0))).astype(
            np.float64
        ) @ ((w != 0) & ~_halved(w))
        k = terms - (rounded == 0)  # the last rounding is that of the result
        error = self.gamma(k - 1) * size + (self.u + 2.0**-50) * (
            np.abs(x.c @ w + b) + x.radius @ np.abs(w) + self.gamma(k) * size
        )
        # a product by a power of two, or a constant: it is exact unless it underflows
        single = (terms == 1) & (rounded == 0)
        normal = (np.abs(x.c @ w + b) >= self.least) & (radius @ np.abs(w) == 0)
        error = np.where(
            single,
            np.where(normal, 0.0, self.least),
            error + (terms + 2) * self.least,
        )
        error = np.where(exact | (terms == 0), 0.0, error)
        g, own = spread_of(x.g, w.T)
        return Zonotope(
            x.c @ w + b, (x.r @ np.abs(w) + error + own) * up(len(w)), g
        )

    def dot(
        self, q: Zonotope, k: Zonotope, *, apart: bool = False
    ) -> tuple[Array, Array]:  # [1, m], [n, m] -> [n], [n]
        """Return the least and the greatest score of each key, before the division; with
        `apart`, up to a number that is the same for all of them.

        A softmax depends on the differences of scores alone. The query is uncertain, but it is
        one query: where it is off by e, each score is off by e times its key, and what the best
        key is off by can be taken off all of them.
        """
        asked = np.ones(q.c.shape[1], dtype=bool)
        if k.finite:  # where the query is exactly 0, such keys add exactly 0
            asked = (q.c[0] != 0) | (q.r[0] != 0)
        a = k.c[:, asked]
        s = k.r[:, asked]
        b = q.c[0, asked]
        t = q.r[0, asked]
        common = np.zeros_like(b)  # [m]
        if apart and len(a):
            common = a[(a @ b).argmax()]
        spread = s @ (np.abs(b) + t) + np.abs(a - common) @ t
        shift = np.abs(common) @ t
        size = np.abs(a) @ np.abs(b) + spread + shift
        finest = (
            np.where(s == 0, grid(a), UNCERTAIN)
            + np.where(t == 0, grid(b), UNCERTAIN)
        ).min(axis=1, initial=ANY)
        finest = np.where(spread + shift > 0, UNCERTAIN, finest)
        terms = ((a != 0) | (s > 0)).astype(np.float64) @ (
            (b != 0) | (t > 0)
        ).astype(np.float64)
        c = a @ b
        # the last rounding is that of the score itself, and the division rounds `shift` too
        last = np.abs(c) + spread + 2 * shift + self.gamma(terms) * size
        error = np.where(
            self.exact(size, finest),
            0.0,
            self.gamma(np.maximum(terms - 1, 0)) * size
            + (self.u + 2.0**-50) * last
            + (terms + 1) * self.least,
        )
        r = (spread + error) * UP
        if not np.isfinite(c).all() or not np.isfinite(r).all():
            raise Rejected("a score is out of range")
        return c - r, c + r

    def add(
        self, x: Zonotope, y: Zonotope
    ) -> Zonotope:  # [n, d], [n, d] -> [n, d]
        """Return x + y. A generator has the same place in both."""
        most = max(x.g.shape[2], y.g.shape[2])
        gx, gy = (
            np.pad(z.g, ((0, 0), (0, 0), (0, most - z.g.shape[2])))
            for z in (x, y)
        )
        rx = x.radius
        ry = y.radius
        size = np.abs(x.c) + np.abs(y.c) + rx + ry
        nothing = ((x.c == 0) & (rx == 0)) | ((y.c == 0) & (ry == 0))
        exact = nothing | (
            (rx + ry == 0) & self.exact(size, np.minimum(grid(x.c), grid(y.c)))
        )
        error = np.where(exact, 0.0, (self.u + 2.0**-51) * size + self.least)
        return Zonotope(x.c + y.c, (x.r + y.r + error) * UP, gx + gy)

    def activation(
        self, x: Zonotope, kind: str
    ) -> Zonotope:  # [n, d] -> [n, d]
        """Return relu or gelu of x."""
        radius = x.radius
        edge = 0.0 if kind == "relu" else self.flat
        up = x.c - radius >= edge
        down = x.c + radius <= -edge
        c, slope, r = (
            (np.maximum(x.c, 0.0), np.zeros_like(x.c), radius)
            if kind == "relu"
            else self._gelu(x, radius)
        )
        certain = (x.c == 0) & (radius == 0)
        slope = np.where(up, 1.0, np.where(down, 0.0, slope))
        r = np.where(up, x.r, np.where(down | certain, 0.0, r))
        return Zonotope(
            np.where(up, x.c, np.where(down | certain, 0.0, c)),
            r,
            x.g * slope[..., None],
        )

    def _gelu(self, x: Zonotope, radius: Array) -> tuple[Array, Array, Array]:
        """Return gelu of x, its slope, and the remainder: gelu(c + d) is gelu(c) + gelu'(c)
        d up to d^2 / 2 of its second derivative, which is below 1; its slope is below
        1.13. Across a wide interval another line misses less: gelu(x) is x / 2 plus
        something from 0 to |x| / 2.
        """
        k = np.sqrt(2 / np.pi)
        tanh = np.tanh(k * (x.c + 0.044715 * x.c**3))
        slope = (1 + tanh) / 2 + x.c * (1 - tanh**2) * k * (
            1 + 3 * 0.044715 * x.c**2
        ) / 2
        bend = np.minimum(radius**2 / 2, (1.13 + np.abs(slope)) * radius)
        most = np.abs(x.c) + radius
        error = 16 * (self.u + 2.0**-52) * most + self.least
        half = most / 4 < bend
        slope = np.where(half, 0.5, slope)
        return (
            np.where(half, x.c / 2 + most / 4, x.c * (1 + tanh) / 2),
            slope,
            (np.abs(slope) * x.r + np.where(half, most / 4, bend) + error) * UP,
        )


def finest_of(x: Array, w: Array) -> Array:  # [n, d], [d, d_out] -> [n, d_out]
    """Return the least sum of powers over the products of each row and column."""
    found = np.full((len(x), w.shape[1]), ANY)
    for i in np.flatnonzero((w < ANY).any(axis=1)):
        rows = np.flatnonzero(x[:, i] < ANY)  # where the lane is not zero
        if 4 * len(rows) < len(x):
            found[rows] = np.minimum(found[rows], x[rows, i, None] + w[i])
        else:
            np.minimum(found, x[:, i, None] + w[i], out=found)
    return found
