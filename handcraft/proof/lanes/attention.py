"""Which selection a head makes, and how exactly: read off its scores, pair by pair.

    HeadReading(...).brought(queries, keys, values, begin)   the lanes that the head's values become

The keys are the token that begins the text, and the positions of the text. For each query the
scores of both are intervals, and a head is one of two kinds:

    a sum     the first token has the greatest score, and its values are exactly 0. So each key has
              a share e^(s - b) / (1 + ...) of the attention: the same for all that are nearest to
              it, next to nothing for others. What is brought is that share times the sum of the
              values over these keys.
    a choice  the scores stand at levels that are far apart, and of the greatest level there is
              one position only, or all have the same value. It has all of the attention but e^-gap.
              Where the first token stands above all keys, its values are brought.

Rules of this file: every score is bounded, every other kind of head is Rejected; a level may be
taken for unreachable only where a greater one surely is there (handcraft.proof.lanes.choices).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Floats, Rejected, Zonotope
from handcraft.proof.lanes.choices import Levels, PairTable
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    as_objects,
    composed,
    moved_to_key,
)
from handcraft.proof.lanes.numbers import LaneNumbers, gathered
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    Labels,
    Symbols,
    spread,
)
from handcraft.proof.lanes.totals import total_form

_GAP = 12.0  # scores that are nearer than that are at one level
_SAME = 2.0**-12  # values at one level that are as near as that are the same
_NEAR = 0.5  # scores of what is summed are as near as that
_FARTHEST = 60.0  # the first token is not farther ahead of what is summed
_EXP = 8.0  # units of roundoff
_PARTS = (1, 2, 4, 8, 16)


@dataclass(frozen=True, eq=False)
class PairScores:
    """The scores of the pairs, after the division: [n_query, n_key], and of the first token."""

    pairs: PairTable
    low: Array
    high: Array
    first_low: Array  # [n_query]
    first_high: Array

    @property
    def asked(self) -> Array:
        """True for the queries that can be."""
        possible = self.pairs.symbols.possible(self.pairs.queries)
        return np.array(possible.reshape(-1))


@dataclass(frozen=True, eq=False)
class Begin:
    """What the first token offers to a head: its query, key and values, one row each."""

    q: Zonotope
    k: Zonotope
    v: Zonotope


class HeadReading:
    """One head of a model, as it is computed in floats."""

    def __init__(self, symbols: Symbols, floats: Floats, d_head: int) -> None:
        self.symbols = symbols
        self.floats = floats
        self.d_head = d_head
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
        own_low, _ = self._scores(begin.q, begin.k)
        _, high = self._scores(begin.q, keys[1])
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
            r[0, i] += (far * apart + self._rounding(size)) * UP
        return Zonotope.of(v.c, r)

    def _rounding(self, size: float) -> float:
        """What the softmax and the sum of the values round, of values of this size at most."""
        u = self.floats.u
        least = (self.n + 2) * self.floats.least
        return ((32 + 4 * self.n) * u * size + least * (2 + size)) * UP

    def _scores(self, q: Zonotope, k: Zonotope) -> tuple[Array, Array]:
        """The scores of one query, after the division by the root of the width."""
        low, high = self.floats.dot(q.plain(), k.plain())
        root = math.sqrt(self.d_head)
        error = 4 * (self.floats.u + 2.0**-52)

        def divided(x: Array, sign: float) -> Array:
            found = x / root
            off = np.abs(found) * error + np.where(
                x == 0, 0.0, self.floats.least
            )
            exact = (
                x == 0
                if root != 2.0 ** round(math.log2(root))
                else ((x == 0) | (np.abs(found) >= self.floats.least))
            )
            return np.where(exact, found, found + sign * off)

        return divided(low, -1.0), divided(high, 1.0)

    def scores(
        self,
        queries: tuple[Labels, Zonotope],
        keys: tuple[Labels, Zonotope],
        begin: Begin | None,
    ) -> PairScores:
        """The scores of all pairs, over the query's labels and the key's own; what all positions
        share is the query's. Raises Rejected where there are too many.
        """
        at_keys = tuple(self.symbols.label(1, s) for _, s in keys[0])
        shared = tuple(x for x in at_keys if x[0] == 0)
        wide = tuple(sorted({*queries[0], *shared}))
        own = tuple(x for x in at_keys if x[0] == 1)
        pairs = PairTable.of(self.symbols, wide, own)
        of_query = self._numbers(wide, wide, queries[0])
        by_shared = self._numbers((*shared, *own), (*shared, *own), at_keys)
        by_shared = by_shared.reshape(
            int(np.prod(self.symbols.shape(shared), dtype=np.int64)), -1
        )
        of_shared = self._numbers(wide, wide, shared)
        low, high = np.zeros(pairs.mask.shape), np.zeros(pairs.mask.shape)
        first = np.full((2, len(pairs.mask)), -np.inf)
        for row, (i, j) in enumerate(zip(of_query, of_shared, strict=True)):
            q, k = queries[1][i : i + 1], keys[1][by_shared[j]]
            low[row], high[row] = self._scores(q, k)
            if begin is not None:
                ahead = self._scores(q, begin.k)
                first[:, row] = ahead[0][0], ahead[1][0]
        return PairScores(pairs, low, high, first[0], first[1])

    def _numbers(
        self, shaped: Labels, labels: Labels, part: Labels
    ) -> Array:  # -> [n_row of all]
        """The row of a table over some of the labels, for each row of one over all."""
        shape = self.symbols.shape(shaped)
        if not part:
            return np.zeros(int(np.prod(shape, dtype=np.int64)), dtype=np.int64)
        index = np.indices(shape)
        at = tuple(index[labels.index(x)] for x in part)
        found = np.ravel_multi_index(at, self.symbols.shape(part))
        return np.array(found.reshape(-1))

    def brought(
        self,
        queries: tuple[Labels, Zonotope],
        keys: tuple[Labels, Zonotope],
        values: Sequence[LaneNumbers],
        begin: Begin | None,
    ) -> list[LaneNumbers]:
        """What the head brings to a position of a text, a lane for each value, with a remainder
        and no shared errors. Raises Rejected for a head of no known kind.
        """
        if self._sums(self.scores(queries, keys, begin), begin):
            found = self.scores(queries, keys, begin)
            return [self._sum(found, lane) for lane in values]
        # the keys with what is read there, so that values can be compared
        labels, wide = self._with_values(keys, values)
        found = self.scores(queries, (labels, wide), begin)
        levels, gaps = self._levels(found)
        return self._chosen(found, levels, gaps, values, begin)

    def _with_values(
        self, keys: tuple[Labels, Zonotope], values: Sequence[LaneNumbers]
    ) -> tuple[Labels, Zonotope]:
        labels, rows = keys
        wide = tuple(sorted({*labels, *(x for v in values for x in v.labels)}))
        shape = self.symbols.shape(wide)
        index = np.indices(shape)
        at = [index[wide.index(x)] for x in labels]
        number = (
            np.ravel_multi_index(tuple(at), self.symbols.shape(labels))
            if labels
            else np.zeros(shape, dtype=np.int64)
        )
        return wide, rows[number.reshape(-1)]

    # ------------------------------------------------------------ a sum

    def _sums(self, scores: PairScores, begin: Begin | None) -> bool:
        """True if the first token is ahead of all keys, but not too far, and brings nothing."""
        if begin is None:
            return False
        if begin.v.c.any() or begin.v.radius.any():
            return False
        mask = scores.pairs.mask
        behind = scores.first_low[:, None] - scores.high
        return bool(
            mask.any()
            and (behind[mask] >= 0).all()
            and behind[mask].min() <= _FARTHEST
        )

    def _sum(self, scores: PairScores, lane: LaneNumbers) -> LaneNumbers:
        """A share of the sum of a value over the keys that are nearest to the first token."""
        mask = scores.pairs.mask
        behind_low = scores.first_low[:, None] - scores.high
        behind_high = scores.first_high[:, None] - scores.low
        near = mask & (behind_low <= behind_low[mask].min() + _NEAR)
        share, off, rest = self._share(
            behind_low, behind_high, near, mask & ~near
        )
        unit, numbers, far = _units(lane)
        weights = self._weights(scores, near, lane.labels, numbers)
        summed = total_form(self.symbols, weights)
        size = lane.most
        error = self.n * (
            off * size
            + share * float((far + lane.radius).max()) * UP
            + rest * size
        ) + self._small(size)
        table = np.array(
            [float(x) for x in summed.table.reshape(-1)], dtype=np.float64
        ).reshape(summed.table.shape)
        c = table * (share * unit)
        r = np.full_like(c, error * UP) + np.abs(c) * 2.0**-50
        return LaneNumbers(summed.labels, c, r * UP)

    def _small(self, size: float) -> float:
        return 4 * (self.n + 2) * self.floats.least * (1 + size)

    def _share(
        self, low: Array, high: Array, near: Array, others: Array
    ) -> tuple[float, float, float]:
        """The share of a key that is summed, how far it can be off, and that of any other."""
        u = self.floats.u
        far = float(high[near | others].max()) + 1.0
        # the argument of exp is a rounded difference; exp, the sum, the division, the products
        error = (_EXP + 4 * self.n + 16) * u + 2 * u * far + 2.0**-40
        most = math.exp(-float(low[near].min())) * (1 + error)
        rest = 0.0
        if others.any():
            rest = math.exp(-float(low[others].min())) * (1 + error)
        whole = 1 + self.n * (most + rest)
        least = math.exp(-float(high[near].max())) * (1 - error) / whole
        share = 2.0 ** round(math.log2((most + least) / 2))
        if not least <= share <= most:
            share = (most + least) / 2
        off = max(most - share, share - least) * UP
        return share, off + share * 2.0**-48, rest * UP

    def _weights(
        self, scores: PairScores, near: Array, labels: Labels, numbers: Array
    ) -> Form:
        """The value where a key is summed, else 0."""
        pairs = scores.pairs
        shape = self.symbols.shape((*pairs.queries, *pairs.keys))
        flags = Form(
            (*pairs.queries, *pairs.keys),
            as_objects([int(x) for x in near.reshape(-1)]).reshape(shape),
        )
        table = as_objects([int(x) for x in numbers.reshape(-1)])
        value = moved_to_key(
            self.symbols, Form(labels, table.reshape(numbers.shape))
        )
        return applied(self.symbols, lambda a, b: a * b, flags, value)

    # ------------------------------------------------------------ a choice

    def _levels(self, scores: PairScores) -> tuple[Array, Array]:
        """The level of each pair, and by how much each query tells its levels apart. -1 stands for
        what is behind the first token, -2 for what is beside it.
        """
        levels = np.full(scores.pairs.mask.shape, -1, dtype=np.int64)
        gaps = np.full(len(levels), np.inf)
        for row in np.flatnonzero(scores.asked):
            kept = np.flatnonzero(scores.pairs.mask[row])
            if scores.first_low[row] == -np.inf:  # there is no first token
                own, gaps[row] = _clusters(
                    scores.low[row, kept], scores.high[row, kept]
                )
                levels[row, kept] = own
                continue
            low = np.append(scores.low[row, kept], scores.first_low[row])
            high = np.append(scores.high[row, kept], scores.first_high[row])
            own, gaps[row] = _clusters(low, high)
            ahead = own[:-1] - own[-1] - 1
            beside = own[:-1] == own[-1]
            levels[row, kept] = np.where(
                beside, -2, np.where(ahead >= 0, ahead, -1)
            )
        return levels, gaps

    def _chosen(
        self,
        scores: PairScores,
        levels: Array,
        gaps: Array,
        values: Sequence[LaneNumbers],
        begin: Begin | None,
    ) -> list[LaneNumbers]:
        pairs = scores.pairs
        sure = pairs.sure(np.maximum(levels, -1))
        asked = scores.asked
        beside = (levels == -2).any(axis=1) & (sure < 0) & asked
        if beside.any() and self.symbols.texts is None:
            raise Rejected("the first token stands beside a key")
        reached = (levels >= 0) & (levels >= sure[:, None])
        reached[beside] = False
        same, alone, several = self._spread_at(pairs, levels, reached, values)
        unknown = beside | several
        if unknown.any() and (wider := self._wider(scores)) is not None:
            # where in the text a position is may tell more
            return self._chosen(wider, *self._levels(wider), values, begin)
        labels = (*pairs.queries, *pairs.keys)
        kept = np.where(unknown[:, None], -1, np.maximum(levels, -1))
        table = as_objects([int(x) for x in kept.reshape(-1)])
        form = Form(labels, table.reshape(self.symbols.shape(labels)))
        choice = Levels(self.symbols, form)
        gap = float(gaps[asked & ~unknown].min(initial=np.inf))
        found = []
        for i, lane in enumerate(values):
            first = (0.0, 0.0)  # where there is none, it is never read
            if begin is not None:
                first = begin.v.c[0, i], begin.v.radius[0, i]
            size = float(abs(first[0]) + first[1])
            error = self._left(gap, lane, size, alone) + same[i]
            read = self._read(choice, lane, first, error)
            if unknown.any():
                read = self._anything(read, pairs, unknown, lane, first)
            found.append(read)
        return found

    def _wider(self, scores: PairScores) -> PairScores | None:
        """The same with the place of the query; None where it is there already, or too much."""
        old = scores.pairs
        queries = tuple(sorted({*old.queries, (0, AT_INDEX), (0, AT_END)}))
        size = np.prod(
            self.symbols.shape((*queries, *old.keys)), dtype=np.int64
        )
        if queries == old.queries or size > 4_000_000:
            return None
        row = self._numbers(queries, queries, old.queries)
        return PairScores(
            PairTable.of(self.symbols, queries, old.keys),
            scores.low[row],
            scores.high[row],
            scores.first_low[row],
            scores.first_high[row],
        )

    def _anything(
        self,
        read: LaneNumbers,
        pairs: PairTable,
        unknown: Array,
        lane: LaneNumbers,
        first: tuple[float, float],
    ) -> LaneNumbers:
        """What is read, but between the least and the greatest value there is for queries of which
        more is not known: what is brought is a mean of values.
        """
        low = min(float((lane.c - lane.radius).min()), first[0] - first[1])
        high = max(float((lane.c + lane.radius).max()), first[0] + first[1])
        middle = (low + high) / 2
        far = max(high - middle, middle - low) * UP
        far += self._rounding(max(abs(low), abs(high)))
        wide = tuple(sorted({*read.labels, *pairs.queries}))
        shape = self.symbols.shape(wide)
        rows = unknown.reshape(self.symbols.shape(pairs.queries))
        rows = np.broadcast_to(spread(rows, pairs.queries, wide), shape)
        c, r = (spread(x, read.labels, wide) for x in (read.c, read.r))
        return LaneNumbers(
            wide, np.where(rows, middle, c), np.where(rows, far * UP, r)
        )

    def _left(
        self, gap: float, lane: LaneNumbers, first: float, alone: bool
    ) -> float:
        """How far a value can be from that of the selected key."""
        if alone and gap > self.floats.silent:
            return 0.0
        size = max(lane.most, first)
        leak = self.n * math.exp(-gap) * (1 + 2.0**-10)
        if alone and leak < self.floats.u / 8:
            # its weight is exactly 1; what is added to a float moves it by twice that at most
            least = (self.n + 2) * self.floats.least
            return (4 * leak * size + least * (2 + size)) * UP
        return (2 * min(1.0, leak) * size + self._rounding(size)) * UP

    def _spread_at(
        self,
        pairs: PairTable,
        levels: Array,
        reached: Array,
        values: Sequence[LaneNumbers],
    ) -> tuple[list[float], bool, Array]:
        """How far apart the values at one level can be, True if each is of one position, and the
        queries for which several positions with different values are at one level. These are
        Rejected where all positions are asked.
        """
        spread_of = [0.0] * len(values)
        alone = True
        several = np.zeros(len(levels), dtype=bool)
        for row, own in enumerate(levels):
            for level in np.unique(own[reached[row]]):
                at = np.flatnonzero((own == level) & reached[row])
                if pairs.at_most_one(at):
                    continue
                alone = False
                far = self._far_apart(pairs, row, at, values)
                if far is not None:
                    spread_of = [
                        max(x) for x in zip(spread_of, far, strict=True)
                    ]
                elif self.symbols.texts is None:
                    raise Rejected(
                        "a head may select several positions that differ"
                    )
                else:
                    several[row] = True
        return spread_of, alone, several

    def _far_apart(
        self,
        pairs: PairTable,
        row: int,
        at: Array,
        values: Sequence[LaneNumbers],
    ) -> list[float] | None:
        """How far apart the values at some keys of one query are; None where they differ."""
        found = []
        for lane in values:
            index = self._at_pairs(pairs, lane, row, at)
            c, r = np.atleast_1d(lane.c[index], lane.radius[index])
            if float(c.max() - c.min()) > _SAME:
                return None
            found.append(float((c + r).max() - (c - r).min()) * UP)
        return found

    def _at_pairs(
        self, pairs: PairTable, lane: LaneNumbers, row: int, at: Array
    ) -> tuple[Array, ...]:
        """Where a lane's numbers at some keys of one query stand in its tables."""
        index = []
        for _, s in lane.labels:
            label = self.symbols.label(1, s)
            if label[0] == 1:
                index.append(pairs.column(label)[at])
            else:
                index.append(np.full(len(at), pairs.row(label)[row]))
        return tuple(index)

    def _read(
        self,
        choice: Levels,
        lane: LaneNumbers,
        begun: tuple[float, float],
        error: float,
    ) -> LaneNumbers:
        """A value at the selected position, or the first token's."""
        read = [choice.picked(s) for _, s in lane.labels]
        labels, c, r = lane.labels, lane.c, lane.radius
        if all(self.symbols.all[s].everywhere for _, s in labels):
            # the same at all positions: whether there is one decides
            own = tuple(sorted((*labels, (0, AT_INDEX))))
            read.insert(own.index((0, AT_INDEX)), choice.picked(AT_INDEX))
            shape = self.symbols.shape(own)
            c, r = (
                np.broadcast_to(spread(x, labels, own), shape)
                for x in (c, lane.radius)
            )
            labels = own
        first, off = begun
        wide, centre = composed(self.symbols, labels, c, read, first)
        _, radius = composed(self.symbols, labels, r, read, off)
        return LaneNumbers(
            wide,
            np.array(centre, dtype=np.float64),
            (np.array(radius, dtype=np.float64) + error) * UP,
        )


def _clusters(low: Array, high: Array) -> tuple[Array, float]:
    """The number of each score's level, from the least on, and the least gap between two."""
    order = np.argsort(low, kind="stable")
    found = np.zeros(len(low), dtype=np.int64)
    top, level, gap = -math.inf, -1, math.inf
    for i in order:
        apart = float(low[i]) - top
        if apart > _GAP:
            level += 1
            if level:
                gap = min(gap, apart)
        found[i] = level
        top = max(top, float(high[i]))
    return found, gap * (1 - 2.0**-40) if math.isfinite(gap) else gap


def _units(lane: LaneNumbers) -> tuple[float, Array, Array]:
    """A unit, the whole numbers of it that a lane is nearly, and how far it is from them."""
    for part in _PARTS:
        numbers = np.rint(lane.c * part)
        far = np.abs(lane.c - numbers / part)
        if (far <= 1e-3 / part).all() and (np.abs(numbers) < 2**20).all():
            return 1 / part, numbers.astype(np.int64), far * UP
    raise Rejected("what is summed is no multiple of one number")


def keys_of(
    symbols: Symbols, lanes: Sequence[LaneNumbers]
) -> tuple[Labels, Zonotope]:
    """Lanes of one position as rows."""
    labels, rows, _ = gathered(symbols, lanes)
    return labels, rows.plain()
