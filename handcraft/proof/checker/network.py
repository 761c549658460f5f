"""The model's blocks in the checker's own arithmetic: zonotopes in, zonotopes out.

Rules of this file: whichever float32 or float64 pass is meant, the result covers it; what could
overflow is rejected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import (
    UNCERTAIN,
    Floats,
    Rejected,
    Zonotope,
    grid,
    shared_sizes,
    spread_of,
    summed,
)


@dataclass(frozen=True, eq=False)
class HeadWeights:
    """The weights of one head that adds something, without the lanes that its output does
    not read.
    """

    layer: int
    number: int
    q: tuple[Array, Array]
    k: tuple[Array, Array]
    v: tuple[Array, Array]
    rows: Array
    scale: float


class Network:
    """A model, block by block. Raises Rejected for a model that cannot be bounded."""

    def __init__(self, model: Model) -> None:
        weights = model.weights
        if (
            not model.causal
            or weights.get("ln_f") is not None
            or any("ln_1" in b or "ln_2" in b for b in weights["blocks"])
        ):
            raise Rejected(
                "a model that normalises or looks ahead cannot be checked"
            )
        if model.dtype not in ("float32", "float64"):
            raise Rejected(f"the rounding of {model.dtype} is not bounded")
        if model.activation not in ("relu", "gelu"):
            raise Rejected(f"the activation {model.activation} is not bounded")
        if weights.get("lm_head") is not None:
            raise Rejected("the unembedding is not wte, which is not bounded")
        self.floats = Floats(model.dtype)
        self.single = np.float32 if model.dtype == "float32" else np.float64
        self.activation = model.activation
        self.blocks = weights["blocks"]
        self.wte = weights["wte"].astype(np.float64)
        self.wpe = weights["wpe"].astype(np.float64)
        self.n_vocab = len(self.wte)
        self.n_ctx = len(self.wpe)
        self.heads = [
            self._heads(i, block, model.n_head)
            for i, block in enumerate(self.blocks)
        ]
        self.last = max(
            (i for i, heads in enumerate(self.heads) if heads), default=-1
        )
        self._finite(model.n_head)

    def _heads(self, layer: int, block: Any, n_head: int) -> list[HeadWeights]:
        found = []
        for h in range(n_head if "attn" in block else 0):
            w = block["attn"]["c_attn"]["w"]
            b = block["attn"]["c_attn"]["b"]
            out = block["attn"]["c_proj"]["w"]
            size = len(out) // n_head
            own = np.arange(h * size, (h + 1) * size)
            q, k, v = (
                (w[:, part * len(out) + own], b[part * len(out) + own])
                for part in range(3)
            )
            kept = (v[0].any(axis=0) | (v[1] != 0)) & out[own].any(axis=1)
            # any other lane adds zero to a score
            match = (q[0].any(axis=0) | (q[1] != 0)) & (
                k[0].any(axis=0) | (k[1] != 0)
            )
            if kept.any():
                q, k, v = (
                    (w[:, lanes], b[lanes])
                    for (w, b), lanes in ((q, match), (k, match), (v, kept))
                )
                found.append(
                    HeadWeights(layer, h, q, k, v, own[kept], math.sqrt(size))
                )
        return found

    def _finite(self, n_head: int) -> None:
        """Check that no number can overflow, whether it is read or not: infinity times zero
        is not a number. Raises Rejected if one could.

        A weight below the least normal number may be flushed to zero before it is
        multiplied, so there must be none.
        """
        most = 2.0**120 if self.floats.digits == 24 else 2.0**1000
        with np.errstate(all="ignore"):
            if not all((part < most).all() for part in self._sizes(n_head)):
                raise Rejected("a number of the model could overflow")
            weights = [
                self.wte,
                self.wpe,
                *(
                    a
                    for b in self.blocks
                    for part in b.values()
                    for p in part.values()
                    for a in p.values()
                ),
            ]
            if any(
                ((a != 0) & (np.abs(a) < self.floats.least)).any()
                for a in weights
            ):
                raise Rejected("a weight is below the least normal number")

    def _sizes(self, n_head: int) -> Iterator[Array]:
        """Yield the greatest sizes of all numbers of a forward pass."""
        x = np.abs(self.wte).max(axis=0) + np.abs(self.wpe).max(
            axis=0
        )  # [n_embd]
        yield x
        for block in self.blocks:
            if "attn" in block:
                qkv = _size(block["attn"]["c_attn"], x)  # [3 n_embd]
                q, k, v = np.split(qkv, 3)
                added = _size(block["attn"]["c_proj"], v * 1.01)
                x = x + added
                yield from (
                    qkv,
                    (q * k).reshape(n_head, -1).sum(axis=1) * 1.01,
                    added,
                    x,
                )
            if "mlp" in block:
                pre = _size(block["mlp"]["c_fc"], x)  # [n_inner]
                added = _size(block["mlp"]["c_proj"], pre * 1.01)
                x = x + added
                # gelu's cube may overflow: tanh of infinity is 1, as it should be
                yield from (pre, added, x)
        yield np.abs(self.wte) @ x * 1.01

    def embed(
        self, tokens: Array, positions: Array
    ) -> Zonotope:  # [n], [n] -> [n, n_embd]
        """Return the residual stream before the first block: of two numbers the sum is rounded
        once, so it is known to the last bit, unless it may be flushed to zero.
        """
        x = self.wte[tokens].astype(self.single)
        c = (x + self.wpe[positions].astype(self.single)).astype(np.float64)
        least = self.floats.least
        flushed = (c != 0) & (np.abs(c) < least)
        return Zonotope.of(c, np.where(flushed, least, 0.0))

    def through(
        self, i: int, x: Zonotope, means: dict[int, tuple[Array, Array]]
    ) -> Zonotope:  # [n, n_embd] -> the same
        """Return the residual stream after a block, given the mean value of each of its
        heads [n, n_value].
        """
        block = self.blocks[i]
        floats = self.floats
        if "attn" in block:
            c_proj = block["attn"]["c_proj"]
            z = np.zeros((2, len(x.c), len(c_proj["w"])))
            for head in self.heads[i]:
                z[:, :, head.rows] = means[head.number]
            x = floats.add(
                x,
                _padded(
                    floats.linear(
                        Zonotope.of(z[0], z[1]).shared(),
                        c_proj["w"],
                        c_proj["b"],
                    ),
                    x,
                ),
            )
        if "mlp" in block:
            part = block["mlp"]
            x = x.shared()
            post = floats.activation(
                floats.linear(x, part["c_fc"]["w"], part["c_fc"]["b"]),
                self.activation,
            )
            x = floats.add(
                x, floats.linear(post, part["c_proj"]["w"], part["c_proj"]["b"])
            )
        return x

    def ahead(
        self, x: Zonotope, rows: Array, right: tuple[int, ...], error: Array
    ) -> tuple[Array, Array]:
        """Return the least lead of the best right logit over every wrong one, and the greatest
        radius of a difference.

        For these rows [n_rows] each; `error` is what the unembedding rounds [n, n_vocab]. The
        best one leads by at least as much as any of them.
        """
        wrong = ~np.isin(np.arange(self.n_vocab), right)
        leads = [self._lead(x, rows, token, wrong, error) for token in right]
        least, radius = (np.stack(part) for part in zip(*leads, strict=True))
        best = least.argmax(axis=0)[None]  # [1, n_rows]
        return (
            np.take_along_axis(least, best, axis=0)[0],
            np.take_along_axis(radius, best, axis=0)[0],
        )

    def _lead(
        self,
        x: Zonotope,
        rows: Array,
        expected: int,
        wrong: Array,
        error: Array,
    ) -> tuple[Array, Array]:  # -> [n_rows], [n_rows]
        """Return the least lead of one logit over every wrong one, and the greatest radius."""
        c, r = x.c[rows], x.r[rows]  # [n_rows, n_embd]
        g = x.g[rows]  # [n_rows, n_embd, n_shared]
        apart = self.wte[expected] - self.wte  # [n_vocab, n_embd]
        # [n_rows, n_vocab, n_shared], [n_rows, n_vocab]
        shared, own = spread_of(g, apart)
        known = r @ np.abs(apart).T + shared_sizes(shared) + own
        radius = (
            known + error[rows] + error[rows, expected][:, None]
        ) * 1.0000001
        size = np.abs(c) @ np.abs(apart).T
        exact = self._exactly(c, self._fine(expected, apart), size, radius)
        least = (
            c @ apart.T
            - radius
            - np.where(exact, 0.0, summed(c.shape[1]) * size)
        )
        return least[:, wrong].min(axis=1, initial=math.inf), radius[
            :, wrong
        ].max(axis=1, initial=0.0)

    def _fine(
        self, expected: int, apart: Array
    ) -> Array:  # -> [n_vocab, n_embd]
        """Return the power of two that each difference of two weights is a multiple of;
        UNCERTAIN if float64 has rounded it.
        """
        size = np.abs(self.wte[expected]) + np.abs(self.wte)
        finest = np.minimum(grid(self.wte[expected]), grid(self.wte))
        return np.where(
            size <= np.exp2(np.clip(53 + finest, -1000, 1000)),
            grid(apart),
            UNCERTAIN,
        )

    @staticmethod
    def _exactly(
        c: Array, fine: Array, size: Array, radius: Array
    ) -> Array:  # -> [n_rows, n_vocab]
        """True where float64 computes a difference of logits without rounding, tried only
        where nothing else is uncertain.
        """
        found = np.zeros(size.shape, dtype=bool)
        sure = np.flatnonzero((radius == 0).any(axis=1))
        for row, powers in zip(sure, grid(c[sure]), strict=True):
            found[row] = size[row] <= np.exp2(
                np.clip(53 + (fine + powers).min(axis=1), -1000, 1000)
            )
        return found

    def rounding(self, x: Zonotope) -> Array:  # [n, n_embd] -> [n, n_vocab]
        """Return what the unembedding rounds."""
        known = self.floats.linear(
            Zonotope.of(x.c), self.wte.T, np.zeros(self.n_vocab)
        ).r
        size = (np.abs(x.c) + x.radius) @ np.abs(self.wte).T
        sure = (x.radius == 0).all(axis=1)[:, None]
        terms = ((x.c != 0) | (x.radius != 0)).astype(np.float64) @ (
            self.wte != 0
        ).T
        return np.where(
            sure,
            known,
            self.floats.gamma(terms) * size + (terms + 1) * self.floats.least,
        )

    def logits(
        self, x: Zonotope, rows: Array, error: Array
    ) -> tuple[Array, Array]:  # [n_rows] -> [n_rows, n_vocab] each
        """Return the logits of these rows and how far they can be off; `error` is what the
        unembedding rounds [n, n_vocab].
        """
        c = x.c[rows]
        r = x.r[rows]
        g = x.g[rows]
        size = np.abs(self.wte).T
        shared, own = spread_of(g, self.wte)
        known = r @ size + shared_sizes(shared) + own + error[rows]
        return c @ self.wte.T, known * 1.0000001 + summed(c.shape[1]) * (
            np.abs(c) @ size
        )

    def chances(
        self, x: Zonotope, row: int
    ) -> tuple[Array, Array]:  # -> [n_vocab], [n_vocab]
        """Return the least and the greatest probability of every token."""
        logits = self.floats.linear(
            x[[row]], self.wte.T, np.zeros(self.n_vocab)
        ).plain()
        top = logits.c.max()
        low = np.exp(logits.c[0] - logits.r[0] - top)
        high = np.exp(logits.c[0] + logits.r[0] - top)
        return low / (low + high.sum() - high) - 1e-13, high / (
            high + low.sum() - low
        ) + 1e-13


def _padded(y: Zonotope, x: Zonotope) -> Zonotope:
    """Return y with its generators in places of their own, behind those of x."""
    return Zonotope(
        y.c,
        y.r,
        np.concatenate([np.zeros((*y.c.shape, x.g.shape[2])), y.g], axis=2),
    )


def _size(part: dict[str, Array], x: Array) -> Array:  # [n_in] -> [n_out]
    return x @ np.abs(part["w"]).astype(np.float64) * 1.01 + np.abs(part["b"])
