"""What a left-to-right reading of a claim must know beforehand.

    fixed    where the prompt ends and how long the context is, where an address or a bound
             depends on it
    guessed  a token that a condition compares with, a selection that stands in an address

Rules of this file: expressions in, expressions and values out; a guess is never trusted, the
case checks it in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handcraft.proof.prover.network import Undecided
from handcraft.sequence.evaluate import LAZY, chosen, combine
from handcraft.sequence.expression import Expression

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
    """The value of an expression that is fixed beforehand: by the length of the context, or by
    a guess.
    """

    def __init__(
        self,
        scope: dict[str, int | None],
        guesses: Sequence[tuple[Expression, Any]] = (),
    ) -> None:
        self.scope, self.guesses = scope, guesses

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
    """Whether its value depends on the last token itself, other than through a condition."""
    return own_token(e) or (
        isinstance(e, Expression)
        and e.op not in FOLLOWED
        and any(reads_own(arg) for arg in e.args)
    )


def direct(e: Expression) -> bool:
    """Whether it is the token at a first or latest position."""
    return (
        e.op == "token_at"
        and isinstance(e.args[0], Expression)
        and e.args[0].op in ("first", "latest")
    )


def fixes(e: Expression) -> bool:
    """Whether a context's length must be fixed beforehand: it stands in an address or a bound."""
    if own_token(e):
        return False
    fixed = (e.before, *(e.args if e.op == "token_at" and not direct(e) else ()))
    return any(
        isinstance(part, Expression) and _positional(part) for part in fixed
    ) or any(fixes(part) for part in e.parts)


def _positional(e: Expression) -> bool:
    return e.op in ("here", "end") or any(_positional(part) for part in e.parts)


def guesses(e: Expression) -> list[Expression]:
    """What must be guessed, the inner first: tokens that a condition compares with, selections
    in an address.
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
        part for arg in e.args if isinstance(arg, Expression) for part in guesses(arg)
    ]
    return list(dict.fromkeys(found))


def _guessed(e: Any) -> list[Expression]:
    """What must be guessed so that the value of an expression is known."""
    if not isinstance(e, Expression):
        return []
    whole = e.op in (*FOLLOWED, "token_at", "lookup", "otherwise", "cases") and _varies(
        e
    )
    return [
        *guesses(e),
        *([e] if whole else (part for arg in e.args for part in _guessed(arg))),
    ]


def _varies(e: Expression) -> bool:
    return (
        e.op == "token_at" or e.op in FOLLOWED or any(_varies(part) for part in e.parts)
    )
