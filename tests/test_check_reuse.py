"""Lanes used twice: what may take over a dead slot's columns, what may not, and that the
erasing is shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import Refused
from hypothesis import given
from hypothesis import strategies as st

from handcraft import MLP, Block, Head, Neuron, Program, scratch, slot, token
from handcraft.analysis.explain import explain
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import trace
from handcraft.language.slots import Slot
from handcraft.recipes import (
    addresses,
    attend_to,
    conjunction,
    copy,
    erase,
    mean,
    negation,
    threshold,
)

at, t = addresses(6), token("ab")
y, pair = scratch("y"), scratch("pair", "ab")
FILL = copy(t["a"], {y: 1})


def two_stages(x: Slot, *, activation: Any = "gelu") -> Program:
    """Whether the last token but one is an a goes through y, the one before that into x, and
    both decide.
    """
    first = attend_to(at, at["p"] - 1, value={y: t["a"]})
    keep = scratch("keep")
    second = attend_to(at, at["p"] - 2, value={x: t["a"]})
    decide = conjunction([keep, x], {t["b"]: 50}) + conjunction(
        [1 - keep], {t["a"]: 50}
    )
    return Program(
        name="stages",
        embedding=(at, t, y, x, keep),
        activation=activation,
        layers=(
            Block([first], MLP([*copy(y, {keep: 1}), *erase(y)])),
            Block([second], MLP(decide)),
        ),
    )


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@given(word=st.text("ab", min_size=3, max_size=6))
def test_a_reused_lane_computes_the_same(activation: Any, word: str) -> None:
    """The program with the shared column says what the one with its own column says, and what
    plain Python says.
    """
    shared, apart = (
        two_stages(x, activation=activation).build()
        for x in (scratch("x", reuse=y), scratch("x"))
    )
    for i in range(2, len(word)):
        expected = (
            ("b" if word[i - 2] == "a" else None) if word[i - 1] == "a" else "a"
        )
        for model in (shared, apart):
            row = model(word)[i]
            assert (
                expected is None
                or model.vocabulary.tokens[row.argmax()] == expected
            )
    assert np.abs(shared(word) - apart(word)).max() < 1e-4
    assert shared.program.layout.columns[4] == (
        y.lanes[0],
        scratch("x").lanes[0],
    )
    assert (
        len(shared.program.layout.columns)
        == len(apart.program.layout.columns) - 1
    )


def test_fewer_columns() -> None:
    """The stream is narrower by the lanes that are shared."""
    x = scratch("x", "uv", reuse=pair)
    layers = [
        MLP(copy(t["a"], {pair: 1})),
        MLP(erase(pair)),
        MLP(copy(t["b"], {x: 1})),
    ]
    shared = Program(embedding=(t, pair, x), n_ctx=2, layers=layers).build()
    assert shared.n_embd == 4
    assert shared.names.stream == (
        "token:a",
        "token:b",
        "pair:a/x:u",
        "pair:b/x:v",
    )
    stream = trace(np.array([0, 1]), shared.weights, **shared.config)
    assert stream["blocks.0.resid_post"][:, 2:].tolist() == [[1, 1], [0, 0]]
    assert stream["blocks.1.resid_post"][:, 2:].tolist() == [[0, 0], [0, 0]]
    assert stream["resid_final"][:, 2:].tolist() == [[0, 0], [1, 1]]


def test_a_narrower_slot_takes_the_first_lanes() -> None:
    """Only the lanes that are taken over must be erased; the others live on."""
    x = scratch("x", reuse=pair)
    layers = [
        MLP(copy(t["a"], {pair: 1})),
        MLP(erase(pair["a"])),
        MLP(copy(t["b"], {x: 5})),
    ]
    model = Program(embedding=(t, pair, x), n_ctx=2, layers=layers).build()
    assert model.names.stream == ("token:a", "token:b", "pair:a/x", "pair:b")
    assert trace(np.array([0, 1]), model.weights, **model.config)[
        "resid_final"
    ][:, 2:].tolist() == [[0, 1], [5, 0]]


def test_explain_shows_the_erasing_rule() -> None:
    """The rule that frees the lane, and the column under both names, stand in the explanation."""
    explanation = explain(two_stages(scratch("x", reuse=y)).build())
    shown = {
        (cell.rule, cell.text)
        for cell in explanation.cells
        if cell.column == "y/x" and cell.part == "0.mlp.c_proj"
    }
    assert shown == {
        (
            "layers[0] > mlp > neurons[2] > adds",
            "adds -y, divided by 8 for gelu",
        ),
        (
            "layers[0] > mlp > neurons[3] > adds",
            "adds y, divided by 8 for gelu",
        ),
    }
    assert all(
        "y" not in view.columns
        for view in explanation.views
        if view.part in ("wte", "0.mlp.c_proj", "1.mlp.c_proj")
    )
    names = (
        two_stages(scratch("x", reuse=y))
        .build()
        .trace("ab")
        .residual[-1]["positions"][0]
    )
    assert "y/x" in names
    assert not {"x", "y"} & set(names)


def test_reuse_round_trips_through_json() -> None:
    """Which slot takes over which is part of the program's data."""
    program = two_stages(scratch("x", reuse=y))
    again = Program.model_validate_json(program.model_dump_json())
    assert again == program
    assert program != two_stages(scratch("x"))
    assert again.embedding[3].reuse == "y"


X = scratch("x", reuse=y)
THEN = MLP(copy(t["b"], {X: 1}))
WHO = "x takes over y, but"
ALIVE = f"{WHO} y is still in use when it is erased, or x already is"
UNERASED = f"{WHO} nothing erases y: add recipes.erase(y) to an MLP in between"
table = slot("y", token={"a": 1})


@pytest.mark.parametrize(
    ("embedding", "layers", "message"),
    [
        ((t, y, X), [MLP(FILL), THEN], UNERASED),
        (
            (t, y, X),
            [MLP(FILL), MLP([Neuron(when=y, adds={y: -2})]), THEN],
            UNERASED,
        ),
        (
            (t, y, X),
            [MLP(FILL), MLP([Neuron(when=y - 1, adds={y: -1})]), THEN],
            UNERASED,
        ),
        ((t, y, X), [MLP(FILL), THEN, MLP(erase(y))], ALIVE),
        (
            (t, y, X),
            [MLP(FILL), MLP([*erase(y), *copy(t["b"], {X: 1})])],
            ALIVE,
        ),
        (
            (t, y, X),
            [MLP(FILL), MLP([*erase(y), *copy(X, {t["b"]: 1})])],
            ALIVE,
        ),
        (
            (t, y, X),
            [
                MLP(FILL),
                MLP(erase(y)),
                THEN,
                MLP(threshold(y, {t["a"]: 50}, above=0.5)),
            ],
            ALIVE,
        ),
        ((t, y, X), [MLP(FILL), MLP(erase(y)), THEN, MLP(FILL)], ALIVE),
        ((t, y, X), [MLP(FILL), MLP(erase(y)), mean({t: y}), THEN], ALIVE),
        (
            (t, y, X),
            [MLP(FILL), MLP(erase(y)), Head(query={y: 1}, value={X: t["a"]})],
            ALIVE,
        ),
        ((t, y, X), [MLP(FILL), MLP(erase(y)), MLP(adds={y: 1}), THEN], ALIVE),
        (
            (t, pair, scratch("x", "uvw", reuse=pair)),
            [],
            "x has 3 lanes, pair only 2",
        ),
        (
            (t, table, X),
            [],
            "x takes over y, which a table fills: only scratch lanes can be used again",
        ),
        (
            (t, slot("y", position=[1, 2]), X),
            [],
            "x takes over y, which a table fills: only scratch lanes can be used again",
        ),
        (
            (t, scratch("x", reuse=t)),
            [],
            "x takes over token, which a table fills: only scratch lanes can be used again",
        ),
        ((t, X), [], "x takes over y, which must be a slot declared before it"),
        (
            (t, X, y),
            [],
            "x takes over y, which must be a slot declared before it",
        ),
        (
            (t, scratch("x", reuse=scratch("x"))),
            [],
            "x takes over x, which must be a slot declared before it",
        ),
    ],
)
def test_what_cannot_be_reused(
    embedding: tuple[Slot, ...], layers: Any, message: str
) -> None:
    """A lane that is not erased, still in use, filled by a table, too few or unknown is
    refused, at the slot that asks.
    """
    place = next(i for i, found in enumerate(embedding) if found.name == "x")
    with pytest.raises(ProgramError) as refusal:
        Program(name="reuse", embedding=embedding, layers=layers, n_ctx=2)
    assert (refusal.value.message, refusal.value.path) == (
        message,
        ("reuse", f"embedding[{place}]"),
    )


def test_refusals_point_at_the_slot() -> None:
    """The error carries the file and line where the reusing slot was declared."""
    x = scratch("x", reuse=y)
    with Refused(
        ProgramError, f"reuse > embedding[2]: {UNERASED} ({x.source})"
    ):
        Program(
            name="reuse",
            embedding=(t, y, x),
            layers=[MLP(FILL), MLP(copy(t["b"], {x: 1}))],
            n_ctx=1,
        )


Z = scratch("z", reuse=y)
AFTER = scratch("z", reuse=X)
FREE = MLP(erase(y))


@pytest.mark.parametrize(
    ("slots", "layers"),
    [
        (
            (X,),
            [MLP(FILL), MLP([*erase(y), *negation(t["a"], {y: 1})]), THEN],
        ),  # written in the MLP that erases it
        (
            (X,),
            [MLP(FILL), MLP(erase(y), adds={y: 3}), THEN],
        ),  # the same by a constant
        (
            (X,),
            [MLP(FILL), MLP([*erase(y), *erase(y)]), THEN],
        ),  # erased twice at once: its opposite is left
        (
            (X, Z),
            [MLP(FILL), FREE, THEN, MLP(copy(t["a"], {Z: 1}))],
        ),  # two slots take over the same lane
        (
            (X, AFTER),
            [MLP(FILL), MLP(copy(t["b"], {AFTER: 1}))],
        ),  # through one that is never used
    ],
)
def test_a_lane_that_would_not_be_empty(
    slots: tuple[Slot, ...], layers: Any
) -> None:
    """Whatever leaves something in the shared column, so that the new slot would not start at
    zero, is refused.
    """
    with pytest.raises(ProgramError) as refusal:
        Program(name="reuse", embedding=(t, y, *slots), layers=layers, n_ctx=2)
    assert refusal.value.path[:1] == ("reuse",)


def test_a_chain_of_slots() -> None:
    """One column may serve three slots, each erased before the next."""
    layers = [
        MLP(FILL),
        FREE,
        THEN,
        MLP(erase(X)),
        MLP(copy(t["a"] + 2 * t["b"], {AFTER: 1})),
    ]
    model = Program(embedding=(t, y, X, AFTER), n_ctx=2, layers=layers).build()
    assert model.names.stream == ("token:a", "token:b", "y/x/z")
    assert trace(np.array([0, 1]), model.weights, **model.config)[
        "resid_final"
    ][:, 2].tolist() == [1, 2]


def test_a_lane_that_nobody_used_is_free() -> None:
    """A slot that no rule touches needs no erasing; neither does a successor that is never used."""
    assert Program(
        embedding=(t, y, X), n_ctx=2, layers=[THEN]
    ).layout.names == (
        "token:a",
        "token:b",
        "y/x",
    )
    assert Program(
        embedding=(t, y, X), n_ctx=2, layers=[MLP(FILL)]
    ).layout.names == (
        "token:a",
        "token:b",
        "y/x",
    )


@pytest.mark.parametrize(
    ("write", "erases", "sign"),
    [
        (Head(value={y: t["a"]}), -1, "never negative"),
        (Neuron(when=t["a"], adds={y: 1}), -1, "never negative"),
        ({y: 3}, -1, "never negative"),
        (Head(value={y: -t["a"]}), 1, "never positive"),
        (Neuron(when=t["a"], adds={y: -1}), 1, "never positive"),
    ],
)
def test_an_erase_of_the_wrong_sign_is_refused(
    write: Any, erases: int, sign: str
) -> None:
    """Half an erase takes only positive or only negative values away."""
    x = scratch("x", reuse=y)
    half = Neuron(when=erases * y, adds={y: -erases})
    layers = [write, half, copy(t["b"], {x: 1})]
    with pytest.raises(ProgramError) as refusal:
        Program(embedding=(t, y, x), n_ctx=2, layers=layers)
    assert refusal.value.message == (
        f"x takes over y, but what is written to y is {sign}, and only the opposite is"
        " erased: add recipes.erase(y)"
    )
    right = Neuron(when=-erases * y, adds={y: erases})
    Program(embedding=(t, y, x), n_ctx=2, layers=[write, right, layers[2]])


def test_half_an_erase_is_enough_where_signs_are_not_known() -> None:
    """A sum of amounts of both signs may never be negative, as a flag that steps up and down."""
    x = scratch("x", reuse=y)
    flag = threshold(t["a"], {y: 1}, above=0.5)
    layers = [flag, erase(y, signed=False), copy(t["b"], {x: 1})]
    Program(embedding=(t, y, x), n_ctx=2, layers=layers)
