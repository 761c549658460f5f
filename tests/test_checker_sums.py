"""What the checker says of a softmax, beside float32 softmaxes that are summed in any order."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from conftest import slow_from

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.softmax import Softmax
from handcraft.proof.checker.zonotope import Floats

U = 2.0**-24
KEYS = 40


def mean_of(
    scores: list[float], values: Array, gap: float
) -> tuple[float, float]:
    """The middle and the radius of the mean, of keys that are inserted in order."""
    softmax, known = Softmax(Floats("float32"), 1.0, gap, KEYS), 0
    numbers = [
        softmax.key(score, score, np.array([v]), np.zeros(1))
        for score, v in zip(scores, values, strict=True)
    ]
    for number in numbers:
        known = softmax.insert(known, number, -math.inf)
    c, r = softmax.mean(known, len(scores))
    return float(c[0]), float(r[0])


def really(scores: list[float], values: Array, order: list[int]) -> float:
    """The mean in float32, each sum from left to right in that order."""
    powers = np.exp(np.float32(scores) - np.float32(max(scores)))
    total = np.float32(0)
    for i in order:
        total += powers[i]
    mean = np.float32(0)
    for i in order:
        mean += powers[i] / total * np.float32(values[i])
    return float(mean)


@pytest.mark.parametrize("best", slow_from(1, [2, 1, 3, 4, 8]))
@pytest.mark.parametrize("behind", [19.5, 24.0, 60.0, 90.0, 200.0])
def test_keys_far_ahead_of_others_have_the_mean_that_float32_finds(
    best: int, behind: float
) -> None:
    """Several keys of one score and many that leak: the mean lies in the ball, whatever cancels
    and in any order.
    """
    draw = Random(f"{best} {behind}")
    for _ in range(60):
        kinds = draw.choice(
            (
                [-1.0, 1.0],
                [0.0, 1.0],
                [1.0, 1e-3, -7.3],
                [2.0**-60, 1.0],
                [1e30, -1e30, 1.0],
            )
        )
        values = np.array(
            [draw.choice(kinds) for _ in range(KEYS)], dtype=np.float32
        ).astype(np.float64)
        scores = [5.0] * best + [
            5.0 - behind - draw.randrange(3) for _ in range(KEYS - best)
        ]
        c, r = mean_of(scores, values, gap=behind)
        for _ in range(5):
            order = draw.sample(range(KEYS), KEYS)
            assert abs(really(scores, values, order) - c) <= r


def test_what_leaks_is_nothing_beside_halves_and_something_beside_a_third() -> (
    None
):
    """Two keys far ahead weigh one half each to the last bit; what leaks stays where their
    values cancel.
    """
    values = np.array([1.0, 1.0] + [1.0] * (KEYS - 2))
    c, r = mean_of([5.0, 5.0] + [-55.0] * (KEYS - 2), values, gap=40.0)
    assert (c, r < 1e-20) == (1.0, True)
    values[1] = -1.0
    c, r = mean_of([5.0, 5.0] + [-55.0] * (KEYS - 2), values, gap=40.0)
    assert (c, math.exp(-60) < r < 1e-20) == (0.0, True)
    assert mean_of([5.0] * 3 + [-55.0] * (KEYS - 3), values, gap=40.0)[1] > U
