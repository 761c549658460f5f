"""What a head brings: which selection it makes, and how exactly, is read off its scores.

    HeadReading(...).brought(queries, keys, values, begin)   the lanes that the head's values become

The keys are the token that begins the text, and the positions of the text. For each query the
scores of both are intervals, and a head is one of three kinds: it sums (head_sum), it chooses one
position (head_choice), or it takes the mean of several (head_mean).
Rules of this file: every other kind of head is Rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from handcraft.proof.checker.zonotope import UP, Floats, Zonotope
from handcraft.proof.lanes.derived import count_rows, large, most_together
from handcraft.proof.lanes.head_choice import (
    SeveralDiffer,
    alone_at_levels,
    chosen_by,
    levels_of,
)
from handcraft.proof.lanes.head_compared import compared_scores
from handcraft.proof.lanes.head_mean import mean_of_several
from handcraft.proof.lanes.head_placed import chosen_at_places
from handcraft.proof.lanes.head_prompt import chosen_in_prompts
from handcraft.proof.lanes.head_sum import is_sum, sum_of_head
from handcraft.proof.lanes.numbers import (
    LaneNumbers,
    fewer_rows,
    gathered,
    smaller,
)
from handcraft.proof.lanes.scores import Begin, HeadScores
from handcraft.proof.lanes.symbols import Labels, Symbols


class HeadReading:
    """One head of a model, as it is computed in floats."""

    def __init__(self, symbols: Symbols, floats: Floats, d_head: int) -> None:
        self.symbols = symbols
        self.floats = floats
        self.scores = HeadScores(symbols, floats, d_head)
        self.n = symbols.n

    def begun(
        self,
        begin: Begin,
        keys: tuple[Labels, Zonotope],
        values: Sequence[LaneNumbers],
    ) -> Zonotope:
        """What the first token gets: itself, and what is left of the others where it sees them."""
        if self.symbols.causal:
            return begin.v
        own_low, _ = self.scores.divided(begin.q, begin.k)
        _, high = self.scores.divided(begin.q, keys[1])
        gap = float(own_low[0] - high.max())
        if gap > self.floats.silent:
            return begin.v
        far = min(1.0, self.n * math.exp(min(0.0, -gap)) * (1 + 2.0**-10)) * UP
        v = begin.v.plain()
        r = v.r.copy()
        for i, lane in enumerate(values):
            apart = float(
                (np.abs(lane.c - v.c[0, i]) + lane.radius).max()
            ) + float(v.r[0, i])
            size = max(lane.most, float(abs(v.c[0, i]) + v.r[0, i]))
            r[0, i] += (far * apart + self.scores.rounding(size)) * UP
        return Zonotope.of(v.c, r)

    def brought(
        self,
        queries: tuple[Labels, Zonotope],
        keys: tuple[Labels, Zonotope],
        values: Sequence[LaneNumbers],
        begin: Begin,
    ) -> list[LaneNumbers]:
        """What the head brings to a position of a text, a lane for each value, with a remainder
        and no shared errors. Raises Rejected for a head of no known kind.
        """
        if self.symbols.placed:
            return chosen_at_places(self.scores, queries, keys, values, begin)
        queries, keys = self._fewer(queries, keys, values)
        found = compared_scores(self.scores, queries, keys, begin)
        if found is None:
            found = self.scores.of(queries, keys, begin)
        if is_sum(found, begin):
            return [sum_of_head(self.scores, found, lane) for lane in values]
        if self.symbols.texts is None and (apart := alone_at_levels(found)):
            return chosen_by(self.scores, found, *apart, values, begin)
        if self.symbols.few:
            with self.symbols.of_asked(False):
                values = [smaller(self.symbols, x, new=True) for x in values]
        # the keys with what is read there, so that values can be compared
        read = {x for lane in values for x in lane.labels}
        if not read <= set(keys[0]):
            found = self.scores.of(queries, keys, begin, tuple(sorted(read)))
        if self.symbols.texts is not None:
            return chosen_in_prompts(self.scores, found, values, begin)
        levels, gaps = levels_of(found)
        with suppress(SeveralDiffer):
            return chosen_by(self.scores, found, levels, gaps, values, begin)
        return mean_of_several(self.scores, found, levels, gaps, values, begin)

    def _fewer(
        self,
        queries: tuple[Labels, Zonotope],
        keys: tuple[Labels, Zonotope],
        values: Sequence[LaneNumbers],
    ) -> tuple[tuple[Labels, Zonotope], tuple[Labels, Zonotope]]:
        """Queries and keys over fewer rows, where there are too many of them, or of pairs with what
        is read at the key.
        """
        sizes = [
            count_rows(self.symbols, x)
            for x in (queries[0], _read_with(keys[0], values))
        ]
        pairs_fit = sizes[0] * sizes[1] <= most_together(self.symbols)
        if pairs_fit and max(sizes) <= large(self.symbols):
            return queries, keys
        queries = fewer_rows(self.symbols, *queries)
        with self.symbols.of_asked(False):  # a key stands anywhere
            return queries, fewer_rows(self.symbols, *keys)


def _read_with(labels: Labels, values: Sequence[LaneNumbers]) -> Labels:
    """Labels of keys with those of what is read there."""
    return tuple(sorted({*labels, *(x for v in values for x in v.labels)}))


def keys_of(
    symbols: Symbols, lanes: Sequence[LaneNumbers]
) -> tuple[Labels, Zonotope]:
    """Lanes of one position as rows."""
    labels, rows, _ = gathered(symbols, lanes)
    return labels, rows
