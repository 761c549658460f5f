"""Writes a directory of files, whole or not at all.

The files are first written and checked in a hidden directory. Then either that becomes the
target by one rename, or, in a directory that exists already, each file takes its place by a
rename; if one cannot, the old files of those before it come back.

Rules of this file: nothing is written outside the directory that was named, or through a link
at its place or within it (what leads there may be a link, as /tmp often is); an existing file
stays unless `force` says otherwise, a file that is not ours stays in any case, and a file of
another export never stays beside those of this one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from handcraft.core.errors import WeightsError, printable
from handcraft.core.paths import DIRECTORY, VACANT, kind_at
from handcraft.core.writing import (
    existing,
    folders,
    kept,
    sync_folder,
    umask,
    write_atomically,
)


def publish(
    out: Path,
    files: Mapping[str, bytes],
    check: Callable[[Path], None],
    *,
    force: bool = False,
    ours: Collection[str] = (),
) -> list[Path]:
    """Write the files, check them in a hidden place, then move them to the target; return their
    paths.

    `ours` are the names of files that belong to a model. Raises WeightsError for a target that
    must not or cannot be written, and whatever `check` raises: then nothing is left.
    """
    try:
        _refuse(out, files, force, ours)
        with _hidden(out) as work:
            _write(work, files)
            check(work)
            _refuse(out, files, force, ours)  # the check took its time
            _move(work, out, files)
    except OSError as error:
        raise WeightsError(
            f"cannot write {printable(str(out))}: {error.strerror}"
        ) from None
    return [out / name for name in files]


def _write(work: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        write_atomically(work / name, data)


def _move(work: Path, out: Path, files: Mapping[str, bytes]) -> None:
    if out.exists():
        _replace(work, out, files)
    else:
        with folders(out.parent):
            work.rename(out)
    sync_folder(out)
    sync_folder(out.parent)


def _refuse(
    out: Path, files: Mapping[str, bytes], force: bool, ours: Collection[str]
) -> None:
    """Raise WeightsError where writing would follow a link, leave the directory, or overwrite."""
    shown = printable(str(out))
    if out.is_symlink():
        raise WeightsError(
            f"{shown} is a symbolic link; name a directory of its own"
        )
    if (kind := kind_at(out)) not in (VACANT, DIRECTORY):
        raise WeightsError(
            f"{shown} is {kind}; name a directory to export into"
        )
    others = [name for name in ours if name not in files]
    if stale := sorted(name for name in others if (out / name).exists()):
        old = printable(str(out / stale[0]))
        raise WeightsError(
            f"{old} belongs to other files, which this export would not replace; remove"
            " it first"
        )
    for name in files:
        _refuse_file(out, name, force)


def _refuse_file(out: Path, name: str, force: bool) -> None:
    path = out / name
    shown = printable(str(path))
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise WeightsError(
            f"{printable(name)} would lie outside {printable(str(out))}"
        )
    inside = [step for step in (path, *path.parents) if out in step.parents]
    if any(step.is_symlink() for step in inside):
        raise WeightsError(
            f"{shown} is a symbolic link, which is not written through; remove it first"
        )
    if path.is_dir():
        raise WeightsError(f"{shown} is a directory")
    if path.exists() and not force:
        raise WeightsError(f"{shown} is there already; --force overwrites it")


@contextmanager
def _hidden(out: Path) -> Iterator[Path]:
    """A directory on the target's disk, removed in the end: inside the target where it exists, else
    beside it.
    """
    target = out.absolute()
    work = Path(tempfile.mkdtemp(dir=existing(target), prefix=".handcraft-"))
    try:
        work.chmod(0o777 & ~umask())
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _replace(work: Path, out: Path, files: Mapping[str, bytes]) -> None:
    """Move the files into their places, one right after the other; what was there comes back if
    one of them cannot be moved.
    """
    old = work / ".old"
    moved: list[str] = []
    try:
        for name in files:
            (old / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            if (out / name).exists():
                shutil.copy2(out / name, old / name)
        with kept(*(out / name for name in files)):
            for name in files:
                (work / name).replace(out / name)
                moved.append(name)
    except BaseException:
        for name in moved:
            _restore(old / name, out / name)
        raise


def _restore(old: Path, path: Path) -> None:
    if old.exists():
        old.replace(path)
    else:
        path.unlink()
