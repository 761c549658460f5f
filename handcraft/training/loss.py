"""Computes the loss: the mean number of nats for what is asked, and the share that is right.

The same few lines are differentiated by JAX in float32 while a model is trained, and computed by
NumPy in float64 when two models are compared. Rules of this file: only functions that NumPy and
JAX share.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from handcraft.core.gpt2 import Array, Hook, Weights, gpt2, namespace
from handcraft.training.examples import Batch, Examples, Follows

_TOGETHER = 2**14  # positions in one pass


class Sums(NamedTuple):
    """Sums over what is asked: of nats, of what is right, and of the weights of both."""

    nats: Any
    right: Any
    asked: Any

    @property
    def loss(self) -> Any:
        """The mean number of nats."""
        return self.nats / self.asked

    @property
    def accuracy(self) -> Any:
        """The share of what is asked whose likeliest token is right."""
        return self.right / self.asked


# [..., n_vocab], [...] or [..., n_vocab] -> [...]
def nats(logits: Array, targets: Array, kind: Follows) -> Array:
    """How surprising what follows is, position by position."""
    xp = namespace(logits)
    if kind == "token":
        own = xp.take_along_axis(logits, targets[..., None], axis=-1)
        return log_sum(logits) - own[..., 0]
    if kind == "any":
        inside = xp.where(targets, logits, -math.inf)
        return log_sum(logits) - log_sum(inside)
    return log_sum(logits) - xp.sum(targets * logits, axis=-1)


def log_sum(x: Array) -> Array:  # [..., n] -> [...]
    """The logarithm of the sum of the exponentials."""
    xp = namespace(x)
    most = xp.max(x, axis=-1, keepdims=True)
    return xp.log(xp.sum(xp.exp(x - most), axis=-1)) + most[..., 0]


# [..., n_vocab], [...] or [..., n_vocab] -> [...] bool
def is_right(logits: Array, targets: Array, kind: Follows) -> Array:
    """True where the likeliest token is right; for chances, where it is the likeliest of them."""
    xp = namespace(logits)
    said = xp.argmax(logits, axis=-1)
    if kind == "token":
        return said == targets
    own = xp.take_along_axis(targets, said[..., None], axis=-1)[..., 0]
    return own == xp.max(targets, axis=-1)


def sums(weights: Weights, batch: Batch, kind: Follows, **config: Any) -> Sums:
    """The sums over one batch; `config` is that of `gpt2`."""
    config = (
        {"hook": unseen(batch["lengths"])} | config
        if "lengths" in batch
        else config
    )
    logits = gpt2(batch["tokens"], **weights, **config)  # [n, n_seq, n_vocab]
    xp = namespace(logits)
    each = nats(logits, batch["targets"], kind)  # [n, n_seq]
    right = is_right(logits, batch["targets"], kind)
    if "weight" not in batch:
        return Sums(xp.sum(each), xp.sum(right), math.prod(each.shape))
    share = xp.asarray(batch["weight"], dtype=each.dtype)
    return Sums(xp.sum(each * share), xp.sum(right * share), xp.sum(share))


def unseen(lengths: Array) -> Hook:  # [n]
    """A hook that hides what fills up a row from every position, where a model sees the whole
    text. A causal one never sees it from where it matters.
    """

    def hook(name: str, value: Array) -> Array:
        if not name.endswith("attn.scores"):
            return value
        xp = namespace(value)
        there = xp.arange(value.shape[-1]) < lengths[:, None]  # [n, n_key]
        return xp.where(there[:, None, None, :], value, -math.inf)

    return hook


def loss_of(
    weights: Weights,
    examples: Examples,
    rows: Array | None = None,
    **config: Any,
) -> Sums:
    """The sums over all rows, or some, in NumPy and in the weights' own dtype."""
    chosen = np.arange(examples.size) if rows is None else rows
    many = max(1, _TOGETHER // examples.n_seq)
    found = Sums(0.0, 0.0, 0.0)
    for i in range(0, len(chosen), many):
        batch = examples.batch(examples.arrays, chosen[i : i + many])
        part = sums(weights, batch, examples.kind, **config)
        found = Sums(
            *(float(a) + float(b) for a, b in zip(found, part, strict=True))
        )
    return found
