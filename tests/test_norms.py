"""Layer norms that do nothing: the stock GPT-2 they make is the program it came from."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import EVERY_PROGRAM, Refused, bundled_model, random_weights
from hypothesis import given
from hypothesis import strategies as st

from handcraft import MLP, Neuron, Program, token
from handcraft.core.errors import WeightsError
from handcraft.core.gpt2 import Array, gpt2
from handcraft.core.weights import flatten
from handcraft.runtimes.agreement import compare_runtime
from handcraft.runtimes.norms import MIRROR, QUIET, Norm, with_norms

BIG = st.floats(-1000, 1000, width=32)


def stock_norm(
    row: Array, eps: float
) -> Array:  # [n] -> [n]  in exact order, with a mean that sums from the left
    mean = np.float32(0)
    for x in row:
        mean += x
    mean /= np.float32(len(row))
    variance = np.float32(sum((x - mean) ** 2 for x in row)) / np.float32(
        len(row)
    )
    return (row - mean) / np.sqrt(variance + np.float32(eps))


@given(st.lists(BIG, min_size=1, max_size=12))
def test_half_the_difference_of_a_mirrored_lane_survives_a_norm(
    lanes: list[float],
) -> None:
    """With MIRROR a lane comes back as it was, with QUIET but for the last bits, whatever else
    is in the stream.
    """
    for norm, bits in ((MIRROR, 0), (QUIET, 3)):
        x = np.array(
            [
                sign * v * norm.scale
                for v in np.float32(lanes)
                for sign in (1, -1)
            ],
            np.float32,
        )  # [2 n]
        y = stock_norm(x, norm.epsilon) * np.float32(
            norm.epsilon**0.5 / norm.scale
        )  # [2 n]
        read = y[::2] / 2 - y[1::2] / 2  # [n]
        np.testing.assert_allclose(
            read, np.float32(lanes), rtol=bits * 2**-24, atol=2**-60
        )


@pytest.mark.parametrize("norm", [MIRROR, QUIET], ids=lambda norm: norm.name)
@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_every_bundled_program_stays_itself(name: str, norm: Norm) -> None:
    """In the wider, normalised GPT-2 it chooses the same tokens, on contexts that its claim
    speaks of.
    """
    model = bundled_model(name)
    stock = with_norms(model.weights, model.n_head, norm)
    found = compare_runtime(
        model,
        lambda ids: gpt2(
            ids,
            **stock.weights,
            n_head=stock.n_head,
            activation=model.activation,
            epsilon=stock.epsilon,
        ),
        5,
    )
    assert found.argmax_disagreements == 0


def test_what_is_added_is_whole_heads_that_write_nothing() -> None:
    """d_head stays, so every score does; the heads beyond the program's own have no weights at
    all.
    """
    model = bundled_model("nim")
    stock = with_norms(model.weights, model.n_head, MIRROR)
    assert (stock.n_embd, stock.n_head, stock.n_embd // stock.n_head) == (
        78,
        6,
        model.n_embd // model.n_head,
    )
    attn = stock.weights["blocks"][0]["attn"]
    added = attn["c_attn"]["w"].reshape(78, 3, 6, 13)[
        :, :, 3:
    ]  # [n_embd, qkv, heads, d_head]
    assert not added.any()
    assert not attn["c_proj"]["w"][39:].any()


def test_every_block_has_every_part() -> None:
    """A block without attention, or with fewer neurons than the widest, gets zeros; all have
    the stock shape.
    """
    model = bundled_model(
        "nim"
    )  # one block of attention, four of neurons: 12, 21, 9, 8
    weights = with_norms(model.weights, model.n_head, MIRROR).weights
    shapes = [
        {name: array.shape for name, array in flatten(block).items()}
        for block in weights["blocks"]
    ]
    assert (
        shapes
        == [
            {
                "ln_1.g": (78,),
                "ln_1.b": (78,),
                "attn.c_attn.w": (78, 234),
                "attn.c_attn.b": (234,),
                "attn.c_proj.w": (78, 78),
                "attn.c_proj.b": (78,),
                "ln_2.g": (78,),
                "ln_2.b": (78,),
                "mlp.c_fc.w": (78, 21),
                "mlp.c_fc.b": (21,),
                "mlp.c_proj.w": (21, 78),
                "mlp.c_proj.b": (78,),
            }
        ]
        * 4
    )


def test_four_neurons_for_each_column_where_the_runtime_has_it_so() -> None:
    """`fourfold` widens the stream until the widest MLP fits."""
    t = token("ab")
    neurons = [Neuron(when=t["a"], adds={t["b"]: 1})] * 40
    model = Program(
        name="wide", embedding=(t,), layers=(MLP(neurons),), n_ctx=2
    ).build()
    stock = with_norms(model.weights, model.n_head, QUIET, fourfold=True)
    assert (stock.n_embd, stock.n_inner) == (10, 40)


def test_spare_columns_stay_empty() -> None:
    """`spare` columns at the end are 0 in every array, gains and biases too."""
    model = bundled_model("aab")
    weights = with_norms(model.weights, model.n_head, MIRROR, spare=1).weights
    assert weights["wte"].shape == (2, 24)  # a whole head more
    assert not weights["wte"][:, 16:].any()
    assert not weights["ln_f"]["g"][16:].any()
    assert not weights["blocks"][0]["attn"]["c_attn"]["w"][16:].any()


def test_weights_with_norms_are_refused() -> None:
    """A GPT-2 that has layer norms needs none that do nothing."""
    with Refused(
        WeightsError,
        "the weights have layer norms already; only a program's own weights get norms"
        " that do nothing, and --to gpt2 or onnx writes others as they are",
    ):
        with_norms(random_weights(0), 2, MIRROR)
