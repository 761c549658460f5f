"""The endings in a claim's table: how they are kept, and how they are split into tokens.

    {"aa": "b"}             a text, where its tokens are plain
    {("a", "aa"): "b"}      a tuple of tokens, where the text could be spelled in two ways

The longest ending that a context has decides what is right after it.

Rules of this file: an ending is known in tokens only together with a vocabulary, so what a claim
keeps is as the author wrote it; what cannot be split is a ProgramError that names the ending.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

from handcraft.claims.spelling import quoted, spellings
from handcraft.core.errors import ProgramError, PromptError, printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import kind_of


def _in_order(ending: Any) -> Any:
    if not isinstance(ending, str | list | tuple):
        raise ProgramError(
            "an ending is a text or a tuple of tokens, found"
            f" {printable(kind_of(ending))[:60]}"
        )
    return ending


Ending = Annotated[
    str | tuple[str, ...], BeforeValidator(_in_order)
]  # a text; its tokens where it can be spelled in two ways
_Entry = TypeVar("_Entry")


def split_endings(
    table: Iterable[tuple[Ending, _Entry]], vocabulary: Vocabulary
) -> dict[tuple[str, ...], _Entry]:
    """The table with its endings split into tokens.

    Raises ProgramError for an ending that is empty, occurs twice, is not in the vocabulary, or
    can be spelled in two ways, one of which would silently not count.
    """
    endings: dict[tuple[str, ...], _Entry] = {}
    for ending, entry in table:
        tokens = _split_ending(ending, vocabulary)
        if not tokens or tokens in endings:
            raise ProgramError(
                f"the ending '{printable(str(ending))}'"
                f" {'stands twice' if tokens else 'is empty'}",
                ("claim",),
            )
        endings[tokens] = entry
    return endings


def _split_ending(ending: Ending, vocabulary: Vocabulary) -> tuple[str, ...]:
    if isinstance(ending, str) and not vocabulary.plain:
        return _cut(ending, vocabulary) if ending else ()
    ways = (
        spellings(ending, vocabulary)
        if isinstance(ending, str) and not vocabulary.single
        else []
    )
    if len(ways) > 1:
        found = (
            f"can be spelled in two ways, {quoted(ways[0])} and {quoted(ways[1])};"
            " write the tokens that are meant"
        )
        raise ProgramError(
            f"the ending '{printable(str(ending))}' {found}", ("claim",)
        )
    try:
        return (
            ways[0]
            if ways
            else tuple(vocabulary.tokens[i] for i in vocabulary.encode(ending))
        )
    except PromptError as error:
        raise ProgramError(str(error), ("claim",)) from None


def _cut(ending: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The tokens of a text that a tokenizer cuts, or that is ids.

    Raises ProgramError unless every text that ends with it ends with these tokens.
    """
    found = f"the ending '{printable(ending)}' is a text"
    try:
        tokens = vocabulary.split(ending)
    except PromptError as error:
        raise ProgramError(
            f"{found}, and {error}; write a tuple of tokens", ("claim",)
        ) from None
    if not vocabulary.settled(ending, tokens):
        named = ending in vocabulary.ids and tokens != (ending,)
        instead = f", or {(ending,)!r} for the token of that name"
        raise ProgramError(
            f"{found}, which the model's tokenizer may cut otherwise in a longer one;"
            f" write a tuple of tokens, such as {printable(repr(tokens))[:200]}"
            + printable(instead if named else ""),
            ("claim",),
        )
    return tokens
