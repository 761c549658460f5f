"""What the checker was attacked with: scores about which little is known, and thousands of means
at once.
"""

from __future__ import annotations

import math
import tracemalloc

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


def test_many_means_take_little_more_room_than_one() -> None:
    """Of 200 summaries with 100 scores and 16 values each, some at a time are computed, and
    each as by itself.
    """
    softmax = Softmax(Floats("float32"), 1.0, 60.0, 128)
    draw = np.random.default_rng(0)
    first = summary(
        softmax, [(i / 8, i / 8, draw.normal(size=16)) for i in range(100)]
    )
    many = [
        softmax.insert(
            first,
            softmax.key(5.0, 5.0 + i / 1e3, draw.normal(size=16), np.zeros(16)),
            -math.inf,
        )
        for i in range(200)
    ]
    tracemalloc.start()
    c, r = softmax.means(many, 101)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40 * 2**20
    for i in (0, 77, 199):
        assert (c[i] == softmax.mean(many[i], 101)[0]).all()
        assert (r[i] == softmax.mean(many[i], 101)[1]).all()
