"""The walk through all contexts of two tokens, by what is known of them.

A context is known by the claim's memory of the two numbers and by what the softmax has seen. At
one position, tokens that both read alike are one class, so a walk takes one step for each class.

    ends    for every class at which contexts end: which of the two must be ahead, and the mean
            of what the head sees there

Rules of this file: contexts that are joined are covered by the result; each is counted once.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.pair_claim import Numbers, Pair
from handcraft.proof.checker.softmax import Softmax
from handcraft.proof.checker.work import Allowance

_Link = Any  # None, or (the link before, the number of a class)


@dataclass(frozen=True, eq=False)
class Class:
    """Tokens at one position that read alike: the score and the value [1] that the head
    sees of them, and whether contexts end with them.
    """

    tokens: list[int]
    low: float
    high: float
    c: float
    r: float
    final: bool


@dataclass(frozen=True, eq=False)
class Ends:
    """The endings of a walk: `answered` counts contexts by position, the rest holds an
    entry for each ending.
    """

    answered: dict[int, int]
    # 1 where the first of the two must be ahead, -1 where the second, 0 where neither must
    ahead: Array
    position: Array
    kind: Array  # the number of the class at the position
    mean: Array
    radius: Array
    link: list[_Link]


class PairWalk:
    """One walk, and the endings that it has found so far."""

    def __init__(
        self,
        reading: Numbers,
        pair: Pair,
        n_numbers: int,
        softmax: Softmax,
        rows: list[list[Class]],
    ) -> None:
        self.reading = reading
        self.pair = pair
        self.n_numbers = n_numbers
        self.softmax = softmax
        self.rows = rows
        self.keys = [
            [
                softmax.key(x.low, x.high, np.array([x.c]), np.array([x.r]))
                for x in row
            ]
            for row in rows
        ]
        self.ends: dict[Any, list[Any]] = {}
        self.merged: dict[int, Hashable] = {}

    def run(
        self, last: int, floors: tuple[float, ...], work: Allowance
    ) -> Ends:
        """Return all endings up to the last position. Raises Rejected if that takes more
        work than is allowed.
        """
        now: dict[Hashable, list[Any]] = {
            None: [self.reading.start, 0, 1, None]
        }
        for position in range(min(last + 1, len(self.rows))):
            floor = floors[position] if position < len(floors) else -np.inf
            work.spend(len(now) * len(self.rows[position]))
            now = self._position(position, now, floor, last=position == last)
        return _ends(self.softmax, self.ends)

    def _position(
        self,
        position: int,
        now: dict[Hashable, list[Any]],
        floor: float,
        *,
        last: bool,
    ) -> dict[Hashable, list[Any]]:
        """Return the states after one more position."""
        after: dict[Hashable, list[Any]] = {}
        read: dict[Any, Any] = {}
        keys = self.keys[position]
        for memory, known, count, link in now.values():
            for i, kind in enumerate(self.rows[position]):
                if (memory, i) not in read:
                    read[memory, i] = self._read(memory, position, kind)
                following, ahead, ending = read[memory, i]
                if following is None:
                    continue
                times = count * len(kind.tokens)
                here = (link, i)
                if ending:
                    seen = self.softmax.insert(known, keys[i], -np.inf)
                    name = ahead, position, i, seen
                    self.ends.setdefault(name, [0, here])[0] += times
                if not last:
                    seen = self.softmax.insert(known, keys[i], floor)
                    self._merge(after, following, seen, times, here)
        return after

    def _read(
        self, memory: Any, position: int, kind: Class
    ) -> tuple[Any, bool | None, bool]:
        """Return the memory after a class of tokens, which of the two must be ahead, and
        whether contexts end there.
        """
        token = kind.tokens[0]
        following = self.reading.step(memory, position, token)
        if following is None or not kind.final:
            return following, None, False
        if not self.reading.domain.complete(following[0]):
            return following, None, False
        a, b = self.reading.values(following, position, token)
        if self.pair.second is None:  # the greatest is at least the average
            return following, (True if a * self.n_numbers >= b else None), True
        return following, bool(a >= b), True

    def _merge(
        self,
        after: dict[Hashable, list[Any]],
        memory: Any,
        known: int,
        count: int,
        link: _Link,
    ) -> None:
        """Add one state; states that differ by a rounding only are joined."""
        if known not in self.merged:
            self.merged[known] = tuple(
                (low, high, n, float(np.float32(self.softmax.rows[row][0][0])))
                for low, high, n, row in self.softmax.known[known].groups
            )
        old = after.get((memory, self.merged[known]))
        if old is None:
            after[memory, self.merged[known]] = [memory, known, count, link]
        else:
            old[1], old[2] = self.softmax.join(old[1], known), old[2] + count


def _ends(softmax: Softmax, ends: dict[Any, list[Any]]) -> Ends:
    """Return the endings of a walk, each with the mean of what its head sees."""
    answered: dict[int, int] = {}
    for (_, position, _, _), (count, _) in ends.items():
        answered[position] = answered.get(position, 0) + count
    ahead = np.array(
        [0 if a is None else 1 if a else -1 for a, _, _, _ in ends], dtype=int
    )
    places = np.array(
        [(position, kind) for _, position, kind, _ in ends], dtype=int
    ).reshape(-1, 2)
    mean, radius = _means(softmax, places[:, 0], [name[3] for name in ends])
    return Ends(
        answered,
        ahead,
        places[:, 0],
        places[:, 1],
        mean,
        radius,
        [link for _, link in ends.values()],
    )


def _means(
    softmax: Softmax, positions: Array, seen: list[int]
) -> tuple[Array, Array]:  # [n] -> [n], [n]
    """Return the mean of what is seen at each of these positions, and how far it can be off."""
    mean, radius = np.empty((2, len(seen)))
    known = np.array(seen, dtype=int)
    for position in np.unique(positions).tolist():
        at = positions == position
        c, r = softmax.means(known[at].tolist(), position + 1)
        mean[at], radius[at] = c[:, 0], r[:, 0]
    return mean, radius


def context_of(link: _Link, rows: list[list[Class]]) -> list[int]:
    """Return a context of an ending: the first token of each class."""
    kinds: list[int] = []
    while link is not None:
        link, kind = link
        kinds.append(kind)
    return [
        rows[position][kind].tokens[0]
        for position, kind in enumerate(reversed(kinds))
    ]
