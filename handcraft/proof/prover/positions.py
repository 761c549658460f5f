"""The residual stream at every earlier position, in every state that the earlier tokens can leave.

Later heads read the keys and values of earlier positions, so these are computed once, for all
contexts together.

    state            what the earlier tokens left behind, as far as it matters
    position state   a token at a position in one state: it holds the residual stream at the
                     input of each block, on the lanes that are needed
    step             from a state by a token to the next state; a context is a path of steps

If no later head reads what an earlier head wrote, there is one state, and a position state is
just a token at a position. Otherwise the state holds what the followed heads need of the past:

    constant query          the summary of all keys so far (counting, finding the first)
    query by position only  the values of the keys that a later query can still see (finding the
                            previous token)

Rules of this file: a followed head whose query depends on the text raises Undecided.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.prover.keys import Summary, scores_of
from handcraft.proof.prover.network import HeadPart, Network, Undecided
from handcraft.proof.prover.softmax import Means
from handcraft.proof.prover.zonotope import Zonotope, by_rows, exactly, stack

LEAST_GAP, MOST_GAP = 16.0, 80.0
_MOST_STATES = 6_000  # at one position
_MOST_NUMBERS = 3 * 10**7  # centres and radii of all streams: 240 MB

Kept: TypeAlias = tuple[
    object, ...
]  # for each forward head, what it keeps of the past
Step: TypeAlias = tuple[int, int, int]  # token, next state, position state


def gap_of(network: Network, head: HeadPart, tolerance: float) -> float:
    """Return the gap in score beyond which leaving keys out moves no lane of the stream by
    more than the tolerance.
    """
    x = network.bounds[head.layer]
    values = np.abs(head.value[0]).T @ x + np.abs(head.value[1])  # [n_value]
    effect = (
        2 * float((values[:, None] * np.abs(head.out)).max()) * network.n_ctx
    )
    return min(
        MOST_GAP, max(LEAST_GAP, math.log(max(effect, 1e-9) / tolerance))
    )


@dataclass
class PositionStates:
    """All position states, and the steps of every state at every position."""

    network: Network
    levels: list[int] = field(default_factory=list)  # of each position state
    tokens: list[int] = field(default_factory=list)
    # of each block's input, chunk by chunk
    streams: list[list[Zonotope]] = field(default_factory=list)
    # of each forward head, chunk by chunk
    means: dict[tuple[int, int], list[Zonotope]] = field(default_factory=dict)
    edges: list[list[list[Step]]] = field(
        default_factory=list
    )  # [position][state]
    spent: int = 0  # states that searches over them have visited
    _whole: dict[tuple[int, int], Zonotope] = field(default_factory=dict)

    @cached_property
    def level(self) -> Array:  # [n]
        """The position of each position state."""
        return np.array(self.levels)

    @cached_property
    def token(self) -> Array:  # [n]
        """The token of each position state."""
        return np.array(self.tokens)

    def stream(self, layer: int) -> Zonotope:  # [n, n_embd]
        """Return the residual stream at a block's input, on the lanes that are needed there."""
        return self._joined[layer]

    @cached_property
    def _joined(self) -> list[Zonotope]:
        return [joined(chunks) for chunks in self.streams]

    def mean(self, name: tuple[int, int]) -> Zonotope:  # [n, n_value]
        """Return a followed head's mean value at each position state, once all are followed."""
        if name not in self._whole:
            self._whole[name] = joined(self.means[name])
        return self._whole[name]


def joined(chunks: list[Zonotope]) -> Zonotope:
    """Return the zonotopes' intervals, one after the other, as one."""
    return Zonotope(
        np.concatenate([b.c for b in chunks]),
        np.concatenate([b.r for b in chunks]),
    )


def follow(
    network: Network,
    allowed: list[list[int]],
    tolerance: float,
    deadline: float,
) -> PositionStates:
    """Return all position states of contexts with these tokens at each position. Raises
    Undecided if they cannot be followed.
    """
    found = PositionStates(network, streams=[[] for _ in network.blocks])
    heads = [head for heads in network.forward for head in heads]
    memories = {
        head.name: _memory(network, head, len(allowed), tolerance)
        for head in heads
    }
    states: list[Kept] = [tuple(memories[head.name].start for head in heads)]
    for position, tokens in enumerate(allowed):
        if time.monotonic() > deadline:
            raise Undecided(
                f"the time of the budget was over while following position {position}"
            )
        states = _level(found, heads, memories, states, position, tokens)
        if len(states) > _MOST_STATES:
            raise Undecided(
                f"earlier positions can be in more than {_MOST_STATES} states at"
                f" position {position}"
            )
        if (
            len(found.levels) * 2 * network.n_embd * len(network.blocks)
            > _MOST_NUMBERS
        ):
            raise Undecided(
                f"what earlier positions hold is more than {_MOST_NUMBERS} numbers at"
                f" position {position}"
            )
    return found


def _level(
    found: PositionStates,
    heads: list[HeadPart],
    memories: dict[tuple[int, int], Memory],
    states: list[Kept],
    position: int,
    tokens: list[int],
) -> list[Kept]:
    """Add one position: its position states, its steps, and return the states after it."""
    network = found.network
    pairs = [(s, token) for s in range(len(states)) for token in tokens]
    first = len(found.levels)
    read = np.array([token for _, token in pairs])
    x = network.embed(read, np.full(len(pairs), position))  # [n, n_embd]
    # of each pair what the heads keep, head by head
    after: list[list[object]] = [[] for _ in pairs]
    for i in range(len(network.blocks)):
        found.streams[i].append(x)
        means = {}
        for head in network.forward[i]:
            past = [states[s][heads.index(head)] for s, _ in pairs]
            means[head.name], kept = memories[head.name].read(x, past, position)
            found.means.setdefault(head.name, []).append(means[head.name])
            for cache, own in zip(after, kept, strict=True):
                cache.append(own)
        if network.needed[i + 1].any():
            x = _behind(network, i, x, means)
    numbers: dict[Kept, int] = {}
    edges: list[list[Step]] = [[] for _ in states]
    for k, (s, token) in enumerate(pairs):
        following = numbers.setdefault(tuple(after[k]), len(numbers))
        edges[s].append((token, following, first + k))
    found.levels += [position] * len(pairs)
    found.tokens += [token for _, token in pairs]
    found.edges.append(edges)
    return list(numbers)


def _behind(
    network: Network,
    i: int,
    x: Zonotope,
    means: dict[tuple[int, int], Zonotope],
) -> Zonotope:  # [n, n_embd] -> the same
    """Return the residual stream after a block, on the lanes that earlier positions must know."""
    if "mlp" not in network.blocks[i]:
        return network.after_attention(i, x, means, shared=False)

    def part(rows: slice) -> Zonotope:
        middle = network.after_attention(
            i,
            x[rows],
            {name: z[rows] for name, z in means.items()},
            shared=True,
        )
        return network.after_mlp(
            i, middle.with_generators(), network.needed[i + 1]
        )

    return by_rows(part, len(x.c))


# ------------------------------------------------------------ what a forward head keeps


class Memory:
    """The part of the past that one followed head keeps."""

    start: object = ()

    def read(
        self, x: Zonotope, past: list[object], position: int
    ) -> tuple[Zonotope, list[object]]:
        """Return the mean values [n, n_value] at a position for streams [n, n_embd], and
        what is kept after it.
        """
        raise NotImplementedError


class Summing(Memory):
    """The memory of a head with a constant query: a summary of all keys so far."""

    def __init__(
        self,
        network: Network,
        head: HeadPart,
        query: Zonotope,
        tolerance: float,
    ) -> None:
        self.network = network
        self.head = head
        self.query = query
        self.means = Means(
            network.precision,
            head,
            gap_of(network, head, tolerance),
            network.n_ctx,
        )

    def read(
        self,
        x: Zonotope,
        past: list[object],
        position: int,  # noqa: ARG002  # its summaries know their own
    ) -> tuple[Zonotope, list[object]]:
        """Return the mean of each summary with the position's own key, and the new summaries."""
        p = self.network.precision
        head = self.head
        values = p.linear(x, *head.value)  # [n, n_value]
        kinds, numbers = self.means.labels(
            scores_of(p, self.query, p.linear(x, *head.key)),
            values,
            self.means.values.numbers(values.c),
        )
        labels = zip(kinds.tolist(), numbers.tolist(), strict=True)
        kept: list[Summary] = [
            self.means.insert(s, label)  # type: ignore[arg-type]
            for s, label in zip(past, labels, strict=True)
        ]
        self.means.forget()
        return Zonotope(*self.means.means(kept)), list(kept)


class Window(Memory):
    """The memory of a head whose queries and keys depend on the position only: the values
    of the positions that a later query can see.
    """

    def __init__(
        self, network: Network, head: HeadPart, n: int, tolerance: float
    ) -> None:
        self.network = network
        self.head = head
        p = network.precision
        rows = _by_position(network, n)
        # [n, n_match] each
        queries = p.linear(rows, *head.query)
        keys = p.linear(rows, *head.key)
        self.gap = gap_of(network, head, tolerance)
        # [n_query, n_key]
        self.scores = stack([scores_of(p, queries[i], keys) for i in range(n)])
        probe = Means(p, head, self.gap, n)
        self.seen = [self._seen(probe, i) for i in range(n)]  # by each query
        # after each position
        self.wanted = [
            {j for later in self.seen[i + 1 :] for j in later} for i in range(n)
        ]
        self.values: dict[tuple[bytes, bytes], tuple[Array, Array]] = {}
        self.least = np.full(head.value[0].shape[1], np.inf)
        self.most = -self.least

    def _seen(self, probe: Means, i: int) -> list[int]:
        """Return the positions whose keys no other key hides from the i-th query."""
        nothing = np.zeros(0)
        scores = zip(
            self.scores.c[i, : i + 1], self.scores.r[i, : i + 1], strict=True
        )
        kinds = [probe.label(score, nothing, nothing)[0] for score in scores]
        hidden = {
            kind
            for kind in set(kinds)
            if any(probe.beats(other, kind) for other in set(kinds))
        }
        return [j for j, kind in enumerate(kinds) if kind not in hidden]

    def read(
        self, x: Zonotope, past: list[object], position: int
    ) -> tuple[Zonotope, list[object]]:
        """Return the mean of what the query sees, and forget what no later query sees."""
        values = self.network.precision.linear(
            x, *self.head.value
        )  # [n, n_value]
        self.least = np.minimum(self.least, values.low.min(axis=0))
        self.most = np.maximum(self.most, values.high.max(axis=0))
        z = []
        kept = []
        known = {}
        for k, old in enumerate(past):
            key = values.c[k].tobytes(), values.r[k].tobytes()
            self.values.setdefault(key, (values.c[k], values.r[k]))
            seen = (*old, (position, key))  # type: ignore[misc]
            now = tuple(item for item in seen if item[0] in self.seen[position])
            if now not in known:
                known[now] = self._mean(position, now)
            z.append(known[now])
            kept.append(
                tuple(item for item in seen if item[0] in self.wanted[position])
            )
        centres = np.stack([c for c, _ in z])
        radii = np.stack([r for _, r in z])
        return Zonotope(centres, radii), list(kept)

    def _mean(
        self, position: int, seen: tuple[tuple[int, tuple[bytes, bytes]], ...]
    ) -> tuple[Array, Array]:
        means = Means(
            self.network.precision, self.head, self.gap, self.network.n_ctx
        )
        # for the leak: every score, with every value there can be
        middle = (self.least + self.most) / 2
        half = (self.most - self.least) / 2
        for j in range(position + 1):
            score = (
                float(self.scores.c[position, j]),
                float(self.scores.r[position, j]),
            )
            if j not in self.seen[position]:
                means.label(score, middle, half)
        summary: Summary = ()
        for j, key in seen:
            score = (
                float(self.scores.c[position, j]),
                float(self.scores.r[position, j]),
            )
            summary = means.insert(
                summary, means.label(score, *self.values[key])
            )
        return means.mean(summary)


def _memory(
    network: Network, head: HeadPart, n: int, tolerance: float
) -> Memory:
    if not head.query[0].any():
        return Summing(network, head, exactly(head.query[1]), tolerance)
    textual = network.wte.any(axis=0)
    for i in range(head.layer):
        textual = textual | _written(network, i)
    if not (head.query[0][textual].any() or head.key[0][textual].any()):
        return Window(network, head, n, tolerance)
    raise Undecided(
        f"head {head.layer}.h{head.number} asks by content, and later heads read what it"
        " wrote at every position"
    )


def _written(network: Network, i: int) -> Array:  # -> [n_embd]
    block = network.blocks[i]
    lanes = np.zeros(network.n_embd, dtype=bool)
    for part in ("attn", "mlp"):
        if part in block:
            lanes |= block[part]["c_proj"]["w"].any(axis=0) | (
                block[part]["c_proj"]["b"] != 0
            )
    return lanes


def _by_position(network: Network, n: int) -> Zonotope:  # -> [n, n_embd]
    """Return the position's own part of the stream; adding zeros to it rounds nothing."""
    return exactly(network.wpe[:n])
