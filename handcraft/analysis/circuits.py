"""Returns the two circuits of a head as matrices: QK decides where it attends, OV what it moves.

    QK  W_Q W_K^T / sqrt(d_head)   [n_embd + 1, n_embd + 1]   the score of two stream vectors
    OV  W_V W_O                    [n_embd + 1, n_embd]       what a vector that gets all the
                                                              attention adds to the stream

The extra row and column, called 1, carry the biases: the vector is extended by a constant 1.

Rules of this file: weights in, matrices out; explain.py gives them names.
Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.
"""

from __future__ import annotations

import math

import numpy as np

from handcraft.core.gpt2 import Array, Weights


def qk_circuit(
    weights: Weights, layer: int, head: int, n_head: int
) -> Array:  # -> [n_embd + 1, n_embd + 1]
    """The score matrix of a head: the query side in the rows, the key side in the columns."""
    q, k, _ = _parts(weights, layer, head, n_head)  # [n_embd + 1, d_head] each
    return q @ k.T / math.sqrt(q.shape[1])


def ov_circuit(
    weights: Weights, layer: int, head: int, n_head: int
) -> Array:  # -> [n_embd + 1, n_embd]
    """The matrix from a vector that gets all the attention to what the head adds to the stream for
    it, without the output bias.
    """
    _, _, v = _parts(weights, layer, head, n_head)  # [n_embd + 1, d_head]
    d_head = v.shape[1]
    w_o = weights["blocks"][layer]["attn"]["c_proj"]["w"]
    rows: Array = w_o[head * d_head : (head + 1) * d_head]  # [d_head, n_embd]
    return v @ rows


def _parts(
    weights: Weights, layer: int, head: int, n_head: int
) -> tuple[Array, Array, Array]:
    c_attn = weights["blocks"][layer]["attn"]["c_attn"]
    extended = np.vstack([c_attn["w"], c_attn["b"]])  # [n_embd + 1, 3 n_embd]
    d_head = extended.shape[1] // 3 // n_head
    own = slice(head * d_head, (head + 1) * d_head)
    q, k, v = (part[:, own] for part in np.split(extended, 3, axis=1))
    return q, k, v
