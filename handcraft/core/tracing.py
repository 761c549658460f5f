"""A trace: one forward pass with every number under the name its author gave it.

For each head the query, key, scores, attention weights, value and what it wrote; the residual
stream after each sublayer; the logits; and what each rule contributed to each logit of one
position, mostly the last. That table is exact bookkeeping, since the stream is a sum: every row
of `c_proj`, `wte` and `wpe` that was added belongs to a rule.

Rules of this file: it only names what `gpt2.trace` computed; lanes without a name (padding,
unused) are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, Weights, mask_future
from handcraft.core.provenance import Entry
from handcraft.core.vocabulary import Vocabulary

_ByLane = dict[str, float]  # lane -> value


@dataclass(frozen=True)
class HeadTrace:
    """One head on one context: each list has one entry a position; scores and weights are
    [n_query][n_key].
    """

    name: str
    query: list[_ByLane]
    key: list[_ByLane]
    scores: list[list[float | None]]  # None where the key lies in the query's future
    weights: list[list[float]]
    value: list[_ByLane]
    written: list[_ByLane]


@dataclass(frozen=True)
class Trace:
    """One context through a model, with names."""

    tokens: list[str]
    heads: list[HeadTrace]
    residual: list[
        dict[str, Any]
    ]  # {"after": sublayer, "positions": [{lane: value}, ...]}
    logits: list[_ByLane]
    contributions: list[
        dict[str, Any]
    ]  # {"rule": path, "logits": {token: value}}, at one position
    arrays: dict[
        str, Array
    ]  # every intermediate under its own name, as gpt2.trace gives it
    position: int = -1  # of the contributions

    def to_json(self) -> dict[str, Any]:
        """The trace as plain data."""
        heads = [head.__dict__ for head in self.heads]
        keys = ("tokens", "residual", "logits", "contributions")
        return {"tokens": self.tokens, "heads": heads} | {
            key: getattr(self, key) for key in keys[1:]
        }

    def __str__(self) -> str:
        """The attention tables and the logits of the position, in plain text."""
        last = "  ".join(
            f"{token!r} {value:.6g}"
            for token, value in self.logits[self.position].items()
        )
        return "\n\n".join(
            [
                *(attention_table(head, self.tokens) for head in self.heads),
                f"logits: {last}",
            ]
        )


def attention_table(head: HeadTrace, tokens: Sequence[str], most: int = 16) -> str:
    """The attention weights of a head as plain text: a row a query, a column a key; only the
    last positions if many.
    """
    first = max(0, len(tokens) - most)
    names = [f"{i}:{token!r}" for i, token in enumerate(tokens)][first:]
    width = max(6, *map(len, names)) + 1
    lines = [
        f"head {head.name}: attention from each row to each column",
        " " * width + "".join(f"{n:>{width}}" for n in names),
    ]
    for name, row in zip(names, head.weights[first:], strict=True):
        lines.append(
            f"{name:>{width}}"
            + "".join(f"{_weight(value):>{width}}" for value in row[first:])
        )
    return "\n".join(lines)


def _weight(value: float) -> str:
    return "." if value == 0 else f"{value:.3g}"


@dataclass(frozen=True)
class Names:
    """The names of the columns of a model: of the stream, and of each head's match and value
    columns ('' if unused).
    """

    stream: Sequence[str]
    heads: Sequence[
        Sequence[tuple[Sequence[str], Sequence[str]]]
    ]  # [layer][head] -> (match, value)


@np.errstate(all="ignore")  # a trace may show what is not finite
def name_trace(
    arrays: dict[str, Array],
    ids: Sequence[int],
    weights: Weights,
    vocabulary: Vocabulary,
    names: Names,
    entries: Iterable[Entry],
    causal: bool,
    position: int,
) -> Trace:
    """The intermediates of one context [n_seq] with their names, and what the rules gave at a
    position.
    """
    layers = range(len(weights["blocks"]))
    heads = [
        _head(arrays, weights, layer, h, names, causal)
        for layer in layers
        for h in range(len(names.heads[layer]))
    ]
    return Trace(
        tokens=[vocabulary.tokens[i] for i in ids],
        heads=heads,
        residual=[
            _residual(after, arrays[key], names.stream)
            for after, key in _sublayers(weights)
        ],
        logits=_named(arrays["logits"], vocabulary.tokens),
        contributions=_contributions(
            arrays, ids, weights, vocabulary, entries, position
        ),
        arrays=arrays,
        position=position,
    )


def _named(
    rows: Array, names: Sequence[str]
) -> list[_ByLane]:  # [n_seq, n] -> one {name: value} a position
    return [
        {name: float(value) for name, value in zip(names, row, strict=True) if name}
        for row in rows
    ]


def _head(
    arrays: dict[str, Array],
    weights: Weights,
    layer: int,
    h: int,
    names: Names,
    causal: bool,
) -> HeadTrace:
    at = f"blocks.{layer}.attn"
    match, value = names.heads[layer][h]
    d_head = len(match)
    rows = weights["blocks"][layer]["attn"]["c_proj"]["w"][
        h * d_head : (h + 1) * d_head
    ]  # [d_head, n_embd]
    pattern = arrays[f"{at}.pattern"][h]  # [n_query, n_key]
    scores = arrays[f"{at}.scores"][h]
    scores = mask_future(scores) if causal else scores
    return HeadTrace(
        name=f"{layer}.h{h}",
        query=_named(arrays[f"{at}.q"][h], match),
        key=_named(arrays[f"{at}.k"][h], match),
        scores=[[None if np.isneginf(x) else float(x) for x in row] for row in scores],
        weights=[[float(x) for x in row] for row in pattern],
        value=_named(arrays[f"{at}.v"][h], value),
        written=[
            {k: v for k, v in row.items() if v}
            for row in _named(arrays[f"{at}.z"][h] @ rows, names.stream)
        ],
    )


def _sublayers(weights: Weights) -> list[tuple[str, str]]:
    """What is shown of the stream: the embedding, then the stream after every sublayer, with
    its array's name.
    """
    found = [("embedding", "blocks.0.resid_pre")] if weights["blocks"] else []
    for i, block in enumerate(weights["blocks"]):
        found += (
            [(f"{i}.attention", f"blocks.{i}.resid_mid")] if "attn" in block else []
        )
        found += [(f"{i}.mlp", f"blocks.{i}.resid_post")] if "mlp" in block else []
    return found


def _residual(after: str, rows: Array, names: Sequence[str]) -> dict[str, Any]:
    return {"after": after, "positions": _named(rows, names)}


def _contributions(
    arrays: dict[str, Array],
    ids: Sequence[int],
    weights: Weights,
    vocabulary: Vocabulary,
    entries: Iterable[Entry],
    position: int,
) -> list[dict[str, Any]]:
    """For each rule that wrote to the stream at a position: its part of each logit there."""
    activity = _activity(arrays, ids, weights, position)
    dtype, n_embd = weights["wte"].dtype, weights["wte"].shape[1]
    written: dict[str, Array] = {}
    for entry in entries:
        factor = activity.get(entry.matrix, {}).get(entry.row, 0.0)
        if factor:
            row = written.setdefault(entry.reason.rule, np.zeros(n_embd))
            row[entry.column] += factor * float(dtype.type(entry.value))
    return [
        {
            "rule": rule,
            "logits": _named((row @ weights["wte"].T)[None], vocabulary.tokens)[0],
        }
        for rule, row in written.items()
    ]


def _activity(
    arrays: dict[str, Array], ids: Sequence[int], weights: Weights, at: int
) -> dict[str, dict[int, float]]:
    """For each matrix that writes into the stream: by how much each of its rows was added at a
    position.
    """
    rows: dict[str, dict[int, float]] = {"wte": {ids[at]: 1.0}, "wpe": {at: 1.0}}
    for i, block in enumerate(weights["blocks"]):
        if "attn" in block:
            z = arrays[f"blocks.{i}.attn.z"][
                :, at
            ].ravel()  # [n_head, d_head] -> [n_embd]
            rows[f"blocks.{i}.attn.c_proj.w"] = dict(enumerate(map(float, z)))
            rows[f"blocks.{i}.attn.c_proj.b"] = {0: 1.0}
        if "mlp" in block:
            post = arrays[f"blocks.{i}.mlp.post"][at]  # [n_inner]
            rows[f"blocks.{i}.mlp.c_proj.w"] = dict(enumerate(map(float, post)))
            rows[f"blocks.{i}.mlp.c_proj.b"] = {0: 1.0}
    return rows
