"""Decoding: greedy and drawn, inside the window and past it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from conftest import Refused, bundled_model, random_weights
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Head, Model, Program, answers, position, token
from handcraft.core import decoding as generation
from handcraft.core.decoding import (
    Sampler,
    continue_together,
    generate,
    greedy,
)
from handcraft.core.errors import ProgramError, PromptError
from handcraft.core.gpt2 import Array, gpt2

GOLDEN = json.loads((Path(__file__).parent / "golden" / "aab.json").read_text())


# ---------------------------------------------------------------- greedy


@pytest.mark.parametrize(
    ("prompt", "completion"), GOLDEN["completions"].items()
)
def test_golden_completions(prompt: str, completion: str) -> None:
    """Aab continues as it was written down, ten tokens, past its window."""
    for cached in (True, False):
        assert (
            bundled_model("aab").generate(prompt, 10, cached=cached)
            == completion
        )


def test_greedy_takes_the_highest_logit() -> None:
    """The token with the highest logit follows, the lower id on a tie."""
    assert greedy(np.array([0.0, 2.0, 1.0])) == 1
    assert greedy(np.array([1.0, 3.0, 3.0])) == 1


prompts = st.lists(st.integers(0, 2), min_size=1, max_size=9)


@given(prompts, st.integers(0, 9), st.integers(0, 20))
def test_generation_is_the_forward_pass_over_the_last_tokens(
    prompt: list[int], n: int, seed: int
) -> None:
    """Each token is the best one after the last n_ctx tokens, inside the window and past it,
    with a cache and without.
    """
    weights, tokens = random_weights(seed), list(prompt)
    for _ in range(n):
        window = tokens[-6:]
        logits = gpt2(np.array(window), **weights, n_head=2)[-1]
        tokens.append(max(range(3), key=lambda i, logits=logits: logits[i]))
    for cached in (True, False):
        assert (
            generate(weights, prompt, n, cached=cached, n_head=2)
            == tokens[len(prompt) :]
        )


asked = st.lists(
    st.tuples(
        st.lists(st.integers(0, 2), min_size=1, max_size=4), st.integers(1, 2)
    ),
    max_size=8,
)


@given(asked, st.sampled_from([None, 0, 1]), st.booleans(), st.integers(0, 20))
def test_prompts_are_continued_together_as_alone(
    asked: list[tuple[list[int], int]],
    stop: int | None,
    causal: bool,
    seed: int,
) -> None:
    """Prompts of any lengths, each with its own room, in one batch or several: the tokens of each
    are those that it is given alone.
    """
    weights = random_weights(seed)
    config: dict[str, Any] = {"n_head": 2, "causal": causal, "stop": stop}
    alone = [generate(weights, ids, room, **config) for ids, room in asked]
    prompts, rooms = [ids for ids, _ in asked], [room for _, room in asked]
    for numbers in (1, 2**22):  # one prompt at once, and all of one length
        with mock.patch.object(generation, "_BATCH", numbers):
            found = continue_together(weights, prompts, rooms, **config)
        assert found == alone


@pytest.mark.parametrize(
    "config",
    [{"n_head": 2, "causal": False}, {"n_head": 2, "activation": "relu"}],
)
def test_cached_equals_uncached(config: dict[str, Any]) -> None:
    """The cache changes nothing, also where the model is not causal and so cannot use it."""
    for seed in range(5):
        weights = random_weights(seed)
        assert generate(weights, [0], 9, **config) == generate(
            weights, [0], 9, cached=False, **config
        )


@pytest.mark.parametrize("lacking", ["attn", "mlp"])
def test_blocks_without_attention_generate_alike(lacking: str) -> None:
    """A block that lacks a part is decoded with a cache as without."""
    weights = random_weights(3)
    del weights["blocks"][0][lacking]
    assert generate(weights, [0, 1], 9, n_head=2) == generate(
        weights, [0, 1], 9, cached=False, n_head=2
    )


def test_a_token_inside_the_window_costs_one_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The prompt is read once, then each new token alone; past the window it is read again
    whole.
    """
    read: list[int] = []

    def counting(tokens: Array, **options: Any) -> Array:
        read.append(len(tokens))
        return gpt2(tokens, **options)

    monkeypatch.setattr(generation, "gpt2", counting)
    generate(random_weights(0), [0, 1, 2], 7, n_head=2)
    assert read == [3, 1, 1, 1, 6, 6, 6]
    read.clear()
    generate(random_weights(0), [0, 1, 2], 3, n_head=2, cached=False)
    assert read == [3, 4, 5]


def test_generation_stops_at_the_stop_token() -> None:
    """The stop token ends the completion and is part of it."""
    model = bundled_model("aab")
    assert model.generate("a", 10, stop="b") == "b"
    assert model.generate("ab", 10, stop="b") == "aab"
    weights = model.weights
    assert generate(weights, [0], 10, stop=0, n_head=1) == [1, 0]


def test_how_many_tokens_by_default() -> None:
    """Without a number 20 tokens follow, or what the claim's window holds."""
    assert len(bundled_model("aab").generate("a")) == 20
    assert (
        bundled_model("adder").generate("01234567890+00000000000=")
        == "09876543210"
    )
    assert (
        bundled_model("adder").generate("01234567890+00000000000=", 3) == "098"
    )
    assert bundled_model("aab").generate("a", 0) == ""


# ---------------------------------------------------------------- prompts


def test_a_prompt_may_be_text_tokens_or_ids() -> None:
    """Text, tokens and ids give the same completion."""
    model = bundled_model("aab")
    assert (
        model.generate("aba", 4)
        == model.generate(["a", "b", "a"], 4)
        == model.generate([0, 1, 0], 4)
        == "abaa"
    )
    assert model.generate(np.array([0, 1, 0]), 4) == "abaa"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "the text is empty; it needs at least one of the tokens a, b"),
        ([], "the text is empty; it needs at least one of the tokens a, b"),
        (
            "abc",
            "no token matches 'c' at character 2 of the text; the vocabulary is a, b",
        ),
        (["a", "c"], "the token 'c' is not in the vocabulary a, b"),
        ([0, 2], "token ids must lie in 0..1, found 0..2"),
        ([0, -1], "token ids must lie in 0..1, found -1..0"),
        ([0.5], "tokens must be integer ids, found float64"),
    ],
)
def test_prompts_that_are_refused(prompt: Any, message: str) -> None:
    """A prompt that is not made of tokens is refused."""
    with Refused(PromptError, message):
        bundled_model("aab").generate(prompt, 3)


@pytest.mark.parametrize(
    "prompt",
    [
        "0123",
        "01234567890+00000000000",
        "11234567890+00000000000=",
        "01234567890+00000000000=0",
    ],
)
def test_a_prompt_outside_the_claim_is_refused(prompt: str) -> None:
    """A program of prompts and answers never answers what is not one of its prompts."""
    with pytest.raises(PromptError) as caught:
        bundled_model("adder").generate(prompt)
    assert str(caught.value).startswith(
        f"{prompt!r} is not a prompt of adder; its prompts match "
    )


def test_a_claims_stop_token_stops() -> None:
    """Without another one, generation stops at the claim's own stop token, or after the length
    that it names.
    """
    t, p = token("ab"), position(9)
    say_a = Head(value={t["a"]: 9})

    def model(claim: Any) -> Model:
        return Program(embedding=(t, p), layers=(say_a,), claim=claim).build()

    assert model(None).generate("bb", 4) == "aaaa"
    assert (
        model(answers("b+", lambda _: "", stop="a", longest=3)).generate("bb")
        == "a"
    )
    assert (
        model(answers("b+", lambda _: "aaa", length=3, longest=3)).generate(
            "bb"
        )
        == "aaa"
    )
    assert (
        model(answers("b+", lambda _: "aaa", longest=3)).generate("bb", 2)
        == "aa"
    )


def test_a_prompt_whose_answer_does_not_fit_is_refused() -> None:
    """A prompt of the claim that leaves no room for its answer is refused, not answered by half."""
    t, p = token("ab"), position(4)
    program = Program(
        name="say",
        embedding=(t, p),
        layers=(Head(value={t["a"]: 9}),),
        claim=answers("b+", lambda _: "aaa"),
    )
    assert program.build().generate("bb") == "aaa"
    with pytest.raises((PromptError, ProgramError)):
        program.build().generate("bbb")


def test_a_negative_number_of_tokens_is_refused() -> None:
    """No number of tokens below zero is taken silently."""
    with Refused(
        PromptError,
        "the number of tokens to add must not be negative, found -1",
    ):
        bundled_model("aab").generate("a", -1)


# ---------------------------------------------------------------- sampling

logits_lists = st.lists(st.floats(-5, 5), min_size=1, max_size=6)


def direct(
    logits: list[float],
    temperature: float,
    top_k: int | None,
    top_p: float | None,
) -> list[float]:
    """The probabilities that are drawn from, computed one by one."""
    powers = [np.exp((x - max(logits)) / temperature) for x in logits]
    p = [x / sum(powers) for x in powers]
    ranked = sorted(range(len(p)), key=lambda i: (-p[i], i))
    kept = set(ranked if top_k is None else ranked[:top_k])
    if top_p is not None:
        kept &= {
            i
            for rank, i in enumerate(ranked)
            if sum(p[j] for j in ranked[:rank]) < top_p - 1e-12
        }
    return [
        p[i] / sum(p[j] for j in kept) if i in kept else 0.0
        for i in range(len(p))
    ]


@given(
    logits_lists,
    st.sampled_from([0.25, 1.0, 3.0]),
    st.none() | st.integers(1, 6),
    st.none() | st.sampled_from([0.1, 0.501, 0.9, 1.0]),
)
def test_probabilities_are_computed_directly(
    logits: list[float],
    temperature: float,
    top_k: int | None,
    top_p: float | None,
) -> None:
    """Temperature, top_k and top_p do what their definitions say."""
    found = Sampler(temperature, top_k, top_p).probabilities(np.array(logits))
    np.testing.assert_allclose(
        found, direct(logits, temperature, top_k, top_p), rtol=1e-9, atol=1e-12
    )
    assert found.dtype == np.float64


def test_top_k_and_top_p_by_hand() -> None:
    """top_k keeps the k likeliest; top_p the fewest likeliest whose probabilities reach p."""
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
    np.testing.assert_allclose(
        Sampler(top_k=2).probabilities(logits), [0.625, 0.375, 0, 0]
    )
    np.testing.assert_allclose(
        Sampler(top_p=0.6).probabilities(logits), [0.625, 0.375, 0, 0]
    )
    np.testing.assert_allclose(
        Sampler(top_p=0.4).probabilities(logits), [1, 0, 0, 0]
    )
    np.testing.assert_allclose(
        Sampler(top_p=1.0).probabilities(logits), [0.5, 0.3, 0.15, 0.05]
    )
    np.testing.assert_allclose(
        Sampler(top_k=9).probabilities(logits), [0.5, 0.3, 0.15, 0.05]
    )
    np.testing.assert_allclose(
        Sampler(0.5).probabilities(logits), np.array([25, 9, 2.25, 0.25]) / 36.5
    )


def test_the_seed_alone_decides() -> None:
    """The same seed draws the same text, another seed another one, with the cache and without."""
    model = bundled_model("baby_gpt")
    texts = [
        model.generate("111", 40, sampler=Sampler(seed=seed))
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]
    assert (
        model.generate("111", 40, sampler=Sampler(seed=1), cached=False)
        == texts[0]
    )


def test_a_sampler_can_be_used_again() -> None:
    """A sampler is a value: using it twice draws the same twice."""
    sampler = Sampler(seed=5)
    assert [sampler.start()(np.zeros(9)) for _ in range(2)] * 2 == [
        sampler.start()(np.zeros(9)) for _ in range(4)
    ]


@pytest.mark.slow
def test_frequencies_follow_the_probabilities() -> None:
    """Of 8,000 draws each token has its share, to within 3 in a hundred; what has probability 0
    is never drawn.
    """
    choose = Sampler(top_k=3, seed=0).start()
    logits = np.log(np.array([0.4, 0.1, 0.3, 0.2]))
    drawn = Counter(choose(logits) for _ in range(8000))
    assert set(drawn) == {0, 2, 3}
    for i, share in ((0, 4 / 9), (2, 3 / 9), (3, 2 / 9)):
        assert abs(drawn[i] / 8000 - share) < 0.03


def test_a_low_temperature_is_greedy() -> None:
    """At a temperature near zero the likeliest token is drawn."""
    model = bundled_model("aab")
    for temperature in (1e-3, 1e-308):
        assert model.generate(
            "a", 10, sampler=Sampler(temperature, seed=0)
        ) == model.generate("a", 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"temperature": 0},
            "the temperature must be positive and finite, found 0; greedy needs none",
        ),
        (
            {"temperature": -1.0},
            (
                "the temperature must be positive and finite, found -1.0; greedy needs"
                " none"
            ),
        ),
        (
            {"temperature": float("inf")},
            "the temperature must be positive and finite, found inf; greedy needs none",
        ),
        (
            {"temperature": float("nan")},
            "the temperature must be positive and finite, found nan; greedy needs none",
        ),
        ({"top_k": 0}, "top_k must be at least 1, found 0"),
        ({"top_p": 0}, "top_p must lie above 0 and at most at 1, found 0"),
        ({"top_p": 1.5}, "top_p must lie above 0 and at most at 1, found 1.5"),
        (
            {"top_p": float("nan")},
            "top_p must lie above 0 and at most at 1, found nan",
        ),
    ],
)
def test_samplers_that_are_refused(
    options: dict[str, Any], message: str
) -> None:
    """Values that keep no token are refused."""
    with Refused(PromptError, message):
        Sampler(**options)
