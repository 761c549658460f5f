"""Up to which length of text a proof of a program without positions holds."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from lane_programs import is_right, tagged

from handcraft.core.gpt2 import gpt2
from handcraft.proof import longest
from handcraft.proof.longest import longest_proved, with_last_row_to


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


def test_a_program_with_positions_has_no_such_length() -> None:
    assert longest_proved(tagged("reverse", 3)) is None
