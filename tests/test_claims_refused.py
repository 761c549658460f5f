"""Claims that are refused, or that turn out to be faulty where they are asked."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Refused
from vocabularies import AB

from handcraft import after, answers, distribution, residual
from handcraft.claims.endings import split_endings
from handcraft.claims.reference import Reference
from handcraft.claims.words import as_claim
from handcraft.core.errors import ProgramError


def raises(_: str) -> str:
    """A claim with a fault."""
    return {}["x"]  # type: ignore[no-any-return]


def leaves(_: str) -> str:
    """A claim that ends the program."""
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: answers("a", raises).expected("a", AB, 3),
            (
                "claim: the function 'raises' raised KeyError: 'x' on the prompt"
                " 'a'; each prompt of the claim needs an answer"
            ),
        ),
        (
            lambda: answers("a", lambda _: None).expected("a", AB, 3),
            (
                "claim: the function '<lambda>' returned None on the prompt 'a'; it"
                " must return the answer as a text"
            ),
        ),
        (
            lambda: answers("a", lambda _: 3, stop="b").expected("a", AB, 3),
            (
                "claim: the function '<lambda>' returned 3 on the prompt 'a'; it"
                " must return the answer as a text"
            ),
        ),
        (
            lambda: answers("a", lambda _: None, stop="b").expected("a", AB, 3),
            (
                "claim: the function '<lambda>' returned None on the prompt 'a'; it"
                " must return the answer as a text"
            ),
        ),
        (
            lambda: answers("a", lambda _: "").expected("a", AB, 3),
            (
                "claim: the function '<lambda>' returned '' on the prompt 'a';"
                " without a stop token an answer is one token or more"
            ),
        ),
        (
            lambda: answers("a", lambda _: "x").expected("a", AB, 3),
            (
                "claim: the function '<lambda>' returned 'x' on the prompt 'a'; no"
                " token matches 'x' at character 0 of the text; the vocabulary is 'a', 'b'"
            ),
        ),
        (
            lambda: Reference(as_claim(lambda _: "c"), AB)("ab"),
            (
                "claim: the function '<lambda>' returned 'c' on the context 'ab';"
                " it must return one of the tokens 'a', 'b', or None where the claim"
                " says nothing"
            ),
        ),
        (
            lambda: Reference(as_claim(raises), AB)("ab"),
            (
                "claim: the function 'raises' raised KeyError: 'x' on the context"
                " 'ab'; where the claim says nothing, return None"
            ),
        ),
        (
            lambda: split_endings([("ax", "a")], AB),
            (
                "claim: no token matches 'x' at character 1 of the text; the"
                " vocabulary is 'a', 'b'"
            ),
        ),
        (
            lambda: split_endings([(("a", "c"), "a")], AB),
            "claim: the token 'c' is not in the vocabulary 'a', 'b'",
        ),
        (
            lambda: split_endings([("", "a")], AB),
            "claim: the ending '' is empty",
        ),
        (
            lambda: split_endings([("ab", "a"), (("a", "b"), "b")], AB),
            "claim: the ending '('a', 'b')' stands twice",
        ),
        (
            lambda: answers("a", lambda _: "bab", stop="b").expected(
                "a", AB, 9
            ),
            "claim: the answer to 'a' holds the stop token before its end: 'bab'",
        ),
        (
            lambda: Reference(as_claim(lambda _: ["a"]), AB)("ab"),
            (
                "claim: the function '<lambda>' returned ['a'] of type list on the"
                " context 'ab'; it must return one of the tokens 'a', 'b', or None"
                " where the claim says nothing"
            ),
        ),
        (
            lambda: Reference(as_claim(leaves), AB)("ab"),
            "claim: the function 'leaves' raised SystemExit: 3 on the context 'ab'",
        ),
        (
            lambda: Reference(residual("v", lambda _: "x"), AB)("ab"),
            (
                "claim: the function '<lambda>' returned 'x' on the context 'ab';"
                " it must return the number that the lane v holds, or None where"
                " the claim says nothing"
            ),
        ),
    ],
)
def test_a_faulty_claim_is_the_claims_fault(build: Any, message: str) -> None:
    """What a claim's own function does wrong is told as such, with the context it was asked and
    the line of its file.
    """
    with pytest.raises(ProgramError) as found:
        build()
    error = found.value
    assert str(ProgramError(error.message, error.path)) == message
    assert str(error.source or __file__).startswith(__file__)


def test_a_claim_that_says_nothing_is_refused() -> None:
    """Tables must have entries, and each row of probabilities must sum to 1."""
    with Refused(
        ProgramError,
        "after: takes {last tokens: next token} with at least one entry",
        here=True,
    ):
        after({})
    with Refused(
        ProgramError,
        "distribution: takes {last tokens: {token: probability}}",
        here=True,
    ):
        distribution({})
    with Refused(
        ProgramError,
        "distribution > table: the probabilities after 'a' must sum to 1, found 0.5",
        here=True,
    ):
        distribution({"a": {"a": 0.5}})
    with Refused(
        ProgramError,
        "distribution > table: the probabilities after 'a' must sum to 1, found 1",
        here=True,
    ):
        distribution({"a": {"a": 1.5, "b": -0.5}})
    with Refused(
        ProgramError,
        "answers > prompts: '(': at character 1: this ( is never closed",
        here=True,
    ):
        answers("(", str)


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf"), -1e-6])
def test_a_tolerance_must_mean_something(tolerance: float) -> None:
    """An infinite tolerance would pass every model, a negative or undefined one none: both are
    refused.
    """
    with Refused(
        ProgramError,
        f"distribution > tolerance: must be a number from 0 on, found {tolerance}",
        here=True,
    ):
        distribution({"a": {"a": 1}}, tolerance=tolerance)
    with Refused(
        ProgramError,
        f"residual > tolerance: must be a number from 0 on, found {tolerance}",
        here=True,
    ):
        residual("v", len, tolerance=tolerance)


@pytest.mark.parametrize("field", ["length", "longest"])
def test_an_answer_and_a_prompt_have_a_token_at_least(field: str) -> None:
    """A length of nothing is refused where it is written."""
    with Refused(
        ProgramError,
        f"answers > {field}: must be at least 1, found 0",
        here=True,
    ):
        answers("a", str, **{field: 0})
