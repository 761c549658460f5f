"""Oracles: a claim bound to a vocabulary, asked one context at a time in plain Python.

    reference = Reference(claim, vocabulary)
    reference("aba")         the right token, probabilities or number; None where the claim is
                             silent
    reference.each("aba")    the right token at each position, of a claim on whole texts

Everything faster is held to it (proof/expectation.py). Rules of this file: it knows nothing of
weights; what a claim answers is checked, and an answer that is none is a ProgramError with the
context.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from math import isfinite
from typing import Any

from handcraft.claims.functions import Callback
from handcraft.claims.kinds import After, Distribution, Each, Predicate, Residual
from handcraft.core.errors import ProgramError, hint, listing, printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import number
from handcraft.sequence.evaluate import evaluate, shown
from handcraft.sequence.expression import Expression

_Context = str | tuple[str, ...]  # as Vocabulary.context gives it


class Reference:
    """A claim bound to a vocabulary: what must follow a context, asked one context at a time in
    plain Python.
    """

    def __init__(
        self,
        claim: After | Distribution | Predicate | Residual | Each,
        vocabulary: Vocabulary,
    ) -> None:
        self.claim, self.vocabulary = claim, vocabulary

    @cached_property
    def _endings(self) -> Mapping[tuple[str, ...], Any]:
        return (
            {}
            if isinstance(self.claim, Predicate | Residual | Each)
            else self.claim.endings(self.vocabulary)
        )

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(ending) for ending in self._endings}, reverse=True)

    def __call__(self, context: _Context) -> Any:
        """The right token, the right probabilities or the right number; None where the claim is
        silent.
        """
        if isinstance(self.claim, Predicate):
            return self._checked(_asked(self.claim.function, context), context)
        if isinstance(self.claim, Residual):
            value = _asked(self.claim.function, context)
            return None if value is None else _held(self.claim, value, context)
        if isinstance(self.claim, Each):
            return self.each(context)[-1]
        tokens = tuple(context)
        endings = (tokens[len(tokens) - n :] for n in self._lengths if n <= len(tokens))
        return next(
            (self._endings[ending] for ending in endings if ending in self._endings),
            None,
        )

    def each(self, text: _Context) -> tuple[str | None, ...]:
        """What each position of a text must say, None where the claim is silent: a claim on
        contexts of the text so far.

        Raises ProgramError for what is not one token a position.
        """
        if not isinstance(self.claim, Each):
            return tuple(self(text[: i + 1]) for i in range(len(text)))
        said = self.claim.function(text)
        if not isinstance(said, list | tuple) and not (
            isinstance(said, str) and self.vocabulary.single
        ):
            wanted = "a text or a sequence" if self.vocabulary.single else "a sequence"
            found = (
                f"takes {wanted} of tokens, one a position, found {shown(said)} on"
                f" {text!r}"
            )
            raise ProgramError(f"the claim {found}", ("claim",))
        if len(said) != len(text):
            found = (
                f"{printable(repr(said))[:60]}, of length {len(said)}, to {text!r},"
                f" which has {len(text)} tokens"
            )
            raise ProgramError(f"the claim answers {found}", ("claim",))
        return tuple(self._checked(token, text) for token in said)

    def _checked(self, token: Any, context: _Context) -> Any:
        if token is not None and (
            not isinstance(token, str) or token not in self.vocabulary.ids
        ):
            known = listing(self.vocabulary.tokens)
            raise ProgramError(
                f"the claim answers {shown(token)} to {context!r}, which is not a token"
                f" of {known}"
                + hint(token if isinstance(token, str) else "", self.vocabulary.tokens),
                ("claim",),
            )
        return token


def _held(claim: Residual, value: Any, context: _Context) -> float:
    """A claim's number as a float. Raises ProgramError for none, and for one that no float
    holds well enough.
    """
    found = number(value, f"the claim on {claim.lane} takes a number")
    if not isfinite(found):
        raise ProgramError(
            f"the claim on {claim.lane} answers {found} to {context!r}; None is"
            " silence",
            ("claim",),
        )
    if (
        isinstance(value, int | Fraction)
        and abs(Fraction(value) - Fraction(found)) > claim.tolerance / 1024
    ):
        message = (
            f"the claim on {claim.lane} answers {shown(value)} to {context!r}, which no"
            " float holds as exactly"
        )
        raise ProgramError(
            f"{message} as the tolerance {claim.tolerance:g} asks", ("claim",)
        )
    return found


def _asked(function: Callback | Expression, context: _Context) -> Any:
    """What a function or an expression says of a context."""
    if isinstance(function, Callback):
        return function(context)
    try:
        return evaluate(function, tuple(context))
    except ProgramError as error:
        raise ProgramError(
            f"{error.message} on {printable(repr(context))}", ("claim",)
        ) from None
