"""What is typed is cut into tokens, and goes on as `handcraft run` lets it go on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from drawn_weights import random_weights
from opened import Opened, numbers_in, shown
from pages import EVERY, FRAMED, ids_of, model_of, text_for

from handcraft.core.gpt2 import Array, softmax
from handcraft.files.file_tokens import IdTokens
from handcraft.model import Model


@pytest.mark.parametrize("name", EVERY)
def test_a_file_from_disk_shows_tokens_bars_and_what_follows(
    opened: Opened, name: str
) -> None:
    opened(name).type(text_for(name))
    model, ids = model_of(name), ids_of(name)
    tokens = model.vocabulary.tokens
    logits = model(ids)
    then = [shown(tokens[int(i)]) for i in logits.argmax(-1)]
    assert opened.texts(".tokens button") == [
        f"{i}{shown(tokens[token])}→ {then[i]}" for i, token in enumerate(ids)
    ]
    assert opened.text(".answer b") == shown(_run(name))
    if len(tokens) > 12:
        opened.click(".all input")
    _bars(opened, tokens, logits[-1])
    assert opened.requests() == []
    assert opened.complaints() == []


def _run(name: str) -> str:
    """What `handcraft run` prints."""
    model, text = model_of(name), text_for(name)
    if model.program.claim.whole_text:
        return "".join(model.tags(text))
    return str(model.vocabulary.decode(model.continued(model.ids(text))))


def _bars(opened: Opened, tokens: Sequence[str], logits: Array) -> None:
    """The bars are the logits and their softmax, and the likeliest token is marked."""
    (table,) = opened.rows(".bars")
    found = {row[0].removeprefix("▸ "): row[1:] for row in table[1:]}
    size = max(1.0, float(abs(logits).max()))
    for token, logit, p in zip(tokens, logits, softmax(logits), strict=True):
        numbers = numbers_in(found[shown(token)])
        assert numbers[0] == pytest.approx(float(logit), abs=2e-5 * size)
        assert numbers[1] == pytest.approx(float(p), abs=2e-3)
    best = tokens[int(logits.argmax())]
    assert opened.text(".bars .best th") == f"▸ {shown(best)}"


def test_a_text_that_stands_alone_is_put_in_its_frame(opened: Opened) -> None:
    opened(FRAMED).type("abc")
    assert opened.text(".answer") == "^abc=cba$"
    assert opened.text(".answer b") == FRAMED.answer("abc") == "cba"


@pytest.mark.parametrize("text", ["abx", "", " "])
def test_a_text_outside_the_vocabulary_is_not_answered(
    opened: Opened, text: str
) -> None:
    opened("aab").type(text)
    assert "the vocabulary is" in opened.text(".problem") or not text
    assert opened.text(".problem") != ""
    assert opened.text(".answer") == ""
    assert opened.text(".ending") == "Not answered."
    assert opened.all(".tokens button, .bars table, .steps table") == []


def test_a_text_that_is_no_prompt_is_not_answered(opened: Opened) -> None:
    opened("adder").type("1+2=")
    assert opened.text(".problem").startswith("'1+2=' is not a prompt of adder")
    assert opened.text(".answer") == ""


def test_a_text_where_the_claim_is_silent_is_answered_and_that_is_said(
    opened: Opened,
) -> None:
    opened("aab").type("bb")
    assert opened.text(".problem") == "the claim is silent after 'bb'"
    assert opened.text(".answer") != ""


def test_a_seed_draws_the_same_tokens_again(opened: Opened) -> None:
    opened("baby_gpt").type("011")
    opened.click(".sample")
    opened.enter(".many", "30")
    drawn = []
    for seed in ("1", "2", "1"):
        opened.enter(".seed", seed)
        drawn.append(opened.text(".answer b"))
    assert drawn[0] == drawn[2] != drawn[1]
    assert set(drawn[0]) == {"0", "1"}


def test_with_top_1_the_draw_is_greedy(opened: Opened) -> None:
    opened("aab").type("ab")
    greedy = opened.text(".answer b")
    opened.click(".sample")
    opened.enter(".topk", "1")
    assert opened.text(".answer b") == greedy


def test_a_high_temperature_draws_evenly_and_top_p_leaves_tokens_out(
    opened: Opened,
) -> None:
    opened("aab").type("ab")
    opened.click(".sample")
    opened.enter(".many", "400")
    opened.enter(".temperature", "100000")
    drawn = opened.text(".answer b")
    assert 150 < drawn.count("a") < 250
    opened.enter(".topp", "0.5")
    assert len(set(opened.text(".answer b"))) <= 2


@pytest.mark.parametrize("model", [FRAMED, model_of("sequence/reverse")])
def test_a_text_that_cannot_be_read_is_not_run_as_another(
    opened: Opened, model: Model
) -> None:
    """The signs of its frame alone, or the token that texts begin with, would be a text."""
    opened(model)
    for text in ("", "?"):
        opened.type(text)
        assert opened.text(".problem")
        assert opened.text(".ending") == "Not answered."
        assert opened.all(".tokens button") == []
        assert opened.rows(".bars") == []


def test_ids_stand_apart(opened: Opened) -> None:
    """Of a model whose texts are numbers: 1 and 12 are not 112."""
    weights = random_weights(0, n_vocab=13, dtype="float32")
    names = IdTokens(tuple(map(str, range(13))))
    opened(Model("raw", weights, names, 2)).type("1 12")
    assert opened.text(".answer").startswith("1 12 ")


def test_many_tokens_are_no_more_than_the_field_allows(opened: Opened) -> None:
    opened("aab").type("aab")
    opened.enter(".many", "1000000000")
    assert opened.text(".ending") == "500 tokens."
