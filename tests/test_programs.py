"""The bundled programs against their plain meaning."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from math import log
from pathlib import Path
from random import Random

import numpy as np
import pytest
from conftest import (
    BUNDLED,
    EVERY_PROGRAM,
    bundled_model,
    bundled_program,
    example,
    interpret,
    slow_from,
)
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Model
from handcraft.claims.prompt_claim import Answers
from handcraft.core.decoding import Sampler
from handcraft.core.gpt2 import softmax
from handcraft.files.bundled import bundled
from handcraft.files.program_file import summary
from handcraft.proof import verify
from handcraft.proof.tally import margins_of

LETTERS = "abcdefghijklmnopqrstuvwxyz"
GOLDEN = json.loads((Path(__file__).parent / "golden" / "aab.json").read_text())


def best(model: Model, context: str) -> str:
    """The token with the highest logit after a context, which must be strictly the highest."""
    logits = model(context)[-1]
    first, second = np.sort(logits)[-1:-3:-1]
    assert first > second
    return model.vocabulary.tokens[int(logits.argmax())]


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_bundled_programs_mean_what_their_rules_mean(name: str) -> None:
    """The GPT-2 of each bundled program computes what its rules say, followed one by one in
    plain Python.
    """
    program, context = bundled_program(name), example(name)
    expected = np.array(
        [
            [row[token] for token in program.vocabulary]
            for row in interpret(program, context)
        ]
    )
    found = bundled_model(name, "float64")(context)
    np.testing.assert_allclose(
        found, expected, rtol=1e-6, atol=1e-6 * (1 + np.abs(expected).max())
    )


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_bundled_programs_present_themselves(name: str) -> None:
    """Each bundled program is called as its file, has a claim, and says in one line what it
    does.
    """
    program = bundled_program(name)
    assert program.name == name
    assert program.claim is not None
    assert summary(bundled()[name]).endswith((".", ":", "?"))
    assert program.source.file == f"programs/{name}.py"


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_bundled_programs_are_short_and_name_their_source(name: str) -> None:
    """A program is at most 70 lines, and one that others found says who."""
    text = bundled()[name].read_text()
    assert len(text.splitlines()) <= 70
    assert name == "aab" or "Source:" in text


@pytest.mark.parametrize(
    "name",
    slow_from(
        12,
        [
            name
            for name in BUNDLED
            if isinstance(bundled_program(name).claim, Answers)
        ],
    ),
)
def test_running_a_program_gives_its_answer(name: str) -> None:
    """What `run` prints for a prompt is the whole answer and nothing after it."""
    program, model = bundled_program(name), bundled_model(name)
    claim, random = program.claim, Random(1)
    assert isinstance(claim, Answers)
    language = claim.language(program.n_ctx, model.vocabulary)
    for prompt in (language.draw(random) for _ in range(20)):
        assert model.generate(prompt) == "".join(
            claim.expected(prompt, model.vocabulary, program.n_ctx)
        )


# ---------------------------------------------------------------- aab and abc


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [("a", "baabaabaab"), ("ba", "abaabaabaa"), ("abaab", "aabaabaaba")],
)
def test_golden_completions_of_aab(prompt: str, completion: str) -> None:
    """Aab continues as the hand-made model did."""
    assert GOLDEN["completions"][prompt] == completion
    assert bundled_model("aab").generate(prompt, 10) == completion


def test_every_prefix_of_aab_is_continued() -> None:
    """Each prefix of aabaab..., two letters or longer, is continued rightly from its last five
    letters: 27 of 27.
    """
    text, model = "aab" * 10, bundled_model("aab")
    right = [best(model, text[:n][-5:]) == text[n] for n in range(2, 29)]
    assert (
        (sum(right), len(right))
        == (GOLDEN["accuracy"]["correct"], GOLDEN["accuracy"]["total"])
        == (27, 27)
    )


def test_aab_after_every_context() -> None:
    """After every context that ends in aa comes b, after every other longer than one letter
    that has no bb at its end, a.
    """
    for n in range(2, 6):
        for context in map("".join, product("ab", repeat=n)):
            if not context.endswith("bb"):
                assert best(bundled_model("aab"), context) == (
                    "b" if context.endswith("aa") else "a"
                )


def test_abc_cycles() -> None:
    """Abc continues its cycle from any two letters of it, past its window."""
    for start in ("ab", "bc", "ca"):
        text = ("abc" * 10)["abc".index(start[0]) :]
        assert bundled_model("abc").generate(start, 12) == text[2:14]


# ---------------------------------------------------------------- adder


def answer(a: int, b: int) -> tuple[str, str]:
    """A prompt of the adder and the digits of the sum, the least first."""
    return f"{a:011d}+{b:011d}=", f"{a + b:011d}"[::-1]


def adder_margins(pairs: list[tuple[int, int]]) -> np.ndarray:  # [n_pairs, 11]
    """The margin of every digit of every sum, computed in batches of float32."""
    model, rows = bundled_model("adder"), []
    for first in range(0, len(pairs), 1000):
        texts = [answer(a, b) for a, b in pairs[first : first + 1000]]
        ids = np.array(
            [
                model.vocabulary.encode(prompt + digits)
                for prompt, digits in texts
            ]
        )
        logits = model(ids[:, :-1])[:, -11:]  # [n_batch, 11, n_vocab]
        rows.append(
            margins_of(
                logits.reshape(-1, logits.shape[-1]), ids[:, -11:].ravel()
            ).reshape(-1, 11)
        )
    return np.concatenate(rows)


EDGES = [
    (0, 0),
    (0, 1),
    (9, 1),
    (5, 5),
    (10**10 - 1, 1),
    (1, 10**10 - 1),
    (10**10 - 1, 10**10 - 1),
    (10**9, 9 * 10**9),
    (1234567890, 8765432109),
    (4999999999, 5000000001),
]


def test_the_adder_is_small() -> None:
    """The adder has 203 weights, 98 of them not zero."""
    assert {
        key: bundled_model("adder").parameters[key]
        for key in ("dense", "nonzero")
    } == {"dense": 203, "nonzero": 98}


@pytest.mark.parametrize(("a", "b"), EDGES)
def test_the_adder_at_the_edges(a: int, b: int) -> None:
    """No carry, every carry, and the longest chain of carries are added rightly, digit by digit."""
    prompt, digits = answer(a, b)
    assert bundled_model("adder").generate(prompt) == digits
    assert int(digits[::-1]) == a + b


def test_the_adder_on_ten_thousand_pairs() -> None:
    """10,000 random pairs and the edges are added rightly in float32, every digit by a margin
    of 0.39 or more.
    """
    random = Random(2025)
    pairs = [
        (random.randrange(10**10), random.randrange(10**10))
        for _ in range(10_000)
    ]
    margins = adder_margins(EDGES + pairs)
    assert margins.shape == (10_010, 11)
    assert margins.min() >= 0.39


# ---------------------------------------------------------------- copy_previous and induction


@given(st.text(LETTERS, min_size=2, max_size=64))
def test_copy_previous_repeats_the_letter_before(text: str) -> None:
    """After ..xy comes x."""
    assert best(bundled_model("copy_previous"), text) == text[-2]


@given(st.text(LETTERS, min_size=1, max_size=63), st.integers(0, 62))
def test_induction_finds_the_latest_occurrence(text: str, at: int) -> None:
    """After a letter that stood before comes what followed it the latest time."""
    text += text[at % len(text)]
    latest = max(i for i in range(len(text) - 1) if text[i] == text[-1])
    assert best(bundled_model("induction"), text) == text[latest + 1]


def test_induction_on_random_text() -> None:
    """On random texts of full length every position whose letter stood before is continued
    rightly.
    """
    random, model = Random(2025), bundled_model("induction")
    texts = ["".join(random.choices(LETTERS, k=64)) for _ in range(50)]
    logits = model(
        np.array([model.vocabulary.encode(text) for text in texts])
    )  # [50, 64, 26]
    asked = 0
    for text, rows in zip(texts, logits, strict=True):
        for i in range(64):
            latest = text.rfind(text[i], 0, i)
            if latest >= 0:
                asked += 1
                assert LETTERS[int(rows[i].argmax())] == text[latest + 1]
    assert asked > 1500


# ---------------------------------------------------------------- baby_gpt


def test_baby_gpt_has_the_probabilities_of_its_sequence() -> None:
    """After three bits the next one has the probability that it has in 111101111011110."""
    sequence, model = "111101111011110", bundled_model("baby_gpt")
    follows: dict[str, Counter[str]] = {}
    for i in range(len(sequence) - 3):
        follows.setdefault(sequence[i : i + 3], Counter())[sequence[i + 3]] += 1
    for context in map("".join, product("01", repeat=3)):
        seen = follows.get(context, Counter("01"))
        expected = [seen[bit] / seen.total() for bit in "01"]
        np.testing.assert_allclose(
            softmax(model(context)[-1].astype(np.float64)), expected, atol=1e-6
        )
    assert log(follows["111"]["1"]) == log(follows["111"]["0"])
    assert verify(model).max_probability_error < 1e-6  # type: ignore[operator]


@pytest.mark.slow
def test_baby_gpt_never_draws_what_never_follows() -> None:
    """A bit that never follows has probability 0 in float32, and in 2,000 drawn bits it never
    comes.
    """
    model = bundled_model("baby_gpt")
    assert softmax(model("110")[-1]).tolist() == [0.0, 1.0]
    text = model.generate("111", 2000, sampler=Sampler(seed=2025))
    never = {"1100", "1010", "0110"}
    assert {text[i : i + 4] for i in range(1996)} & never == set()
    assert {"1110", "1111", "0111"} <= {text[i : i + 4] for i in range(1996)}
