"""Reads what is right after an ending: one token, or several of which any may follow.

    {"aa": "b"}            one token, kept as it is
    {"a": {"b", "c"}}      several, in a set, a list or a tuple, kept as a sorted tuple

A model is right where any of these tokens has a greater logit than every other token.

Rules of this file: equal claims are kept as equal values, in any order and in every process, since
they are compared, printed and hashed; what is refused is a ProgramError that names the row.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

from handcraft.core.errors import ProgramError, printable
from handcraft.language.affine import kind_of

Right: TypeAlias = str | tuple[str, ...]


def tokens_of(right: Right) -> tuple[str, ...]:
    """The tokens that are right, one or several."""
    return (right,) if isinstance(right, str) else right


def right_of(ending: Any, found: Any) -> Right:
    """The right side of a row as it is kept. Raises ProgramError unless it is tokens, each once."""
    if isinstance(found, str):
        return found
    place = f"after '{spelled(ending)}'"
    if not isinstance(found, set | frozenset | list | tuple):
        raise ProgramError(
            f"what is right {place} is a token, or a set of tokens such as"
            f" {{'a', 'b'}}, found {kind_of(found)}{_instead(found)}"
        )
    _check_tokens(place, found)
    tokens = tuple(sorted(found))
    return tokens[0] if len(tokens) == 1 else tokens


def _check_tokens(place: str, found: Collection[Any]) -> None:
    """Raise ProgramError unless there are tokens, and no list has one of them twice."""
    if not found:
        raise ProgramError(
            f"no token is right {place}: name one, or leave the row out, so that"
            " nothing is claimed there"
        )
    odd = [token for token in found if not isinstance(token, str)]
    if odd:
        raise ProgramError(
            f"the tokens that are right {place} are texts, found {kind_of(odd[0])}"
        )
    twice = [token for token in found if list(found).count(token) > 1]
    if twice:
        raise ProgramError(
            f"the token '{printable(twice[0])}' stands twice among those that are"
            f" right {place}; name it once"
        )


def _instead(found: Any) -> str:
    """What would work for a right side of the wrong kind, where that can be guessed."""
    if found is None:
        return "; leave the row out, so that nothing is claimed there"
    if isinstance(found, dict):
        return "; probabilities go into distribution({...})"
    return ""


def as_named(token: str, other: str) -> str:
    """The message for a text in place of the name of the token that it is."""
    text, name = (printable(one)[:60] for one in (token, other))
    return (
        f"the text '{text}' is the token '{name}', and claims name tokens as the model"
        f" does: write '{name}'"
    )


def spelled(ending: Any) -> str:
    """An ending as a text for a message."""
    tokens = isinstance(ending, list | tuple)
    text = "".join(map(str, ending)) if tokens else str(ending)
    return printable(text)[:60]
