"""Up to which length of text a proof of a program without positions holds."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from lane_programs import is_right, tagged

from handcraft import Program, each, tag, token
from handcraft.core.gpt2 import gpt2
from handcraft.proof import longest
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.longest import longest_proved, with_last_row_to
from handcraft.sequence.words import count, lookup, there, tokens


def leaders(text: str) -> list[str]:
    """Which letter is ahead after each token, in plain Python."""
    found = []
    for n in range(1, len(text) + 1):
        a, b = text[:n].count("a"), text[:n].count("b")
        found.append("a" if a > b else "b" if b > a else "=")
    return found


def said(tokens: int, text: str) -> list[str]:
    """What `leader`, made for three tokens, says of a longer text."""
    model = with_last_row_to(tagged("leader", 3), tokens)
    ids = model.vocabulary.ids
    logits = gpt2(
        np.array([ids[c] for c in "^" + text]), **model.weights, **model.config
    )
    return [model.vocabulary.tokens[int(x)] for x in logits[1:].argmax(axis=1)]


def test_it_is_right_past_its_window() -> None:
    random = Random(0)
    for n in (4, 20, 64):
        text = "".join(random.choices("ab", k=n))
        assert said(n, text) == leaders(text)


def test_its_proof_holds_as_long_as_is_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(longest, "LONGEST_TRIED", 32)
    assert longest_proved(tagged("leader", 3)) == 32


def test_the_length_is_the_greatest_that_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each length is looked at once, and one more than what is said has no proof."""
    monkeypatch.setattr(longest, "LONGEST_TRIED", 32)
    for most in (3, 4, 16, 23, 31):
        asked: list[int] = []

        def holds(
            _: object, n: int, most: int = most, asked: list[int] = asked
        ) -> bool:
            asked.append(n)
            return n <= most

        monkeypatch.setattr(longest, "_holds", holds)
        assert longest_proved(tagged("leader", 3)) == most
        assert len(set(asked)) == len(asked)
        assert {most, most + 1} <= set(asked)


def test_what_has_too_few_neurons_is_proved_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parity of a count is computed by a neuron for each number that there can be."""
    monkeypatch.setattr(longest, "LONGEST_TRIED", 16)
    model = tagged("parity", 4)
    found = longest_proved(model)
    assert found is not None
    assert found < 16
    assert is_right(with_last_row_to(model, found))
    assert not is_right(with_last_row_to(model, found + 1))


def test_a_claim_that_falls_silent_says_nothing_of_longer_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no token for a count of five."""
    monkeypatch.setattr(longest, "LONGEST_TRIED", 8)
    assert longest_proved(tagged("hist", 4)) == 4


def test_a_claim_that_is_silent_in_its_window_has_no_such_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No token stands for a count of three: of texts of 8 letters it says nearly nothing."""
    monkeypatch.setattr(longest, "LONGEST_TRIED", 8)
    seen = count(there(tokens) == tokens)
    said = lookup({1: "1", 2: "2"}, seen)
    model = tag(said, tokens="ab", n=3, causal=True).build()
    assert measured_lanes(model, ()).silent
    assert measured_lanes(with_last_row_to(model, 8), ()).silent
    assert longest_proved(model) is None


def test_a_program_with_positions_has_no_such_length() -> None:
    assert longest_proved(tagged("reverse", 3)) is None


def test_texts_that_any_token_begins_have_no_such_length() -> None:
    """Their first position is one of the text, and nothing is said of its row."""
    t = token("ab")
    model = Program(
        embedding=(t,),
        layers=(({t["a"]: 50 * t["a"], t["b"]: 50 * t["b"]},),),
        n_ctx=3,
        claim=each(tokens, causal=True, alphabet="ab"),
    ).build()
    assert measured_lanes(model, ()).margin > 0
    assert longest_proved(model) is None
