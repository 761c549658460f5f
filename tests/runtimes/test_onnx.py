"""The ONNX graph, computed by onnxruntime and by ONNX's own reference: two implementations that
are not ours.

Run with onnx and onnxruntime installed; without them these tests fail.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import Refused, bundled_model, random_weights
from onnx.reference import ReferenceEvaluator

from handcraft import Model, Program, __version__, position, token
from handcraft.core.errors import MissingExtraError, PromptError, WeightsError
from handcraft.core.vocabulary import Vocabulary
from handcraft.runtimes import onnx_graph
from handcraft.runtimes.norms import NONE
from handcraft.runtimes.onnx_graph import RUNTIME
from handcraft.runtimes.target import Run

IDS = np.array([[2, 0, 1, 1, 0, 2], [0, 0, 1, 2, 2, 1]])  # [n_batch, n_seq]


def written(model: Model) -> Run:
    """What onnxruntime makes of the model's files."""
    with TemporaryDirectory() as directory:
        for name, data in RUNTIME.files(model, NONE).items():
            Path(directory, name).write_bytes(data)
        return RUNTIME.run(Path(directory))


@cache
def of_program(name: str) -> Run:
    """A bundled program through onnxruntime."""
    return written(bundled_model(name))


def graph(model: Model) -> Any:
    """The file, as onnx reads it."""
    return onnx.load_from_string(RUNTIME.files(model, NONE)["model.onnx"])


def small(**changes: Any) -> Model:
    """A GPT-2 of random weights, with everything in it."""
    norms = changes.pop("norms", True)
    return Model(
        "small",
        random_weights(1, norms=norms, dtype="float32"),
        Vocabulary(("a", "b", "c")),
        2,
        **changes,
    )


# ---------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("norms", [True, False])
def test_a_gpt2_with_everything_in_it_has_the_same_logits_in_two_implementations(
    activation: str, causal: bool, norms: bool
) -> None:
    model = small(activation=activation, causal=causal, norms=norms)
    reference = ReferenceEvaluator(RUNTIME.files(model, NONE)["model.onnx"])
    for theirs in (
        written(model)(IDS),
        reference.run(None, {"tokens": IDS})[0],
    ):
        np.testing.assert_allclose(theirs, model(IDS), rtol=1e-4, atol=1e-5)


def test_the_epsilon_of_the_layer_norms_is_the_models() -> None:
    model = small(epsilon=0.5)
    np.testing.assert_allclose(
        written(model)(IDS), model(IDS), rtol=1e-4, atol=1e-5
    )
    assert np.abs(written(small())(IDS) - model(IDS)).max() > 0.1


def test_a_program_without_layers_is_its_embeddings_alone() -> None:
    model = Program(name="bare", embedding=(token("ab"), position(3))).build()
    np.testing.assert_array_equal(
        written(model)(np.array([[0, 1, 1]])), model(np.array([[0, 1, 1]]))
    )


# ---------------------------------------------------------------- batches and lengths


def test_a_batch_of_any_size_and_length_is_its_contexts_one_by_one() -> None:
    run = of_program("induction")
    ids = np.random.default_rng(3).integers(0, 26, (7, 64))
    for n_batch, n_seq in ((1, 1), (2, 64), (7, 5)):
        batch = ids[:n_batch, :n_seq]
        np.testing.assert_array_equal(
            run(batch), np.concatenate([run(row[None]) for row in batch])
        )


@pytest.mark.parametrize(
    "model",
    [bundled_model("aab"), bundled_model("bigram"), small(causal=False)],
    ids=lambda model: model.name,
)
def test_a_context_past_the_window_is_refused(
    model: Model,
) -> None:  # that of bigram is 1, which would broadcast
    with pytest.raises(
        PromptError,
        match=rf"^onnxruntime refuses these ids: .*'pos_embed'.* idx={model.n_ctx} must be within",
    ):
        written(model)(np.zeros((1, model.n_ctx + 1), int))


@pytest.mark.parametrize("strange", [-1, -2, 2])
def test_an_id_outside_the_vocabulary_is_refused_also_below_zero(
    strange: int,
) -> None:
    with pytest.raises(
        PromptError,
        match=r"^onnxruntime refuses these ids: .*'embed'.* idx=2 must be within",
    ):
        of_program("aab")(np.array([[0, strange]]))


# ---------------------------------------------------------------- the file


def test_initializers_have_gpt2s_own_names_and_values() -> None:
    model = bundled_model("aab")
    held = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in graph(model).graph.initializer
    }
    np.testing.assert_array_equal(held["wte"], model.weights["wte"])
    np.testing.assert_array_equal(
        held["blocks.0.attn.c_attn.w"],
        model.weights["blocks"][0]["attn"]["c_attn"]["w"],
    )
    assert all(
        array.dtype == np.float32
        for name, array in held.items()
        if name.startswith(("wte", "wpe", "blocks.0.attn.c_"))
    )


def test_every_node_has_a_name_and_what_the_weights_lack_has_none() -> None:
    names = [node.name for node in graph(bundled_model("aab")).graph.node]
    assert len(names) == len(set(names)) == 32
    assert {
        "embed",
        "pos_embed",
        "blocks.0.attn.scores",
        "blocks.0.attn.pattern",
        "blocks.0.attn_out",
        "logits",
    } <= set(names)
    assert not any(".mlp" in name or "ln_" in name for name in names)
    assert not any(
        ".attn" in node.name
        for node in graph(bundled_model("bigram")).graph.node
    )


def test_the_inputs_and_outputs_have_names_and_free_lengths() -> None:
    found = graph(bundled_model("aab")).graph
    shapes = {
        value.name: (
            value.type.tensor_type.elem_type,
            [
                dim.dim_param or dim.dim_value
                for dim in value.type.tensor_type.shape.dim
            ],
        )
        for value in (*found.input, *found.output)
    }
    assert shapes == {
        "tokens": (onnx.TensorProto.INT64, ["n_batch", "n_seq"]),
        "logits": (onnx.TensorProto.FLOAT, ["n_batch", "n_seq", 2]),
    }


def test_the_metadata_make_the_file_complete_on_its_own() -> None:
    model = bundled_model("fizzbuzz")
    found = graph(model)
    assert (found.producer_name, found.producer_version, found.graph.name) == (
        "handcraft",
        __version__,
        "fizzbuzz",
    )
    metadata = {entry.key: entry.value for entry in found.metadata_props}
    assert metadata == {
        "name": "fizzbuzz",
        "n_ctx": "32",
        "vocabulary": json.dumps(list(model.vocabulary.tokens)),
    }


def test_vocab_json_gives_the_id_of_every_token() -> None:
    assert json.loads(
        RUNTIME.files(bundled_model("aab"), NONE)["vocab.json"]
    ) == {
        "a": 0,
        "b": 1,
    }


def test_the_same_model_gives_the_same_bytes() -> None:
    assert RUNTIME.files(bundled_model("sort"), NONE) == RUNTIME.files(
        Model.open("sort"), NONE
    )


# ---------------------------------------------------------------- what is refused


def test_weights_that_no_single_file_holds_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx_graph, "_MOST_BYTES", 1000)
    with Refused(
        WeightsError,
        "one ONNX file holds at most 1000 bytes of weights, this model has 1376",
    ):
        RUNTIME.files(bundled_model("aab"), NONE)


def test_a_file_that_is_no_graph_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(
        WeightsError,
        match=rf"^{tmp_path}/model.onnx: onnxruntime refuses this file: .*Protobuf parsing failed",
    ):
        RUNTIME.run(tmp_path)


def test_without_the_extra_the_message_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with Refused(
        MissingExtraError,
        "an ONNX file needs the extra `onnx`: pip install 'handcraft[onnx]'",
    ):
        RUNTIME.files(bundled_model("aab"), NONE)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with Refused(
        MissingExtraError,
        "running an ONNX file needs the extra `onnx`: pip install 'handcraft[onnx]'",
    ):
        RUNTIME.run(tmp_path)
