"""Recipes for decoders: the right token wins by the promised margin over the whole range, in
float32, with gelu and relu.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft import MLP, Program, scratch, slot, token
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array, softmax
from handcraft.language.affine import Affine
from handcraft.language.slots import Slot
from handcraft.recipes import (
    addresses,
    as_mlp,
    attend_to,
    conjunction,
    log_probabilities,
    one_hot,
    parabola,
    thermometer,
)

WAYS: Any = [
    ("head", "gelu"),
    ("mlp", "gelu"),
    ("mlp", "relu"),
]  # a decoder in a head's output, or as neurons
ways = pytest.mark.parametrize(("way", "activation"), WAYS)


def logits(
    read: Slot, tokens: Slot, decoder: Any, way: str, activation: Any = "gelu"
) -> Array:
    """The logits at every position, whichever token stands there: [n_vocab, n_seq, n_vocab]."""
    at = addresses(read.n_ctx or 0)
    layer = (
        as_mlp(decoder)
        if way == "mlp"
        else attend_to(at, at["p"], value=read, adds=decoder, sharpness=26)
    )
    model = Program(
        embedding=(at, read, tokens), layers=(layer,), activation=activation
    ).build()
    n = len(model.vocabulary)
    return model(np.repeat(np.arange(n)[:, None], model.n_ctx, axis=1))


def margins(found: Array, right: list[int]) -> Array:
    """How far the right token is ahead of the best other one: [n_vocab, n_seq]."""
    others = found.copy()
    others[:, np.arange(len(right)), right] = -math.inf
    return found[:, np.arange(len(right)), right] - others.max(axis=-1)


@ways
@pytest.mark.parametrize("gain", [2, 50, 1000])
def test_one_hot(way: str, activation: Any, gain: float) -> None:
    """The token whose lane is 1 is ahead by the gain less the current token's own 1."""
    t = token("abcde")
    lanes = slot("lanes", labels="abcde", position=np.eye(5).tolist())
    assert margins(
        logits(lanes, t, one_hot({t: lanes}, gain), way, activation),
        [*range(5)],
    ).min() == pytest.approx(gain - 1, abs=1e-3)


NUMBERS = [[*range(60)], [*range(-9, 10)], [0, 1, 5, 6, 30], [7]]


@ways
@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("gain", [10, 50])
def test_parabola(
    way: str, activation: Any, numbers: list[int], gain: float
) -> None:
    """Every number of the range is read as its own token, ahead by the gain less 1, also of a
    token that is no number.
    """
    t = token([*map(str, numbers), "$"])
    x = slot("x", position=numbers)
    found = logits(
        x, t, parabola(x, {t[n]: n for n in numbers}, gain), way, activation
    )
    assert margins(found, [*range(len(numbers))]).min() >= gain - 1 - 0.05


@pytest.mark.parametrize("error", [-0.49, -0.25, 0.1, 0.25, 0.49])
def test_parabola_reads_the_nearest(error: float) -> None:
    """An error e of x costs twice e of the gain for each step between two numbers: gain (d^2 -
    2 d e) - 1.
    """
    t = token("0123456789$")
    x = slot("x", position=[n + error for n in range(10)])
    found = margins(
        logits(x, t, parabola(x, {t[n]: n for n in range(10)}, 100), "head"),
        [*range(10)],
    )
    assert found[:, 1:9].min() == pytest.approx(
        100 * (1 - 2 * abs(error)) - 1, abs=0.05
    )
    assert (found > 0).all()


@ways
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=8, unique=True))
def test_parabola_of_any_numbers(
    way: str, activation: Any, numbers: list[int]
) -> None:
    """Whole x between the numbers is read as the nearest of them."""
    xs = [
        x
        for x in range(-60, 61)
        if len(
            {abs(x - n) for n in sorted(numbers, key=lambda n: abs(x - n))[:2]}
        )
        == 2
    ]
    t = token([*map(str, numbers), "$"])
    x_slot = slot("x", position=xs)
    found = logits(
        x_slot,
        t,
        parabola(x_slot, {t[n]: n for n in numbers}, 5),
        way,
        activation,
    )
    nearest = [
        min(range(len(numbers)), key=lambda i: abs(numbers[i] - x)) for x in xs
    ]
    assert (found[:, :, :-1].argmax(axis=-1) == nearest).all()


@ways
@pytest.mark.parametrize("n", [1, 2, 10])
def test_thermometer(way: str, activation: Any, n: int) -> None:
    """The first token whose flag is 1 is ahead by the gain less 1; where no flag is, nothing is
    written.
    """
    t = token([*map(str, range(n)), "$"])
    flags = slot(
        "flags",
        labels=map(str, range(n)),
        position=[[float(j >= i) for j in range(n)] for i in range(n + 1)],
    )
    found = logits(
        flags, t, thermometer(flags.lanes, t.lanes[:n], 50), way, activation
    )
    assert margins(found[:, :n], [*range(n)]).min() == pytest.approx(
        49, abs=1e-3
    )
    assert np.abs(found[:, n] - np.eye(n + 1)).max() < 1e-3


def test_thermometer_refuses() -> None:
    """Every token needs its flag."""
    t = token("abc")
    with Refused(
        ProgramError, "thermometer > flags: 2 flags for 3 tokens", here=True
    ):
        thermometer([scratch("x"), scratch("y")], t.lanes, 50)


@given(st.data())
def test_a_decoder_as_neurons_is_the_map_itself(data: st.DataObject) -> None:
    """`as_mlp` adds what the map says, for whole numbers of either sign, constants included."""
    x = slot(
        "x",
        labels="uv",
        position=[(i, j) for i in range(-4, 5) for j in range(-4, 5)],
    )
    t, whole = token("ab"), st.integers(-9, 9)
    decoder = {
        lane: Affine.of(
            {x["u"]: data.draw(whole), x["v"]: data.draw(whole)},
            data.draw(whole),
        )
        for lane in t
    }
    own = {
        lane: ({str(read): value for read, value in e.terms}, e.constant)
        for lane, e in decoder.items()
    }
    rows = [
        [
            terms.get("x:u", 0) * i + terms.get("x:v", 0) * j + c
            for terms, c in own.values()
        ]
        for i in range(-4, 5)
        for j in range(-4, 5)
    ]
    for activation in ("gelu", "relu"):
        assert (
            logits(x, t, decoder, "mlp", activation)
            == np.array(rows) + np.eye(2)[:, None]
        ).all()


# ---------------------------------------------------------------- probabilities


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@given(
    rows=st.lists(
        st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any),
        min_size=4,
        max_size=4,
    )
)
def test_log_probabilities_are_exact_after_softmax(
    activation: Any, rows: list[list[int]]
) -> None:
    """Softmax gives the very probabilities, zero included, after each current token."""
    t = token("abcd")
    chances = [
        {c: n / sum(row) for c, n in zip("abcd", row, strict=True)}
        for row in rows
    ]
    neurons = [
        n
        for c, row in zip("abcd", chances, strict=True)
        for n in conjunction([t[c]], log_probabilities(t, row, c))
    ]
    model = Program(
        embedding=(t,), n_ctx=1, layers=(MLP(neurons),), activation=activation
    ).build()
    found = softmax(model(np.arange(4)[:, None])[:, 0])
    assert np.abs(found - [[*row.values()] for row in chances]).max() < 1e-6


def test_log_probabilities_of_the_tokens_it_names() -> None:
    """A token that the row does not name has probability 0, as in a claim."""
    t = token("abc")
    model = Program(
        embedding=(t,),
        n_ctx=1,
        layers=(
            MLP(
                conjunction(
                    [t["a"]], log_probabilities(t, {"b": 0.25, "c": 0.75}, "a")
                )
            ),
        ),
    ).build()
    assert softmax(model("a"))[0] == pytest.approx([0, 0.25, 0.75], abs=1e-6)


def test_log_probabilities_of_an_unknown_token() -> None:
    """A token that the slot lacks is a ProgramError, with the nearest name where there is one."""
    with pytest.raises(ProgramError):
        log_probabilities(token("abc"), {"b": 0.5, "x": 0.5})


def test_log_probabilities_that_are_none() -> None:
    """What does not sum to 1 is no distribution."""
    for row in ({"a": 0.5, "b": 0.4}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(ProgramError):
            log_probabilities(token("ab"), row)
