"""Layer norms that do nothing: the same program as a GPT-2 that has them.

Stock GPT-2 normalises before every attention and MLP and before the unembedding: `g * (x -
mean) / sqrt(var + eps) + b`. Two things turn that into the identity.

The mean cancels. Every lane x gets a neighbour -x in every write to the stream (`wte`, `wpe`,
both `c_proj`), and every reader takes half the difference of the two. So the mean is 0 but for
rounding, and what it is, it is for both: (x - mean) - (-x - mean) = 2x. Only reading both makes
it so: a runtime that sums in an order of its own (torch has a running mean for each SIMD lane)
leaves a mean of the last bits of the largest lane, which would drown a small one.

The variance is nothing against eps: float32 has 24 bits, so var + eps is eps where var is less
than 2^-24 of the power of two below eps. The mean being 0, var is the mean square of the
stream. Either eps is huge (`MIRROR`: 2^80, its root 2^40 a power of two, so that dividing by it
and multiplying with the gain 2^40 loses no bit: var < 2^56, a stream below 2^28), or the stream
is tiny (`QUIET`: scaled by 2^-40; 1e-5 lies above 2^-17, so var < 2^-41, a stream below 2^19.5;
its root is no power of two, and each norm rounds a number once or twice). `Norm.limit` is that
number, and limits.py holds it. What is added to a row is whole heads that write nothing, so
`d_head` and with it every score stays what it was.

A single lane that takes minus the sum of all others is the thriftier way to a mean of 0, but it
rounds at the size of the largest lane, and the mean carries that into all of them; and it needs
as many columns, once `d_head` is kept.

Rules of this file: weights in, weights out, NumPy alone; the input is the bare dict that the
compiler writes. Source: the construction is ours; layer norm is Ba, Kiros, Hinton, 2016, in
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
    """How layer norm is made to do nothing: the epsilon it runs with, and what the stream is
    scaled by.
    """

    name: str
    epsilon: float
    scale: float

    @property
    def limit(self) -> float:
        """What the root of the mean square of the stream must be below, so that the variance
        vanishes beside epsilon.
        """
        if self is NONE:
            return math.inf
        below = 2.0 ** (
            math.frexp(self.epsilon)[1] - 1
        )  # the power of two below epsilon
        # and some room for rounding the variance
        return math.sqrt(below * 2.0**-24) / self.scale * (1 - 2.0**-8)


MIRROR = Norm("mirror", 2.0**80, 1.0)
QUIET = Norm("quiet", 1e-5, 2.0**-40)
NONE = Norm("none", 1e-5, 1.0)  # no layer norms: the bare dict


@dataclass(frozen=True)
class Stock:
    """Weights in the shape stock GPT-2 has: every block with attention, MLP and norms, one
    inner width.
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
        """The neurons of each block."""
        return (
            int(self.weights["blocks"][0]["mlp"]["c_fc"]["w"].shape[1])
            if self.weights["blocks"]
            else 4 * self.n_embd
        )


def has_norms(weights: Weights) -> bool:
    """Whether there is any layer norm in them."""
    return weights.get("ln_f") is not None or any(
        "ln_1" in block or "ln_2" in block for block in weights["blocks"]
    )


def with_norms(
    weights: Weights, n_head: int, norm: Norm, *, fourfold: bool = False, spare: int = 0
) -> Stock:
    """The bare weights as those of a stock GPT-2 whose layer norms do nothing.

    Every block gets attention, an MLP of the widest block's neurons (zeros where there were
    none) and its norms. `fourfold` makes that 4 * n_embd neurons, for runtimes that have it
    built in; `spare` asks for so many columns at the end of the stream that are 0 everywhere,
    their gains too. Raises WeightsError for weights that have layer norms already: those are a
    stock GPT-2, and no program.
    """
    if has_norms(weights):
        raise WeightsError(
            "the weights have layer norms already; only a program's own weights get"
            " norms that do nothing"
        )
    widest = max(
        [
            1,
            *(
                block["mlp"]["c_fc"]["b"].size
                for block in weights["blocks"]
                if "mlp" in block
            ),
        ]
    )
    least = max(2 * weights["wte"].shape[1] + spare, -(-widest // 4) if fourfold else 0)
    mirror = _Mirror(weights["wte"], n_head, norm, least)
    n_inner = 4 * mirror.wide if fourfold else widest
    return Stock(
        {
            "wte": mirror.write(weights["wte"]),
            "wpe": mirror.write(weights["wpe"]),
            "blocks": [mirror.block(block, n_inner) for block in weights["blocks"]],
            "ln_f": mirror.gain(
                norm.epsilon**0.5 / norm.scale**2 / 2
            ),  # the scale of the stream and of wte; wte reads both
        },
        mirror.wide // mirror.d_head,
        norm.epsilon,
    )


class _Mirror:
    """One program's arrays, moved to a stream in which lane i is column 2i, and minus it column
    2i + 1.
    """

    def __init__(self, wte: Array, n_head: int, norm: Norm, least: int) -> None:
        self.n, self.dtype, self.norm = wte.shape[1], wte.dtype, norm
        self.d_head = self.n // n_head
        self.wide = -(-least // self.d_head) * self.d_head  # whole heads

    def write(self, w: Array) -> Array:  # [..., n_embd] -> [..., wide]
        """What writes lane x writes its mirror image beside it, both scaled."""
        out = np.zeros((*w.shape[:-1], self.wide), self.dtype)
        out[..., 0 : 2 * self.n : 2], out[..., 1 : 2 * self.n : 2] = (
            w * self.norm.scale,
            -w * self.norm.scale,
        )
        return out

    def read(self, w: Array) -> Array:  # [n_embd, n_out] -> [wide, n_out]
        """What reads a lane reads half the difference of it and its mirror image."""
        out = np.zeros((self.wide, w.shape[1]), self.dtype)
        out[0 : 2 * self.n : 2], out[1 : 2 * self.n : 2] = w / 2, -w / 2
        return out

    def gain(self, size: float) -> dict[str, Array]:
        """A norm of this gain on the lanes and their mirror images, and 0 on the padding."""
        g = np.zeros(self.wide, self.dtype)
        g[: 2 * self.n] = size
        return {"g": g, "b": np.zeros(self.wide, self.dtype)}

    def block(self, block: Weights, n_inner: int) -> Weights:
        """A whole block: what is missing is there and does nothing."""
        first = self.gain(self.norm.epsilon**0.5 / self.norm.scale)
        return {
            "ln_1": first,
            "attn": self._attention(block.get("attn")),
            "ln_2": first,
            "mlp": self._mlp(block.get("mlp"), n_inner),
        }

    def _attention(self, attn: Weights | None) -> Weights:
        n, wide = self.n, self.wide
        w, b = (
            np.zeros((wide, 3, wide), self.dtype),
            np.zeros((3, wide), self.dtype),
        )  # query, key, value
        proj_w, proj_b = np.zeros((wide, wide), self.dtype), np.zeros(wide, self.dtype)
        if (
            attn is not None
        ):  # the program's heads are the first ones; those added have no weights at all
            w[:, :, :n] = self.read(attn["c_attn"]["w"]).reshape(wide, 3, n)
            b[:, :n] = attn["c_attn"]["b"].reshape(3, n)
            proj_w[:n], proj_b = (
                self.write(attn["c_proj"]["w"]),
                self.write(attn["c_proj"]["b"]),
            )
        return {
            "c_attn": {"w": w.reshape(wide, 3 * wide), "b": b.reshape(-1)},
            "c_proj": {"w": proj_w, "b": proj_b},
        }

    def _mlp(self, mlp: Weights | None, n_inner: int) -> Weights:
        fc_w, fc_b = (
            np.zeros((self.wide, n_inner), self.dtype),
            np.zeros(n_inner, self.dtype),
        )
        proj_w, proj_b = (
            np.zeros((n_inner, self.wide), self.dtype),
            np.zeros(self.wide, self.dtype),
        )
        if mlp is not None:
            own = mlp["c_fc"]["b"].size
            fc_w[:, :own], fc_b[:own] = self.read(mlp["c_fc"]["w"]), mlp["c_fc"]["b"]
            proj_w[:own], proj_b = (
                self.write(mlp["c_proj"]["w"]),
                self.write(mlp["c_proj"]["b"]),
            )
        return {"c_fc": {"w": fc_w, "b": fc_b}, "c_proj": {"w": proj_w, "b": proj_b}}
