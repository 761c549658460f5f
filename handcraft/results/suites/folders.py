"""Keeps the folders of a suite and its index: each is there whole, or not at all.

    index.json           the settings, and a row for each program
    programs/NAME/       the files of a program, and about.json, which is its row
    rotated/NAME/        those of its turned twin, likewise

A folder is filled under a hidden name and then renamed, so that one that has its name is complete;
what a killed run left is removed by the next. Each row has the hashes of the files beside it, and
a run that goes on compares them. The index is made of the rows.

Rules of this file: it knows names, rows and hashes, and nothing of what they mean.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from handcraft.core.errors import ProgramError, WeightsError, printable
from handcraft.core.paths import DIRECTORY, VACANT, kind_at
from handcraft.core.weights import MAX_JSON, parse_json, read_bytes, sha256
from handcraft.core.writing import (
    HIDDEN,
    existing,
    hidden_beside,
    locked,
    naming,
    sync_folder,
    write_atomically,
)
from handcraft.results.suites.member import as_json

IndexRow: TypeAlias = dict[str, Any]
PROGRAMS, ROTATED = "programs", "rotated"
INDEX, ABOUT, CARD = "index.json", "about.json", "README.md"
_FORMAT = 1


class Folders:
    """The folders of one suite."""

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        self.directory, self.settings = directory, dict(settings)

    @contextmanager
    def opened(self, count: int, card: str) -> Iterator[None]:
        """Inside, this process alone writes here. Raises ProgramError where something else stands,
        or a suite of other settings, before anything is changed.
        """
        self.check()
        with naming(self.directory):
            existing(self.directory)
            self.directory.mkdir(parents=True, exist_ok=True)
        with locked(self.directory):
            self.check()
            if not (self.directory / INDEX).exists():
                self.write_index(count, [])
            write_atomically(self.directory / CARD, card.encode())
            for part in (PROGRAMS, ROTATED):
                _sweep(self.directory / part)
            yield

    # ------------------------------------------------------------ the index

    def check(self) -> None:
        """Raise ProgramError unless a suite of these settings can be begun here, or goes on."""
        shown = printable(str(self.directory))
        kind = kind_at(self.directory)
        if kind not in (VACANT, DIRECTORY):
            raise ProgramError(
                f"{shown} is {kind}; name a directory for the suite"
            )
        if kind == VACANT or not _names(self.directory):
            return
        if not (self.directory / INDEX).exists():
            raise ProgramError(
                f"{shown} has files and no {INDEX}, so it is no suite; name a new or"
                " an empty directory"
            )
        self._check_settings(_read(self.directory / INDEX))

    def _check_settings(self, found: Mapping[str, Any]) -> None:
        shown = printable(str(self.directory))
        for key, wanted in self.settings.items():
            if found.get(key) != wanted:
                raise ProgramError(
                    f"{shown} holds a suite of {key} {_shown(found.get(key))}, and"
                    f" {_shown(wanted)} was asked for; name another directory"
                )

    def write_index(self, count: int, rows: Sequence[IndexRow]) -> None:
        """Write the index of so many programs, of which these are there."""
        value = {
            "format": _FORMAT,
            **self.settings,
            "count": count,
            "programs": list(rows),
        }
        write_atomically(self.directory / INDEX, as_json(value))

    # ------------------------------------------------------------ the folders

    def rows(self, part: str) -> dict[str, IndexRow]:
        """The rows of the folders that are there, by name. Raises ProgramError for one whose files
        are not what was written.
        """
        root = self.directory / part
        return {name: self._row(root / name) for name in _names(root)}

    def _row(self, folder: Path) -> IndexRow:
        row = _read(folder / ABOUT)
        files = row.get("files")
        if not isinstance(files, dict) or type(row.get("place")) is not int:
            raise _changed(folder / ABOUT, folder)
        for name, wanted in files.items():
            path = self.directory / name
            inside = path.parent == folder and path.is_file()
            if not inside or sha256(path.read_bytes()) != wanted:
                raise _changed(path, folder)
        return row

    def write(
        self, part: str, name: str, fill: Callable[[Path], IndexRow]
    ) -> IndexRow:
        """Write a folder whole, by a function that fills it and returns its row."""
        root = self.directory / part
        root.mkdir(exist_ok=True)
        hidden = hidden_beside(root / name)
        hidden.mkdir()
        try:
            row = fill(hidden)
            row["files"] = {
                f"{part}/{name}/{file}": sha256((hidden / file).read_bytes())
                for file in _names(hidden)
            }
            write_atomically(hidden / ABOUT, as_json(row))
            hidden.rename(root / name)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        sync_folder(root)
        return row


def _changed(path: Path, folder: Path) -> ProgramError:
    return ProgramError(
        f"{printable(str(path))} is not what was written there; remove"
        f" {printable(str(folder))}, and it is made anew"
    )


def _names(folder: Path) -> list[str]:
    """The names in a folder, but for what a killed run left; nothing where there is none."""
    if kind_at(folder) != DIRECTORY:
        return []
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.startswith(HIDDEN))


def _sweep(root: Path) -> None:
    if kind_at(root) == DIRECTORY:
        for path in root.iterdir():
            if path.name.startswith(HIDDEN) and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def _read(path: Path) -> IndexRow:
    """An object of JSON. Raises ProgramError for anything else."""
    try:
        return parse_json(read_bytes(path, MAX_JSON))
    except WeightsError as error:
        raise ProgramError(f"{printable(str(path))}: {error}") from None


def _shown(value: object) -> str:
    return printable(json.dumps(value))[:60]
