"""Checkpoints as transformers writes them: tokens, logits, and changes to their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    trainers,
)
from transformers import GPT2Config, GPT2LMHeadModel

from handcraft.core.gpt2 import Array

SENTENCES = [
    "The cat sat on the mat.",
    "The dog sat on the cat, and the cat was not amused.",
    "Où est le chat?",
]
END = "<|endoftext|>"


def byte_pairs(n: int = 280) -> Tokenizer:
    """A byte-level BPE like GPT-2's, trained on a few sentences."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=n,
        initial_alphabet=alphabet,
        special_tokens=[END],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def words(tokens: list[str], pattern: str | None = None) -> Tokenizer:
    """A table of words, cut by the longest that matches."""
    tokenizer = Tokenizer(
        models.WordLevel(
            {token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"
        )
    )
    escaped = [
        "".join(c if c.isalnum() else "\\" + c for c in token)
        for token in sorted(tokens, key=len, reverse=True)
    ]
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        Regex(pattern or "|".join(escaped)), "isolated"
    )
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def written(
    directory: Path, tokenizer: Tokenizer, **config: Any
) -> GPT2LMHeadModel:
    """A randomly initialised GPT-2 with these tokens, written by transformers."""
    torch.manual_seed(0)
    small = {
        "n_embd": 16,
        "n_head": 2,
        "n_layer": 2,
        "n_positions": 16,
        "initializer_range": 0.3,
    } | config
    n = tokenizer.get_vocab_size()
    theirs = GPT2LMHeadModel(
        GPT2Config(vocab_size=n, bos_token_id=0, eos_token_id=0, **small)
    ).eval()
    theirs.save_pretrained(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    return theirs


def logits(theirs: GPT2LMHeadModel, ids: list[int]) -> Array:
    """The logits of transformers: [n_seq] -> [n_seq, n_vocab]."""
    with torch.no_grad():
        return theirs(torch.tensor([ids])).logits[0].numpy()


def greedy(theirs: GPT2LMHeadModel, ids: list[int], n: int) -> list[int]:
    """The tokens that transformers adds, with its own cache, none of them an end."""
    found = theirs.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids)),
        max_new_tokens=n,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return found[0, len(ids) :].tolist()


def configure(directory: Path, **changes: Any) -> None:
    """Change fields of config.json; ... removes one."""
    path = directory / "config.json"
    fields = json.loads(path.read_text()) | changes
    path.write_text(
        json.dumps(
            {key: value for key, value in fields.items() if value is not ...}
        )
    )


def rewrite(
    directory: Path,
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
) -> None:
    """Write the arrays again, changed."""
    path = str(directory / "model.safetensors")
    save_file(
        {
            name: tensor.contiguous()
            for name, tensor in change(load_file(path)).items()
        },
        path,
    )
