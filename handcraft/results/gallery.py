"""Writes a gallery: a page for every bundled program, and an index of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError, in_quotes, printable
from handcraft.core.writing import write_atomically
from handcraft.files.bundled import bundled
from handcraft.files.program_file import find
from handcraft.proof.task import Progress
from handcraft.proof.verify import silent
from handcraft.results.view import viewed
from handcraft.viewer.gallery import GalleryCard, index
from handcraft.viewer.page import page

_INDEX = "index.html"


@dataclass(frozen=True)
class Gallery:
    """The files of a gallery.

    index  links to the pages
    pages  a file of each program, by its name
    """

    index: Path
    pages: dict[str, Path]

    def __str__(self) -> str:
        return f"wrote {self.index} and {len(self.pages)} pages beside it"


@asked_call("handcraft.gallery")
def gallery(
    directory: str | Path,
    programs: Iterable[str] | None = None,
    *,
    verified: bool = True,
    progress: Progress = silent,
) -> Gallery:
    """Write a page of each program, by default of all bundled ones, and an index.

    directory  made where it does not stand; pages of the same names are replaced
    verified   judge each claim first, as `handcraft verify` does

    Raises ProgramError for an unknown program, or two with the same file, before anything is
    written.
    """
    folder = Path(directory)
    files = _files(bundled() if programs is None else programs)
    cards = []
    for file, name in files.items():
        found = viewed(name, verified=verified, progress=progress)
        card = GalleryCard(name, file, found)
        write_atomically(folder / card.file, page([card.view]).encode())
        cards.append(card)
    write_atomically(folder / _INDEX, index(cards).encode())
    pages = {card.name: folder / card.file for card in cards}
    return Gallery(folder / _INDEX, pages)


def _files(names: Iterable[str]) -> dict[str, str]:
    """The program of each file of a gallery."""
    found: dict[str, str] = {}
    for name in names:
        find(name)  # raises where there is none
        file = f"{name.replace('/', '_')}.html"
        if file == _INDEX or file in found:
            other = "its index" if file == _INDEX else in_quotes(found[file])
            raise ProgramError(
                f"{in_quotes(name)} and {other} would both be {printable(file)};"
                " give the program another name"
            )
        found[file] = name
    return found
