"""Prompts by where they end: those of some ends are looked at by themselves.

    in_halves(contexts, shown)   what is shown of all prompts, of so many ends at a time as fit

Each prompt ends somewhere, so what is shown of the prompts with each end is shown of all. The ends
are halved, and a half is halved again where a table is too large. The later ones come first: their
tables are the largest, so if some end by itself is too much, this is soon known.
Rules of this file: each end is in just one part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.lanes.symbols import TooManyRows


def in_halves(
    contexts: PromptContexts, shown: Callable[[PromptContexts], ShownByLanes]
) -> ShownByLanes:
    """What is shown of all prompts, of which all together are too many. Raises Rejected."""
    half = len(contexts.ends) // 2
    if not half:
        raise TooManyRows("a table for prompts of one length is too large")
    found = []
    for part in (slice(half, None), slice(half)):
        some = with_ends(contexts, part)
        one = _if_it_fits(some, shown)
        found.append(in_halves(some, shown) if one is None else one)
    return _together(contexts, found)


def _if_it_fits(
    contexts: PromptContexts, shown: Callable[[PromptContexts], ShownByLanes]
) -> ShownByLanes | None:
    """What is shown of some ends; None where they can be halved, as a table is too large."""
    try:
        return shown(contexts)
    except TooManyRows:  # whose tables are gone before the halves have theirs
        if len(contexts.ends) < 2:
            raise
    return None


def with_ends(contexts: PromptContexts, part: slice) -> PromptContexts:
    """The texts whose prompts have some of the ends; how many there are is said of all."""
    lasting = contexts.lasting
    if lasting is not None:
        lasting = replace(lasting, lengths=lasting.lengths[part])
    return replace(
        contexts,
        ends=contexts.ends[part],
        last=contexts.last[part],
        there=contexts.there[part],
        asked=contexts.asked[part],
        lasting=lasting,
    )


def _together(
    contexts: PromptContexts, found: list[ShownByLanes]
) -> ShownByLanes:
    """What is shown of all: the least margin, and the greatest error."""
    margin = min(x.margin for x in found)
    error = max(x.error for x in found)
    return ShownByLanes(contexts.prompts, margin, False, error, ())
