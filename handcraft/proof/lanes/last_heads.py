"""The difference of two logits behind the heads of the last sublayer, as one combination of lanes.

    LastHeads(stream)        the heads of the last sublayer, each read once
        .apart(x, y)         what logit x is ahead of logit y: the Apart of two tokens

The logits are linear in what these heads bring, so the difference of two is one value for each key,
weighed as the head weighs it, and lanes of the position itself: only those count that the two
tokens read differently. Where a head picks one position, what it brings is a lane as any other.
Rules of this file: the floats of both logits are bounded, each with all that it adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import (
    UP,
    Rejected,
    Zonotope,
    difference_of,
    product_of,
    summed,
    up,
)
from handcraft.proof.lanes.head_linear import LinearHead, linear_head
from handcraft.proof.lanes.numbers import LaneNumbers, gathered
from handcraft.proof.lanes.offered import HeadParts
from handcraft.proof.lanes.straight import ReadOut
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import Labels


@dataclass(frozen=True, eq=False)
class Bounded:
    """The least of a combination of lanes, by the rows of a table."""

    labels: Labels
    low: Array


@dataclass(frozen=True, eq=False)
class Apart:
    """By how much one logit is ahead of another.

    own    what the position has without the head, less all that floats round
    keys   what the key brings, with its share where the head sums; None without a head
    first  what the first token brings, by itself
    head   how it weighs them
    error  how far the difference can be off
    """

    own: Bounded
    keys: Bounded | None
    first: float
    head: LinearHead | None
    error: float


@dataclass(frozen=True, eq=False)
class _Reading:
    """One head: how it weighs keys, or what it brings as lanes of the position."""

    columns: Array  # of all that heads bring
    values: list[LaneNumbers]
    first: Zonotope
    linear: LinearHead | None
    lanes: list[LaneNumbers]


class LastHeads:
    """The heads of the last sublayer of a stream that was followed up to there."""

    def __init__(self, stream: LaneStream) -> None:
        self.stream = stream
        self.floats = stream.floats
        attn = stream.blocks[-1]["attn"]
        self.out = attn["c_proj"]["w"].astype(np.float64)
        self.bias = attn["c_proj"]["b"].astype(np.float64)
        self.reading = ReadOut(stream)
        self.matrix = self.reading.matrix
        self.lanes = stream.text if stream.asked is None else stream.asked
        self.parts = stream.last_heads()
        self.heads = [self._read(x) for x in self.parts]
        self._sizes()

    def _read(self, part: HeadParts) -> _Reading:
        with self.stream.symbols.of_asked(self.stream.asked is not None):
            linear, lanes = self._weighed(part)
        return _Reading(part.columns, part.values, part.begin.v, linear, lanes)

    def _weighed(
        self, part: HeadParts
    ) -> tuple[LinearHead | None, list[LaneNumbers]]:
        scores = part.head.scores
        try:
            found = linear_head(scores, part.queries, part.keys, part.begin)
        except Rejected:
            found = None
        if found is not None and not _picks_one(found):
            return found, []
        return None, part.head.brought(
            part.queries, part.keys, part.values, part.begin
        )

    # ------------------------------------------------------------ what floats round

    def _sizes(self) -> None:
        """How large the lanes are, and how far each can be off in the last sum and before it."""
        self.values = np.zeros(len(self.out))  # of all that is read
        self.most = np.zeros(len(self.out))  # of what is brought
        for part, read in zip(self.parts, self.heads, strict=True):
            first = (np.abs(part.begin.v.c) + part.begin.v.radius)[0]
            most = np.maximum(first, [x.most for x in part.values]) * 1.001
            self.values[part.columns] = most
            lost = 4 * (self.stream.symbols.n + 3) * self.floats.least
            self.most[part.columns] = most * self._share(read.linear) + lost
        anywhere, _ = self._added(self._largest(), self.values)
        self.reading.errors(anywhere)  # nothing overflows, asked or not
        own = np.array([lane.most for lane in self.lanes])
        self.size, self.off = self._added(own, self.most)
        self.errors = self.reading.errors(self.size)

    def _share(self, head: LinearHead | None) -> float:
        """How much of the values a head brings: where it sums, the shares of all keys."""
        if head is None or head.mean:
            return 1.0
        shares = self.stream.symbols.n * head.share * (1 + head.off)
        return min(1.0, (shares + head.rest) * 1.001)

    def _added(self, own: Array, most: Array) -> tuple[Array, Array]:
        """How large lanes are with what heads bring, and how far they can be off."""
        floats = self.floats
        size = most @ np.abs(self.out) + np.abs(self.bias)  # [n_embd]
        terms = ((self.out != 0) & (most > 0)[:, None]).sum(axis=0)
        terms = terms + (self.bias != 0)
        off = floats.gamma(terms) * size + (terms + 2) * floats.least
        both = (own + size + off) * UP
        off = off + (floats.u + 2.0**-50) * both + floats.least
        off = np.where(terms > 0, off * UP, 0.0)
        return (both + off) * UP, off

    def _largest(self) -> Array:
        """How large each lane is at any position, asked or not."""
        stream = self.stream
        found = np.zeros(len(self.lanes))
        for lanes in filter(None, (stream.text, stream.asked, stream.first)):
            found = np.maximum(found, [lane.most for lane in lanes])
        return found

    # ------------------------------------------------------------ two tokens

    def apart(self, x: int, y: int) -> Apart:
        """By how much the logit of x is ahead of that of y."""
        d, wrong = difference_of(self.matrix[x], self.matrix[y])
        f, error = product_of(self.out, d)
        error = error + np.abs(self.out) @ wrong
        rounded = float(self.errors[x] + self.errors[y])
        rounded += float(self.off @ np.abs(d))
        rounded += float(self.size @ wrong + self.most @ error)
        constant = self.reading.constant
        bias = float(self.bias @ d) + float(constant[x] - constant[y])
        rounded += float(abs(constant[x]) + abs(constant[y])) * 2.0**-50
        rounded += float(np.abs(self.bias) @ np.abs(d)) * summed(len(d))
        own, most = _combined(self.stream, *self._lanes(d, f))
        reading = self._linear(f)
        keys, first, head = None, 0.0, None
        if reading is not None and reading.linear is not None:
            head = reading.linear
            keys, first, more = self._keys(reading, f[reading.columns], head)
            rounded += more
            most += float(self.most @ np.abs(f)) * head.off
        rounded = rounded * UP
        low = Bounded(own.labels, own.low + bias - rounded)
        return Apart(low, keys, first, head, rounded + most)

    def _lanes(
        self, d: Array, f: Array
    ) -> tuple[list[LaneNumbers], list[float]]:
        """The lanes of the position that count, and how much each does."""
        found = [
            (self.lanes[i], d[i])
            for i in np.flatnonzero(d)
            if not self.lanes[i].is_zero
        ]
        for reading in self.heads:
            if reading.linear is None:
                found += [
                    (lane, f[j])
                    for j, lane in zip(
                        reading.columns, reading.lanes, strict=True
                    )
                    if f[j] and not lane.is_zero
                ]
        return [lane for lane, _ in found], [float(w) for _, w in found]

    def _linear(self, f: Array) -> _Reading | None:
        """The head whose keys count; None where there is none. Raises Rejected for several."""
        found = [
            x
            for x in self.heads
            if x.linear is not None
            and any(
                f[j] and not (lane.is_zero and not _is_any(x.first, i))
                for i, (j, lane) in enumerate(
                    zip(x.columns, x.values, strict=True)
                )
            )
        ]
        if len(found) > 1:
            raise Rejected("two tokens are told apart by several heads")
        return found[0] if found else None

    def _keys(
        self, reading: _Reading, f: Array, head: LinearHead
    ) -> tuple[Bounded, float, float]:
        """What keys bring, what the first token does, and how far both can be off in all."""
        stream = self.stream
        used = np.flatnonzero(f)
        most = self.values[reading.columns][used]
        lanes = [reading.values[i] for i in used]
        low = _low(stream, lanes, f[used], head.share, head.off)
        first = _low_of(reading.first[:, used], f[used], head.share, head.off)
        size = float(np.abs(f[used]) @ most) * UP
        # what others have of a mean is taken from those that are chosen
        weight = (2 + head.off) * head.rest if head.mean else head.rest
        least = 4 * (stream.symbols.n + 3) * self.floats.least
        small = least * (len(used) + size + float(np.abs(f[used]).sum()))
        return low, float(first[0]), (weight * size + small) * UP


def _is_any(first: Zonotope, i: int) -> bool:
    return bool(first.c[0, i] or first.radius[0, i])


def _picks_one(head: LinearHead) -> bool:
    """True if each query has one key at most, without the first token."""
    if not head.mean or head.among.any():
        return False
    rows = (np.flatnonzero(row) for row in head.chosen)
    return all(head.pairs.at_most_one(row) for row in rows)


def _low(
    stream: LaneStream,
    lanes: Sequence[LaneNumbers],
    f: Array,
    share: float,
    off: float,
) -> Bounded:
    """The least of a combination of values at a key, by what the key is."""
    symbols = stream.symbols
    with symbols.of_asked(False):
        labels, rows, _ = gathered(symbols, lanes)
        shape = symbols.shape(labels)
    low = _low_of(rows, f, share, off)
    moved = tuple(symbols.label(1, s) for _, s in labels)
    order = sorted(range(len(moved)), key=lambda i: moved[i])
    table = np.transpose(low.reshape(shape), order)
    return Bounded(tuple(moved[i] for i in order), table)


def _low_of(rows: Zonotope, f: Array, share: float, off: float) -> Array:
    """The least of a share of each row's combination, where both can be off."""
    c, r, size = _sum(rows, f)
    whole = np.abs(rows.c) @ np.abs(f) + rows.radius @ np.abs(f)
    wrong = r * (1 + off) + off * whole * up(len(f)) + size * summed(len(f))
    return np.asarray(share * c - share * wrong * UP - 2.0**-1000)


def _sum(rows: Zonotope, f: Array) -> tuple[Array, Array, Array]:
    """The centre, the radius and the size of a combination of each row's numbers."""
    c = rows.c @ f
    size = (np.abs(rows.c) + rows.radius) @ np.abs(f)
    r = rows.r @ np.abs(f)
    if rows.g.shape[2]:
        r = r + np.abs(np.einsum("nds,d->ns", rows.g, f)).sum(axis=1)
    return c, r * up(len(f)) + size * 2.0**-45, size


def _combined(
    stream: LaneStream, lanes: Sequence[LaneNumbers], factors: Sequence[float]
) -> tuple[Bounded, float]:
    """The least of a combination of the position's lanes, and how far it can be off."""
    if not lanes:
        return Bounded((), np.zeros(())), 0.0
    symbols = stream.symbols
    with symbols.of_asked(stream.asked is not None):
        labels, rows, _ = gathered(symbols, lanes)
        shape: Any = symbols.shape(labels)
        possible = symbols.possible(labels).reshape(-1)
    c, r, size = _sum(rows, np.array(factors))
    r = (r + size * summed(len(factors))) * UP
    most = float(r[possible].max(initial=0.0))
    return Bounded(labels, (c - r).reshape(shape)), most
