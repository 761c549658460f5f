"""What choices and totals say of each other: that nothing is selected, and that nothing is summed.

    linked(symbols, choice, picked, total)   learn it of what a choice reads, and of a total

For a query let all that a choice may select weigh something in a total. If that is 0, the choice
selects nothing. If all that weighs something may be selected, then it is the other way round, too.
Rules of this file: it is learnt query by query, of the pairs that can be.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.symbols import (
    Labels,
    Nowhere,
    Symbols,
    spread,
)

_MOST_LINKED = 200_000  # pairs that are compared


class PairLevels(Protocol):
    """What a choice may select: levels from 0 on, [n_query, n_key], over its labels."""

    labels: Labels
    levels: Array


def linked(
    symbols: Symbols,
    choice: PairLevels,
    picked: int,
    total: tuple[Labels, Array, int],
) -> None:
    """Learn when a choice is Nowhere, by a total, and when that is 0."""
    labels, weights, summed = total
    wide = tuple(sorted({*labels, *choice.labels}))
    size = np.prod([len(symbols.all[s].values) for _, s in wide])
    asked = tuple(x for x in wide if x[0] == 0)
    if size > _MOST_LINKED or {picked, summed} & {s for _, s in asked}:
        return
    mask = symbols.possible(wide)
    levels = choice.levels.reshape(symbols.shape(choice.labels))
    selects = mask & spread(levels >= 0, choice.labels, wide)
    weighs = mask & spread(weights > 0, labels, wide)
    keys = tuple(range(len(asked), len(wide)))
    _learn(
        symbols,
        [*(s for _, s in asked), picked, summed],
        np.asarray(~(selects & ~weighs).any(axis=keys)),
        np.asarray(~(weighs & ~selects).any(axis=keys)),
    )


def _learn(
    symbols: Symbols, labels: list[int], within: Array, over: Array
) -> None:
    """within: each key that may be selected weighs something; over: the other way round."""
    *_, picked, summed = labels
    none = np.array([isinstance(x, Nowhere) for x in _own(symbols, picked)])
    zero = np.array([x == 0 for x in symbols.all[summed].values])
    wrong = within[..., None, None] & ~none[:, None] & zero[None, :]
    wrong = wrong | over[..., None, None] & none[:, None] & ~zero[None, :]
    if wrong.any():
        symbols.learn(labels, ~wrong)


def _own(symbols: Symbols, picked: int) -> list[object]:
    """The values of what a choice reads, those of a deeper choice that was Nowhere as any other."""
    choice = symbols.all[picked].choice
    if choice is None:
        raise Rejected("it is no choice")
    none = Nowhere(*choice)
    return [x if x == none else None for x in symbols.all[picked].values]
