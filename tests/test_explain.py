"""Explanation: matrices with names on both sides, and the rule behind every cell."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from conftest import (
    EVERY_PROGRAM,
    Refused,
    bundled_model,
    example,
    programs,
    random_weights,
)
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Block, Head, Model, Program, position, scratch, token
from handcraft.analysis.explain import explain
from handcraft.core.errors import ProgramError
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest


def assert_covered(model: Model) -> None:
    """Every non-zero weight is one cell of the explanation, and each cell is a weight."""
    cells = explain(model).cells
    for name, array in flatten(model.weights).items():
        own = [cell for cell in cells if cell.matrix == name]
        assert Counter(cell.value for cell in own) == Counter(
            map(float, array[array != 0])
        ), name
    assert {cell.matrix for cell in cells} <= set(flatten(model.weights))


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_cells_cover_every_weight_once(name: str) -> None:
    """In every bundled program each non-zero weight is shown exactly once, with a rule, its
    text and its line.
    """
    model = bundled_model(name)
    assert_covered(model)
    for cell in explain(model).cells:
        assert cell.rule
        assert cell.text
        assert cell.source.startswith(("programs/", "/"))


def test_twin_heads_are_shown_twice() -> None:
    """Two heads with the same name, lanes and text are two sets of cells."""
    p, t, v = position(3), token("ab"), scratch("v")
    twin = Head(value={v: t["a"]}, name="twin")
    assert_covered(
        Program(embedding=(p, t, v), layers=(Block([twin, twin]),)).build()
    )


@given(programs())
def test_cells_cover_every_weight_of_any_program(program: Program) -> None:
    """Whatever the heads, paddings and neurons: each non-zero weight is shown exactly once."""
    assert_covered(program.build())


def test_weights_that_no_rule_wrote_are_shown_as_such() -> None:
    """A weight that was changed by hand is shown, even in a column that no lane uses."""
    model = bundled_model("baby_gpt")
    arrays = {
        name: array.copy() for name, array in flatten(model.weights).items()
    }
    unused = np.argwhere(~arrays["blocks.0.attn.c_attn.w"].any(axis=0))[-1, 0]
    arrays["blocks.0.attn.c_attn.w"][0, unused] = 0.125
    arrays["wpe"][0, 3] = 0.25
    changed = model.replace(weights=nest(arrays))
    assert_covered(changed)
    assert {
        (cell.value, cell.rule, cell.text)
        for cell in explain(changed).cells
        if not cell.rule
    } == {
        (0.125, "", "no rule wrote this"),
        (0.25, "", "no rule wrote this"),
    }


def test_weights_without_a_program_are_covered() -> None:
    """Random weights, layer norms included, are shown whole under numbered names."""
    assert_covered(
        Model(
            "found",
            random_weights(2, dtype="float32"),
            Vocabulary(("x", "y", "z")),
            2,
        )
    )


# ---------------------------------------------------------------- cells and views


def test_cells_of_aab() -> None:
    """A cell joins two names and says which rule wrote it."""
    found = explain(bundled_model("aab"), "0.h0.o")
    assert {cell.part for cell in found.cells} == {"0.h0.o"}
    cells = [
        (c.matrix, c.row, c.column, c.value, c.rule, c.text)
        for c in found.cells
    ]
    assert cells == [
        (
            "blocks.0.attn.c_proj.w",
            "v",
            "token:a",
            -1024.0,
            "layers[0] > adds",
            "token:a += -1024 v + 1024",
        ),
        (
            "blocks.0.attn.c_proj.w",
            "v",
            "token:b",
            1024.0,
            "layers[0] > adds",
            "token:b += 1024 v",
        ),
        (
            "blocks.0.attn.c_proj.b",
            "1",
            "token:a",
            1024.0,
            "layers[0] > adds",
            "token:a += -1024 v + 1024",
        ),
    ]
    assert all(
        cell.source.startswith("programs/aab.py:") for cell in found.cells
    )
    assert found.to_json() == {"cells": [vars(cell) for cell in found.cells]}


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_views_show_the_matrix(name: str) -> None:
    """In each view the value at a row and a column is that of its cell, and every other value
    is zero.
    """
    for view in explain(bundled_model(name)).views:
        assert view.values.shape == (len(view.rows), len(view.columns))
        found = Counter(
            (cell.row, cell.column, cell.value) for cell in view.cells
        )
        rows, columns = np.nonzero(view.values)
        named = [
            (view.rows[r], view.columns[c], float(view.values[r, c]))
            for r, c in zip(rows, columns, strict=True)
        ]
        assert Counter(named) == found
        assert len(set(view.reasons)) == len(view.reasons)


PARTS = {
    None: [
        "wte",
        "wpe",
        "0.h0.q",
        "0.h0.k",
        "0.h0.v",
        "0.h0.o",
        "0.h1.q",
        "0.h1.k",
        "0.h1.v",
        "0.h1.o",
        "0.c_proj.b",
        "0.mlp.c_fc",
        "0.mlp.c_proj",
    ],
    "wte": ["wte"],
    "0.h1": ["0.h1.q", "0.h1.k", "0.h1.v", "0.h1.o"],
    "0.h1.k": ["0.h1.k"],
    "0.h1.qk": ["0.h1.qk"],
    "0.h0.ov": ["0.h0.ov"],
    "0.c_attn": ["0.h0.q", "0.h0.k", "0.h0.v", "0.h1.q", "0.h1.k", "0.h1.v"],
    "0.c_proj": ["0.h0.o", "0.h1.o", "0.c_proj.b"],
    "0.mlp": ["0.mlp.c_fc", "0.mlp.c_proj"],
    "0.mlp.c_fc": ["0.mlp.c_fc"],
}


@pytest.mark.parametrize("part", PARTS)
def test_parts(part: str | None) -> None:
    """A part is asked for by its name, any beginning of it, or GPT-2's own name; circuits only
    by their own.
    """
    assert [
        view.part for view in explain(bundled_model("baby_gpt"), part).views
    ] == PARTS[part]


def test_a_whole_layer_is_a_part() -> None:
    """`0` and `0.attn` name everything of a layer and of its attention."""
    everything = [name for name in PARTS[None] if name.startswith("0.")]
    assert [
        view.part for view in explain(bundled_model("baby_gpt"), "0").views
    ] == everything
    assert [
        view.part for view in explain(bundled_model("baby_gpt"), "0.attn").views
    ] == [n for n in everything if "mlp" not in n]


def test_a_wrong_part_suggests_the_nearest() -> None:
    """A part that there is not is refused with the parts there are."""
    known = "wte, wpe, 0.h0.q, 0.h0.k, 0.h0.v, 0.h0.o, 0.h0.qk, 0.h0.ov, 0.c_attn, 0.attn, 0.c_proj"
    with Refused(
        ProgramError,
        f"aab: has no part '0.h0.qq'; its parts are {known}; did you mean '0.h0.q'?",
    ):
        explain(bundled_model("aab"), "0.h0.qq")
    with Refused(ProgramError, f"aab: has no part ''; its parts are {known}"):
        explain(bundled_model("aab"), "")


# ---------------------------------------------------------------- circuits


def assert_circuits(model: Model, context: list[str]) -> None:
    """QK and OV circuits give the scores and the written vectors of the forward pass."""
    trace = model.trace(context)
    for i in range(model.n_layer):
        if f"blocks.{i}.attn.q" not in trace.arrays:
            continue
        x = trace.arrays[f"blocks.{i}.resid_pre"]
        extended = np.hstack([x, np.ones((len(x), 1))])
        for h in range(len(model.names.heads[i])):
            qk = explain(model, f"{i}.h{h}.qk").views[0].values
            scores = trace.arrays[f"blocks.{i}.attn.scores"][h]
            np.testing.assert_allclose(
                extended @ qk @ extended.T,
                scores,
                rtol=1e-9,
                atol=1e-9 * (1 + np.abs(scores).max()),
            )
            ov = explain(model, f"{i}.h{h}.ov").views[0].values
            columns = [
                lane
                for lane in model.names.stream
                if not lane.startswith("pad")
            ]
            written = [
                [row.get(lane, 0.0) for lane in columns]
                for row in trace.heads[_index(model, i, h)].written
            ]
            found = trace.arrays[f"blocks.{i}.attn.pattern"][h] @ extended @ ov
            size = (
                trace.arrays[f"blocks.{i}.attn.pattern"][h]
                @ np.abs(extended)
                @ np.abs(ov)
            )  # of what cancels on the way
            np.testing.assert_allclose(
                found[:, : len(columns)],
                written,
                rtol=1e-9,
                atol=1e-12 * (1 + size.max()),
            )


def _index(model: Model, layer: int, head: int) -> int:
    return sum(len(heads) for heads in model.names.heads[:layer]) + head


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_circuits_of_bundled_programs(name: str) -> None:
    """X QK y is the score of the forward pass for every pair of positions, and the pattern
    times OV what the head wrote.
    """
    assert_circuits(bundled_model(name, "float64"), example(name))


@pytest.mark.slow
@given(programs(), st.data())
def test_circuits_of_any_program(program: Program, data: st.DataObject) -> None:
    """The circuits of any head, with biases and local lanes, are those of the forward pass."""
    context = data.draw(
        st.lists(
            st.sampled_from(program.vocabulary),
            min_size=1,
            max_size=program.n_ctx,
        )
    )
    assert_circuits(program.build("float64"), context)


def test_circuits_have_names_on_both_sides() -> None:
    """The rows and columns of a circuit are the stream's lanes, the last one of the biases."""
    model = bundled_model("aab")
    qk, ov = (explain(model, f"0.h0.{part}").views[0] for part in ("qk", "ov"))
    names = list(model.names.stream)
    assert (qk.rows, qk.columns, ov.rows, ov.columns) == (
        [*names, "1"],
        [*names, "1"],
        [*names, "1"],
        names,
    )
    cells = {
        (cell.row, cell.column): (cell.value, cell.text) for cell in ov.cells
    }
    assert cells["token:a", "token:b"] == (1024.0, "W_V W_O")
    assert {cell.rule for cell in ov.cells} == {
        "layers[0] > value; layers[0] > adds"
    }
    assert ov.values[names.index("token:a"), names.index("token:b")] == 1024
