"""One uncertain query moves all of its scores together: what they share is no uncertainty of a
softmax. Checker and prover, against runs in float32 with queries from the whole ball.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from proving import FLOAT, head_of

from handcraft import Program, slot, token
from handcraft.core.gpt2 import Array
from handcraft.proof.checker.network import Network as Checked
from handcraft.proof.checker.softmax import Softmax
from handcraft.proof.checker.zonotope import Floats
from handcraft.proof.checker.zonotope import Zonotope as Held
from handcraft.proof.prover.keys import scores_of
from handcraft.proof.prover.network import Network as Proved
from handcraft.proof.prover.softmax import Means
from handcraft.proof.prover.zonotope import Zonotope

N = 5  # keys
FLOATS = Floats("float32")


def drawn(seed: int) -> tuple[Array, Array, Array, Array, Array]:
    """A query and how far it is off [m], keys that lie close together far from zero and how far
    they are off [n, m], and their values [n].
    """
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 4))
    q = rng.normal(size=m) * 10.0 ** rng.integers(-1, 3)
    t = np.abs(q) * 10.0 ** rng.uniform(-7, -1)
    away = 10.0 ** rng.integers(0, 4) * rng.normal(size=m)
    k = away + rng.integers(-3, 4, size=(N, m)) * rng.choice([0.0, 0.01, 0.1])
    s = rng.choice([0.0, 1e-6]) * np.abs(k)
    v = rng.normal(size=N) * 10
    single = [np.float32(x).astype(np.float64) for x in (q, t, k, s, v)]
    return single[0], single[1], single[2], single[3], single[4]


def by_checker(
    data: tuple[Array, Array, Array, Array, Array], scale: float, *, apart: bool
) -> tuple[float, float]:
    """The centre and the radius of the checker's mean."""
    q, t, k, s, v = data
    low, high = FLOATS.dot(
        Held.of(q[None], t[None]), Held.of(k, s), apart=apart
    )
    softmax = Softmax(FLOATS, scale, 60.0 * scale, N)
    zero = np.zeros((N, 1))
    known = 0
    for key in softmax.keys_of(low.tolist(), high.tolist(), v[:, None], zero):
        known = softmax.insert(known, key, -np.inf)
    c, r = softmax.mean(known, N)
    return float(c[0]), float(r[0])


def by_prover(
    data: tuple[Array, Array, Array, Array, Array],
    d_head: int,
    *,
    apart: bool,
) -> tuple[float, float]:
    """The centre and the radius of the prover's mean."""
    q, t, k, s, v = data
    scores = scores_of(FLOAT, Zonotope(q, t), Zonotope(k, s), apart=apart)
    means = Means(FLOAT, head_of(d_head), 60.0, N)
    summary: Any = ()
    for c, r, value in zip(scores.c, scores.r, v, strict=True):
        label = means.label((c, r), np.array([value]), np.array([0.0]))
        summary = means.insert(summary, label)
    centre, radius = means.mean(summary)
    return float(centre[0]), float(radius[0])


def runs(
    data: tuple[Array, Array, Array, Array, Array], d_head: int, seed: int
) -> list[float]:
    """Means in float32, of queries and keys that the balls hold: corners, and anything between."""
    q, t, k, s, v = data
    rng = np.random.default_rng(seed)
    found = []
    for many in range(60):
        side = rng.choice([-1.0, 1.0], size=q.shape)
        if many % 3 == 0:
            side = rng.uniform(-1, 1, size=q.shape)
        at = np.clip(np.float32(q + side * t * (1 - 1e-6)), q - t, q + t)
        keys = k + rng.choice([-1.0, 1.0], size=k.shape) * s * (1 - 1e-3)
        order = rng.permutation(len(q))
        total = np.zeros(N, dtype=np.float32)
        for i in order:  # any order of summation
            total = total + np.float32(at[i]) * np.float32(keys[:, i])
        scores = total / np.float32(np.sqrt(d_head))
        powers = np.exp(scores - scores.max())
        weights = powers / powers.sum(dtype=np.float32)
        found.append(float(weights @ np.float32(v)))
    return found


@pytest.mark.parametrize("d_head", [3, 4])
@pytest.mark.parametrize("seed", range(150))
def test_a_mean_of_one_query_holds_every_run(seed: int, d_head: int) -> None:
    """Whatever the query is, and in whatever order the products are added."""
    data = drawn(seed)
    for c, r in (
        by_checker(data, float(np.sqrt(d_head)), apart=True),
        by_prover(data, d_head, apart=True),
    ):
        for mean in runs(data, d_head, seed):
            assert abs(mean - c) <= r


def test_what_scores_share_is_no_uncertainty() -> None:
    """A query that is off by 0.01 and keys of 1000 and 1001: the scores are off by 10, their
    difference by 0.01. Only the difference counts.
    """
    keys = np.array([[1000.0], [1001.0], [1001.0], [1001.0], [1001.0]])
    none = np.zeros_like(keys)
    data = (np.array([0.5]), np.array([0.01]), keys, none, np.arange(5.0))
    for mean in (
        lambda apart: by_checker(data, 2.0, apart=apart),
        lambda apart: by_prover(data, 4, apart=apart),
    ):
        assert mean(True)[1] < 0.05
        assert not mean(False)[1] < 5


def test_the_values_of_one_group_may_be_equal() -> None:
    """Two keys of one score and one value pull the mean nowhere, however little their weights
    are known: how far values are from the mean is known by the least and the greatest.
    """
    same = np.array([[0.0, 0.01], [0.0, 0.01]])
    values = np.array([[5.0], [5.0]])
    softmax = Softmax(FLOATS, 2.0, 60.0, 2)
    known = 0
    for key in softmax.keys_of(
        same[:, 0].tolist(), same[:, 1].tolist(), values, np.zeros((2, 1))
    ):
        known = softmax.insert(known, key, -np.inf)
    c, r = softmax.mean(known, 2)
    assert abs(c[0] - 5.0) <= r[0] < 1e-4


def test_a_wide_gelu_is_bounded_by_half_of_it() -> None:
    """On -r to r gelu is x / 2 plus 0 to |x| / 2; a tangent would miss r^2 / 2."""
    for r in (1.0, 2.0, 4.0):
        held = Held(np.zeros((1, 1)), np.zeros((1, 1)), np.full((1, 1, 1), r))
        found = FLOATS.activation(held, "gelu")
        assert found.r[0, 0] <= r / 4 + 1e-5
        for e in np.linspace(-1, 1, 201):
            x = r * e
            y = (
                x
                / 2
                * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
            )
            rest = y - found.c[0, 0] - found.g[0, 0, 0] * e
            assert abs(rest) <= found.r[0, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_stream_begins_with_one_addition(dtype: Any) -> None:
    """A token's number plus a position's has one result, the model's own, known to the last bit;
    below the least normal number it may be flushed to zero.
    """
    large, least = [1e4 / 3, 900.0, 1.0], 1.25 * 2.0**-126
    numbers = {"a": 1e-4 / 3, "b": -1 / 3, "c": 2.0**-126}
    both = slot("x", token=numbers, position=[*large, -least])
    model = Program(embedding=(both, token("abc"))).build(dtype)
    weights = model.weights
    tokens, places = np.divmod(np.arange(12), 4)
    real = weights["wte"][tokens] + weights["wpe"][places]
    for network in (Checked(model), Proved(model)):
        found = network.embed(tokens, places)
        assert (found.c == real).all()
        faint = (real != 0) & (np.abs(real) < np.finfo(dtype).tiny)
        assert ((found.radius > 0) == faint).all()
        assert faint.any() == (dtype == "float32")
