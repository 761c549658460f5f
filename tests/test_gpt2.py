"""The forward pass, against an oracle of plain Python loops."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Refused, activate, bundled_model, random_weights, shares
from hypothesis import given
from hypothesis import strategies as st

from handcraft import Neuron, Program, scratch, slot, token
from handcraft.core.errors import WeightsError
from handcraft.core.gpt2 import (
    Array,
    Cache,
    Weights,
    forward,
    gelu,
    gpt2,
    relu,
    softmax,
    trace,
)

TOKENS = [2, 0, 1, 1, 0, 2]
Matrix = list[list[float]]


# ---------------------------------------------------------------- GPT-2 in loops


def times(row: list[float], part: dict[str, Array]) -> list[float]:
    """Row @ w + b."""
    w, b = part["w"].tolist(), part["b"].tolist()
    return [
        sum(x * w[i][j] for i, x in enumerate(row)) + b[j]
        for j in range(len(b))
    ]


def normed(row: list[float], part: dict[str, Array] | None) -> list[float]:
    """Layer norm, where there is one."""
    if part is None:
        return row
    mean = sum(row) / len(row)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in row) / len(row) + 1e-5)
    return [
        float(g) * (x - mean) / deviation + float(b)
        for x, g, b in zip(row, part["g"], part["b"], strict=True)
    ]


def attended(rows: Matrix, attn: Weights, n_head: int, causal: bool) -> Matrix:
    """What the heads of a block write at each position."""
    n = len(rows[0])
    d = n // n_head
    qkv = [times(row, attn["c_attn"]) for row in rows]
    out: Matrix = []
    for i in range(len(rows)):
        seen = range(i + 1) if causal else range(len(rows))
        z: list[float] = []
        for h in range(n_head):
            lanes = range(h * d, (h + 1) * d)
            weights = shares(
                [
                    sum(qkv[i][x] * qkv[j][n + x] for x in lanes) / math.sqrt(d)
                    for j in seen
                ]
            )
            z += [
                sum(
                    w * qkv[j][2 * n + x]
                    for w, j in zip(weights, seen, strict=True)
                )
                for x in lanes
            ]
        out.append(times(z, attn["c_proj"]))
    return out


def loops(
    tokens: list[int],
    weights: Weights,
    n_head: int,
    activation: str = "gelu",
    causal: bool = True,
) -> Matrix:
    """The logits after every position, number by number."""
    wte, wpe = weights["wte"].tolist(), weights["wpe"].tolist()
    x = [
        [a + b for a, b in zip(wte[token], wpe[i], strict=True)]
        for i, token in enumerate(tokens)
    ]
    for block in weights["blocks"]:
        if "attn" in block:
            added = attended(
                [normed(row, block.get("ln_1")) for row in x],
                block["attn"],
                n_head,
                causal,
            )
            x = [
                [a + b for a, b in zip(row, more, strict=True)]
                for row, more in zip(x, added, strict=True)
            ]
        if "mlp" in block:
            inner = [
                [
                    activate(v, activation)
                    for v in times(
                        normed(row, block.get("ln_2")), block["mlp"]["c_fc"]
                    )
                ]
                for row in x
            ]
            added = [times(row, block["mlp"]["c_proj"]) for row in inner]
            x = [
                [a + b for a, b in zip(row, more, strict=True)]
                for row, more in zip(x, added, strict=True)
            ]
    x = [normed(row, weights.get("ln_f")) for row in x]
    return [
        [sum(a * b for a, b in zip(row, w, strict=True)) for w in wte]
        for row in x
    ]


CONFIGS = [
    {"n_head": 1},
    {"n_head": 2},
    {"n_head": 4},
    {"n_head": 2, "activation": "relu"},
    {"n_head": 2, "causal": False},
]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("norms", [True, False])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)]
)
def test_logits_are_those_of_plain_loops(
    config: dict[str, Any], norms: bool, dtype: str, tolerance: float
) -> None:
    """The logits of random weights, with layer norms, heads and neurons, are those of loops
    over numbers.
    """
    for seed in range(3):
        weights = random_weights(seed, norms=norms, dtype=dtype)
        expected = np.array(loops(TOKENS, weights, **config))
        found = forward(np.array(TOKENS), weights, **config)
        np.testing.assert_allclose(
            found,
            expected,
            rtol=tolerance,
            atol=tolerance * np.abs(expected).max(),
        )


@pytest.mark.parametrize(
    "missing",
    [
        ("attn", "ln_1"),
        ("mlp", "ln_2"),
        ("ln_1",),
        ("ln_2",),
        ("attn", "mlp", "ln_1", "ln_2"),
    ],
)
def test_what_is_absent_is_skipped(missing: tuple[str, ...]) -> None:
    """A block may lack its attention, its MLP or a layer norm, and each block its own."""
    weights = random_weights(5)
    for part in missing:
        del weights["blocks"][0][part]
    np.testing.assert_allclose(
        forward(np.array(TOKENS), weights, n_head=2),
        loops(TOKENS, weights, 2),
        rtol=1e-12,
        atol=1e-12,
    )
    del weights["ln_f"], weights["blocks"][1]["mlp"]
    np.testing.assert_allclose(
        forward(np.array(TOKENS), weights, n_head=2),
        loops(TOKENS, weights, 2),
        rtol=1e-12,
        atol=1e-12,
    )


def test_blocks_may_have_their_own_inner_width() -> None:
    """The MLP of each block has its own number of neurons, one included."""
    weights = random_weights(1, n_inner=1)
    weights["blocks"][1]["mlp"] = random_weights(2, n_inner=11)["blocks"][0][
        "mlp"
    ]
    np.testing.assert_allclose(
        forward(np.array(TOKENS), weights, n_head=2),
        loops(TOKENS, weights, 2),
        rtol=1e-12,
        atol=1e-12,
    )


def test_golden_logits() -> None:
    """Aab's logits of aabaa are the ones that were written down, to the last bit."""
    golden = json.loads(
        (Path(__file__).parent / "golden" / "aab.json").read_text()
    )
    for dtype in ("float32", "float64"):
        assert (
            bundled_model("aab", dtype)("aabaa").tolist()
            == golden["logits_of_aabaa"]
        )


# ---------------------------------------------------------------- dtype, batches, causality


def test_float32_stays_float32() -> None:
    """No intermediate of a float32 model is of another dtype."""
    for config in CONFIGS:
        found = trace(
            np.array(TOKENS), random_weights(3, dtype="float32"), **config
        )
        assert {
            name: array.dtype.name
            for name, array in found.items()
            if array.dtype != np.float32
        } == {}


def test_a_batch_equals_its_rows() -> None:
    """A batch [n_batch, n_seq] gives what each of its rows gives alone."""
    weights, batch = (
        random_weights(4),
        np.array([[0, 1, 2], [2, 2, 0], [1, 0, 1]]),
    )
    for config in CONFIGS:
        found = forward(batch, weights, **config)
        assert found.shape == (3, 3, 3)
        for row, logits in zip(batch, found, strict=True):
            np.testing.assert_allclose(
                forward(row, weights, **config), logits, rtol=1e-12, atol=1e-12
            )


tokens = st.lists(st.integers(0, 2), min_size=1, max_size=6)


@given(tokens, st.integers(0, 5), st.integers(0, 2), st.integers(0, 9))
def test_later_tokens_leave_earlier_logits_unchanged(
    context: list[int], at: int, other: int, seed: int
) -> None:
    """Changing a token changes no logit before it, to the last bit."""
    at %= len(context)
    changed = [*context[:at], other, *context[at + 1 :]]
    weights = random_weights(seed)
    before, after = (
        forward(np.array(ids), weights, n_head=2)[:at]
        for ids in (context, changed)
    )
    assert before.tobytes() == after.tobytes()


def test_without_causality_earlier_logits_see_later_tokens() -> None:
    """With causal=False the first position sees the last."""
    weights = random_weights(0)
    before, after = (
        forward(np.array(ids), weights, n_head=2, causal=False)[0]
        for ids in ([0, 1, 2], [0, 1, 0])
    )
    assert np.abs(before - after).max() > 1e-3


@given(tokens, st.lists(st.integers(1, 3), max_size=6), st.integers(0, 9))
def test_a_cache_changes_nothing(
    context: list[int], steps: list[int], seed: int
) -> None:
    """Reading a context piece by piece with a cache gives the logits of reading it whole."""
    weights = random_weights(seed)
    cache: Cache = [None, None]
    found, at = [], 0
    for step in [*steps, 6]:
        if piece := context[at : at + step]:
            found.append(
                gpt2(np.array(piece), **weights, n_head=2, cache=cache)
            )
            at += step
    np.testing.assert_allclose(
        np.concatenate(found),
        gpt2(np.array(context), **weights, n_head=2),
        rtol=1e-12,
        atol=1e-12,
    )
    assert all(
        entry is not None and entry[0].shape == (2, len(context), 4)
        for entry in cache
    )


# ---------------------------------------------------------------- pieces


@given(st.floats(-60, 60))
def test_gelu_is_its_formula(x: float) -> None:
    """Gelu is GPT-2's tanh form, relu the positive part."""
    assert float(gelu(np.float64(x))) == pytest.approx(
        activate(x, "gelu"), rel=1e-9, abs=1e-12
    )
    assert float(relu(np.float64(x))) == max(x, 0)


@given(st.floats(6, 1e5, width=32))
def test_gelu_is_the_positive_part_away_from_zero(x: float) -> None:
    """In float32 gelu is exactly the identity, or zero, from 6 away."""
    assert float(gelu(np.float32(x))) == x
    assert float(gelu(np.float32(-x))) == 0


def test_huge_activations_do_not_overflow() -> None:
    """A neuron whose input has a cube that float32 cannot hold adds its positive part, without
    a warning.
    """
    x, y = slot("x", position=[-1e25, 0, 1e13]), scratch("y")
    model = Program(
        embedding=(x, y, token("ab")), layers=(Neuron(when=x, adds={y: 1}),)
    ).build()
    assert [
        row["y"] for row in model.trace("aba").residual[-1]["positions"]
    ] == [
        0,
        0,
        np.float32(1e13),
    ]


def test_logits_that_are_not_finite_are_refused() -> None:
    """Where finite weights give infinite logits the model says so, and answers nothing."""
    x = slot("x", token={"a": 1e25, "b": -1e25})
    model = Program(embedding=(x,), n_ctx=3).build()
    for ask in (model, model.trace, model.generate):
        with Refused(
            WeightsError,
            "the logits are not finite: the weights are too large for float32",
        ):
            ask("a")


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8))
def test_softmax_is_its_formula(scores: list[float]) -> None:
    """Softmax is exp of the scores by their sum, and sums to one whatever their size."""
    found = softmax(np.array(scores))
    np.testing.assert_allclose(found, shares(scores), rtol=1e-12, atol=1e-300)
    assert found.sum() == pytest.approx(1)


# ---------------------------------------------------------------- traces


def test_trace_names_every_intermediate() -> None:
    """A trace holds every intermediate by its name, in the order of the computation."""
    weights = random_weights(0, n_layer=1)
    inner = [
        "resid_pre",
        "ln_1",
        "attn.q",
        "attn.k",
        "attn.v",
        "attn.scores",
        "attn.pattern",
        "attn.z",
        "attn_out",
        "resid_mid",
        "ln_2",
        "mlp.pre",
        "mlp.post",
        "mlp_out",
        "resid_post",
    ]
    found = trace(np.array(TOKENS), weights, n_head=2)
    assert list(found) == [
        "embed",
        "pos_embed",
        *(f"blocks.0.{name}" for name in inner),
        "ln_f",
        "resid_final",
        "logits",
    ]
    assert {
        name: found[f"blocks.0.{name}"].shape
        for name in ("attn.q", "attn.scores", "attn.z", "mlp.pre", "resid_mid")
    } == {
        "attn.q": (2, 6, 4),
        "attn.scores": (2, 6, 6),
        "attn.z": (2, 6, 4),
        "mlp.pre": (6, 5),
        "resid_mid": (6, 8),
    }


def test_trace_is_the_forward_pass() -> None:
    """What is traced adds up: the stream is the sum of what the sublayers wrote, the logits are
    those of the forward pass.
    """
    weights = random_weights(0, n_layer=2)
    found = trace(np.array(TOKENS), weights, n_head=2)
    assert (
        found["logits"].tobytes()
        == forward(np.array(TOKENS), weights, n_head=2).tobytes()
    )
    total = found["embed"] + found["pos_embed"]
    for i in range(2):
        total = (
            total + found[f"blocks.{i}.attn_out"] + found[f"blocks.{i}.mlp_out"]
        )
    np.testing.assert_allclose(total, found["blocks.1.resid_post"], rtol=1e-12)
