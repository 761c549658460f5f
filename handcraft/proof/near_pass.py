"""A forward pass over numbers that are known nearly: each with a bound on its error.

    c    the value in float64, or the greatest size of any value
    e    how far the model's own float can be from it
    g    the model's float is a multiple of 2^g, if it is known exactly: a sum of such numbers
         that stays small enough is not rounded

What depends on the kind of c (values, or sizes) is left to subclasses: embedding, attention,
activation, and the deviation in a layer norm (doubt.py). Rules of this file: bounds are rounded
up, never down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, Weights, unembedding
from handcraft.model import Model
from handcraft.proof.prover.zonotope import grid

NO_GRID = -np.inf  # the grid of a number that is not known to the last bit


@dataclass(frozen=True, eq=False)
class Near:
    """Numbers, or their greatest sizes; how far off the model's can be; the power of two
    they are multiples of.
    """

    c: Array  # [..., lanes]
    e: Array
    g: Array

    @property
    def size(self) -> Array:
        """The greatest size of the model's number."""
        return np.abs(self.c) + self.e

    def parts(self, n: int) -> tuple[Near, ...]:
        """Return n equal parts of the lanes, one after the other."""
        cut = (
            np.split(array, n, axis=-1) for array in (self.c, self.e, self.g)
        )
        return tuple(Near(*part) for part in zip(*cut, strict=True))


class NearPass:
    """A forward pass over numbers that are known nearly."""

    signed = True  # whether c are values, or sizes

    def __init__(self, model: Model) -> None:
        self.model = model
        self.weights = model.weights
        self.n_head = model.n_head
        info = np.finfo(model.weights["wte"].dtype)
        self.u = float(info.eps) / 2
        self.tiny = float(info.tiny)
        self.digits = info.nmant + 1
        self.floor = info.minexp
        self.root = math.sqrt(model.n_embd // model.n_head)

    def run(self) -> tuple[Near, Near]:  # -> [..., n_embd], [..., n_vocab]
        """Return the stream at the end, and the logits."""
        x = self.embedded()
        for block in self.weights["blocks"]:
            if "attn" in block:
                x = self.plus(
                    x,
                    self.attention(
                        self.normed(x, block, "ln_1"), block["attn"]
                    ),
                )
            if "mlp" in block:
                inner = self.activated(
                    self.linear(
                        self.normed(x, block, "ln_2"), **block["mlp"]["c_fc"]
                    )
                )
                x = self.plus(x, self.linear(inner, **block["mlp"]["c_proj"]))
        x = self.normed(x, self.weights, "ln_f")
        return x, self.linear(x, unembedding(self.weights).T)

    def embedded(self) -> Near:
        raise NotImplementedError

    def attention(self, x: Near, part: Weights) -> Near:
        raise NotImplementedError

    def activated(self, x: Near) -> Near:
        raise NotImplementedError

    def deviation(self, x: Near) -> Array:
        raise NotImplementedError

    def near(self, c: Array, e: Array, kept: Array) -> Near:
        """Return numbers with their grids: values have their own, sizes that of what was added."""
        return Near(
            c, e, np.where(e == 0, grid(c), NO_GRID) if self.signed else kept
        )

    def linear(
        self, x: Near, w: Array, b: Array | None = None
    ) -> Near:  # [..., n_in], [n_in, n_out] -> [..., n_out]
        """Return x @ w + b."""
        w = w.astype(np.float64)
        own = np.zeros(w.shape[1]) if b is None else b.astype(np.float64)
        sizes = np.abs(w)
        size = x.size
        total = size @ sizes + np.abs(own)
        terms = (size > 0).astype(np.float64) @ (sizes > 0).astype(
            np.float64
        ) + (own != 0)
        error, kept = self.summed(total, terms, self.least(x, w, own))
        return self.near(
            x.c @ w + own if self.signed else total, x.e @ sizes + error, kept
        )

    def least(self, x: Near, w: Array, own: Array) -> Array:  # -> [..., n_out]
        """Return the grid of all terms of x @ w + own that are not zero."""
        least = np.broadcast_to(grid(own), (*x.c.shape[:-1], len(own)))
        grids = grid(w)
        live = x.size > 0
        for lane in np.flatnonzero(w.any(axis=1)):
            used = live[..., lane, None] & (w[lane] != 0)  # [..., n_out]
            least = np.where(
                used,
                np.minimum(least, x.g[..., lane, None] + grids[lane]),
                least,
            )
        return least

    def summed(
        self, total: Array, terms: Array, least: Array
    ) -> tuple[Array, Array]:
        """Return how far a sum of so many terms of this total size can be off, and its
        grid: not at all if it is exact.
        """
        exact = (np.log2(total * (1 + 2.0**-40)) <= self.digits + least) & (
            least >= self.floor
        )
        error = self.gamma(terms + 1) * total + terms * self.tiny
        return np.where(exact, 0.0, error), np.where(exact, least, NO_GRID)

    def gamma(self, k: Any) -> Any:
        """Return the relative error of k roundings, one after the other."""
        ku = np.asarray(k, dtype=np.float64) * self.u
        return np.where(ku < 0.5, ku / (1 - np.minimum(ku, 0.5)), np.inf)

    def plus(self, x: Near, y: Near) -> Near:
        """Return x + y."""
        total = x.size + y.size
        terms = (x.size > 0) * 1.0 + (y.size > 0)
        gx, gy = (np.where(a.size > 0, a.g, np.inf) for a in (x, y))
        error, kept = self.summed(total, terms, np.minimum(gx, gy))
        return self.near(
            x.c + y.c if self.signed else total, x.e + y.e + error, kept
        )

    def normed(
        self, x: Near, parent: Weights, key: str
    ) -> Near:  # [..., n_embd] -> the same
        """Return a layer norm of x. An error in x moves it at most by the error's length
        over the deviation, and never by more than twice its size.
        """
        if (norm := parent.get(key)) is None:
            return x
        n = x.c.shape[-1]
        roundings = self.gamma(2 * x.c.shape[-1] + 24)
        g, b = (np.abs(norm[part].astype(np.float64)) for part in ("g", "b"))
        mean = x.size.mean(axis=-1, keepdims=True)
        moved = (
            x.e
            + self.gamma(n + 1) * mean
            + 2 * self.u * (x.size + mean)
            + self.tiny
        )
        length = np.sqrt((moved**2).sum(axis=-1, keepdims=True))  # [..., 1]
        least = np.maximum(
            self.deviation(x) - length / math.sqrt(n),
            math.sqrt(self.model.epsilon),
        )
        most = math.sqrt(n) * (1 + roundings)
        error = np.minimum(
            length / least * 1.01 + roundings * most, 2 * most
        ) * g + 4 * self.u * (g * most + b)
        value = self.norm_of(x, norm)
        return Near(value, error, np.full(value.shape, NO_GRID))

    def norm_of(self, x: Near, norm: Weights) -> Array:
        raise NotImplementedError
