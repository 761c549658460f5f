"""Everything that can go wrong, as one tree of exceptions.

    HandcraftError              whatever an author or a user can cause; exit code 2
    ├── ProgramError            rules that do not form a program: carries path, file and line
    ├── PromptError             a prompt that the model cannot or must not answer
    ├── WeightsError            a weight dict or a weight file that is not what it should be
    ├── MissingExtraError       an optional package is not installed
    ├── ExportError             what was written for a runtime does not agree with the model;
                                exit code 1
    ├── CheckpointError         a file of an interrupted run that is not what it should be
    ├── ClusterError            processes that count for us cannot be reached, or keep dying
    └── UndecidedError          a question that the given limits leave open; exit code 3

Rules of this file: a message says what was found and what would work; whoever knows the place
(program, layer, rule) adds it with `at`; nothing here prints.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path


class HandcraftError(Exception):
    """Whatever an author or a user can cause. The command line shows it as one clear error."""

    exit_code = 2


class ProgramError(HandcraftError, ValueError):
    """Rules that do not form a program.

    `path` leads from the program to the rule (`aab > layers[0] > query`); `source` is its file
    and line.
    """

    def __init__(
        self, message: str, path: tuple[str, ...] = (), source: object = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.source = source

    def at(self, *outer: str, source: object = None) -> ProgramError:
        """The same error, seen from further out."""
        return type(self)(self.message, (*outer, *self.path), self.source or source)

    def __str__(self) -> str:
        place = " > ".join(self.path)
        where = f" ({self.source})" if str(self.source or "") else ""
        return f"{place}: {self.message}{where}" if place else f"{self.message}{where}"


class PromptError(HandcraftError, ValueError):
    """A prompt that the model cannot or must not answer."""


class WeightsError(HandcraftError, ValueError):
    """A weight dict or a weight file that is not what it should be.

    `file` is the file or folder that the message names; None where it names none.
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
    """What was written for a runtime does not agree with the model, and was taken away; `check`
    says how much.
    """

    exit_code = 1

    def __init__(self, message: str, check: Mapping[str, object]) -> None:
        super().__init__(message)
        self.check = check


class CheckpointError(HandcraftError, ValueError):
    """A file of an interrupted run that is not what it should be."""


class ClusterError(HandcraftError, RuntimeError):
    """Processes that count for us cannot be reached, or keep dying."""


def hint(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'token:a'?` when a known name is near, else the empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{printable(near[0])}'?" if near else ""


def listing(names: Iterable[str], most: int = 12) -> str:
    """The names for use in a message, cut after the first few."""
    shown = [printable(name) for name in names]
    rest = f", ... ({len(shown)} in all)" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest


def printable(text: str) -> str:
    r"""The text with every control, format and unassigned character written as \xNN or \uNNNN.

    Token names come from files of others and reach terminals and pages: escape sequences, C1
    controls and bidirectional marks must arrive there as plain, visible characters.
    """
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def _escaped(code: int) -> str:
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
