"""The model's arithmetic where sums have dust: terms so small that a float swallows them.

    LaneFloats(dtype)   Floats whose sums of whole multiples stay exact beside dust

What a head brings of 0 is often not 0, but e^-70 of something. Let all other terms be multiples of
a number h, and together so small that each sum of them is a float. Each sum of some of the terms
that is computed on the way then is, if those others add up to M, which is at least h in size or 0:

    M itself, where M is not 0: dust of less than h 2^-2 u is nearer to it than half a unit of its
        last digit, and is lost
    the dust, rounded, where M is 0

So the whole is M exactly, or dust where M is 0, in any order of the sum, fused or not. Where M is 0
because others cancel (1 + d - 1) dust may be lost on the way or not, by the order: then it is any
number so small, and moves with nothing that it comes from.
Rules of this file: a term is dust only where its centre is exactly 0.
"""

from __future__ import annotations

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import (
    ANY,
    UP,
    Floats,
    Zonotope,
    finest_of,
    grid,
    spread_of,
    up,
)

_SWELLS = 1 + 2.0**-8  # what rounding adds to dust: of fewer than 2^14 terms
_MOST_TERMS = 2**14
_FINEST = -900  # of multiples of less, dust may be below all floats


class LaneFloats(Floats):
    """The arithmetic of a model, with dust."""

    def linear(self, x: Zonotope, w: Array, b: Array) -> Zonotope:
        """The sums x w + b as the model computes them."""
        found = super().linear(x, w, b)
        radius = x.radius
        if not ((radius > 0) & (x.c == 0)).any():
            return found
        w, b = w.astype(np.float64), b.astype(np.float64)
        unclear = (radius > 0) & (x.c != 0)
        clean = unclear.astype(np.float64) @ (w != 0) == 0  # [n, d_out]
        finest = np.minimum(finest_of(grid(x.c), grid(w)), grid(b))
        size = (np.abs(x.c) @ np.abs(w) + np.abs(b)) * UP
        dust = self._swollen(radius @ np.abs(w) * up(len(w)), len(w) + 1)
        # what has none stays as it is, whatever stands in other rows
        there = (radius > 0).astype(np.float64) @ (w != 0) > 0
        whole = clean & there & self._is_whole(size, finest, dust, len(w) + 1)
        # of dust alone what its terms share is kept, and what rounding adds is its own
        own = x.r @ np.abs(w) * up(len(w)) + dust * (_SWELLS - 1)
        _, off = spread_of(x.g, w.T)
        own = np.minimum(found.r, self._swollen(own + off, len(w) + 1))
        lost, cancel = whole & (found.c != 0), whole & (size > 0)
        g = np.where(cancel[..., None], 0.0, found.g)
        r = np.where(cancel, dust, np.where(whole, own, found.r))
        r = np.where(lost, 0.0, r)
        return Zonotope(found.c, r, g)

    def dot(
        self, q: Zonotope, k: Zonotope, *, apart: bool = False
    ) -> tuple[Array, Array]:  # [1, m], [n, m] -> [n], [n]
        """The least and the greatest score of each key, before the division. What dust adds is
        left in them: the callers take off what errors that are shared have in common, which is
        twice the dust at most. Where others cancel it may be lost, and nothing is in common.
        """
        low, high = super().dot(q, k, apart=apart)
        a, s, b, t = k.c, k.radius, q.c[0], q.radius[0]
        if apart or not ((s > 0).any() or (t > 0).any()):
            return low, high
        nothing = (a == 0) | (b == 0)
        clean = (nothing | ((s == 0) & (t == 0))).all(axis=1)
        dust = (s @ (np.abs(b) + t) + np.abs(a) @ t) * up(len(b))
        clean = clean & (dust > 0)
        dust = self._swollen(dust, len(b))
        finest = np.where(nothing, ANY, grid(a) + grid(b))
        finest = finest.min(axis=1, initial=ANY)
        size = np.abs(a) @ np.abs(b) * UP
        whole = clean & self._is_whole(size, finest, dust, len(b))
        c = a @ b  # exact where it is whole
        dust = np.where((c == 0) & (size > 0), 3 * dust, dust)
        return np.where(whole, c - dust, low), np.where(whole, c + dust, high)

    def _is_whole(
        self, size: Array, finest: Array, dust: Array, terms: int
    ) -> Array:
        """True where sums are exact but for dust."""
        lost = np.exp2(np.clip(finest - self.digits - 3, -1000, 1000))
        few = (finest > _FINEST) & (terms < _MOST_TERMS)
        return np.array(few & self.exact(size, finest) & (dust < lost))

    def _swollen(self, dust: Array, terms: int) -> Array:
        """Dust as it may be after all roundings, and with what underflows."""
        return np.asarray(dust * _SWELLS + 2 * (terms + 2) * self.least)
