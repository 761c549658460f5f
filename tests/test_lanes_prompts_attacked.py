"""What a reader who wished it ill found in proofs on prompts, each with a wrong model that they let
through.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from functools import cache
from re import escape
from typing import Any

import pytest
from lane_programs import answers_rightly
from lane_texts import OnText

from handcraft import Program, answer, answers, tag, token
from handcraft.core.errors import WeightsError
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.contexts import PromptContexts, contexts_of
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.next_meaning import NextMeaning
from handcraft.proof.lanes.parts import asked_parts
from handcraft.proof.lanes.symbols import Symbols
from handcraft.recipes import addresses, attend_to
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    cases,
    count,
    end,
    equal,
    fetch,
    here,
    indices,
    lookup,
    otherwise,
    there,
    token_at,
    tokens,
)


@cache
def first_of_two(more: str = "") -> Model:
    """It answers a prompt of two letters with the first of them; there may be more tokens, of which
    the first begins all prompts.
    """
    at, t = addresses(4), token(more + "ab")
    read = attend_to(at, at["p"] - 1, value=t, adds=50 * t)
    prompts = f"{escape(more[:1])}[ab]{{2}}"
    claim = answers(prompts, token_at(end - 1), length=1)
    return Program(embedding=(at, t), layers=(read,), claim=claim).build()


def always_a(more: str = "") -> Model:
    """It answers every prompt with an a."""
    model = first_of_two(more)
    weights: Any = deepcopy(model.weights)
    assert model.program is not None
    place = {str(x): i for x, i in model.program.layout.column.items()}
    weights["blocks"][0]["attn"]["c_proj"]["b"][place["token:a"]] += 1000
    return replace(model, weights=weights)


def held_to(model: Model, said: Expression, prompts: str = "") -> Model:
    """The same model, with another claim, on the same prompts or on other ones."""
    program: Any = model.program
    claim = answers(prompts or program.claim.prompts, said, length=1)
    program = program.model_copy(update={"claim": claim})
    return replace(model, program=program)


def refused(model: Model, why: str) -> None:
    """Check that a model is wrong, and that it is not proved."""
    assert not answers_rightly(model)
    with pytest.raises(Rejected, match=why):
        measured_lanes(model, ())


def test_the_index_of_a_key_is_not_that_of_the_one_position_that_asks() -> None:
    """Where one position asks its index is a number; that of a key is not."""
    assert measured_lanes(first_of_two(), ()).margin > 1
    last = token_at(2 * end - here)
    refused(held_to(first_of_two(), last), "the margin may be")


ALL: dict[str, Expression] = {
    "a count of 1": Expression(op="count_where", args=(1,)),
    "a count of all": Expression(op="count"),
    "the latest of all": Expression(op="latest_where", args=(1,)) + 1,
    "the best of all": Expression(op="best", args=(here, 1)) + 1,
    "a sum over all": Expression(
        op="total_where", args=(Expression(op="count_where", args=(0,)) + 1, 1)
    ),
}


@pytest.mark.parametrize("many", ALL.values(), ids=list(ALL))
def test_a_key_sees_what_stands_behind_it(many: Expression) -> None:
    """Asked at the first position, how many there are is 2, and not the one that it sees."""
    there = Expression(op="value_at", args=(many, 0))
    says = {1: "a", 2: "b"}
    refused(held_to(always_a(), lookup(says, there)), "stands behind it")


def test_a_mean_may_be_of_the_first_token() -> None:
    """The token that begins all prompts has no place among their lanes, and is a position."""
    where = Expression(
        op="equal", args=(Expression(op="there", args=(here,)), 0)
    )
    first = Expression(op="mean", args=(here + 1, where))
    said = otherwise(lookup({1: "b"}, first), "a")
    refused(held_to(always_a("^"), said), "the first token may be in a mean")


def test_a_sum_that_is_certain_where_it_is_asked_says_nothing_of_keys() -> None:
    """Both letters of [ab] read the first one, and the others read nothing: asked at the end, it is
    certain that these are 2. That this is said of the end alone does not make it the only key.
    """
    first = lookup({"a": 0, "b": 0}, token_at(here))
    read = Expression(op="value_at", args=(token_at(here), first))
    there = Expression(op="there", args=(read,))
    two = Expression(op="count_where", args=(equal(there, there),))
    said = cases((equal(two, 2), otherwise(token_at(0), "a")), "a")
    refused(held_to(always_a("xy="), said, "[xy][ab]{2}="), "the margin may be")


@pytest.mark.parametrize("place", [0, 1])
def test_a_logit_that_overflows_where_nobody_asks_is_refused(
    place: int,
) -> None:
    """What it answers is right, but a run that looks at all logits ends there: an x would follow
    the first token, or the one behind it, by more than a float holds.
    """
    model = held_to(first_of_two("^x"), token_at(end - 1), r"\^[ab]{2}")
    assert model.program is not None
    column = {str(x): i for x, i in model.program.layout.column.items()}
    lane = column["token:x"]
    weights: Any = deepcopy(model.weights)
    weights["blocks"][0]["attn"]["c_attn"]["w"][lane] = 0
    weights["wte"][model.vocabulary.ids["x"], lane] = 2.0**60
    fits = replace(model, weights=deepcopy(weights))
    assert measured_lanes(fits, ()).margin > 1
    weights["wpe"][place, lane] = 2.0**80
    refused_as_overflow(replace(model, weights=weights))


def refused_as_overflow(model: Model) -> None:
    """Check that a model gives an infinite logit, and is not proved."""
    with pytest.raises(WeightsError, match="are not finite"):
        model("^ab")
    with pytest.raises(Rejected, match="could overflow"):
        measured_lanes(model, ())


def test_a_logit_that_overflows_at_the_first_token_of_a_text_is_refused() -> (
    None
):
    """The same of texts that are answered at each position."""
    model = tag(token_at(here), tokens="ab", n=2).build()
    weights: Any = deepcopy(model.weights)
    assert measured_lanes(replace(model, weights=weights), ()).margin > 1
    weights["wte"][0, 0] = 2.0**70
    with pytest.raises(WeightsError, match="are not finite"):
        replace(model, weights=weights)("^ab")
    with pytest.raises(Rejected, match="could overflow"):
        measured_lanes(replace(model, weights=weights), ())


def test_a_context_has_no_end_of_a_prompt() -> None:
    """What follows any context is asked of texts without a prompt: no symbol stands for its end."""
    symbols = Symbols(("a", "b"), 3, causal=True)
    meaning = NextMeaning(symbols)
    assert meaning.of(count({0: "a"})).labels
    with pytest.raises(Rejected, match="'end' is not known here"):
        meaning.of(end)


def test_what_a_key_reads_at_a_key_is_what_the_whole_text_says() -> None:
    """A position of an answer reads an element, which counts others, each by what it has counted:
    a form, if there is one, says of each prompt what the evaluator says.
    """
    same = count(there(tokens) == tokens)
    before = (there(same) < same) | (there(same) == same) & (
        there(indices) < indices
    )
    said = otherwise(fetch(tokens, there(count(before)) == indices - 1), "a")
    model = answer(said, tokens="abc", n=2, causal=False).build()
    assert model.program is not None
    claim: Any = model.program.claim
    contexts = contexts_of(model, claim)
    for part in asked_parts(contexts, claim.answer):
        symbols = part.symbols()
        with suppress(Rejected):
            form = AskedMeaning(symbols, part).of(claim.answer)
            assert wrong_prompts(model, part, symbols, form) == []


def wrong_prompts(
    model: Model, part: PromptContexts, symbols: Symbols, form: Form
) -> list[str]:
    """The prompts after which a form says something else than the claim."""
    claim: Any = model.program.claim  # type: ignore[union-attr]
    found = []
    for prompt in claim.language(model.n_ctx, model.vocabulary):
        said = claim.expected(prompt, model.vocabulary, model.n_ctx)
        last = len(prompt) - 1 - part.skipped
        text = [*prompt, *said[:-1]][part.skipped :]
        on = OnText(symbols, text, last)
        for q, token_said in enumerate(said, last):
            asked = part.asked[part.ends.index(last), q]
            if asked and on.table(form, q) != token_said:
                found.append(f"{prompt} at {q}")
    return found
