"""Upper bounds on every number of a forward pass, over all contexts, to rule out overflow.

    stream_bounds(weights)            the greatest size of each lane [n_embd], before each block
                                      and at the end
    overflow(weights, 2, "gelu")      "a score of head 0.h1", or None if no number can
                                      overflow

A lane is bounded by its largest sum of a token's and a position's embedding. A matrix product is
bounded by the sum of the sizes of its terms, which also bounds every partial sum in any order.
Attention returns a weighted mean of values; a layer norm has a bounded result.

The cube inside gelu may overflow without harm: it has the sign of x, so tanh of it is 1 or -1,
and 0.5 * x * (1 + tanh) is x or 0, as it should be. An activation thus returns at most |x|.

Rules of this file: it reads weights only. Rows and columns that nothing reads are bounded too,
because infinity times 0 is NaN and spreads. Bounds are float64, rounded up; they include the
rounding of the model itself, (1 + u)^k <= e^(k u), and underflow. A bound beyond float64 is
infinite.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Literal, NamedTuple

import numpy as np

from handcraft.core.gpt2 import (
    EPSILON,
    Activation,
    Array,
    Weights,
    unembedding,
)

_OWN = 1 + 2.0**-40  # exceeds the float64 rounding of the bounds themselves
# roundings of an attention weight: exp within 8u, the difference before it, the division after it
_EXP = 16.0


class _Named(NamedTuple):
    """The greatest sizes of several numbers, and a name for them, with {i} for the index.

    of_stream   the place where the stream is read, if they are its lanes: before a block,
                between its attention and its neurons, or at the end
    """

    what: str
    size: Array
    of_stream: Literal["before", "between", "end"] | None = None


# yields intermediate sizes, returns the result's
_Found = Generator[_Named, None, Array]


def stream_bounds(weights: Weights) -> list[Array]:
    """The greatest size of each lane [n_embd]: before each block, then after the last norm."""
    return [
        size for _, size, place in sizes(weights) if place in ("before", "end")
    ]


def overflow(
    weights: Weights,
    n_head: int,
    activation: Activation = "gelu",
    epsilon: float = EPSILON,
) -> str | None:
    """The first number that could overflow the weights' dtype, in words; None if none can."""
    limit = largest(weights)
    if _norms(weights) and not epsilon >= np.finfo(weights["wte"].dtype).tiny:
        return "the division of a layer norm, whose epsilon is 0"
    for name, size, _ in sizes(weights, n_head, activation, epsilon):
        if not size.max(initial=0.0) < limit:
            first = int((~(size < limit)).argmax())
            return name.replace("{i}", str(first))
    return None


def largest(weights: Weights) -> float:
    """The size that no number may reach: the largest number of the dtype less a safety margin."""
    exponent = np.finfo(weights["wte"].dtype).maxexp - 10
    return float(2.0 ** min(exponent, 998))


def sizes(
    weights: Weights,
    n_head: int = 1,
    activation: Activation = "gelu",
    epsilon: float = EPSILON,
) -> Iterator[_Named]:
    """The greatest size of every number of a forward pass, in the order of computation."""
    # beyond float64 a bound becomes infinite, which is still a bound
    with np.errstate(all="ignore"):
        yield from _Pass(weights, n_head, activation, epsilon).numbers()


class _Pass:
    def __init__(
        self,
        weights: Weights,
        n_head: int,
        activation: Activation,
        epsilon: float,
    ) -> None:
        self.weights = weights
        self.n_head = n_head
        self.activation = activation
        self.epsilon = epsilon
        info = np.finfo(weights["wte"].dtype)
        self.u = float(info.eps) / 2
        self.tiny = float(info.tiny)
        self.n_ctx = len(weights["wpe"])

    def numbers(self) -> Iterator[_Named]:
        """The sizes of all numbers, block by block."""
        x = self.embedded()
        for i, block in enumerate(self.weights["blocks"]):
            yield _Named(f"lane {{i}} before block {i}", x, "before")
            if "attn" in block:
                normed = yield from self.normed(
                    x, block, "ln_1", f"ln_1 of block {i}"
                )
                added = yield from self.attention(normed, block["attn"], i)
                x = self.plus(x, added)
            yield _Named(
                f"lane {{i}} after the attention of block {i}", x, "between"
            )
            if "mlp" in block:
                normed = yield from self.normed(
                    x, block, "ln_2", f"ln_2 of block {i}"
                )
                added = yield from self.mlp(normed, block["mlp"], i)
                x = self.plus(x, added)
        x = yield from self.normed(x, self.weights, "ln_f", "ln_f")
        yield _Named("lane {i} in the end", x, "end")
        yield _Named(
            "the logit of token {i}",
            self.linear(x, unembedding(self.weights).T),
        )

    def embedded(self) -> Array:  # -> [n_embd]
        """The largest size of each lane of the embedding, over all tokens and positions."""
        wte = self.weights["wte"].astype(np.float64)
        wpe = self.weights["wpe"].astype(np.float64)
        highest = np.abs(wpe + wte.max(axis=0))  # [n_ctx, n_embd]
        lowest = np.abs(wpe + wte.min(axis=0))  # [n_ctx, n_embd]
        return self.up(np.maximum(highest, lowest).max(axis=0), 1)

    # [n_embd] -> [n_embd]
    def attention(self, x: Array, part: Weights, i: int) -> _Found:
        """Queries, keys, values and scores of every head, and what they add to the stream."""
        q, k, v = np.split(self.linear(x, **part["c_attn"]), 3)  # [n_embd] each
        for name, size in (("query", q), ("key", k), ("value", v)):
            yield _Named(
                f"{name} lane {{i}} of the attention in block {i}", size
            )
        products = (q * k).reshape(self.n_head, -1)  # [n_head, d_head]
        scores = self.up(
            _numbers(products).sum(axis=1), products.shape[1]
        )  # [n_head]
        yield _Named(f"a score of head {i}.h{{i}}", scores)
        # a mean of values, whose weights sum to 1 but for rounding
        read = self.up(v, 2 * self.n_ctx + _EXP)
        added = self.linear(read, **part["c_proj"])
        yield _Named(
            f"what the attention in block {i} adds to lane {{i}}", added
        )
        return added

    def mlp(
        self, x: Array, part: Weights, i: int
    ) -> _Found:  # [n_embd] -> [n_embd]
        """Neurons before and after the activation, and what they add to the stream."""
        before = self.linear(x, **part["c_fc"])  # [n_inner]
        yield _Named(f"neuron {{i}} in block {i}", before)
        added = self.linear(self.up(before, _EXP), **part["c_proj"])
        yield _Named(f"what the neurons in block {i} add to lane {{i}}", added)
        return added

    # [n_embd] -> [n_embd]
    def normed(self, x: Array, parent: Weights, key: str, name: str) -> _Found:
        """The numbers of a layer norm, if there is one, and its result.

        Before g and b the result is at most sqrt(n), and at most |x - mean| / sqrt(epsilon).
        """
        if parent.get(key) is None:
            return x
        n = len(x)
        total = self.up(x.sum(), n)
        apart = self.up(x + total / n, 2)
        yield _Named(f"the sum of all lanes for {name}", np.array([total]))
        squares = self.up((apart**2).sum(keepdims=True), n + 2)  # [1]
        yield _Named(f"the sum of squares for {name}", squares)
        root = np.sqrt(max(self.epsilon, self.tiny))
        # squares may underflow where they are less than that
        most = np.sqrt(n) + np.sqrt(2 * self.tiny) / root
        shares = self.up(np.minimum(_numbers(apart / root), most), n + 8)
        g = np.abs(parent[key]["g"].astype(np.float64))
        b = np.abs(parent[key]["b"].astype(np.float64))
        result = self.up(g * shares + b, 3)
        yield _Named(f"lane {{i}} after {name}", result)
        return result

    # [n_in], [n_in, n_out], [n_out] -> [n_out]
    def linear(self, x: Array, w: Array, b: Array | None = None) -> Array:
        """The sum of the sizes of all terms, bias included: bounds every partial sum."""
        bias = 0.0 if b is None else np.abs(b.astype(np.float64))
        sizes_of_w = np.abs(w.astype(np.float64))
        total = _numbers(x @ sizes_of_w + bias)
        return self.up(total, len(x) + 2)

    def plus(self, x: Array, y: Array) -> Array:  # [n], [n] -> [n]
        """The greatest size of a sum."""
        return self.up(x + y, 1)

    def up(self, size: Array, roundings: float) -> Array:  # [...] -> [...]
        """The size after so many roundings of the model, underflow included; 0 stays 0."""
        grown = size * np.exp(roundings * self.u) * _OWN + roundings * self.tiny
        return _numbers(np.where(size == 0, 0.0, grown))


def _numbers(size: Array) -> Array:  # [...] -> [...]
    """The sizes, with infinity for NaN: zero times infinity among the bounds."""
    return np.where(np.isnan(size), np.inf, size)


def _norms(weights: Weights) -> bool:
    return weights.get("ln_f") is not None or any(
        "ln_1" in b or "ln_2" in b for b in weights["blocks"]
    )
