"""Models of a few numbers, written by hand, which answer each position with a unless y is below 0.

    by_hand(k, x, block, ...)      the model of these blocks
    head(query, key, value, out)   a block of one head
    at_the_edge(k, x, block)       the model with a bias that makes y 0 in a float run

Lanes: 1 at each position of the text, 1 at the first token, k and x by position (first that of the
first token), y, and z for more. Behind an `a` y is more by 1, so it is a `b` that is answered
wrongly where what is added to y is not above 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from handcraft import tag
from handcraft.core.gpt2 import Activation, Array, gpt2, recorder
from handcraft.model import Model
from handcraft.sequence.words import lookup, tokens

ONE, FIRST, K, X, Y, Z = range(6)
D = 8  # lanes; two heads, the second of which does nothing
ASKS = {
    (ONE, 0): 2.0
}  # a query of 2, by the root of 4: a score is what the key holds
Cells = Mapping[tuple[int, int], float]  # {(row, column): weight}


@cache
def _always_a(n: int, causal: bool, activation: Activation) -> Model:
    e = lookup({"a": "a", "b": "a"}, tokens)
    return tag(
        e, tokens="ab", n=n, causal=causal, activation=activation
    ).build()


def head(
    query: Cells, key: Cells, value: Cells, out: Cells, bias: float = 0.0
) -> dict[str, Any]:
    """A block of one head; the bias is added to y."""
    parts = [_matrix(cells, D) for cells in (query, key, value)]
    added = np.zeros(D, dtype=np.float32)
    added[Y] = bias
    return {
        "attn": {
            "c_attn": {
                "w": np.concatenate(parts, axis=1),
                "b": np.zeros(3 * D, dtype=np.float32),
            },
            "c_proj": {"w": _matrix(out, D), "b": added},
        }
    }


def _matrix(cells: Cells, columns: int) -> Array:
    w = np.zeros((D, columns), dtype=np.float32)
    for place, number in cells.items():
        w[place] = number
    return w


def by_hand(
    k: Sequence[float],
    x: Sequence[float],
    *blocks: dict[str, Any],
    causal: bool = True,
    activation: Activation = "relu",
) -> Model:
    """The model of these blocks, with k and x at the first token and at the others."""
    model = _always_a(len(x) - 1, causal, activation)
    ids = model.vocabulary.ids
    wte = np.zeros((len(ids), D), dtype=np.float32)
    wte[ids["a"], Y] = 1
    wpe = np.zeros((len(x), D), dtype=np.float32)
    wpe[1:, ONE] = wpe[0, FIRST] = 1
    wpe[:, K], wpe[:, X] = k, x
    weights = {"wte": wte, "wpe": wpe, "blocks": list(blocks)}
    return replace(model, weights=weights, n_head=2)


def at_the_edge(
    k: Sequence[float], x: Sequence[float], block: dict[str, Any], **how: Any
) -> Model:
    """The model of one head with a bias that makes y 0 at the last position in a float run; it is
    above 0 without rounding where the run rounded down.
    """
    model = by_hand(k, x, block, **how)
    ids, seen = model.vocabulary.ids, dict[str, Array]()
    text = np.array([ids["^"], *[ids["b"]] * (len(x) - 1)])
    gpt2(text, **model.weights, **model.config, hook=recorder(seen))
    block["attn"]["c_proj"]["b"][Y] -= seen["blocks.0.attn_out"][-1, Y]
    return by_hand(k, x, block, **how)
