"""What the commands share: how their options are written, how a program is opened, how an
answer is shown.

Rules of this file: nothing here knows a command.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from handcraft.core.errors import ProgramError, printable

if TYPE_CHECKING:
    from handcraft.model import Model

PROGRAM_HELP = "A program file, a bundled program's name, or a built directory."
ProgramArgument = Annotated[str, typer.Argument(metavar="PROGRAM", help=PROGRAM_HELP)]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else.")
]
Dtype = Annotated[str, typer.Option("--dtype", help="Compute in float32 or float64.")]
Tokens = Annotated[
    bool, typer.Option("--tokens", help="Read the text as a JSON list of tokens.")
]
PROGRESS_AFTER = 2.0  # seconds
_T = TypeVar("_T")


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object, which knows no infinity: what is not finite is null."""
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
    return None if isinstance(value, float) and not math.isfinite(value) else value


def show(make: Callable[[int], Any]) -> None:
    """Print a renderable that was made for the console's width."""
    from handcraft.cli import tables as render

    console = render.console()
    console.print(make(console.width))


def open_model(reference: str, dtype: str = "float32") -> Model:
    from handcraft.model import Model

    with redirect_stdout(sys.stderr):  # what an author's file prints is not our answer
        return Model.open(reference, dtype)


def read_prompt(text: str, tokens: bool) -> str | list[str]:
    """The text itself, or the tokens of a JSON list."""
    if not tokens:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list) or not all(
        isinstance(token, str) for token in value
    ):
        raise ProgramError(
            f'--tokens takes a JSON list of tokens such as ["a", "b"], found {text[:60]!r}'
        )
    return value


def writing(write: Callable[[], _T]) -> _T:
    try:
        return write()
    except OSError as error:
        raise ProgramError(
            f"cannot write {printable(str(error.filename or 'the file'))}: {error.strerror}"
        ) from None


class ProgressBar:
    """A progress bar on stderr that appears only after two seconds."""

    bar: Any

    def __init__(self, text: str) -> None:
        self.text, self.start = text, time.monotonic()
        self.bar = None  # rich's, made when it is needed

    def __enter__(self) -> ProgressBar:
        return self

    def __call__(self, done: int, total: int) -> None:
        if (
            self.bar is None
            and time.monotonic() - self.start > PROGRESS_AFTER
            and sys.stderr.isatty()
        ):
            from handcraft.cli import tables as render

            self.bar = render.progress()
            self.bar.start()
            self.task = self.bar.add_task(printable(self.text), total=total or None)
        if self.bar is not None:
            self.bar.update(self.task, completed=done)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
