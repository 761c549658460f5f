"""The exceptions that handcraft raises for mistakes of an author or a user, as one tree.

    HandcraftError              the base of all; exit code 2
    ├── ProgramError            rules that do not form a program: has a path, a file and a line
    ├── PromptError             a prompt that the model cannot or must not answer
    ├── WeightsError            weights, or a weight file, that are damaged or do not fit
    ├── MissingExtraError       an optional package is not installed
    ├── ExportError             an exported file does not agree with the model; exit code 1
    ├── CheckpointError         a damaged or unsuitable file of an interrupted run
    ├── ClusterError            worker processes cannot be reached, or keep dying
    └── UndecidedError          a question that the given limits leave open; exit code 3

    AuthorWarning               beside the tree: a warning of Python's, not raised

Rules of this file: a message says what was found and what would work; code that knows the place
(program, layer, rule) adds it with `at`; nothing here prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from handcraft.core.nearest import nearest

_SURROGATE = re.compile("[\ud800-\udfff]")


class HandcraftError(Exception):
    """A mistake of an author or a user, which the command line shows as one error."""

    exit_code = 2


class ProgramError(HandcraftError, ValueError):
    """Rules that do not form a program.

    `path` leads from the program to the rule (`aab > layers[0] > query`); `source` is its file
    and line.
    """

    def __init__(
        self,
        message: str,
        path: tuple[str, ...] = (),
        source: object = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.source = source

    def at(self, *outer: str, source: object = None) -> ProgramError:
        """The same error with more steps at the front of its path, and a source if it had none."""
        return type(self)(
            self.message, (*outer, *self.path), self.source or source
        )

    def __str__(self) -> str:
        place = " > ".join(self.path)
        where = f" ({self.source})" if str(self.source or "") else ""
        return (
            f"{place}: {self.message}{where}"
            if place
            else f"{self.message}{where}"
        )


class AuthorWarning(UserWarning):
    """A program that is valid, but probably not what its author means."""


class PromptError(HandcraftError, ValueError):
    """A prompt that the model cannot or must not answer."""

    def of(self, what: str) -> PromptError:
        """The same error with the text that it is about in front."""
        return type(self)(f"{what}: {self}")


class WeightsError(HandcraftError, ValueError):
    """Weights, or a weight file, that are damaged or do not fit together.

    `file` is the file or folder that the message names, or None.
    """

    def __init__(self, message: str, file: Path | None = None) -> None:
        super().__init__(message)
        self.file = file

    def of(self, file: Path) -> WeightsError:
        """The same error with the file's name in front, unless it names one already."""
        return self if self.file else type(self)(f"{file}: {self}", file)


class MissingExtraError(HandcraftError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class UndecidedError(HandcraftError):
    """A question that the given limits leave open; the message names the limit."""

    exit_code = 3


class ExportError(HandcraftError):
    """An exported file that did not agree with the model and was removed; `check` has figures."""

    exit_code = 1

    def __init__(self, message: str, check: Mapping[str, object]) -> None:
        super().__init__(message)
        self.check = check


class CheckpointError(HandcraftError, ValueError):
    """A damaged or unsuitable file of an interrupted run."""


class ClusterError(HandcraftError, RuntimeError):
    """Worker processes that cannot be reached, or keep dying."""


def hint(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'token:a'?` where a known name is similar, else the empty string."""
    near = nearest(name, known)
    return "" if near is None else f"; did you mean {in_quotes(near)}?"


def in_quotes(text: str) -> str:
    """The text, printable, in single quotes, or in double quotes where it holds a single one."""
    mark = '"' if "'" in text and '"' not in text else "'"
    return f"{mark}{printable(text)}{mark}"


def listing(names: Iterable[str], most: int = 12) -> str:
    """The names as a text for a message, at most the first few."""
    shown = [printable(name) for name in names]
    rest = f", ... ({len(shown)} in all)" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest


def either(names: Iterable[str]) -> str:
    """The names as alternatives: `a`, `a or b`, `a, b or c`."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def printable(text: str) -> str:
    r"""The text with every control, format and unassigned character written as \xNN or \uNNNN.

    Token names come from other people's files and are shown in terminals and pages, where escape
    sequences, C1 controls and bidirectional marks must be visible characters.
    """
    if text.isprintable():  # nearly every text is
        return text
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def clipped(text: str) -> str:
    """The text, printable, at most its first 60 characters."""
    return printable(text if len(text) <= 60 else text[:60] + "...")


def unwritable(texts: Iterable[str]) -> str | None:
    """The error of the first text that UTF-8 cannot write, so that no file or terminal can hold it;
    None where there is none.
    """
    for text in texts:
        if _SURROGATE.search(text):
            return (
                f"'{printable(text)[:60]}' holds half of a surrogate pair, which no file"
                " can hold; write whole characters"
            )
    return None


def _escaped(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
