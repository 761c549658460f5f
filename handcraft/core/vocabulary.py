"""Converts between texts, tokens and token ids.

A token is any non-empty text; its id is its index in the declared order. A text is split from
left to right, at each place by the longest token that matches.

Rules of this file: a text that cannot be split is refused with the place, never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from handcraft.core.errors import (
    ProgramError,
    PromptError,
    hint,
    in_quotes,
    listing,
    printable,
    unwritable,
)


@dataclass(frozen=True)
class Vocabulary:
    """The tokens in the order of their ids.

    Raises ProgramError for no tokens, an empty one, one that stands twice, or half a character.
    """

    tokens: tuple[str, ...]

    plain: ClassVar[bool] = True
    """True if a text is its tokens one after the other, cut by the longest match."""

    def __post_init__(self) -> None:
        for token in self.tokens:
            if not isinstance(token, str) or not token:
                raise ProgramError(
                    f"a token must be a non-empty text, found {token!r}"
                )
        if len(set(self.tokens)) < len(self.tokens):
            twice = next(
                token for token in self.tokens if self.tokens.count(token) > 1
            )
            raise ProgramError(
                f"the token '{printable(twice)}' stands twice in the vocabulary"
            )
        if not self.tokens:
            raise ProgramError("the vocabulary is empty")
        if amiss := unwritable(self.tokens):
            raise ProgramError(f"the token {amiss}")

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each token."""
        return {token: i for i, token in enumerate(self.tokens)}

    @cached_property
    def single(self) -> bool:
        """True if every token is one character, so that a text has one token a character."""
        return self.plain and all(len(token) == 1 for token in self.tokens)

    @property
    def in_texts(self) -> tuple[str, ...]:
        """The tokens that a text can be cut into."""
        return self.tokens

    @cached_property
    def _lengths(self) -> dict[str, list[int]]:
        """For each character the lengths of the tokens that begin with it, longest first."""
        found: dict[str, list[int]] = {}
        pairs = {(len(token), token[0]) for token in self.tokens}
        for n, first in sorted(pairs, reverse=True):
            found.setdefault(first, []).append(n)
        return found

    def __len__(self) -> int:
        return len(self.tokens)

    def split(self, text: str) -> tuple[str, ...]:
        """The text as tokens, by the longest match. Raises PromptError where none matches."""
        if self.single and self.ids.keys() >= set(text):
            return tuple(text)
        found: list[str] = []
        at = 0
        while at < len(text):
            for n in self._lengths.get(text[at], ()):
                if text[at : at + n] in self.ids:
                    break
            else:
                raise PromptError(self._unknown(text, at))
            found.append(text[at : at + n])
            at += n
        return tuple(found)

    def settled(self, text: str, tokens: Sequence[str]) -> bool:  # noqa: ARG002
        """True if a text that ends with this one always ends with these tokens, its own, as far as
        that can be told.
        """
        return True

    def otherwise(self, token: str) -> str | None:  # noqa: ARG002
        """The token whose text this is, where it is not, or not only, the name of a token."""
        return None

    def _unknown(self, text: str, at: int) -> str:
        return (
            f"no token matches '{printable(text[at])}' at character {at} of the"
            f" text{self._spaced(text, at)}; the vocabulary is"
            f" {listing(map(in_quotes, self.tokens))}"
        )

    def _spaced(self, text: str, at: int) -> str:
        """The advice where a space is missing, or stands by itself; else nothing."""
        if text[at] == " ":
            return "; a space belongs to a token, as in ' Anna', and is never left out"
        for token in self.tokens:
            word = token.lstrip()
            if word and word != token and text.startswith(word, at):
                return f"; the token {in_quotes(token)} begins with a space"
        return ""

    def encode(self, prompt: str | Iterable[str]) -> list[int]:
        """The ids of a text, or of a sequence of tokens.

        Raises PromptError for a token that is not in the vocabulary.
        """
        if isinstance(prompt, str):
            return [self.ids[token] for token in self.split(prompt)]
        tokens = tuple(prompt)
        for token in tokens:
            if not isinstance(token, str) or token not in self.ids:
                raise PromptError(
                    f"the token '{printable(str(token))}' is not in the vocabulary"
                    f" {listing(map(in_quotes, self.tokens))}"
                    + hint(str(token), self.tokens)
                )
        return [self.ids[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids."""
        return "".join(self.tokens[i] for i in ids)

    def context(self, ids: Iterable[int]) -> str | tuple[str, ...]:
        """The context as it is passed to a claim, indexed and iterated token by token.

        A text where every token is one character, else a tuple of tokens.
        """
        tokens = tuple(self.tokens[i] for i in ids)
        return "".join(tokens) if self.single else tokens

    def show(self, ids: Sequence[int]) -> str:
        """The tokens as a printable text, in quotes unless all tokens are single characters."""
        names = [printable(self.tokens[i]) for i in ids]
        return "".join(names) if self.single else " ".join(map(repr, names))
