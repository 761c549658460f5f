"""The parts of a model's weights that a proof must follow, and at which positions.

Only the last position predicts. An earlier position matters only through the keys and values
that later heads read there. Going back through the blocks:

    needed       lanes of the residual stream that keys and values at earlier positions depend
                 on, directly or through other heads and neurons
    forward      a head or neuron that writes a needed lane: it is followed at every position
    live         lanes that still matter at the last position: a later query, a neuron or the
                 unembedding reads them

All other heads matter at the last position only (`query_class`). Rules of this file: it looks at
weights only; a column of zeros is no lane.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from handcraft.core.bounds import overflow, stream_bounds
from handcraft.core.gpt2 import Activation, Array, Weights
from handcraft.core.weights import flatten
from handcraft.model import DTYPES, Model
from handcraft.proof.prover.zonotope import Precision, Zonotope


class Undecided(Exception):  # noqa: N818  # not an error: the next method is asked
    """The method cannot decide. The message says why; `context` holds the ids after which
    it was not sure.
    """

    def __init__(self, message: str, context: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.context = context


@dataclass(frozen=True, eq=False)
class HeadPart:
    """The weights of one head, without the lanes that are zero throughout."""

    layer: int
    number: int
    query: tuple[Array, Array]  # [n_embd, n_match], [n_match]
    key: tuple[Array, Array]
    value: tuple[Array, Array]  # [n_embd, n_value], [n_value]
    rows: Array  # which rows of c_proj the value lanes are
    out: Array  # [n_value, n_embd]
    scale: float  # sqrt(d_head)

    @property
    def name(self) -> tuple[int, int]:
        """The head's layer and number."""
        return self.layer, self.number


class Network:
    """A model's weights, and which of them matter where. Raises Undecided for a model that
    is not causal or that has layer norms.
    """

    def __init__(self, model: Model) -> None:
        weights = model.weights
        if not model.causal:
            raise Undecided("the model is not causal")
        if weights.get("ln_f") is not None or any(
            "ln_1" in b or "ln_2" in b for b in weights["blocks"]
        ):
            raise Undecided(
                "the model has layer norms, whose rounding is not bounded"
            )
        if weights.get("lm_head") is not None:
            raise Undecided("the unembedding is not wte, which is not bounded")
        self.weights: Weights = weights
        self.activation: Activation = model.activation
        if model.dtype not in DTYPES:
            raise Undecided(f"the rounding of {model.dtype} is not bounded")
        self.precision = Precision(model.dtype)
        self.blocks: list[dict[str, Any]] = weights["blocks"]
        self.wte = weights["wte"]
        self.wpe = weights["wpe"]
        self.n_vocab, self.n_embd = self.wte.shape
        self.n_ctx = len(self.wpe)
        self.heads = [
            _heads(block, i, model.n_head)
            for i, block in enumerate(self.blocks)
        ]
        if any(
            ((w != 0) & (np.abs(w) < self.precision.least)).any()
            for w in flatten(weights).values()
        ):
            raise Undecided(
                "a weight is below the least normal number, and may be flushed to zero"
            )
        if (
            large := overflow(weights, model.n_head, model.activation)
        ) is not None:
            raise Undecided(f"{large} could overflow")

    # ------------------------------------------------------------ how large anything can be

    @cached_property
    def bounds(self) -> list[Array]:
        """For the input of each block, and for the end, the greatest size of each lane [n_embd]."""
        return stream_bounds(self.weights)

    # ------------------------------------------------------------ where it matters

    @cached_property
    def needed(self) -> list[Array]:
        """For the input of each block, the lanes that earlier positions must know [n_embd] bool."""
        after = np.zeros(self.n_embd, dtype=bool)
        found = []
        for i in reversed(range(len(self.blocks))):
            middle = after | self._reads_of_neurons(i, after)
            lanes = middle.copy()
            for head in self.heads[i]:
                lanes |= head.key[0].any(axis=1) | head.value[0].any(axis=1)
                if head.out[:, middle].any():
                    lanes |= head.query[0].any(axis=1)
            found.append(lanes)
            after = lanes
        return [*found[::-1], np.zeros(self.n_embd, dtype=bool)]

    def _reads_of_neurons(self, i: int, lanes: Array) -> Array:
        if "mlp" not in self.blocks[i]:
            return np.zeros(self.n_embd, dtype=bool)
        part = self.blocks[i]["mlp"]
        reads: Array = part["c_fc"]["w"][
            :, part["c_proj"]["w"][:, lanes].any(axis=1)
        ].any(axis=1)
        return reads

    @cached_property
    def forward(self) -> list[list[HeadPart]]:
        """For each block, the heads that must be followed at every position."""
        found = []
        for i, heads in enumerate(self.heads):
            after = self.needed[i + 1]
            middle = after | self._reads_of_neurons(i, after)
            found.append([head for head in heads if head.out[:, middle].any()])
        return found

    @cached_property
    def query_class(self) -> list[list[HeadPart]]:
        """For each block, the heads that matter at the last position only."""
        return [
            [h for h in heads if h not in forward]
            for heads, forward in zip(self.heads, self.forward, strict=True)
        ]

    def live(self, asked: Sequence[int] = ()) -> list[Array]:
        """Return, after each block's attention and at the end, the lanes that the
        prediction, and what is asked for, still depends on.

        The last position's own key and value do not count: they are followed like those of
        any position.
        """
        lanes = self.wte.any(axis=0)
        lanes[list(asked)] = True
        found = [lanes]
        for i in reversed(range(len(self.blocks))):
            lanes = lanes | self._reads_of_neurons(i, lanes)
            found.append(lanes)
            for head in self.heads[i]:
                lanes = lanes | head.query[0].any(axis=1)
        return found[::-1]

    # ------------------------------------------------------------ its arithmetic

    def embed(
        self, tokens: Array, positions: Array
    ) -> Zonotope:  # [n], [n] -> [n, n_embd]
        """Return the residual stream before the first block. One addition has one result: the
        model's own.
        """
        total = self.wte[tokens] + self.wpe[positions]
        c = total.astype(np.float64)
        faint = (c != 0) & (np.abs(c) < self.precision.least)
        return Zonotope(c, np.where(faint, self.precision.least, 0.0))

    def after_attention(
        self,
        i: int,
        x: Zonotope,
        means: dict[tuple[int, int], Zonotope],
        *,
        shared: bool,
    ) -> Zonotope:  # [n, n_embd] -> same
        """Return the residual stream after a block's attention, given each head's mean
        value [n, n_value]; a head not given adds nothing.

        With `shared`, lanes that become uncertain through the same mean share a generator.
        """
        if "attn" not in self.blocks[i]:
            return x
        c_proj = self.blocks[i]["attn"]["c_proj"]
        n = len(x.c)
        width = c_proj["w"].shape[0]
        z = Zonotope(np.zeros((n, width)), np.zeros((n, width)))
        w = np.zeros_like(c_proj["w"])
        for head in self.heads[i]:
            if head.name in means:
                z.c[:, head.rows] = means[head.name].c
                z.r[:, head.rows] = means[head.name].r
                w[head.rows] = c_proj["w"][head.rows]
        return self.precision.add(
            x,
            self.precision.linear(
                z.with_generators(x.shared) if shared else z, w, c_proj["b"]
            ),
        )

    def after_mlp(
        self, i: int, x: Zonotope, lanes: Array | None = None
    ) -> Zonotope:  # [n, n_embd] -> the same
        """Return the residual stream after a block's MLP; with `lanes`, only the neurons
        that write one of them.
        """
        if "mlp" not in self.blocks[i]:
            return x
        part = self.blocks[i]["mlp"]
        kept = (
            np.ones(len(part["c_proj"]["w"]), dtype=bool)
            if lanes is None
            else part["c_proj"]["w"][:, lanes].any(axis=1)
        )
        c_fc = part["c_fc"]
        c_proj = part["c_proj"]
        # [n, n_kept]
        pre = self.precision.linear(x, c_fc["w"][:, kept], c_fc["b"][kept])
        post = self.precision.activation(pre, self.activation)
        return self.precision.add(
            x, self.precision.linear(post, c_proj["w"][kept], c_proj["b"])
        )

    def logits(self, x: Zonotope) -> Zonotope:  # [n, n_embd] -> [n, n_vocab]
        """Return the logits: the stream times the unembedding."""
        return self.precision.linear(x, self.wte.T, np.zeros(self.n_vocab))


def _heads(block: dict[str, Any], layer: int, n_head: int) -> list[HeadPart]:
    if "attn" not in block:
        return []
    c_attn = block["attn"]["c_attn"]
    c_proj = block["attn"]["c_proj"]["w"]
    d_head = c_proj.shape[0] // n_head
    found = []
    for h in range(n_head):
        own = np.arange(h * d_head, (h + 1) * d_head)
        q, k, v = (
            (w[:, own], b[own])
            for w, b in zip(
                np.split(c_attn["w"], 3, axis=1),
                np.split(c_attn["b"], 3),
                strict=True,
            )
        )
        match = _filled(*q) & _filled(*k)
        value = _filled(*v) & c_proj[own].any(axis=1)
        if value.any():
            rows = own[value]
            parts = (
                (q[0][:, match], q[1][match]),
                (k[0][:, match], k[1][match]),
                (v[0][:, value], v[1][value]),
            )
            found.append(
                HeadPart(
                    layer, h, *parts, rows, c_proj[rows], math.sqrt(d_head)
                )
            )
    return found


def _filled(w: Array, b: Array) -> Array:  # [n_embd, n], [n] -> [n]
    return w.any(axis=0) | (b != 0)
