"""Vocabularies of models from elsewhere: tokens that a tokenizer cuts, ids without any text, and
rows of wte that no token has.

    FileTokens     a tokenizer of the package `tokenizers` cuts texts and joins tokens
    PaddedTokens   tokens that stand in texts as they are, fewer than wte has rows
    IdTokens       no tokenizer at all: a text is ids, as "5 0 12"

wte may have more rows than there are tokens, so that its size is a multiple of 64. Such an id is
called `<unused 50257>`: no text is ever cut into it, and where a model predicts it, the answer
shows that name.

Rules of this file: a text is never changed in silence. What a tokenizer gives is joined again and
compared with the text: byte pairs must give back every letter (they may add a space in front),
other tokenizers all but white space; where one has a normalizer, case and accents may change too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar

from handcraft.core.errors import PromptError, WeightsError, clipped, printable
from handcraft.core.vocabulary import Vocabulary


def filled(tokens: Mapping[int, str], n: int) -> tuple[str, ...]:
    """A name for each of n ids: its token, or `<unused ID>` where it has none.

    Raises WeightsError for an id that is no row.
    """
    if beyond := [i for i in sorted(tokens) if not 0 <= i < n]:
        raise WeightsError(
            f"the token '{clipped(tokens[beyond[0]])}' has the id {beyond[0]}, but wte has"
            f" {n} rows; resize_token_embeddings of transformers gives each token one"
        )
    taken = set(tokens.values())
    return tuple(
        tokens[i] if i in tokens else _unused(i, taken) for i in range(n)
    )


def _unused(i: int, taken: set[str]) -> str:
    name = f"<unused {i}>"
    while name in taken:
        name = f"<{name}>"
    return name


def padded(vocabulary: Vocabulary, n: int) -> Vocabulary:
    """The vocabulary itself where it has n tokens, else one that calls the further ids unused.

    Raises WeightsError for one that has more.
    """
    if len(vocabulary) > n:
        raise WeightsError(
            f"{len(vocabulary)} tokens, but wte has {n} rows: each token needs one"
        )
    if len(vocabulary) == n:
        return vocabulary
    names = filled(dict(enumerate(vocabulary.tokens)), n)
    return PaddedTokens(names, vocabulary)


@dataclass(frozen=True)
class PaddedTokens(Vocabulary):
    """Tokens that stand in texts as they are, and ids that no text is cut into."""

    known: Vocabulary = field(repr=False)

    @property
    def in_texts(self) -> tuple[str, ...]:
        return self.known.tokens

    def split(self, text: str) -> tuple[str, ...]:
        return self.known.split(text)


@dataclass(frozen=True)
class IdTokens(Vocabulary):
    """The ids of a model without a tokenizer, whose texts are numbers between white space."""

    plain: ClassVar[bool] = False

    def split(self, text: str) -> tuple[str, ...]:
        words = text.split()
        for word in words:
            if word not in self.ids:
                raise PromptError(
                    f"there is no tokenizer, so a text is ids from 0 to"
                    f" {len(self) - 1} such as '0 {len(self) - 1}', found"
                    f" '{clipped(word)}'; load_gpt2(directory, tokens=[...]) names them"
                )
        if not words:
            raise PromptError(
                "the text is white space; it needs at least one id"
            )
        return tuple(words)

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self.tokens[i] for i in ids)


@dataclass(frozen=True)
class FileTokens(Vocabulary):
    """The tokens of a tokenizer, which encodes and decodes texts. Raises PromptError for a text
    that it would not give back.

    exact  True if every letter must come back, as of byte pairs
    """

    tokenizer: Any = field(compare=False, repr=False)  # tokenizers.Tokenizer
    exact: bool
    plain: ClassVar[bool] = False

    def split(self, text: str) -> tuple[str, ...]:
        return tuple(self.tokens[i] for i in self._cut(text))

    def encode(self, prompt: str | Iterable[str]) -> list[int]:
        """The ids of a text, or of tokens, each as the file spells it ("Ġthe") or as a text of
        one token (" the").
        """
        if isinstance(prompt, str):
            return self._cut(prompt)
        return [
            self.ids[token] if token in self.ids else self._only(token)
            for token in prompt
        ]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; bytes that are not UTF-8 become U+FFFD, an unused id its name."""
        return "".join(self._joined([int(i) for i in ids]))

    def _joined(self, ids: list[int]) -> Iterator[str]:
        for used, run in groupby(ids, lambda i: i not in self._unused):
            if used:
                here = self.tokenizer.decode(
                    list(run), skip_special_tokens=False
                )
                yield str(here)
            else:
                yield from (self.tokens[i] for i in run)

    @cached_property
    def _unused(self) -> frozenset[int]:
        known = self.tokenizer.get_vocab(with_added_tokens=True).values()
        return frozenset(range(len(self))) - frozenset(known)

    def settled(self, text: str, tokens: Sequence[str]) -> bool:
        """True if the text is the names of these tokens, and no other tokens, by their names or
        their texts, can end with it: a merge or a sign in front would make it other tokens.
        """
        # ways[i] to write the text from character i on with whole tokens
        ways = [0] * len(text) + [1]
        for at in range(len(text) - 1, -1, -1):
            fits = (w for w in self._writings if text.startswith(w, at))
            ways[at] = sum(ways[at + len(w)] for w in fits)
        begun = (
            ways[n]
            for word in self._writings
            for n in range(1, min(len(word) - 1, len(text)) + 1)
            if word.endswith(text[:n])
        )
        if not text.isascii() and "\ufffd" in self._writings:
            return False  # bytes that are no letter alone may be one together
        return "".join(tokens) == text and ways[0] == 1 and not any(begun)

    @cached_property
    def _writings(self) -> list[str]:
        """The name of each token and its text, where that is another one."""
        return [
            word
            for i, name in enumerate(self.tokens)
            for word in {name, self.decode([i])}
            if word
        ]

    def otherwise(self, token: str) -> str | None:
        if token not in self._others:
            self._others[token] = self._other(token)
        return self._others[token]

    @cached_property
    def _others(self) -> dict[str, str | None]:
        return {}

    def _other(self, token: str) -> str | None:
        """The token that the text is cut into; None for several, and for a name that is its own
        token's text.
        """
        known = self.ids.get(token)
        if not token or (known is not None and self.decode([known]) == token):
            return None
        try:
            ids = self._cut(token)
        except PromptError:
            return None
        return self.tokens[ids[0]] if len(ids) == 1 and ids != [known] else None

    def _cut(self, text: str) -> list[int]:
        try:
            encoded = self.tokenizer.encode(text, add_special_tokens=False)
            ids = [int(i) for i in encoded.ids]
        except Exception:  # the package raises plain ones
            raise PromptError(
                f"the tokenizer has no token for a part of '{clipped(text)}'"
            ) from None
        if beyond := [i for i in ids if i >= len(self)]:
            token = self.tokenizer.id_to_token(beyond[0])
            raise PromptError(
                f"the token '{clipped(token)}' has the id {beyond[0]}, and the model has"
                f" {len(self)} ids"
            )
        decoded = self.decode(ids)
        if (text and not ids) or not self._same(text, decoded):
            raise PromptError(
                f"the tokenizer cannot spell '{clipped(text)}': it reads"
                f" '{clipped(decoded)}'"
            )
        return ids

    def _same(self, text: str, decoded: str) -> bool:
        """True if the tokens, joined, are the text but for what such a tokenizer may change."""
        if decoded in (text, " " + text):  # one may add a space in front
            return True
        if self.exact:
            return False
        if self.tokenizer.normalizer is not None:
            text, decoded = _folded(text), _folded(decoded)
        return "".join(text.split()) == "".join(decoded.split())

    def _only(self, token: str) -> int:
        ids = self._cut(token) if token else []
        if len(ids) != 1:
            names = ", ".join(repr(printable(self.tokens[i])) for i in ids[:12])
            several = f" but {len(ids)}: {names}" if ids else ""
            raise PromptError(f"'{clipped(token)}' is no token{several}")
        return ids[0]


def _folded(text: str) -> str:
    """The text without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c))
