"""Prompts by where they end: those of some ends are looked at by themselves.

    in_parts(contexts, shown)    what is shown of all prompts, of a few ends at a time
    with_ends(contexts, part)    the texts whose prompts have some of the ends

Each prompt ends somewhere, so what is shown of the prompts with each end is shown of all. A part
is halved where a table is too large. The later ones come first: their tables are the largest, so
if some end by itself is too much, this is soon known.
Rules of this file: each end is in just one part, and each part is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.lanes.symbols import TooManyRows

_FEWEST = 2  # ends that are looked at together
_MOST_PARTS = 16


def in_parts(
    contexts: PromptContexts, shown: Callable[[PromptContexts], ShownByLanes]
) -> ShownByLanes:
    """What is shown of all prompts, of which all together are too many. Raises Rejected."""
    many = len(contexts.ends)
    size = max(_FEWEST, ceil(many / _MOST_PARTS))
    parts = [slice(max(0, x - size), x) for x in range(many, 0, -size)]
    found = [_in_halves(with_ends(contexts, x), shown) for x in parts]
    return _together(contexts, found)


def _in_halves(
    contexts: PromptContexts, shown: Callable[[PromptContexts], ShownByLanes]
) -> ShownByLanes:
    """What is shown of some ends: where a table is too large, of each half."""
    if (found := _if_it_fits(contexts, shown)) is not None:
        return found
    half = len(contexts.ends) // 2
    parts = slice(half, None), slice(half)
    return _together(
        contexts, [_in_halves(with_ends(contexts, x), shown) for x in parts]
    )


def _if_it_fits(
    contexts: PromptContexts, shown: Callable[[PromptContexts], ShownByLanes]
) -> ShownByLanes | None:
    """What is shown of some ends; None where they can be halved, as a table is too large."""
    try:
        return shown(contexts)
    except TooManyRows:  # its traceback goes, and with it the tables
        if len(contexts.ends) < 2:
            raise
    return None


def with_ends(contexts: PromptContexts, part: slice) -> PromptContexts:
    """The texts whose prompts have some of the ends, up to the last position that is asked of any
    of them; how many there are is said of all.
    """
    last, lasting = contexts.last[part], contexts.lasting
    n = max(last) + 1
    if lasting is not None:  # which counts on the same number of positions
        n = contexts.there.shape[1]
        lasting = replace(lasting, lengths=lasting.lengths[part])
    return replace(
        contexts,
        ends=contexts.ends[part],
        last=last,
        there=contexts.there[part, :n],
        asked=contexts.asked[part, :n],
        lasting=lasting,
    )


def _together(
    contexts: PromptContexts, found: list[ShownByLanes]
) -> ShownByLanes:
    """What is shown of all: the least margin, and the greatest error."""
    margin = min(x.margin for x in found)
    error = max(x.error for x in found)
    return ShownByLanes(contexts.prompts, margin, False, error, ())
