"""The view of one head by the query of a section: the key of every position state, and what is
known after some of them.

Rules of this file: one head with one query; nothing is kept if the section gives no query.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.certificate import HeadQuery
from handcraft.proof.checker.network import HeadWeights
from handcraft.proof.checker.positions import PositionStates
from handcraft.proof.checker.softmax import Softmax
from handcraft.proof.checker.zonotope import Rejected, Zonotope


class View:
    """The view of one head by the query of the section: the key of every position state,
    nothing if there is no query.
    """

    def __init__(
        self,
        position_states: PositionStates,
        head: HeadWeights,
        slot: HeadQuery,
    ) -> None:
        self.position_states = position_states
        self.head = head
        self.slot = slot
        offered = position_states.seen_by(head)
        self.softmax = Softmax(
            position_states.network.floats,
            head.scale,
            slot.gap,
            position_states.network.n_ctx,
            offered.values,
        )
        self.known: dict[Any, int] = {}
        if slot.query is not None:
            self.query = Zonotope.of(
                *(np.array(part)[None] for part in slot.query)
            )
            self.numbers = offered.numbers
            if self.query.c.shape[1] != offered.keys.c.shape[1]:
                raise Rejected("a query has another size than the keys")
            low, high = position_states.network.floats.dot(
                self.query, offered.keys, apart=True
            )
            self.low = low.tolist()
            self.high = high.tolist()

    def key(
        self, position: int, earlier: frozenset[int], token: int
    ) -> int | None:
        """Return the key that a token at a position is for the head, whichever of the
        earlier states it stands in.
        """
        if self.slot.query is None:
            return None
        name = position, earlier, token
        if name not in self.known:
            rows = [
                self.position_states.position_state(position, state, token)
                for state in earlier
            ]
            low = min(self.low[row] for row in rows)
            high = max(self.high[row] for row in rows)
            value = self.numbers[rows[0]]
            for row in rows[1:]:
                value = self.softmax.values.hull(value, self.numbers[row])
            self.known[name] = self.softmax.known_key(low, high, value)
        return self.known[name]

    def score(self, key: int | None) -> Any:
        """Return the bounds of the score of a key."""
        return None if key is None else self.softmax.keys[key][:2]

    def covering(self, keys: tuple[int | None, ...]) -> int | None:
        """Return one key of the same score that covers what all of these hold."""
        return None if keys[0] is None else self.softmax.covering(keys)  # type: ignore[arg-type]

    def insert(self, seen: int, key: int | None, position: int | None) -> int:
        """Return what is seen with one key more. No key is left out if a context ends here."""
        floor = (
            self.slot.floor[position]
            if position is not None and position < len(self.slot.floor)
            else -math.inf
        )
        return seen if key is None else self.softmax.insert(seen, key, floor)

    def join(self, a: int, b: int) -> int:
        """Return what covers both."""
        return self.softmax.join(a, b)

    def blind(
        self, q: Zonotope, level: int, position_state: int
    ) -> tuple[Array, Array]:  # [1, d_head] -> [n_value] each
        """Return the mean at a level by a query, where any token can stand at every
        position before.
        """
        offered = self.position_states.seen_by(self.head)
        network = self.position_states.network
        first = self.position_states.first
        low, high = network.floats.dot(q, offered.keys[: position_state + 1])
        softmax = Softmax(
            network.floats,
            self.head.scale,
            self.slot.gap,
            network.n_ctx,
            offered.values,
        )
        known = 0
        least = [low[position_state]]
        most = [high[position_state]]
        if level:
            starts = first[:level]
            end = first[level]
            least = [*np.minimum.reduceat(low[:end], starts).tolist(), *least]
            most = [*np.maximum.reduceat(high[:end], starts).tolist(), *most]
        floor = max(least[:-1], default=-math.inf) - self.slot.gap
        for key in zip(
            least,
            most,
            [*offered.covers[:level], offered.numbers[position_state]],
            strict=True,
        ):
            known = softmax.insert(known, softmax.known_key(*key), floor)
        return softmax.mean(known, level + 1)


class Inserting:
    """The summaries of all heads with one key more each, at one position. No key is left
    out where a context ends (None).
    """

    def __init__(self, views: list[View], position: int | None) -> None:
        self.views = views
        self.position = position
        self.known: dict[Any, tuple[int, ...]] = {}

    def __call__(
        self, seen: tuple[int, ...], keys: tuple[int | None, ...]
    ) -> tuple[int, ...]:
        found = self.known.get((seen, keys))
        if found is None:
            both = zip(self.views, seen, keys, strict=True)
            found = self.known[seen, keys] = tuple(
                [view.insert(s, key, self.position) for view, s, key in both]
            )
        return found
