"""The keys and values that every earlier position offers to later heads, computed from the weights
for every token and every state that the certificate lists.

    position state    a token at a position in one state (what the earlier tokens left behind): it
                      holds the residual stream at the input of each block
    followed head     a head that the certificate follows at every position: over the states it
                      keeps what it needs of the past

The mean of a head that is not followed lies between the least and the greatest value there is;
no more is used of it at earlier positions. Rules of this file: whatever the certificate says,
the result covers the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.keys import Values
from handcraft.proof.checker.network import HeadWeights, Network
from handcraft.proof.checker.softmax import Softmax
from handcraft.proof.checker.zonotope import UP, Rejected, Zonotope, hull

# (layer, head): gap, positions kept after each
Followed = dict[tuple[int, int], tuple[float, list[list[int]] | None]]


@dataclass(frozen=True, eq=False)
class Offered:
    """The keys [n, d_head] and values [n, n_value] that position states offer to one head,
    and how far the values can be off.

    The values are also numbered: `numbers` are rows of `values`, and so are `covers`, one
    for all values of a position.
    """

    keys: Zonotope
    c: Array
    r: Array
    values: Values
    numbers: list[int]
    covers: list[int]


@dataclass
class PositionStates:
    """The residual stream at the input of every block, for every position, state and token."""

    network: Network
    tokens: list[list[int]]  # at each position
    after: list[
        list[list[int]]
    ]  # [position][state][i-th token]: the state after it
    followed: Followed
    # of each position, its first position state
    first: list[int] = field(default_factory=list)
    # of each block, position by position
    streams: list[list[Zonotope]] = field(default_factory=list)
    # of each head followed
    means: dict[tuple[int, int], list[tuple[Array, Array]]] = field(
        default_factory=dict
    )
    keys: dict[tuple[int, int], Offered] = field(default_factory=dict)
    ranges: dict[tuple[int, int], tuple[Array, Array]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self.at = [
            {t: i for i, t in enumerate(tokens)} for tokens in self.tokens
        ]
        self.streams = [[] for _ in self.network.blocks]
        self.memories = {
            name: _memory(self.network, name, how, len(self.tokens))
            for name, how in self.followed.items()
        }
        names = list(self.memories)
        count = 0
        now: list[Any] = [tuple(self.memories[name].start for name in names)]
        for position, tokens in enumerate(self.tokens):
            if (
                len(self.after[position]) != len(now)
                or None in now
                or any(len(row) != len(tokens) for row in self.after[position])
            ):
                raise Rejected(
                    "the states of earlier positions do not fit each other"
                )
            self.first.append(count)
            count += len(now) * len(tokens)
            past = {
                name: [state[i] for state in now for _ in tokens]
                for i, name in enumerate(names)
            }
            kept = self._position(position, np.array(tokens * len(now)), past)
            now = self._next(
                position,
                [
                    tuple(kept[name][row] for name in names)
                    for row in range(len(now) * len(tokens))
                ],
                names,
            )

    def _next(
        self, position: int, rows: list[Any], names: list[tuple[int, int]]
    ) -> list[Any]:
        """Return the states after a position: each covers everything that leads to it."""
        targets = [t for state in self.after[position] for t in state]
        if len(targets) != len(rows) or not all(
            0 <= t < len(rows) for t in targets
        ):
            raise Rejected(
                "the states of earlier positions do not fit each other"
            )
        now: list[Any] = [None] * (max(targets) + 1)
        for target, row in zip(targets, rows, strict=True):
            old = now[target]
            both = zip(names, row if old is None else old, row, strict=True)
            now[target] = tuple(
                self.memories[name].join(a, b) for name, a, b in both
            )
        return now

    def _position(
        self,
        position: int,
        tokens: Array,
        past: dict[tuple[int, int], list[Any]],
    ) -> dict[tuple[int, int], list[Any]]:
        """Compute all position states of one position, and what the followed heads keep."""
        network = self.network
        kept = dict[tuple[int, int], list[Any]]()
        x = network.embed(tokens, np.full(len(tokens), position))
        for i in range(network.last + 1):
            self.streams[i].append(x := x.plain())
            means = {}
            for head in network.heads[i]:
                name = i, head.number
                if name in self.memories:
                    z, kept[name] = self.memories[name].read(
                        x, past[name], position
                    )
                    self.means.setdefault(name, []).append(z)
                    means[head.number] = z
                elif i < network.last:
                    means[head.number] = self._anything(head, x)
            if i < network.last:
                x = network.through(i, x, means)
        return kept

    def _anything(self, head: HeadWeights, x: Zonotope) -> tuple[Array, Array]:
        """Return the mean of a head that is not followed: anything between the values so far."""
        floats = self.network.floats
        name = (head.layer, head.number)
        v = floats.linear(x, *head.v).plain()
        low, high = self.ranges.get(name, (v.c[0], v.c[0]))
        low = np.minimum(low, (v.c - v.r).min(axis=0))
        high = np.maximum(high, (v.c + v.r).max(axis=0))
        self.ranges[name] = low, high
        c, r = hull(low, high)
        size = np.abs(c) + r
        error = floats.gamma(
            2 * self.network.n_ctx + 20
        ) * size + floats.least * self.network.n_ctx * (1 + size)
        return np.tile(c, (len(x.c), 1)), np.tile(
            (r + np.where((c == 0) & (r == 0), 0.0, error)) * UP, (len(x.c), 1)
        )

    def position_state(self, position: int, state: int, token: int) -> int:
        """Return the number of a position state. Raises Rejected if it is not listed."""
        found = (
            self.at[position].get(token) if position < len(self.at) else None
        )
        if found is None:
            raise Rejected(
                f"token {token} is not listed at position {position}"
            )
        return self.first[position] + state * len(self.tokens[position]) + found

    def seen_by(self, head: HeadWeights) -> Offered:
        """Return the key and the value of every position state, for one head."""
        name = head.layer, head.number
        if name not in self.keys:
            floats = self.network.floats
            chunks = self.streams[head.layer]
            keys = _joined(floats.linear(x, *head.k).plain() for x in chunks)
            value = _joined(floats.linear(x, *head.v).plain() for x in chunks)
            c, r = value.c, value.r
            values = Values()
            # [n_positions, n_value]
            low = np.minimum.reduceat(c - r, self.first)
            high = np.maximum.reduceat(c + r, self.first)
            self.keys[name] = Offered(
                keys,
                c,
                r,
                values,
                values.numbers(c, r),
                values.numbers(*hull(low, high)),
            )
        return self.keys[name]

    def mean(
        self, name: tuple[int, int], rows: Array
    ) -> tuple[Array, Array]:  # [n] -> [n, n_value] each
        """Return a followed head's mean value at each position state."""
        c, r = (
            np.concatenate([z[i] for z in self.means[name]])[rows]
            for i in (0, 1)
        )
        return c, r


# ------------------------------------------------------------ what a followed head keeps


class Memory:
    """The part of the past that one followed head keeps."""

    start: Any = 0

    def read(
        self, x: Zonotope, past: list[Any], position: int
    ) -> tuple[tuple[Array, Array], list[Any]]:
        """Return the mean values at one position for every row, and what is kept after it."""
        raise NotImplementedError

    def join(self, a: Any, b: Any) -> Any:
        """Return what covers both."""
        if a != b:
            raise Rejected(
                "two ways lead to a state of earlier positions and leave different things behind"
            )
        return a


class Counting(Memory):
    """The memory of a head whose query is always the same: what is known of its softmax."""

    def __init__(self, network: Network, head: HeadWeights, gap: float) -> None:
        self.network = network
        self.head = head
        self.softmax = Softmax(network.floats, head.scale, gap, network.n_ctx)
        self.join = self.softmax.join  # type: ignore[method-assign]

    def read(
        self, x: Zonotope, past: list[Any], position: int
    ) -> tuple[tuple[Array, Array], list[Any]]:
        floats = self.network.floats
        head = self.head
        low, high = floats.dot(
            Zonotope.of(head.q[1][None]), floats.linear(x, *head.k).plain()
        )
        v = floats.linear(x, *head.v).plain()
        keys = self.softmax.keys_of(low.tolist(), high.tolist(), v.c, v.r)
        kept = [
            self.softmax.insert(known, key, -math.inf)
            for known, key in zip(past, keys, strict=True)
        ]
        # [n_different], [n]
        known, rows = np.unique(np.array(kept), return_inverse=True)
        c, r = self.softmax.means(known.tolist(), position + 1)
        rows = rows.reshape(-1)
        return (c[rows], r[rows]), list(kept)


class Placed(Memory):
    """The memory of a head whose query depends on the position: the values at some
    positions, and what any position could hold.
    """

    start = ()

    def __init__(
        self,
        network: Network,
        head: HeadWeights,
        gap: float,
        kept: list[list[int]],
    ) -> None:
        self.network = network
        self.head = head
        self.gap = gap
        self.kept = [set(row) for row in kept]
        # of each position: key and radius, covering all
        self.keys: list[tuple[Array, Array]] = []
        self.any: list[tuple[Array, Array]] = []  # ... value and radius
        self.values: list[tuple[Array, Array]] = []
        self.numbers: dict[bytes, int] = {}

    def read(
        self, x: Zonotope, past: list[Any], position: int
    ) -> tuple[tuple[Array, Array], list[Any]]:
        floats = self.network.floats
        head = self.head
        q, k, v = (
            floats.linear(x, *part).plain() for part in (head.q, head.k, head.v)
        )
        self.keys.append(_cover(k))
        self.any.append(_cover(v))
        c, r = _cover(q)
        low, high = floats.dot(
            Zonotope.of(c[None], r[None]),
            Zonotope.of(
                *(np.stack(part) for part in zip(*self.keys, strict=True))
            ),
        )
        seen = high > low.max() - self.gap
        own = [self._number(v.c[row], v.r[row]) for row in range(len(past))]
        whole = [
            (*old, (position, n)) for old, n in zip(past, own, strict=True)
        ]
        visible = [tuple((j, n) for j, n in row if seen[j]) for row in whole]
        means = {
            row: self._mean(low, high, seen, dict(row)) for row in set(visible)
        }
        kept = [
            tuple((j, n) for j, n in row if j in self.kept[position])
            for row in whole
        ]
        return (
            np.stack([means[row][0] for row in visible]),
            np.stack([means[row][1] for row in visible]),
        ), list(kept)

    def _number(self, c: Array, r: Array) -> int:
        found = self.numbers.setdefault(
            c.tobytes() + r.tobytes(), len(self.values)
        )
        if found == len(self.values):
            self.values.append((c, r))
        return found

    def _mean(
        self, low: Array, high: Array, seen: Array, values: dict[int, int]
    ) -> tuple[Array, Array]:
        softmax = Softmax(
            self.network.floats, self.head.scale, self.gap, self.network.n_ctx
        )
        known = 0
        for j in range(len(low)):
            value = self.values[values[j]] if j in values else self.any[j]
            key = softmax.key(float(low[j]), float(high[j]), *value)
            known = softmax.insert(
                known, key, -math.inf if seen[j] else math.inf
            )
        return softmax.mean(known, len(low))


def _joined(chunks: Iterable[Zonotope]) -> Zonotope:
    """Return numbers without generators one after the other."""
    c, r = zip(*((x.c, x.r) for x in chunks), strict=True)
    return Zonotope.of(np.concatenate(c), np.concatenate(r))


def _cover(x: Zonotope) -> tuple[Array, Array]:  # [n, d] -> [d], [d]
    return hull((x.c - x.r).min(axis=0), (x.c + x.r).max(axis=0))


def _memory(
    network: Network,
    name: tuple[int, int],
    how: tuple[float, list[list[int]] | None],
    n: int,
) -> Memory:
    head = (
        next((h for h in network.heads[name[0]] if h.number == name[1]), None)
        if name[0] < len(network.heads)
        else None
    )
    gap, kept = how
    if (
        head is None
        or (kept is not None and len(kept) != n)
        or (kept is None and head.q[0].any())
    ):
        raise Rejected("a head is followed that cannot be")
    return (
        Counting(network, head, gap)
        if kept is None
        else Placed(network, head, gap, kept)
    )
