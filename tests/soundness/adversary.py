"""A forward pass that rounds as unkindly as it is allowed to.

The same network as `handcraft.core.gpt2`, written again: every sum in an order of the
adversary's choice, products fused or not, exp and tanh off by up to 8 units of roundoff, what
underflows flushed to zero or not. What stays fixed is what every implementation keeps: exp(0)
is 1, exp underflows to 0, tanh is 1 where 1 is the nearest float by far. Rules of this file: it
knows nothing of the prover.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model

ORDERS = (
    "forward",
    "reversed",
    "permuted",
    "pairwise",
    "blocked",
    "fused",
    "wide",
    "largest",
    "smallest",
)


@dataclass
class Adversary:
    """How it adds, and how far off its functions are: `off` from 0 to 1 of what is allowed,
    `signs` fixed or random.
    """

    order: str
    off: float = 0.0
    flush: bool = False
    bias_first: bool = False
    seed: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    # ------------------------------------------------------------ sums

    def dot(
        self, x: Array, w: Array, b: Array | None = None
    ) -> Array:  # [..., k], [..., k, m] -> [..., m]
        """Sums of products over k, and a bias."""
        if self.order in ("fused", "wide"):
            return self._fused(x, w, b)
        terms = self.flushed(x[..., :, None] * w)  # [..., k, m]
        if b is None:
            return self.total(terms)
        if self.bias_first:
            return self.total(
                np.concatenate(
                    [np.broadcast_to(b, (*terms.shape[:-2], 1, len(b))), terms],
                    axis=-2,
                )
            )
        return self.flushed(self.total(terms) + b)

    def _fused(self, x: Array, w: Array, b: Array | None) -> Array:
        wide: Any = np.float64 if x.dtype == np.float32 else np.longdouble
        zero = np.zeros((), x.dtype) if b is None else b
        total = np.broadcast_to(
            zero,
            np.broadcast_shapes(
                (*x.shape[:-1], 1), w[..., 0, :].shape, zero.shape
            ),
        ).astype(x.dtype)
        if self.order == "wide":
            return (
                total
                + (x.astype(wide)[..., :, None] * w.astype(wide)).sum(axis=-2)
            ).astype(x.dtype)
        for k in range(x.shape[-1]):
            total = (
                total.astype(wide)
                + x[..., k, None].astype(wide) * w[..., k, :].astype(wide)
            ).astype(x.dtype)
        return total

    def total(self, terms: Array) -> Array:  # [..., k, m] -> [..., m]
        """The sum over k in this adversary's order."""
        if self.order in ("largest", "smallest"):
            by = np.argsort(np.abs(terms), axis=-2, kind="stable")
            terms = np.take_along_axis(
                terms,
                by if self.order == "smallest" else np.flip(by, axis=-2),
                axis=-2,
            )
        rows = [terms[..., i, :] for i in range(terms.shape[-2])]
        if self.order == "reversed":
            rows.reverse()
        elif self.order == "permuted":
            rows = [rows[i] for i in self.rng.permutation(len(rows))]
        elif self.order in ("pairwise", "blocked"):
            return self._by_parts(rows, 2 if self.order == "pairwise" else 3)
        return self._added(rows)

    def _added(self, rows: list[Array]) -> Array:
        total = rows[0]
        for row in rows[1:]:
            total = self.flushed(total + row)
        return total

    def _by_parts(self, rows: list[Array], size: int) -> Array:
        while len(rows) > 1:
            rows = [
                self._added(rows[i : i + size])
                for i in range(0, len(rows), size)
            ]
        return rows[0]

    # ------------------------------------------------------------ functions

    def flushed(self, x: Array) -> Array:
        """Numbers below the least normal one as zero, where this adversary does that."""
        return (
            np.where(np.abs(x) < np.finfo(x.dtype).tiny, x.dtype.type(0), x)
            if self.flush
            else x
        )

    def _perturbed(self, exact: Array, dtype: Any) -> Array:
        u = float(np.finfo(dtype).eps) / 2
        sign = (
            self.rng.choice([-1.0, 1.0], size=exact.shape)
            if self.off >= 0
            else np.where(self.rng.random() < 0.5, 1.0, -1.0)
        )
        with np.errstate(under="ignore"):
            return (exact * (1 + sign * abs(self.off) * 6.9 * u)).astype(dtype)

    def exp(self, x: Array) -> Array:
        """exp, off by up to 8u; 1 at 0."""
        with np.errstate(under="ignore"):
            found = self._perturbed(np.exp(x.astype(np.float64)), x.dtype)
        return self.flushed(np.where(x == 0, x.dtype.type(1), found))

    def gelu(self, x: Array) -> Array:
        """The activation by a tanh that is off by up to 8u."""
        with np.errstate(over="ignore"):
            cubed = x.dtype.type(0.044715) * x * x * x
            inner = x.dtype.type(math.sqrt(2 / math.pi)) * (x + cubed)
        far = np.abs(inner) > (9.2 if x.dtype == np.float32 else 19.5)
        tanh = np.where(
            far,
            np.sign(inner),
            self._perturbed(np.tanh(inner.astype(np.float64)), x.dtype),
        )
        return (
            x.dtype.type(0.5) * x * (x.dtype.type(1) + np.clip(tanh, -1, 1))
        ).astype(x.dtype)

    # ------------------------------------------------------------ the network

    def run(
        self, model: Model, tokens: Array
    ) -> dict[str, Array]:  # [n, n_seq] -> arrays by name
        """Every stream, the heads' means and the logits, by name."""
        w, n_head = model.weights, model.n_head
        seen: dict[str, Array] = {}
        x = self.flushed(
            w["wte"][tokens] + w["wpe"][: tokens.shape[1]]
        )  # [n, n_seq, n_embd]
        for i, block in enumerate(w["blocks"]):
            seen[f"stream {i}"] = x
            if "attn" in block:
                x = self.flushed(
                    x + self._attention(x, block["attn"], n_head, seen, i)
                )
            if "mlp" in block:
                pre = self.dot(
                    x, block["mlp"]["c_fc"]["w"], block["mlp"]["c_fc"]["b"]
                )
                post = (
                    np.maximum(pre, 0)
                    if model.activation == "relu"
                    else self.gelu(pre)
                )
                x = self.flushed(
                    x
                    + self.dot(
                        post,
                        block["mlp"]["c_proj"]["w"],
                        block["mlp"]["c_proj"]["b"],
                    )
                )
        seen["stream"] = x
        seen["logits"] = self.dot(x, w["wte"].T)
        return seen

    def _attention(
        self,
        x: Array,
        part: Any,
        n_head: int,
        seen: dict[str, Array],
        layer: int,
    ) -> Array:
        n, n_seq, n_embd = x.shape
        qkv = self.dot(
            x, part["c_attn"]["w"], part["c_attn"]["b"]
        )  # [n, n_seq, 3 n_embd]
        q, k, v = (
            p.reshape(n, n_seq, n_head, -1).swapaxes(1, 2)
            for p in np.split(qkv, 3, axis=-1)
        )  # [n, n_head, n_seq, d]
        scores = self.dot(q, k.swapaxes(-1, -2)[:, :, None]) / x.dtype.type(
            math.sqrt(q.shape[-1])
        )  # [n, n_head, n_seq, n_seq]
        scores = np.where(np.tri(n_seq, dtype=bool), scores, -np.inf).astype(
            x.dtype
        )
        powers = self.exp(scores - scores.max(axis=-1, keepdims=True))
        sums = self.total(powers[..., None])  # [n, n_head, n_seq, 1]
        z = self.dot(
            self.flushed(powers / sums), v[:, :, None]
        )  # [n, n_head, n_seq, d]
        seen[f"mean {layer}"] = z
        return self.dot(
            z.swapaxes(1, 2).reshape(n, n_seq, n_embd),
            part["c_proj"]["w"],
            part["c_proj"]["b"],
        )


def adversaries(rng: np.random.Generator, n: int) -> list[Adversary]:
    """So many different ones."""
    orders = rng.permutation(ORDERS)[:n]
    return [
        Adversary(
            str(o),
            float(rng.choice([0.0, 1.0, -1.0])),
            bool(rng.random() < 0.3),
            bool(rng.random() < 0.3),
            int(rng.integers(2**31)),
        )
        for o in orders
    ]
