"""A claim about the greatest of many counts, read for two tokens at a time.

    both counted    if a's number is at least b's (b stands behind a in the claim), a must be
                    ahead; else b
    one counted     if a's number, times how many numbers there are, is at least the sum of all
                    of them, a must be ahead

Rules of this file: the meaning is that of `sequence.expression.evaluate`; what is not a number
is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from handcraft.proof.checker.claim import Domain
from handcraft.proof.checker.claim_expression import Ruled
from handcraft.proof.checker.zonotope import Rejected
from handcraft.sequence.expression import Expression

# selections that read tokens by what matches them
ALIKE = ("count", "first", "latest", "total", "lowest")


@dataclass(frozen=True)
class Pair:
    """Two tokens: the numbers that are compared, by their place in the claim, and the
    tokens' ids. There is no second number for a token that is not counted.
    """

    first: int
    second: int | None
    winner: int
    loser: int


def pairs_of(
    rule: Expression, ids: dict[str, int], n_vocab: int
) -> Iterator[Pair]:
    """Yield every two counted tokens, and every counted one with every other token."""
    counted = [ids[str(key)] for (key,), _ in rule.table]
    for i, a in enumerate(counted):
        yield from (
            Pair(i, j, a, counted[j]) for j in range(i + 1, len(counted))
        )
        yield from (
            Pair(i, None, a, b) for b in range(n_vocab) if b not in counted
        )


def together(rule: Expression) -> Expression:
    """Return the sum of all counts as one count. Raises Rejected if they do not count the
    same thing of different tokens.
    """
    whats = []
    for e in rule.args:
        if (
            not isinstance(e, Expression)
            or e.op != "count"
            or len(e.where) != 1
            or not isinstance(e.where[0][1], str)
        ):
            raise Rejected("the sum of the claim's numbers is no count")
        whats.append((e.where[0][0], e.before, e.every))
    first = rule.args[0]
    tokens = tuple(
        e.where[0][1] for e in rule.args if isinstance(e, Expression)
    )
    if (
        any(what != whats[0] for what in whats)
        or len(set(tokens)) < len(tokens)
        or not isinstance(first, Expression)
    ):
        raise Rejected("the sum of the claim's numbers is no count")
    return Expression(
        op="count",
        where=((whats[0][0], tokens),),
        before=first.before,
        every=first.every,
    )


class Numbers(Ruled):
    """The reading of two numbers of the claim, token by token."""

    def __init__(
        self, domain: Domain, levels: list[int], numbers: tuple[Any, Any]
    ) -> None:
        super().__init__(
            domain, levels, None, None, {}, Expression(op="add", args=numbers)
        )
        self.numbers = numbers

    def role(self, e: Expression) -> Callable[[str], Hashable]:
        """Return what a token is for one of the selections: tokens of one role change every
        memory alike.
        """
        if e.op in ("total", "lowest"):
            return lambda text: int(e.rows.get((text,), 0))
        if e.op in ALIKE:
            wanted = [self._fixed(what) for _, what in e.where]
            return lambda text: tuple(
                text in what if isinstance(what, tuple) else text == what
                for what in wanted
            )
        return lambda text: text

    def shape(self) -> Hashable:
        """Return what is read of contexts, except for the tokens in the conditions."""
        names = tuple(_shape(e) for e in self.followed)
        places = tuple(
            self.followed.index(e) if e in self.followed else e
            for e in self.numbers
        )
        return names, places

    def values(
        self, memory: Any, position: int, token: int
    ) -> tuple[int | Fraction, int | Fraction]:
        """Return both numbers. Raises Rejected if one is not a number."""
        scope = {
            "here": position,
            "end": position if self.domain.language else None,
        }
        a, b = (self._value(e, memory, scope, token) for e in self.numbers)
        if type(a) not in (int, Fraction) or type(b) not in (int, Fraction):
            raise Rejected("the claim compares what is no number")
        return a, b


def _shape(e: Expression) -> Hashable:
    constant = all(not isinstance(what, Expression) for _, what in e.where)
    if e.op not in ALIKE or not constant:
        return e
    return e.op, e.every, e.before, tuple(offset for offset, _ in e.where)
