"""The compiler: from rules to matrices, each cell with its reason."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import (
    EVERY_PROGRAM,
    Refused,
    bundled_program,
    evaluate,
    interpret,
    programs,
)
from hypothesis import given
from hypothesis import strategies as st

from handcraft import (
    MLP,
    Block,
    Head,
    Model,
    Neuron,
    Program,
    local,
    position,
    scratch,
    slot,
    token,
)
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.core.weights import flatten
from handcraft.language.affine import Lane
from handcraft.program.compiler import Compiled, compile_program

GOLDEN = Path(__file__).parent / "golden" / "aab.json"
SHARED = Path(__file__).parents[2] / "shared" / "golden" / "aab.json"

p, t, v = position(3), token("ab"), scratch("v")


def matrices(program: Program, dtype: str = "float64") -> dict[str, Array]:
    """The compiled arrays by name."""
    return flatten(compile_program(program, dtype).weights)


def golden_arrays() -> dict[str, Array]:
    """The matrices that were made by hand, flattened with dots."""
    weights = json.loads(GOLDEN.read_text())["weights"]
    attn = weights["blocks"][0]["attn"]
    found = {"wte": weights["wte"], "wpe": weights["wpe"]}
    found |= {
        f"blocks.0.attn.{part}.{key}": attn[part][key]
        for part in ("c_attn", "c_proj")
        for key in "wb"
    }
    return {
        name: np.array(value, dtype=np.float32) for name, value in found.items()
    }


# ---------------------------------------------------------------- the hand-made matrices


def test_golden_is_the_shared_one() -> None:
    """The committed copy of the golden file is the one that was handed down."""
    assert json.loads(GOLDEN.read_text())["n_embd"] == 8
    if SHARED.exists():
        assert GOLDEN.read_bytes() == SHARED.read_bytes()


def test_aab_compiles_to_the_hand_made_matrices() -> None:
    """Every array of aab is bit for bit the hand-made one, and nothing else is there."""
    compiled, golden = compile_program(bundled_program("aab")), golden_arrays()
    found = flatten(compiled.weights)
    assert set(found) == set(golden)
    for name, array in golden.items():
        assert (name, found[name].dtype, found[name].shape) == (
            name,
            np.dtype("float32"),
            array.shape,
        )
        assert found[name].tobytes() == array.tobytes(), name
    assert (
        compiled.layout.n_embd,
        compiled.layout.n_head,
        bundled_program("aab").n_ctx,
    ) == (8, 1, 5)
    assert (
        list(bundled_program("aab").vocabulary)
        == json.loads(GOLDEN.read_text())["vocab"]
    )


# ---------------------------------------------------------------- provenance


def assert_explained(compiled: Compiled, dtype: str) -> None:
    """The entries' values sum to the matrices, and every non-zero cell has one."""
    arrays = {
        name: np.atleast_2d(array)
        for name, array in flatten(compiled.weights).items()
    }
    sums = {name: np.zeros(array.shape) for name, array in arrays.items()}
    written = {
        name: np.zeros(array.shape, dtype=bool)
        for name, array in arrays.items()
    }
    for entry in compiled.entries:
        sums[entry.matrix][entry.row, entry.column] += entry.value
        written[entry.matrix][entry.row, entry.column] = True
        assert entry.value != 0
        assert entry.reason.rule
        assert entry.reason.text
        assert ":" in entry.reason.source
    for name, array in arrays.items():
        assert np.array_equal(sums[name].astype(dtype), array), name
        assert not (array != 0)[~written[name]].any(), name


@pytest.mark.parametrize("name", EVERY_PROGRAM)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_provenance_of_bundled_programs(name: str, dtype: str) -> None:
    """The provenance of each bundled program adds up to its matrices."""
    assert_explained(compile_program(bundled_program(name), dtype), dtype)


@given(programs(), st.sampled_from(["float32", "float64"]))
def test_provenance_adds_up(program: Program, dtype: str) -> None:
    """The entries of a cell sum to its weight, and every non-zero cell has an entry."""
    assert_explained(compile_program(program, dtype), dtype)


def test_reasons_name_rule_text_and_line() -> None:
    """A cell's reason is the path of its rule, what the author wrote there, and her file and
    line.
    """
    head = Head(
        query={v: 3 * p[1]},
        value={v: t["a"] - 1},
        adds={t["b"]: 2 * v},
        scores="exact",
        name="seer",
    )
    neuron = Neuron(when=v - 1, adds={t["a"]: 4})
    mlp = MLP([neuron], adds={v: 5})
    compiled = compile_program(
        Program(
            embedding=(p, t, v),
            layers=(head, Block([head], mlp)),
            n_ctx=3,
        )
    )
    reasons = {
        (e.matrix, e.reason.rule, e.reason.text, e.reason.source)
        for e in compiled.entries
    }
    at, after, line = "blocks.0.attn", "blocks.1.mlp", str(head.source)
    assert {
        (
            "wte",
            "embedding[1]",
            "token is one-hot: which token is here",
            str(t.source),
        ),
        (
            "wpe",
            "embedding[0]",
            "position is one-hot: which position is here",
            str(p.source),
        ),
        (
            f"{at}.c_attn.w",
            "layers[0] > seer > query",
            "query v = 3 position:1, times sqrt(d_head)",
            line,
        ),
        (f"{at}.c_attn.w", "layers[0] > seer > key", "key v = v", line),
        (
            f"{at}.c_attn.w",
            "layers[0] > seer > value",
            "value v = token:a - 1",
            line,
        ),
        (
            f"{at}.c_attn.b",
            "layers[0] > seer > value",
            "value v = token:a - 1",
            line,
        ),
        (f"{at}.c_proj.w", "layers[0] > seer > adds", "token:b += 2 v", line),
        (
            "blocks.1.attn.c_proj.w",
            "layers[1] > seer > adds",
            "token:b += 2 v",
            line,
        ),
        (
            f"{after}.c_fc.w",
            "layers[1] > mlp > neurons[0] > when",
            "when v - 1, times 8 for gelu",
            str(neuron.source),
        ),
        (
            f"{after}.c_fc.b",
            "layers[1] > mlp > neurons[0] > when",
            "when v - 1, times 8 for gelu",
            str(neuron.source),
        ),
        (
            f"{after}.c_proj.w",
            "layers[1] > mlp > neurons[0] > adds",
            "adds 4 token:a, divided by 8 for gelu",
            str(neuron.source),
        ),
        (
            f"{after}.c_proj.b",
            "layers[1] > mlp > adds",
            "adds 5 v everywhere",
            str(neuron.source).replace(
                str(neuron.source.line), str(neuron.source.line + 1)
            ),
        ),
    } <= reasons


# ---------------------------------------------------------------- heads, direction by direction


def basis(program: Program) -> list[tuple[dict[Lane, float], Array]]:
    """Zero, and each lane of the stream alone: by name, and as a vector with its columns."""
    layout = program.layout
    zero = dict.fromkeys(layout.column, 0.0)
    vectors = [
        np.zeros(layout.n_embd),
        *np.eye(layout.n_embd)[: len(layout.column)],
    ]
    return list(
        zip(
            [zero, *({**zero, lane: 1.0} for lane in layout.column)],
            vectors,
            strict=True,
        )
    )


@given(programs())
def test_every_direction_put_into_a_head_comes_out_as_the_rule_says(
    program: Program,
) -> None:
    """Query, key and value of each unit vector are the rule's expressions, in the head's own
    columns and nowhere else.
    """
    arrays, layout = matrices(program), program.layout
    n, d = layout.n_embd, layout.d_head
    for i, block in enumerate(program.layers):
        for h, head in enumerate(block.heads):
            w, b = (
                arrays[f"blocks.{i}.attn.c_attn.w"],
                arrays[f"blocks.{i}.attn.c_attn.b"],
            )
            factor = math.sqrt(d) if head.scores == "exact" else 1.0
            for values, vector in basis(program):
                out = (vector @ w + b).reshape(3, layout.n_head, d)[:, h]
                places = layout.heads[i][h]
                for row, rule, columns, times in (
                    (out[0], head.query, places.match, factor),
                    (out[1], head.key, places.match, 1),
                    (out[2], head.value, places.value, 1),
                ):
                    expected = np.zeros(d)
                    for lane, expression in rule.rows:
                        expected[columns[lane]] = times * evaluate(
                            expression, values
                        )
                    np.testing.assert_allclose(
                        row, expected, rtol=1e-14, atol=1e-14
                    )
            assert w.shape == (n, 3 * n)


@pytest.mark.slow
@given(programs())
def test_every_direction_a_head_writes_is_what_the_rule_says(
    program: Program,
) -> None:
    """Each value lane alone, fed to the rows of its head, adds what the output's expressions
    say; constants add up.
    """
    arrays, layout = matrices(program), program.layout
    for i, block in enumerate(program.layers):
        constants = np.zeros(layout.n_embd)
        for h, head in enumerate(block.heads):
            rows = arrays[f"blocks.{i}.attn.c_proj.w"][
                h * layout.d_head : (h + 1) * layout.d_head
            ]
            for lane in head.value.targets:
                expected = np.zeros(layout.n_embd)
                for target, expression in head.adds.rows:
                    expected[layout.column[target]] = dict(
                        expression.terms
                    ).get(lane, 0.0)
                np.testing.assert_array_equal(
                    rows[layout.heads[i][h].value[lane]], expected
                )
            unused = [
                column
                for column in range(layout.d_head)
                if column not in layout.heads[i][h].value.values()
            ]
            assert not rows[unused].any()
            for target, expression in head.adds.rows:
                constants[layout.column[target]] += expression.constant
        if block.heads:
            np.testing.assert_array_equal(
                arrays[f"blocks.{i}.attn.c_proj.b"], constants
            )


@given(programs(), st.data())
def test_the_model_means_what_the_rules_mean(
    program: Program, data: Any
) -> None:
    """The compiled GPT-2 gives the logits that the rules give when they are followed one by one
    in plain Python.
    """
    tokens = data.draw(
        st.lists(
            st.sampled_from(program.vocabulary),
            min_size=1,
            max_size=program.n_ctx,
        )
    )
    expected = [
        [row[name] for name in program.vocabulary]
        for row in interpret(program, tokens)
    ]
    np.testing.assert_allclose(
        Model.of(program, "float64")(tokens), expected, rtol=1e-9, atol=1e-9
    )


def test_columns_that_no_rule_uses_stay_zero() -> None:
    """Heads that are absent, padding, and lanes of other heads hold zeros only."""
    wide = Block([Head(query=p, value={v: t["a"]}), Head(value={v: 1})])
    arrays = matrices(
        Program(embedding=(p, t, v), layers=(wide, Head(value={v: t["b"]})))
    )
    first, second = (
        arrays["blocks.0.attn.c_attn.w"],
        arrays["blocks.1.attn.c_attn.w"],
    )
    assert np.flatnonzero(first.any(axis=0)).tolist() == [0, 1, 2, 6, 7, 8, 12]
    assert np.flatnonzero(second.any(axis=0)).tolist() == [12]
    assert np.flatnonzero(
        arrays["blocks.1.attn.c_proj.w"].any(axis=1)
    ).tolist() == [0]


def test_local_lanes_take_no_column_of_the_stream() -> None:
    """A lane inside one head counts towards its width only."""
    anchor = local("anchor", "xyz")
    head = Head(
        query={anchor: 1},
        key={anchor["x"]: p[0], anchor["y"]: p[1], anchor["z"]: 2},
        value={v: t["a"]},
    )
    program = Program(embedding=(p, t, v), layers=(head,))
    assert program.layout.n_embd == 6
    bias = matrices(program)["blocks.0.attn.c_attn.b"]
    assert bias.tolist() == [
        1,
        1,
        1,
        0,
        0,
        0,
        0,
        0,
        2,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ]


# ---------------------------------------------------------------- neurons


@pytest.mark.parametrize(
    ("activation", "sharpness", "factor"),
    [("gelu", 8.0, 8.0), ("gelu", 2.0, 2.0), ("relu", 8.0, 1.0)],
)
def test_neurons_are_sharpened_for_gelu(
    activation: Any, sharpness: float, factor: float
) -> None:
    """With gelu a neuron is compiled as sharpness * when and adds / sharpness; with relu as it
    is written.
    """
    neuron = Neuron(when=2 * t["a"] - 1, adds={v: 3}, sharpness=sharpness)
    found = matrices(
        Program(
            embedding=(p, t, v),
            layers=(MLP([neuron], adds={t["b"]: 7}),),
            activation=activation,
        )
    )
    assert found["blocks.0.mlp.c_fc.w"][:, 0].tolist() == [
        0,
        0,
        0,
        2 * factor,
        0,
        0,
    ]
    assert found["blocks.0.mlp.c_fc.b"].tolist() == [-factor]
    assert found["blocks.0.mlp.c_proj.w"].tolist() == [
        [0, 0, 0, 0, 0, 3 / factor]
    ]
    assert found["blocks.0.mlp.c_proj.b"].tolist() == [0, 0, 0, 0, 7, 0]


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_a_neuron_is_the_positive_part(activation: Any) -> None:
    """For whole numbers a neuron adds exactly its amount times the positive part, in float32,
    under either activation.
    """
    x = slot("x", token={str(i): i for i in range(-5, 6)})
    y = scratch("y")
    model = Program(
        embedding=(x, y),
        layers=(Neuron(when=x, adds={y: 2}),),
        n_ctx=1,
        activation=activation,
    ).build()  # type: ignore[arg-type]
    for i in range(-5, 6):
        assert model.trace([str(i)]).residual[-1]["positions"][0][
            "y"
        ] == 2 * max(i, 0)


def test_an_mlp_without_neurons_adds_its_constant() -> None:
    """The constant part stands alone in the bias, beside one empty neuron."""
    found = matrices(Program(embedding=(p, t, v), layers=(MLP(adds={v: 2}),)))
    assert found["blocks.0.mlp.c_proj.b"].tolist() == [0, 0, 0, 0, 0, 2]
    assert not found["blocks.0.mlp.c_fc.w"].any()
    assert found["blocks.0.mlp.c_fc.w"].shape == (6, 1)


# ---------------------------------------------------------------- what does not fit


def test_a_weight_past_the_dtype_is_refused() -> None:
    """A number that float32 cannot hold is an error with its rule and line, and no infinite
    weight; float64 takes it.
    """
    head = Head(value={v: 1e39 * t["a"]})
    program = Program(name="big", embedding=(p, t, v), layers=(head,))
    message = (
        "big > layers[0] > value: writes 1e+39 into blocks.0.attn.c_attn.w, past the"
        f" range of float32 ({head.source})"
    )
    with Refused(ProgramError, message):
        compile_program(program)
    assert np.isfinite(matrices(program)["blocks.0.attn.c_attn.w"]).all()


def test_weights_that_only_together_are_too_large_are_refused() -> None:
    """Two rules that add up past the range of float32 are refused like one."""
    one = Head(value={v: t["a"]}, adds={v: 3e38})
    with pytest.raises(ProgramError, match="past the range of float32"):
        compile_program(
            Program(embedding=(p, t, v), layers=(Block([one, one]),))
        )


def test_weights_are_read_only() -> None:
    """Compiled arrays cannot be written to."""
    with pytest.raises(ValueError, match="read-only"):
        compile_program(bundled_program("aab")).weights["wte"][0, 0] = 1
