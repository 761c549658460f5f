"""What authors use in their own tests."""

from __future__ import annotations

import re

import pytest
from conftest import (
    EVERY_PROGRAM,
    Refused,
    bundled_program,
    claiming,
    no_claim,
)
from hypothesis import given, settings

from handcraft import after, distribution
from handcraft.claims.kinds import Answers
from handcraft.core.errors import ProgramError
from handcraft.testing import assert_accurate, contexts


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_bundled_programs_are_accurate(name: str) -> None:
    """Every bundled program passes the assertion that it comes with."""
    assert_accurate(bundled_program(name), examples=15)


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
            examples=20,
        )
    context = ["0"] * 11 + ["+"] + ["0"] * 11 + ["="] + ["0"] * 10
    assert str(caught.value).startswith(
        f"adder after {context}: expected '7', got '0' (margin -"
    )


def test_silence_is_no_failure() -> None:
    """Where the claim is silent nothing is asserted; without a claim there is nothing to assert."""
    assert_accurate(claiming(no_claim))
    with Refused(
        ProgramError, "aab: has no claim to assert; pass claim= to Program"
    ):
        assert_accurate(claiming(None))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_either_dtype(dtype: str) -> None:
    """The model is asserted in either dtype."""
    assert_accurate(bundled_program("aab"), dtype=dtype)
