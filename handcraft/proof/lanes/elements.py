"""Claims that say behind a prompt what is known at an element of it, without what follows that.

    claim_of_elements(answer)         such a claim: what it says of an element, and which one
    check_elements(contexts, claim)   that the element is one of the prompt wherever it is read

An answer of a program that looks back says V at a later position, and V speaks of one place p of
the prompt: `here` stands in it as a part of p alone. With `here` in place of p it is an expression
E of the element, and V is what E says at p: value_at(E, p). Where each selection of E leaves out
the keys behind its own position, E is decided by the text up to the element: by a beginning of the
prompt, whatever follows it.
Rules of this file: what it rewrites says the same on every text; any other claim is none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.contexts import OF_THE_END, PromptContexts
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import (
    BY_CONDITION,
    branches_of,
    is_here,
    selection_of,
)

# what is made of values at one position, besides selections and what is read at a place
_POINTWISE = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "modulo", "ratio"),
        *("equal", "below", "precedes", "both", "either", "negate"),
        *("lookup", "otherwise", "cases", "given", "least", "greatest"),
        *("here", "there", "token_at", "value_at"),
    )
)
_HERE = Expression(op="here")


@dataclass(frozen=True, eq=False)
class ElementClaim:
    """A claim that reads at an element of the prompt what is said there.

    said   what is said of an element, at the element
    place  the position of the element, of the position that is asked
    whens  the conditions of the other cases, which are told by the end and the position alone
    claim  the whole claim
    """

    said: Expression
    place: Expression
    whens: tuple[Any, ...]
    claim: Expression


def claim_of_elements(answer: Expression) -> ElementClaim | None:
    """The same claim as one that reads an element; None for any other."""
    if answer.op != "cases":
        return None
    pairs, value = branches_of(answer.args)
    whens = tuple(when for when, _ in pairs)
    if not isinstance(value, Expression) or not all(map(_is_told, whens)):
        return None
    place = _place_of(value)
    if place is None:
        return None
    try:
        said = _without_end(_at_element(value, place))
        _check_looks_back(said)
    except Rejected:
        return None
    read = Expression(op="value_at", args=(said, place))
    claim = Expression(op="cases", args=(*answer.args[:-1], read))
    return ElementClaim(said, place, whens, claim)


def check_elements(contexts: PromptContexts, found: ElementClaim) -> None:
    """Check that what is read is an element of the prompt, and none that is not seen yet."""
    for e, i in np.argwhere(contexts.asked):
        end, here = (x + contexts.skipped for x in (contexts.ends[e], i))

        def told(x: Any, end: int = int(end), here: int = int(here)) -> Any:
            if not isinstance(x, Expression):
                return x
            return evaluate(x, [""] * (here + 1), end=end)

        if any(told(when) not in (0, None) for when in found.whens):
            continue  # another case is asked
        place = told(found.place)
        if type(place) is not int or not contexts.skipped <= place < end:
            raise Rejected("what is read may be no element of the prompt")


# ------------------------------------------------------------ which element


def _is_told(when: Any) -> bool:
    return not isinstance(when, Expression) or when.ops <= OF_THE_END


def _place_of(e: Any) -> Expression | None:
    """The first part that is `here` less what the end says, of the position that is asked."""
    if not isinstance(e, Expression) or e.op == "there":
        return None
    if e.op == "subtract" and is_here(e.args[0]):
        by = e.args[1]
        if not isinstance(by, Expression) or by.ops <= OF_THE_END - {"here"}:
            return e
    # a value that is selected is read at its key
    parts = _own_args(e)
    return next((x for x in map(_place_of, parts) if x is not None), None)


def _own_args(e: Expression) -> list[Any]:
    """The arguments that are asked of the position itself."""
    return [x for x, own in zip(e.args, _are_own(e), strict=True) if own]


def _are_own(e: Expression) -> list[bool]:
    """True for the arguments that are asked of the position itself; others are read at a key."""
    many = len(e.args)
    if e.op == "value_at" or (e.op in BY_CONDITION and many > 1):
        return [False] + [True] * (many - 1)
    return [True] * many


def _at_element(e: Any, place: Expression) -> Any:
    """An expression with `here` in place of a position. Raises Rejected where it asks for its own
    position otherwise.
    """
    if not isinstance(e, Expression) or e.op == "there":
        return e
    if is_same(e, place):
        return _HERE
    if e.op in ("here", "length", "step") or e.where or e.before is not None:
        raise Rejected("it speaks of the position that is asked")
    args = [
        _at_element(x, place) if own else x
        for x, own in zip(e.args, _are_own(e), strict=True)
    ]
    return Expression(op=e.op, args=tuple(args), table=e.table)


def is_same(a: Any, b: Any) -> bool:
    """True for two expressions that are written alike."""
    if not isinstance(a, Expression) or not isinstance(b, Expression):
        return type(a) is type(b) and bool(a == b)
    if a.where or b.where or a.before is not None or b.before is not None:
        return a is b
    if (a.op, a.table, len(a.args)) != (b.op, b.table, len(b.args)):
        return False
    return all(is_same(x, y) for x, y in zip(a.args, b.args, strict=True))


# ------------------------------------------------------------ what it looks at

_THERE = Expression(op="there", args=(_HERE,))
_INSIDE = Expression(op="below", args=(_THERE, Expression(op="end")))
_BEHIND = Expression(op="below", args=(_HERE, _THERE))


def _without_end(e: Any) -> Any:
    """The same without the condition that a key stands before the end: at an element all keys do
    that are not behind it.
    """
    if not isinstance(e, Expression):
        return e
    if is_same(e, _INSIDE):
        return 1
    if e.op == "end" or e.where or e.before is not None:
        raise Rejected("what is said depends on where the prompt ends")
    args = tuple(_without_end(x) for x in e.args)
    return Expression(op=e.op, args=args, table=e.table)


def _check_looks_back(e: Any) -> None:
    """Check that each selection leaves out the keys behind the position that makes it. Of a value
    at a place this is checked where it is read.
    """
    if not isinstance(e, Expression):
        return
    if e.op in BY_CONDITION:
        if not any(map(_leaves_behind, _parts(selection_of(e).condition))):
            raise Rejected("a selection may find what stands behind")
    elif e.op not in _POINTWISE:
        raise Rejected(f"'{e.op}' is not known of an element")
    for x in e.args:
        _check_looks_back(x)


def _leaves_behind(part: Any) -> bool:
    negated = isinstance(part, Expression) and part.op == "negate"
    return negated and is_same(part.args[0], _BEHIND)


def _parts(condition: Any) -> list[Any]:
    """What holds together where a condition does."""
    if isinstance(condition, Expression) and condition.op == "both":
        return [x for part in condition.args for x in _parts(part)]
    return [condition]
