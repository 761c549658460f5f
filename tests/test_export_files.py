"""What the files of an export hold."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import bundled_model, bundled_program
from safetensors.numpy import load_file

from handcraft import Program
from handcraft.core.gpt2 import Array
from handcraft.runtimes import exporting, load_gpt2
from handcraft.runtimes.agreement import compare_runtime


@pytest.mark.slow
def test_a_gpt2_directory_is_read_again(tmp_path: Path) -> None:
    """Our own reader of Hugging Face's checkpoints: the same tokens, the same window, the same
    logits.
    """
    model = bundled_model("fizzbuzz")
    exporting.export(model, "gpt2", tmp_path / "fizzbuzz")
    again = load_gpt2(tmp_path / "fizzbuzz")
    assert (again.vocabulary, again.n_ctx, again.epsilon) == (
        model.vocabulary,
        model.n_ctx,
        2.0**80,
    )
    assert compare_runtime(model, again).argmax_disagreements == 0
    assert again.generate("^15=", 1) == model.generate("^15=") == "FizzBuzz"


def test_relu_is_a_field_of_the_config(tmp_path: Path) -> None:
    """GPT-2's config names the activation."""
    program = bundled_program("baby_gpt")
    fields = {
        field: getattr(program, field) for field in Program.model_fields
    } | {"activation": "relu"}
    exporting.export(Program(**fields).build(), "gpt2", tmp_path / "out")
    assert (
        json.loads((tmp_path / "out/config.json").read_text())[
            "activation_function"
        ]
        == "relu"
    )


def test_the_stop_token_ends_generation(tmp_path: Path) -> None:
    """generation_config.json names it, and lets the last token be predicted that is never read."""
    exporting.export(bundled_model("nim"), "gpt2", tmp_path / "out")
    stop = bundled_model("nim").vocabulary.ids["$"]
    assert json.loads(
        (tmp_path / "out/generation_config.json").read_text()
    ) == {
        "do_sample": False,
        "max_length": 8,
        "eos_token_id": stop,
        "pad_token_id": stop,
    }


def test_the_bare_dict_of_picogpt(tmp_path: Path) -> None:
    """`--norm none`: the arrays of the model itself, for a pass without layer norms."""
    model = bundled_model("aab")
    exporting.export(model, "picogpt", tmp_path / "out", norm="none")
    arrays = np.load(tmp_path / "out/params.npz")
    np.testing.assert_array_equal(
        arrays["blocks.0.attn.c_attn.w"],
        model.weights["blocks"][0]["attn"]["c_attn"]["w"],
    )
    assert json.loads((tmp_path / "out/hparams.json").read_text()) == {
        "n_vocab": 2,
        "n_ctx": 5,
        "n_embd": 8,
        "n_head": 1,
        "n_layer": 1,
    }


@pytest.mark.slow
def test_nanogpts_arrays_and_letters(tmp_path: Path) -> None:
    """Linear weights are turned round, the unembedding stands beside wte, and the letters are
    those of its sample.py.
    """
    exporting.export(bundled_model("aab"), "nanogpt", tmp_path / "out")
    arrays: dict[str, Array] = load_file(tmp_path / "out/model.safetensors")
    assert arrays["transformer.h.0.attn.c_attn.weight"].shape == (48, 16)
    np.testing.assert_array_equal(
        arrays["lm_head.weight"], arrays["transformer.wte.weight"]
    )
    letters = pickle.loads((tmp_path / "out/meta.pkl").read_bytes())
    assert letters == {
        "vocab_size": 2,
        "stoi": {"a": 0, "b": 1},
        "itos": {0: "a", 1: "b"},
    }
