"""Writes a gallery: a page for every bundled program, and an index of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from handcraft.core.arguments import asked_call
from handcraft.core.writing import write_atomically
from handcraft.files.bundled import bundled
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

    Raises ProgramError for an unknown program, before anything is written for it.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    cards = []
    for name in bundled() if programs is None else programs:
        card = GalleryCard(
            name,
            f"{name.replace('/', '_')}.html",
            viewed(name, verified=verified, progress=progress),
        )
        write_atomically(folder / card.file, page([card.view]).encode())
        cards.append(card)
    write_atomically(folder / _INDEX, index(cards).encode())
    pages = {card.name: folder / card.file for card in cards}
    return Gallery(folder / _INDEX, pages)
