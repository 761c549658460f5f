"""The language of prompts: matched, counted, listed and drawn as Python's `re` says."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from random import Random

import pytest
from conftest import Refused, examples
from hypothesis import given
from hypothesis import strategies as st
from patterns import patterns

from handcraft.claims.prompt_language import Language
from handcraft.claims.regex import MAX_NESTING, MAX_POSITIONS
from handcraft.core.errors import ProgramError

SHORT = [
    "".join(word) for n in range(5) for word in product("ab1-", repeat=n)
]  # every text up to length 4


def matched(pattern: str) -> list[str]:
    """The short texts that Python's own `re` matches."""
    compiled = re.compile(pattern, re.ASCII)
    return [text for text in SHORT if compiled.fullmatch(text)]


@examples(300)
@given(patterns)
def test_membership_is_that_of_re(pattern: str) -> None:
    """A text belongs to the language exactly where `re.fullmatch` finds it, on every short text
    but the empty one.
    """
    language = Language(pattern, 4)
    assert [text for text in SHORT if text in language] == [
        text for text in matched(pattern) if text
    ]


@examples(300)
@given(patterns)
def test_counts_and_lists_every_text(pattern: str) -> None:
    """Every text is listed once, the shorter first, and counted: nothing that `re` would not
    match is.
    """
    language = Language(pattern.replace(r"\d", "1").replace("0-9", "1"), 4)
    expected = sorted(
        (text for text in matched(language.pattern) if text),
        key=lambda text: (len(text), text),
    )
    assert list(language) == expected
    assert language.lengths == Counter(map(len, expected))
    assert language.size == len(expected)
    assert "" not in language


@given(patterns, st.randoms(use_true_random=False))
def test_what_is_drawn_belongs_to_the_language(
    pattern: str, random: Random
) -> None:
    """Each drawn text is matched by `re` and is no longer than asked for."""
    language = Language(pattern, 6)
    if language.size:
        text = language.draw(random)
        assert re.fullmatch(pattern, text, re.ASCII)
        assert 1 <= len(text) <= 6


def test_counts_are_exact_integers() -> None:
    """Counts are far beyond what could be listed, and exact."""
    assert Language(r"0\d{10}\+0\d{10}=", 34).lengths == {24: 10**20}
    assert Language("(a|b)*", 300).lengths[300] == 2**300
    assert Language("[a-z]{1,9}", 64).size == sum(26**n for n in range(1, 10))


def test_ambiguity_is_not_counted_twice() -> None:
    """A text that an expression matches in several ways is one text."""
    assert Language("a?a?a?", 9).size == 3
    assert Language("(a|ab)(b|)", 9).size == 3
    assert Language("(a*)*", 5).size == 5


def test_draws_are_even_by_length() -> None:
    """Lengths are drawn evenly though there are more long texts, and texts evenly within a
    length.
    """
    language, random = Language("a|b{2}|[cd]{3}", 9), Random(2025)
    drawn = Counter(language.draw(random) for _ in range(6000))
    lengths = Counter(
        {
            n: sum(count for text, count in drawn.items() if len(text) == n)
            for n in (1, 2, 3)
        }
    )
    assert set(drawn) == {
        "a",
        "bb",
        *("".join(word) for word in product("cd", repeat=3)),
    }
    assert all(abs(count - 2000) < 200 for count in lengths.values())
    assert all(
        abs(count - 250) < 80 for text, count in drawn.items() if len(text) == 3
    )


def test_the_same_seed_draws_the_same() -> None:
    """A draw is decided by its generator alone."""
    one, two = Language(r"\d{1,9}", 9), Language(r"\d{1,9}", 9)
    assert [one.draw(Random(i)) for i in range(20)] == [
        two.draw(Random(i)) for i in range(20)
    ]


def test_the_longest_length_bounds_everything() -> None:
    """Texts longer than asked for do not belong, though the expression matches them."""
    language = Language("a+", 3)
    assert "aaa" in language
    assert "aaaa" not in language
    assert list(language) == ["a", "aa", "aaa"]


@pytest.mark.parametrize(
    ("pattern", "at", "message"),
    [
        ("a)", 1, "this ) closes nothing"),
        ("(a", 2, "this ( is never closed"),
        (
            "a.b",
            2,
            r"'.' has no meaning here; write the characters out, or escape it as \.",
        ),
        (
            "^a",
            1,
            r"'^' has no meaning here; write the characters out, or escape it as \^",
        ),
        (
            "a$",
            2,
            r"'$' has no meaning here; write the characters out, or escape it as \$",
        ),
        (
            "*a",
            1,
            r"'*' has no meaning here; write the characters out, or escape it as \*",
        ),
        (
            "a**",
            3,
            r"'*' has no meaning here; write the characters out, or escape it as \*",
        ),
        (
            "a+?",
            3,
            r"'?' has no meaning here; write the characters out, or escape it as \?",
        ),
        (
            "(?=a)",
            2,
            r"'?' has no meaning here; write the characters out, or escape it as \?",
        ),
        (
            "a{2}{3}",
            5,
            r"'{' has no meaning here; write the characters out, or escape it as \{",
        ),
        ("a{2", 2, "a } is missing"),
        ("a{x}", 4, "a repetition is written {m} or {m,n}"),
        ("a{,3}", 5, "a repetition is written {m} or {m,n}"),
        ("a{٣}", 4, "a repetition is written {m} or {m,n}"),
        ("a{3,2}", 6, "a repetition {m,n} needs m <= n"),
        ("[a", 2, "it ends too early"),
        ("[a-", 3, "it ends too early"),
        ("\\", 1, "it ends too early"),
        ("[]", 2, "a class [] of no character matches nothing"),
        ("[z-a]", 4, "the span z-a is empty or too wide"),
        (
            "[^a]",
            2,
            "a class [^...] needs an alphabet; write the characters out",
        ),
        (
            r"\w",
            2,
            r"the escape \w is not known; only \d and escaped punctuation are",
        ),
        (
            r"[\n]",
            3,
            r"the escape \n is not known; only \d and escaped punctuation are",
        ),
        (
            "a{2001}",
            1,
            f"it has more than {MAX_POSITIONS} characters, repetitions written out",
        ),
        (
            "(" * 51 + "a" + ")" * 51,
            50,
            f"it is nested deeper than {MAX_NESTING}",
        ),
    ],
)
def test_bad_syntax_says_what_and_where(
    pattern: str, at: int, message: str
) -> None:
    """What the common syntax lacks is refused with its place and, where there is one, the way
    round.
    """
    with Refused(
        ProgramError, f"'{pattern[:60]}': at character {at}: {message}"
    ):
        Language(pattern, 4).size  # noqa: B018


@pytest.mark.parametrize(
    "pattern", ["[z-a]", "[]", "[]a]", r"[+-\]]", r"[\d-z]", "[]-a]", "[a-c-e]"]
)
def test_an_odd_class_means_what_re_means_or_is_refused(pattern: str) -> None:
    """A class that `re` reads otherwise, or refuses, is never silently taken for another one."""
    try:
        found = list(Language(pattern, 1))
    except ProgramError:
        return
    try:
        expected = [
            c for c in map(chr, range(32, 127)) if re.fullmatch(pattern, c)
        ]
    except re.error:
        expected = None
    assert found == expected


@pytest.mark.slow
def test_long_repetitions_can_be_counted() -> None:
    """Repetitions of hundreds of characters are counted, matched and listed."""
    assert Language("a{0,900}", 5).size == 5
    assert Language("a{300}b", 400).lengths == {301: 1}
    assert list(Language("a{1200}", 1300)) == ["a" * 1200]
    assert "a" * 600 in Language("a{600}", 700)


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 5000 + "a" + ")" * 5000,
        "((((a{4096}){4096}){4096}){4096}){4096}",
        "a{999999999}",
        "(a|b)*a(a|b){40}",
        "[!-\U0010ffff]",
    ],
)
def test_a_monstrous_expression_is_refused(pattern: str) -> None:
    """An expression from someone else's file can neither overflow the stack nor eat the memory."""
    with pytest.raises(ProgramError):
        Language(pattern, 64).size  # noqa: B018
