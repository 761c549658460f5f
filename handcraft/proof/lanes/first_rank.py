"""Counts that are ranks: no two positions of a text have the same.

    first_rank(symbols, labels, numbers)   the least value of such a count; None for any other
    is_strict_order(counts, apart)         True for a strict order of all that are apart

A count of what belongs before a position is a rank, if "belongs before" is a strict order of all:
of any two positions one is before the other, and any three are in a row. Where weights depend on a
comparison, that of b with a is the opposite of that of a with b, and those of a with b and of b
with c say what that of a with c can be.
Rules of this file: the order is checked for all pairs and triples of what positions can hold.
"""

from __future__ import annotations

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.compared import follows
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    IS_SAME,
    SIGNS,
    Labels,
    Symbols,
    compared_in,
)

_MOST_RANKED = 2048  # what a position of a rank can hold: its square is a table


def first_rank(symbols: Symbols, labels: Labels, numbers: Array) -> int | None:
    """The least value of a count that is a rank; None for any other."""
    if symbols.causal or int(numbers.max()) != 1:
        return None
    compared = compared_in(symbols, labels)
    if len(compared) > 1:
        return None
    read = {s for _, s in labels if s not in compared}
    states = tuple(sorted(read | {AT_INDEX}))
    own = tuple((0, s) for s in states)
    shape = symbols.shape(own)
    size = int(np.prod(shape))
    if size > _MOST_RANKED:
        return None
    flat = np.indices(shape).reshape(len(states), size)
    place = {s: flat[i] for i, s in enumerate(states)}
    there = symbols.possible(own).reshape(-1)
    counts = [
        _counts(labels, numbers, place, dict.fromkeys(compared, sign))
        for sign in (range(len(SIGNS)) if compared else (IS_SAME,))
    ]
    apart = there[:, None] & there[None, :] & _apart(symbols, place)
    mine = np.diagonal(counts[len(counts) // 2])[there]
    if not len(mine) or not (mine == mine[0]).all():
        return None
    return int(mine[0]) if is_strict_order(counts, apart) else None


def _counts(
    labels: Labels,
    numbers: Array,
    place: dict[int, Array],
    signs: dict[int, int],
) -> Array:  # -> [n_state, n_state]
    """[a, b] True where b is counted as before a, with these comparisons of b with a."""
    size = len(next(iter(place.values())))
    at = []
    for side, s in labels:
        if s in signs:
            at.append(np.full((1, 1), signs[s]))
        else:
            at.append(place[s][:, None] if side == 0 else place[s][None, :])
    return np.broadcast_to(numbers[tuple(at)] == 1, (size, size))


def _apart(symbols: Symbols, place: dict[int, Array]) -> Array:
    """[a, b] True where these can be two positions of one text."""
    found = np.ones((), dtype=bool)
    for s, values in place.items():
        a, b = values[:, None], values[None, :]
        if s == AT_INDEX or symbols.all[s].first is not None:
            found = found & (a != b)
        if symbols.all[s].everywhere:
            found = found & (a == b)
    return found


def is_strict_order(counts: list[Array], apart: Array) -> bool:
    """True if it is a strict order of all, whatever the comparisons are.

    counts  for each sign of a comparison, or one: [n, n] True where the second is before the first
    apart   [n, n] True for two that one text can have
    """
    last = len(counts) - 1
    if any(
        (apart & (counts[i] == counts[last - i].T)).any()
        for i in range(len(counts))
    ):
        return False
    # b before a, c before b: then c before a
    before = [(x & apart).astype(np.float32) for x in counts]
    for i, one in enumerate(before):
        for j, other in enumerate(before):
            steps = (one @ other > 0) & apart
            third = follows(i, j) if last else (0,)
            if any((steps & ~counts[x]).any() for x in third):
                return False
    return True
