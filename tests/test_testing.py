"""What authors use in their own tests."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import (
    EVERY_PROGRAM,
    Refused,
    bundled_program,
    claiming,
    no_claim,
)
from hypothesis import given, settings

import handcraft
from handcraft import Program, after, distribution, token
from handcraft.claims.prompt_claim import Answers
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import convert
from handcraft.files.bundled import bundled
from handcraft.testing import assert_accurate, contexts


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_bundled_programs_are_accurate(name: str) -> None:
    """Every bundled program passes the assertion that it comes with, on a few contexts."""
    assert_accurate(
        bundled_program(name), method="sampled", budget=15, sampled=True
    )


@pytest.mark.parametrize("program", ["aab", "abc", "baby_gpt"])
def test_a_program_is_verified_as_on_the_command_line(program: str) -> None:
    """By default it is proved; whatever names a program is one, and a Model too."""
    assert_accurate(program)
    assert_accurate(bundled()[program])
    assert_accurate(bundled_program(program))
    assert_accurate(bundled_program(program).build())


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_contexts_belong_to_the_program(name: str) -> None:
    """Contexts are lists of tokens that fit the window, and prompts of the claim where there
    are any.
    """
    program = bundled_program(name)
    pattern = (
        re.compile(program.claim.prompts, re.ASCII)
        if isinstance(program.claim, Answers)
        else None
    )

    @settings(max_examples=10)
    @given(contexts(program))
    def check(tokens: list[str]) -> None:
        assert 1 <= len(tokens) <= program.n_ctx
        assert set(tokens) <= set(program.vocabulary)
        assert pattern is None or pattern.fullmatch("".join(tokens))

    check()


def test_contexts_have_every_length() -> None:
    """Contexts of every length are drawn, the shortest and the longest included."""
    seen = set()

    @settings(max_examples=200)
    @given(contexts(bundled_program("aab")))
    def draw(tokens: list[str]) -> None:
        seen.add(len(tokens))

    draw()
    assert seen == {1, 2, 3, 4, 5}


def test_a_failure_shows_the_shrunk_context_and_the_attention() -> None:
    """A failure names the shortest context, both tokens and the margin, and shows where the
    heads looked.
    """
    message = (
        "aab after ['a', 'a']: expected 'a', got 'b' (margin -1023)\n"
        "\n"
        "head 0.h0: attention from each row to each column\n"
        "         0:'a'  1:'a'\n"
        "  0:'a'      1      .\n"
        "  1:'a'    0.5    0.5\n"
        "\n"
        "logits: 'a' 1  'b' 1024"
    )
    with Refused(AssertionError, message):
        assert_accurate(claiming(after({"aa": "a", "ab": "a", "ba": "a"})))


def test_a_wrong_function_is_shrunk() -> None:
    """A plain function is shrunk to its simplest failure."""
    with pytest.raises(AssertionError) as caught:
        assert_accurate(
            claiming(lambda context: "a" if len(context) >= 3 else None)
        )
    assert str(caught.value).startswith(
        "aab after ['a', 'a', 'a']: expected 'a', got 'b' (margin -1023)\n\nhead 0.h0: "
    )


def test_a_wrong_distribution_is_shown() -> None:
    """A distribution that is off says by how much."""
    with pytest.raises(AssertionError) as caught:
        assert_accurate(
            claiming(distribution({"111": {"0": 0.25, "1": 0.75}}), "baby_gpt")
        )
    assert str(caught.value).startswith(
        "baby_gpt after ['1', '1', '1']: expected {'0': 0.25, '1': 0.75}, got {'0':"
        " 0.5, '1': 0.5}\n\nhead 0.h0: "
    )


def test_a_wrong_answer_is_shown() -> None:
    """An answer that is wrong in one token is shown up to that token."""
    program = bundled_program("adder")
    assert isinstance(program.claim, Answers)

    def wrong(prompt: str) -> str:
        return f"{sum(map(int, prompt[:-1].split('+'))):011d}"[:0:-1] + "7"

    with pytest.raises(AssertionError) as caught:
        assert_accurate(
            claiming(
                program.claim.model_copy(update={"answer": wrong}), "adder"
            ),
            method="sampled",
            budget=20,
        )
    first = str(caught.value).splitlines()[0]
    assert re.fullmatch(
        r"adder after \[.*\]: expected '7', got '[0-689]' \(margin -.*\)", first
    )


FOUR_DIGITS = token("0123456789")


def one_wrong(context: str) -> str:
    """The last token, but for one context of the 11,110 of at most four digits."""
    return "0" if context == "7351" else context[-1]


def repeating(claim: Any, n_ctx: int = 4) -> Program:
    """A program that says its last digit again."""
    return Program(
        embedding=(FOUR_DIGITS,), n_ctx=n_ctx, claim=claim, name="repeating"
    )


def test_one_wrong_context_of_11110_is_found() -> None:
    """Every context is checked where that can be: 200 drawn ones would hardly meet this one."""
    assert_accurate(repeating(lambda context: context[-1]))
    with pytest.raises(AssertionError) as caught:
        assert_accurate(repeating(one_wrong))
    assert str(caught.value).splitlines()[0] == (
        "repeating after ['7', '3', '5', '1']: expected '0', got '1' (margin -1)"
    )


def test_a_sample_is_enough_only_where_the_author_says_so() -> None:
    """Contexts that are drawn show no mistake, and prove nothing: without `sampled` that fails."""
    many = repeating(lambda context: context[-1], n_ctx=30)
    with pytest.raises(AssertionError) as caught:
        assert_accurate(many, budget=100)
    assert str(caught.value).startswith(
        "repeating is neither proved nor checked exhaustively: there are about 10^30"
        " contexts; "
    )
    assert str(caught.value).endswith(
        "; pass sampled=True if that is enough, or a larger budget="
    )
    assert_accurate(many, budget=100, sampled=True)


def test_a_sample_of_everything_is_certain() -> None:
    """Where all contexts were drawn each was checked; where one is missing that fails."""
    assert_accurate("aab", method="sampled")
    some = handcraft.verify("aab", method="sampled", budget=61)
    assert some.contexts < 62  # how many differs by the version of hypothesis
    with Refused(
        AssertionError,
        "aab is neither proved nor checked exhaustively: there are 62 contexts;"
        f" {some.contexts} were drawn; pass sampled=True if that is enough, or leave out"
        " method=",
    ):
        assert_accurate("aab", method="sampled", budget=61)


def test_a_sample_that_meets_a_mistake_fails() -> None:
    """`sampled` never makes a wrong program right."""
    with pytest.raises(AssertionError) as caught:
        assert_accurate(
            repeating(lambda context: "0", n_ctx=30), budget=100, sampled=True
        )
    assert str(caught.value).splitlines()[0] == (
        "repeating after ['1']: expected '0', got '1' (margin -1)"
    )


def test_what_is_undecided_fails() -> None:
    """A claim that is silent everywhere, or a budget that ends first, asserts nothing."""
    with Refused(
        AssertionError,
        "aab is undecided: the claim is silent on every context that was checked",
    ):
        assert_accurate(claiming(no_claim), method="exhaustive", sampled=True)
    with Refused(
        AssertionError,
        "repeating is undecided: there are 11,110 contexts, more than the budget of 100",
    ):
        assert_accurate(
            repeating(one_wrong), method="exhaustive", budget=100, sampled=True
        )


def test_without_a_claim_there_is_nothing_to_assert() -> None:
    """A program without a claim is refused, unless one is given."""
    with Refused(
        ProgramError, "aab: has no claim to verify; pass claim= to Program"
    ):
        assert_accurate(claiming(None))
    assert_accurate(claiming(None), claim=bundled_program("aab").claim)


def test_changed_weights_are_no_success() -> None:
    """A model whose weights are not what its rules say fails, though it predicts what they say."""
    model = bundled_program("aab").build()
    weights = convert(model.weights, lambda array: array * 1)
    weights["wpe"][0, -1] = 0.5  # of the lane v, which nothing reads
    with pytest.raises(AssertionError) as caught:
        assert_accurate(model.replace(weights=weights))
    assert str(caught.value).startswith(
        "aab is refuted: the weights are not what the rules say, at wpe[0, 7]"
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_either_dtype(dtype: str) -> None:
    """The model is asserted in either dtype."""
    assert_accurate(bundled_program("aab"), dtype=dtype)
