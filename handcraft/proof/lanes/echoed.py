"""A selection among the elements of a prompt, as one among later positions that stand for them.

    in_echo(e, region)   a selection that looks at positions of an echo where e looks at elements
    is_of_prompt(e)      True if it selects positions of the prompt alone, behind the first token
    own_parts(e)         the parts of a condition that do not read the key
    read_at_keys(e)      what a selection asks its keys that these select
    places_of_echo(contexts, region)   where an echo stands

What a claim asks of an element is asked of the whole text. The element itself, to a causal model,
is where little of that is to be seen, so a model that says the prompt again finds it there. The
echo with the number r has its first position at r * end, where `end` is the last of the prompt,
and each position there stands for the element that is about to be said. What is computed from the
index of its element is there what is computed from `here` at the element.
Rules of this file: it moves expressions, and knows nothing of what stands at either place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.written import written_out
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import BY_CONDITION, SHORT, selection_of
from handcraft.sequence.words import below, cases, min_

MOST_ECHOES = 4  # that are looked at
_HERE = Expression(op="here")
_END = Expression(op="end")


def in_echo(e: Expression, region: int) -> Expression:
    """The selection with all that it asks at an element asked where an echo stands for it."""
    value, condition, default = selection_of(e)
    first = Expression(op="below", args=(_END * region - 1, _THERE))
    last = Expression(op="below", args=(_THERE, _END * (region + 1) - 1))
    inside = Expression(op="both", args=(first, last))
    args = [Expression(op="both", args=(_there_moved(condition), inside))]
    if len(e.args) > 1:
        args.insert(0, of_element(value))
    if len(e.args) > 2:
        args.append(default)
    return Expression(op=e.op, args=tuple(args))


_THERE = Expression(op="there", args=(_HERE,))
# the element for which a position stands: in the prompt itself, in an echo the one that is about
# to be said, and at its end the last one again
_ELEMENT = cases(
    (below(_HERE, _END), _HERE),
    min_(_HERE % _END, _END - 2) + 1,
)


def _there_moved(e: Any) -> Any:
    """A condition that asks of a key what it asked of the element for which that stands."""
    if not isinstance(e, Expression) or not e.paired:
        return e
    if e.op == "there":
        return Expression(op="there", args=(of_element(e.args[0]),))
    args = tuple(_there_moved(x) for x in e.args)
    return Expression(op=e.op, args=args, table=e.table)


def of_element(e: Any) -> Any:
    """What an expression says of an element, said at a position that stands for it."""
    if not isinstance(e, Expression):
        return e
    if e.op in (*SHORT, "total"):  # their fields read their own position
        e = written_out(e)
    if e.op == "here":
        return _ELEMENT
    if e.op in BY_CONDITION:
        value, condition, default = selection_of(e)
        args = [_own_moved(condition)]
        if len(e.args) > 1:
            args.insert(0, value)  # it is read at the key
        if len(e.args) > 2:
            args.append(of_element(default))
        return Expression(op=e.op, args=tuple(args))
    if e.op == "value_at":
        args = [e.args[0], of_element(e.args[1])]
        return Expression(op=e.op, args=tuple(args))
    if e.op in ("length", "step", "there"):
        raise Rejected(f"'{e.op}' is not asked at another position")
    args = [of_element(x) for x in e.args]
    return Expression(op=e.op, args=tuple(args), table=e.table)


def _own_moved(e: Any) -> Any:
    """A condition that asks of its own position what it asked of the element."""
    if not isinstance(e, Expression) or e.op == "there":
        return e
    if not e.paired:
        return of_element(e)
    args = tuple(_own_moved(x) for x in e.args)
    return Expression(op=e.op, args=args, table=e.table)


def is_of_prompt(e: Expression) -> bool:
    """True if a selection is said to be of keys with 0 < index < end: both are parts of it."""
    first = last = False
    for part in _parts(selection_of(e).condition):
        if part.op == "below":
            a, b = part.args
            first |= a == 0 and type(a) is int and _is_key(b)
            last |= _is_key(a) and getattr(b, "op", None) == "end"
    return first and last


def _parts(condition: Any) -> list[Expression]:
    if not isinstance(condition, Expression):
        return []
    if condition.op == "both":
        return [x for part in condition.args for x in _parts(part)]
    return [condition]


def _is_key(e: Any) -> bool:
    """True for the index of the key."""
    there = isinstance(e, Expression) and e.op == "there"
    return there and getattr(e.args[0], "op", None) == "here"


def own_parts(e: Any) -> list[Expression]:
    """The parts of a condition that do not read the key."""
    if not isinstance(e, Expression) or e.op == "there":
        return []
    return [x for a in e.args for x in own_parts(a)] if e.paired else [e]


def read_at_keys(e: Expression) -> list[Expression]:
    """What a selection asks its keys, where it is a selection, too."""
    value, condition, _ = selection_of(e)
    asked = [value, *_asked_there(condition)]
    return [
        x
        for x in asked
        if isinstance(x, Expression) and x.uses(*SHORT, *BY_CONDITION)
    ]


def _asked_there(e: Any) -> list[Any]:
    if not isinstance(e, Expression) or not e.paired:
        return []
    if e.op == "there":
        return [e.args[0]]
    return [x for part in e.args for x in _asked_there(part)]


def nodes_of(e: Expression) -> list[Expression]:
    """An expression and all of its parts, each once, the deepest first."""
    found: dict[int, Expression] = {}

    def add(x: Any) -> None:
        if isinstance(x, Expression) and id(x) not in found:
            for part in x.parts:
                add(part)
            found[id(x)] = x

    add(e)
    return list(found.values())


def asks_for_echoes(e: Expression) -> bool:
    """True if a selection of the prompt asks its keys what these select."""
    return any(
        part.op in BY_CONDITION and is_of_prompt(part) and read_at_keys(part)
        for part in nodes_of(e)
    )


def places_of_echo(
    contexts: PromptContexts, region: int
) -> tuple[Array, Array]:
    """The first and the last index of an echo, by the end of the prompt. Its first position is
    the last of the prompt, or a multiple of what that is counted from the first token on.
    """
    end = np.array(contexts.ends) + contexts.skipped
    first = region * end - contexts.skipped
    return first, first + end - 2
