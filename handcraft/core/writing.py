"""Writes files whole or not at all, also where the process is killed or the disk is full.

What is written has no name until all of it is on the disk (O_TMPFILE), so that a process that is
killed while it writes leaves nothing. Then it takes its place by a link where there is no file,
else by a link to a hidden name and a rename: only a kill within these two calls, some fifty
microseconds, leaves the hidden name. Where the file system has no files without a name, the
hidden name is there from the start.

Rules of this file: an OSError names the file that was to be written; after any other end than a
kill there are no new files and no new folders.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from handcraft.core.errors import WeightsError, printable
from handcraft.core.paths import FILE, VACANT, kind_at

HIDDEN = ".handcraft-"  # the hidden names begin with this


class Draft:
    """Bytes on the disk of a folder, to be placed there or in a folder below it, once.

    `hidden` is their name, where they have one before they are placed.
    """

    hidden: Path | None

    def __init__(self, folder: Path, data: bytes) -> None:
        self.handle, self.hidden = _unnamed(folder)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self.handle, left) :]
            os.fsync(self.handle)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the bytes, unless they were placed."""
        os.close(self.handle)
        if self.hidden is not None:
            self.hidden.unlink(missing_ok=True)

    def put(self, path: Path) -> None:
        """Place the bytes at a path; what is there is replaced in one step."""
        if self.hidden is None:
            with contextlib.suppress(FileExistsError):
                return self._link(path)
            self.hidden = hidden_beside(path)
            with kept(path):
                self._link(self.hidden)
                self.hidden.replace(path)
        else:
            self.hidden.replace(path)
        self.hidden = None
        return None

    def _link(self, path: Path) -> None:
        """Give the bytes a name. The folder's handle is not used, but makes Python follow the
        link of /proc to the file.
        """
        os.link(_by_handle(self.handle), path, src_dir_fd=self.handle)


def _by_handle(handle: int) -> str:
    return f"/proc/self/fd/{handle}"


def hidden_beside(path: Path) -> Path:
    """A new hidden name in the folder of a path."""
    return path.with_name(f"{HIDDEN}{secrets.token_hex(4)}")


def _unnamed(folder: Path) -> tuple[int, Path | None]:
    """A new open file in the folder, without a name if the file system can do that."""
    if hasattr(os, "O_TMPFILE"):
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666)
            if Path(_by_handle(handle)).exists():
                return handle, None
            os.close(handle)
    hidden = hidden_beside(folder / "file")
    new = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    return os.open(hidden, new, 0o666), hidden


@contextlib.contextmanager
def kept(*paths: Path) -> Iterator[None]:
    """Hold the files, so that a rename over them need not wait until their bytes are freed, which
    takes longer than the rename itself.
    """
    with contextlib.ExitStack() as held:
        for path in paths:
            with contextlib.suppress(OSError, AttributeError):
                held.callback(os.close, os.open(path, os.O_PATH))
        yield


def check_replaceable(path: Path) -> None:
    """Raise WeightsError where something else than a file stands."""
    if (kind := kind_at(path)) not in (VACANT, FILE):
        raise WeightsError(f"{path} is {kind}; name a file to write", path)


def write_atomically(path: Path, data: bytes) -> None:
    """Write the file whole, or change nothing; folders on the way are made.

    Raises WeightsError where something else than a file stands there.
    """
    check_replaceable(path)
    with (
        naming(path),
        Draft(existing(path.parent), data) as draft,
        folders(path.parent),
    ):
        draft.put(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def placed_after(files: Mapping[Path, bytes]) -> Iterator[None]:
    """Bring the files to the disk, and let them take their places once what is done inside ended
    well: a disk that is full is noticed before anything has a name.
    """
    drafts: list[tuple[Path, Draft]] = []
    with contextlib.ExitStack() as held:
        for path, data in files.items():
            check_replaceable(path)
            with naming(path):
                draft = Draft(existing(path.parent), data)
            drafts.append((path, held.enter_context(draft)))
        yield
        for path, draft in drafts:
            with naming(path), folders(path.parent):
                draft.put(path)
            sync_folder(path.parent)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError inside name this file, whatever the name of the step that failed."""
    try:
        yield
    except OSError as error:
        number, text = error.errno, error.strerror
        raise OSError(number, text or str(error), str(path)) from None
    except ValueError:  # of Python, for what the system has no bytes for
        text = "it is not the name of a file"
        raise OSError(errno.EINVAL, text, str(path)) from None


def existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists. Raises OSError where a link on
    the way leads to nothing, since no folder can be made there.
    """
    above = (folder, *folder.parents)
    for one in above:
        if one.exists():
            return one
        if one.is_symlink():
            text = f"the link {printable(str(one))} leads to nothing"
            raise OSError(errno.ENOENT, text, str(one))
    return Path()


@contextlib.contextmanager
def folders(folder: Path) -> Iterator[None]:
    """Make the folder and those above it; those that are new go again if what follows fails."""
    above = (folder, *folder.parents)
    new = [one for one in above if not one.exists()]
    for one in new:
        if one.is_symlink():
            why = "it is a link to a directory that is not there"
            raise OSError(errno.ENOENT, why, str(one))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for one in new:
            # was not made, or is in use
            with contextlib.suppress(OSError, ValueError):
                one.rmdir()
        raise


def sync_folder(folder: Path) -> None:
    """Bring the names of a folder to the disk, where the file system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a folder's lock, which a killed process loses. Gives False where it cannot be had: the
    file system has none, or another holds it and nobody waits.
    """
    with contextlib.ExitStack() as held:
        found = False
        with contextlib.suppress(OSError, ImportError):
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            held.callback(os.close, handle)
            fcntl.flock(
                handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
            )
            found = True
        yield found


def umask() -> int:
    """The permission bits that new files do not get in this process."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
