"""Traces: one forward pass with every number under its name."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import (
    EVERY_PROGRAM,
    Refused,
    bundled_model,
    example,
    interpret,
    programs,
    random_weights,
)
from hypothesis import given
from hypothesis import strategies as st

import handcraft
from handcraft import Head, Model, Program, position, scratch, token
from handcraft.core.errors import PromptError
from handcraft.core.tracing import attention_table, is_tiny
from handcraft.core.vocabulary import Vocabulary


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_contributions_sum_to_the_logits(name: str) -> None:
    """In every bundled program what the rules gave to each logit adds up to the logits of the
    last position.
    """
    trace = bundled_model(name, "float64").trace(example(name))
    for token_, logit in trace.logits[-1].items():
        parts = [part["logits"][token_] for part in trace.contributions]
        assert sum(parts) == pytest.approx(
            logit, rel=1e-9, abs=1e-9 * (1 + sum(map(abs, parts)))
        )
    rules = [part["rule"] for part in trace.contributions]
    assert len(set(rules)) == len(rules)


@pytest.mark.slow
@given(programs(), st.data())
def test_contributions_of_any_program_sum_to_the_logits(
    program: Program, data: st.DataObject
) -> None:
    """Heads, neurons, constants and embeddings of any program are all accounted for."""
    context = data.draw(
        st.lists(
            st.sampled_from(program.vocabulary),
            min_size=1,
            max_size=program.n_ctx,
        )
    )
    trace = program.build("float64").trace(context)
    for token_, logit in trace.logits[-1].items():
        parts = [part["logits"][token_] for part in trace.contributions]
        assert sum(parts) == pytest.approx(
            logit, rel=1e-9, abs=1e-9 * (1 + sum(map(abs, parts)))
        )


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_attention_rows_sum_to_one(name: str) -> None:
    """Each position spreads one unit of attention over itself and what came before, and none
    over its future.
    """
    trace = bundled_model(name).trace(example(name))
    for head in trace.heads:
        for i, (row, scores) in enumerate(
            zip(head.weights, head.scores, strict=True)
        ):
            assert sum(row) == pytest.approx(1, abs=1e-5)
            assert all(weight == 0 for weight in row[i + 1 :])
            assert [score is None for score in scores] == [
                j > i for j in range(len(row))
            ]


def test_a_trace_of_aab() -> None:
    """Query, key, value and what was written stand under the lanes' names, unused lanes left
    out.
    """
    trace = bundled_model("aab").trace("aab")
    head = trace.heads[0]
    assert (trace.tokens, [h.name for h in trace.heads]) == (
        ["a", "a", "b"],
        ["0.h0"],
    )
    assert head.query[1] == {
        f"position:{i}": 1024.0 * (i in (0, 1)) for i in range(5)
    }
    assert head.key[2] == {f"position:{i}": float(i == 2) for i in range(5)}
    assert [row["v"] for row in head.value] == [1.0, 1.0, -1.0]
    assert head.weights == [[1, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]]
    assert head.written[2] == {}
    assert head.written[1] == {"token:a": -1024.0, "token:b": 1024.0}
    assert trace.residual[0]["positions"][0] == {
        "position:0": 1.0,
        "token:a": 1.0,
    } | dict.fromkeys(
        (
            "position:1",
            "position:2",
            "position:3",
            "position:4",
            "token:b",
            "v",
        ),
        0.0,
    )
    assert [step["after"] for step in trace.residual] == [
        "embedding",
        "0.attention",
    ]
    assert trace.logits[-1] == {"a": 1024.0, "b": 1.0}
    assert {part["rule"]: part["logits"] for part in trace.contributions} == {
        "embedding[1]": {"a": 0.0, "b": 1.0},
        "embedding[0]": {"a": 0.0, "b": 0.0},
        "layers[0] > adds": {"a": 1024.0, "b": 0.0},
    }


@given(programs(), st.data())
def test_the_stream_is_what_the_rules_say(
    program: Program, data: st.DataObject
) -> None:
    """The last logits of a trace are those of the rules followed in plain Python, under the
    tokens' names.
    """
    context = data.draw(
        st.lists(
            st.sampled_from(program.vocabulary),
            min_size=1,
            max_size=program.n_ctx,
        )
    )
    trace = program.build("float64").trace(context)
    for row, expected in zip(
        trace.logits, interpret(program, context), strict=True
    ):
        assert row == pytest.approx(expected, rel=1e-9, abs=1e-9)
    lanes = {str(lane) for slot in program.embedding for lane in slot.lanes}
    assert all(
        lanes <= set(position_)
        for step in trace.residual
        for position_ in step["positions"]
    )


def test_sublayers_are_named() -> None:
    """The stream is shown after the embedding and after every sublayer there is."""
    steps = [
        step["after"]
        for step in bundled_model("baby_gpt").trace("110").residual
    ]
    assert steps == ["embedding", "0.attention", "0.mlp"]
    steps = [
        step["after"]
        for step in bundled_model("adder").trace(example("adder")).residual
    ]
    assert steps == ["embedding", "0.attention", "1.mlp"]


def test_a_program_without_layers_has_a_trace() -> None:
    """Where there is no layer, the embedding alone makes the logits."""
    trace = (
        Program(name="echo", embedding=(token("ab"), position(3)))
        .build()
        .trace("ab")
    )
    assert trace.logits == [{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}]
    assert trace.heads == trace.residual == []


def test_weights_without_a_program_have_numbers_for_names() -> None:
    """Weights from elsewhere are traced with numbered columns and no rules."""
    model = Model(
        "found", random_weights(0, norms=False), Vocabulary(("x", "y", "z")), 2
    )
    trace = model.trace("xyz")
    assert list(trace.residual[0]["positions"][0]) == [
        f"x{i}" for i in range(8)
    ]
    assert list(trace.heads[0].query[0]) == ["x0", "x1", "x2", "x3"]
    assert [head.name for head in trace.heads] == [
        "0.h0",
        "0.h1",
        "1.h0",
        "1.h1",
    ]
    assert trace.contributions == []


def test_a_trace_without_causality_hides_nothing() -> None:
    """With causal=False every score is shown."""
    p, t, v = position(3), token("ab"), scratch("v")
    trace = (
        Program(
            embedding=(p, t, v), layers=(Head(value={v: t["a"]}),), causal=False
        )
        .build()
        .trace("ab")
    )
    assert trace.heads[0].scores == [[0.0, 0.0], [0.0, 0.0]]
    assert trace.heads[0].weights == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_traces_are_plain_data(name: str) -> None:
    """A trace is JSON, with the keys that the command line promises."""
    found = bundled_model(name).trace(example(name)).to_json()
    assert set(found) == {
        "tokens",
        "heads",
        "residual",
        "logits",
        "contributions",
    }
    assert all(
        set(head)
        == {"name", "query", "key", "scores", "weights", "value", "written"}
        for head in found["heads"]
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_trace_as_text() -> None:
    """As text a trace is its attention tables and the last logits."""
    assert (
        str(bundled_model("aab").trace("aa"))
        == "head 0.h0: attention from each row to each column\n"
        "         0:'a'  1:'a'\n"
        "  0:'a'      1      .\n"
        "  1:'a'    0.5    0.5\n"
        "\n"
        "logits: 'a' 1  'b' 1024"
    )


def test_a_long_number_has_its_own_column() -> None:
    """Columns of a table of attention are as wide as its widest number."""
    head = bundled_model("aab").trace("aa").heads[0]
    wide = replace(head, weights=[[1.0, 0.0], [1.234e-11, 0.5]])
    assert (
        attention_table(wide, "aa")
        == "head 0.h0: attention from each row to each column\n"
        "             0:'a'    1:'a'\n"
        "    0:'a'        1        .\n"
        "    1:'a' 1.23e-11      0.5"
    )


P, T, V = position(3), token("ab"), scratch("v")
SOFT = Program(
    embedding=(P, T, V),
    layers=(
        Head(query=60 * P.previous, value={V: T["a"]}, scores="exact"),
        {T["a"]: 50 * V},
    ),
)


def test_what_is_lost_beside_a_weight_is_near_zero() -> None:
    """exp(-60) beside 1 is ~0 in the text and in the tables, not 0; the numbers stay."""
    found = handcraft.trace(SOFT, "bab")
    assert 0 < found.heads[0].weights[2][0] < 1e-25
    row = found.residual[1]["positions"][1]
    assert 0 < row["v"] < 1e-25
    plain = str(SOFT.build().trace("bab"))
    assert "  2:'b'     ~0      1     ~0\n" in plain
    assert "2 b   ~0    1   ~0\n" in str(found)
    assert "1 a         0         1         0      1      0  ~0\n" in str(found)
    assert "e-" not in str(found)


@given(
    st.integers(-300, 20),
    st.floats(-2, 2),
    st.integers(-60, 60),
    st.floats(1, 2),
)
def test_nothing_that_matters_is_near_zero(
    low: int, small: float, high: int, large: float
) -> None:
    """What is called tiny is no 0, is below 1e-12, and does not change a number of that size in
    float32; a lane of tiny numbers alone is shown as it is.
    """
    value = small * 2.0**low
    size = float(np.float32(large * 2.0**high))
    if is_tiny(value, size):
        assert 0 < abs(value) < 1e-12
        assert np.float32(size) + np.float32(value) == np.float32(size)
    assert not is_tiny(value, abs(value))
    assert not is_tiny(0.0, size)


def test_a_context_past_the_window_is_refused() -> None:
    """A trace shows one context; what does not fit the window is refused."""
    with Refused(PromptError, "6 tokens do not fit the context window of 5"):
        bundled_model("aab").trace("aabaab")
