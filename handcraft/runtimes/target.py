"""What a runtime is to handcraft: the files it reads, and a way to run them that is not our model.

Rules of this file: plain values; each runtime is one module that makes one of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handcraft.errors import WeightsError
from handcraft.gpt2 import Array
from handcraft.model import Model
from handcraft.runtimes.norms import Norm
from handcraft.vocabulary import Vocabulary
from handcraft.weights import parse_json, read_bytes

MOST = 2**25  # bytes of a file of tokens
Files = dict[str, bytes]  # by their names inside the directory
Run = Callable[[Array], Array]  # ids [n_batch, n_seq] -> logits [n_batch, n_seq, n_vocab], float32


@dataclass(frozen=True)
class Runtime:
    """One runtime: what it is called, what is written for it, and how what was written is run again."""

    name: str
    norms: tuple[Norm, ...]  # what its layer norm can be made to be; the first is the default
    names: tuple[str, ...]  # of every file that it may write
    files: Callable[[Model, Norm], Files]
    run: Callable[[Path], Run]  # reads the directory; the check runs this against our own forward pass
    vocabulary: Callable[[Path], Vocabulary]  # reads the tokens, for the check as well


def stop_id(model: Model) -> int | None:
    """The id of the token that ends an answer, where the claim has one."""
    stop = getattr(model.program.claim, "stop", None) if model.program else None
    return None if stop is None else model.vocabulary.ids[stop]


def ids_to_bytes(model: Model) -> bytes:
    """The vocabulary as GPT-2 writes one: ids by token, in JSON."""
    return json.dumps(model.vocabulary.ids).encode()


def ids_in(name: str) -> Callable[[Path], Vocabulary]:
    """Reads such a file again. Raises WeightsError where its ids are not 0, 1, ... in order."""

    def read(directory: Path) -> Vocabulary:
        ids = parse_json(read_bytes(directory / name, MOST), MOST)
        if list(ids.values()) != list(range(len(ids))):
            raise WeightsError(f"{directory / name}: the ids are not 0, 1, ... in order")
        return Vocabulary(tuple(ids))

    return read


def arrays_to_bytes(arrays: Mapping[str, Array], metadata: dict[str, str] | None = None) -> bytes:
    """The arrays as the bytes of a safetensors file."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata)
