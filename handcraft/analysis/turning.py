"""Turns the residual stream of a model: it computes the same, and no column is a lane any more.

    rotation(random, n)      an orthogonal matrix, drawn
    turned_model(model, q)   the model whose stream is x q where the other's is x

Whatever is added to the stream is multiplied by q, whatever reads it by the transpose: `wte` and
`wpe`, `c_attn`, both `c_proj` with their biases, `c_fc`. The unembedding is `wte`, so it reads what
was turned. A model with layer norms has no such twin: a norm knows columns.

An ordinary random rotation spoils such a model in float32. A head that counts has a value of
exactly 0 at the first token, where nearly all of its weight lies, and multiplies what it finds by
2^30: an error of 10^-8 becomes a wrong count. So the entries are short binary fractions, whose
products float32 adds without an error, and what is exactly 0 stays exactly 0. The matrix is a
product of layers; each takes the columns by fours, in an order that is drawn, and turns each four
by half a Hadamard matrix with drawn signs. From 4 columns on, none of them need stay as it was.

Rules of this file: weights in, weights out; computed in float64, kept in the dtype of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log
from random import Random
from typing import Any

import numpy as np

from handcraft.core.errors import WeightsError
from handcraft.core.gpt2 import Array, Weights
from handcraft.model import Model

LEAST_TURNED = 4  # columns; fewer have no such matrix but a reordering
_MIXED = 0.75  # no entry is greater: no lane stands on one column
_DRAWS = 1000
_FOUR = (
    np.array(
        [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]],
        dtype=float,
    )
    / 2
)  # [4, 4]


def rotation(random: Random, n: int) -> Array:
    """An orthogonal matrix of n columns, whose entries are short binary fractions, none of them
    greater than 0.75. Raises WeightsError for fewer than 4 columns, of which there is none.
    """
    if n < LEAST_TURNED:
        raise WeightsError(
            f"a stream of at least {LEAST_TURNED} columns can be turned exactly,"
            f" found {n}"
        )
    layers = ceil(log(n, 4)) + 1
    for _ in range(_DRAWS):
        found = np.eye(n)  # [n_embd, n_embd]
        for _ in range(layers):
            found = found @ _layer(random, n)
        if np.abs(found).max() <= _MIXED:
            return found
    raise WeightsError(f"no matrix of {n} columns was drawn that mixes them")


def _layer(random: Random, n: int) -> Array:  # [n_embd, n_embd]
    """Columns by fours, in a drawn order; those that are left over stay."""
    found = np.eye(n)  # [n_embd, n_embd]
    order = random.sample(range(n), n)
    for i in range(0, n - 3, 4):
        four = order[i : i + 4]
        signs = np.array([random.choice((-1.0, 1.0)) for _ in four])  # [4]
        found[np.ix_(four, four)] = _FOUR * signs
    return found


def turned_model(model: Model, q: Array, name: str | None = None) -> Model:
    """The model whose stream is turned by an orthogonal matrix [n_embd, n_embd]: no rules are its
    rules any more. Raises WeightsError for a model with layer norms.
    """
    weights = model.weights
    blocks = weights["blocks"]
    norms = [key for b in blocks for key in b if key.startswith("ln_")]
    if norms or "ln_f" in weights:
        raise WeightsError(
            f"{model.name} has layer norms, which know columns; its stream cannot be"
            " turned"
        )
    turn = _Turn(q, model.dtype)
    found = {
        "wte": turn.written(weights["wte"]),  # [n_vocab, n_embd]
        "wpe": turn.written(weights["wpe"]),  # [n_ctx, n_embd]
        "blocks": [_block(turn, block) for block in blocks],
    }
    return model.replace(
        name=name or model.name, weights=found, program=None, about=""
    )


class _Turn:
    """Multiplies what is written by q and what is read by its transpose."""

    def __init__(self, q: Array, dtype: str) -> None:
        self.q, self.dtype = np.asarray(q, "float64"), dtype

    def written(self, x: Array) -> Array:  # [..., n_embd] -> [..., n_embd]
        return (x.astype("float64") @ self.q).astype(self.dtype)

    def read(self, w: Array) -> Array:  # [n_embd, n] -> [n_embd, n]
        return (self.q.T @ w.astype("float64")).astype(self.dtype)


_READING = {"attn": "c_attn", "mlp": "c_fc"}


def _block(turn: _Turn, block: Mapping[str, Any]) -> Weights:
    found: Weights = {}
    for part, layers in block.items():
        first, last = layers[_READING[part]], layers["c_proj"]
        found[part] = {
            _READING[part]: {"w": turn.read(first["w"]), "b": first["b"]},
            "c_proj": {
                "w": turn.written(last["w"]),
                "b": turn.written(last["b"]),
            },
        }
    return found
