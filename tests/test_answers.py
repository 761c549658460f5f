"""Answers that are data: rules, tables and transducers, their lengths, and a built directory
without its program.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from answering import COPY, ONE, XOR, answer
from conftest import bundled_model, bundled_program, claiming
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Model, after, answers, distribution, residual, transducer
from handcraft.claims.answers import Table
from handcraft.claims.kinds import Predicate
from handcraft.claims.words import as_claim
from handcraft.core.errors import PromptError
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import Budget, verify
from handcraft.sequence.words import (
    end,
    here,
    lookup,
    own,
    ratio,
    step,
    token_at,
)

# ---------------------------------------------------------------- rules


@given(st.text("ab", max_size=4))
def test_a_rule_is_asked_for_one_token_after_another(word: str) -> None:
    """Each token of the answer is computed from the prompt and the answer so far."""
    assert answer(COPY, f"^{word}=") == word + "="


def test_a_rule_sees_tokens() -> None:
    """A token of several characters is one token of a rule."""
    assert (
        answer(
            answers("\\^(<x>)*=", token_at(here - end + 1), length=end),
            "^<x><x>=",
        )
        == "<x><x>="
    )


@given(st.integers(1, 5))
def test_a_rule_of_a_number_of_tokens(length: int) -> None:
    """A plain number holds for every prompt."""
    assert (
        answer(
            answers("a", lookup({"a": "b", "b": "a"}, own), length=length), "a"
        )
        == ("ba" * length)[:length]
    )


# ---------------------------------------------------------------- tables


def test_a_table_of_answers() -> None:
    """Each prompt has its answer; the stop token may be left out."""
    claim = answers("[ab]", {"a": "bb", "b": "="}, stop="=")
    assert claim.answer == Table(table=(("a", "bb"), ("b", "=")))
    assert [answer(claim, prompt) for prompt in "ab"] == ["bb=", "="]


# ---------------------------------------------------------------- transducers


@given(
    st.text("ab", min_size=2, max_size=2), st.text("ab", min_size=2, max_size=2)
)
def test_a_transducer_reads_aligned_places(x: str, y: str) -> None:
    """Step k reads the k-th token of either word and writes whether they differ."""
    claim = answers(
        "[ab]{2}=[ab]{2}", transducer((step, step + 3), XOR, 0), length=2
    )
    assert answer(claim, f"{x}={y}") == "".join(
        "ab"[a != b] for a, b in zip(x, y, strict=True)
    )


@given(st.text("ab", min_size=1, max_size=5))
def test_a_transducer_has_a_state(word: str) -> None:
    """Whether the number of b is odd so far, from the end of the prompt; the stop token is
    written by itself.
    """
    odd = {
        (at, x): ("ab"[at ^ (x == "b")], at ^ (x == "b"))
        for at in (0, 1)
        for x in "ab"
    }
    claim = answers(
        "[ab]{1,5}=",
        transducer(end - 1 - step, odd, 0),
        length=end + 1,
        stop="=",
    )
    counts = [word[::-1][: n + 1].count("b") for n in range(len(word))]
    assert (
        answer(claim, word + "=") == "".join("ab"[n % 2] for n in counts) + "="
    )


# ---------------------------------------------------------------- declared


@pytest.mark.parametrize(
    ("claim", "declared"),
    [
        (after({"a": "b"}), True),
        (distribution({"a": {"a": 1}}), True),
        (as_claim(own), True),
        (as_claim(lambda _: None), False),
        (residual("v", ratio(here, 2)), True),
        (residual("v", len), False),
        (COPY, True),
        (answers("a", {"a": "b"}), True),
        (answers("a", transducer(step, ONE, 0), length=1), True),
        (answers("a", str), False),
        (answers("a", str, length=end + 1), False),
    ],
)
def test_a_claim_is_declared_where_it_is_data(
    claim: Any, declared: bool
) -> None:
    """Only what a function decides is not."""
    assert claim.declared is declared


def test_an_expression_is_a_claim() -> None:
    """As a function is: the next token of every context."""
    claim = as_claim(token_at(here - 1))
    assert isinstance(claim, Predicate)
    assert claiming(token_at(here - 1), "copy_previous").claim == claim
    report = verify(
        claiming(token_at(here - 1), "copy_previous").build(),
        methods=["sampled"],
        budget=Budget(drawn=50),
    )
    assert report.verdict == "checked"


# ---------------------------------------------------------------- running and JSON


def test_running_stops_where_the_answer_does() -> None:
    """At the stop token, else after the length that the claim gives to the prompt."""
    reverse = bundled_program("reverse")
    rule = token_at(2 * end - here - 1)
    no_stop = claiming(
        answers(reverse.claim.prompts, rule, length=end), "reverse"
    ).build()  # type: ignore[union-attr]
    for model in (bundled_model("reverse"), no_stop):
        assert model.generate("^abc=") == "cba^"
    with pytest.raises(PromptError):
        no_stop.generate("^abc")


@pytest.mark.parametrize(
    "name",
    [
        "induction",
        "copy",
        "adder",
        "nim",
        "causal_mean",
        "times",
        "dfa",
        "automaton",
        "subleq",
    ],
)
def test_a_built_directory_is_verified_without_its_program(
    name: str, tmp_path: Path
) -> None:
    """A declared claim is in program.json: it reads back equal, and the directory is held to it."""
    bundled_model(name).save(tmp_path)
    model = Model.load(tmp_path)
    assert model.program is not None
    assert model.program.claim == bundled_program(name).claim
    report = verify(
        model,
        methods=["exhaustive", "sampled"],
        budget=Budget(drawn=20, contexts=1000),
    )
    assert report.verdict == "checked"


def test_the_examples_of_its_help_say_the_same() -> None:
    """The function and the expression of help(answers) both reverse the prompt."""
    vocabulary = Vocabulary(tuple("ab=."))
    function = answers("[ab]{1,4}=", lambda prompt: prompt[-2::-1], stop=".")
    place = token_at(2 * end - here - 1)
    expression = answers("[ab]{1,4}=", place, length=end)
    help_text = answers.__doc__ or ""
    assert "lambda prompt: prompt[-2::-1]" in help_text
    assert "token_at(2 * end - here - 1), length=end" in help_text
    assert function.expected("abb=", vocabulary, 9) == tuple("bba.")
    assert expression.expected("abb=", vocabulary, 9) == tuple("bba")
