"""The token of the greatest number, two tokens at a time: no table has so many rows.

    MostByPairs(meaning, most)       the numbers of a claim `most`, as sums over keys
        .margin(stream)              the least margin of the right token, and the greatest error

Where the claim says x, the number of x is at least that of each other token y, and greater if y is
listed before x. So for each ordered pair the logit of x must be ahead of that of y on all texts in
which this holds of the two; of a y that is not listed, or where that is not enough, on all texts in
which the number of x, times how many are listed, is at least the sum of all of them.
Rules of this file: every token of the vocabulary is compared with every one that is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.last_heads import Apart, LastHeads
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.pair_rows import PairRows
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.summands import (
    Summands,
    summands_of,
    whole_summands,
)
from handcraft.proof.lanes.symbols import AxisLabel, Labels, Symbols
from handcraft.sequence.expression import Expression

_Added: TypeAlias = list[tuple[Summands, int]]  # numbers, each so many times


class MostByPairs:
    """A claim `most`: its tokens, and the number of each."""

    def __init__(self, meaning: MeaningForms, most: Expression) -> None:
        self.symbols = meaning.symbols
        self.named = [str(token) for (token,), _ in most.table]
        if len(set(self.named)) < len(self.named):
            raise Rejected("the claim names a token twice")
        if len(self.named) != len(most.args):
            raise Rejected("the claim has another number of numbers")
        found = [summands_of(meaning, x) for x in most.args]
        with self.symbols.of_asked(self.symbols.texts is not None):
            self.numbers = whole_summands(self.symbols, found)

    def margin(self, stream: LaneStream) -> tuple[float, float]:
        """The least margin of the right token, and the greatest error of a difference. Raises
        Rejected where it may not be ahead.
        """
        ids = stream.model.vocabulary.ids
        if not set(self.named) <= set(ids):
            raise Rejected("the claim may ask for what is no token")
        listed = {ids[token]: i for i, token in enumerate(self.named)}
        if len(stream.wte) < 2:
            raise Rejected("there is a single token")
        least, error = np.inf, 0.0
        with self.symbols.of_asked(stream.asked is not None):
            check = _Comparing(self.symbols, self.numbers, LastHeads(stream))
            for x, i in listed.items():
                for y in range(len(stream.wte)):
                    if y != x:
                        found, off = check.margin((x, i), (y, listed.get(y)))
                        least, error = min(least, found), max(error, off)
        if not np.isfinite(least):
            raise Rejected("no text has a greatest number")
        return float(least), error


@dataclass(frozen=True, eq=False)
class _Comparing:
    """Tokens, two at a time."""

    symbols: Symbols
    numbers: Sequence[Summands]
    heads: LastHeads
    known: dict[Labels, PairRows] = field(default_factory=dict)

    def margin(
        self, said: tuple[int, int], other: tuple[int, int | None]
    ) -> tuple[float, float]:
        """By how much a token that is claimed is ahead of another one, at least, and how far that
        can be off. Both are ids, and their numbers among those that are listed. Raises Rejected
        where it may not be ahead.
        """
        apart = self.heads.apart(said[0], other[0])
        worst = -np.inf
        for added, least in self._conditions(said[1], other[1]):
            found = self._under(apart, added, least)
            if found > 0:
                return found, apart.error
            worst = max(worst, found)
        raise Rejected(f"the margin may be {worst:.6g}")

    def _conditions(
        self, x: int, y: int | None
    ) -> Iterator[tuple[_Added, int]]:
        """What holds where the claim says number x: the least that a sum of numbers is."""
        mine = self.numbers[x]
        if y is not None:
            yield [(mine, 1), (self.numbers[y], -1)], int(y < x)
        others = [n for z, n in enumerate(self.numbers) if z != x]
        # each of those that are listed before it is less by 1 at least
        yield [(mine, len(others)), *((n, -1) for n in others)], x

    def _under(self, apart: Apart, added: _Added, least: int) -> float:
        """The least margin on all texts in which a condition holds."""
        rows = self._rows(_labels(apart, added))
        found = rows.keys_of(apart).least(rows.condition(added, least))
        return float(found[rows.possible].min(initial=np.inf))

    def _rows(self, labels: Labels) -> PairRows:
        if labels not in self.known:
            self.known[labels] = PairRows(self.symbols, labels)
        return self.known[labels]


def _labels(apart: Apart, added: _Added) -> Labels:
    """All that a comparison depends on."""
    read: set[AxisLabel] = {*apart.own.labels}
    for number, _ in added:
        read |= {*number.weights.labels, *number.rest.labels}
    if apart.keys is not None and apart.head is not None:
        pairs = apart.head.pairs
        read |= {*apart.keys.labels, *pairs.queries, *pairs.keys}
    return tuple(sorted(read))
