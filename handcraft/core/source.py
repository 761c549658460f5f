"""The file and line of an author's program at which a value was written.

Errors name it, and so does the reason of each weight. Rules read from data have none of their own.

Rules of this file: nothing here reads a file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

OURS = ("handcraft.", "pydantic", "pydantic_core", "numpy")


@dataclass(frozen=True)
class Source:
    """A file and a line; `file` is spelled as the user spelled it, not made absolute."""

    file: str = field(compare=False)
    line: int = field(compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else ""

    @classmethod
    def parse(cls, text: Any) -> Any:
        """The Source of a text like `aab.py:14`; any other value itself, for pydantic to refuse."""
        file, _, line = (
            text.rpartition(":") if isinstance(text, str) else ("", "", "")
        )
        if text == "":
            return NOWHERE
        return (
            cls(file, int(line))
            if line.isdecimal() and len(line) < 10
            else text
        )


# None where an author's file is executed; else whether it is data that is read
_reading: ContextVar[bool | None] = ContextVar("reading", default=None)


@contextmanager
def without_source_lines(*, data: bool = True) -> Iterator[None]:
    """Make `caller` return NOWHERE inside: rules read from data have no author's line. Without
    `data`, what is read is an author's all the same.
    """
    token = _reading.set(data)
    try:
        yield
    finally:
        _reading.reset(token)


# the line and the variables of an author whose file was executed before
_author: ContextVar[tuple[Source, Mapping[str, Any]] | None] = ContextVar(
    "author", default=None
)


@contextmanager
def author(source: Source, names: Mapping[str, Any]) -> Iterator[None]:
    """Make `caller` return this line inside, and `variables` these names: what is made there is
    made of a file that was executed before.
    """
    token = _author.set((source, names))
    try:
        yield
    finally:
        _author.reset(token)


def reading_data() -> bool:
    """True while rules are read from data."""
    return bool(_reading.get())


def caller() -> Source:
    """The author's file and line that is being executed: the nearest frame outside handcraft."""
    if _reading.get() is not None:
        return NOWHERE
    if (known := _author.get()) is not None:
        return known[0]
    frame = _frame()
    return Source(frame.f_code.co_filename, frame.f_lineno)


def variables() -> dict[str, Any]:
    """The author's variables by name: those that the nearest frame outside handcraft sees, its
    own first.
    """
    if (known := _author.get()) is not None:
        return dict(known[1])
    frame = _frame()
    return {**frame.f_locals, **frame.f_globals, **frame.f_locals}


def _frame() -> FrameType:
    """The nearest frame outside handcraft."""
    frame = sys._getframe(1)  # noqa: SLF001  # inspect.stack reads source files, which is slow
    while frame.f_back is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(OURS):
            break
        frame = frame.f_back
    return frame


NOWHERE = Source("", 0)

Where = Annotated[
    Source,
    BeforeValidator(Source.parse),
    PlainSerializer(str, return_type=str, when_used="always"),
]
