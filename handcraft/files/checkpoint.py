"""Reads a directory of a GPT-2 as Hugging Face writes it, without torch.

    config.json          sizes, activation, epsilon: checkpoint_config.py
    model.safetensors    the arrays, or shards of them: checkpoint_arrays.py
    tokenizer.json       or vocab.json with merges.txt: tokenizer_file.py

Rules of this file: the files come from others, so nothing is executed, and the config, the arrays
and the tokens must agree; every failure names its file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from handcraft.core.errors import HandcraftError, WeightsError
from handcraft.core.gpt2 import Activation, Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import MAX_JSON, parse_json
from handcraft.files.checkpoint_arrays import read_arrays
from handcraft.files.checkpoint_config import (
    ACTIVATION,
    CONFIG_JSON,
    checked_config,
)
from handcraft.files.checkpoint_place import (
    check_place,
    checkpoint_title,
    read_part,
)
from handcraft.files.file_tokens import padded
from handcraft.files.tokenizer_file import read_vocabulary


@dataclass(frozen=True)
class Checkpoint:
    """The parts of a GPT-2: its arrays under our names, its tokens, and how they are run."""

    name: str
    arrays: dict[str, Array]
    vocabulary: Vocabulary
    n_head: int
    activation: Activation
    epsilon: float


def read_checkpoint(
    directory: Path, tokens: Sequence[str] | None = None
) -> Checkpoint:
    """The parts of a checkpoint; `tokens`, in the order of their ids, take the place of its
    tokenizer.

    Raises WeightsError, with the file's name, for a checkpoint that is incomplete or not a GPT-2,
    and MissingExtraError where its tokens need the extra `gpt2`.
    """
    check_place(directory)
    path = directory / CONFIG_JSON
    try:
        config = checked_config(parse_json(read_part(path, MAX_JSON)))
    except WeightsError as error:
        raise error.of(path) from None
    n_vocab = config["vocab_size"]
    arrays = read_arrays(directory, config)
    return Checkpoint(
        checkpoint_title(directory),
        arrays,
        read_vocabulary(directory, n_vocab)
        if tokens is None
        else _given(tokens, n_vocab),
        config["n_head"],
        ACTIVATION[config["activation_function"]],
        float(config["layer_norm_epsilon"]),
    )


def _given(tokens: Sequence[str], n_vocab: int) -> Vocabulary:
    """The vocabulary of the tokens that the caller gave."""
    if isinstance(tokens, str | set | frozenset | dict) or not isinstance(
        tokens, Sequence
    ):
        raise WeightsError(
            "tokens= takes a list of tokens in the order of their ids, found"
            f" {type(tokens).__name__}"
        )
    try:
        return padded(Vocabulary(tuple(tokens)), n_vocab)
    except WeightsError:
        raise
    except HandcraftError as error:
        raise WeightsError(f"tokens=: {error}") from None
