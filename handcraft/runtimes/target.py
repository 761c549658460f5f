"""What a runtime is to handcraft: the files it reads, and a way to run them that is not our model.

Rules of this file: plain values; each runtime is one module that makes one of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import parse_json, read_bytes
from handcraft.model import Model
from handcraft.runtimes.byte_pairs import MAX_VOCABULARY_BYTES, in_order
from handcraft.runtimes.norms import Norm

Files = dict[str, bytes]  # by their names inside the directory
Run = Callable[
    [Array], Array
]  # ids [n_batch, n_seq] -> logits [n_batch, n_seq, n_vocab], float32


@dataclass(frozen=True)
class Runtime:
    """One runtime: what it is called, what is written for it, and how what was written is run
    again.
    """

    name: str
    norms: tuple[
        Norm, ...
    ]  # what its layer norm can be made to be; the first is the default
    names: tuple[str, ...]  # of every file that it may write
    files: Callable[[Model, Norm], Files]
    run: Callable[
        [Path], Run
    ]  # reads the directory; the check runs this against our own forward pass
    vocabulary: Callable[[Path], Vocabulary]  # reads the tokens, for the check as well


def check_gelu_and_mask(model: Model, runtime: str) -> None:
    """Raises ProgramError for what a runtime with both built in does not compute: relu, or
    attention without a mask.
    """
    if model.activation != "gelu" or not model.causal:
        raise ProgramError(
            f"{runtime} has gelu and a causal mask; build the program with"
            " activation='gelu' and causal=True"
        )


def stop_id(model: Model) -> int | None:
    """The id of the token that ends an answer, where the claim has one."""
    claim = model.program.claim if model.program else None
    stop = claim.stop_token if claim else None
    return None if stop is None else model.vocabulary.ids[stop]


def ids_to_bytes(model: Model) -> bytes:
    """The vocabulary as GPT-2 writes one: ids by token, in JSON."""
    return json.dumps(model.vocabulary.ids).encode()


def ids_in(name: str) -> Callable[[Path], Vocabulary]:
    """Reads such a file again. Raises WeightsError where its ids are not 0, 1, ..."""
    return lambda directory: Vocabulary(
        in_order(
            parse_json(
                read_bytes(directory / name, MAX_VOCABULARY_BYTES), MAX_VOCABULARY_BYTES
            )
        )
    )
