"""Reads a claim that says the greatest of some tokens: by which order, and of which texts.

    fetch(tokens, best(score))    where `score` is a number of the token alone, another one for
                                  each; of the least it is the greatest of `0 - score`

Its texts are prompts, or contexts. At each position stands one token that has no score, such as
the `^` and the `=` of `^3914=`, or any of the ranked ones: so of each length there are N^k texts.
Rules of this file: what says anything else is rejected, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from handcraft.claims.kinds import CLAIM_KINDS, Claim, Predicate
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import START, Language
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.checker.zonotope import Rejected
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import is_own

# computed from values at one position, whichever it is
_PLAIN = frozenset(
    [
        *("add", "subtract", "multiply", "divide", "modulo", "ratio", "equal"),
        *("below", "lookup", "otherwise", "cases", "least", "greatest"),
    ]
)


@dataclass(frozen=True)
class Shape:
    """The texts of one length: at each place the only token there, None where any may stand."""

    fixed: tuple[int | None, ...]

    def __len__(self) -> int:
        return len(self.fixed)

    @property
    def free(self) -> tuple[int, ...]:
        """The places where any ranked token may stand, without the last place."""
        return tuple(
            i for i, only in enumerate(self.fixed[:-1]) if only is None
        )

    @property
    def settled(self) -> tuple[int, ...]:
        """The places where one token stands, without the last place."""
        return tuple(
            i for i, only in enumerate(self.fixed[:-1]) if only is not None
        )


@dataclass(frozen=True)
class Ranking:
    """The claim that the greatest token follows.

    order   the ids of the ranked tokens, the least first
    shapes  the texts, a shape for each length
    """

    order: tuple[int, ...]
    shapes: tuple[Shape, ...]

    def last(self, shape: Shape) -> tuple[int, ...]:
        """The tokens that can stand last."""
        only = shape.fixed[-1]
        return self.order if only is None else (only,)

    def size(self, shape: Shape) -> int:
        """The number of texts of a shape."""
        return len(self.order) ** sum(only is None for only in shape.fixed)


def ranking_of(claim: Claim, vocabulary: Vocabulary, n_ctx: int) -> Ranking:
    """The order and the texts of a claim. Raises Rejected if it does not say the greatest."""
    if type(claim) not in CLAIM_KINDS:
        raise Rejected("the claim is of a kind that is not known here")
    if type(vocabulary) is not Vocabulary:
        raise Rejected("the tokens come from a tokenizer")
    ranks = _ranks(_score(claim), vocabulary)
    if isinstance(claim, Answers):
        language = claim.language(n_ctx, vocabulary)
        shapes = tuple(_shapes(language, vocabulary, ranks))
    else:
        if len(ranks) < len(vocabulary):
            raise Rejected("a token of the contexts has no rank")
        shapes = tuple(Shape((None,) * n) for n in range(1, n_ctx + 1))
    if not shapes or not ranks:
        raise Rejected("there is no text of ranked tokens")
    return Ranking(tuple(sorted(ranks, key=ranks.__getitem__)), shapes)


def _score(claim: Claim) -> Expression | int | str:
    """The number by which the greatest is chosen. Raises Rejected if none is."""
    if not isinstance(claim, Answers | Predicate) or not claim.one_token:
        raise Rejected("the claim does not ask for one token")
    rule = claim.rule
    if not isinstance(rule, Expression) or rule.op != "token_at":
        raise Rejected("the claim does not ask for a token of the text")
    place = rule.args[0]
    if not isinstance(place, Expression) or place.op != "best":
        raise Rejected("the claim does not ask for the greatest token")
    score, condition = place.args
    if condition != 1 or not _of_token(score):
        raise Rejected("the greatest is not chosen by the token alone")
    return score


def _of_token(e: object) -> bool:
    """True for what is computed from the token at its own position, and from nothing else."""
    waiting, seen = [e], set[int]()
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Expression) or id(part) in seen or is_own(part):
            continue
        if part.op not in _PLAIN or part.where or part.before is not None:
            return False
        seen.add(id(part))
        waiting.extend(part.args)
    return True


def _ranks(
    score: Expression | int | str, vocabulary: Vocabulary
) -> dict[int, int | Fraction]:
    """The number of each token that has one. Raises Rejected unless they all differ."""
    found = dict[int, int | Fraction]()
    for i, token in enumerate(vocabulary.tokens):
        value = (
            evaluate(score, (token,))
            if isinstance(score, Expression)
            else score
        )
        if isinstance(value, int | Fraction):
            found[i] = value
        elif value is not None:
            raise Rejected("a rank is not a number")
    if len(set(found.values())) < len(found):
        raise Rejected("two tokens have the same rank")
    return found


def _shapes(
    language: Language, vocabulary: Vocabulary, ranks: dict[int, int | Fraction]
) -> Iterator[Shape]:
    """The shapes of all prompts. Raises Rejected where tokens depend on each other."""
    if not vocabulary.single:
        raise Rejected("a token has several characters")
    for length, count in language.lengths.items():
        places = list(_places(language, vocabulary, length))
        if prod(map(len, places)) != count:
            raise Rejected("the tokens of a prompt depend on each other")
        shape = Shape(tuple(_only(place, ranks) for place in places))
        if None not in shape.fixed:
            raise Rejected("a prompt holds no ranked token")
        yield shape


def _places(
    language: Language, vocabulary: Vocabulary, length: int
) -> Iterator[set[int]]:
    """The tokens at each place of the prompts of one length."""
    states = {START}
    for left in range(length - 1, -1, -1):
        after = {
            (state, i): language.step(state, token)
            for state in states
            for i, token in enumerate(vocabulary.tokens)
        }
        alive = {
            key: state
            for key, state in after.items()
            if state and language.ends_in(state, left)
        }
        yield {i for _, i in alive}
        states = set(alive.values())


def _only(place: set[int], ranks: dict[int, int | Fraction]) -> int | None:
    """The only token of a place, None where every ranked one may stand."""
    if place == set(ranks):
        return None
    (only, *others) = place
    if others or only in ranks:
        raise Rejected("some of the ranked tokens cannot stand at a place")
    return only
