"""A claim on what follows any context, as a form: the value of its expression at each position.

    said_next(claim, vocabulary)   what such a claim says, as an expression
    NextMeaning(symbols).of(e)     the form of an expression after the text up to a position

Every position of every text ends a context, and a causal model answers there as it answers the
context. The position that asks sees the whole context, and so does what it reads at a key: what a
key finds in the text up to itself is the same only where nothing behind it counts, which is checked
(handcraft.proof.lanes.asked). A table of endings is the lookup of the last tokens, the longest
ending first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handcraft.claims.kinds import After, Predicate
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.first_token import BegunTexts
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.symbols import Symbols
from handcraft.sequence.expression import Expression

_LONGEST = 8  # ending of a table


@dataclass(frozen=True)
class _AnyText:
    """Texts that begin with any token: index 0 is the first one's."""

    begin: None = None
    skipped: int = 0


class NextMeaning(AskedMeaning):
    """The forms of expressions at any position, of a text that ends there."""

    def __init__(
        self,
        symbols: Symbols,
        contexts: BegunTexts | None = None,
        *,
        at_key: bool = False,
    ) -> None:
        super().__init__(symbols, contexts or _AnyText(), at_key=at_key)
        del self._asked["end"]  # there is no prompt

    def of(self, e: Any) -> Form:
        """The form of an expression, or of a constant. Raises Rejected."""
        with self.symbols.of_asked(False):  # each position is asked
            return self.plainly(e)


def said_next(claim: Any, vocabulary: Vocabulary) -> Expression:
    """What a claim says after each context, None where it is silent. Raises Rejected for a claim of
    another kind.
    """
    if type(claim) is Predicate and isinstance(claim.function, Expression):
        return claim.function
    if type(claim) is After:
        return _by_endings(claim, vocabulary)
    raise Rejected("the claim is no expression of what follows")


def _by_endings(claim: After, vocabulary: Vocabulary) -> Expression:
    rows: dict[int, list[tuple[tuple[str, ...], str]]] = {}
    for ending, right in claim.endings(vocabulary).items():
        if not isinstance(right, str):
            raise Rejected("several tokens may follow")
        rows.setdefault(len(ending), []).append((ending, right))
    if max(rows) > _LONGEST or min(rows) < 1:
        raise Rejected("an ending of the claim is too long, or is empty")
    found: Expression | None = None
    for length in sorted(rows, reverse=True):
        here = Expression(op="here")
        places = [here - i if i else here for i in range(length)][::-1]
        tokens = tuple(Expression(op="token_at", args=(x,)) for x in places)
        one = Expression(op="lookup", args=tokens, table=tuple(rows[length]))
        found = (
            one
            if found is None
            else Expression(op="otherwise", args=(found, one))
        )
    if found is None:
        raise Rejected("the claim is silent on every context")
    return found
