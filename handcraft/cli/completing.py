"""Completes what is being typed in a shell: the names of programs, and the words that an option
takes.

Rules of this file: nothing is executed and nothing heavy imported, since a shell asks at every
press of the key; what cannot be read is left out.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from handcraft.core.errors import HandcraftError
from handcraft.files.bundled import bundled

SHELL_OPTIONS = ("--install-completion", "--show-completion")


def programs(incomplete: str) -> list[str]:
    """The bundled programs, the program files and the folders that begin so."""
    names = [*bundled(), *_paths(incomplete)]
    return [name for name in names if name.startswith(incomplete)]


def _paths(incomplete: str) -> Iterator[str]:
    folder, slash, name = incomplete.rpartition("/")
    try:
        entries = sorted(os.scandir(f"{folder}{slash}" or "."), key=_name)
    except (OSError, ValueError):  # a folder that is not there, or closed
        return
    for entry in entries:
        if entry.name.startswith(".") and not name.startswith("."):
            continue
        if entry.is_dir():
            yield f"{folder}{slash}{entry.name}/"
        elif Path(entry.name).suffix == ".py":
            yield f"{folder}{slash}{entry.name}"


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def one_of(words: Iterable[str]) -> Callable[[str], list[str]]:
    """A completer of these words."""
    known = list(words)

    def complete(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return complete


def set_up(command: Callable[[], int]) -> int:
    """Run a command that shows or installs the completion of the user's shell, which typer finds
    out. Raises HandcraftError where it finds none.
    """
    said, warned = io.StringIO(), io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(warned),
        ):
            code: object = command()
    except SystemExit as done:
        code = done.code
    except OSError as error:
        raise HandcraftError(
            f"cannot write {error.filename}: {error.strerror}"
        ) from None
    if code:
        raise HandcraftError(
            "the shell is not known; words are completed in bash, zsh, fish and"
            " PowerShell"
        )
    print(said.getvalue(), end="")
    print(warned.getvalue(), end="", file=sys.stderr)
    return 0
