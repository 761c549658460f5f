"""How large any number of a forward pass can become, whatever the context: nothing may overflow
unseen.

    stream_bounds(weights)            of each lane, before each block and in the end   [n_embd] each
    overflow(weights, 2, "gelu")      "a score of head 1 in block 0", or None where no number
                                      can overflow

A lane is at most the largest sum of a token's and a position's number; what reads it is at most
the sum of the sizes, so every partial sum is too, in whatever order; attention takes a mean of
values; a layer norm bounds what follows it.

Rules of this file: weights only. What nothing reads is bounded like everything else, since
infinity times zero is no number and spoils what is right. Bounds are float64 and rounded up:
the model's own rounding (1 + u)^k <= e^(k u) and what underflows are in them, and what is past
float64 itself is infinite.

One number may overflow and nothing is lost: the cube inside gelu. It has the sign of x, so x +
infinity is infinite, tanh of that is 1 or -1, and 0.5 * x * (1 + tanh) is x or 0, as it should
be. So an activation returns at most |x|.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Literal, NamedTuple

import numpy as np

from handcraft.core.gpt2 import EPSILON, Activation, Array, Weights

_OWN = 1 + 2.0**-40  # rounds up past the float64 rounding of the bounds themselves
_EXP = 16.0  # roundings of a share: exp within 8u, the difference before it, the division after it


class _Named(NamedTuple):
    """The greatest sizes of some numbers, and what they are, with {i} for which.

    of_stream   where the stream is read, if they are its lanes: before a block, between its
                attention and its neurons, or in the end
    """

    what: str
    size: Array
    of_stream: Literal["before", "between", "end"] | None = None


_Found = Generator[_Named, None, Array]  # the sizes on the way, and those of the result


def stream_bounds(weights: Weights) -> list[Array]:
    """The greatest size of each lane [n_embd], before each block and, after all norms, in the
    end.
    """
    return [size for _, size, place in sizes(weights) if place in ("before", "end")]


def overflow(
    weights: Weights,
    n_head: int,
    activation: Activation = "gelu",
    epsilon: float = EPSILON,
) -> str | None:
    """The first number that could overflow the weights' dtype, in plain words; None where
    nothing can.
    """
    limit = largest(weights)
    if _norms(weights) and not epsilon >= np.finfo(weights["wte"].dtype).tiny:
        return "the division of a layer norm, whose epsilon is 0"
    for name, size, _ in sizes(weights, n_head, activation, epsilon):
        if not size.max(initial=0.0) < limit:
            return name.replace("{i}", str(int((~(size < limit)).argmax())))
    return None


def largest(weights: Weights) -> float:
    """The size that no number may reach: some powers of two below where the dtype ends, as a
    margin of safety.
    """
    return float(2.0 ** min(np.finfo(weights["wte"].dtype).maxexp - 10, 998))


def sizes(
    weights: Weights,
    n_head: int = 1,
    activation: Activation = "gelu",
    epsilon: float = EPSILON,
) -> Iterator[_Named]:
    """The greatest size of every number of a forward pass, in the order in which they are
    computed.
    """
    with np.errstate(
        all="ignore"
    ):  # past float64 a bound is infinite, which is a bound
        yield from _Pass(weights, n_head, activation, epsilon).numbers()


class _Pass:
    def __init__(
        self, weights: Weights, n_head: int, activation: Activation, epsilon: float
    ) -> None:
        self.weights, self.n_head, self.activation, self.epsilon = (
            weights,
            n_head,
            activation,
            epsilon,
        )
        info = np.finfo(weights["wte"].dtype)
        self.u, self.tiny, self.n_ctx = (
            float(info.eps) / 2,
            float(info.tiny),
            len(weights["wpe"]),
        )

    def numbers(self) -> Iterator[_Named]:
        """Everything, block by block."""
        x = self.embedded()
        for i, block in enumerate(self.weights["blocks"]):
            yield _Named(f"lane {{i}} before block {i}", x, "before")
            if "attn" in block:
                normed = yield from self.normed(x, block, "ln_1", f"ln_1 of block {i}")
                added = yield from self.attention(normed, block["attn"], i)
                x = self.plus(x, added)
            yield _Named(f"lane {{i}} after the attention of block {i}", x, "between")
            if "mlp" in block:
                normed = yield from self.normed(x, block, "ln_2", f"ln_2 of block {i}")
                added = yield from self.mlp(normed, block["mlp"], i)
                x = self.plus(x, added)
        x = yield from self.normed(x, self.weights, "ln_f", "ln_f")
        yield _Named("lane {i} in the end", x, "end")
        yield _Named("the logit of token {i}", self.linear(x, self.weights["wte"].T))

    def embedded(self) -> Array:  # -> [n_embd]
        """Of each lane the largest sum of a token's and a position's number."""
        wte, wpe = (self.weights[key].astype(np.float64) for key in ("wte", "wpe"))
        ends = (
            np.abs(wpe + wte.max(axis=0)),
            np.abs(wpe + wte.min(axis=0)),
        )  # [n_ctx, n_embd] each
        return self.up(np.maximum(*ends).max(axis=0), 1)

    def attention(
        self, x: Array, part: Weights, i: int
    ) -> _Found:  # [n_embd] -> [n_embd]
        """Queries, keys, values and scores of every head, and what they add to the stream."""
        q, k, v = np.split(self.linear(x, **part["c_attn"]), 3)  # [n_embd] each
        for name, size in (("query", q), ("key", k), ("value", v)):
            yield _Named(f"{name} lane {{i}} of the attention in block {i}", size)
        products = (q * k).reshape(self.n_head, -1)  # [n_head, d_head]
        yield _Named(
            f"a score of head {{i}} in block {i}",
            self.up(_numbers(products).sum(axis=1), products.shape[1]),
        )
        read = self.up(
            v, 2 * self.n_ctx + _EXP
        )  # a mean of values, whose shares sum up to 1 but for rounding
        added = self.linear(read, **part["c_proj"])
        yield _Named(f"what the attention in block {i} adds to lane {{i}}", added)
        return added

    def mlp(self, x: Array, part: Weights, i: int) -> _Found:  # [n_embd] -> [n_embd]
        """Neurons before and after the activation, and what they add to the stream."""
        before = self.linear(x, **part["c_fc"])  # [n_inner]
        yield _Named(f"neuron {{i}} in block {i}", before)
        added = self.linear(self.up(before, _EXP), **part["c_proj"])
        yield _Named(f"what the neurons in block {i} add to lane {{i}}", added)
        return added

    def normed(
        self, x: Array, parent: Weights, key: str, name: str
    ) -> _Found:  # [n_embd] -> [n_embd]
        """What a layer norm computes, and its result: at most sqrt(n), and at most what epsilon
        alone leaves.
        """
        if parent.get(key) is None:
            return x
        n = len(x)
        total = self.up(x.sum(), n)
        apart = self.up(x + total / n, 2)
        yield _Named(f"the sum of all lanes for {name}", np.array([total]))
        yield _Named(
            f"the sum of squares for {name}",
            self.up((apart**2).sum(keepdims=True), n + 2),
        )
        root = np.sqrt(max(self.epsilon, self.tiny))
        # squares may underflow where they are less than that
        most = np.sqrt(n) + np.sqrt(2 * self.tiny) / root
        shares = self.up(np.minimum(_numbers(apart / root), most), n + 8)
        g, b = (np.abs(parent[key][part].astype(np.float64)) for part in ("g", "b"))
        result = self.up(g * shares + b, 3)
        yield _Named(f"lane {{i}} after {name}", result)
        return result

    def linear(
        self, x: Array, w: Array, b: Array | None = None
    ) -> Array:  # [n_in], [n_in, n_out], [n_out] -> [n_out]
        """The sum of all sizes, which bounds every partial sum in every order, the bias
        included.
        """
        own = 0.0 if b is None else np.abs(b.astype(np.float64))
        return self.up(_numbers(x @ np.abs(w.astype(np.float64)) + own), len(x) + 2)

    def plus(self, x: Array, y: Array) -> Array:  # [n], [n] -> [n]
        """The size of a sum."""
        return self.up(x + y, 1)

    def up(self, size: Array, roundings: float) -> Array:  # [...] -> [...]
        """A size with so many roundings of the model on top, and whatever underflows; an exact
        zero stays one.
        """
        grown = size * np.exp(roundings * self.u) * _OWN + roundings * self.tiny
        return _numbers(np.where(size == 0, 0.0, grown))


def _numbers(size: Array) -> Array:  # [...] -> [...]
    """What is no number is infinite: zero times infinity among the bounds."""
    return np.where(np.isnan(size), np.inf, size)


def _norms(weights: Weights) -> bool:
    return weights.get("ln_f") is not None or any(
        "ln_1" in b or "ln_2" in b for b in weights["blocks"]
    )
