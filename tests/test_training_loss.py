"""The loss of a model on examples is what a loop in plain Python finds, and needs no extra."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import bundled_model, interpret, random_weights

from handcraft.core.gpt2 import gpt2
from handcraft.training.claim_examples import of_claim
from handcraft.training.examples import ExampleRows, Windows
from handcraft.training.loss import loss_of
from handcraft.training.texts import of_sequence

BITS = "111101111011110"
TOKENS = np.array([[2, 0, 1, 1], [0, 2, 2, 1], [1, 1, 0, 0]])
WEIGHT = np.array([[1, 0, 2, 1], [0, 0, 0, 0], [1, 1, 1, 0]], "float32")


def chances(logits: Any) -> list[float]:
    """Softmax of a list, in plain Python."""
    powers = [math.exp(x - max(logits)) for x in logits]
    return [power / sum(powers) for power in powers]


def by_loop(kind: str, targets: Any, logits: Any) -> tuple[float, float]:
    """The mean of nats and the share that is right, position by position."""
    nats = right = asked = 0.0
    for row, wanted, weights in zip(logits, targets, WEIGHT, strict=True):
        for own, target, weight in zip(row, wanted, weights, strict=True):
            p = chances(list(own))
            said = p.index(max(p))
            if kind == "token":
                surprise, good = -math.log(p[target]), said == target
            elif kind == "any":
                inside = sum(q for q, ok in zip(p, target, strict=True) if ok)
                surprise, good = -math.log(inside), bool(target[said])
            else:
                pairs = zip(target, p, strict=True)
                surprise = -sum(t * math.log(q) for t, q in pairs)
                good = target[said] == max(target)
            nats += float(weight) * surprise
            right += float(weight) * good
            asked += float(weight)
    return nats / asked, right / asked


@pytest.mark.parametrize("kind", ["token", "any", "chances"])
def test_the_loss_is_that_of_a_plain_loop(kind: Any) -> None:
    """For one right token, for several, and for chances; a position of weight 2 counts twice."""
    weights, random = random_weights(1), np.random.default_rng(5)
    targets: Any = {
        "token": random.integers(0, 3, (3, 4)),
        "any": np.array([[True, False, True]] * 12).reshape(3, 4, 3),
        "chances": random.dirichlet(np.ones(3), (3, 4)),
    }[kind]
    rows = ExampleRows(kind, TOKENS, targets, WEIGHT)
    found = loss_of(weights, rows, n_head=2)
    expected = by_loop(kind, targets, gpt2(TOKENS, **weights, n_head=2))
    assert (found.loss, found.accuracy) == pytest.approx(expected, abs=1e-12)


def test_the_loss_of_the_hand_made_baby_gpt() -> None:
    """On the windows of its sequence it is half the logarithm of 2, the least that can be."""
    model = bundled_model("baby_gpt", "float64")
    data = of_sequence(BITS, 3)
    found = loss_of(model.weights, data.examples, **model.config)
    assert found.loss == pytest.approx(0.34657359, abs=1e-9)
    assert found.loss == pytest.approx(math.log(2) / 2, abs=1e-9)


def test_the_loss_of_a_program_is_that_of_its_rules() -> None:
    """The rules of aab, computed without a matrix, are as surprised by what its claim says."""
    model = bundled_model("aab", "float64")
    data = of_claim(model, model.program.claim)
    surprise: list[float] = []
    for n in range(2**5):
        text = [model.vocabulary.tokens[n >> i & 1] for i in range(5)]
        for i, logits in enumerate(interpret(model.program, text)):
            last = "".join(text[max(0, i - 1) : i + 1])
            right = {"aa": "b", "ab": "a", "ba": "a"}.get(last)
            if right is not None:
                p = chances(list(logits.values()))
                surprise.append(-math.log(p[list(logits).index(right)]))
    found = loss_of(model.weights, data.examples, **model.config)
    assert found.asked == len(surprise)
    assert found.loss == pytest.approx(sum(surprise) / len(surprise), abs=1e-12)
    assert found.accuracy == 1


def test_what_fills_up_a_row_is_not_seen() -> None:
    """A model that sees the whole text reads a short row as if it stood alone."""
    weights = random_weights(2)
    ids, targets = TOKENS[:, :2], np.zeros((3, 2), int)
    alone = ExampleRows("token", ids, targets, np.ones((3, 2), "float32"))
    filled = ExampleRows(
        "token",
        TOKENS,
        np.zeros((3, 4), int),
        np.array([[1, 1, 0, 0]] * 3, "float32"),
        lengths=np.array([2, 2, 2]),
    )
    config: Any = {"n_head": 2, "causal": False}
    short = loss_of(weights, alone, **config)
    assert loss_of(weights, filled, **config) == pytest.approx(short, abs=1e-12)
    seen = ExampleRows(
        "token", TOKENS, np.zeros((3, 4), int), filled.weight
    )  # the test tells a difference
    assert loss_of(weights, seen, **config).nats != pytest.approx(short.nats)


def test_windows_are_batches_of_the_text() -> None:
    """Row i of a text begins at its token i, and each position is followed by the next token."""
    windows = Windows(np.arange(10), 4)
    batch = windows.batch(windows.arrays, np.array([0, 5]))
    assert batch["tokens"].tolist() == [[0, 1, 2, 3], [5, 6, 7, 8]]
    assert batch["targets"].tolist() == [[1, 2, 3, 4], [6, 7, 8, 9]]
    assert windows.size == 6
