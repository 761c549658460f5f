"""Watches the heads of a model on texts: scores, attention, and how much they write.

Rules of this file: computed in float64 from the same weights; a head is a pair (layer, head).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from handcraft.analysis.reading.texts import ReadTexts
from handcraft.core.gpt2 import Array, Hook, Weights, convert, gpt2
from handcraft.model import Model

HeadPlace = tuple[int, int]  # layer, head


@dataclass(frozen=True, eq=False)
class Watched:
    """What one head did. `size` is how long the vector is that a key position gives.

    scores, pattern  [n, n_seq, n_seq] of queries and keys
    size             [n, n_seq]
    """

    scores: Array
    pattern: Array
    size: Array


def exact_weights(model: Model) -> Weights:
    """The weights in float64."""
    return convert(model.weights, lambda x: np.asarray(x, dtype="float64"))


def logits_of(
    model: Model, weights: Weights, texts: ReadTexts, hook: Hook
) -> Array:  # -> [n, n_seq, n_vocab]
    """The logits of texts, with what a hook changes."""
    return gpt2(texts.tokens, **weights, **model.config, hook=hook)


def watched_layers(
    model: Model, weights: Weights, texts: ReadTexts
) -> Iterator[tuple[HeadPlace, Watched]]:
    """What each head does, and where it is, in the order of computation."""
    kept: dict[str, Array] = {}
    names = ("attn.scores", "attn.pattern", "attn.v")

    def hook(name: str, value: Array) -> Array:
        if name.endswith(names):
            kept[name] = value
        return value

    logits_of(model, weights, texts, hook)
    for i, block in enumerate(weights["blocks"]):
        if "attn" not in block:
            continue
        rows = np.split(block["attn"]["c_proj"]["w"], model.n_head)
        for h, w in enumerate(rows):  # [d_head, n_embd]
            v, *both = (
                kept[f"blocks.{i}.{name}"][:, h] for name in names[::-1]
            )
            size = np.linalg.norm(v @ w, axis=-1)  # [n, n_seq]
            yield (i, h), Watched(both[1], both[0], size)


def seen_keys(model: Model, texts: ReadTexts) -> Array:  # -> [n, n_seq, n_seq]
    """True where a query sees a key, both inside their text."""
    inside = texts.inside
    both = inside[:, :, None] & inside[:, None, :]
    return np.tril(both) if model.causal else both
