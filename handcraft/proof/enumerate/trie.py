"""Computes the logits after every context of every length, with shared prefixes.

A causal model computes the keys and values of a prefix once for all its continuations, so in a
trie of contexts each one costs a single position. The trie is walked in chunks: a chunk is a
level of a complete subtree, n nodes in lexicographic order, n a power of n_vocab. The n_s nodes
of a level above belong to equal runs of them, so they are read by a reshape and a broadcast,
never a copy.

    q, k, v of a level  [lanes, n]     lane first, so that one lane of many contexts is contiguous
    scores              [n_levels, n]

Lanes whose query or key column is all zero, value lanes that are, and heads that write nothing
are skipped: they add exact zeros. That holds only for finite numbers, so where any number of the
pass could overflow (handcraft.core.bounds), nothing is shared and nothing skipped: each context
goes through the plain forward pass.

Rules of this file: weights only, never the language; tested against the plain forward pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.bounds import overflow
from handcraft.core.gpt2 import (
    ACTIVATIONS,
    EPSILON,
    Activation,
    Array,
    Weights,
    gpt2,
    layer_norm,
    recorder,
    unembedding,
)

# contexts at once: small enough to stay in the cache, large enough to hide Python
_CHUNK = 2**14
# multiplications of a product for which OpenBLAS uses the calling thread alone
_ALONE = 2**18

Level = list[
    list[tuple[Array, Array]]
]  # [layer][head] -> keys, values [lanes, n] of one position


@dataclass(frozen=True)
class Chunk:
    """The contexts of one length with the indices (ids as digits in base n_vocab) first to first +
    n - 1.
    """

    length: int
    first: int
    stream: Array  # [n, n_embd], the residual stream in the end
    logits: Array  # [n, n_vocab]

    def ids(self, n_vocab: int, last: int | None = None) -> Array:
        """The last tokens of each context (all by default): [n, last]."""
        count = self.length if last is None else min(last, self.length)
        index = self.first + np.arange(len(self.logits))
        columns = [
            index // n_vocab**power % n_vocab
            for power in range(count - 1, -1, -1)
        ]
        return np.stack(columns, axis=1)

    def context(self, row: int, n_vocab: int) -> list[int]:
        """The ids of one context."""
        index = self.first + row
        return [
            index // n_vocab**power % n_vocab
            for power in range(self.length - 1, -1, -1)
        ]


@dataclass(frozen=True)
class LiveHead:
    """The columns of one head that are not all zero: query, key [n_in, lanes], value, and its rows
    of c_proj.
    """

    q: tuple[Array, Array]
    k: tuple[Array, Array]
    v: tuple[Array, Array]
    out: Array
    scale: float


def enumerate_contexts(
    weights: Weights,
    max_length: int,
    *,
    n_head: int,
    activation: Activation = "gelu",
    causal: bool = True,
    epsilon: float = EPSILON,
    prefix: Sequence[int] = (),
    shared: bool = True,
) -> Iterator[Chunk]:
    """The logits after every context of length 1 to max_length, each exactly once, in chunks.

    With a prefix only the contexts that continue it; without `shared` by the plain pass,
    whatever the model.
    """
    too_large = overflow(weights, n_head, activation, epsilon)
    if shared and causal and too_large is None:
        trie = _Trie(weights, n_head, activation, epsilon)
        yield from trie.below(prefix, max_length)
    else:
        yield from _plain(
            weights,
            prefix,
            max_length,
            n_head=n_head,
            activation=activation,
            causal=causal,
            epsilon=epsilon,
        )


def _plain(
    weights: Weights, prefix: Sequence[int], max_length: int, **config: Any
) -> Iterator[Chunk]:
    """Each context by itself, some at a time: a prefix shares nothing with its continuations."""
    n_vocab = weights["wte"].shape[0]
    index = sum(
        token * n_vocab**power for power, token in enumerate(reversed(prefix))
    )
    for length in range(len(prefix) + 1, max_length + 1):
        below = n_vocab ** (length - len(prefix))  # contexts of this length
        most = max(1, _CHUNK // length)
        for first in range(index * below, (index + 1) * below, most):
            n = min(most, (index + 1) * below - first)
            ids = Chunk(length, first, np.empty((n, 0)), np.empty((n, 0))).ids(
                n_vocab
            )  # [n, length]
            seen: dict[str, Array] = {}
            kept = recorder(seen, "resid_final")
            logits = gpt2(ids, **weights, **config, hook=kept)
            yield Chunk(
                length, first, seen["resid_final"][:, -1], logits[:, -1]
            )


class _Trie:
    def __init__(
        self,
        weights: Weights,
        n_head: int,
        activation: Activation,
        epsilon: float,
    ) -> None:
        self.weights = weights
        self.epsilon = epsilon
        self.activation = activation
        self.n_vocab = weights["wte"].shape[0]
        self.heads = [live_heads(block, n_head) for block in weights["blocks"]]

    def below(self, prefix: Sequence[int], max_length: int) -> Iterator[Chunk]:
        """All continuations of one context, which is read token by token."""
        first = 0
        levels = list[Level]()
        for token in prefix:
            level, _ = self._position(
                1, levels
            )  # of every token that could stand here
            levels.append(_slice(level, token, self.n_vocab))
            first = first * self.n_vocab + token
        yield from self.walk(first, 1, levels, max_length)

    def walk(
        self, first: int, n: int, levels: list[Level], max_length: int
    ) -> Iterator[Chunk]:
        """All continuations of `n` contexts of length len(levels); `first` is the index of the
        first of them.
        """
        if n > 1 and n * self.n_vocab > _CHUNK:
            part = n // self.n_vocab
            for i in range(self.n_vocab):
                yield from self.walk(
                    first + i * part,
                    part,
                    [_slice(level, i, self.n_vocab) for level in levels],
                    max_length,
                )
            return
        level, stream = self._position(n, levels)
        yield Chunk(
            len(levels) + 1,
            first * self.n_vocab,
            stream,
            _times(stream, unembedding(self.weights).T),
        )
        if len(levels) + 1 < max_length:
            yield from self.walk(
                first * self.n_vocab,
                n * self.n_vocab,
                [*levels, level],
                max_length,
            )

    @np.errstate(
        all="ignore"
    )  # as in gpt2: what is not finite is judged by what comes out
    def _position(self, n: int, levels: list[Level]) -> tuple[Level, Array]:
        """One more position after each of n contexts: its keys and values, and the stream [n *
        n_vocab, n_embd].
        """
        weights = self.weights
        level = []
        x = np.tile(
            weights["wte"] + weights["wpe"][len(levels)], (n, 1)
        )  # [n * n_vocab, n_embd]
        for i, block in enumerate(weights["blocks"]):
            own: list[tuple[Array, Array]] = []
            if "attn" in block:
                normed = self._normed(x, block, "ln_1")
                x = x + self._attention(normed, i, levels, own)
            level.append(own)
            if "mlp" in block:
                normed = self._normed(x, block, "ln_2")
                inner = ACTIVATIONS[self.activation](
                    _linear(normed, **block["mlp"]["c_fc"])
                )  # [n, n_inner]
                x = x + _linear(inner, **block["mlp"]["c_proj"])
        return level, self._normed(x, weights, "ln_f")

    def _normed(self, x: Array, parent: Weights, key: str) -> Array:
        """The stream after a layer norm, itself where there is none."""
        norm = parent.get(key)
        return x if norm is None else layer_norm(x, **norm, eps=self.epsilon)

    def _attention(
        self,
        x: Array,
        layer: int,
        levels: list[Level],
        own: list[tuple[Array, Array]],
    ) -> Array:
        total = np.broadcast_to(
            self.weights["blocks"][layer]["attn"]["c_proj"]["b"], x.shape
        )  # [n, n_embd]
        for h, head in enumerate(self.heads[layer]):
            own.append((_columns(x, head.k), _columns(x, head.v)))
            keys_values = [*(level[layer][h] for level in levels), own[h]]
            total = total + _times(
                _mean_value(_columns(x, head.q), keys_values, head.scale).T,
                head.out,
            )  # [n, n_embd]
        return total


def _columns(
    x: Array, part: tuple[Array, Array]
) -> Array:  # [n, n_embd] -> [lanes, n]
    return np.ascontiguousarray(_linear(x, *part).T)


def _linear(
    x: Array, w: Array, b: Array
) -> Array:  # [n, n_in], [n_in, n_out], [n_out] -> [n, n_out]
    return _times(x, w) + b


def _times(
    x: Array, w: Array
) -> Array:  # [n, n_in], [n_in, n_out] -> [n, n_out]
    """The product x @ w in parts that are too small for OpenBLAS to wake its threads, which
    cost four times the work itself.
    """
    rows = max(1, _ALONE // max(1, w.size))
    parts = len(x) // rows
    y = np.empty((len(x), w.shape[1]), dtype=x.dtype)
    even = parts * rows  # the rest is a smaller part
    np.matmul(
        x[:even].reshape(parts, rows, len(w)),
        w,
        out=y[:even].reshape(parts, rows, w.shape[1]),
    )
    np.matmul(x[even:], w, out=y[even:])
    return y


def _mean_value(
    q: Array, keys_values: list[tuple[Array, Array]], scale: float
) -> Array:  # [lanes, n] -> [v lanes, n]
    n = q.shape[1]
    # [n_levels, n]
    scores = np.stack([_product(q, k, n) for k, _ in keys_values]) / scale
    scores -= scores.max(axis=0)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=0)
    z = np.zeros((keys_values[-1][1].shape[0], n), dtype=q.dtype)
    for weight, (_, v) in zip(scores, keys_values, strict=True):
        for i, value in enumerate(v):  # [n_s]
            z[i] += (
                weight.reshape(len(value), -1) * value[:, None]
            ).ravel()  # [n]
    return z


def _product(
    q: Array, k: Array, n: int
) -> Array:  # [lanes, n], [lanes, n_s] -> [n]
    total = np.zeros((k.shape[1], n // k.shape[1]), dtype=q.dtype)
    for asked, offered in zip(q, k, strict=True):
        if offered.any() and asked.any():
            total += asked.reshape(total.shape) * offered[:, None]
    return total.ravel()


def _slice(level: Level, part: int, parts: int) -> Level:
    """The ancestors of one of so many equal parts of the contexts; a single ancestor is shared
    by all.
    """

    def cut(
        array: Array,
    ) -> Array:  # [lanes, n_s] -> [lanes, n_s / parts], or the same
        size = array.shape[1] // parts
        return (
            array
            if array.shape[1] == 1
            else array[:, part * size : (part + 1) * size]
        )

    return [[(cut(k), cut(v)) for k, v in heads] for heads in level]


def live_heads(block: dict[str, Any], n_head: int) -> list[LiveHead]:
    """The heads of a block that write something, each with its live lanes only."""
    if "attn" not in block:
        return []
    c_attn = block["attn"]["c_attn"]
    rows = block["attn"]["c_proj"]["w"]
    d_head = rows.shape[0] // n_head
    heads = []
    for h in range(n_head):
        own = slice(h * d_head, (h + 1) * d_head)
        q, k, v = (
            (w[:, own], b[own])
            for w, b in zip(
                np.split(c_attn["w"], 3, axis=1),
                np.split(c_attn["b"], 3),
                strict=True,
            )
        )
        match = _live(*q) & _live(*k)
        value = _live(*v) & rows[own].any(axis=1)
        if value.any():
            heads.append(
                LiveHead(
                    _pick(q, match),
                    _pick(k, match),
                    _pick(v, value),
                    rows[own][value],
                    math.sqrt(d_head),
                )
            )
    return heads


def _live(
    w: Array, b: Array
) -> Array:  # [n_embd, d_head], [d_head] -> [d_head]
    return w.any(axis=0) | (b != 0)


def _pick(part: tuple[Array, Array], lanes: Array) -> tuple[Array, Array]:
    return part[0][:, lanes], part[1][lanes]
