"""The least that a mean, or a sum, of what keys bring can be, where a sum of whole numbers over the
same keys is not below a given one.

    KeyValues              what each key brings to a position, by its row
        .least(held)       the least of all texts in which a condition holds, by row

Let every chosen key k bring v[k], and let the condition be: the sum of g[k] over all keys is at
least c. Then for any factor f >= 0 the sum of v[k] is not below

    f c + the sum of (v[k] - f g[k])      which is, key by key, at least
    f c + the number of keys times the least v[k] - f g[k]

so that no sum has to be known: of each row only the least v[k] beside each g[k] counts. Any f is
right; one that makes two of the least v[k] - f g[k] equal is the best.
Rules of this file: keys are as many as the window holds, in any mixture; that is too much, never
too little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected

_MOST_WEIGHTS = 64  # different ones
_GREAT = 2.0**40  # a factor that shows that nothing fits the condition
_SLACK = 2.0**-40  # what float64 rounds here, of all sizes together


@dataclass(frozen=True, eq=False)
class SumCondition:
    """The condition: the sum of `weights` over all keys is at least `least`, by row."""

    weights: Array  # [n_query, n_key] whole numbers
    least: Array  # [n_query]


@dataclass(frozen=True, eq=False)
class KeyValues:
    """What keys bring to a position.

    there   [n_query, n_key] True for the pairs that can be
    chosen  [n_query, n_key] True for those whose value is brought
    low     [n_query, n_key] what it is at least
    first   [n_query] what the first token brings at least
    own     [n_query] what is there without the head, at least
    among   [n_query] True where the first token is always one of those in the mean; where it is
            not, it alone is brought if no key is chosen
    sure    [n_query] True where some key is surely chosen
    mean    False for a sum
    most    how many keys a position sees, at most
    """

    there: Array
    chosen: Array
    low: Array
    first: Array
    own: Array
    among: Array
    sure: Array
    mean: bool
    most: int

    def least(self, held: SumCondition) -> Array:  # -> [n_query]
        """What comes out at least; infinite where the condition holds on no text."""
        beside = _Beside.of(self, held)
        found = np.full(len(self.own), -np.inf)
        for factor in beside.factors():
            found = np.maximum(found, self._bound(beside, held, factor))
        return np.minimum(found, self.alone(held)) if self.mean else found

    def alone(self, held: SumCondition) -> Array:  # -> [n_query]
        """What comes out at least where no key is chosen, and infinite where one surely is."""
        none = _Beside.of(self, held).may_be_none(held)
        found = np.where(none, self.own + self.first, np.inf)
        return np.where(self.among | self.sure, np.inf, found)

    def _bound(
        self, beside: _Beside, held: SumCondition, factor: Array
    ) -> Array:
        """The bound by one factor for each row."""
        chosen, others = beside.least(factor)
        least = factor * held.least
        slack = beside.size(factor) + np.abs(least) + np.abs(self.own)
        slack = (slack + np.abs(self.first)) * (_SLACK * self.most)
        if not self.mean:
            number = np.where(chosen < 0, self.most, 1)
            whole = np.where(np.isfinite(chosen), chosen * number, 0.0)
            return self.own + whole + least - slack
        counts = np.arange(self.most + 1)[:, None]  # [n_count, 1]
        ahead = np.where(np.isfinite(chosen), chosen, 0.0) * counts
        both = ahead + others * (self.most - counts) + least
        with_first = (both + self.first) / (counts + 1)
        without = both / np.maximum(counts, 1)
        means = np.where(self.among, with_first, without)
        some = np.isfinite(chosen) & (counts > 0)
        means = np.where(some | (self.among & (counts == 0)), means, np.inf)
        return np.asarray(self.own + means.min(axis=0) - slack)


@dataclass(frozen=True, eq=False)
class _Beside:
    """The least value beside each weight: all that counts of a row.

    weights  [n_weight]
    values   [n_query, n_weight] of the chosen keys, infinite without one
    others   [n_query, n_weight] True where a key that is not chosen has the weight
    """

    weights: Array
    values: Array
    others: Array

    @classmethod
    def of(cls, keys: KeyValues, held: SumCondition) -> _Beside:
        weights = _distinct(held.weights, keys.there)
        chosen = keys.there & keys.chosen
        rest = keys.there & ~keys.chosen
        values, others = [], []
        for weight in weights:
            same = held.weights == weight
            low = np.where(chosen & same, keys.low, np.inf)
            values.append(low.min(axis=1, initial=np.inf))
            others.append((rest & same).any(axis=1))
        return cls(weights, np.stack(values, axis=1), np.stack(others, axis=1))

    def factors(self) -> Iterator[Array]:
        """Factors that are tried, one for each row: all at which two values are level."""
        rows = len(self.values)
        yield np.zeros(rows)
        yield np.full(rows, _GREAT)
        for j in range(len(self.weights)):
            for i in range(j):
                apart = self.values[:, j] - self.values[:, i]
                factor = apart / float(self.weights[j] - self.weights[i])
                known = (factor > 0) & (factor < _GREAT)
                if known.any():
                    yield np.where(known, factor, 0.0)

    def least(self, factor: Array) -> tuple[Array, Array]:
        """The least value less the weight's share: of a chosen key, and of any other, or 0."""
        share = factor[:, None] * self.weights
        chosen = (self.values - share).min(axis=1)
        others = np.where(self.others, -share, 0.0).min(axis=1)
        return chosen, np.minimum(others, 0.0)

    def size(self, factor: Array) -> Array:
        """How large these numbers are, together."""
        known = np.where(np.isfinite(self.values), np.abs(self.values), 0.0)
        most = np.abs(self.weights).max(initial=0)
        return np.asarray(known.max(axis=1, initial=0.0) + factor * most)

    def may_be_none(self, held: SumCondition) -> Array:
        """True for the rows in which the condition may hold without a key that is chosen."""
        most = np.where(self.others, self.weights, np.iinfo(np.int64).min)
        greatest = most.max(axis=1, initial=np.iinfo(np.int64).min)
        # of many keys with a weight above 0 the sum may be anything
        return np.asarray((greatest > 0) | (held.least <= 0))


def _distinct(weights: Array, there: Array) -> Array:
    """The weights that can be."""
    known = np.unique(weights[there])
    if len(known) > _MOST_WEIGHTS:
        raise Rejected("the numbers that are compared have too many weights")
    return np.asarray(known, dtype=np.int64)
