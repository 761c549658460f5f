"""What tests of a proof share: balls, heads, and the proof of a model or why there is none."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest

from handcraft import MLP, Model, Neuron, Program, position, token
from handcraft.proof.prover.endings import Proof
from handcraft.proof.prover.network import HeadPart, Undecided
from handcraft.proof.prover.prover import Prover
from handcraft.proof.prover.zonotope import Precision, Zonotope

FLOAT = Precision("float32")
U = 2.0**-24


def prove(model: Model, seconds: float = 20.0) -> Proof:
    """The proof of a model's own claim."""
    assert model.program is not None
    claim: Any = model.program.claim
    return Prover(
        model, claim, time.monotonic() + seconds, lambda *_: None
    ).run()


def undecided(model: Model) -> str:
    """Why a model is not proved."""
    with pytest.raises(Undecided) as refused:
        prove(model)
    return str(refused.value)


def ball(c: Any, r: Any) -> Zonotope:
    """A ball of lists."""
    return Zonotope(np.array(c, dtype=float), np.array(r, dtype=float))


def holds(found: Zonotope, x: Any) -> bool:
    """Whether floats lie within their balls."""
    return bool(
        (
            np.abs(np.asarray(x, dtype=np.float64) - found.c) <= found.radius
        ).all()
    )


# ---------------------------------------------------------------- means


def head_of(d_head: int = 4, n_value: int = 1) -> HeadPart:
    """A head whose values go straight to its output."""
    one = np.ones((1, 1))
    value = (np.ones((1, n_value)), np.zeros(n_value))
    return HeadPart(
        0,
        0,
        (one, np.zeros(1)),
        (one, np.zeros(1)),
        value,
        np.arange(n_value),
        np.ones((n_value, 1)),
        math.sqrt(d_head),
    )


# ---------------------------------------------------------------- what is not proved


def fixed_answers(letters: str, claim: Any, tokens: str = "abcd") -> Model:
    """A model that answers by the position alone."""
    p, t = position(len(letters)), token(tokens)
    neurons = [
        Neuron(when=p[i], adds={t[c]: 50}) for i, c in enumerate(letters)
    ]
    return Program(
        embedding=(p, t), layers=(MLP(neurons),), activation="relu", claim=claim
    ).build()
