"""Builds what the commands share: the options that several have, opening a program, printing.

Rules of this file: nothing here knows a command.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from handcraft.cli.completing import one_of, programs
from handcraft.core.errors import ProgramError, printable

if TYPE_CHECKING:
    from handcraft.model import Model

PROGRAM_HELP = (
    "A program file, a bundled program's name, a built directory, or a GPT-2 of"
    " Hugging Face (a directory)."
)
ProgramArgument = Annotated[
    str,
    typer.Argument(
        metavar="PROGRAM", help=PROGRAM_HELP, autocompletion=programs
    ),
]
BuiltDirectory = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The directory to write (build/NAME by default).",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else.")
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="DTYPE",
        help="Compute in float32 or float64.",
        autocompletion=one_of(["float32", "float64"]),
    ),
]
Tokens = Annotated[
    bool,
    typer.Option("--tokens", help="Read the text as a JSON list of tokens."),
]
PROGRESS_AFTER = 2.0  # seconds
_T = TypeVar("_T")


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; a number that is not finite becomes null."""
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), allow_nan=False)
    print(text)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(child) for child in value]
    return (
        None if isinstance(value, float) and not math.isfinite(value) else value
    )


def show(make: Callable[[int], Any]) -> None:
    """Print the renderable that `make` builds for the console's width."""
    from handcraft.results.tables import console

    terminal = console()
    terminal.print(make(terminal.width))


def open_model(reference: str, dtype: str = "float32") -> Model:
    """Open a program; what its file prints goes to stderr, since stdout is for the answer."""
    from handcraft.model import Model

    with redirect_stdout(sys.stderr):
        return Model.open(reference, dtype)


def read_prompt(text: str, tokens: bool) -> str | list[str]:
    """The text itself, or with --tokens the tokens of a JSON list. Raises ProgramError for other
    JSON.
    """
    if not tokens:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list) and all(
        isinstance(token, str) for token in value
    ):
        return value
    raise ProgramError(
        f'--tokens takes a JSON list of tokens such as ["a", "b"], found {text[:60]!r}'
    )


def given_path(option: str, given: str) -> Path:
    """The path that an option was given. Raises ProgramError for an empty one, which would be the
    working directory.
    """
    if not given:
        raise ProgramError(f"{option} is empty; `.` is the working directory")
    return Path(given)


def given_file(option: str, given: str | None) -> Path | None:
    """The file that an option was given, None if it was not given. Raises ProgramError for an empty
    one.
    """
    if given == "":
        raise ProgramError(f"{option} is empty; name a file")
    return None if given is None else Path(given)


def writing(write: Callable[[], _T]) -> _T:
    """Return what `write` returns. Raises ProgramError where a file cannot be written."""
    try:
        return write()
    except OSError as error:
        file = printable(str(error.filename or "the file"))
        raise ProgramError(f"cannot write {file}: {error.strerror}") from None


class ProgressBar:
    """A progress bar on stderr that appears only after two seconds."""

    bar: Any

    def __init__(self, text: str) -> None:
        self.text = text
        self.start = time.monotonic()
        self.bar = None  # rich's, made when it is needed

    def __enter__(self) -> ProgressBar:
        return self

    def __call__(self, done: int, total: int) -> None:
        late = time.monotonic() - self.start > PROGRESS_AFTER
        if self.bar is None and late and sys.stderr.isatty():
            self._appear(total)
        if self.bar is not None:
            self.bar.update(self.task, completed=done)

    def _appear(self, total: int) -> None:
        from handcraft.results.tables import progress

        self.bar = progress()
        self.bar.start()
        self.task = self.bar.add_task(printable(self.text), total=total or None)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
