"""Short selections as the selections by a condition that say the same.

written_out(e)   such a selection
"""

from __future__ import annotations

from typing import Any

from handcraft.proof.checker.zonotope import Rejected
from handcraft.sequence.expression import Expression


def written_out(e: Expression) -> Expression:
    """A short selection as the selection by a condition that says the same."""
    here = Expression(op="here")
    place = Expression(op="there", args=(here,))
    if e.op not in ("first", "latest", "count", "total"):
        raise Rejected(f"'{e.op}' is not known here")
    parts: list[Any] = [_token_there(at, what) for at, what in e.where]
    start, step = e.every
    if start:
        parts.append(
            Expression(
                op="negate", args=(Expression(op="below", args=(place, start)),)
            )
        )
    if step != 1:
        apart = Expression(op="modulo", args=(place - start, step))
        parts.append(Expression(op="equal", args=(apart, 0)))
    if e.before is not None:
        parts.append(Expression(op="below", args=(place, e.before)))
    condition: Any = 1
    for part in parts:
        both = Expression(op="both", args=(condition, part))
        condition = part if condition == 1 else both
    if e.op != "total":
        return Expression(op=f"{e.op}_where", args=(condition,))
    own = Expression(op="token_at", args=(here,))
    number = Expression(op="lookup", args=(own,), table=e.table)
    value = Expression(op="otherwise", args=(number, 0))
    return Expression(op="total_where", args=(value, condition))


def _token_there(distance: int, what: Any) -> Expression:
    """The condition that a token stands at a distance from the key, or one of several."""
    here = Expression(op="here")
    at = here if distance == 0 else here + distance
    token = Expression(op="token_at", args=(at,))
    there = Expression(op="there", args=(token,))
    if not isinstance(what, tuple):
        return Expression(op="equal", args=(there, what))
    rows = tuple(((t,), 1) for t in what)
    found = Expression(op="lookup", args=(token,), table=rows)
    return Expression(
        op="there", args=(Expression(op="otherwise", args=(found, 0)),)
    )
