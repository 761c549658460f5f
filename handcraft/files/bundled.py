"""Finds the programs that come with handcraft, without running or importing any.

    by_hand()   those whose rules are written by hand: `sort`
    bundled()   these and those of the folders, which are compiled: `sequence/sort`

Rules of this file: a name is the way to the file, without .py.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent.parent  # the package


def by_hand() -> dict[str, Path]:
    """The files of the hand-made programs that come with handcraft, by name."""
    return _files(_folder(), "*.py")


def bundled() -> dict[str, Path]:
    """The files of all programs that come with handcraft, by name; the hand-made ones first."""
    return {**by_hand(), **_files(_folder(), "*/*.py")}


def _folder() -> Path:
    """The folder of programs: inside the package when installed, beside it in a checkout."""
    places = (_HERE / "programs", _HERE.parent / "programs")
    return next((place for place in places if place.is_dir()), places[0])


def _files(folder: Path, pattern: str) -> dict[str, Path]:
    found = sorted(folder.glob(pattern))
    names = [path.relative_to(folder).with_suffix("") for path in found]
    return {
        name.as_posix(): path
        for name, path in zip(names, found, strict=True)
        if not any(part.startswith("_") for part in name.parts)
    }
