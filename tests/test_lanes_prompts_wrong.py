"""What a proof on prompts takes as known of its texts, one thing too strong each: it is refused, or
a wrong model would be proved.
"""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import answering, answers_rightly

from handcraft import answers
from handcraft.claims.kinds import Claim
from handcraft.model import Model
from handcraft.proof.by_lanes import by_lanes
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import lengths
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.contexts import PromptContexts, contexts_of
from handcraft.proof.task import Budget, Task
from handcraft.proof.verify import silent, verify
from handcraft.sequence.words import (
    cases,
    end,
    equal,
    here,
    lookup,
    otherwise,
    token_at,
)


def model_of(name: str, n: int = 3) -> Model:
    """The model that answers prompts with what a program says."""
    return answering(name, n)


def claimed(model: Model, claim: Claim) -> Model:
    """The same model with another claim, whatever a program would say of it."""
    assert model.program is not None
    program = model.program.model_copy(update={"name": "held"})
    program.__dict__["claim"] = claim
    return replace(model, program=program)


def refused(model: Model, why: str) -> None:
    """Check that a model is not proved, and why."""
    with pytest.raises(Rejected, match=why):
        measured_lanes(model, ())


AT_END = equal(here, end * 2 - 1), "$"
MIRRORED = token_at(end * 2 - here - 1)
REVERSED = cases(AT_END, MIRRORED)

ONE_TEXT = (
    equal(here - end, 2)
    * equal(otherwise(token_at(1), "$"), "b")
    * equal(otherwise(token_at(2), "$"), "c")
    * equal(otherwise(token_at(3), "$"), "a")
)


def test_what_is_right_is_proved_on_all_prompts() -> None:
    """The claim is written by hand here, and speaks of 3 + 9 + 27 prompts."""
    said = answers(r"\^[abc]{1,3}=", REVERSED, stop="$", length=end)
    model = claimed(model_of("reverse"), said)
    report = verify(model, methods=["lanes"])
    assert (report.verdict, report.contexts) == ("proved", 39)
    assert answers_rightly(model)


@pytest.mark.parametrize(
    "rule",
    [
        # the end of the prompt is taken to be one further on
        cases(AT_END, token_at(end * 2 - here)),
        # right but for texts of three letters, of which the first is said
        cases(AT_END, (equal(end, 4), token_at(here - end + 1)), MIRRORED),
        # right but for one text: after bca= an a follows last, and here a b
        cases(AT_END, (ONE_TEXT, "a"), MIRRORED),
    ],
)
def test_a_claim_that_is_wrong_somewhere_is_not_proved(rule: object) -> None:
    said = answers(r"\^[abc]{1,3}=", rule, stop="$", length=end)
    model = claimed(model_of("reverse"), said)
    assert not answers_rightly(model)
    refused(model, "the margin may be|may have no answer|somewhere else")


def test_a_letter_that_the_model_does_not_know_is_not_proved() -> None:
    """The prompts have one more letter than those that the model was made for."""
    said = answers(r"\^[abc$]{1,3}=", REVERSED, stop="$", length=end)
    model = claimed(model_of("reverse"), said)
    refused(model, "somewhere else")


def test_a_stop_token_too_early_or_too_late_is_not_proved() -> None:
    late = answers(r"\^[abc]{1,2}=", REVERSED, stop="$", length=end + 1)
    refused(claimed(model_of("reverse"), late), "somewhere else")
    soon = answers(r"\^[abc]{1,2}=", REVERSED, stop="$", length=end - 1)
    refused(claimed(model_of("reverse"), soon), "number from 1 on|somewhere")


def test_an_answer_that_does_not_fit_the_window_is_not_proved() -> None:
    longer = answers(r"\^[abc]{1,4}=", REVERSED, stop="$", length=end)
    refused(claimed(model_of("reverse"), longer), "do not fit the window")


def test_an_answer_with_the_first_token_is_not_proved() -> None:
    rule = cases(AT_END, "^")
    said = answers(r"\^[abc]{2,3}=", rule, stop="$", length=end)
    refused(claimed(model_of("reverse"), said), "may hold the first token")


def test_a_length_that_the_text_decides_is_not_followed() -> None:
    more = otherwise(lookup({"a": 1}, token_at(1)), 2)
    said = answers(r"\^[abc]{1,3}=", REVERSED, stop="$", length=more)
    refused(claimed(model_of("reverse"), said), "depends on more than the end")


def narrower(change: object) -> object:
    """The texts of a model, changed by a function."""

    def of(model: Model, claim: object) -> PromptContexts:
        return change(contexts_of(model, claim))  # type: ignore[operator, arg-type, no-any-return]

    return of


def without_a_letter(contexts: PromptContexts) -> PromptContexts:
    """It is believed that no prompt has an a."""
    there = contexts.there.copy()
    there[..., contexts.tokens.index("a")] = False
    return replace(contexts, there=there)


def without_the_last(contexts: PromptContexts) -> PromptContexts:
    """It is believed that nobody asks at the last position."""
    index = np.arange(contexts.asked.shape[1])
    last = index[None] == np.array(contexts.last)[:, None]
    return replace(contexts, asked=contexts.asked & ~last)


def test_what_is_believed_of_the_texts_is_needed() -> None:
    """Each belief that is too strong proves a claim that is wrong; without it none is proved."""
    no_a = cases(AT_END, (equal(MIRRORED, "a"), "b"), MIRRORED)
    said = answers(r"\^[abc]{1,3}=", no_a, stop="$", length=end)
    wrong = claimed(model_of("reverse"), said)
    refused(wrong, "the margin may be")
    with patch.object(lengths, "contexts_of", narrower(without_a_letter)):
        assert measured_lanes(wrong, ()).margin > 0
    longer = cases((AT_END[0], "a"), MIRRORED)
    said = answers(r"\^[abc]{1,3}=", longer, length=end)
    wrong = claimed(model_of("reverse"), said)
    refused(wrong, "the margin may be")
    with patch.object(lengths, "contexts_of", narrower(without_the_last)):
        assert measured_lanes(wrong, ()).margin > 0


def test_a_count_of_prompts_that_is_wrong_is_no_proof() -> None:
    """The method counts the prompts by itself, and compares them with the claim's own number."""
    model = model_of("reverse")
    claim = model.program.claim  # type: ignore[union-attr]
    task = Task(model, claim, Budget(), float("inf"), silent)  # type: ignore[arg-type]
    assert by_lanes(task).proved
    fewer = narrower(lambda x: replace(x, prompts=x.prompts - 1))
    with patch.object(lengths, "contexts_of", fewer):
        outcome = by_lanes(task)
    assert not outcome.proved
    assert outcome.reason is not None
    assert "it is about 38 of 39 texts" in outcome.reason
