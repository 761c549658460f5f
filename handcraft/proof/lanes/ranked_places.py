"""Places of a text with a prompt at which a count is a rank: each has another one.

    RankedPlaces                such places
    echo_places(symbols)        the places of each echo of the prompt
    least_in_order(counts, at)  the least count, where elements are counted in a strict order

Rules of this file: the order is checked for all pairs and triples of what elements can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.echoed import MOST_ECHOES
from handcraft.proof.lanes.first_rank import is_strict_order
from handcraft.proof.lanes.symbols import Symbols

MOST_HELD = 2048  # what an element can hold: its square is a table


@dataclass(frozen=True, eq=False)
class RankedPlaces:
    """Places of which each has another count, by the end of the prompt.

    there  [n_end, n_index] True for these places
    first  [n_end] the least count
    """

    there: Array
    first: Array


def echo_places(symbols: Symbols) -> Array:
    """[n_echo, n_end, n_index] True for the positions of each echo."""
    texts = symbols.texts
    ends = np.array(() if texts is None else texts.ends, dtype=np.int64)
    index = np.arange(symbols.n)[None, None]
    region = np.arange(1, MOST_ECHOES + 1)[:, None, None]
    start = (region * (ends + 1)[None, :, None]) - 1
    fits = start + ends[None, :, None] <= symbols.n
    found: Array = (index >= start) & (index < start + ends[None, :, None])
    return found & fits


def least_in_order(counts: Array, at: Array) -> int | None:
    """The least count of elements, if they are counted in a strict order; else None.

    counts  [n_state, n_state] what the one adds for the other
    at      [n_state] the number of the element of each state
    """
    if not np.isin(counts, (0, 1)).all():
        return None
    own = np.diagonal(counts)
    apart = at[:, None] != at[None, :]
    if (own != own[0]).any() or not is_strict_order([counts == 1], apart):
        return None
    return int(own[0])


def whole_groups(groups: Sequence[RankedPlaces]) -> list[RankedPlaces]:
    """Those groups that have places for each end of a prompt: a count of one element alone would
    always be a rank.
    """
    return [x for x in groups if x.there.any(axis=1).all()]
