"""Makes a program of an expression that stands alone in a file, as `handcraft compile` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from handcraft.core.source import author
from handcraft.files.program_file import load_expression
from handcraft.program.program import Program

FRAMES = {"tag": "tag", "answer": "answer", "next": "next_token"}


def framed(
    path: Path,
    *,
    frame: str,
    tokens: Iterable[str],
    n: int,
    expression: str | None = None,
    causal: bool = False,
) -> Program:
    """The program of an expression of a file, in one of the frames. Its rules have the line of the
    expression, and its lanes the names of the file's variables.

    expression  its variable; by default the only one that is no part of another

    Raises ProgramError for a file without such an expression, and where it cannot be compiled.
    """
    name, e, source, names = load_expression(path, expression)
    make: Callable[..., Program] = getattr(
        import_module("handcraft"), FRAMES[frame]
    )
    more = {"causal": True} if causal else {}
    with author(source, names):
        return make(e, tokens=tokens, n=n, name=name, **more)
