"""What every position offers to later heads, computed from the weights for every token and every state given.

A head is followed at every position where the certificate says so: over a graph of states it keeps what it needs of the
past. The mean of a head that is not followed lies between the least and the greatest value there is, which is all that
is used of it at earlier positions. Rules of this file: whatever the certificate says, what is computed covers the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.boxes import UP, Box, Floats, Rejected, hull
from handcraft.proof.checker.sums import Known, Softmax

Followed = dict[tuple[int, int], tuple[float, list[list[int]] | None]]  # (layer, head): gap, positions kept after each


@dataclass(frozen=True, eq=False)
class Head:
    """One head that adds something: its lanes, and which of them its output reads."""

    layer: int
    number: int
    q: tuple[Array, Array]
    k: tuple[Array, Array]
    v: tuple[Array, Array]
    rows: Array
    scale: float


class Network:
    """A model, block by block."""

    def __init__(self, model: Model) -> None:
        weights = model.weights
        if not model.causal or weights.get("ln_f") is not None or any("ln_1" in b or "ln_2" in b for b in weights["blocks"]):
            raise Rejected("a model that normalises or looks ahead cannot be checked")
        self.floats, self.activation, self.blocks = Floats(model.dtype), model.activation, weights["blocks"]
        self.wte, self.wpe = weights["wte"].astype(np.float64), weights["wpe"].astype(np.float64)
        self.n_vocab, self.n_ctx = len(self.wte), len(self.wpe)
        self.heads = [self._heads(i, block, model.n_head) for i, block in enumerate(self.blocks)]
        self.last = max((i for i, heads in enumerate(self.heads) if heads), default=-1)
        self._finite(model.n_head)

    def _heads(self, layer: int, block: Any, n_head: int) -> list[Head]:
        found = []
        for h in range(n_head if "attn" in block else 0):
            w, b, out = block["attn"]["c_attn"]["w"], block["attn"]["c_attn"]["b"], block["attn"]["c_proj"]["w"]
            size = len(out) // n_head
            own = np.arange(h * size, (h + 1) * size)
            q, k, v = ((w[:, part * len(out) + own], b[part * len(out) + own]) for part in range(3))
            kept = (v[0].any(axis=0) | (v[1] != 0)) & out[own].any(axis=1)
            if kept.any():
                found.append(Head(layer, h, q, k, (v[0][:, kept], v[1][kept]), own[kept], math.sqrt(size)))
        return found

    def _finite(self, n_head: int) -> None:
        """Raises Rejected where a number could overflow."""
        sizes, x = [0.0], np.abs(self.wte).max(axis=0) + np.abs(self.wpe).max(axis=0)
        for block in self.blocks:
            if "attn" in block:
                q, k, v = np.split(_size(block["attn"]["c_attn"], x), 3)
                sizes += [float(a @ b) for a, b in zip(np.split(q, n_head), np.split(k, n_head), strict=True)]
                x = x + _size(block["attn"]["c_proj"], v)
            if "mlp" in block:
                x = x + _size(block["mlp"]["c_proj"], _size(block["mlp"]["c_fc"], x))
            sizes.append(float(x.max()))
        if not max(*sizes, float((np.abs(self.wte) @ x).max())) < (2.0**120 if self.floats.digits == 24 else 2.0**1000):
            raise Rejected("a number of the model could overflow")

    def embed(self, tokens: Array, positions: Array) -> Box:  # [n], [n] -> [n, n_embd]
        """The stream before the first block."""
        return self.floats.add(Box.of(self.wte[tokens]), Box.of(self.wpe[positions]))

    def through(self, i: int, x: Box, means: dict[int, tuple[Array, Array]]) -> Box:  # [n, n_embd] -> the same
        """A block, by the mean value of each of its heads [n, n_value]."""
        block, floats = self.blocks[i], self.floats
        if "attn" in block:
            c_proj = block["attn"]["c_proj"]
            z = np.zeros((2, len(x.c), len(c_proj["w"])))
            for head in self.heads[i]:
                z[:, :, head.rows] = means[head.number]
            x = floats.add(x, _padded(floats.linear(Box.of(z[0], z[1]).shared(), c_proj["w"], c_proj["b"]), x))
        if "mlp" in block:
            part, x = block["mlp"], x.shared()
            post = floats.activation(floats.linear(x, part["c_fc"]["w"], part["c_fc"]["b"]), self.activation)
            x = floats.add(x, floats.linear(post, part["c_proj"]["w"], part["c_proj"]["b"]))
        return x

    def ahead(self, x: Box, row: int, expected: int) -> tuple[float, float]:
        """The least that one logit is ahead of every other, and the greatest radius of a difference."""
        c, r, g = x.c[row], x.r[row], x.g[row]  # [n_embd], [n_embd], [n_embd, n_shared]
        apart = self.wte[expected] - self.wte  # [n_vocab, n_embd]
        error = self._rounding(x[[row]])[0]  # [n_vocab]
        radius = (np.abs(apart) @ r + np.abs(apart @ g).sum(axis=1) + error + error[expected]) * 1.0000001
        least = apart @ c - radius - 2.0**-48 * (np.abs(apart) @ np.abs(c))
        others = np.arange(self.n_vocab) != expected
        return float(least[others].min(initial=math.inf)), float(radius[others].max(initial=0.0))

    def _rounding(self, x: Box) -> Array:  # [n, n_embd] -> [n, n_vocab]
        """What the unembedding rounds."""
        known = self.floats.linear(Box.of(x.c), self.wte.T, np.zeros(self.n_vocab)).r
        size = (np.abs(x.c) + x.radius) @ np.abs(self.wte).T
        sure = (x.radius == 0).all(axis=1)[:, None]
        terms = ((x.c != 0) | (x.radius != 0)).astype(np.float64) @ (self.wte != 0).T
        return np.where(sure, known, self.floats.gamma(terms + 1) * size + (terms + 1) * self.floats.least)

    def chances(self, x: Box, row: int) -> tuple[Array, Array]:  # -> [n_vocab], [n_vocab]
        """The least and the greatest probability of every token."""
        logits = self.floats.linear(x[[row]], self.wte.T, np.zeros(self.n_vocab)).plain()
        top = logits.c.max()
        low, high = np.exp(logits.c[0] - logits.r[0] - top), np.exp(logits.c[0] + logits.r[0] - top)
        return low / (low + high.sum() - high) - 1e-13, high / (high + low.sum() - low) + 1e-13


def _padded(y: Box, x: Box) -> Box:
    """What y shares in places of its own, behind those of x."""
    return Box(y.c, y.r, np.concatenate([np.zeros((*y.c.shape, x.g.shape[2])), y.g], axis=2))


def _size(part: dict[str, Array], x: Array) -> Array:  # [n_in] -> [n_out]
    return x @ np.abs(part["w"]).astype(np.float64) * 1.01 + np.abs(part["b"])


# ------------------------------------------------------------ every position


@dataclass
class Emissions:
    """The stream at the input of every block, for every position, state and token; an emission is one of them."""

    network: Network
    tokens: list[list[int]]  # at each position
    after: list[list[list[int]]]  # [position][state][i-th token]: the state after it
    followed: Followed
    first: list[int] = field(default_factory=list)  # of each position, its first emission
    streams: list[list[Box]] = field(default_factory=list)  # of each block, position by position
    means: dict[tuple[int, int], list[tuple[Array, Array]]] = field(default_factory=dict)  # of each head followed
    keys: dict[tuple[int, int], tuple[Box, Array, Array]] = field(default_factory=dict)
    ranges: dict[tuple[int, int], tuple[Array, Array]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at = [{t: i for i, t in enumerate(tokens)} for tokens in self.tokens]
        self.streams = [[] for _ in self.network.blocks]
        self.memories = {name: _memory(self.network, name, how, len(self.tokens)) for name, how in self.followed.items()}
        names, count = list(self.memories), 0
        now: list[Any] = [tuple(self.memories[name].start for name in names)]
        for position, tokens in enumerate(self.tokens):
            if len(self.after[position]) != len(now) or None in now:
                raise Rejected("the states of earlier positions do not fit each other")
            self.first.append(count)
            count += len(now) * len(tokens)
            past = {name: [state[i] for state in now for _ in tokens] for i, name in enumerate(names)}
            kept = self._position(position, np.array(tokens * len(now)), past)
            now = self._next(position, [tuple(kept[name][row] for name in names) for row in range(len(now) * len(tokens))], names)

    def _next(self, position: int, rows: list[Any], names: list[tuple[int, int]]) -> list[Any]:
        """The states after a position: each covers all that leads to it."""
        targets = [t for state in self.after[position] for t in state]
        if len(targets) != len(rows) or not all(0 <= t < len(rows) for t in targets):
            raise Rejected("the states of earlier positions do not fit each other")
        now: list[Any] = [None] * (max(targets) + 1)
        for target, row in zip(targets, rows, strict=True):
            old = now[target]
            now[target] = row if old is None else tuple(self.memories[n].join(a, b) for n, a, b in zip(names, old, row, strict=True))
        return now

    def _position(self, position: int, tokens: Array, past: dict[tuple[int, int], list[Any]]) -> dict[tuple[int, int], list[Any]]:
        """All emissions of one position, and what the heads that are followed keep."""
        network, kept = self.network, dict[tuple[int, int], list[Any]]()
        x = network.embed(tokens, np.full(len(tokens), position))
        for i in range(network.last + 1):
            self.streams[i].append(x := x.plain())
            means = {}
            for head in network.heads[i]:
                name = i, head.number
                if name in self.memories:
                    z, kept[name] = self.memories[name].read(x, past[name], position)
                    self.means.setdefault(name, []).append(z)
                    means[head.number] = z
                elif i < network.last:
                    means[head.number] = self._anything(head, x)
            if i < network.last:
                x = network.through(i, x, means)
        return kept

    def _anything(self, head: Head, x: Box) -> tuple[Array, Array]:
        """The mean of a head that is not followed: between the values so far."""
        floats, name = self.network.floats, (head.layer, head.number)
        v = floats.linear(x, *head.v).plain()
        low, high = self.ranges.get(name, (v.c[0], v.c[0]))
        low, high = np.minimum(low, (v.c - v.r).min(axis=0)), np.maximum(high, (v.c + v.r).max(axis=0))
        self.ranges[name] = low, high
        c, r = hull(low, high)
        error = floats.gamma(2 * self.network.n_ctx + 20) * (np.abs(c) + r) + floats.least * self.network.n_ctx * (1 + np.abs(c) + r)
        return np.tile(c, (len(x.c), 1)), np.tile((r + np.where((c == 0) & (r == 0), 0.0, error)) * UP, (len(x.c), 1))

    def emission(self, position: int, state: int, token: int) -> int:
        """The number of one. Raises Rejected where it is not listed."""
        found = self.at[position].get(token) if position < len(self.at) else None
        if found is None:
            raise Rejected(f"token {token} is not listed at position {position}")
        return self.first[position] + state * len(self.tokens[position]) + found

    def seen_by(self, head: Head) -> tuple[Box, Array, Array]:  # -> [n, d_head], [n, n_value], [n, n_value]
        """The key of every emission, its value and the value's radius."""
        name = head.layer, head.number
        if name not in self.keys:
            floats, chunks = self.network.floats, self.streams[head.layer]
            k, v = ([floats.linear(x, *part).plain() for x in chunks] for part in (head.k, head.v))
            keys = Box.of(np.concatenate([x.c for x in k]), np.concatenate([x.r for x in k]))
            self.keys[name] = keys, np.concatenate([x.c for x in v]), np.concatenate([x.r for x in v])
        return self.keys[name]

    def mean(self, name: tuple[int, int], rows: Array) -> tuple[Array, Array]:  # [n] -> [n, n_value] each
        """A followed head's mean value at each emission."""
        c, r = (np.concatenate([z[i] for z in self.means[name]])[rows] for i in (0, 1))
        return c, r


# ------------------------------------------------------------ what a followed head keeps


class Memory:
    """What one followed head keeps of the past."""

    start: Any = 0

    def read(self, x: Box, past: list[Any], position: int) -> tuple[tuple[Array, Array], list[Any]]:
        """The mean values at one position for every row, and what is kept after it."""
        raise NotImplementedError

    def join(self, a: Any, b: Any) -> Any:
        """What covers both."""
        if a != b:
            raise Rejected("two ways lead to a state of earlier positions and leave different things behind")
        return a


class Counting(Memory):
    """The query is always the same: what is known of the softmax."""

    def __init__(self, network: Network, head: Head, gap: float) -> None:
        self.network, self.head = network, head
        self.softmax = Softmax(network.floats, head.scale, gap, network.n_ctx)
        self.join = self.softmax.join  # type: ignore[method-assign]

    def read(self, x: Box, past: list[Any], position: int) -> tuple[tuple[Array, Array], list[Any]]:
        floats, head = self.network.floats, self.head
        low, high = floats.dot(Box.of(head.q[1][None]), floats.linear(x, *head.k).plain())
        v = floats.linear(x, *head.v).plain()
        keys = [self.softmax.key(*row) for row in zip(low.tolist(), high.tolist(), v.c, v.r, strict=True)]
        kept = [self.softmax.insert(known, key, -math.inf) for known, key in zip(past, keys, strict=True)]
        means = {known: self.softmax.mean(known, position + 1) for known in set(kept)}
        return (np.stack([means[k][0] for k in kept]), np.stack([means[k][1] for k in kept])), list(kept)


class Placed(Memory):
    """The query depends on the position: the values at some positions, and at every position what any could be."""

    start = ()

    def __init__(self, network: Network, head: Head, gap: float, kept: list[list[int]]) -> None:
        self.network, self.head, self.gap, self.kept = network, head, gap, [set(row) for row in kept]
        self.keys: list[tuple[Array, Array]] = []  # of each position: key and radius, covering all
        self.any: list[tuple[Array, Array]] = []  # ... value and radius
        self.values: list[tuple[Array, Array]] = []
        self.numbers: dict[bytes, int] = {}

    def read(self, x: Box, past: list[Any], position: int) -> tuple[tuple[Array, Array], list[Any]]:
        floats, head = self.network.floats, self.head
        q, k, v = (floats.linear(x, *part).plain() for part in (head.q, head.k, head.v))
        self.keys.append(_cover(k))
        self.any.append(_cover(v))
        c, r = _cover(q)
        low, high = floats.dot(Box.of(c[None], r[None]), Box.of(*(np.stack(part) for part in zip(*self.keys, strict=True))))
        seen = high > low.max() - self.gap
        own = [self._number(v.c[row], v.r[row]) for row in range(len(past))]
        whole = [(*old, (position, n)) for old, n in zip(past, own, strict=True)]
        visible = [tuple((j, n) for j, n in row if seen[j]) for row in whole]
        means = {row: self._mean(low, high, seen, dict(row)) for row in set(visible)}
        kept = [tuple((j, n) for j, n in row if j in self.kept[position]) for row in whole]
        return (np.stack([means[row][0] for row in visible]), np.stack([means[row][1] for row in visible])), list(kept)

    def _number(self, c: Array, r: Array) -> int:
        found = self.numbers.setdefault(c.tobytes() + r.tobytes(), len(self.values))
        if found == len(self.values):
            self.values.append((c, r))
        return found

    def _mean(self, low: Array, high: Array, seen: Array, values: dict[int, int]) -> tuple[Array, Array]:
        softmax, known = Softmax(self.network.floats, self.head.scale, self.gap, self.network.n_ctx), 0
        for j in range(len(low)):
            value = self.values[values[j]] if j in values else self.any[j]
            known = softmax.insert(known, softmax.key(float(low[j]), float(high[j]), *value), math.inf if not seen[j] else -math.inf)
        return softmax.mean(known, len(low))


def _cover(x: Box) -> tuple[Array, Array]:  # [n, d] -> [d], [d]
    return hull((x.c - x.r).min(axis=0), (x.c + x.r).max(axis=0))


def _memory(network: Network, name: tuple[int, int], how: tuple[float, list[list[int]] | None], n: int) -> Memory:
    head = next((h for h in network.heads[name[0]] if h.number == name[1]), None) if name[0] < len(network.heads) else None
    gap, kept = how
    if head is None or (kept is not None and len(kept) != n) or (kept is None and head.q[0].any()):
        raise Rejected("a head is followed that cannot be")
    return Counting(network, head, gap) if kept is None else Placed(network, head, gap, kept)


__all__ = ["Emissions", "Followed", "Head", "Known", "Network"]
