"""Writes a picture in the format that its file's ending names, whole or not at all.

    .svg            a finished drawing
    .dot            a text that Graphviz draws
    .mmd, .mermaid  a text that Mermaid draws, as Markdown pages do
    .json           what --json prints

Rules of this file: an unknown ending is refused before anything is computed; every text of a
program passes `printable` and the escapes of its format.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from handcraft.core.errors import ProgramError, printable
from handcraft.core.writing import write_atomically
from handcraft.language.affine import kind_of

ONLY_SVG = (".svg",)
GRAPH_ENDINGS = (".svg", ".dot", ".mmd", ".mermaid", ".json")


def check_ending(path: Path, endings: Iterable[str]) -> None:
    """Raise ProgramError for a file whose ending is no format."""
    known = tuple(endings)
    if path.suffix not in known:
        raise ProgramError(
            f"{printable(str(path))} must end with {', '.join(known)}"
        )


def picture_path(file: object) -> Path:
    """The path of a picture. Raises ProgramError for what is none."""
    if not isinstance(file, str | os.PathLike):
        raise ProgramError(
            f"a picture is saved to the path of a file, found {kind_of(file)}"
        )
    return Path(file)


def save_svg(file: object, svg: str) -> Path:
    """Write an SVG, whole or not at all, and return its path."""
    path = picture_path(file)
    check_ending(path, ONLY_SVG)
    write_atomically(path, svg.encode())
    return path


def quoted_dot(text: str) -> str:
    """A text in quotes, as Graphviz reads it."""
    return f'"{escaped_dot(printable(text))}"'


def escaped_dot(text: str) -> str:
    """A text as it may stand between quotes of Graphviz."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def escaped_mermaid(text: str) -> str:
    """The text with every character that could mean something written as its number."""
    return "".join(
        c if c.isalnum() or c == " " else f"#{ord(c)};" for c in text
    )
