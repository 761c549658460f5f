"""What the checker was attacked with: scores about which little is known."""

from __future__ import annotations

import math

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.softmax import Softmax
from handcraft.proof.checker.zonotope import Floats


def summary(softmax: Softmax, keys: list[tuple[float, float, Array]]) -> int:
    """The number of what is known of keys: least and greatest score, value."""
    known = 0
    for low, high, value in keys:
        key = softmax.key(low, high, value, np.zeros_like(value))
        known = softmax.insert(known, key, -math.inf)
    return known


def test_the_best_key_weighs_one_however_little_is_known_of_its_score() -> None:
    """It lies anywhere in a wide interval, and another one leaks below it: the mean is still
    its own value, but for what leaks.
    """
    softmax = Softmax(Floats("float32"), 1.0, 16.0, 9)
    known = summary(
        softmax,
        [(0.0, 1e12, np.array([1.0])), (-20.0, -17.0, np.array([-1.0]))],
    )
    c, r = softmax.mean(known, 2)
    assert c[0] == 1.0
    leak = math.exp(-17.0)
    assert 2 * leak < r[0] < 2 * leak + 40 * 2.0**-24
