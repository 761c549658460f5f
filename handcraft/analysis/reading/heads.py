"""Reads one head: the simplest form of scores that explains its attention.

What a form explains is measured on the half of the texts on which it was not fitted: the mean, over
the queries that see at least two keys, of the attention that the form and the head have in common,
the sum over keys of the lesser of the two. A form that explains 95 % is a reading; of two, the
earlier in the list of families.py.

Where a head rests at a sink, its attention is what it gives to the other keys, as shares of their
sum; how well that sum is met is a factor of what is explained.

Rules of this file: nothing is read where no query sees two keys beside a sink.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np

from handcraft.analysis.reading.addresses import (
    Formula,
    formula_of,
    parabola_of,
    pulled,
)
from handcraft.analysis.reading.families import ColumnLabel, Family, families
from handcraft.analysis.reading.fitting import ScoredPairs, shared_out
from handcraft.analysis.reading.relations import Scene
from handcraft.analysis.reading.sinks import resting_token
from handcraft.analysis.reading.watching import Watched
from handcraft.core.gpt2 import Array

EXPLAINED = 0.95
ADDRESS = "address"  # a computed position, from what is not known
_NEARLY_ALL = 0.99
MATCHES = 3.0  # of a score: 20 times the weight
_LITTLE = 1e-6  # of the attention beside a sink: no more than nothing


@dataclass(frozen=True, eq=False)
class FoundRule:
    """A form with its weights, and how much of the attention it explains.

    kind      a name in families.py, `computed`, or `address`
    weights   (what a column stands for, its weight), of a form without groups
    formula   of a computed position: what it is computed from, and its numbers
    sink      the id of the token at which the head rests
    alike     how much `uniform` explains
    scores    [n, n_seq, n_seq]
    """

    kind: str
    explained: float
    scores: Array
    family: Family | None = None
    weights: tuple[tuple[ColumnLabel, float], ...] = ()
    formula: Formula | None = None
    sink: int | None = None
    alike: float = 0.0


def found_rule(seen: Watched, scene: Scene, fitted: Array) -> FoundRule:
    """The simplest rule that explains a head; where none does, the one that explains most."""
    sink = resting_token(seen, scene.texts, scene.sees)
    reader = _Reader(seen, scene, fitted, sink)
    alike = next(_fitted(reader, Family("uniform"))).explained
    return replace(_simplest(reader), alike=alike)


@dataclass(frozen=True, eq=False)
class _Reader:
    """What a rule is held against; `fitted` [n] says which texts it is fitted on."""

    seen: Watched
    scene: Scene
    fitted: Array
    sink: int | None

    @cached_property
    def pairs(self) -> ScoredPairs:
        """All pairs of a query and a key."""
        return ScoredPairs.of(self.seen.scores, self.scene.sees, self.fitted)

    @cached_property
    def rest(self) -> Array:  # [n, n_seq, n_seq]
        """True at the keys that are no sink."""
        if self.sink is None:
            return self.scene.sees
        return self.scene.sees & (self.scene.tokens != self.sink)[:, None, :]

    def with_sink(self, columns: Array) -> Array:
        """Columns of all pairs, with one for the sink, which has no other."""
        if self.sink is None:
            return columns
        at = ~self.rest[self.scene.sees][:, None]  # [n_pairs, 1]
        return np.concatenate([np.where(at, 0.0, columns), at], axis=1)

    def explained(self, scores: Array) -> float:
        """The attention that scores and the head have in common, on the other half: that to keys
        which are no sink, times how well their part of the whole is met.
        """
        held = (self.rest.sum(axis=-1) > 1) & ~self.fitted[:, None]
        if not held.any():
            return 0.0
        own = shared_out(self.seen.scores, self.rest)[held]
        common = np.minimum(own, shared_out(scores, self.rest)[held])
        share = float(common.sum(axis=-1).mean())
        return share if self.sink is None else share * self._met(scores, held)

    def _met(self, scores: Array, held: Array) -> float:
        """How far the attention beside the sink is what it should be, 1 for as much."""
        sees, beside = self.scene.sees[held], self.rest[held]
        own, other = (
            (shared_out(x[held], sees) * beside).sum(axis=-1)
            for x in (self.seen.scores, scores)
        )
        little = _LITTLE * own.max()
        least, most = np.minimum(own, other), np.maximum(own, other)
        return float(((least + little) / (most + little)).mean())


def _simplest(reader: _Reader) -> FoundRule:
    """The first form that explains the head; where none does, the one that explains most."""
    tried = []
    for rule in chain(_by_scores(reader), _by_attention(reader)):
        if rule.explained >= EXPLAINED:
            return rule
        tried.append(rule)
    return max(tried, key=lambda rule: rule.explained)


def _by_scores(reader: _Reader) -> Iterator[FoundRule]:
    """Each form with the scores that are nearest to the head's."""
    for family in families(reader.scene):
        yield from _fitted(reader, family)
        if family.kind == "positions":
            yield from _computed(reader)


def _by_attention(reader: _Reader) -> Iterator[FoundRule]:
    """Each form with the attention that is nearest to the head's; not beside a sink, which has
    nearly all of it.
    """
    if reader.sink is not None:
        return
    for family in families(reader.scene):
        yield from _fitted(reader, family, nearer=True)


def _fitted(
    reader: _Reader, family: Family, *, nearer: bool = False
) -> Iterator[FoundRule]:
    """A form with its weights; nothing where its columns are too many."""
    made = family.columns(reader.scene)
    if made is None:
        return
    columns, labels = reader.with_sink(made[0]), made[1]
    group = None
    if family.group is not None:
        classes = reader.scene.of_queries(family.group(reader.scene))
        group = classes[reader.scene.sees]
    pairs = reader.pairs
    weights = pairs.fit(columns, group)
    if nearer:
        weights = pairs.nearer(columns, weights, group)
    each = weights if group is None else weights[group]
    scores = pairs.scores((columns * each).sum(axis=1))
    share = reader.explained(scores)
    named = (
        tuple(
            zip(labels, map(float, weights), strict=False)
        )  # the sink's is last
        if group is None
        else ()
    )
    if _as_named(family, dict(named), share):
        yield FoundRule(
            family.kind, share, scores, family, named, None, reader.sink
        )


def _as_named(
    family: Family, weights: dict[ColumnLabel, float], share: float
) -> bool:
    """Whether a form does what its name says: a match or a segment weighs much, and a half of the
    positions is looked at alone only where that explains nearly all.

    Else the tokens beside it do the explaining, and what is read is not what is there.
    """
    if family.step is not None and share < _NEARLY_ALL:
        return False
    match = weights.get(("match", 1))
    if match is not None:
        size = -match if family.kind == "same" and match < 0 else match
        return size >= MATCHES
    past = [abs(x) for (word, _), x in weights.items() if word == "past"]
    return not past or max(past) >= MATCHES


def _computed(reader: _Reader) -> Iterator[FoundRule]:
    """The rule of a computed position; nothing where the scores are no parabola."""
    scene = reader.scene
    if reader.sink is not None:
        return
    parabola = parabola_of(reader.seen.scores, scene.sees)
    if parabola is None:
        return
    formula = formula_of(parabola.top, scene, reader.fitted)
    top = parabola.top if formula is None else formula.top
    scores = pulled(parabola, np.nan_to_num(top))
    share = reader.explained(scores)
    kind = ADDRESS if formula is None else "computed"
    yield FoundRule(kind, share, scores, formula=formula)
