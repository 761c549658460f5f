"""Tokens and texts: how a text is split, and which vocabularies are refused."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Refused
from vocabularies import AB, WORDS

from handcraft.core.errors import ProgramError, PromptError
from handcraft.core.vocabulary import Vocabulary

NAMES = Vocabulary(("^", " Anna"))


def test_the_longest_token_wins() -> None:
    """A text is split from left to right by the longest token that matches."""
    assert WORDS.split("aabab<end>") == ("a", "ab", "ab", "<end>")
    assert WORDS.encode("aba") == [0, 1]
    assert WORDS.encode(["a", "ab"]) == [1, 0]
    assert WORDS.decode([1, 0, 2]) == "aab<end>"


def test_contexts_as_a_claim_sees_them() -> None:
    """A claim sees a text where every token is one character, else a tuple of tokens."""
    assert AB.context([0, 1, 1]) == "abb"
    assert WORDS.context([0, 1]) == ("ab", "a")
    assert (AB.show([0, 1]), WORDS.show([0, 2])) == ("ab", "'ab' '<end>'")


@pytest.mark.parametrize(
    ("build", "kind", "message"),
    [
        (
            lambda: AB.split("abx"),
            PromptError,
            "no token matches 'x' at character 2 of the text; the vocabulary is 'a', 'b'",
        ),
        (
            lambda: NAMES.split("^ Anna Ben"),
            PromptError,
            (
                "no token matches ' ' at character 6 of the text; a space belongs to a"
                " token, as in ' Anna', and is never left out; the vocabulary is '^',"
                " ' Anna'"
            ),
        ),
        (
            lambda: NAMES.split("^Anna"),
            PromptError,
            (
                "no token matches 'A' at character 1 of the text; the token ' Anna'"
                " begins with a space; the vocabulary is '^', ' Anna'"
            ),
        ),
        (
            lambda: WORDS.encode(["<ned>"]),
            PromptError,
            (
                "the token '<ned>' is not in the vocabulary 'ab', 'a', '<end>'; did you mean"
                " '<end>'?"
            ),
        ),
        (lambda: Vocabulary(()), ProgramError, "the vocabulary is empty"),
        (
            lambda: Vocabulary(("a", "a")),
            ProgramError,
            "the token 'a' stands twice in the vocabulary",
        ),
        (
            lambda: Vocabulary(("",)),
            ProgramError,
            "a token must be a non-empty text, found ''",
        ),
        (
            lambda: Vocabulary((3,)),
            ProgramError,
            "a token must be a non-empty text, found 3",
        ),  # type: ignore[arg-type]
    ],
)
def test_vocabulary_refuses(
    build: Any, kind: type[Exception], message: str
) -> None:
    """What is not made of tokens is refused with its place, never replaced."""
    with Refused(kind, message):
        build()
