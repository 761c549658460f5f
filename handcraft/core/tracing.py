"""Gives every number of one forward pass the name that its author gave it.

A `Trace` has, for each head, the query, key, scores, attention weights, value and output by
lane; the residual stream after each sublayer; the logits; and the contribution of each rule to
each logit of one position. The contributions are exact, because the stream is a sum in which
each added row of `c_proj`, `wte` and `wpe` belongs to a rule.

Rules of this file: it only names what `gpt2.trace` computed; lanes without a name (padding,
unused) are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, Weights, mask_future, unembedding
from handcraft.core.provenance import Entry
from handcraft.core.vocabulary import Vocabulary

_ByLane = dict[str, float]  # lane -> value


@dataclass(frozen=True)
class HeadTrace:
    """The numbers of one head on one context, one entry a position in each list.

    Scores and weights are [n_query][n_key]; `written` is its output to the stream.
    """

    name: str
    query: list[_ByLane]
    key: list[_ByLane]
    scores: list[
        list[float | None]
    ]  # None where the key lies in the query's future
    weights: list[list[float]]
    value: list[_ByLane]
    written: list[_ByLane]
    tokens: Sequence[str] = ()  # of the context, for who draws it

    def to_json(self) -> dict[str, Any]:
        """The numbers as plain data."""
        return {k: x for k, x in vars(self).items() if k != "tokens"}


@dataclass(frozen=True)
class Trace:
    """The numbers of one forward pass, with names.

    residual       {"after": sublayer, "positions": [{lane: value}, ...]}
    contributions  {"rule": path, "logits": {token: value}}, at `position`
    arrays         every intermediate as gpt2.trace gives it
    """

    tokens: list[str]
    heads: list[HeadTrace]
    residual: list[dict[str, Any]]
    logits: list[_ByLane]
    contributions: list[dict[str, Any]]
    arrays: dict[str, Array]
    position: int = -1

    def to_json(self) -> dict[str, Any]:
        """The trace as plain data."""
        return {
            "tokens": self.tokens,
            "heads": [head.to_json() for head in self.heads],
            "residual": self.residual,
            "logits": self.logits,
            "contributions": self.contributions,
        }

    def __str__(self) -> str:
        """The attention tables and the logits of the position, in plain text."""
        logits = self.logits[self.position]
        last = "  ".join(
            f"{token!r} {value:.6g}" for token, value in logits.items()
        )
        tables = [attention_table(head, self.tokens) for head in self.heads]
        return "\n\n".join([*tables, f"logits: {last}"])


def attention_table(
    head: HeadTrace, tokens: Sequence[str], most: int = 16
) -> str:
    """The attention weights of a head as plain text: a row a query, a column a key.

    At most the last `most` positions.
    """
    first = max(0, len(tokens) - most)
    names = [f"{i}:{token!r}" for i, token in enumerate(tokens)][first:]
    rows = [
        [_weight(x, max(row)) for x in row[first:]]
        for row in head.weights[first:]
    ]
    width = max(6, *map(len, chain(names, *rows))) + 1
    lines = [
        f"head {head.name}: attention from each row to each column",
        " " * width + "".join(f"{n:>{width}}" for n in names),
    ]
    for name, row in zip(names, rows, strict=True):
        cells = [f"{cell:>{width}}" for cell in row]
        lines.append(f"{name:>{width}}" + "".join(cells))
    return "\n".join(lines)


def _weight(value: float, size: float) -> str:
    if is_tiny(value, size):
        return NEAR_ZERO
    return "." if value == 0 else f"{value:.3g}"


TINY = 1e-12  # a number of this size or more is always shown
RESOLVED = 2.0**-25  # of a number's size: float32 adds nothing smaller to it
NEAR_ZERO = "~0"


def is_tiny(value: float, size: float) -> bool:
    """True for a number that is not 0, and is lost beside another of this size in float32."""
    return 0 < abs(value) < min(TINY, RESOLVED * size)


@dataclass(frozen=True)
class Names:
    """The names of a model's columns, '' for an unused one.

    stream  of the residual stream
    heads   [layer][head] -> (names of query and key columns, names of value columns)
    """

    stream: Sequence[str]
    heads: Sequence[Sequence[tuple[Sequence[str], Sequence[str]]]]


def plain_names(weights: Weights, n_head: int) -> Names:
    """The names x0, x1, ... for the columns of weights without a program."""
    n_embd = weights["wte"].shape[1]
    columns = [f"x{i}" for i in range(n_embd // n_head)]
    heads = [
        [(columns, columns)] * n_head if "attn" in block else []
        for block in weights["blocks"]
    ]
    return Names([f"x{i}" for i in range(n_embd)], heads)


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
    """The trace of one context [n_seq], with the rules' contributions at a position."""
    layers = range(len(weights["blocks"]))
    tokens = [vocabulary.tokens[i] for i in ids]
    heads = [
        _head(arrays, weights, layer, h, names, causal, tokens)
        for layer in layers
        for h in range(len(names.heads[layer]))
    ]
    return Trace(
        tokens=tokens,
        heads=heads,
        residual=[
            {"after": after, "positions": _named(arrays[key], names.stream)}
            for after, key in _sublayers(weights)
        ],
        logits=_named(arrays["logits"], vocabulary.tokens),
        contributions=_contributions(
            arrays,
            ids,
            weights,
            vocabulary,
            entries,
            position,
        ),
        arrays=arrays,
        position=position,
    )


# [n_seq, n] -> one {name: value} a position
def _named(rows: Array, names: Sequence[str]) -> list[_ByLane]:
    return [
        {
            name: float(value)
            for name, value in zip(names, row, strict=True)
            if name
        }
        for row in rows
    ]


def _head(
    arrays: dict[str, Array],
    weights: Weights,
    layer: int,
    h: int,
    names: Names,
    causal: bool,
    tokens: Sequence[str],
) -> HeadTrace:
    at = f"blocks.{layer}.attn"
    match, value = names.heads[layer][h]
    d_head = len(match)
    c_proj = weights["blocks"][layer]["attn"]["c_proj"]["w"]  # [n_embd, n_embd]
    rows = c_proj[h * d_head : (h + 1) * d_head]  # [d_head, n_embd]
    pattern = arrays[f"{at}.pattern"][h]  # [n_query, n_key]
    scores = arrays[f"{at}.scores"][h]
    scores = mask_future(scores) if causal else scores
    written = _named(arrays[f"{at}.z"][h] @ rows, names.stream)
    return HeadTrace(
        name=f"{layer}.h{h}",
        query=_named(arrays[f"{at}.q"][h], match),
        key=_named(arrays[f"{at}.k"][h], match),
        scores=[[_score(x) for x in row] for row in scores],
        weights=[[float(x) for x in row] for row in pattern],
        value=_named(arrays[f"{at}.v"][h], value),
        written=[{lane: x for lane, x in row.items() if x} for row in written],
        tokens=tokens,
    )


def _score(value: float) -> float | None:
    return None if np.isneginf(value) else float(value)


def _sublayers(weights: Weights) -> list[tuple[str, str]]:
    """The embedding and every sublayer, each with the name of the stream's array after it."""
    found = [("embedding", "blocks.0.resid_pre")] if weights["blocks"] else []
    for i, block in enumerate(weights["blocks"]):
        if "attn" in block:
            found.append((f"{i}.attention", f"blocks.{i}.resid_mid"))
        if "mlp" in block:
            found.append((f"{i}.mlp", f"blocks.{i}.resid_post"))
    return found


def _contributions(
    arrays: dict[str, Array],
    ids: Sequence[int],
    weights: Weights,
    vocabulary: Vocabulary,
    entries: Iterable[Entry],
    position: int,
) -> list[dict[str, Any]]:
    """For each rule that wrote to the stream at a position, its part of each logit there."""
    written = written_by_rule(arrays, ids, weights, entries, position)
    found = []
    for rule, row in written.items():
        logits = (row @ unembedding(weights).T)[None]  # [1, n_vocab]
        found.append(
            {"rule": rule, "logits": _named(logits, vocabulary.tokens)[0]}
        )
    return found


def written_by_rule(
    arrays: dict[str, Array],
    ids: Sequence[int],
    weights: Weights,
    entries: Iterable[Entry],
    position: int,
) -> dict[str, Array]:  # -> [n_embd] each
    """The sum of what each rule added to the stream at a position; rules that added nothing are
    left out.
    """
    activity = _activity(arrays, ids, weights, position)
    dtype = weights["wte"].dtype
    n_embd = weights["wte"].shape[1]
    written: dict[str, Array] = {}
    for entry in entries:
        factor = activity.get(entry.matrix, {}).get(entry.row, 0.0)
        if factor:
            row = written.setdefault(entry.reason.rule, np.zeros(n_embd))
            row[entry.column] += factor * float(dtype.type(entry.value))
    return written


def _activity(
    arrays: dict[str, Array],
    ids: Sequence[int],
    weights: Weights,
    at: int,
) -> dict[str, dict[int, float]]:
    """{matrix: {row: factor}}: the factor by which each row was added to the stream there."""
    rows: dict[str, dict[int, float]] = {
        "wte": {ids[at]: 1.0},
        "wpe": {at: 1.0},
    }
    for i, block in enumerate(weights["blocks"]):
        if "attn" in block:
            z = arrays[f"blocks.{i}.attn.z"][:, at].ravel()  # [n_embd]
            rows[f"blocks.{i}.attn.c_proj.w"] = dict(enumerate(map(float, z)))
            rows[f"blocks.{i}.attn.c_proj.b"] = {0: 1.0}
        if "mlp" in block:
            post = arrays[f"blocks.{i}.mlp.post"][at]  # [n_inner]
            rows[f"blocks.{i}.mlp.c_proj.w"] = dict(enumerate(map(float, post)))
            rows[f"blocks.{i}.mlp.c_proj.b"] = {0: 1.0}
    return rows
