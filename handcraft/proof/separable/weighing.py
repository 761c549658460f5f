"""The checker's worst text of each class: by how much the right token leads there.

For a last token q and a greatest token m, a text's terms are w_i G_i(l), where G_i(l) says how far
the logit of l may be above that of m if all weight were on position i, errors included, and w_i is
the weight of the position, bounded:

    w_i = exp(s_i - s) (1 + 9.5 u) exp(u |s_i - best|) + what may be flushed to zero

The shift s is common to all positions, and the best score is that of some token up to m. So a
term is at most max(low G, high G), the worst of all tokens below a limit is a running maximum, and
a class is right if the sum of the worst is below zero for every l. Divided by the greatest total
weight it is a lead that is certain.

Rules of this file: what is not a number shows nothing; a bound is never too small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Floats
from handcraft.proof.separable.classes import Pattern
from handcraft.proof.separable.layer import OneLayer, Seen
from handcraft.proof.separable.ranking import Ranking, Shape

_ROUNDS = 9.5  # of u: exp within 8, and the products behind it
_FAR = 600.0  # exponents from here on are not followed
_SUMMED = 1e-11  # of the checker's own sums, of at most 2^14 terms
_LOST = (
    2.0**-1070
)  # more than a product of the checker's own loses by underflow


@dataclass(frozen=True, eq=False)
class Group:
    """Places that the head cannot tell apart, and what it sees there of the tokens by rank."""

    places: tuple[int, ...]
    seen: Seen


class Weighing:
    """The worst of the texts of one shape."""

    def __init__(self, layer: OneLayer, ranking: Ranking, shape: Shape) -> None:
        self.layer = layer
        self.ranking = ranking
        self.shape = shape
        order, n = ranking.order, len(shape)
        self.groups = _grouped((i, layer.seen(order, i, n)) for i in shape.free)
        # which group each free place is in
        self.group = np.array(
            [
                number
                for i in shape.free
                for number, group in enumerate(self.groups)
                if i in group.places
            ],
            dtype=int,
        )
        self.settled = [
            layer.seen([shape.fixed[i] or 0], i, n) for i in shape.settled
        ]
        self.lasts = ranking.last(shape)
        self.last = layer.seen(self.lasts, n - 1, n)
        self.there, self.off = layer.there(self.lasts, n - 1, n, self._values())

    def _values(self) -> float:
        """The greatest size of a value lane that a text can hold."""
        tokens = {*self.ranking.order, *filter(None, self.shape.fixed), 0}
        return max(
            self.layer.values(sorted(tokens), i) for i in range(len(self.shape))
        )

    def query(self, q: int) -> Query:
        """The texts that end with the q-th of the last tokens."""
        return Query(self, q)


def _grouped(seen: object) -> list[Group]:
    found: list[Group] = []
    for place, one in seen:  # type: ignore[attr-defined]
        for number, group in enumerate(found):
            if group.seen.same(one):
                found[number] = Group((*group.places, place), one)
                break
        else:
            found.append(Group((place,), one))
    return found


class Query:
    """All texts of a shape that end with one token: its scores, and its worst terms."""

    def __init__(self, weighing: Weighing, q: int) -> None:
        self.weighing = weighing
        self.q = q
        layer, place = weighing.layer, len(weighing.shape) - 1
        token = weighing.lasts[q]
        self.scores = [
            layer.scores(token, place, group.seen.keys)
            for group in weighing.groups
        ]
        self.alone = [
            (seen, layer.scores(token, place, seen.keys))
            for seen in (*weighing.settled, _row(weighing.last, q))
        ]

    def worst(self, m: int, kinds: Sequence[Pattern], limits: Array) -> Leads:
        """The leads of the right token in the classes of these patterns and limits, with the
        greatest token of rank m.
        """
        weighing, upto = self.weighing, slice(m + 1)
        right = weighing.ranking.order[m]
        scores = [(low[upto], high[upto]) for low, high in self.scores]
        alone = [scores for _, scores in self.alone]
        best = max(high.max() for _, high in [*scores, *alone])
        # the greatest token stands somewhere: its own score is the measure
        shift = max([high[m] for _, high in scores], default=best)
        terms = [
            self._terms(_first(group.seen, m + 1), each, right, best, shift)
            for group, each in zip(weighing.groups, scores, strict=True)
        ]
        base = [
            self._terms(seen, each, right, best, shift)[0]
            for seen, each in self.alone
        ]
        total = np.sum(base, axis=0)[None]  # [1, n_vocab + 1]
        if terms:
            total = total + _summed(weighing, np.stack(terms), kinds, limits)
        return _leads(np.repeat(total, len(kinds) // len(total), 0), right)

    def _terms(
        self,
        seen: Seen,
        scores: tuple[Array, Array],
        right: int,
        best: float,
        shift: float,
    ) -> Array:  # -> [n, n_vocab + 1]
        """The worst terms of tokens, with the token `right` and these scores; behind them their
        greatest weights, which are summed likewise.
        """
        weighing, q = self.weighing, self.q
        there, off = weighing.there[q], weighing.off[q]
        ahead = seen.added + seen.off + (there + off)  # [n, n_vocab]
        own = seen.added[:, right] - seen.off[:, right]
        ahead = ahead - (own + (there - off)[right])[:, None]
        least, most = _weights(weighing.layer.floats, *scores, best, shift)
        worst = np.maximum(ahead * least[:, None], ahead * most[:, None])
        found = np.concatenate([worst, most[:, None]], axis=1)
        return np.asarray(found + _SUMMED * np.abs(found) + _LOST)


def _row(seen: Seen, q: int) -> Seen:
    rows = slice(q, q + 1)
    return Seen(seen.keys[rows], seen.added[rows], seen.off[rows])


def _first(seen: Seen, n: int) -> Seen:
    return Seen(seen.keys[:n], seen.added[:n], seen.off[:n])


def _weights(
    floats: Floats, low: Array, high: Array, best: float, shift: float
) -> tuple[Array, Array]:  # [n] each
    """The least and the greatest weight of tokens, times exp(best - shift)."""
    off = floats.u * (np.maximum(best - low, 0) + 1) + 2.0**-48 * (
        np.abs(low) + np.abs(high) + abs(best) + abs(shift)
    )
    rounds = _ROUNDS * floats.u + 1e-12
    top = best - shift + 2.0**-48 * (abs(best) + abs(shift))
    flushed = 2 * floats.least * math.exp(top) if top < _FAR else math.inf
    least = np.exp(np.minimum(low - shift - off, _FAR)) * (1 - rounds) - flushed
    most = np.exp(high - shift + off) * (1 + rounds) + flushed
    return np.maximum(least, 0.0), most


@dataclass(frozen=True, eq=False)
class Leads:
    """Of each class whether it is right, and a lead that is certain: below 0 where it is not."""

    right: Array  # [n_pattern] bool
    lead: Array  # [n_pattern]


def _leads(total: Array, right: int) -> Leads:  # [n_pattern, n_vocab + 1]
    """The leads of classes, from the sums of their worst terms and greatest weights."""
    ahead, mass = total[:, :-1].copy(), total[:, -1]
    ahead[:, right] = -math.inf
    worst = ahead.max(axis=1)  # not a number where one is not
    lead = -worst / mass * (1 - _SUMMED)
    return Leads((worst < 0) & np.isfinite(mass), lead)


# [n_group, m + 1, n_vocab + 1], [n_pattern] -> [n_pattern, n_vocab + 1]
def _summed(
    weighing: Weighing, terms: Array, kinds: Sequence[Pattern], limits: Array
) -> Array:
    """The sums of the worst terms over the free places."""
    upto = np.maximum.accumulate(terms, axis=1)
    m = terms.shape[1] - 1
    below = np.maximum(limits, 1) - 1  # the greatest rank allowed
    worst = Worst(terms[:, m], upto[:, max(m, 1) - 1], upto[:, below])
    if kinds[0].places is None:
        return sum_by_number(weighing.group, kinds, worst)
    return sum_by_places(weighing.shape.free, weighing.group, kinds, worst)


@dataclass(frozen=True, eq=False)
class Worst:
    """The worst terms at the places of each group: of m itself, of all tokens below m, and of those
    below the limit of each pattern.
    """

    own: Array  # [n_group, n_vocab + 1]
    below: Array  # [n_group, n_vocab + 1]
    rest: Array  # [n_group, n_pattern, n_vocab + 1]

    @property
    def more(self) -> Array:  # -> [n_group, n_pattern, n_vocab + 1]
        """What a place adds where its token need not be below the limit."""
        return self.below[:, None] - self.rest

    def rounding(self, group: Array) -> Array:  # -> [n_pattern, n_vocab + 1]
        """How far a sum of differences of all these terms can be off: as much as their sizes are,
        though what is left may be small. Not a number where one of them is not.
        """
        size = np.abs(self.own) + np.abs(self.below)  # [n_group, n_vocab + 1]
        found = (size[:, None] + np.abs(self.rest))[group].sum(axis=0)
        return np.asarray(_SUMMED * found)


def sum_by_places(
    free: Sequence[int], group: Array, kinds: Sequence[Pattern], worst: Worst
) -> Array:  # -> [n_pattern, n_vocab + 1]
    """The sum where each pattern names those of the free places that hold m; `group` has the group
    of each.
    """
    holds = np.array(
        [[place in (kind.places or ()) for kind in kinds] for place in free]
    )[:, :, None]  # [n_free, n_pattern, 1]
    terms = np.where(holds, worst.own[group, None], worst.rest[group])
    found = terms.sum(axis=0)
    overs = np.array([kind.over for kind in kinds])
    if not overs.any():
        return np.asarray(found)
    over = _greatest(np.where(holds, 0.0, worst.more[group]), overs)
    wider = found + over + worst.rounding(group)
    return np.where(overs[:, None] > 0, wider, found)


def sum_by_number(
    group: Array, kinds: Sequence[Pattern], worst: Worst
) -> Array:  # -> [n_pattern, n_vocab + 1]
    """The sum where each pattern says how many places hold m: at the worst ones."""
    counts = np.array([kind.count for kind in kinds])
    overs = np.array([kind.over for kind in kinds])
    rests = np.array([kind.rest for kind in kinds])[:, None]
    all_own = worst.own[group].sum(axis=0)  # where m stands everywhere
    if len(worst.own) == 1:  # all places are alike
        k, j = counts[:, None], overs[:, None]
        own, below, rest = worst.own[0], worst.below[0], worst.rest[0]
        found = k * own + j * below + (rests - j) * rest
    else:
        # m, or any token, in place of one below the limit, at the worst places
        mine = _greatest((worst.own[:, None] - worst.rest)[group], counts)
        over = _greatest(worst.more[group], overs)
        found = worst.rest[group].sum(axis=0) + mine + over
        found = found + worst.rounding(group)
    return np.where(rests == 0, all_own, found)


def _greatest(
    x: Array, counts: Array
) -> Array:  # [n, n_pattern, ...], [n_pattern] -> [n_pattern, ...]
    """The sum of so many greatest numbers."""
    if not counts.any():
        return np.zeros(x.shape[1:])
    taken = np.arange(len(x))[:, None] < counts  # [n, n_pattern]
    found = -np.sort(-x, axis=0)
    return np.asarray(np.where(taken[:, :, None], found, 0.0).sum(axis=0))
