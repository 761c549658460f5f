"""Lists the forms that the scores of a head may have, the simplest first.

    uniform       nothing: every position that is seen alike        recipes.mean
    offset        how far back a key is                             Head(query=p.previous), kernel
    position      where a key is                                    attend_to a fixed position
    token         the token of a key, the first or latest of them   attend_where(match)
    same          whether the tokens are the same                   count_where(t, ...)
    predecessor   the token before the key                          attend_where(before)
    induction     whether the token before the key is the query's   attend_where(before == t)
    positions     a table of both positions                         attend_to(at["lane"])
    segment       whether a token stands at the key or before it    count_where(t["^"], {after: 1})
    brought       as induction, for a token an earlier head brought
    tokens        a table of both tokens
    mixed         a table of the key's token and one of distances; for all queries, or for
                  each token of a query

`same`, `induction` and `brought` hold a weight for each token of a key beside the match, for what
is attended to where nothing matches, and a slope over positions, for the first or the latest.

Rules of this file: a form is data; `fitting.py` finds its weights, `wording.py` says them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from handcraft.analysis.reading import relations
from handcraft.analysis.reading.relations import Scene
from handcraft.analysis.reading.watching import HeadPlace
from handcraft.core.gpt2 import Array

MOST_CLASSES = 128  # of a table: tokens that occur, positions
PairRelation = Callable[[Scene], Array]
# a column, and what it stands for: ("token", 3), ("match", 1), ("slope", 1), ...
ColumnLabel = tuple[str, int]


@dataclass(frozen=True)
class Family:
    """A form of scores.

    tables   relations that have a weight for each class, and the word for one
    flags    relations that are 0 or 1, and have a single weight
    slope    whether later keys weigh more or less than earlier ones
    group    the classes of queries of which each has weights of its own
    head     the earlier head whose token is looked for
    step     0 or 1, where only even or odd positions count
    """

    kind: str
    tables: tuple[tuple[str, PairRelation], ...] = ()
    flags: tuple[tuple[ColumnLabel, PairRelation], ...] = ()
    slope: bool = False
    group: Callable[[Scene], Array] | None = None
    head: HeadPlace | None = None
    step: int | None = None

    def columns(self, scene: Scene) -> tuple[Array, list[ColumnLabel]] | None:
        """The columns [n_pairs, n] and what they stand for; None where they are too many."""
        blocks, labels = [], list[ColumnLabel]()
        for word, relation in self.tables:
            classes = relation(scene)[scene.sees]  # [n_pairs]
            known = np.unique(classes)
            if len(known) > MOST_CLASSES:
                return None
            blocks.append(classes[:, None] == known)
            labels += [(word, int(c)) for c in known]
        for label, relation in self.flags:
            blocks.append(relation(scene)[scene.sees][:, None])
            labels.append(label)
        if self.slope:
            blocks.append(relations.key_position(scene)[scene.sees][:, None])
            labels.append(("slope", 1))
        if not blocks:
            return np.zeros((int(scene.sees.sum()), 0)), labels
        return np.concatenate(blocks, axis=1).astype(float), labels


def families(scene: Scene) -> Iterator[Family]:
    """All forms, the simplest first."""
    token = ("token", relations.key_token)
    far = ("distance", relations.distance)
    place = ("position", relations.key_position)
    yield Family("uniform")
    yield Family("offset", (far,))
    yield Family("position", (place,))
    yield Family("token", (token,))
    yield Family("token", (token,), slope=True)
    same = (("match", 1), relations.same_token)
    yield Family("same", (token,), (same,), slope=True)
    before = ("before", relations.key_predecessor)
    yield Family("predecessor", (before,), slope=True)
    yield from _inductions("induction", None, token)
    yield Family("positions", (place,), group=lambda s: s.places)
    yield _segment(scene, token)
    for head in scene.earlier:
        yield from _inductions("brought", head, token)
    yield Family("tokens", (token,), group=lambda s: s.tokens)
    yield Family("mixed", (token, far))
    yield Family("mixed", (token, far), group=lambda s: s.tokens)


def _inductions(
    kind: str, head: HeadPlace | None, token: tuple[str, PairRelation]
) -> Iterator[Family]:
    """The token before the key, at all positions or every second one. Before the first position
    there is none, or itself.
    """
    for step, nearest in ((None, False), (None, True), (0, False), (1, False)):
        match = partial(
            relations.same_predecessor, head=head, step=step, nearest=nearest
        )
        flags = ((("match", 1), match),)
        yield Family(kind, (token,), flags, slope=True, head=head, step=step)


def _segment(scene: Scene, token: tuple[str, PairRelation]) -> Family:
    known = np.unique(scene.tokens[scene.texts.inside])[: MOST_CLASSES // 2]
    flags = tuple(
        (("past", int(x)), partial(relations.past, token=int(x))) for x in known
    )
    return Family("segment", (token,), flags)
