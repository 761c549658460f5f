"""Claims that ask for the token of the greatest number, of texts and of prompts.

    is_most(e)                          True for such a claim
    margin_of_most(stream, claimed)     the least margin, and the greatest error of a difference
    holding(contexts, named, stop)      texts of which the answers hold tokens of these names alone

Rules of this file: what an answer may hold is every token that is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.pairs import MostByPairs
from handcraft.proof.lanes.stream import LaneStream
from handcraft.sequence.expression import Expression


def is_most(e: Any) -> bool:
    """True where the token of the greatest number is asked for."""
    return isinstance(e, Expression) and e.op == "most"


def margin_of_most(
    stream: LaneStream, claimed: MostByPairs
) -> tuple[float, float]:
    """The least margin, and the greatest error of a difference, of a stream that was not followed
    yet. Raises Rejected.
    """
    stream.run(lambda _, __: None, to_last=True)
    return claimed.margin(stream)


def holding(
    contexts: PromptContexts, named: Sequence[str], stop: str | None
) -> PromptContexts:
    """The same texts: behind a position that is asked stands one of the tokens that are listed."""
    if stop is not None:
        raise Rejected("an answer may end somewhere else")
    there = contexts.there.copy()
    listed = np.array([t in named for t in contexts.tokens])
    for e, end in enumerate(contexts.ends):
        behind = slice(end + 1, contexts.last[e] + 1)
        if contexts.last[e] > end and contexts.begin in named:
            raise Rejected("an answer may hold the first token")
        there[e, behind] &= listed
    return replace(contexts, there=there)
