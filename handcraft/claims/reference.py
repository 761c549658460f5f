"""Evaluates a claim on one context at a time, in plain Python.

    reference = Reference(claim, vocabulary)
    reference("aba")         the right token, or a tuple of several; probabilities or a number;
                             None where the claim is silent
    reference.each("aba")    the right token at each position

Faster evaluations are compared with this one (handcraft.proof.expected). Rules of this file: it
knows nothing of weights; every answer of a claim is checked, and one that the claim must not give
is a ProgramError with the context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from math import isfinite
from typing import Any

from handcraft.claims.functions import Callback, Question
from handcraft.claims.kinds import (
    After,
    Distribution,
    Each,
    Predicate,
    Residual,
)
from handcraft.claims.right_tokens import as_named
from handcraft.core.errors import (
    ProgramError,
    PromptError,
    hint,
    in_quotes,
    listing,
    printable,
)
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import number
from handcraft.sequence.columns import at_each_position
from handcraft.sequence.evaluate import by_columns, evaluate, evaluate_each
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import shown

_Context = str | tuple[str, ...]  # as Vocabulary.context gives it


class Reference:
    """A claim bound to a vocabulary: a function from a context to what must follow it."""

    def __init__(
        self,
        claim: After | Distribution | Predicate | Residual | Each,
        vocabulary: Vocabulary,
    ) -> None:
        self.claim = claim
        self.vocabulary = vocabulary

    @cached_property
    def _endings(self) -> Mapping[tuple[str, ...], Any]:
        return (
            self.claim.endings(self.vocabulary) if self.claim.by_endings else {}
        )

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(ending) for ending in self._endings}, reverse=True)

    def __call__(self, context: _Context) -> Any:
        """The right token or tokens, probabilities or number; None where the claim is silent.

        Raises ProgramError for an answer that the claim must not give.
        """
        if self.claim.by_endings:
            return self._looked_up(tuple(context))
        if self.claim.whole_text:
            return self.each(context)[-1]
        said = _asked(self.claim.function, context)
        if self.claim.measures == "token":
            return self._checked(said, context)
        return None if said is None else _held(self.claim, said, context)

    def of_each(self, contexts: Sequence[_Context]) -> list[Any]:
        """The answers to contexts of one length, which an expression gives together."""
        rule = self.claim.rule
        together = not self.claim.whole_text and self.claim.measures == "token"
        if (
            not together
            or not isinstance(rule, Expression)
            or not by_columns(rule)
        ):
            return [self(context) for context in contexts]
        try:
            said = evaluate_each(rule, contexts)
        except ProgramError:  # the first context that raises says it
            return [self(context) for context in contexts]
        pairs = zip(said, contexts, strict=True)
        return [self._checked(token, context) for token, context in pairs]

    def _looked_up(self, tokens: tuple[str, ...]) -> Any:
        """The entry of the longest ending that the tokens have, or None."""
        ending = self.ending(tokens)
        return None if ending is None else self._endings[ending]

    def ending(self, tokens: tuple[str, ...]) -> tuple[str, ...] | None:
        """The longest ending of the claim's table that the tokens have, or None."""
        for n in self._lengths:  # the longest first
            ending = tokens[len(tokens) - n :]
            if n <= len(tokens) and ending in self._endings:
                return ending
        return None

    def each(self, text: _Context) -> tuple[str | None, ...]:
        """The right answer at each position of a text, None where the claim is silent.

        For a claim on contexts it is the answer after the text up to there. Raises ProgramError
        unless the claim gives one token or None a position.
        """
        if not self.claim.whole_text:
            return tuple(self(text[: i + 1]) for i in range(len(text)))
        function = self.claim.function
        if isinstance(function, Expression):
            return next(self.each_of([text]))
        if not self.claim.speaks_of(text):
            return (None,) * len(text)
        skipped = self.claim.skipped
        return (None,) * skipped + self._told(function, text[skipped:])

    def _told(
        self, function: Callback, text: _Context
    ) -> tuple[str | None, ...]:
        """The answers of a function at each position of a text."""
        said = function(text, "text")
        single = self.vocabulary.single
        if not isinstance(said, list | tuple | str if single else list | tuple):
            form = "a text or a list" if single else "a list"
            wanted = f"it must return {form}: a token or None for each position"
            raise function.refused(said, text, wanted, "text")
        if len(said) != len(text):
            wanted = (
                "it must return a token or None for each position:"
                f" {len(text)}, not {len(said)}"
            )
            raise function.refused(said, text, wanted, "text")
        return tuple(self._checked(token, text) for token in said)

    def each_of(
        self, texts: Sequence[_Context]
    ) -> Iterator[tuple[str | None, ...]]:
        """The answers at each position of texts of one length; an expression gives all at once."""
        rule = self.claim.rule
        if not self.claim.whole_text or not isinstance(rule, Expression):
            yield from map(self.each, texts)
            return
        skipped = self.claim.skipped
        told = [text for text in texts if self.claim.speaks_of(text)]
        rest = [text[skipped:] for text in told]
        said = iter(at_each_position(rule, rest, causal=self.claim.causal))
        for text in texts:
            if not self.claim.speaks_of(text):
                yield (None,) * len(text)
                continue
            row = (self._checked(token, text) for token in next(said))
            yield (*(None,) * skipped, *row)

    def _checked(self, token: Any, context: _Context) -> Any:
        is_text = isinstance(token, str)
        if token is None or (is_text and token in self.vocabulary.ids):
            if is_text and (other := self.vocabulary.otherwise(token)):
                raise ProgramError(as_named(token, other), ("claim",))
            return token
        if isinstance(self.claim.rule, Callback):
            raise self._refused(self.claim.rule, token, context)
        known = self.vocabulary.tokens
        suggestion = hint(token if is_text else "", known)
        raise ProgramError(
            f"the claim answers {shown(token)} to {context!r}, which is not a token"
            f" of {listing(map(in_quotes, known))}{suggestion}",
            ("claim",),
        )

    def _refused(
        self, function: Callback, said: Any, context: _Context
    ) -> ProgramError:
        """The error for an answer of a function that is no token."""
        one = f"one of the tokens {listing(map(in_quotes, self.vocabulary.tokens))}, or None"
        asked: Question = "context"
        wanted = f"it must return {one} where the claim says nothing"
        if self.claim.whole_text:
            asked, wanted = "text", f"it must return {one} for each position"
        if isinstance(said, str):
            n = self._tokens(said)
            if n > 1:
                wanted = f"that is {n} tokens, and {wanted}"
            else:
                other = self.vocabulary.otherwise(said)
                wanted += (
                    hint(said, self.vocabulary.tokens)
                    if other is None
                    else f"; {as_named(said, other)}"
                )
        return function.refused(said, context, wanted, asked)

    def _tokens(self, text: str) -> int:
        """The number of tokens of a text, 0 where it is not made of tokens."""
        try:
            return len(self.vocabulary.split(text))
        except PromptError:
            return 0


def _held(claim: Residual, value: Any, context: _Context) -> float:
    """A claim's number as a float.

    Raises ProgramError for anything else, and for a number that is not close to any float.
    """
    try:
        found = number(value, f"the claim on {claim.lane} takes a number")
    except ProgramError:
        if isinstance(claim.function, Callback):
            wanted = (
                f"it must return the number that the lane {claim.lane} holds, or None"
                " where the claim says nothing"
            )
            raise claim.function.refused(value, context, wanted) from None
        raise
    if not isfinite(found):
        raise ProgramError(
            f"the claim on {claim.lane} answers {found} to {context!r}; None is"
            " silence",
            ("claim",),
        )
    if not isinstance(value, int | Fraction):
        return found
    if abs(Fraction(value) - Fraction(found)) > claim.tolerance / 1024:
        raise ProgramError(
            f"the claim on {claim.lane} answers {shown(value)} to {context!r}, which no"
            f" float holds as exactly as the tolerance {claim.tolerance:g} asks",
            ("claim",),
        )
    return found


def _asked(function: Callback | Expression, context: _Context) -> Any:
    """The value of a function or an expression on a context."""
    if isinstance(function, Callback):
        return function(context)
    try:
        return evaluate(function, tuple(context))
    except ProgramError as error:
        raise ProgramError(
            f"{error.message} on {printable(repr(context))}", ("claim",)
        ) from None
