"""Draws expressions of the language: small ones, such as people write, of a wanted operation.

    drawn(random, tokens, kind, deep)   an expression whose last operation is of this kind

A drawn expression is well formed, and any two draws of the same Random are the same; whether it
can be lowered, and whether it says anything that is not said already, is for the caller to ask.
Rules of this file: nothing is drawn but by the Random that is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from handcraft.sequence.computing import (
    below,
    clip,
    equal,
    lookup,
    max_,
    min_,
    most,
    otherwise,
    round_,
    where,
)
from handcraft.sequence.conditions import there
from handcraft.sequence.expression import Expression
from handcraft.sequence.selections import (
    any_,
    best,
    count,
    distinct,
    fetch,
    first,
    latest,
    mean,
    total,
)
from handcraft.sequence.words import indices, length, tokens

_NEAR = (1, 2)  # distances of positions
_SCORES = (-2, -1, 0, 1, 2, 3)


class _Draw:
    """Draws by one Random, over one alphabet."""

    def __init__(self, random: Random, alphabet: Sequence[str]) -> None:
        self.random = random
        self.alphabet = alphabet

    def any_of(self, *makers: Callable[[], Any]) -> Any:
        """The value of one of some functions, each as likely."""
        return self.random.choice(makers)()

    def letter(self) -> str:
        """A token of the alphabet."""
        return self.random.choice(self.alphabet)

    def small(self) -> int:
        """A small number above 0."""
        return self.random.choice((1, 2, 3))

    # ------------------------------------------------------------ numbers and tokens

    def score(self) -> Expression:
        """A number by token, at least two of them different."""
        numbers = self.random.sample(_SCORES, 2)
        numbers += self.random.choices(_SCORES, k=len(self.alphabet) - 2)
        table = dict(zip(self.alphabet, numbers, strict=False))
        return lookup(table, tokens)

    def number(self, deep: int) -> Any:
        """A number: of a selection, or where it is not deep, of the embedding."""
        if deep <= 0:
            return self.any_of(lambda: indices, lambda: length, self.score)
        one = partial(self.number, deep - 1)
        return self.any_of(
            partial(self.counted, deep),
            partial(self.counted, deep),
            partial(self.totalled, deep),
            partial(self.placed, deep),
            one,
        )

    def token(self, deep: int) -> Any:
        """A token: the own one, or one that is fetched."""
        if deep <= 0:
            return tokens
        return self.any_of(lambda: tokens, partial(self.fetched, deep))

    # ------------------------------------------------------------ conditions

    def condition(self, deep: int) -> Any:
        """A condition, as often of two parts as of one."""
        one = partial(self.plain, deep)
        return self.any_of(
            one,
            one,
            one,
            lambda: one() & self.by_place(),
            lambda: one() & self.by_place(),
            lambda: one() | self.plain(0),
            lambda: ~one(),
        )

    def plain(self, deep: int) -> Any:
        """A condition of one comparison."""
        if deep <= 1:
            return self.any_of(
                lambda: there(tokens) == tokens,
                lambda: there(tokens) == self.letter(),
                lambda: there(tokens) != tokens,
                lambda: there(tokens) < tokens,
                self.by_place,
            )
        number = self.number(deep - 1)
        return self.any_of(
            lambda: there(number) == number,
            lambda: there(number) < number,
            lambda: there(number) == self.number(deep - 2),
            lambda: there(self.token(deep - 1)) == tokens,
        )

    def by_place(self) -> Any:
        """A condition on where the key stands."""
        return self.any_of(
            lambda: there(indices) < indices,
            lambda: there(indices) <= indices,
            lambda: there(indices) > indices,
            lambda: there(indices) != indices,
            lambda: there(indices) < self.small(),
        )

    def place(self) -> Any:
        """A position, told from the own one and the length."""
        return self.any_of(
            lambda: indices - self.random.choice(_NEAR),
            lambda: indices + self.random.choice(_NEAR),
            lambda: length - 1 - indices,
            lambda: length - self.small(),
        )

    # ------------------------------------------------------------ the kinds

    def counted(self, deep: int) -> Expression:
        """The number of positions that meet a condition."""
        return count(self.condition(deep))

    def totalled(self, deep: int) -> Expression:
        """The sum of numbers."""
        return total(self.score(), self.condition(deep))

    def averaged(self, deep: int) -> Expression:
        """The mean of numbers, as the nearest one or beside a number."""
        found = mean(self.score(), self.condition(deep))
        return self.any_of(
            lambda: round_(found), lambda: below(found, self.small())
        )

    def placed(self, deep: int) -> Expression:
        """The first, the last or the best position."""
        return self.any_of(
            lambda: first(self.condition(deep)),
            lambda: latest(self.condition(deep)),
            lambda: best(self.number(deep - 1), self.condition(1)),
        )

    def fetched(self, deep: int) -> Expression:
        """The token at a position that is known or computed."""
        default = self.any_of(dict, lambda: {"default": self.letter()})
        return self.any_of(
            lambda: fetch(tokens, self.place(), **default),
            lambda: fetch(tokens, latest(self.condition(deep)), **default),
            lambda: fetch(tokens, first(self.condition(deep)), **default),
            lambda: fetch(tokens, best(self.number(deep)), **default),
            lambda: fetch(self.token(deep - 1), self.place(), **default),
        )

    def sorted_(self, deep: int) -> Expression:
        """The tokens in another order: fetched by their rank, equal ones as they stand."""
        by = self.any_of(lambda: tokens, self.score)
        if deep > 2:
            by = self.counted(1)
        less = self.any_of(lambda: there(by) < by, lambda: by < there(by))
        rank = count(less | (there(by) == by) & (there(indices) < indices))
        at = self.any_of(
            lambda: indices, lambda: length - 1 - indices, lambda: 0
        )
        return fetch(tokens, there(rank) == at)

    def summed(self, deep: int) -> Expression:
        """A sum, a difference, a multiple, a quotient or a rest of numbers."""
        a = partial(self.number, deep)
        k = self.random.choice((2, 3))
        return self.any_of(
            lambda: a() + self.counted(1),
            lambda: a() - self.counted(1),
            lambda: k * self.counted(deep) - self.small(),
            lambda: self.counted(deep) % k,
            lambda: self.counted(deep) // k,
        )

    def bounded(self, deep: int) -> Expression:
        """The less, the greater, or a number between bounds."""
        a = partial(self.counted, deep)
        return self.any_of(
            lambda: min_(a(), self.number(1)),
            lambda: max_(a(), self.number(1)),
            lambda: clip(a(), 1, 2 + self.small()),
        )

    def compared(self, deep: int) -> Expression:
        """True or false of two numbers."""
        a = partial(self.counted, deep)
        return self.any_of(
            lambda: equal(a(), self.number(1)),
            lambda: below(a(), self.number(1)),
            lambda: equal(a(), self.small()),
        )

    def found(self, deep: int) -> Expression:
        """True or false: a position is there, or a value stands once."""
        return self.any_of(
            lambda: any_(self.condition(deep)),
            lambda: any_(self.condition(deep)),
            lambda: distinct(self.token(deep - 1)),
        )

    def chosen(self, deep: int) -> Expression:
        """One of two tokens, or of two numbers, by a condition."""
        flag = self.any_of(
            partial(self.compared, deep), partial(self.found, deep)
        )
        return self.any_of(
            lambda: where(flag, tokens, self.fetched(1)),
            lambda: where(flag, self.letter(), tokens),
            lambda: where(flag, self.counted(1), self.number(0)),
        )

    def named(self, deep: int) -> Expression:
        """A token that a number stands for."""
        two = self.random.sample([*self.alphabet], 2)
        return self.any_of(
            lambda: lookup(dict(enumerate(two)), self.counted(deep) % 2),
            lambda: lookup({0: two[0]}, self.counted(deep), default=tokens),
            lambda: otherwise(self.fetched(deep), two[0]),
            lambda: most({two[0]: self.counted(deep), two[1]: self.number(1)}),
        )


_KINDS: Mapping[str, Callable[[_Draw, int], Expression]] = {
    "count": _Draw.counted,
    "fetch": _Draw.fetched,
    "arithmetic": _Draw.summed,
    "choice": _Draw.chosen,
    "total": _Draw.totalled,
    "position": _Draw.placed,
    "lookup": _Draw.named,
    "bound": _Draw.bounded,
    "sort": _Draw.sorted_,
    "compare": _Draw.compared,
    "any": _Draw.found,
    "mean": _Draw.averaged,
}
KINDS = tuple(_KINDS)


def drawn(
    random: Random, alphabet: Sequence[str], kind: str, deep: int
) -> Expression:
    """An expression of a kind, whose selections are nested up to `deep` times."""
    return _KINDS[kind](_Draw(random, alphabet), deep)
