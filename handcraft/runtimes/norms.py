"""Turns a program's weights into those of a stock GPT-2 whose layer norms do nothing.

Stock GPT-2 normalises before every attention and MLP and before the unembedding: `g * (x -
mean) / sqrt(var + eps) + b`. Two things turn that into the identity.

The mean cancels. Every lane x gets a neighbour -x in every write to the stream (`wte`, `wpe`,
both `c_proj`), and every reader takes half the difference of the two. So the mean is 0 but for
rounding, and that rest is subtracted from both: (x - mean) - (-x - mean) = 2x. Reading both is
needed: a runtime that sums in an order of its own (torch has a running mean for each SIMD lane)
leaves a mean of the last bits of the largest lane, which would drown a small one.

The variance vanishes beside eps: float32 has 24 bits, so var + eps is eps where var is less than
2^-24 of the power of two below eps. The mean being 0, var is the mean square of the stream.

    MIRROR  eps is huge: 2^80, its root 2^40 a power of two, so that dividing by it and
            multiplying with the gain 2^40 loses no bit. var < 2^56: a stream below 2^28
    QUIET   the stream is tiny: scaled by 2^-40. 1e-5 lies above 2^-17, so var < 2^-41: a stream
            below 2^19.5. Its root is no power of two; each norm rounds a number once or twice

`Norm.limit` is that bound on the stream, and limits.py checks it. A stream is padded by whole
heads that write nothing, so `d_head` and with it every score stays what it was.

A single lane that takes minus the sum of all others would be a smaller way to a mean of 0, but it
rounds at the size of the largest lane, and the mean carries that into all of them; and it needs
as many columns, since `d_head` is kept.

Rules of this file: weights in, weights out, NumPy alone; the input is the dict that the compiler
writes, without norms. Source: the construction is ours; layer norm is Ba, Kiros, Hinton, 2016, in
GPT-2's place for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from handcraft.core.errors import WeightsError
from handcraft.core.gpt2 import Array, Weights


@dataclass(frozen=True)
class Norm:
    """A layer norm that does nothing: the epsilon it runs with, and the scale of the stream."""

    name: str
    epsilon: float
    scale: float

    @property
    def limit(self) -> float:
        """The bound that the root mean square of the stream must stay below, so that the variance
        vanishes beside epsilon.
        """
        if self is NONE:
            return math.inf
        # the power of two below epsilon
        below = 2.0 ** (math.frexp(self.epsilon)[1] - 1)
        # with some room for rounding the variance
        return math.sqrt(below * 2.0**-24) / self.scale * (1 - 2.0**-8)


MIRROR = Norm("mirror", 2.0**80, 1.0)
QUIET = Norm("quiet", 1e-5, 2.0**-40)
NONE = Norm("none", 1e-5, 1.0)  # no layer norms: the bare dict


@dataclass(frozen=True)
class Stock:
    """Weights in the shape of a stock GPT-2: every block with attention, MLP and norms, one inner
    width.
    """

    weights: Weights
    n_head: int
    epsilon: float

    @property
    def n_embd(self) -> int:
        """The width of the stream, mirrored lanes included."""
        return int(self.weights["wte"].shape[1])

    @property
    def n_inner(self) -> int:
        """The number of neurons of each block."""
        blocks = self.weights["blocks"]
        if not blocks:
            return 4 * self.n_embd
        return int(blocks[0]["mlp"]["c_fc"]["w"].shape[1])


def has_norms(weights: Weights) -> bool:
    """True if the weights contain a layer norm."""
    return weights.get("ln_f") is not None or any(
        "ln_1" in block or "ln_2" in block for block in weights["blocks"]
    )


def with_norms(
    weights: Weights,
    n_head: int,
    norm: Norm,
    *,
    fourfold: bool = False,
    spare: int = 0,
) -> Stock:
    """The weights of a stock GPT-2 whose layer norms do nothing, from weights without norms.

    Every block gets attention, an MLP of the widest block's neurons (zeros where there were none)
    and its norms. `fourfold` makes that 4 * n_embd neurons, for runtimes that have it built in;
    `spare` asks for so many columns at the end of the stream that are 0 everywhere, their gains
    too. Raises WeightsError for weights that have layer norms already, which no program has.
    """
    if has_norms(weights):
        raise WeightsError(
            "the weights have layer norms already; only a program's own weights get"
            " norms that do nothing, and --to gpt2 or onnx writes others as they are"
        )
    mlps = [block["mlp"] for block in weights["blocks"] if "mlp" in block]
    widest = max([1, *(mlp["c_fc"]["b"].size for mlp in mlps)])
    least = max(
        2 * weights["wte"].shape[1] + spare, -(-widest // 4) if fourfold else 0
    )
    mirror = _Mirror(weights["wte"], n_head, norm, least)
    n_inner = 4 * mirror.wide if fourfold else widest
    stock = {
        "wte": mirror.write(weights["wte"]),
        "wpe": mirror.write(weights["wpe"]),
        "blocks": [mirror.block(block, n_inner) for block in weights["blocks"]],
        # undoes the scale of the stream and that of wte; wte reads both images
        "ln_f": mirror.gain(norm.epsilon**0.5 / norm.scale**2 / 2),
    }
    return Stock(stock, mirror.wide // mirror.d_head, norm.epsilon)


class _Mirror:
    """One program's arrays, moved to a stream in which lane i is column 2i, and its negative column
    2i + 1.
    """

    def __init__(self, wte: Array, n_head: int, norm: Norm, least: int) -> None:
        self.n = wte.shape[1]
        self.dtype = wte.dtype
        self.norm = norm
        self.d_head = self.n // n_head
        self.wide = -(-least // self.d_head) * self.d_head  # whole heads

    def zeros(self, *shape: int) -> Array:
        return np.zeros(shape, self.dtype)

    def write(self, w: Array) -> Array:  # [..., n_embd] -> [..., wide]
        """The columns that write lane x write its mirror image beside it, both scaled."""
        out = self.zeros(*w.shape[:-1], self.wide)
        out[..., 0 : 2 * self.n : 2] = w * self.norm.scale
        out[..., 1 : 2 * self.n : 2] = -w * self.norm.scale
        return out

    def read(self, w: Array) -> Array:  # [n_embd, n_out] -> [wide, n_out]
        """The rows that read a lane read half the difference of it and its mirror image."""
        out = self.zeros(self.wide, w.shape[1])
        out[0 : 2 * self.n : 2], out[1 : 2 * self.n : 2] = w / 2, -w / 2
        return out

    def gain(self, size: float) -> dict[str, Array]:
        """A norm of this gain on the lanes and their mirror images, and 0 on the padding."""
        g = self.zeros(self.wide)
        g[: 2 * self.n] = size
        return {"g": g, "b": self.zeros(self.wide)}

    def block(self, block: Weights, n_inner: int) -> Weights:
        """A whole block: each part that is missing is added and does nothing."""
        first = self.gain(self.norm.epsilon**0.5 / self.norm.scale)
        return {
            "ln_1": first,
            "attn": self._attention(block.get("attn")),
            "ln_2": first,
            "mlp": self._mlp(block.get("mlp"), n_inner),
        }

    def _attention(self, attn: Weights | None) -> Weights:
        n = self.n
        wide = self.wide
        w = self.zeros(wide, 3, wide)  # query, key and value
        b = self.zeros(3, wide)
        proj_w = self.zeros(wide, wide)
        proj_b = self.zeros(wide)
        if attn is not None:  # its heads come first; those added are all zero
            w[:, :, :n] = self.read(attn["c_attn"]["w"]).reshape(wide, 3, n)
            b[:, :n] = attn["c_attn"]["b"].reshape(3, n)
            proj_w[:n] = self.write(attn["c_proj"]["w"])
            proj_b = self.write(attn["c_proj"]["b"])
        return {
            "c_attn": {"w": w.reshape(wide, 3 * wide), "b": b.reshape(-1)},
            "c_proj": {"w": proj_w, "b": proj_b},
        }

    def _mlp(self, mlp: Weights | None, n_inner: int) -> Weights:
        fc_w = self.zeros(self.wide, n_inner)
        fc_b = self.zeros(n_inner)
        proj_w = self.zeros(n_inner, self.wide)
        proj_b = self.zeros(self.wide)
        if mlp is not None:
            own = mlp["c_fc"]["b"].size
            fc_w[:, :own] = self.read(mlp["c_fc"]["w"])
            fc_b[:own] = mlp["c_fc"]["b"]
            proj_w[:own] = self.write(mlp["c_proj"]["w"])
            proj_b = self.write(mlp["c_proj"]["b"])
        return {
            "c_fc": {"w": fc_w, "b": fc_b},
            "c_proj": {"w": proj_w, "b": proj_b},
        }
