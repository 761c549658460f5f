"""How long answers are, where the text decides it: by what the tokens of the prompt add up to.

    Lasting         the length of an answer, by the end of its prompt and a sum over its tokens
    said_at_most    the tokens that an expression can have as its value, by how it is written

A text is a prompt and its answer, of which the last token is asked and never read. So a position
behind the end is there only if the answer goes on to it. Rules of this file: no position that is
there is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import branches_of, selection_of


@dataclass(frozen=True, eq=False)
class Lasting:
    """How many tokens an answer has.

    weights  [n_token] what each token of the prompt weighs
    low      the least sum, which the first column stands for
    lengths  [n_end, n_value] of each end and each sum that a prompt with this end can have; else 0
    """

    weights: Array
    low: int
    lengths: Array

    def is_of(self, weights: Array) -> bool:
        """True if it is told by the sum of these weights."""
        return np.array_equal(self.weights, weights)

    def going(self, end: int, more: int) -> Array:  # -> [n_value]
        """For which sums of the prompt there is a position so many behind its end."""
        return np.asarray(self.lengths[end] > more)


def said_at_most(e: Any, tokens: Collection[str]) -> set[Any] | None:
    """All that an expression can be, if it is written so that this is seen; else None."""
    if not isinstance(e, Expression):
        return {e}
    if e.op == "lookup":
        return {value for _, value in e.table} | {None}
    if e.op == "token_at":
        return {*tokens, None}
    parts = _parts(e)
    known = [said_at_most(part, tokens) for part in parts or ()]
    if parts is None or None in known:
        return None
    found = {x for part in known for x in part or ()}
    if e.op == "otherwise" and None not in (known[1] or ()):
        return found - {
            None
        }  # it is the second one where the first is not defined
    return found


def _parts(e: Expression) -> list[Any] | None:
    """The arguments of which an expression has the value of one."""
    if e.op == "otherwise":
        return list(e.args)
    if e.op == "cases":
        pairs, default = branches_of(e.args)
        return [*(then for _, then in pairs), default]
    if e.op == "value_at":
        return [e.args[0], None]
    if e.op == "fetch":
        selection = selection_of(e)
        return [selection.value, selection.default]
    return None
