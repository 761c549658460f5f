"""Claims whose prompts or endings could be spelled in several ways."""

from __future__ import annotations

from typing import Any

import pytest
from repeating import LONGEST, ONE_WAY, message, program

from handcraft import after, answers, distribution
from handcraft.core.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("prompts", "tokens", "expected"),
    [
        (
            "ab|aaa",
            ["a", "b", "ab"],
            f"the prompt 'ab' can be spelled in two ways, 'a' 'b' and 'ab'; {ONE_WAY}",
        ),
        (
            "a{1,4}",
            ["a", "aaa"],
            (
                "the prompt 'aaa' can be spelled in two ways, 'a' 'a' 'a' and 'aaa';"
                f" {ONE_WAY}"
            ),
        ),
        (
            "b{0,2}(ab)?c",
            ["a", "b", "bc", "c", "abc"],
            f"the prompt 'bc' can be spelled in two ways, 'b' 'c' and 'bc'; {ONE_WAY}",
        ),
        (
            "abc|a",
            ["a", "bc", "ab"],
            f"the prompt 'abc' is spelled 'a' 'bc', {LONGEST}",
        ),
        (
            "(aa){1,3}",
            ["aa", "aaa"],
            f"the prompt 'aaaa' is spelled 'aa' 'aa', {LONGEST}",
        ),
        (
            "x(aba|ab)",
            ["x", "xa", "ab", "a"],
            f"the prompt 'xab' is spelled 'x' 'ab', {LONGEST}",
        ),
        (
            "a|bc|c",
            "ab",
            (
                "the prompt 'c': no token matches 'c' at character 0 of the text; the"
                " vocabulary is 'a', 'b'"
            ),
        ),
        (
            "ab|a|aabc",
            ["ab", "a"],
            (
                "the prompt 'aabc': no token matches 'c' at character 3 of the text;"
                " the vocabulary is 'ab', 'a'"
            ),
        ),
        (
            "(ab)*b",
            ["ab"],
            (
                "the prompt 'b': no token matches 'b' at character 0 of the text; the"
                " vocabulary is 'ab'"
            ),
        ),
        (
            "a*(<x>)*",
            ["<x>", "a"],
            (
                "the prompt 'aaaaaa' needs 6 tokens, but n_ctx is 5; bound the prompts,"
                " e.g. with longest="
            ),
        ),
        (
            "(<x>){1,2}a{4}",
            ["<x>", "a"],
            (
                "the prompt '<x><x>aaaa' needs 6 tokens, but n_ctx is 5; bound the"
                " prompts, e.g. with longest="
            ),
        ),
        (
            "(a|bb){6}",
            ["bb", "a"],
            (
                "the prompt 'aaaaaa' needs 6 tokens, but n_ctx is 5; bound the prompts,"
                " e.g. with longest="
            ),
        ),
    ],
)
def test_a_prompt_has_one_spelling(
    prompts: str, tokens: Any, expected: str
) -> None:
    """Else a proof counts sequences of tokens where texts are meant: the shortest such prompt
    is named.
    """
    assert (
        message(lambda: program(answers(prompts, str, length=1), tokens))
        == f"p > claim > prompts: {expected}"
    )


@pytest.mark.parametrize(
    ("prompts", "tokens", "size"),
    [
        ("a*(<x>)*", ["<x>", "a"], 5 + 3),
        ("[ab]c", ["a", "bc", "ac", "b"], 2),
        ("a|(c){0}", "ab", 1),
        ("x{1,9}", ["x", "fizz", "buzz"], 5),
    ],
)
def test_prompts_are_counted_as_sequences_of_tokens(
    prompts: str, tokens: Any, size: int
) -> None:
    """Tokens that cannot stand in a prompt are not counted with."""
    claim = answers(prompts, str, length=1, longest=5)
    assert claim.language(5, Vocabulary(tuple(tokens))).size == size
    assert program(claim, tokens)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (
            after({"ab": "a"}),
            (
                "the ending 'ab' can be spelled in two ways, 'a' 'b' and 'ab'; write"
                " the tokens that are meant"
            ),
        ),
        (
            after({"aab": "a", "b": "a"}),
            (
                "the ending 'aab' can be spelled in two ways, 'a' 'a' 'b' and 'a' 'ab';"
                " write the tokens that are meant"
            ),
        ),
        (
            distribution({"ab": {"a": 1}}),
            (
                "the ending 'ab' can be spelled in two ways, 'a' 'b' and 'ab'; write"
                " the tokens that are meant"
            ),
        ),
        (
            after({"ba": "a", ("b", "a"): "b"}),
            "the ending '('b', 'a')' stands twice",
        ),
        (
            after({"abc": "a"}),
            (
                "no token matches 'c' at character 2 of the text; the vocabulary is"
                " 'a', 'b', 'ab'"
            ),
        ),
        (
            distribution({"a": {"c": 1}}),
            "the token 'c' is not in the vocabulary 'a', 'b', 'ab'",
        ),
    ],
)
def test_an_ending_has_one_spelling(claim: Any, expected: str) -> None:
    """A text that ends a context in another spelling would not be seen."""
    assert (
        message(lambda: program(claim, ["a", "b", "ab"]))
        == f"p > claim: {expected}"
    )


def test_an_ending_may_be_written_as_tokens() -> None:
    """Each spelling is an ending of its own; a text that only the longest match would miss has
    one spelling.
    """
    assert program(after({("a", "b"): "a", ("ab",): "b"}), ["a", "b", "ab"])
    assert after({"abc": "a"}).endings(Vocabulary(("a", "bc", "ab"))) == {
        ("a", "bc"): "a"
    }
