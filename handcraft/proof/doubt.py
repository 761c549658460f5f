"""Bounds on how far rounding can move a logit: two orders of summation give two numbers, and a
margin may lie between them.

    Doubt(model).margins          a bound for every context at once: no margin moves by more
    Doubt(model).last(ids)        the stream and the logits after some contexts, each with a
                                  bound of its own

Both follow every number of a forward pass as c (its value in float64), e (how far the model's
own float is from it, whatever the order of its additions, with or without fused multiply-add)
and g (it is a multiple of 2^g, if it is known exactly):

    x W + b         e |W|, and gamma_k (|x| |W| + |b|) for k terms that are not zero; no
                    rounding if every term is a multiple of 2^g and their sizes sum to at most
                    2^(p + g)
    attention       weights exp(s_j) may be off by a factor exp(w_j); then the mean z is off by
                    sum_j exp(s_j) |exp(w_j) - 1| |v_j - z| / sum_j exp(s_j),
                    and never by more than the values are apart
    gelu            1.13 e and 16 roundings, none from 8 on and below -8, where it is x and 0
    layer norm      |e|_2 over the deviation, which the norm's slope cannot exceed, and its own
                    roundings

For all contexts at once, c is the greatest size instead of the value, and what depends on the
value is taken at its worst. If the arithmetic is exact, both bounds are 0: the margin is what it
is.

Rules of this file: it looks at weights only; bounds are rounded up, never down. Source: Higham,
"Accuracy and Stability of Numerical Algorithms", 2002, chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from handcraft.core.bounds import overflow
from handcraft.core.gpt2 import ACTIVATIONS, Array, Weights, layer_norm
from handcraft.model import Model
from handcraft.proof.near_pass import NO_GRID, Near, NearPass
from handcraft.proof.prover.zonotope import GELU_ERROR, LIPSCHITZ, grid

# from here on gelu is x, and below minus this it is 0, in float32 and float64
SATURATED = 8.0
_EXP = 16.0  # roundings of exp, and of the division after it
_CELLS = (
    2**22
)  # of the largest array that contexts are followed in, all at once


class Doubt:
    """Bounds on how far rounding can move what a model computes."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def overflows(self) -> str | None:
        """The first number that could overflow, None if there is none: see
        handcraft.core.bounds.
        """
        return overflow(
            self.model.weights,
            self.model.n_head,
            self.model.activation,
            self.model.epsilon,
        )

    @cached_property
    def _everywhere(
        self,
    ) -> tuple[float, float]:  # of a lane in the end, of a logit
        if self.overflows is not None:
            return math.inf, math.inf
        with np.errstate(all="ignore"):
            worst = [
                float(np.max(4 * x.e, initial=0.0))
                for x in _Everywhere(self.model).run()
            ]
        lane, logit = (
            math.inf if math.isnan(error) else error for error in worst
        )
        return lane, logit

    @property
    def margins(self) -> float:
        """The greatest distance between two passes in a difference of logits, whatever the
        context; 0 if all is exact.
        """
        return 2 * self._everywhere[1]

    @property
    def lanes(self) -> float:
        """The greatest distance between two passes in a lane of the stream at the end."""
        return self._everywhere[0]

    @property
    def chances(self) -> float:
        """The greatest distance between two passes in a probability, which is computed in
        float64.
        """
        return chance(self.margins)

    def last(
        self, ids: Array
    ) -> Iterator[
        tuple[slice, Near, Near]
    ]:  # [n, n_seq] -> [some, n_embd], [some, n_vocab]
        """Yield the stream and the logits after each context, some at a time. `e` holds for
        every pass, and may be infinite.
        """
        width = max(
            self.model.n_embd, *(x.size for x in _inner(self.model.weights)), 1
        )
        cells = ids.shape[1] * max(width * 3, ids.shape[1] * self.model.n_embd)
        some = max(1, _CELLS // cells)
        for first in range(0, len(ids), some):
            at = slice(first, first + some)
            with np.errstate(all="ignore"):
                stream, logits = _Here(self.model, ids[at]).run()
            yield at, _last(stream), _last(logits)


def chance(margin: float) -> float:
    """Return how far a probability moves if differences of logits move by this much."""
    return min(1.0, math.expm1(min(margin, 1.0))) + 2.0**-40


def _last(x: Near) -> Near:  # [n, n_seq, lanes] -> [n, lanes]
    """Return the numbers after the last token with twice the error, that of the model's
    pass and that of ours; infinite where a number is not finite.
    """
    c = x.c[:, -1]
    e = 2 * x.e[:, -1]
    good = np.isfinite(c) & np.isfinite(e)
    return Near(
        np.where(np.isfinite(c), c, 0.0), np.where(good, e, np.inf), x.g[:, -1]
    )


def _inner(weights: Weights) -> list[Array]:
    return [
        block["mlp"]["c_fc"]["b"]
        for block in weights["blocks"]
        if "mlp" in block
    ]


# ---------------------------------------------------------------- every context at once


class _Everywhere(NearPass):
    """Sizes instead of values, [1, lanes]: what holds for every token, every position and
    every context.
    """

    signed = False

    def embedded(self) -> Near:  # -> [1, n_embd]
        wte, wpe = (
            self.weights[key].astype(np.float64) for key in ("wte", "wpe")
        )
        size = (np.abs(wte).max(axis=0) + np.abs(wpe).max(axis=0))[None]
        _, kept = self.summed(
            size,
            np.ones(1),
            np.minimum(grid(wte).min(axis=0), grid(wpe).min(axis=0))[None],
        )
        return Near(
            size, np.zeros_like(size), kept
        )  # one addition has one result

    def attention(
        self, x: Near, part: Weights
    ) -> Near:  # [1, n_embd] -> the same
        n = len(self.weights["wpe"])
        q, k, v = self.linear(x, **part["c_attn"]).parts(3)
        heads = [
            self.scores(*pair)
            for pair in zip(
                q.parts(self.n_head), k.parts(self.n_head), strict=True
            )
        ]
        # [1, n_embd]
        off = np.minimum(np.repeat(heads, q.c.shape[1] // self.n_head), 300.0)[
            None
        ]
        # the farther behind, the less it weighs
        share = np.expm1(off) + (n + 2 * _EXP) * self.u * np.exp(off)
        moved = (
            2
            * v.size
            * np.where(share < 0.25, share / (1 - np.minimum(share, 0.25)), 1.0)
        )
        error = (
            v.e
            + np.minimum(moved, 2 * v.size)
            + v.size * self.gamma(2 * n + 10)
            + 2 * n * self.tiny
        )
        z = Near(
            v.c, np.where(v.size > 0, error, 0.0), np.full(v.c.shape, NO_GRID)
        )
        return self.linear(z, **part["c_proj"])

    def scores(self, q: Near, k: Near) -> float:  # [1, d_head] each
        """Return how far a score of a head can be off, at most."""
        total = q.size * k.size
        least = np.where(total > 0, q.g + k.g, np.inf).min(initial=np.inf)
        own, _ = self.summed(
            total.sum(keepdims=True), (total > 0).sum(keepdims=True), least
        )
        division = (
            0.0 if _power_of_two(self.root) else 2 * self.u * float(total.sum())
        )
        error = (
            float((q.size * k.e + q.e * k.size).sum() + own.sum() + division)
            / self.root
        )
        return math.inf if math.isnan(error) else error * 1.01

    def activated(self, x: Near) -> Near:
        if self.model.activation == "relu":
            return x
        error = LIPSCHITZ * x.e + GELU_ERROR * self.u * x.size + self.tiny
        return Near(
            x.c, np.where(x.size > 0, error, 0.0), np.full(x.c.shape, NO_GRID)
        )

    def deviation(self, x: Near) -> Array:
        return np.full((*x.c.shape[:-1], 1), math.sqrt(self.model.epsilon))

    def norm_of(self, x: Near, norm: Weights) -> Array:
        g, b = (np.abs(norm[part].astype(np.float64)) for part in ("g", "b"))
        return np.broadcast_to(g * math.sqrt(x.c.shape[-1]) + b, x.c.shape)


# ---------------------------------------------------------------- some contexts


class _Here(NearPass):
    """The values of some contexts of one length: [n, n_seq, lanes]."""

    def __init__(self, model: Model, ids: Array) -> None:
        super().__init__(model)
        self.ids = ids

    def embedded(self) -> Near:  # -> [n, n_seq, n_embd]
        c = (
            self.weights["wte"][self.ids]
            + self.weights["wpe"][: self.ids.shape[1]]
        ).astype(np.float64)
        return self.near(c, np.zeros_like(c), c)  # one addition has one result

    def attention(
        self, x: Near, part: Weights
    ) -> Near:  # [n, n_seq, n_embd] -> the same
        q, k, v = self.linear(x, **part["c_attn"]).parts(3)
        heads = zip(*(a.parts(self.n_head) for a in (q, k, v)), strict=True)
        read = [
            self.mean(*self.shares(*self.scores(q, k)), v) for q, k, v in heads
        ]
        z = Near(
            *(
                np.concatenate([getattr(r, key) for r in read], axis=-1)
                for key in ("c", "e", "g")
            )
        )
        return self.linear(z, **part["c_proj"])

    def scores(
        self, q: Near, k: Near
    ) -> tuple[Array, Array]:  # [n, n_seq, d_head] -> [n, n_query, n_key]
        """Return the scores of a head and how far they can be off; -inf for keys that a
        query does not see.
        """
        c = q.c @ k.c.mT
        turned = k.size.mT
        total = q.size @ turned
        terms = (q.size > 0) * 1.0 @ (turned > 0)
        least = np.full(c.shape, np.inf)
        for lane in range(q.c.shape[-1]):
            a = q.g[..., lane, None]
            b = k.g[..., None, :, lane]
            used = (q.size[..., lane, None] > 0) & (
                k.size[..., None, :, lane] > 0
            )
            least = np.where(used, np.minimum(least, a + b), least)
        own, _ = self.summed(total, terms, least)
        division = 0.0 if _power_of_two(self.root) else 2 * self.u * total
        error = (q.e @ turned + q.size @ k.e.mT + own + division) / self.root
        seen = (
            np.tri(c.shape[-1], dtype=bool)
            if self.model.causal
            else np.ones(c.shape[-2:], dtype=bool)
        )
        return np.where(seen, c / self.root, -np.inf), np.where(
            seen, error, 0.0
        )

    def shares(
        self, c: Array, e: Array
    ) -> tuple[Array, Array, Array]:  # [n, n_query, n_key] -> the same, thrice
        """Return the weights before they are divided by their sum, how far off each can be,
        and which rows are exact.
        """
        behind = c - c.max(axis=-1, keepdims=True)
        # 0 in every pass
        gone = behind + 2 * e.max(axis=-1, keepdims=True) < (
            -105.0 if self.digits == 24 else -747.0
        )
        off = np.where(
            gone,
            0.0,
            e + self.u * (np.abs(behind) + 2 * e.max(axis=-1, keepdims=True)),
        )
        sure = gone | ((behind == 0) & (off == 0))  # exp(0) = 1
        weights = np.where(gone, 0.0, np.exp(behind))
        moved = (
            weights
            * (
                np.expm1(np.minimum(off, 300.0)) * (1 + 2 * _EXP * self.u)
                + 2 * _EXP * self.u
            )
            + self.tiny
        )
        winners = weights.sum(axis=-1, keepdims=True)
        return (
            weights,
            np.where(sure, 0.0, moved),
            sure.all(axis=-1, keepdims=True)
            & (np.exp2(np.round(np.log2(winners))) == winners),
        )

    def mean(
        self, weights: Array, moved: Array, exact: Array, v: Near
    ) -> Near:  # ..., [n, n_key, d] -> [n, n_query, d]
        """Return the mean of the values, weighted by their shares."""
        n = weights.shape[-1]
        total = weights.sum(axis=-1, keepdims=True)
        shares = weights / total
        z = shares @ v.c  # [n, n_query, d]
        apart = np.abs(v.c[:, None] - z[:, :, None])  # [n, n_query, n_key, d]
        there = (weights + moved > 0)[..., None]
        # of the sum, at least
        rest = np.maximum(total - moved.sum(axis=-1, keepdims=True), 0.0)
        drift = np.minimum(
            (moved[..., None] * apart).sum(axis=-2) / rest,
            np.where(there, apart, 0.0).max(axis=-2),
        )
        drift = np.where(moved.any(axis=-1, keepdims=True), drift, 0.0)
        of = np.where(rest > 0, (weights + moved) / rest, np.inf)
        size, own = (_mean(of, there, a) for a in (v.size, v.e))
        least = np.where(
            there & (v.size > 0)[:, None], v.g[:, None], np.inf
        ).min(axis=-2) - np.log2(total)
        rounding, _ = self.summed(
            size,
            np.full(size.shape, 2.0 * n + 10),
            np.where(exact, least, NO_GRID),
        )
        return self.near(z, drift + own + np.where(size > 0, rounding, 0.0), z)

    def activated(self, x: Near) -> Near:
        c = ACTIVATIONS[self.model.activation](x.c)
        e = x.e
        if self.model.activation == "gelu":
            rough = LIPSCHITZ * e + GELU_ERROR * self.u * x.size + self.tiny
            c = np.where(
                x.c - e >= SATURATED,
                x.c,
                np.where(x.c + e <= -SATURATED, 0.0, c),
            )
            e = np.where(
                (x.c - e >= SATURATED) | (x.size == 0),
                e,
                np.where(x.c + e <= -SATURATED, 0.0, rough),
            )
        else:
            e = np.where(x.c + e <= 0, 0.0, e)
        return self.near(c, e, c)

    def deviation(self, x: Near) -> Array:
        return np.sqrt(x.c.var(axis=-1, keepdims=True) + self.model.epsilon)

    def norm_of(self, x: Near, norm: Weights) -> Array:
        g, b = (norm[part].astype(np.float64) for part in ("g", "b"))
        return layer_norm(x.c, g, b, self.model.epsilon)


def _mean(
    of: Array, there: Array, a: Array
) -> Array:  # [n, n_query, n_key], ..., [n, n_key, d] -> [n, n_query, d]
    """Return the greatest mean of sizes, given the greatest shares: at most the greatest size."""
    most = np.where(there, a[:, None], 0.0).max(axis=-2)
    return np.minimum(
        np.where(
            np.isfinite(of).all(axis=-1, keepdims=True),
            np.nan_to_num(of) @ a,
            np.inf,
        ),
        most,
    )


def _power_of_two(x: float) -> bool:
    return math.frexp(x)[0] == 0.5
