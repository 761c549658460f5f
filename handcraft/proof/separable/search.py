"""The prover: searches for the largest classes of texts that can be shown to be right.

It computes the terms of the sum in plain arithmetic and takes off what floats may do: a sum of
products is off by a few u times the sum of the sizes of all its terms, sizes of sizes and so on,
which is more than the checker will find. With the limit of a class the worst text gets worse, so
of each pattern the greatest limit is kept at which every wrong token is still behind.

Rules of this file: it shares no bound with the checker (layer.py, weighing.py); what it finds is
only a proposal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.prover.network import Undecided
from handcraft.proof.separable.certificate import OfLength
from handcraft.proof.separable.classes import (
    By,
    Limits,
    Pattern,
    kind_of_patterns,
    occurs,
    patterns,
)
from handcraft.proof.separable.ranking import Ranking, Shape
from handcraft.proof.separable.sized import LayerParts

_OF_SCORES = (
    4.0  # times u and the number of terms: three sums inside each other
)
_OF_LOGITS = 5.0  # the same of the value, the mean, the output and the logit
_FAR = 500.0  # exponents from here on are not followed
_OF_WEIGHTS = 24.0  # times u: exp, and the products behind it


class ClassSearch:
    """The search for the classes of one shape."""

    def __init__(
        self, parts: LayerParts, ranking: Ranking, shape: Shape
    ) -> None:
        self.parts = parts
        self.ranking = ranking
        self.shape = shape
        self.by: By = kind_of_patterns(shape)
        self.kinds = patterns(shape, self.by)
        order, n = ranking.order, len(shape)
        self.keys = [parts.keys(order, i) for i in shape.free]
        self.added = [parts.added(order, i) for i in shape.free]
        self.slack = [parts.slack(x, n) for x in self.added]
        self.lasts = ranking.last(shape)
        self.streams = parts.stream(self.lasts, n - 1)
        self.queries = parts.read(self.streams, parts.head.query)
        self.there = parts.there(self.lasts, n - 1)
        self.off = parts.slack(self.there, n) + 1e-30
        self._alike()

    def _alike(self) -> None:
        """Keep one of all free places if the head cannot tell them apart."""
        pairs = zip(self.keys, self.added, strict=True)
        rows = [(k.c, k.size, a.c, a.size) for k, a in pairs]
        self.alike = len(rows) > 1 and all(
            np.array_equal(x, y)
            for row in rows[1:]
            for x, y in zip(rows[0], row, strict=True)
        )
        if self.alike:
            del self.keys[1:], self.added[1:], self.slack[1:]

    def limits(self, tick: Callable[[], None]) -> Limits:
        """The greatest limits [q][m][pattern] that can be shown."""
        n = len(self.ranking.order)
        found = []
        for q in range(len(self.lasts)):
            query = _Query(self, q)
            found.append([self._row(query, q, m) for m in range(n)])
            tick()
        return found

    def _row(self, query: _Query, q: int, m: int) -> list[int]:
        here = [
            i
            for i, kind in enumerate(self.kinds)
            if occurs(self.shape, q, m, kind) and kind.most(m)
        ]
        row = [0] * len(self.kinds)
        if here:
            kinds = [self.kinds[i] for i in here]
            for i, limit in zip(here, query.greatest(m, kinds), strict=True):
                # of one pattern, the more may be over it the less it is
                row[i] = min(limit, row[i - 1]) if self.kinds[i].over else limit
        return row


@dataclass(frozen=True, eq=False)
class _Terms:
    """The worst terms: what stands everywhere [n_vocab], the greatest token itself
    [n_place, n_vocab], and all up to each rank [n_place, m + 1, n_vocab].
    """

    base: Array
    own: Array | None
    upto: Array | None


class _Query:
    """The texts of a shape with one last token."""

    def __init__(self, search: ClassSearch, q: int) -> None:
        self.search = search
        parts, shape = search.parts, search.shape
        query = search.queries[q]
        self.scores = [parts.scores(query, keys) for keys in search.keys]
        alone = [([shape.fixed[i] or 0], i) for i in shape.settled]
        alone.append(([search.lasts[q]], len(shape) - 1))
        self.alone = [
            (
                parts.added(tokens, i),
                parts.scores(query, parts.keys(tokens, i)),
            )
            for tokens, i in alone
        ]
        there, off = search.there.c[q], search.off[q]
        self.ahead = [
            (x.c + slack + there + off, x.c - slack + there - off)
            for x, slack in zip(search.added, search.slack, strict=True)
        ]
        self.ahead_alone = [
            (
                x.c + (s := parts.slack(x, len(shape))) + there + off,
                x.c - s + there - off,
            )
            for x, _ in self.alone
        ]

    def greatest(self, m: int, kinds: Sequence[Pattern]) -> list[int]:
        """The greatest limit of each pattern, by halving what is open: with each limit more the
        worst gets worse.
        """
        terms = self._terms(m, self.search.ranking.order[m])
        most = np.array([kind.most(m) for kind in kinds])
        shown, left, asked = np.zeros_like(most), most.copy(), most
        while len(still := np.flatnonzero(shown < left)):
            some = [kinds[int(i)] for i in still]
            good = self._good(terms, some, asked[still] - 1)
            shown[still] = np.where(good, asked[still], shown[still])
            left[still] = np.where(good, left[still], asked[still] - 1)
            asked = (shown + left + 1) // 2
        return [int(x) for x in shown]

    def _terms(self, m: int, right: int) -> _Terms:
        """The terms of texts whose greatest token is of this rank."""
        upto = slice(m + 1)
        scores = [(s[upto], off[upto]) for s, off in self.scores]
        alone = [scores for _, scores in self.alone]
        best = max(float((s + off).max()) for s, off in [*scores, *alone])
        shift = max((float(s[m]) for s, _ in scores), default=best)
        base = [
            self._worst(ahead, own, s, off, best, shift, right)[0]
            for (ahead, own), (s, off) in zip(
                self.ahead_alone, alone, strict=True
            )
        ]
        worst = [
            self._worst(ahead[upto], own[upto], s, off, best, shift, right)
            for (ahead, own), (s, off) in zip(self.ahead, scores, strict=True)
        ]
        total = np.sum(base, axis=0)
        total[right] = -np.inf  # it is not ahead of itself
        if not worst:
            return _Terms(total, None, None)
        found = np.stack(worst)
        return _Terms(total, found[:, m], np.maximum.accumulate(found, axis=1))

    def _worst(
        self,
        ahead: Array,
        own: Array,
        s: Array,
        off: Array,
        best: float,
        shift: float,
        right: int,
    ) -> Array:  # -> [n, n_vocab]
        u = self.search.parts.u
        off = off + 2 * u * (best - s + 1) + 2.0**-46 * (abs(shift) + abs(best))
        lead = ahead - own[:, right, None]
        rounds = _OF_WEIGHTS * u + 1e-11
        apart = best - shift
        flushed = 2.0**-124 * np.exp(apart) if apart < _FAR else np.inf
        low = np.exp(np.minimum(s - shift - off, _FAR)) * (1 - rounds)
        low = np.maximum(low - flushed, 0.0)
        high = np.exp(s - shift + off) * (1 + rounds) + flushed
        worst = np.where(lead > 0, lead * high[:, None], lead * low[:, None])
        return worst + 1e-10 * np.abs(worst)

    def _good(
        self, terms: _Terms, kinds: Sequence[Pattern], below: Array
    ) -> Array:  # [n_pattern] -> [n_pattern] bool
        """True for each pattern that is right if the rest hold at most these ranks."""
        total = terms.base  # [n_vocab]
        if terms.own is not None and terms.upto is not None:
            most = terms.upto[:, max(terms.upto.shape[1] - 2, 0)]
            rest = terms.upto[:, below]  # [n_place, n_pattern, n_vocab]
            total = total + self._summed(terms.own, most, rest, kinds)
        worst = np.broadcast_to(total, (len(kinds), len(terms.base)))
        return np.asarray(worst.max(axis=1) < 0)

    def _summed(
        self, own: Array, most: Array, rest: Array, kinds: Sequence[Pattern]
    ) -> Array:  # [n_place, n_vocab] twice, [n_place, n_pattern, n_vocab]
        """The worst sum over the free places: of m, of anything below it, below the limits."""
        counts = np.array([[kind.count] for kind in kinds])
        overs = np.array([[kind.over] for kind in kinds])
        rests = np.array([[kind.rest] for kind in kinds]) - overs
        if self.search.alike:
            below = np.where(rests > 0, rests * rest[0], 0.0)
            found = counts * own[0] + overs * most[0] + below
        else:
            found = self._apart(own, most, rest, kinds)
        everywhere = own.sum(axis=0) * (len(self.search.shape.free) / len(own))
        return np.where(rests + overs > 0, found, everywhere)

    def _apart(
        self, own: Array, most: Array, rest: Array, kinds: Sequence[Pattern]
    ) -> Array:
        """The same where the head can tell the places apart. What nearly cancels is off by as much
        as it was large.
        """
        counts = np.array([[kind.count] for kind in kinds])
        overs = np.array([[kind.over] for kind in kinds])
        mine, more = own[:, None] - rest, most[:, None] - rest
        size = (np.abs(own) + np.abs(most))[:, None] + np.abs(rest)
        care = 1e-10 * size.sum(axis=0)  # [n_pattern, n_vocab]
        if self.search.by == "number":
            found = _best(mine, counts) + _best(more, overs)
            return np.asarray(rest.sum(axis=0) + found + care)
        holds = np.array(
            [
                [[i in (kind.places or ())] for kind in kinds]
                for i in self.search.shape.free
            ]
        )
        found = np.where(holds, own[:, None], rest).sum(axis=0)
        over = _best(np.where(holds, 0.0, more), overs) + care
        return np.where(overs > 0, found + over, found)


def _best(
    gain: Array, counts: Array
) -> (
    Array
):  # [n_place, n_pattern, n_vocab], [n_pattern, 1] -> [n_pattern, n_vocab]
    """The sum of so many of the greatest gains."""
    if not counts.any():
        return np.zeros(gain.shape[1:])
    sums = np.sort(gain, axis=0)[::-1].cumsum(axis=0)
    sums = np.concatenate([np.zeros((1, *sums.shape[1:])), sums])
    at = counts[None].repeat(gain.shape[2], axis=2)
    return np.asarray(np.take_along_axis(sums, at, axis=0)[0])


def searched(
    model: Model,
    ranking: Ranking,
    deadline: float,
    progress: Callable[[int, int], None],
) -> Iterator[OfLength]:
    """The classes that can be shown, for each length of the texts. Raises Undecided where the time
    is over, or for a model that is no single attention layer.
    """
    total = sum(len(ranking.last(shape)) for shape in ranking.shapes)
    done = count()

    def tick() -> None:
        if time.monotonic() > deadline:
            raise Undecided("the time was over")
        progress(next(done), total)

    parts = LayerParts(model)
    for shape in ranking.shapes:
        with np.errstate(all="ignore"):  # what is not a number shows nothing
            search = ClassSearch(parts, ranking, shape)
            yield OfLength(len(shape), search.by, search.limits(tick))
