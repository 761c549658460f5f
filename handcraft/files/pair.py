"""Writes two files as one: `program.json`, and `model.safetensors`, whose hash it holds.

Two files cannot be renamed in one step. So the new weights first stand under a hidden name that
holds their hash; then the new program.json takes its place, which is the step that counts; then
the weights take theirs. A reader looks under the hidden name first: before the step it finds the
old pair, after it the new one, wherever the writer was killed. The next build first does the
rename that a killed one did not come to, then removes what it left.

Rules of this file: until the three renames nothing has a name (core/writing.py); if one of them
fails the old pair comes back; other files in the directory are never touched.
"""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections.abc import Collection
from pathlib import Path

from handcraft.core.errors import WeightsError
from handcraft.core.weights import MAX_JSON, parse_json, read_bytes, sha256
from handcraft.core.writing import (
    HIDDEN,
    Draft,
    existing,
    folders,
    kept,
    locked,
    naming,
    sync_folder,
    write_atomically,
)

PROGRAM_JSON, WEIGHTS_FILE = "program.json", "model.safetensors"
_HASH = re.compile("[0-9a-f]{64}")
_LEFT = re.compile(  # of a killed build; the last ones of earlier versions
    rf"\.{WEIGHTS_FILE}\.[0-9a-f]{{64}}|{HIDDEN}[0-9a-f]{{8}}"
    rf"|\.({WEIGHTS_FILE}|{PROGRAM_JSON})\.[a-z0-9_]{{8}}"
)

_DRAFTED = 60.0  # seconds; no draft is as old


def write_pair(directory: Path, weights: bytes, text: bytes) -> list[Path]:
    """Write both files, or change nothing; return their paths. Raises OSError."""
    paths = [directory / WEIGHTS_FILE, directory / PROGRAM_JSON]
    with (
        naming(directory),
        Draft(existing(directory), weights) as first,
        Draft(existing(directory), text) as second,
        folders(directory),
        locked(directory),  # no other process builds here meanwhile
    ):
        _finish(directory)
        _sweep(directory, (first.hidden, second.hidden))
        _put(directory, first, second, sha256(weights))
    sync_folder(directory)
    return paths


def _finish(directory: Path) -> None:
    """Let the weights of a build that was killed before its last rename take their place: they
    are those of its program.json, and this build may fail, too.
    """
    with contextlib.suppress(WeightsError):
        text = parse_json(read_bytes(directory / PROGRAM_JSON, MAX_JSON))
        path = weights_path(directory, str(text.get("sha256")))
        if path.name != WEIGHTS_FILE:
            path.replace(directory / WEIGHTS_FILE)


def _put(directory: Path, weights: Draft, text: Draft, sha: str) -> None:
    """Let both files take their places; if the second cannot, the first is what it was."""
    first, second = directory / WEIGHTS_FILE, directory / PROGRAM_JSON
    hidden = _hidden(directory, sha)
    before = second.read_bytes() if second.exists() else None
    try:
        with kept(first, second):
            weights.put(hidden)
            text.put(second)
            hidden.replace(first)
    except BaseException:
        _undo(hidden, second, before)
        raise


def _undo(hidden: Path, second: Path, before: bytes | None) -> None:
    """Bring back the text of before, unless the weights of the new one have their place; as long
    as it is not back, the hidden weights stay.
    """
    if not hidden.exists():
        return
    if before is None:
        second.unlink(missing_ok=True)
    elif second.read_bytes() != before:
        write_atomically(second, before)
    hidden.unlink()


def weights_path(directory: Path, sha: str) -> Path:
    """The file of the weights with this hash: hidden, where a build was killed at its end."""
    hidden = _hidden(directory, sha)
    known = _HASH.fullmatch(sha) and hidden.is_file()
    return hidden if known else directory / WEIGHTS_FILE


def _hidden(directory: Path, sha: str) -> Path:
    return directory / f".{WEIGHTS_FILE}.{sha}"


def marks(directory: Path) -> list[tuple[int, int] | None]:
    """What changes if one of the two files is replaced."""
    return [_mark(directory / name) for name in (WEIGHTS_FILE, PROGRAM_JSON)]


def _mark(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError, ValueError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns
    return None


def _sweep(directory: Path, mine: Collection[Path | None]) -> None:
    """Remove what a killed build left. Where drafts have names, a young one may be another's."""
    since = time.time() - _DRAFTED if any(mine) else math.inf
    for path in directory.iterdir():
        if _LEFT.fullmatch(path.name) and path not in mine:
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < since:
                    path.unlink()
