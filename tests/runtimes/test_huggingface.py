"""The gpt2 directory in Hugging Face's own classes: loaded whole, continued rightly, and
refused clearly.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from runners import transformers
from transformers import AutoTokenizer, GPT2LMHeadModel, pipeline
from transformers.utils import logging

from handcraft.claims.prompt_claim import Answers
from handcraft.files.bundled import by_hand
from handcraft.model import Model
from handcraft.runtimes import export
from handcraft.runtimes.agreement import compare_runtime

logging.disable_progress_bar()


def exported(name: str, folder: Path, **options: Any) -> tuple[Model, Path]:
    """A bundled program and its directory."""
    model = Model.open(name)
    export(model, "gpt2", folder / name, **options)
    return model, folder / name


@pytest.mark.parametrize("name", by_hand())
def test_the_tokenizer_is_the_vocabulary(name: str, tmp_path: Path) -> None:
    """The ids of prompts, and of any tokens in a row, are those of our own vocabulary; decoding
    gives the text back.
    """
    model, directory = exported(name, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    random = Random(5)
    texts = [
        "".join(
            random.choices(
                model.vocabulary.tokens, k=random.randint(1, model.n_ctx)
            )
        )
        for _ in range(50)
    ]
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        assert ids == model.vocabulary.encode(text)
        assert tokenizer.decode(ids) == text


def test_every_weight_is_loaded(tmp_path: Path) -> None:
    """from_pretrained misses no array and finds none that it does not know."""
    _, directory = exported("nim", tmp_path)
    _, notes = GPT2LMHeadModel.from_pretrained(
        directory, output_loading_info=True
    )
    found = {
        key: set(value) for key, value in notes.items() if key.endswith("_keys")
    }
    assert found
    assert not any(found.values())


def test_a_pipeline_continues_aab(tmp_path: Path) -> None:
    """Three lines of anyone's Python, and nothing of handcraft; it ends where the window does."""
    _, directory = exported("aab", tmp_path)
    generate = pipeline("text-generation", str(directory))
    assert generate("aab") == [{"generated_text": "aabaab"}]
    assert generate("abaab") == [{"generated_text": "abaaba"}]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in by_hand()
        if isinstance(Model.open(name).program.claim, Answers)
    ],
)  # type: ignore[union-attr]
def test_a_pipeline_answers(name: str, tmp_path: Path) -> None:
    """A prompt of each claim gets our own answer first; where the claim has a stop token, the
    answer ends there, and transformers does not show it.
    """
    model, directory = exported(name, tmp_path)
    claim = model.program.claim  # type: ignore[union-attr]
    prompt = claim.language(model.n_ctx, model.vocabulary).draw(Random(9))
    found = pipeline("text-generation", str(directory))(
        prompt, return_full_text=False
    )[0]["generated_text"]
    if claim.stop is not None and not isinstance(claim.length, int):
        assert found + claim.stop == model.generate(prompt)
    ours = model.generate(prompt).removesuffix(claim.stop or "")
    assert found.startswith(ours)


def test_an_unknown_letter_is_an_error(tmp_path: Path) -> None:
    """The table of words has no word for it, and says so."""
    _, directory = exported("aab", tmp_path)
    with pytest.raises(
        Exception,
        match=r"WordLevel error: Missing \[UNK\] token from the vocabulary",
    ):
        AutoTokenizer.from_pretrained(directory)("axb")


def test_a_prompt_past_the_window_is_an_error(tmp_path: Path) -> None:
    """generation_config.json bounds the length: a ValueError that names it, before torch's
    IndexError.
    """
    _, directory = exported("aab", tmp_path)
    generate = pipeline("text-generation", str(directory))
    with pytest.raises(
        ValueError,
        match="Input length of input_ids is 6, but `max_length` is set to 6",
    ):
        generate("aabaab")
    with pytest.raises(IndexError):
        transformers(directory)(torch.zeros((1, 6), dtype=torch.int64).numpy())


@pytest.mark.parametrize(
    "name", ["aab", "adder", "fizzbuzz", "sort", "trigram"]
)
def test_the_quiet_norm_keeps_every_field_stock(
    name: str, tmp_path: Path
) -> None:
    """`--norm quiet`: epsilon 1e-5, as GPT-2 has it, and no other token."""
    model, directory = exported(name, tmp_path, norm="quiet")
    assert (
        GPT2LMHeadModel.from_pretrained(directory).config.layer_norm_epsilon
        == 1e-5
    )
    assert (
        compare_runtime(model, transformers(directory)).argmax_disagreements
        == 0
    )
