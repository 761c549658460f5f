"""Finds heads that are meant to attend to a few positions only, with scores too small for that.

Where a query and its key read the position alone, or the token alone, straight from the embedding
or from lanes into which an earlier head copies one token, every score is known. If all of a head's
scores are one of two numbers, it attends to what has the greater one; softmax leaves the others a
part exp(-gap) each. With a gap of ln(8 n / u) that part is lost in float32 (u = 2^-24); with a
small one it is mixed into the value.

Quiet on purpose: nothing is said of a uniform head, of scores with more than two values (kernels,
distances), of a gap that is the logarithm of a whole number (a weight), or of a part below 0.01 %.

Rules of this file: it reads weights only; what is found is advice, and never an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array, Weights
from handcraft.core.sharp import gap as sharp

LEAST_SHARE = 1e-4  # of the attention: less on the others is not told
MOST_POWER = 40.5  # of two, as the weight of one position
MOST_STATES = 1024  # positions, or tokens, whose pairs are looked at
_MLP = -1  # in the place of a head


@dataclass(frozen=True)
class Leak:
    """A head whose scores are too close: the gap between them, the share of the attention that
    the others keep, and the gap from which on they would keep none.
    """

    layer: int
    head: int
    gap: float
    share: float
    enough: float


def leaks(weights: Weights, n_head: int, *, causal: bool) -> Iterator[Leak]:
    """The heads that attend to a few positions only, but not sharply."""
    for layer, block in enumerate(weights["blocks"]):
        if "attn" in block:
            for head in range(n_head):
                found = _leak(weights, n_head, layer, head, causal)
                if found is not None:
                    yield found


def _leak(
    weights: Weights, n_head: int, layer: int, head: int, causal: bool
) -> Leak | None:
    n_ctx = len(weights["wpe"])
    scores = position_scores(weights, n_head, layer, head)
    if scores is not None:
        seen = (
            np.tri(n_ctx, dtype=bool)
            if causal
            else np.full_like(scores, 1, bool)
        )
        levels = two_levels(scores[seen])
        if levels is None:
            return None
        high = (scores > sum(levels) / 2) & seen  # [n_ctx, n_ctx]
        many = high.sum(-1), (seen & ~high).sum(-1)  # [n_ctx] each
        named, others = (count[many[0] > 0] for count in many)
    else:
        known = n_ctx
        scores = token_scores(weights, n_head, layer, head)
        if scores is None and causal:
            scores, known = copied_scores(weights, n_head, layer, head)
        levels = None if scores is None else two_levels(scores)
        if levels is None:
            return None
        named, others = np.array([1]), np.array([known - 1])
    gap = levels[1] - levels[0]
    rest = others * math.exp(-gap)
    share = float((rest / (named + rest)).max(initial=0.0))
    if share < LEAST_SHARE or is_weight(gap):
        return None
    return Leak(layer, head, gap, share, enough=sharp(n_ctx))


def two_levels(scores: Array) -> tuple[float, float] | None:
    """The two numbers that all scores are, if there are two."""
    low = float(scores.min())
    high = float(scores.max())
    near = 1e-6 * (high - low)
    both = (scores - low <= near) | (high - scores <= near)
    return (low, high) if high > low and both.all() else None


def is_weight(gap: float) -> bool:
    """True for the logarithm of a whole number up to 1,000, or of a power of two, which an author
    means as a weight.
    """
    power = gap / math.log(2)
    if abs(power - round(power)) <= 2e-6 and power <= MOST_POWER:
        return True
    weight = math.exp(min(gap, 7))
    return weight <= 1000 and abs(weight - round(weight)) <= 2e-6 * weight


def position_scores(
    weights: Weights, n_head: int, layer: int, head: int
) -> Array | None:  # -> [n_ctx, n_ctx]
    """The scores of a head by the positions of query and key, if nothing else decides them."""
    return _scores(weights, n_head, layer, head, ("wpe", "wte"))


def token_scores(
    weights: Weights, n_head: int, layer: int, head: int
) -> Array | None:  # -> [n_vocab, n_vocab]
    """The scores of a head by the tokens of query and key, if nothing else decides them."""
    return _scores(weights, n_head, layer, head, ("wte", "wpe"))


def copied_scores(
    weights: Weights, n_head: int, layer: int, head: int
) -> tuple[Array | None, int]:  # -> [n_vocab, n_vocab]
    """The scores of a head by the tokens whose copies query and key read, and the number of key
    positions where there is such a copy, if nothing else decides them.
    """
    block = weights["blocks"][layer]
    if len(weights["wte"]) > MOST_STATES or "ln_1" in block:
        return None, 0
    copies = [
        (
            weights["wte"].astype(float),
            _own(weights, layer),
            len(weights["wpe"]),
        )
    ]
    copies += _copies(weights, n_head, layer)
    sides = []
    known = 0
    for third in (0, 1):
        w, b = _columns(weights, n_head, layer, head, third)
        read = w.any(-1)  # [n_embd]
        fitting = (x for x in copies if not (read & ~x[1]).any())
        if (found := next(fitting, None)) is None:
            return None, 0
        table, _, known = found
        sides.append(table @ w + b)
    query, key = sides  # [n_vocab, d_head]
    scores: Array = query @ key.T / math.sqrt(query.shape[1])
    return scores, known


def _own(weights: Weights, layer: int) -> Array:  # -> [n_embd] bool
    """The columns that hold what `wte` puts there."""
    other: Array = weights["wpe"].any(0) | written_before(weights, layer)
    return ~other


def _copies(
    weights: Weights, n_head: int, layer: int
) -> Iterator[tuple[Array, Array, int]]:
    """What earlier heads copy of one token each: [n_vocab, n_embd], the columns that nothing else
    fills, and the number of positions where the token is certain.
    """
    writers = _writers(weights, n_head, layer)
    filled = weights["wte"].any(0) | weights["wpe"].any(0)  # [n_embd]
    for (i, h), columns in writers.items():
        others = [x for at, x in writers.items() if at != (i, h)]
        alone = columns & ~np.logical_or.reduce([filled, *others])
        if h == _MLP or not alone.any():
            continue
        scores = position_scores(weights, n_head, i, h)
        w, b = _columns(weights, n_head, i, h, 2)  # [n_embd, d_head]
        if scores is None or w[~_own(weights, i)].any():
            continue
        back = weights["blocks"][i]["attn"]["c_proj"]
        rows = np.split(back["w"].astype(float), n_head)[h]  # [d_head, n_embd]
        table = (weights["wte"].astype(float) @ w + b) @ rows + back["b"]
        yield table, alone, int(_single(scores).sum())


def _single(scores: Array) -> Array:  # [n_ctx, n_ctx] -> [n_ctx] bool
    """True where a query position attends to one position alone."""
    n_ctx = len(scores)
    seen = np.where(np.tri(n_ctx, dtype=bool), scores, -np.inf)
    ranked = np.sort(seen, -1)[:, ::-1]  # the greatest first
    ahead = ranked[:, 0] - ranked[:, 1] if n_ctx > 1 else np.full(1, np.inf)
    found: Array = ahead >= sharp(n_ctx)
    return found


def _writers(
    weights: Weights, n_head: int, layer: int
) -> dict[tuple[int, int], Array]:
    """The columns that each head, or MLP, of the earlier layers adds to."""
    found: dict[tuple[int, int], Array] = {}
    for i, block in enumerate(weights["blocks"][:layer]):
        if "attn" in block:
            w = block["attn"]["c_proj"]["w"]  # [n_embd, n_embd]
            for h, rows in enumerate(np.split(w, n_head)):
                found[i, h] = np.asarray(rows.any(0))
        if "mlp" in block:
            back = block["mlp"]["c_proj"]
            written = np.vstack([back["w"], back["b"]])
            found[i, _MLP] = np.asarray(written.any(0))
    return found


def _columns(
    weights: Weights, n_head: int, layer: int, head: int, third: int
) -> tuple[Array, Array]:  # -> [n_embd, d_head], [d_head]
    """What makes the query (0), the key (1) or the value (2) of a head."""
    n_embd = weights["wte"].shape[1]
    d_head = n_embd // n_head
    first = third * n_embd + head * d_head
    columns = slice(first, first + d_head)
    c_attn = weights["blocks"][layer]["attn"]["c_attn"]
    w, b = c_attn["w"][:, columns], c_attn["b"][columns]
    return w.astype(float), b.astype(float)


def _scores(
    weights: Weights,
    n_head: int,
    layer: int,
    head: int,
    tables: tuple[str, str],
) -> Array | None:
    table, other = (weights[name] for name in tables)
    block = weights["blocks"][layer]
    if len(table) > MOST_STATES or "ln_1" in block:
        return None
    unclear = other.any(0) | written_before(weights, layer)  # [n_embd]
    sides = []
    for third in (0, 1):
        w, b = _columns(weights, n_head, layer, head, third)
        if w[unclear].any():
            return None
        sides.append(table.astype(float) @ w + b)
    query, key = sides  # [n, d_head]
    return query @ key.T / math.sqrt(query.shape[1])


def written_before(weights: Weights, layer: int) -> Array:  # -> [n_embd]
    """True for each column of the stream that an earlier layer adds to."""
    found = np.zeros(weights["wte"].shape[1], bool)
    for block in weights["blocks"][:layer]:
        for part in ("attn", "mlp"):
            if part in block:
                back = block[part]["c_proj"]
                found |= back["w"].any(0) | (back["b"] != 0)
    return found
