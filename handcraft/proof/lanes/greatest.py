"""Claims that ask for the token of the greatest number, of texts and of prompts.

    is_most(e)                      True for such a claim
    either_way(most, one, other)    what is shown two tokens at a time, or by the tables of all
    margin_of_most(stream, ...)     the least margin, and the greatest error of a difference
    holding(contexts, most, stop)   texts of which the answers hold tokens of the claim alone

Rules of this file: what an answer may hold is every token that is listed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.pairs import MostByPairs
from handcraft.proof.lanes.stream import LaneStream
from handcraft.sequence.expression import Expression

_T = TypeVar("_T")
_FEW = 4  # tokens whose numbers one table may hold


def is_most(e: Any) -> bool:
    """True where the token of the greatest number is asked for."""
    return isinstance(e, Expression) and e.op == "most"


def either_way(
    most: Expression, by_pairs: Callable[[], _T], by_tables: Callable[[], _T]
) -> _T:
    """What is shown two tokens at a time, or else by tables, where the tokens are few."""
    try:
        return by_pairs()
    except (Rejected, ArithmeticError, LookupError, TypeError, ValueError) as e:
        why_not = e
    if len(most.args) <= _FEW:
        try:
            return by_tables()
        except Rejected:
            pass
    raise why_not


def margin_of_most(
    stream: LaneStream,
    claimed: MostByPairs,
    seen: Callable[[str, LaneStream], None] = lambda _, __: None,
) -> tuple[float, float]:
    """The least margin, and the greatest error of a difference, of a stream that was not followed
    yet. Raises Rejected.
    """
    stream.run(seen, to_last=True)
    return claimed.margin(stream)


def holding(
    contexts: PromptContexts, most: Expression, stop: str | None
) -> PromptContexts:
    """The same texts: behind a position that is asked stands one of the tokens that are listed."""
    if stop is not None:
        raise Rejected("an answer may end somewhere else")
    named = {token for (token,), _ in most.table}
    listed = np.array([t in named for t in contexts.tokens])
    there = contexts.there.copy()
    for e, end in enumerate(contexts.ends):
        if contexts.last[e] > end and contexts.begin in named:
            raise Rejected("an answer may hold the first token")
        there[e, end + 1 : contexts.last[e] + 1] &= listed
    return replace(contexts, there=there)
