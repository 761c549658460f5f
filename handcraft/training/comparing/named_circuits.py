"""Gives the circuits of a head names: tokens and positions instead of the columns of a stream.

Every vector that a head reads begins as a token plus a position, so both circuits can be asked
what they do with these. A score is the sum over what the query is made of (its token, its
position, the bias) and what the key is made of; what a head adds to the logits is the sum over
what it reads.

    qk  [source, source]  query in the rows, key in the columns
    ov  [source, token]   what the head adds to each logit where it looks at the source alone

Softmax does not see what all keys share, nor what all logits share: from each row the middle of
its tokens is taken, and the middle of its positions, so that numbers of two models mean the same.

Rules of this file: this is the path from the embedding to the head and from the head to the
logits. In a later layer a head also reads what earlier ones wrote, which is not in here. Layer
norms count with their gains, biases and the mean scale that they had on the contexts.

Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.analysis.circuits import ov_circuit, qk_circuit
from handcraft.core.errors import printable
from handcraft.core.gpt2 import Array, unembedding
from handcraft.training.comparing.patterns import HeadName, HeadsSeen
from handcraft.training.comparing.sides import Side, rounded_lists

MOST_SOURCES = (
    2**10
)  # tokens and positions; beyond, a head's tables are too large
MOST_TABLED = 48  # of them are listed as a table; beyond, the strongest entries
STRONGEST = 32
BIAS_NAME = "bias"


@dataclass(frozen=True)
class NamedCircuits:
    """The circuits of one head.

    sources  names of the rows: tokens in quotes, positions as @0, the bias; the columns of qk
             are the same without the bias
    tokens   names of the columns of ov
    """

    sources: tuple[str, ...]
    tokens: tuple[str, ...]
    qk: Array
    ov: Array

    def strongest(self, name: str, most: int) -> list[tuple[str, str, float]]:
        """The entries of qk or ov that are furthest from 0: row, column, value."""
        table = self.qk if name == "qk" else self.ov
        columns = self.sources if name == "qk" else self.tokens
        order = np.argsort(-np.abs(table), axis=None, kind="stable")[:most]
        found = []
        for i, j in zip(*np.unravel_index(order, table.shape), strict=True):
            if table[i, j]:
                entry = self.sources[i], columns[j], float(table[i, j])
                found.append(entry)
        return found

    def to_json(self) -> dict[str, Any]:
        """Both circuits as tables, or their strongest entries where the tables are large."""
        small = len(self.sources) <= MOST_TABLED
        return {"qk": self._json("qk", small), "ov": self._json("ov", small)}

    def _json(self, name: str, small: bool) -> dict[str, Any]:
        rows = [
            {"from": row, "to": column, "value": value}
            for row, column, value in self.strongest(name, STRONGEST)
        ]
        if not small:
            return {"strongest": rows}
        qk = name == "qk"
        return {
            "rows": list(self.sources),
            "columns": list(self.sources[:-1] if qk else self.tokens),
            "values": rounded_lists(self.qk if qk else self.ov),
            "strongest": rows,
        }


def named_circuits(
    side: Side, seen: HeadsSeen, window: int
) -> dict[HeadName, NamedCircuits] | None:
    """The circuits of each head of a model; None where there are too many names."""
    tokens = side.model.vocabulary.tokens
    if len(tokens) + window > MOST_SOURCES:
        return None
    return {head: _of_head(side, seen, window, head) for head in seen.patterns}


def _of_head(
    side: Side, seen: HeadsSeen, window: int, head: HeadName
) -> NamedCircuits:
    weights, n_head = side.weights, side.model.n_head
    own = side.model.vocabulary.tokens
    quoted = tuple(f"'{printable(own[i])}'" for i in side.order)
    n = len(quoted)
    names = (*quoted, *(f"@{i}" for i in range(window)), BIAS_NAME)
    rows = _sources(side, seen, window, head[0])  # [n_source, n_embd + 1]
    scores = rows @ qk_circuit(weights, *head, n_head) @ rows[:-1].T
    added = rows @ ov_circuit(weights, *head, n_head)  # [n_source, n_embd]
    logits = _unembedded(side, seen, added)  # [n_source, n_vocab]
    qk = np.hstack([_centred(scores[:, :n]), _centred(scores[:, n:])])
    return NamedCircuits(names, quoted, qk, _centred(logits))


def _sources(side: Side, seen: HeadsSeen, window: int, layer: int) -> Array:
    """What a head may find in the stream, [n_vocab + window + 1, n_embd + 1], through the layer
    norm.
    """
    weights = side.weights
    rows = np.vstack([weights["wte"][side.order], weights["wpe"][:window]])
    bias = np.zeros((1, rows.shape[1]))
    norm = weights["blocks"][layer].get("ln_1")
    if norm is not None:
        scale = seen.scales[f"blocks.{layer}.resid_pre"]
        rows, bias = _normed(rows, norm["g"], scale), norm["b"][None]
    constant = np.r_[np.zeros(len(rows)), 1.0][:, None]
    return np.hstack([np.vstack([rows, bias]), constant])


def _unembedded(side: Side, seen: HeadsSeen, added: Array) -> Array:
    """What is added to the stream, as it is added to the logits."""
    weights = side.weights
    norm = weights.get("ln_f")
    if norm is not None:
        last = len(weights["blocks"]) - 1
        scale = seen.scales[f"blocks.{last}.resid_post"]
        added = _normed(added, norm["g"], scale)
    return np.asarray(added @ unembedding(weights)[side.order].T)


# [n, n_embd] -> [n, n_embd]
def _normed(rows: Array, gain: Array, scale: float) -> Array:
    """A layer norm with this scale in place of each vector's own, and without its bias."""
    return (rows - rows.mean(axis=1, keepdims=True)) * scale * gain


def _centred(table: Array) -> Array:  # [n, m] -> [n, m]
    """The table with the middle number of each row taken from it."""
    return table - np.median(table, axis=1, keepdims=True)
