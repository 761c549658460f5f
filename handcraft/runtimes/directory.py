"""Writes a directory of files, whole or not at all.

The files are first written and checked in a hidden directory. Then either that becomes the
target by one rename, or, in a directory that exists already, each file takes its place by a
rename; if one cannot, the old files of those before it come back.

Rules of this file: nothing is written outside the directory that was named, or through a link
at its place or within it (what leads there may be a link, as /tmp often is); an existing file
stays unless `force` says otherwise, a file that is not ours stays in any case, and a file of
another export never stays beside those of this one. What a killed export left is removed by the
next one that succeeds there.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from handcraft.core.errors import WeightsError, printable
from handcraft.core.paths import DIRECTORY, FILE, VACANT, kind_at
from handcraft.core.writing import (
    HIDDEN,
    existing,
    folders,
    kept,
    locked,
    sync_folder,
    umask,
    write_atomically,
)

_OLD = ".old"  # in the hidden directory: the files that are replaced
_LEFT = re.compile(rf"{HIDDEN}[a-z0-9_]{{8}}")
_DRAFT = re.compile(rf"{HIDDEN}[0-9a-f]{{8}}")


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
        folder = existing(out.absolute())
        with _hidden(folder) as work:
            _write(work, files)
            check(work)
            _refuse(out, files, force, ours)  # the check took its time
            _move(work, out, files)
        _sweep(folder, {*files, *ours})
    except OSError as error:
        raise WeightsError(
            f"cannot write {printable(str(out))}: {error.strerror or error}"
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
    for step in inside:
        kind = kind_at(step)
        if kind not in (VACANT, FILE if step == path else DIRECTORY):
            raise WeightsError(
                f"{printable(str(step))} is {kind}; remove it, or export elsewhere"
            )
    if path.exists() and not force:
        raise WeightsError(f"{shown} is there already; --force overwrites it")


@contextmanager
def _hidden(folder: Path) -> Iterator[Path]:
    """A directory on the target's disk, locked as long as this process uses it, and removed in the
    end: inside the target where it exists, else beside it.
    """
    with ExitStack() as held:
        work = _new(folder)
        held.enter_context(locked(work))
        while not work.exists():  # swept before it was locked
            work = _new(folder)
            held.enter_context(locked(work))
        try:
            work.chmod(0o777 & ~umask())
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _new(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder, prefix=HIDDEN))


def _sweep(folder: Path, names: Collection[str]) -> None:
    """Remove the hidden directories of exports that were killed: those that nobody holds and that
    have no file but of the names that an export writes.
    """
    with suppress(OSError):
        left = [x for x in folder.iterdir() if _LEFT.fullmatch(x.name)]
        for path in left:
            if kind_at(path) == DIRECTORY and not path.is_symlink():
                with locked(path, wait=False) as free:
                    if free and _is_ours(path, names):
                        shutil.rmtree(path, ignore_errors=True)


def _is_ours(work: Path, names: Collection[str]) -> bool:
    """True if an export can have written all that stands in a directory."""
    for path in work.rglob("*"):
        name = path.relative_to(work).as_posix().removeprefix(f"{_OLD}/")
        known = name in names or _DRAFT.fullmatch(path.name)
        if path.is_symlink() or not (path.is_dir() or known):
            return False
    return True


def _replace(work: Path, out: Path, files: Mapping[str, bytes]) -> None:
    """Move the files into their places, one right after the other; what was there comes back if
    one of them cannot be moved.
    """
    old = work / _OLD
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
