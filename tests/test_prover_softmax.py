"""Means in a proof: what attention hides leaks no more than they say."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from proving import FLOAT, U, head_of, holds

from handcraft.proof.prover.keys import scores_of
from handcraft.proof.prover.softmax import Means
from handcraft.proof.prover.zonotope import Zonotope, exactly


def mean_of(
    scores: list[tuple[float, float]],
    values: list[float],
    gap: float = 16.0,
    n_keys: int | None = None,
    d_head: int = 4,
    radius: float = 0.0,
) -> tuple[float, float]:
    """The centre and radius of the mean of these keys, by scores before division, each with its
    radius.
    """
    means = Means(FLOAT, head_of(d_head), gap, n_keys or len(scores))
    labels = [
        means.label(s, np.array([v]), np.array([radius]))
        for s, v in zip(scores, values, strict=True)
    ]
    summary: Any = ()
    for one in labels:
        summary = means.insert(summary, one)
    c, r = means.mean(summary)
    return float(c[0]), float(r[0])


def softmax_mean(scores: Any, values: Any) -> float:
    """The mean in float64."""
    powers = np.exp(np.array(scores) - max(scores))
    return float(powers @ np.array(values) / powers.sum())


@pytest.mark.parametrize(
    "scores",
    [
        [0.0, 0.0],
        [0.0, 2.0, 2.0],
        [0.0, 31.9, 64.0],
        [0.0, 33.0, 1.0],
        [10.0] * 5,
        [0.0, 40.0, 40.0, 36.0],
    ],
)
@pytest.mark.parametrize("d_head", [4, 3])
def test_a_mean_holds_that_of_uncertain_scores(
    scores: list[float], d_head: int
) -> None:
    """Every choice of the scores within their radii gives a mean within the ball; what is
    hidden leaks no more than said.
    """
    rng, values = (
        np.random.default_rng(3),
        [(-1.0) ** i * (i + 1) for i in range(len(scores))],
    )
    for radius in (0.0, 0.02, 0.3):
        c, r = mean_of([(s, radius) for s in scores], values, d_head=d_head)
        for _ in range(40):
            drawn = np.array(scores) + radius * rng.choice(
                [-1.0, 1.0], size=len(scores)
            )
            assert (
                abs(softmax_mean(drawn / math.sqrt(d_head), values) - c)
                <= r * 1.0001 + 2e-16
            )
        assert r < 40 * (radius + 1e-5)


def test_what_is_hidden_leaks() -> None:
    """Many hidden keys with large values move the mean by what their weight is, where exp does
    not underflow.
    """
    scores, values = [(33.0, 0.0)] + [(0.0, 0.0)] * 63, [0.0] + [1.0] * 63
    c, r = mean_of(scores, values)
    assert abs(softmax_mean([s / 2 for s, _ in scores], values) - c) <= r
    assert (
        mean_of([(220.0, 0.0), (0.0, 0.0)], [3.0, 1e6])[1] == 0
    )  # exp(-110) is no float32
    assert mean_of([(200.0, 0.0), (0.0, 0.0)], [0.0, 1e30])[
        1
    ] > 1e30 * math.exp(-100)


def test_exact_ties_of_a_power_of_two_are_exact() -> None:
    """2 or 4 equal scores weigh exactly one half or a quarter; 3 do not, nor do scores that are
    only nearly equal.
    """
    assert mean_of([(5.0, 0.0)] * 4, [1.0, 2.0, 3.0, 4.0]) == (2.5, 0.0)
    assert mean_of([(5.0, 0.0)] * 3, [1.0, 2.0, 4.0])[1] >= U
    assert mean_of([(5.0, 1e-3)] * 2, [1.0, 2.0])[1] >= 1e-4
    assert mean_of([(5.0, 0.0), (5.0 + 1e-6, 0.0)], [1.0, 2.0])[1] >= U
    assert mean_of([(5.0, 0.0)] * 2, [1.0, 1.0 + 2.0**-23])[1] > 0
    assert mean_of([(5.0, 0.0)] * 2, [1.0, 2.0], radius=0.25)[1] >= 0.25
    assert mean_of([(5.0, 0.0)], [1.0], radius=0.25)[1] >= 0.25
    assert mean_of([(5.0, 0.0), (4.0, 0.0)], [1.0, 2.0], radius=0.25)[1] >= 0.25
    assert (
        mean_of([(5.0, 0.0)] * 2, [2.0**-126, 0.0])[1] > 0
    )  # half of it may be flushed to zero


def test_weights_that_round_are_within_the_ball() -> None:
    """Softmax in float32 with exp as far off as allowed."""
    scores, values = [0.0, 3.0, 8.0, 8.5], [5.0, -3.0, 1.0, 100.0]
    c, r = mean_of([(s, 0.0) for s in scores], values)
    for signs in product((-1, 1), repeat=4):
        powers = np.exp(np.array(scores) / 2 - max(scores) / 2) * (
            1 + 8 * U * np.array(signs)
        )
        powers[3] = 1.0
        assert abs(float(powers @ np.array(values) / powers.sum()) - c) <= r
    assert r > 8 * U
    assert r < 1e-2


def test_a_weight_is_off_by_exp_unless_it_is_the_only_greatest() -> None:
    """Only a key that is certainly ahead, or one of several of exactly one score, has exp(0) =
    1.
    """
    means = Means(FLOAT, head_of(), 16.0, 4)
    pairs = [(10.0, 0.0), (8.0, 0.0), (10.0, 0.5), (4.0, 0.5)]
    top, low, near, wide = (
        means.label(s, np.zeros(1), np.zeros(1))[0] for s in pairs
    )

    def off(kind: int, n: int, best: int, kinds: list[int]) -> float:
        """The relative error of a weight of one of n keys, beside one key of each other class."""
        counts = [n if k == kind else 1 for k in kinds]
        place = np.array([[kinds.index(best)]])
        found = means._theta(np.array([kinds]), np.array([counts]), place)
        return float(found[0, kinds.index(kind)])

    assert off(top, 1, top, [top, low]) == 0
    assert off(top, 3, top, [top, low]) == 0
    assert off(low, 1, top, [top, low]) > 9 * U
    assert off(top, 1, top, [top, near]) > 8 * U
    assert off(wide, 1, top, [top, wide]) > 0.25
    assert off(wide, 2, wide, [wide]) > 0.25


def test_a_division_that_rounds_moves_large_scores() -> None:
    """The root of 3 is no power of two: scores of 100,000 are off by some thousandths."""
    assert mean_of([(1e5, 0.0), (1e5 + 1, 0.0)], [0.0, 1.0], d_head=3)[1] > 1e-3


def test_scores_that_nobody_knows_give_no_mean() -> None:
    """A score without a bound is no reason to drop a key, its own or another's."""
    for unknown in ((math.nan, 0.0), (0.0, math.inf), (0.0, math.nan)):
        assert not math.isfinite(
            mean_of([(1000.0, 0.0), unknown], [1.0, 2.0])[1]
        )
    assert not math.isfinite(mean_of([(0.0, 4.0), (0.0, 4.0)], [1.0, 2.0])[1])


def test_one_class_that_stands_for_more_has_the_radius_of_all() -> None:
    """A mean that was computed before another class was merged into its own is computed again."""
    means = Means(FLOAT, head_of(), 16.0, 4)
    scores, radii = [0.0, 1.0, 1000.0], [0.0, 0.5, 0.0]
    near, other, best = (
        means.label((s, 0.0), np.array([1.0]), np.array([r]))
        for s, r in zip(scores, radii, strict=True)
    )
    assert means.alike([near[0]], [best[0]]) == {near[0]: near[0]}
    assert means.mean(((near[0], 1, near[1]),))[1][0] == 0
    assert means.alike([near[0], other[0]], [best[0]]) == {
        near[0]: near[0],
        other[0]: near[0],
    }
    assert means.mean(((near[0], 1, near[1]),))[1][0] >= 0.5
    assert (
        means.alike([near[0], other[0]], [other[0], best[0]]) == {}
    )  # neither hides a later key of the other's score


def test_a_score_is_within_its_ball() -> None:
    """Dot products of uncertain queries and keys; exact ones where everything fits."""
    rng = np.random.default_rng(5)
    q, k = (
        rng.normal(size=3).astype("float32"),
        rng.normal(size=(500, 3)).astype("float32"),
    )
    found = scores_of(
        FLOAT,
        Zonotope(q.astype(float), np.full(3, 0.01)),
        Zonotope(k.astype(float), np.full((500, 3), 0.02)),
    )
    for sq, sk in product((-1, 1), repeat=2):
        assert holds(found, (k + sk * 0.0199 * np.sign(q)) @ (q + sq * 0.0099))
        assert holds(
            found,
            (
                (k + sk * 0.0199 * np.sign(k)) * (q + sq * 0.0099 * np.sign(q))
            ).sum(axis=1),
        )
    exact = scores_of(FLOAT, exactly(q), exactly(k))
    assert holds(exact, (k[:, 0] * q[0] + k[:, 1] * q[1]) + k[:, 2] * q[2])
    assert (exact.radius > 0).all()
    assert scores_of(
        FLOAT,
        exactly(np.array([2.0**30, 1.0])),
        exactly(np.array([[1.0, 0.0], [0.0, 5.0]])),
    ).radius.tolist() == [0, 0]
    assert (
        scores_of(
            FLOAT,
            exactly(np.array([2.0**30, 1.0])),
            exactly(np.array([[1.0, 1.0]])),
        ).radius[0]
        > 0
    )
