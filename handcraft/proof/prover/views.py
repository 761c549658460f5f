"""The view of each head of the last position by one query: a label for the key of every position
state, and the scores that are reached anyway.

    label    the class of a key (keys.py) and the number of its value
    floor    the score that some key up to a position has at least: a key that is behind it by
             the gap is hidden, and never matters

Rules of this file: the keys and values of a head are computed once, the labels once for each
query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.prover.keys import Summary, Values, scores_of
from handcraft.proof.prover.network import HeadPart, Network
from handcraft.proof.prover.positions import PositionStates, gap_of
from handcraft.proof.prover.softmax import Means
from handcraft.proof.prover.zonotope import Zonotope

UNSEEN = -1  # no label: the key can never be seen
_MOST_KEPT = 512  # head queries at once


@dataclass(frozen=True, eq=False)
class HeadQuery:
    """A head with one query: the class and the value of every position state's key, and the
    least score that is reached by each position.
    """

    means: Means
    kinds: Array  # [n_position_states]
    values: Array  # [n_position_states]
    floor: Array  # [n_positions], the greatest score that some position so far has at least
    query: Zonotope | None = None  # [n_match]

    def labels(
        self, alive: Array
    ) -> Array:  # [n_position_states] bool -> [n_position_states]
        """Return each key's label as one number, UNSEEN where the key is not alive."""
        return np.where(
            alive,
            self.kinds * len(self.means.values.rows) + self.values,
            UNSEEN,
        )

    def seen(
        self, bound: Array
    ) -> Array:  # [n_position_states] -> [n_position_states] bool
        """True for each key that is not hidden behind a score that is there anyway."""
        high = self.means.bounds[1][self.kinds]  # [n_position_states]
        return np.asarray(
            ~(bound - high >= self.means.gap)
        )  # as Means.beats has it

    def first(self, n: int) -> HeadQuery:
        """Return the same for the first n position states only."""
        return HeadQuery(
            self.means, self.kinds[:n], self.values[:n], self.floor
        )

    def fixed(
        self, level: Array
    ) -> Summary | None:  # [n_position_states up to a level]
        """Return what the head sees at the last of these positions if each of them offers it
        only one key; else None.
        """
        n = len(level)
        part = self.first(n)
        alive = part.seen(np.full(n, self.floor[level[-1]]))
        columns = (level, part.kinds, part.values)
        keys = {
            *zip(*(column[alive].tolist() for column in columns), strict=True)
        }
        hidden = set(level[~alive].tolist())
        positions = {position for position, _, _ in keys}
        if len(positions) < len(keys) or positions & hidden:
            return None
        summary: Summary = ()
        for _, kind, value in sorted(keys):
            summary = self.means.insert(summary, (kind, value))
        return summary


class Slots:
    """All head queries of a model, each made when it is first asked for."""

    def __init__(
        self,
        network: Network,
        position_states: PositionStates,
        tolerance: float,
    ) -> None:
        self.network = network
        self.position_states = position_states
        self.tolerance = tolerance
        self._keys: dict[
            tuple[int, int], tuple[Zonotope, Zonotope, Array, Values]
        ] = {}
        self._slots: dict[tuple[Any, ...], HeadQuery] = {}
        # where each position's states begin
        self.starts = np.flatnonzero(np.diff(position_states.level, prepend=-1))

    def __call__(self, head: HeadPart, query: Zonotope) -> HeadQuery:
        """Return the head query of a head and a query [n_match]."""
        key = (head.name, query.c.tobytes(), query.r.tobytes())
        if key not in self._slots:
            if len(self._slots) > _MOST_KEPT:
                self._slots.clear()
            self._slots[key] = self._slot(head, query)
        return self._slots[key]

    def _slot(self, head: HeadPart, query: Zonotope) -> HeadQuery:
        keys, values, numbers, table = self._of(head)
        gap = gap_of(self.network, head, self.tolerance)
        means = Means(
            self.network.precision, head, gap, self.network.n_ctx, table
        )
        kinds, numbers = means.labels(
            scores_of(self.network.precision, query, keys, apart=True),
            values,
            numbers,
        )
        # [n_positions]
        least = np.minimum.reduceat(means.bounds[0][kinds], self.starts)
        return HeadQuery(
            means, kinds, numbers, np.maximum.accumulate(least), query
        )

    def _of(self, head: HeadPart) -> tuple[Zonotope, Zonotope, Array, Values]:
        """Return the keys and values of all position states."""
        if head.name not in self._keys:
            x = self.position_states.stream(head.layer)
            p = self.network.precision
            table = Values()
            values = p.linear(x, *head.value)
            self._keys[head.name] = (
                p.linear(x, *head.key),
                values,
                table.numbers(values.c),
                table,
            )
        return self._keys[head.name]
