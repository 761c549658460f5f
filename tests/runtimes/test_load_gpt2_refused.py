"""Checkpoints of a GPT-2 that are refused: configs, arrays and files, each in its words."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from checkpoints import configure, rewrite
from conftest import Refused
from transformers import GPT2LMHeadModel

from handcraft.core.errors import MissingExtraError, WeightsError
from handcraft.runtimes.loading import load_gpt2

pytest_plugins = ["checkpoint_fixtures"]

CONFIGS: list[tuple[dict[str, Any], str]] = [
    (
        {"model_type": "gpt_neo"},
        "model_type is 'gpt_neo', and our forward pass computes only 'gpt2'",
    ),
    (
        {"scale_attn_weights": False},
        "scale_attn_weights is False, and our forward pass computes only True",
    ),
    (
        {"scale_attn_by_inverse_layer_idx": True},
        (
            "scale_attn_by_inverse_layer_idx is True, and our forward pass computes"
            " only False"
        ),
    ),
    (
        {"add_cross_attention": True},
        "add_cross_attention is True, and our forward pass computes only False",
    ),
    (
        {"quantization_config": {"bits": 4}},
        "quantization_config is {'bits': 4}, and our forward pass computes only None",
    ),
    (
        {"activation_function": "gelu"},
        (
            "activation_function is 'gelu', and our forward pass computes only"
            " gelu_new, gelu_pytorch_tanh, relu"
        ),
    ),
    (
        {"activation_function": ["relu"]},
        (
            "activation_function is ['relu'], and our forward pass computes only"
            " gelu_new, gelu_pytorch_tanh, relu"
        ),
    ),
    (
        {"layer_norm_epsilon": "1e-5"},
        "layer_norm_epsilon must be finite and not negative, found '1e-5'",
    ),
    (
        {"layer_norm_epsilon": -1},
        "layer_norm_epsilon must be finite and not negative, found -1",
    ),
    (
        {"layer_norm_epsilon": 10**400},
        "layer_norm_epsilon must be finite and not negative, found 1"
        + "0" * 59,
    ),
    ({"n_head": 0}, "n_head must be a whole number of at least 1, found 0"),
    (
        {"n_layer": True},
        "n_layer must be a whole number of at least 0, found True",
    ),
    ({"n_layer": 1025}, "n_layer must be at most 1024, found 1025"),
    (
        {"n_inner": "x"},
        "n_inner must be null or a whole number of at least 1, found 'x'",
    ),
    (
        {"vocab_size": ...},
        (
            "it has no vocab_size; a GPT-2 has n_embd, n_head, n_layer, n_positions,"
            " vocab_size"
        ),
    ),
    (
        {"n_head": ...},
        "it has no n_head; a GPT-2 has n_embd, n_head, n_layer, n_positions, vocab_size",
    ),
    ({"n_head": 3}, "n_embd is 16, which 3 heads cannot share equally"),
    (
        {"tie_word_embeddings": "no"},
        "tie_word_embeddings must be true or false, found 'no'",
    ),
    (
        {"model_type": "llama"},
        "model_type is 'llama', and our forward pass computes only 'gpt2'",
    ),
    ({"n_ctx": 8}, "n_ctx is 8, but n_positions is 16"),
]


@pytest.mark.parametrize(("changes", "message"), CONFIGS)
def test_configs_that_we_do_not_compute_are_refused(
    copied: Path, changes: dict[str, Any], message: str
) -> None:
    """What the forward pass does not do is refused by its key, never ignored."""
    configure(copied, **changes)
    with Refused(WeightsError, f"{copied / 'config.json'}: {message}"):
        load_gpt2(copied)


SHAPES: list[tuple[dict[str, Any], str]] = [
    ({"n_layer": 3}, "h.2.attn.c_attn.weight is missing"),
    (
        {"n_layer": 1},
        "h.1.attn.c_attn.bias is no weight of a GPT-2 of 1 layers",
    ),
    (
        {"n_embd": 8},
        "wte.weight has shape (280, 16), but config.json says (280, 8)",
    ),
    (
        {"n_positions": 15},
        "wpe.weight has shape (16, 16), but config.json says (15, 16)",
    ),
    (
        {"n_inner": 63},
        "h.0.mlp.c_fc.weight has shape (16, 64), but config.json says (16, 63)",
    ),
    (
        {"tie_word_embeddings": False},
        "tie_word_embeddings is False, but there is no lm_head.weight",
    ),
]


@pytest.mark.parametrize(("changes", "message"), SHAPES)
def test_arrays_that_are_not_the_configs_are_refused(
    copied: Path, changes: dict[str, Any], message: str
) -> None:
    """Every array is held to config.json: its name, its shape, and that it is there."""
    configure(copied, **changes)
    with Refused(WeightsError, f"{copied / 'model.safetensors'}: {message}"):
        load_gpt2(copied)


def test_arrays_of_another_model_are_refused(
    checkpoint: tuple[Path, GPT2LMHeadModel], tmp_path: Path
) -> None:
    """Strange names, integers and numbers that are not finite are refused."""
    wte = "transformer.wte.weight"
    cases: list[tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = [
        (
            lambda a: a | {"score.weight": a[wte] + 1},
            "score.weight is no weight of a GPT-2 of 2 layers",
        ),
        (
            lambda a: a | {"wte.weight": a[wte] + 1},
            f"wte.weight stands twice, as {wte} and wte.weight",
        ),
        (
            lambda a: a | {wte: a[wte].int()},
            f"{wte} is not an array of float32 or float64 or float16 or bfloat16",
        ),
    ]
    for i, (change, message) in enumerate(cases):
        directory = shutil.copytree(checkpoint[0], tmp_path / str(i))
        rewrite(directory, change)
        with Refused(
            WeightsError, f"{directory / 'model.safetensors'}: {message}"
        ):
            load_gpt2(directory)
    directory = shutil.copytree(checkpoint[0], tmp_path / "nan")
    rewrite(
        directory,
        lambda a: (
            a
            | {
                "transformer.ln_f.bias": a["transformer.ln_f.bias"]
                * float("nan")
            }
        ),
    )
    with Refused(
        WeightsError,
        f"{directory}: ln_f.b holds a value that is not finite: nan",
    ):
        load_gpt2(directory)


def test_files_that_are_missing_or_damaged_are_refused(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every failure names its file, and the extra where one is missing."""
    path = copied / "tokenizer.json"
    whole = path.read_text()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with Refused(
        MissingExtraError,
        "byte pairs need the extra `gpt2`: pip install 'handcraft[gpt2]'",
    ):
        load_gpt2(copied)
    monkeypatch.undo()
    fields = json.loads(whole)
    for changes, message in [
        (
            {"model": {"type": ["BPE"]}},
            "its model is ['BPE']; BPE, WordLevel, WordPiece, Unigram are read",
        ),
        (
            {"model": {"type": "Unigram"}},
            (
                "not a tokenizer that the package tokenizers"
                f" {tokenizers.__version__} reads"
            ),
        ),
        (
            {"model": fields["model"] | {"dropout": 0.5}},
            "its dropout is 0.5: the same text would become other tokens each time",
        ),
    ]:
        path.write_text(json.dumps(fields | changes))
        with Refused(WeightsError, f"{path}: {message}"):
            load_gpt2(copied)
    path.unlink()
    (copied / "vocab.json").write_text('{"a": 0, "b": 0}')
    with Refused(
        WeightsError,
        f"{copied / 'vocab.json'}: its tokens must have one id each, from 0 on",
    ):
        load_gpt2(copied)
    (copied / "vocab.json").write_text('{"a": 0, "b": 1}')
    with Refused(WeightsError, f"{copied / 'merges.txt'} does not exist"):
        load_gpt2(copied)
    (copied / "model.safetensors").write_bytes(b"\x00")
    with Refused(
        WeightsError,
        f"{copied / 'model.safetensors'}: not a whole safetensors file: its header is"
        " cut off or too long",
    ):
        load_gpt2(copied)
