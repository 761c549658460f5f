"""Endings whose right token cannot win: what is warned of, and what is not."""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import pytest

from handcraft import (
    MLP,
    Head,
    Neuron,
    Program,
    after,
    position,
    scratch,
    slot,
    token,
)
from handcraft.core.errors import AuthorWarning
from handcraft.program.ties import find_tie

p, t, v = position(3), token("ab"), scratch("v")
FIVE = slot("five", position=[5, 5, 5])
AFTER_A = after({"a": "b"})


def program(*layers: Any, claim: Any = AFTER_A, **options: Any) -> Program:
    """A program of the lanes p, t and v with these layers."""
    slots = options.pop("embedding", (p, t, v))
    return Program(
        name="small", embedding=slots, layers=layers, claim=claim, **options
    )


def told(of: Program) -> list[str]:
    """What the author is told of the claim."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        of.build()
    assert all(x.category is AuthorWarning for x in found)
    return [str(x.message) for x in found if "claim" in str(x.message)]


def pair(large: float) -> Head:
    """The head of aab, with another gain: a gets large (1 - v), b large v."""
    return Head(
        query=1024 * p,
        value={v: t["a"] - t["b"]},
        adds={t["a"]: large - large * v, t["b"]: large * v},
    )


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            (MLP(adds={t["b"]: 1}),),
            (
                "after 'a' the logit of 'b' is at most 1 and that of 'a', the current token, at"
                " least 1, so 'b' cannot win (a tie is wrong); with anything"
                " more written it can"
            ),
        ),
        (
            (MLP(adds={t["b"]: 0.25}),),
            (
                "after 'a' the logit of 'b' is at most 0.25 and that of 'a', the current token,"
                " at least 1, so 'b' cannot win (a tie is wrong); with more"
                " than 4 times as much written it can"
            ),
        ),
        (
            (pair(1),),
            (
                "after 'a' the logit of 'b' is at most 1 and that of 'a', the current token, at"
                " least 1, so 'b' cannot win (a tie is wrong); with anything"
                " more written it can"
            ),
        ),
    ],
    ids=["a tie", "too little", "a head"],
)
def test_a_gain_that_the_direct_path_ties_is_told(
    layers: tuple[Any, ...], message: str
) -> None:
    """The current token has the logit 1 already, and what is written is no more."""
    assert told(program(*layers)) == [f"small > claim: {message}"]


@pytest.mark.parametrize("large", [0.25, 0.5, 1.0, 1.01, 2.0, 1024.0])
def test_what_is_told_is_so(large: float) -> None:
    """Wherever a tie is told, the right token is never ahead after any context with that ending,
    by the forward pass.
    """
    claim = after({"aa": "b", "ab": "a"})
    of = program(pair(large), claim=claim)
    tie = find_tie(of)
    model = of.build()
    if tie is None:
        assert large > 1
        return
    assert large <= 1
    for n in (1, 2, 3):
        for text in map("".join, product("ab", repeat=n)):
            if text.endswith("".join(tie.ending)):
                logits = dict(zip("ab", model(text)[-1], strict=True))
                others = [x for name, x in logits.items() if name != tie.right]
                assert logits[tie.right] <= max(others)


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(program(MLP(adds={t["b"]: 1.1})), id="a gain above it"),
        pytest.param(program(), id="nothing is written"),
        pytest.param(
            program(MLP(adds={t["a"]: 1})), id="the other token is favoured"
        ),
        pytest.param(program(pair(1.01)), id="a head's gain above it"),
        pytest.param(
            program(MLP(adds={t["b"]: 0.5, t["a"]: -0.6})),
            id="the current token is lowered",
        ),
        pytest.param(
            program(MLP(adds={t["b"]: 1}), claim=after({"b": "b"})),
            id="the current token is right",
        ),
        pytest.param(
            program(MLP(adds={t["b"]: 1}), claim=lambda _: "b"),
            id="a claim that is no table",
        ),
        pytest.param(
            program(MLP([Neuron(when=t["a"], adds={t["b"]: 1})])),
            id="a neuron writes",
        ),
        pytest.param(
            program(
                Neuron(when=t["a"], adds={v: 9}),
                Head(value={v: v}, adds={t["b"]: v}),
            ),
            id="a head reads what was written",
        ),
        pytest.param(
            program(
                Head(value={v: FIVE}, adds={t["b"]: v}),
                embedding=(p, t, v, FIVE),
            ),
            id="a value that is large",
        ),
    ],
)
def test_what_is_not_certain_is_not_told(of: Program) -> None:
    """Neurons, lanes that were written, other claims, and whatever could win."""
    assert told(of) == []
    assert find_tie(of) is None
