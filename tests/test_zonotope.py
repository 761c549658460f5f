"""Rounding in a proof: balls that hold every float."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from proving import FLOAT, U, ball, holds

from handcraft.proof.prover.endings import least_lead
from handcraft.proof.prover.prover import _chance_error
from handcraft.proof.prover.zonotope import Precision, Zonotope, exactly, grid


@pytest.mark.parametrize(
    ("value", "e"),
    [
        (1.0, 0),
        (3.0, 0),
        (6.0, 1),
        (0.75, -2),
        (-20.0, 2),
        (2.0**-149, -149),
        (0.1, -55),
    ],
)
def test_the_grid_is_the_last_bit(value: float, e: int) -> None:
    """The greatest power of two that a float64 is a multiple of."""
    assert grid(np.array([value]))[0] == e


@pytest.mark.parametrize("k", [1, 2, 10, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gamma_is_at_least_that_of_the_book(dtype: str, k: int) -> None:
    """The bound of the book, k u / (1 - k u), for the model and for the centre."""
    p = Precision(dtype)
    u, own = Fraction(p.u), Fraction(1, 2**53)
    assert Fraction(float(p.gamma(k))) * Fraction(1001, 1000) >= k * u / (
        1 - k * u
    ) + k * own / (1 - k * own)


def test_units_of_roundoff_and_the_least_numbers_are_those_of_ieee() -> None:
    """float32 and float64: roundoff, least normal number, where exp is zero and where tanh is
    one.
    """
    for dtype, edge in (("float32", 105.0), ("float64", 747.0)):
        p, kind = Precision(dtype), np.dtype(dtype).type
        assert (p.u, p.least) == (
            float(np.finfo(dtype).eps) / 2,
            float(np.finfo(dtype).tiny),
        )
        assert p.zero_below >= edge
        with np.errstate(under="ignore"):
            assert np.exp(kind(-p.zero_below)) == 0
        x = kind(p.saturated)
        assert (
            np.tanh(
                kind(math.sqrt(2 / math.pi)) * (x + kind(0.044715) * x * x * x)
            )
            == 1
        )


@pytest.mark.parametrize("k", [3, 4, 5, 9, 33])
def test_a_sum_that_loses_every_term_is_within_its_ball(k: int) -> None:
    """1 + u + u ... from the left stays 1: the ball of the sum is as wide as that, and not
    twice as wide.
    """
    x, w = np.array([[1.0] + [U] * (k - 1)]), np.full((k, 1), 1.0)
    found = FLOAT.linear(exactly(x), w, np.zeros(1))
    assert holds(found, [[1.0]])
    assert found.radius[0, 0] <= 2.1 * (k - 1) * U
    bias = FLOAT.linear(exactly(x[:, 1:]), w[1:], np.ones(1))
    assert holds(bias, [[1.0]])


def test_products_that_round_are_within_their_ball() -> None:
    """Random dot products in float32 and their worst cases, with and without a bias."""
    rng = np.random.default_rng(0)
    for k in (1, 2, 3, 8):
        x, w, b = (
            rng.normal(size=shape).astype("float32")
            for shape in ((2000, k), (k, 1), (1,))
        )
        for bias in (b, np.zeros_like(b)):
            total = np.zeros((2000, 1), "float32")
            for i in range(k):
                total = total + x[:, i : i + 1] * w[i]
            found = FLOAT.linear(exactly(x), w, bias)
            assert holds(found, total + bias)
            assert float(found.radius.max()) < 4 * (k + 1) * U * (
                1 + float((np.abs(x) @ np.abs(w)).max() + abs(b[0]))
            )


def test_what_is_off_before_is_off_after() -> None:
    """The radius of the input goes through the weights, each lane's its own."""
    found = FLOAT.linear(
        ball([[1.0, 2.0]], [[0.5, 0.25]]),
        np.array([[3.0, 0.0], [-2.0, 4.0]]),
        np.zeros(2),
    )
    assert found.radius[0, 0] >= 2.0
    assert found.radius[0, 1] >= 1.0
    assert found.radius.max() < 2.001


def test_whole_numbers_are_exact_up_to_2_to_the_24() -> None:
    """Sums of multiples of one power of two round nothing while they fit the mantissa, and may
    beyond.
    """
    for top, exact in ((2**24 - 3, True), (2**24, False), (2**25 + 2, False)):
        found = FLOAT.linear(
            exactly(np.array([[float(top), 1.0, 1.0, 1.0]])),
            np.ones((4, 1)),
            np.zeros(1),
        )
        assert bool(found.radius[0, 0] == 0) == exact
    assert (
        FLOAT.linear(
            exactly(np.array([[2.0**-100, 3.0]])),
            np.array([[2.0**-40], [3.0]]),
            np.zeros(1),
        ).radius[0, 0]
        > 0
    )
    assert (
        FLOAT.linear(
            exactly(np.array([[3 * 2.0**-100]])),
            np.array([[3 * 2.0**-40]]),
            np.zeros(1),
        ).radius[0, 0]
        >= 2.0**-127
    )
    wide = Precision("float64").linear(
        exactly(np.array([[2.0**53, 1.0]])), np.ones((2, 1)), np.zeros(1)
    )
    assert wide.radius[0, 0] >= 1.0


def test_a_bias_that_does_not_fit_the_grid_rounds() -> None:
    """A constant far below the other terms makes the sum inexact."""
    found = FLOAT.linear(
        exactly(np.array([[1.0, 1.0]])), np.ones((2, 1)), np.array([2.0**-30])
    )
    assert holds(found, [[2.0]])
    assert found.radius[0, 0] > 0


def test_a_single_product_of_wide_numbers_rounds() -> None:
    """One term, no power of two: half a unit in the last place."""
    a = np.float32(1 + 2.0**-23)
    found = FLOAT.linear(exactly(np.array([[a]])), np.array([[a]]), np.zeros(1))
    assert holds(found, [[a * a]])
    assert found.radius[0, 0] > 0


def test_what_cancels_keeps_its_roundings() -> None:
    """Two products that round, and three terms of which the greatest vanish, are off by more
    than their sum's last bit.
    """
    a = np.float32(1 + 3 * 2.0**-23)
    found = FLOAT.linear(
        exactly(np.array([[a, 1.0]])), np.array([[a], [-1.0]]), np.zeros(1)
    )
    assert holds(found, [[a * a - np.float32(1)]])
    assert holds(
        FLOAT.linear(
            exactly(np.array([[2.0**24, 1.0, -(2.0**24)]])),
            np.ones((3, 1)),
            np.zeros(1),
        ),
        [[0.0]],
    )


def test_a_product_of_something_near_a_power_of_two_rounds() -> None:
    """Only a factor that is known to be a power of two rounds nothing."""
    third = float(np.float32(1 / 3))
    assert (
        FLOAT.linear(
            ball([[1.0]], [[0.25]]), np.array([[third]]), np.zeros(1)
        ).radius[0, 0]
        > 0.25 * third + 1e-8
    )


def test_what_is_not_bounded_stays_so_where_it_is_read() -> None:
    """A lane of infinite radius takes every column with it that reads it, and no other."""
    found = FLOAT.linear(
        ball([[1.0, 1.0]], [[np.inf, 0.0]]),
        np.array([[2.0, 0.0], [0.0, 3.0]]),
        np.zeros(2),
    )
    assert found.radius.tolist() == [[np.inf, 0.0]]


def test_adding_is_within_its_ball() -> None:
    """Random sums of near and far sizes, exact and uncertain ones, in both precisions."""
    rng = np.random.default_rng(1)
    for dtype in ("float32", "float64"):
        p = Precision(dtype)
        x, y = (
            (
                rng.normal(size=5000) * 2.0 ** rng.integers(-40, 40, size=5000)
            ).astype(dtype)
            for _ in range(2)
        )
        rx, ry = (
            np.abs(x) * 1e-3,
            np.abs(y) * rng.choice([0, 1e-9, 1.0], size=5000),
        )
        assert holds(p.add(exactly(x), exactly(y)), x + y)
        for sx, sy in product((-1, 1), repeat=2):
            moved = (
                (x + sx * rx * 0.99).astype(dtype),
                (y + sy * ry * 0.99).astype(dtype),
            )
            assert holds(
                p.add(
                    Zonotope(x.astype(float), rx.astype(float)),
                    Zonotope(y.astype(float), ry.astype(float)),
                ),
                moved[0] + moved[1],
            )


def test_adding_something_uncertain_rounds() -> None:
    """Round centres are no round numbers: the sum of an uncertain number and one is off by its
    last bit, too.
    """
    assert (
        FLOAT.add(ball([1.0], [0.1]), exactly(np.array([1.0]))).radius[0]
        > 0.1 + 1e-8
    )


def test_what_two_numbers_share_adds_up() -> None:
    """Uncertainties of the same place add with their signs, whichever of the two knows more of
    them.
    """
    one = Zonotope(np.array([1.0]), np.array([0.0]), np.array([[0.5, 0.25]]))
    other = Zonotope(np.array([1.0]), np.array([0.0]), np.array([[0.125]]))
    for found in (FLOAT.add(one, other), FLOAT.add(other, one)):
        assert found.g is not None
        assert found.g.tolist() == [[0.625, 0.25]]


def test_a_number_within_less_than_half_a_step_of_a_float_is_that_float() -> (
    None
):
    """Snapping: next to a power of two the next float below is only half as far."""
    step = 2.0**-24  # below 1
    assert FLOAT.snapped(ball([1.0], [step * 0.4])).radius[0] == 0
    assert FLOAT.snapped(ball([1.0], [step * 1.01])).radius[0] > 0
    assert FLOAT.snapped(ball([1.0 + 2.0**-30], [1e-12])).radius[0] > 0
    assert FLOAT.snapped(ball([0.0], [1e-30])).radius[0] > 0


@pytest.mark.parametrize("kind", ["relu", "gelu"])
def test_an_activation_holds_all_that_its_ball_holds(kind: Any) -> None:
    """Centres around every bend, radii from none to large: the function of every point is
    within.
    """
    rng = np.random.default_rng(2)
    c = np.concatenate(
        [np.linspace(-9, 9, 721), [-6.0, 6.0, 0.0, -1e-3, 1e5, -1e5]]
    )
    for r in (0.0, 1e-7, 1e-3, 0.05, 0.3, 1.0, 4.0):
        found = FLOAT.activation(Zonotope(c, np.full_like(c, r)), kind)
        shared = FLOAT.activation(
            Zonotope(c, np.zeros_like(c), np.full((len(c), 1), r)), kind
        )
        for e in [-1.0, 1.0, 0.0, *rng.uniform(-1, 1, 5)]:
            x = c + e * r
            y = (
                np.maximum(x, 0)
                if kind == "relu"
                else 0.5
                * x
                * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
            )
            assert (
                np.abs(y - found.c)
                <= found.radius * (1 + 1e-9) + 1e-10 + 1e-15 * np.abs(c)
            ).all()
            assert shared.g is not None
            assert (
                np.abs(y - shared.c - shared.g[:, 0] * e)
                <= shared.r * (1 + 1e-9) + 1e-10 + 1e-15 * np.abs(c)
            ).all()
    far = FLOAT.activation(exactly(np.array([7.0, -7.0, 0.0])), kind)
    assert (far.c.tolist(), far.radius.tolist()) == (
        [7.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
    )
    near = FLOAT.activation(exactly(np.array([1.0, 5.5, -5.5, 0.5])), kind)
    assert (
        near.radius > (0 if kind == "relu" else 4e-7)
    ).all() or kind == "relu"


def test_what_two_logits_share_does_not_part_them() -> None:
    """A margin counts a shared uncertainty once and an own one twice; of equals none is ahead."""
    g = np.array([[0.5], [0.5], [-0.5]])
    logits = Zonotope(
        np.array([3.0, 1.0, 1.0]), np.array([0.125, 0.25, 0.0]), g
    )
    (margin,), radius = least_lead(logits[None], 0)
    assert margin == pytest.approx(0.875)
    assert radius == pytest.approx(1.125)
    assert not least_lead(exactly(np.array([1.0, 1.0]))[None], 0)[0][0] > 0
    assert not least_lead(ball([2.0, 1.0], [np.nan, 0.0])[None], 0)[0][0] > 0
    assert not least_lead(ball([2.0, 1.0], [0.0, np.inf])[None], 0)[0][0] > 0


def test_a_chance_is_as_wrong_as_its_worst_logits() -> None:
    """Probabilities of the extreme logits are within the error that is given."""
    logits, expected = (
        ball([0.0, 1.0, -2.0], [0.1, 0.05, 0.2]),
        np.array([0.25, 0.7, 0.05]),
    )
    error = _chance_error(logits, expected)
    for signs in product((-1, 0, 1), repeat=3):
        powers = np.exp(logits.c + np.array(signs) * logits.r)
        assert np.abs(powers / powers.sum() - expected).max() <= error
    assert error < 0.2
    with np.errstate(invalid="ignore"):
        assert (
            not _chance_error(
                ball([0.0, 1.0, 0.0], [0.0, np.inf, 0.0]), expected
            )
            <= 1
        )
