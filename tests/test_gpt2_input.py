"""What the forward pass refuses: weights that are not finite or do not fit, tokens outside the
vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import Refused, random_weights

from handcraft.core.errors import PromptError, WeightsError
from handcraft.core.gpt2 import Array, forward
from handcraft.core.weights import flatten

TOKENS = [2, 0, 1, 1, 0, 2]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(bad: float) -> None:
    """Any array with NaN or infinity in it is refused by name."""
    for name in flatten(random_weights(0, n_layer=1)):
        weights = random_weights(0, n_layer=1)
        flatten(weights)[name].flat[-1] = bad
        with Refused(
            WeightsError, f"{name} holds a value that is not finite: {bad}"
        ):
            forward(np.array(TOKENS), weights, n_head=2)


def test_weights_that_do_not_fit_are_refused() -> None:
    """Shapes, dtypes and heads that do not fit each other are refused by name."""
    weights = random_weights(0)
    with Refused(
        WeightsError,
        "n_embd 8 must be a positive multiple of n_head 3, and no matrix empty",
    ):
        forward(np.array(TOKENS), weights, n_head=3)
    with Refused(
        WeightsError,
        "n_embd 8 must be a positive multiple of n_head 0, and no matrix empty",
    ):
        forward(np.array(TOKENS), weights, n_head=0)
    with Refused(
        WeightsError,
        "wte (3, 8) and wpe (6, 7) must be matrices of the same width",
    ):
        forward(
            np.array(TOKENS), weights | {"wpe": weights["wpe"][:, :7]}, n_head=2
        )
    with Refused(
        WeightsError,
        "wpe is float32, but wte is float64: weights share one dtype",
    ):
        forward(
            np.array(TOKENS),
            weights | {"wpe": weights["wpe"].astype("float32")},
            n_head=2,
        )
    with Refused(WeightsError, "weights must be floats, found int64"):
        forward(
            np.array(TOKENS),
            weights | {"wte": np.zeros((3, 8), dtype=np.int64)},
            n_head=2,
        )
    weights["blocks"][1]["mlp"]["c_proj"]["b"] = np.zeros(7)
    with Refused(
        WeightsError, "blocks.1.mlp.c_proj.b has shape (7,), expected (8,)"
    ):
        forward(np.array(TOKENS), weights, n_head=2)


@pytest.mark.parametrize("name", list(flatten(random_weights(0, n_layer=1))))
def test_scalars_and_cubes_are_refused(name: str) -> None:
    """An array of the wrong number of dimensions is refused, whichever it is."""
    for shape in ((), (1,), (2, 2, 2)):
        weights = random_weights(0, n_layer=1)
        *parents, leaf = name.split(".")
        place: Any = weights
        for key in parents:
            place = place[int(key)] if isinstance(place, list) else place[key]
        place[leaf] = np.zeros(shape)
        with pytest.raises(WeightsError):
            forward(np.array(TOKENS), weights, n_head=2)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            np.array([], dtype=int),
            "tokens must be [n_seq] or [n_batch, n_seq] and not empty, found shape (0,)",
        ),
        (
            np.array(1),
            "tokens must be [n_seq] or [n_batch, n_seq] and not empty, found shape ()",
        ),
        (
            np.zeros((1, 1, 1), dtype=int),
            "tokens must be [n_seq] or [n_batch, n_seq] and not empty, found shape (1, 1, 1)",
        ),
        (np.array([0.5]), "tokens must be integer ids, found float64"),
        (np.array([0, 3]), "token ids must lie in 0..2, found 0..3"),
        (np.array([-1, 0]), "token ids must lie in 0..2, found -1..0"),
        (np.zeros(7, dtype=int), "7 tokens do not fit the context window of 6"),
    ],
)
def test_tokens_that_do_not_fit_are_refused(ids: Array, message: str) -> None:
    """Ids outside the vocabulary or the window are refused, never wrapped around."""
    with Refused(PromptError, message):
        forward(ids, random_weights(0), n_head=2)
