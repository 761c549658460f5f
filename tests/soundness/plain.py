"""What a model says, from its weights alone: a forward pass written apart, in every order of
summation that is asked.

    last(model, ids)            the logits after a context [n_vocab], summed from left to right
    answers(model, ids)         the tokens that come first in some order; None among them where
                                a number is no number
    lane(model, ids, column)    what a lane of the stream holds in the end

Rules of this file: NumPy and the weights; nothing of the forward pass that is judged, nothing
of the prover.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ORDERS = ("forward", "backward", "pairs")


def summed(terms: Array, order: str) -> Array:  # [n, k, m] -> [n, m]
    """The sum over k, one addition after the other."""
    if order == "pairs":
        while terms.shape[1] > 1:
            odd = terms[:, -1:] if terms.shape[1] % 2 else terms[:, :0]
            terms = np.concatenate(
                [terms[:, :-1:2] + terms[:, 1::2], odd], axis=1
            )
        return terms[:, 0]
    return np.add.accumulate(
        terms[:, ::-1] if order == "backward" else terms, axis=1
    )[:, -1]


def affine(
    x: Array, w: Array, b: Array, order: str
) -> Array:  # [n, k], [k, m], [m] -> [n, m]
    """X W + b."""
    return summed(x[:, :, None] * w, order) + b


def softmax_rows(
    scores: Array, order: str, *, causal: bool
) -> Array:  # [n, n] -> [n, n]
    """Each row over the positions it sees."""
    seen = (
        np.tri(len(scores), dtype=bool)
        if causal
        else np.ones_like(scores, dtype=bool)
    )
    scores = np.where(seen, scores, -np.inf).astype(scores.dtype)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / summed(powers[:, :, None], order)


def attention(
    x: Array, part: Any, n_head: int, order: str, *, causal: bool
) -> Array:  # [n, n_embd] -> the same
    """All heads, each by itself."""
    qkv = affine(x, part["c_attn"]["w"], part["c_attn"]["b"], order)
    n, d = x.shape[1], x.shape[1] // n_head
    z = np.empty_like(x)
    for h in range(n_head):
        q, k, v = (
            qkv[:, i * n + h * d : i * n + (h + 1) * d] for i in range(3)
        )
        rows = [
            summed((q[i] * k)[:, :, None], order)[:, 0] for i in range(len(x))
        ]
        scores = np.stack(rows) / x.dtype.type(math.sqrt(d))
        weights = softmax_rows(scores, order, causal=causal)  # [n, n]
        z[:, h * d : (h + 1) * d] = summed(weights[:, :, None] * v, order)
    return affine(z, part["c_proj"]["w"], part["c_proj"]["b"], order)


def activated(x: Array, kind: str) -> Array:
    """Relu, or GPT-2's gelu."""
    if kind == "relu":
        return np.maximum(x, 0)
    t = x.dtype.type
    return (
        t(0.5)
        * x
        * (
            t(1)
            + np.tanh(t(math.sqrt(2 / math.pi)) * (x + t(0.044715) * x * x * x))
        )
    )


def stream(
    model: Any, ids: Any, order: str = "forward"
) -> Array:  # [n_seq] -> [n_seq, n_embd]
    """The residual stream in the end."""
    weights, ids = model.weights, np.asarray(ids)
    with np.errstate(all="ignore"):
        x = weights["wte"][ids] + weights["wpe"][: len(ids)]
        for block in weights["blocks"]:
            if "attn" in block:
                x = x + attention(
                    x, block["attn"], model.n_head, order, causal=model.causal
                )
            if "mlp" in block:
                part = block["mlp"]
                inner = activated(
                    affine(x, part["c_fc"]["w"], part["c_fc"]["b"], order),
                    model.activation,
                )
                x = x + affine(
                    inner, part["c_proj"]["w"], part["c_proj"]["b"], order
                )
    return x


def every(
    model: Any, ids: Any, order: str = "forward"
) -> Array:  # [n_seq] -> [n_seq, n_vocab]
    """The logits after every position."""
    x = stream(model, ids, order)
    with np.errstate(all="ignore"):
        return summed(x[:, :, None] * model.weights["wte"].T, order)


def last(
    model: Any, ids: Any, order: str = "forward"
) -> Array:  # [n_seq] -> [n_vocab]
    """The logits after a context."""
    return every(model, ids, order)[-1]


def first_of(logits: Array) -> int | None:  # [n_vocab]
    """The token that is ahead of every other; None where two are equal or one is no number."""
    if not np.isfinite(logits).all():
        return None
    best = int(logits.argmax())
    return best if (np.delete(logits, best) < logits[best]).all() else None


def answers(model: Any, ids: Any) -> set[int | None]:
    """What comes first, in each order of summation."""
    return {first_of(last(model, ids, order)) for order in ORDERS}


def lane(model: Any, ids: Any, column: int, order: str = "forward") -> float:
    """What a lane holds in the end."""
    return float(stream(model, ids, order)[-1, column])
