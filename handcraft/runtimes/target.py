"""Defines the interface of a runtime: the files it reads, and a way to run them without our Model.

Rules of this file: plain values; each runtime is a module with one `Runtime`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from handcraft.core.errors import ProgramError, WeightsError
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import parse_json, read_bytes
from handcraft.files.tokenizer_file import MAX_VOCABULARY_BYTES, in_order
from handcraft.model import Model
from handcraft.runtimes.norms import Norm

Files = dict[str, bytes]  # by their names inside the directory
# ids [n_batch, n_seq] -> logits [n_batch, n_seq, n_vocab], float32
Run = Callable[[Array], Array]


@dataclass(frozen=True)
class Trial:
    """A prompt, and the tokens that the model says to it.

    clear  True if each of them is ahead of any other; else another may be said
    """

    prompt: str
    tokens: tuple[str, ...]  # of the prompt
    new: int  # how many tokens are said
    says: str
    clear: bool


def _whole(_: Model, text: str) -> str:
    return text


def _joined(model: Model, ids: Iterable[int]) -> str:
    return "".join(model.vocabulary.tokens[i] for i in ids)


@dataclass(frozen=True)
class Card:
    """What a model card needs to know of a runtime.

    library, tags  as the hub of Hugging Face names them
    installs       what `pip install` needs, for the code
    usage          the code that continues an example's prompt, and prints what follows
    shown          how much of what the model says the runtime shows
    spelled        the text of ids there: most join the names of the tokens
    """

    library: str
    tags: tuple[str, ...]
    installs: tuple[str, ...]
    usage: Callable[[Model, Norm, Trial], str]
    shown: Callable[[Model, str], str] = _whole
    spelled: Callable[[Model, Iterable[int]], str] = _joined


@dataclass(frozen=True)
class Runtime:
    """One runtime: its name, what is written for it, and how the files are run again."""

    name: str
    norms: tuple[Norm, ...]  # that it can run with; the first is the default
    names: tuple[str, ...]  # of every file that it may write
    files: Callable[[Model, Norm], Files]
    run: Callable[
        [Path], Run
    ]  # reads the directory, to be compared with our own pass
    vocabulary: Callable[
        [Path], Vocabulary
    ]  # reads the tokens, to be compared as well
    card: Card


def check_gelu_and_mask(model: Model, runtime: str) -> None:
    """Raise ProgramError for a model with relu, or without a causal mask, where a runtime has gelu
    and the mask built in.
    """
    if model.activation != "gelu" or not model.causal:
        raise ProgramError(
            f"{runtime} has gelu and a causal mask; build the program with"
            " activation='gelu' and causal=True"
        )


def check_temporary(runtime: str) -> None:
    """Raise WeightsError where the machine has no folder for temporary files, which some packages
    need as soon as they are imported.
    """
    try:
        tempfile.gettempdir()
    except OSError:
        raise WeightsError(
            f"{runtime} needs a folder for temporary files, and there is none; set"
            " TMPDIR to one that can be written"
        ) from None


def stop_id(model: Model) -> int | None:
    """The id of the token that ends an answer, where the claim has one."""
    claim = model.program.claim if model.program else None
    stop = claim.stop_token if claim else None
    return None if stop is None else model.vocabulary.ids[stop]


def without_stop(model: Model, text: str) -> str:
    """The text as a runtime shows it that hides the token which ends an answer."""
    stop = stop_id(model)
    return (
        text
        if stop is None
        else text.removesuffix(model.vocabulary.tokens[stop])
    )


def as_code(value: str | tuple[str, ...]) -> str:
    """A text or texts as Python code; letters that cannot be printed are escaped."""
    return ascii(list(value) if isinstance(value, tuple) else value)


def ids_to_bytes(model: Model) -> bytes:
    """The vocabulary as GPT-2 writes one: ids by token, in JSON."""
    return json.dumps(model.vocabulary.ids).encode()


def ids_in(name: str) -> Callable[[Path], Vocabulary]:
    """A function that reads such a file again. It raises WeightsError for ids with a gap."""

    def read(directory: Path) -> Vocabulary:
        data = read_bytes(directory / name, MAX_VOCABULARY_BYTES)
        return Vocabulary(in_order(parse_json(data, MAX_VOCABULARY_BYTES)))

    return read
