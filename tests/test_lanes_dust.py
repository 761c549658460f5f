"""Sums with dust: what a head brings of 0 is e^-70, and a float swallows it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from lane_by_hand import ASKS, ONE, K, X, Y, Z, by_hand, head
from lane_programs import is_right

from handcraft.model import Model
from handcraft.proof.checker.zonotope import Floats, Rejected, Zonotope
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.dust import LaneFloats
from handcraft.proof.lanes.scores import HeadScores
from handcraft.proof.lanes.symbols import Symbols

SINGLE = LaneFloats("float32")


def zonotope(c: list[float], r: list[float]) -> Zonotope:
    """One row of numbers, each within a radius."""
    return Zonotope.of(np.array([c]), np.array([r]))


def in_some_order(terms: list[Any], random: Random) -> Any:
    """A sum of floats as a machine may add them: any two of them, until one is left."""
    terms = list(terms)
    while len(terms) > 1:
        one, other = (terms.pop(random.randrange(len(terms))) for _ in range(2))
        terms.append(one + other)
    return terms[0]


def drawn(random: Random) -> tuple[list[float], list[float], list[float]]:
    """Whole numbers and weights, and numbers that are 0 but for dust."""
    c: list[float] = [random.randint(-64, 64) for _ in range(6)]
    w: list[float] = [random.randint(-64, 64) / 4 for _ in c]
    if random.random() < 0.5:  # a sum of 0
        c, w = [*c, *c], [*w, *(-x for x in w)]
    r = [0.0] * len(c) + [random.choice((1e-32, 1e-12)) for _ in range(4)]
    more = [random.randint(-99, 99) for _ in range(4)]
    return [*c, 0.0, 0.0, 0.0, 0.0], r, [*w, *more]


@pytest.mark.parametrize("seed", range(40))
def test_a_sum_in_any_order_is_within_its_bound(seed: int) -> None:
    random = Random(seed)
    c, r, w = drawn(random)
    found = SINGLE.linear(zonotope(c, r), np.array(w)[:, None], np.zeros(1))
    low, high = SINGLE.dot(
        zonotope(c, r), Zonotope.of(np.array([w], dtype=np.float64))
    )
    for _ in range(50):
        x = [a + random.uniform(-b, b) for a, b in zip(c, r, strict=True)]
        terms = [
            np.float32(a) * np.float32(b) for a, b in zip(x, w, strict=True)
        ]
        y = float(in_some_order(terms, random))
        assert abs(y - found.c[0, 0]) <= found.radius[0, 0]
        assert low[0] <= y <= high[0]


def test_a_number_that_swallows_dust_is_exact() -> None:
    """Where nothing else is added up, dust stays what it is."""
    x, w = zonotope([3.0, 0.0], [0.0, 1e-30]), np.array([[1024.0], [1024.0]])
    found = SINGLE.linear(x, w, np.zeros(1))
    assert (found.c[0, 0], found.radius[0, 0]) == (3072.0, 0.0)
    assert Floats("float32").linear(x, w, np.zeros(1)).radius[0, 0] > 1e-4
    alone = SINGLE.linear(zonotope([0.0], [1e-30]), w[:1], np.zeros(1))
    assert 1e-27 < alone.radius[0, 0] < 1.1e-27


@pytest.mark.parametrize(
    ("c", "r", "why"),
    [
        ([3.0, 0.0], [0.0, 1e-6], "what is added may turn the last digit"),
        ([3.0, 1.0], [0.0, 1e-30], "a number that is not exactly 0"),
        ([3.0, 0.0], [1e-30, 0.0], "the same of the only one"),
        ([2.0**24, 1.0, 0.0], [0.0, 0.0, 1e-30], "digits that are lost"),
        ([1.0, 2.0**-30, 0.0], [0.0, 0.0, 1e-30], "no common multiple"),
    ],
)
def test_what_is_no_dust_is_rounded(
    c: list[float], r: list[float], why: str
) -> None:
    w = np.full((len(c), 1), 3.0)
    plain = Floats("float32").linear(zonotope(c, r), w, np.zeros(1))
    found = SINGLE.linear(zonotope(c, r), w, np.zeros(1))
    assert found.radius[0, 0] == plain.radius[0, 0] > 0, why
    q = Zonotope.of(w.T)
    assert SINGLE.dot(zonotope(c, r), q) == Floats("float32").dot(
        zonotope(c, r), q
    ), why


def test_what_two_lanes_share_of_dust_is_kept() -> None:
    """The same error twice, once taken off, is none: of dust, too."""
    g = np.array([[[1e-30], [1e-30]]])
    x = Zonotope(np.zeros((1, 2)), np.zeros((1, 2)), g)
    found = SINGLE.linear(x, np.array([[1.0], [-1.0]]), np.zeros(1))
    assert found.radius[0, 0] < 1e-32


def test_beside_numbers_near_the_least_float_there_is_no_dust() -> None:
    """A tenth of the last digit is no dust, however small both are."""
    least, off = 2.0**-1000, 2.0**-1004
    double, x = LaneFloats("float64"), zonotope([least, 0.0], [0.0, off])
    w = np.ones((2, 1))
    assert double.linear(x, w, np.zeros(1)).radius[0, 0] >= off
    low, high = double.dot(x, Zonotope.of(w.T))
    assert low[0] <= least - off
    assert high[0] >= least + off


# ------------------------------------------------------------ others cancel

LESS, TINY = 6, 7  # lanes


def swallowed(tiny: float) -> Model:
    """A model whose logits at a `b` are 1 + d - 1 of the right token and d - tiny of another one: d
    is e^-23 at the second position, where a float has lost it.
    """
    keys, values = [-40.0, 23.0, 0.0], [0.0, 0.0, 1.0]
    block = head(ASKS, {(K, 0): 1}, {(X, 0): 1}, {(0, Z): 1})
    model = by_hand(keys, values, block)
    ids = model.vocabulary.ids
    wpe, wte = model.weights["wpe"].copy(), 0 * model.weights["wte"]
    wpe[1:, [Y, LESS, TINY]] = 10, 1, tiny
    wte[ids["a"], [ONE, Z, LESS]] = 1, 1, -1
    wte[ids["^"], [Z, TINY]] = 1, -1
    wte[ids["b"], Y] = -1
    return replace(model, weights=model.weights | {"wte": wte, "wpe": wpe})


def test_dust_beside_numbers_that_cancel_may_be_lost() -> None:
    assert not is_right(swallowed(2.0**-35))
    with pytest.raises(Rejected, match="the margin may be"):
        measured_lanes(swallowed(2.0**-35), ())
    assert measured_lanes(swallowed(2.0**-20), ()).margin > 0


def test_dust_that_two_lanes_share_may_be_lost_of_one_of_them() -> None:
    """1 + d - 1 - d is -d in that order, in a score as well."""
    d = np.float32(1e-12)
    terms = [np.float32(1), d, np.float32(-1), -d]
    found = float(((terms[0] + terms[1]) + terms[2]) + terms[3])
    x = Zonotope(
        np.array([[1.0, 0.0, -1.0, 0.0]]),
        np.zeros((1, 4)),
        np.array([[[0.0], [d], [0.0], [-d]]], dtype=np.float64),
    )
    whole = SINGLE.linear(x, np.ones((4, 1)), np.zeros(1))
    assert whole.radius[0, 0] >= abs(found) > 0
    scores = HeadScores(Symbols(("a",), 1, causal=True), SINGLE, 4)
    low, high = scores.divided(Zonotope.of(np.ones((1, 4))), x)
    assert low[0] <= found / 2 <= high[0]
