"""Makes examples of a text, or of a short sequence whose windows are one batch.

A text is cut in two: a model is trained on the windows of the first part and held to the last
tenth. The tokens are the characters of the first part; one that the rest alone has could not even
be read, and is an error. With `batch="all"` the windows of a text are counted, and each that
differs is one row with its number as weight: the same loss, on all of the text at once.

Rules of this file: a text is UTF-8, and no character of it is left out or changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handcraft.core.errors import (
    ProgramError,
    PromptError,
    WeightsError,
    in_quotes,
    printable,
)
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import read_bytes
from handcraft.training.examples import ExampleRows, Examples, Windows

MAX_TEXT = 2**28  # bytes of a text
MOST_DISTINCT = 2**22  # numbers of the windows that are counted_windows


@dataclass(frozen=True)
class Data:
    """What a model is trained on: its tokens, the rows, and those that it is held to."""

    name: str
    vocabulary: Vocabulary
    examples: Examples
    held_out: Examples | None = None


def read_text(path: Path) -> str:
    """The text of a file. Raises ProgramError for one that is empty or no UTF-8."""
    shown = printable(str(path))
    try:
        data = read_bytes(path, MAX_TEXT)
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProgramError(
            f"{shown} is no text: byte {error.start} is no UTF-8"
        ) from None
    except WeightsError as error:  # of read_bytes, which names the file
        raise ProgramError(str(error)) from None
    if not text:
        raise ProgramError(f"{shown} is empty; a text to train on is needed")
    return text


def of_text(
    name: str,
    text: str,
    window: int,
    *,
    held_out: float = 0.1,
    together: bool = False,
    vocabulary: Vocabulary | None = None,
) -> Data:
    """The windows of a text, with its last tenth (or another share) held out.

    together    True if all windows are one batch
    vocabulary  that of a model that is trained on; by default the characters of the text
    Raises ProgramError for a part that is shorter than a window and the token after it, and for a
    character that only the held-out part has.
    """
    shown = printable(name)
    if not 0 <= held_out < 1:
        raise ProgramError(
            f"the held-out share must be from 0 to below 1, found {held_out:g}"
        )
    if window < 1:
        raise ProgramError(
            f"{shown}: a window has at least 1 token, found {window}"
        )
    cut = len(text) - int(len(text) * held_out)
    if vocabulary is None:
        vocabulary = Vocabulary(tuple(sorted(set(text[:cut]))))
        _check_characters(shown, text, cut, vocabulary)
    first = _ids(shown, text[:cut], vocabulary)
    _check_length(
        shown,
        first,
        window,
        "the text" if cut == len(text) else "its first part",
    )
    examples = Windows(first, window)
    if together:
        return Data(
            name,
            vocabulary,
            counted_windows(shown, examples),
            _rest(shown, text[cut:], vocabulary, window),
        )
    return Data(
        name, vocabulary, examples, _rest(shown, text[cut:], vocabulary, window)
    )


def _rest(
    shown: str, text: str, vocabulary: Vocabulary, window: int
) -> Windows | None:
    """The windows of the held-out part; None where there is none."""
    if not text:
        return None
    ids = _ids(shown, text, vocabulary)
    _check_length(shown, ids, window, "its held-out part")
    return Windows(ids, window)


def _ids(shown: str, text: str, vocabulary: Vocabulary) -> Array:  # -> [n]
    try:
        return np.array(vocabulary.encode(text), dtype="int32")
    except PromptError as error:
        raise ProgramError(f"{shown}: {error}") from None


def _check_length(shown: str, ids: Array, window: int, part: str) -> None:
    if len(ids) <= window:
        raise ProgramError(
            f"{shown}: {part} has {len(ids):,} tokens, and a window of {window} with the"
            f" token after it needs {window + 1}; a shorter --window or a longer text"
            " works"
        )


def _check_characters(
    shown: str, text: str, cut: int, vocabulary: Vocabulary
) -> None:
    """Raise ProgramError for the first character that the held-out part alone has."""
    known = vocabulary.ids
    at = next((i for i in range(cut, len(text)) if text[i] not in known), None)
    if at is None:
        return
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    raise ProgramError(
        f"{shown}, line {line}, column {column}: {in_quotes(text[at])} stands in the"
        " held-out part alone, so that no model could learn it; remove it, or train on"
        " all of the text with --held-out 0"
    )


def counted_windows(shown: str, examples: Windows) -> ExampleRows:
    """The windows that differ, each with its number as weight. Raises ProgramError for too many."""
    n = examples.n_seq + 1
    if len(examples.ids) * n > 2**27:
        raise ProgramError(
            f"{shown}: {examples.size:,} windows of {n - 1} are too many for one batch;"
            " name a number with --batch"
        )
    every = np.lib.stride_tricks.sliding_window_view(examples.ids, n)
    rows, many = np.unique(every, axis=0, return_counts=True)
    if rows.size > MOST_DISTINCT:
        raise ProgramError(
            f"{shown}: {len(rows):,} windows of {n - 1} differ, too many for one batch;"
            " name a number with --batch, or take a shorter --window"
        )
    share = np.repeat(many[:, None] / many.sum(), n - 1, axis=1)
    return ExampleRows(
        "token", rows[:, :-1], rows[:, 1:], share.astype("float32")
    )


def of_sequence(
    sequence: str, window: int, vocabulary: Vocabulary | None = None
) -> Data:
    """The windows of a short sequence, asked for the token after them: one batch, no rest.

    Raises ProgramError for a window that is 0 or as long as the sequence.
    """
    shown = in_quotes(
        sequence if len(sequence) <= 40 else f"{sequence[:40]}..."
    )
    if not sequence:
        raise ProgramError("the sequence is empty; --sequence 0110 works")
    if window < 1:
        raise ProgramError(
            f"{shown}: a window has at least 1 token, found {window}"
        )
    vocabulary = vocabulary or Vocabulary(tuple(sorted(set(sequence))))
    ids = _ids(shown, sequence, vocabulary)
    _check_length(shown, ids, window, "the sequence")
    rows = np.lib.stride_tricks.sliding_window_view(ids, window + 1)
    asked = np.zeros((len(rows), window), "float32")
    asked[:, -1] = 1
    table = ExampleRows("token", rows[:, :-1].copy(), rows[:, 1:].copy(), asked)
    return Data("sequence", vocabulary, table)
