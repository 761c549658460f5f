"""Checkpoints of Hugging Face's GPT-2: transformers writes them and computes them, our forward pass
must agree.

Run with transformers, torch and tokenizers installed; without them these tests fail.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import (
    byte_pairs,
    configure,
    greedy,
    logits,
    rewrite,
    words,
    written,
)
from conftest import Refused
from tokenizers import models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel

from handcraft import Model
from handcraft.core.errors import WeightsError
from handcraft.runtimes.loading import load_gpt2

pytest_plugins = ["checkpoint_fixtures"]

# ---------------------------------------------------------------- the same model


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"activation_function": "relu"},
        {"layer_norm_epsilon": 0.1},
        {"n_inner": 7, "n_head": 4},
    ],
)
def test_logits_and_tokens_are_those_of_transformers(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    """Sizes, activation and epsilon come from config.json; logits and greedy tokens are those
    of transformers.
    """
    theirs = written(tmp_path / "tiny", byte_pairs(), **config)
    model = load_gpt2(tmp_path / "tiny")
    assert (model.name, model.n_layer, model.n_ctx, model.program) == (
        "tiny",
        2,
        16,
        None,
    )
    ids = model.ids("The cat sat")
    np.testing.assert_allclose(
        model("The cat sat"), logits(theirs, ids), rtol=0, atol=1e-4
    )
    expected = greedy(theirs, ids, 16 - len(ids))
    assert model.generate(
        "The cat sat", len(expected)
    ) == model.vocabulary.decode(expected)
    assert model.generate(
        "The cat sat", len(expected), cached=False
    ) == model.vocabulary.decode(expected)


def test_a_model_of_the_size_of_gpt2(tmp_path: Path) -> None:
    """With 124 million weights in 12 layers, logits and 20 greedy tokens are those of
    transformers.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = byte_pairs()
    tokenizer.model = models.BPE(
        {
            name: i
            for i, name in enumerate(
                [*letters, *(f"<{i}>" for i in range(256, 50257))]
            )
        },
        [],
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    torch.manual_seed(1)
    theirs = GPT2LMHeadModel(GPT2Config()).eval()
    theirs.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(
        json.dumps(json.loads(tokenizer.to_str()) | {"added_tokens": []})
    )
    model = load_gpt2(tmp_path)
    assert (
        model.n_layer,
        model.n_embd,
        model.n_ctx,
        len(model.vocabulary),
    ) == (
        12,
        768,
        1024,
        50257,
    )
    assert model.parameters["dense"] == 124_439_808
    ids = np.random.default_rng(0).integers(0, 50257, 60).tolist()
    np.testing.assert_allclose(
        model(ids), logits(theirs, ids), rtol=0, atol=1e-4
    )
    assert model.generate(ids, 20) == model.vocabulary.decode(
        greedy(theirs, ids, 20)
    )


def test_every_number_has_a_name(
    checkpoint: tuple[Path, GPT2LMHeadModel],
) -> None:
    """A trace shows the tokens as the file spells them, and the hidden states of transformers."""
    directory, theirs = checkpoint
    model = load_gpt2(directory)
    trace = model.trace("The cat")
    assert trace.tokens == ["The", "Ġcat"]
    with torch.no_grad():
        states = theirs(
            torch.tensor([model.ids("The cat")]), output_hidden_states=True
        ).hidden_states
    for state, name in zip(
        states,
        ["blocks.0.resid_pre", "blocks.1.resid_pre", "resid_final"],
        strict=True,
    ):
        np.testing.assert_allclose(
            trace.arrays[name], state[0].numpy(), rtol=0, atol=1e-5
        )


def test_names_of_the_first_release(
    checkpoint: tuple[Path, GPT2LMHeadModel], copied: Path
) -> None:
    """Without the prefix, with the causal masks and a tied lm_head in the file, and n_ctx, it
    is the same model.
    """
    mask = torch.tril(torch.ones(1, 1, 16, 16))

    def older(arrays: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        plain = {
            name.removeprefix("transformer."): tensor
            for name, tensor in arrays.items()
        }
        masks = {f"h.{i}.attn.bias": mask.to(torch.uint8) for i in range(2)} | {
            "h.0.attn.masked_bias": torch.tensor(-1e4)
        }
        return plain | masks | {"lm_head.weight": plain["wte.weight"].clone()}

    rewrite(copied, older)
    configure(copied, n_ctx=16, tie_word_embeddings=...)
    assert (
        load_gpt2(copied)("The cat").tobytes()
        == load_gpt2(checkpoint[0])("The cat").tobytes()
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(
    checkpoint: tuple[Path, GPT2LMHeadModel], copied: Path, dtype: torch.dtype
) -> None:
    """Weights in float16 or bfloat16 become the float32 numbers that they are."""
    rewrite(
        copied,
        lambda arrays: {
            name: tensor.to(dtype) for name, tensor in arrays.items()
        },
    )
    model = load_gpt2(copied)
    assert model.dtype == "float32"
    expected = (
        checkpoint[1]
        .transformer.h[1]
        .mlp.c_fc.weight.detach()
        .to(dtype)
        .to(torch.float32)
        .numpy()
    )
    assert (model.weights["blocks"][1]["mlp"]["c_fc"]["w"] == expected).all()


# ---------------------------------------------------------------- what is refused


def test_links_of_a_cache_are_followed(
    checkpoint: tuple[Path, GPT2LMHeadModel], tmp_path: Path
) -> None:
    """Hugging Face's cache links to its files; reading follows."""
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).symlink_to(checkpoint[0] / name)
    assert (
        load_gpt2(tmp_path)("The").tobytes()
        == load_gpt2(checkpoint[0])("The").tobytes()
    )


def test_another_epsilon_is_never_ignored(tmp_path: Path) -> None:
    """What knows only GPT-2's epsilon refuses another: a built directory, and a model that is
    verified.
    """
    written(tmp_path, words(["a", "b"]), layer_norm_epsilon=0.1)
    model = load_gpt2(tmp_path)
    assert model.config["epsilon"] == 0.1
    with Refused(
        WeightsError,
        "the layer norms of a built directory have epsilon 1e-05, this model's"
        " have 0.1",
    ):
        model.save(tmp_path / "built")
    with Refused(
        WeightsError,
        "the layer norms of a program's model have epsilon 1e-05, found 0.1",
    ):
        Model.open("aab").replace(epsilon=0.1)
    with Refused(
        WeightsError, "epsilon must be finite and not negative, found nan"
    ):
        model.replace(epsilon=float("nan"))
