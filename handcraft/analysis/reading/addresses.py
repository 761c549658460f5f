"""Recognises heads that attend to a computed position, and finds what it is computed from.

`recipes.attend_to` scores the key position j by A (2 t j - j^2): whatever the tokens are, the
scores of a query are a parabola over the positions, equally narrow for every query, whose top is t.
Its top is then explained by what the query may know:

    where an earlier head attends             t = a m + b i + c
    how often a token has occurred            t = a n + b i + c
    how often the query's own token has
    the token an earlier head brought         t = a table of i + a table of tokens

Rules of this file: the formula is found on the first half of the texts and judged on the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from handcraft.analysis.reading.families import MOST_CLASSES
from handcraft.analysis.reading.relations import Scene
from handcraft.analysis.reading.watching import HeadPlace
from handcraft.core.gpt2 import Array

_EVEN = 1e-4  # of the width: how much the second differences of an exact parabola differ
_HOLDS = 0.99  # of the queries
_NEAR = 0.25  # of a position: how far a top may be from its formula


@dataclass(frozen=True, eq=False)
class Parabola:
    """Scores A (2 t j - j^2): the sharpness A, and t [n, n_seq], not a number where a query sees
    too little to tell.
    """

    sharpness: float
    top: Array


def parabola_of(scores: Array, sees: Array) -> Parabola | None:
    """The parabola that the scores [n, n_seq, n_seq] of each query are; None if they are none."""
    both = sees[..., 2:] & sees[..., 1:-1] & sees[..., :-2]
    if not both.any():
        return None
    bent = scores[..., 2:] - 2 * scores[..., 1:-1] + scores[..., :-2]
    width = -float(np.median(bent[both])) / 2
    if width <= 0 or np.abs(bent[both] + 2 * width).max() > _EVEN * 2 * width:
        return None
    # s1 - s0 = A (2 t - 1)
    rise = scores[..., 1] - scores[..., 0]
    known = sees[..., 1] & sees[..., 0]
    top = np.where(known, (rise / width + 1) / 2, np.nan)
    return Parabola(width, top)


def pulled(parabola: Parabola, top: Array) -> Array:
    """The scores of a parabola with these tops [n, n_seq]: [n, n_seq, n_seq]."""
    j = np.arange(top.shape[1])
    found: Array = parabola.sharpness * (2 * top[..., None] * j - j * j)
    return found


@dataclass(frozen=True, eq=False)
class Formula:
    """What a position is computed from, and its value [n, n_seq].

    kind     attended, count, same, or brought
    head     of `attended` and `brought`: the earlier head
    token    of `count`: the id
    numbers  a, b, c of a m + b p + c; none for `brought`, which is two tables
    """

    kind: str
    top: Array
    numbers: tuple[float, ...] = ()
    head: HeadPlace | None = None
    token: int | None = None


def formula_of(top: Array, scene: Scene, fitted: Array) -> Formula | None:
    """The first formula that gives these tops; None where none does. `fitted` [n] says on which
    texts its numbers are found.
    """
    known = np.isfinite(top) & scene.texts.inside
    first, rest = known & fitted[:, None], known & ~fitted[:, None]
    for formula, columns in _candidates(scene):
        weights = np.linalg.lstsq(columns[first], top[first], rcond=1e-9)[0]
        found = columns @ weights  # [n, n_seq]
        off = np.abs(found - top)[rest]
        if len(off) and (off < _NEAR).mean() > _HOLDS:
            named = formula.kind != "brought"
            numbers = [round(float(x), 3) + 0.0 for x in weights if named]
            return replace(formula, top=found, numbers=tuple(numbers))
    return None


def _candidates(scene: Scene) -> Iterator[tuple[Formula, Array]]:
    """What a position may be computed from, and its columns [n, n_seq, n]."""
    own = scene.places.astype(float)
    one = np.ones_like(own)
    for head, place in scene.earlier.items():
        formula = Formula("attended", own, head=head)
        yield formula, np.stack([place, own, one], axis=-1)
    known = np.unique(scene.tokens[scene.texts.inside])
    for token in known[:MOST_CLASSES]:
        count = np.cumsum(scene.tokens == token, axis=1)
        formula = Formula("count", own, token=int(token))
        yield formula, np.stack([count, own, one], axis=-1)
    alike = scene.tokens[:, :, None] == scene.tokens[:, None, :]
    same = np.tril(alike).sum(axis=-1)  # [n, n_seq]
    yield Formula("same", own), np.stack([same, own, one], axis=-1)
    if len(known) <= MOST_CLASSES:
        yield from _brought(scene, np.unique(scene.tokens))


def _brought(scene: Scene, ids: Array) -> Iterator[tuple[Formula, Array]]:
    """A table of positions and one of the tokens that an earlier head brings."""
    n, n_seq = scene.tokens.shape
    places = np.broadcast_to(np.eye(n_seq), (n, n_seq, n_seq))
    for head in scene.earlier:
        brought = scene.brought(head)[..., None] == ids
        both = np.concatenate([places, brought], axis=-1)
        yield Formula("brought", scene.places, head=head), both
