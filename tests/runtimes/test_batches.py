"""Texts of unequal length in one batch of transformers: each is continued as it is alone, and as
our own model continues it.

The files of a program with a stop token name it as the padding. Without one any token will do,
named after loading: the mask says what is padding.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from conftest import bundled_model
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline
from transformers.utils import logging

from handcraft import Head, Program, answers, position, token
from handcraft.claims.prompt_claim import Answers
from handcraft.files.bundled import by_hand
from handcraft.model import Model
from handcraft.runtimes.huggingface import RUNTIME
from handcraft.runtimes.norms import MIRROR, QUIET, Norm

logging.disable_progress_bar()


def prompts_of(model: Model) -> list[str]:
    """Two prompts, the first shorter where there are such."""
    claim = model.program.claim  # type: ignore[union-attr]
    random = Random(3)
    if isinstance(claim, Answers):
        language = claim.language(model.n_ctx, model.vocabulary)
        found = {language.draw(random) for _ in range(30)}
    else:
        tokens = model.vocabulary.tokens
        longest = max(1, model.n_ctx - 1)
        found = {
            "".join(random.choices(tokens, k=random.randint(1, longest)))
            for _ in range(30)
        }
    ordered = sorted(found, key=lambda text: (len(model.ids(text)), text))
    return [ordered[len(ordered) // 4], ordered[-1]]


def written(model: Model, directory: Path, norm: Norm = MIRROR) -> Path:
    """The directory of a model's files."""
    directory.mkdir()
    for name, data in RUNTIME.files(model, norm).items():
        (directory / name).write_bytes(data)
    return directory


def loaded(model: Model, directory: Path, norm: Norm = MIRROR) -> Any:
    """The pipeline of a model; a token for the padding where the files name none."""
    written(model, directory, norm)
    generate = pipeline("text-generation", str(directory))
    if generate.tokenizer.pad_token is None:
        generate.tokenizer.pad_token = model.vocabulary.tokens[0]
    return generate


def said(generate: Any, texts: str | list[str], **options: Any) -> list[str]:
    """What follows each text."""
    found = generate(texts, return_full_text=False, **options)
    return [
        row["generated_text"]
        for one in found
        for row in (one if isinstance(one, list) else [one])
    ]


def stop_of(model: Model) -> str:
    claim = model.program.claim  # type: ignore[union-attr]
    return (claim.stop_token if claim else None) or ""


@pytest.mark.parametrize("name", by_hand())
def test_a_batch_is_each_of_its_texts(name: str, tmp_path: Path) -> None:
    """As many tokens as fit behind the longer one; the stop token ends each answer, and is not
    shown.
    """
    model = bundled_model(name)
    generate, texts = loaded(model, tmp_path / "out"), prompts_of(model)
    lengths = [len(model.ids(text)) for text in texts]
    room = model.n_ctx + 1 - max(lengths)
    both = said(generate, texts, batch_size=2)
    alone = [said(generate, text)[0] for text in texts]
    for text, one, found in zip(texts, alone, both, strict=True):
        assert model.vocabulary.encode(one)[:room] == model.vocabulary.encode(
            found
        )
        if stop_of(model):
            assert one + stop_of(model) == model.generate(text)
            assert len(found) == len(one)  # nothing is cut here
    if isinstance(model.program.claim, Answers):  # type: ignore[union-attr]
        for text, one in zip(texts, alone, strict=True):
            ours = model.generate(text).removesuffix(stop_of(model))
            assert one.startswith(ours)


@pytest.mark.parametrize("norm", [MIRROR, QUIET], ids=lambda norm: norm.name)
def test_the_padding_within_a_text_counts(norm: Norm, tmp_path: Path) -> None:
    """Reverse ends with ^, which is the padding, and begins every prompt."""
    generate = loaded(bundled_model("reverse"), tmp_path / "out", norm)
    assert generate.tokenizer.pad_token == "^"
    found = said(generate, ["^a=", "^abcdefgh=", "^="], batch_size=3)
    assert found == ["a", "hgfedcba", ""]


def test_any_token_can_be_the_padding(tmp_path: Path) -> None:
    """aab: every token is one that is also read and said."""
    written(bundled_model("aab"), tmp_path / "out")
    generate = pipeline("text-generation", str(tmp_path / "out"))
    with pytest.raises(
        ValueError, match="without pad_token cannot do batching"
    ):
        generate(["a", "aab"], batch_size=2)
    for pad in "ab":
        generate.tokenizer.pad_token = pad
        found = said(generate, ["ab", "aab"], batch_size=2, max_new_tokens=3)
        assert found == ["aab", "aab"]


def test_ids_without_a_mask_are_all_read(tmp_path: Path) -> None:
    """Transformers takes the padding of generation_config.json for padding wherever it stands in
    ids without a mask; so there is none, or it is the stop token.
    """
    for name, text in (("aab", "aa"), ("reverse", "^ab=")):
        model = bundled_model(name)
        written(model, tmp_path / name)
        gpt = AutoModelForCausalLM.from_pretrained(tmp_path / name)
        ids = model.ids(text)
        with torch.no_grad():
            found = gpt.generate(torch.tensor([ids]), max_new_tokens=3)[0]
        ours = model.vocabulary.encode(model.generate(text, 3))
        assert found.tolist() == [*ids, *ours]


def test_a_stop_token_within_other_tokens_is_no_padding(tmp_path: Path) -> None:
    """Transformers would cut it out of the longer one; a batch of unequal lengths is refused, and
    one text is as right as ever.
    """
    p, t = position(4), token(["x", "a", "xa"])
    copy = Head(query={p[0]: 1024}, value=t, adds=1024 * t)
    claim = answers("x", lambda _: "a", stop="a")
    program = Program(
        name="shared", embedding=(p, t), layers=(copy,), claim=claim, n_ctx=4
    )
    written(program.build(), tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.pad_token is None
    assert tokenizer("xaxa")["input_ids"] == [2, 2]


def test_a_batch_ends_at_the_window_of_its_longest_text(tmp_path: Path) -> None:
    """As documented: the others end there too."""
    generate = loaded(bundled_model("aab"), tmp_path / "out")
    assert said(generate, ["a", "aab"], batch_size=2) == ["baa", "aab"]
    assert said(generate, "a") == ["baaba"]
