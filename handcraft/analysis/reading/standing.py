"""Finds the recipe that makes what was read, and that can stand in place of the head.

    uniform    mean(value)
    offset     attend_to(at, at["p"] - k), or kernel(at, {k: share, ...})
    position   attend_to(at, k)
    positions  attend_to(at, at["target"]), with a table of targets; or a table of scores

Of two, the one that leaves more predictions as they are is taken.

Other readings speak of tokens or of earlier heads. A recipe for those reads their lanes, and which
lanes of the weights these are is not known: they have none.

Rules of this file: a recipe is as the author calls it; at the beginning of a text, where a distance
or a position is not there, it does what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from handcraft.analysis.reading.fitting import shared_out
from handcraft.analysis.reading.heads import FoundRule
from handcraft.analysis.reading.relations import (
    Scene,
    distance,
    key_position,
    shares_of,
)
from handcraft.core.gpt2 import Array
from handcraft.language.affine import Affine, Map
from handcraft.language.rules import Head
from handcraft.language.slots import Slot
from handcraft.language.words import position
from handcraft.model import Model
from handcraft.recipes.addressing import addresses
from handcraft.recipes.attention import attend_to, kernel
from handcraft.recipes.sums import mean

_ONE = 0.95  # of the attention: it lies in one place
_NONE = 1e-12  # of the attention: it has no logarithm
_LITTLE = 0.02  # of the attention: a distance with less is left out


@dataclass(frozen=True, eq=False)
class Recipe:
    """A recipe that can stand in place of a head.

    says  the call, as an author writes it, but for value and adds
    slot  the positions that it needs beside the lanes, None for none
    make  the head, of what it brings: value and adds
    """

    says: str
    slot: Slot | None
    make: Callable[[Map, Map], Head]


def recipes_of(rule: FoundRule, scene: Scene, model: Model) -> Iterator[Recipe]:
    """The recipes that a reading may be; none where they must know lanes."""
    if rule.sink is not None:
        return
    pattern = shared_out(rule.scores, scene.sees)
    if rule.kind == "uniform":
        yield Recipe("mean(...)", None, lambda v, a: mean(v, adds=a))
    if rule.kind == "offset" and model.causal:
        share = shares_of(pattern, distance(scene), scene)
        yield from _offsets(share, model)
    if rule.kind == "position":
        share = shares_of(pattern, key_position(scene), scene)
        yield from _positions(share, model)
    if rule.kind == "positions":
        yield _targets(pattern, model)
        yield _table(pattern, model)


def _offsets(share: Array, model: Model) -> Iterator[Recipe]:
    """Attention to one distance, or to several with their shares."""
    best = int(share.argmax())
    if share[best] > _ONE:
        at = addresses(model.n_ctx)
        target = at["p"] - best
        yield Recipe(
            f'attend_to(at, at["p"] - {best})',
            at,
            lambda v, a: attend_to(at, target, value=v, adds=a),
        )
    one_hot = position(model.n_ctx)
    known = np.flatnonzero(share >= _LITTLE)
    weights = {int(k): round(float(share[k]), 3) for k in known}
    yield Recipe(
        f"kernel(at, {weights})",
        one_hot,
        lambda v, a: kernel(one_hot, weights, value=v, adds=a),
    )


def _positions(share: Array, model: Model) -> Iterator[Recipe]:
    """Attention to one position."""
    best = int(share.argmax())
    if share[best] <= _ONE:
        return
    at = addresses(model.n_ctx)
    yield Recipe(
        f"attend_to(at, {best})",
        at,
        lambda v, a: attend_to(at, best, value=v, adds=a, causal=model.causal),
    )


def _targets(pattern: Array, model: Model) -> Recipe:
    """Attention to the position that gets most, for each position of the query."""
    mean_pattern = pattern.mean(axis=0)  # [n_seq, n_seq]
    best = mean_pattern.argmax(axis=-1).tolist()
    best += [0] * (model.n_ctx - len(best))
    at = addresses(model.n_ctx, target=lambda i: best[i])
    last = at["p"].expression() if model.causal else model.n_ctx - 1
    return Recipe(
        'attend_to(at, at["target"])',
        at,
        lambda v, a: attend_to(
            at,
            at["target"],
            range=(0, last),
            value=v,
            adds=a,
            causal=model.causal,
        ),
    )


def _table(pattern: Array, model: Model) -> Recipe:
    """Attention with the mean share of each key position, for each position of the query."""
    at = position(model.n_ctx)
    scores = np.log(np.maximum(pattern.mean(axis=0), _NONE))  # [n_seq, n_seq]
    rows = zip(at.lanes, scores.T.tolist(), strict=False)
    query = Map.of(
        (key, Affine.of(dict(zip(at.lanes, column, strict=False))))
        for key, column in rows
    )
    return Recipe(
        "Head(query=...) by a table of positions",
        at,
        lambda v, a: Head(query=query, value=v, adds=a, scores="exact"),
    )
