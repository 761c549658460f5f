"""Computes the mean attention pattern of each head over the same contexts, and matches heads by it.

pattern   [n_query, n_key], the mean over all texts that have the query; NaN where none has
distance  of two heads: the mean over the queries of half the sum of differences, 0 where both
          attend alike, 1 where they never look at the same position
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.training.comparing.assignment import assignment
from handcraft.training.comparing.contexts import AskedContexts
from handcraft.training.comparing.sides import Side, batches

HeadName = tuple[int, int]  # layer, head


@dataclass
class HeadsSeen:
    """What is measured of a model's heads while it reads the contexts.

    patterns  [n_query, n_key] of each head
    scales    of each layer norm before a head, and of the last one: the mean of 1 over the
              standard deviation that it divides by
    """

    patterns: dict[HeadName, Array]
    scales: dict[str, float]


@dataclass
class _Sums:
    patterns: dict[HeadName, Array] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    queries: Any = 0  # [n_query]
    count: int = 0


def seen_by(side: Side, contexts: AskedContexts) -> HeadsSeen:
    """The mean attention patterns of a model, and the scales of its layer norms."""
    sums = _Sums()
    for part in batches(contexts.size, contexts.n_seq):
        some = contexts.rows(part)
        there = np.arange(some.n_seq) < some.real[:, None]  # [n, n_seq]
        hook = _Hook(sums, there, side)
        side.logits(some.tokens, some.lengths, hook)
        sums.queries = sums.queries + there.sum(axis=0)
        sums.count += int(there.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        patterns = {
            head: total / sums.queries[:, None]
            for head, total in sums.patterns.items()
        }
    scales = {name: s / sums.count for name, s in sums.scales.items()}
    return HeadsSeen(patterns, scales)


class _Hook:
    """Adds what goes by to the sums."""

    def __init__(self, sums: _Sums, there: Array, side: Side) -> None:
        self.sums, self.there = sums, there
        self.epsilon = side.model.epsilon
        blocks = len(side.weights["blocks"])
        self.last = f"blocks.{blocks - 1}.resid_post"

    def __call__(self, name: str, value: Array) -> Array:
        if name.endswith("attn.pattern"):
            layer = int(name.split(".")[1])
            kept = value * self.there[:, None, :, None]
            for head, total in enumerate(kept.sum(axis=0)):
                known = self.sums.patterns.get((layer, head), 0)
                self.sums.patterns[layer, head] = known + total
        elif name.endswith("resid_pre") or name == self.last:
            scale = 1 / np.sqrt(value.var(axis=-1) + self.epsilon)
            before = self.sums.scales.get(name, 0.0)
            self.sums.scales[name] = before + float(scale[self.there].sum())
        return value


def by_distance(pattern: Array) -> Array:  # [n_query, n_key] -> [n_seq]
    """The share of the attention of all queries together that goes so many positions back; what
    goes ahead is left out.
    """
    seen = np.nan_to_num(pattern)
    queries = max(1, int((~np.isnan(pattern).any(axis=1)).sum()))
    n = len(pattern)
    return np.array([np.trace(seen, -back) for back in range(n)]) / queries


def pattern_distance(a: Array, b: Array) -> float:  # [n_query, n_key] each
    """Half the sum of differences, the mean over the queries that were seen."""
    rows = np.abs(a - b).sum(axis=1) / 2
    rows = rows[~np.isnan(rows)]
    return float(rows.mean()) if len(rows) else 0.0


# ---------------------------------------------------------------- matching


@dataclass(frozen=True)
class HeadMatching:
    """Which head of one model is most like which of the other, layer by layer.

    exact  whether no other matching has a smaller sum of distances
    """

    pairs: tuple[tuple[HeadName, HeadName, float], ...]
    exact: bool

    def to_json(self) -> dict[str, Any]:
        """The matching as plain data."""
        rows = [
            {"a": head_name(a), "b": head_name(b), "distance": distance}
            for a, b, distance in self.pairs
        ]
        return {"heads": rows, "exact": self.exact}


def head_name(head: HeadName) -> str:
    """The name of a head, as 0.h1."""
    return f"{head[0]}.h{head[1]}"


def heads_matched(a: HeadsSeen, b: HeadsSeen) -> HeadMatching | None:
    """The best matching of the heads of each layer; None unless both have as many in each."""
    if not a.patterns or a.patterns.keys() != b.patterns.keys():
        return None
    pairs: list[tuple[HeadName, HeadName, float]] = []
    exact = True
    for layer in sorted({layer for layer, _ in a.patterns}):
        own = [head for head in a.patterns if head[0] == layer]
        costs = np.array(
            [
                [pattern_distance(a.patterns[x], b.patterns[y]) for y in own]
                for x in own
            ]
        )
        chosen, best = assignment(costs)
        exact &= best
        pairs += [
            (own[i], own[j], float(costs[i, j])) for i, j in enumerate(chosen)
        ]
    return HeadMatching(tuple(pairs), exact)
