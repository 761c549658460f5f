"""Nondeterministic choices: values that a left-to-right automaton cannot know yet.

Each choice becomes a case of its own; a context for which the choice turns out false at the end
belongs to another case.

    fixed    where the prompt ends and how long the context is, if an address or a bound of the
             claim depends on it
    guessed  a token that a condition compares with, or a selection that is used as an address

Rules of this file: expressions in, expressions and values out. A guess is never trusted: the
case checks it at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handcraft.proof.prover.network import Undecided
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import LAZY, chosen, combine

POINTWISE = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "modulo",
    "equal",
    "below",
    "lookup",
    "otherwise",
    "cases",
    "most",
    "ratio",
)
FOLLOWED = ("first", "latest", "count", "total", "lowest", "state")


class Known:
    """The value of an expression that is fixed beforehand, by the context's length or by a
    guess.
    """

    def __init__(
        self,
        scope: dict[str, int | None],
        guesses: Sequence[tuple[Expression, Any]] = (),
    ) -> None:
        self.scope = scope
        self.guesses = guesses

    def __call__(self, e: Any) -> Any:
        if not isinstance(e, Expression):
            return e
        if e.op in self.scope:
            return self.scope[e.op]
        for guessed, value in self.guesses:
            if guessed == e:
                return value
        if e.op not in POINTWISE:
            raise Undecided(f"the claim's {e.op} must be known where it is not")
        return (
            chosen(e, self)
            if e.op in LAZY
            else combine(e, [self(arg) for arg in e.args])
        )


def own_token(e: Any) -> bool:
    return (
        isinstance(e, Expression)
        and e.op == "token_at"
        and isinstance(e.args[0], Expression)
        and e.args[0].op == "here"
    )


def reads_own(e: Any) -> bool:
    """True if the value depends on the last token itself, not only through a condition."""
    return own_token(e) or (
        isinstance(e, Expression)
        and e.op not in FOLLOWED
        and any(reads_own(arg) for arg in e.args)
    )


def direct(e: Expression) -> bool:
    """True if the expression is the token at a first or latest matching position."""
    return (
        e.op == "token_at"
        and isinstance(e.args[0], Expression)
        and e.args[0].op in ("first", "latest")
    )


def fixes(e: Expression) -> bool:
    """True if the context's length must be fixed beforehand: an address or a bound depends
    on it.
    """
    if own_token(e):
        return False
    fixed = (
        e.before,
        *(e.args if e.op == "token_at" and not direct(e) else ()),
    )
    return any(
        isinstance(part, Expression) and _positional(part) for part in fixed
    ) or any(fixes(part) for part in e.parts)


def _positional(e: Expression) -> bool:
    return e.op in ("here", "end") or any(_positional(part) for part in e.parts)


def guesses(e: Expression) -> list[Expression]:
    """Return the expressions that must be guessed, the inner ones first: tokens that a
    condition compares with, and selections used as an address.
    """
    if own_token(e):
        return []
    address = e.args if e.op == "token_at" and not direct(e) else ()
    found = [
        part
        for known in (*(what for _, what in e.where), e.before, *address)
        for part in _guessed(known)
    ]
    found += [
        part
        for arg in e.args
        if isinstance(arg, Expression)
        for part in guesses(arg)
    ]
    return list(dict.fromkeys(found))


def _guessed(e: Any) -> list[Expression]:
    """Return the expressions that must be guessed before the value of this one is known."""
    if not isinstance(e, Expression):
        return []
    whole = e.op in (
        *FOLLOWED,
        "token_at",
        "lookup",
        "otherwise",
        "cases",
    ) and _varies(e)
    return [
        *guesses(e),
        *([e] if whole else (part for arg in e.args for part in _guessed(arg))),
    ]


def _varies(e: Expression) -> bool:
    return (
        e.op == "token_at"
        or e.op in FOLLOWED
        or any(_varies(part) for part in e.parts)
    )
