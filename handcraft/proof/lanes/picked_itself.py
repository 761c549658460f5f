"""What a choice reads, by what the position that asks would be as a key: it sees itself.

    learn_itself(choice, new, symbol)   a fact on a symbol that a choice reads

A choice by a derived symbol knows little of who asks. If the position itself stands at a level, no
position of a lower one is selected, and so it is no choice of nowhere.
Rules of this file: a fact may allow too much, never too little.
"""

from __future__ import annotations

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.derived import count_rows
from handcraft.proof.lanes.levels import LevelTable
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    MOST_TABLE_ROWS,
    Labels,
    Nowhere,
)


def learn_itself(choice: LevelTable, new: int, symbol: int) -> None:
    """Keep what can be read where the position itself could be selected."""
    symbols = choice.symbols
    by_derived = any(("classes", s) in symbols.known for _, s in choice.queries)
    if not by_derived or (1, AT_INDEX) not in choice.keys:
        return
    mine = {(0, s) for _, s in choice.keys}
    own = tuple(sorted({*choice.queries, *mine}))
    values = symbols.all[new].values
    most = int((choice.levels >= 0).sum(axis=1).max(initial=0))
    rows = count_rows(symbols, own)
    if rows * max(most, len(values)) > MOST_TABLE_ROWS:
        return
    at = np.indices(symbols.shape(own)).reshape(len(own), rows)
    query = _row(choice, own, at, choice.queries)
    key = _row(choice, own, at, tuple((0, s) for _, s in choice.keys))
    index = at[own.index((0, AT_INDEX))]
    fact = np.ones((rows, len(values)), dtype=bool)
    none = np.array([x == choice.none_of(symbol) for x in values])
    for q in np.unique(query):
        asks = np.flatnonzero((query == q) & (choice.levels[q, key] >= 0))
        if len(asks):
            may = _selected(choice, int(q), key[asks], index[asks])
            fact[asks] = _values(choice, symbol, values, *may) & ~none
    shape = (*symbols.shape(own), len(values))
    symbols.learn((*(s for _, s in own), new), fact.reshape(shape))


def _row(
    choice: LevelTable, own: Labels, at: Array, labels: Labels
) -> Array:  # -> [n_own]
    """The row of a table over some of the labels, by row of one over all."""
    row = np.zeros(at.shape[1], dtype=np.int64)
    for label in labels:
        size = len(choice.symbols.all[label[1]].values)
        row = row * size + at[own.index(label)]
    return row


def _selected(
    choice: LevelTable, q: int, key: Array, index: Array
) -> tuple[Array, Array]:
    """Which keys may be selected beside those that ask, [n_ask, n_key], and these keys: of all with
    one index a position sees one, and at its own index itself.
    """
    levels = choice.levels[q]
    keys = np.flatnonzero(levels >= 0)
    place: Array = choice.pairs.column((1, AT_INDEX))[keys]
    may: Array = np.array(levels[keys][None] >= levels[key][:, None])
    if choice.symbols.causal:
        may = may & (place[None] <= index[:, None])
    same = keys[None] == key[:, None]
    apart = place[None] != index[:, None]
    return np.array(may & (apart | same)), keys


def _values(
    choice: LevelTable,
    symbol: int,
    values: tuple[object, ...],
    may: Array,
    keys: Array,
) -> Array:  # -> [n_ask, n_value]
    """The values that these keys have."""
    if (1, symbol) not in choice.keys:
        some: Array = np.array(may.any(axis=1))
        return np.repeat(some[:, None], len(values), axis=1)
    of_key = choice.pairs.column((1, symbol))[keys]
    has = np.zeros((len(keys), len(values)), dtype=bool)
    for i, value in enumerate(values):
        if not isinstance(value, Nowhere) or value.read != symbol:
            has[:, i] = of_key == choice.values_of(symbol).index(value)
    return np.asarray((may.astype(np.float32) @ has.astype(np.float32)) > 0)
