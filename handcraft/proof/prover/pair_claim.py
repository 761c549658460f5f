"""A claim about the greatest of many counts, as one case for each pair of tokens.

    both counted   the first is ahead if its count is at least the second's
    one counted    the counted token is ahead if its count is at least the average of all

Rules of this file: a case reads the two counts that it compares, and nothing else.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from handcraft.proof.prover.case import OUT
from handcraft.proof.prover.cases import ExpressionCase
from handcraft.proof.prover.domains import Domain
from handcraft.proof.prover.network import Undecided
from handcraft.sequence.expression import Expression

# selections whose tokens are told apart by what matches them
COUNTS = ("count", "first", "latest")


class PairCase(ExpressionCase):
    """The contexts in which one of two tokens can be the answer; `expected` is True if the
    first is ahead.
    """

    def __init__(
        self,
        claimed: Expression,
        domain: Domain,
        first: int,
        second: int | None,
    ) -> None:
        numbers = (
            claimed.args
            if second is None
            else (claimed.args[first], claimed.args[second])
        )
        self.mass = len(numbers) if second is None else 0
        watched = (
            (claimed.args[first], _together(numbers))
            if second is None
            else numbers
        )
        super().__init__(Expression(op="add", args=watched), domain, [])

    def expected(self, state: Any, level: int, token: int) -> Any:
        if not self.domain.complete(state[0]):
            return OUT
        scope: dict[str, int | None] = {"here": level, "end": level}
        first, second = (
            self._value(e, state, scope, token) for e in self.rule.args
        )
        if first is None or second is None:
            raise Undecided(
                "a part of the claim's `most` may be nothing, so that two of them do"
                " not say when it speaks"
            )
        if type(first) not in (int, Fraction) or type(second) not in (
            int,
            Fraction,
        ):
            raise Undecided("the claim compares what is no number")
        if self.mass:  # the greatest count is at least the average
            return True if first * self.mass >= second else None
        return bool(first >= second)  # of equals, the first named

    def shape(self) -> Hashable:
        """Return what the case reads of contexts, except for the tokens in its conditions."""
        followed = tuple(_shape(e) for e in self.followed)
        numbers = tuple(self._place(e) for e in self.rule.args)
        return followed, numbers, self.mass

    def _place(self, e: Any) -> Any:
        followed = isinstance(e, Expression) and e in self.followed
        return self.followed.index(e) if followed else e

    def fits(self, k: int, token: int) -> Hashable:
        """Return what the k-th token is for the case: equal tokens change the state of
        cases of one shape alike.
        """
        text = self.tokens[token]
        return self.domain.role(token), tuple(
            t.role(k, text) for t in self.trackers
        )

    def fit_at(
        self, levels: Sequence[int], tokens: Sequence[int]
    ) -> list[Hashable]:
        """Return what each of many tokens is for the case, at its position."""
        if any(t.placed for t in self.trackers):
            both = zip(levels, tokens, strict=True)
            return [self.fits(k, token) for k, token in both]
        known = {token: self.fits(0, token) for token in set(tokens)}
        return [known[token] for token in tokens]


def pairs_of(
    rule: Expression, n_vocab: int, ids: dict[str, int]
) -> Iterator[tuple[int, int | None, int, int]]:
    """Yield (first, second or None, their ids) for every two counted tokens, and for every
    counted one with every other token.
    """
    counted = [ids[str(key)] for (key,), _ in rule.table]
    for i, a in enumerate(counted):
        for j in range(i + 1, len(counted)):
            yield i, j, a, counted[j]
        for b in range(n_vocab):
            if b not in counted:
                yield i, None, a, b


def _together(numbers: Any) -> Expression:
    """Return the sum of all counts as one count. Raises Undecided if they do not count the
    same thing for different tokens.
    """
    first = numbers[0]
    if all(
        isinstance(e, Expression)
        and e.op == "count"
        and len(e.where) == 1
        and isinstance(e.where[0][1], str)
        for e in numbers
    ):
        tokens = tuple(e.where[0][1] for e in numbers)
        alike = {(e.where[0][0], str(e.before), e.every) for e in numbers}
        if len(alike) == 1 and len(set(tokens)) == len(tokens):
            return Expression(
                op="count",
                where=((first.where[0][0], tokens),),
                before=first.before,
                every=first.every,
            )
    raise Undecided("the claim compares counts that cannot be added up to one")


def _shape(e: Expression) -> Hashable:
    constant = all(not isinstance(what, Expression) for _, what in e.where)
    if e.op not in COUNTS or not constant:
        return e
    return e.op, e.every, e.before, tuple(offset for offset, _ in e.where)
