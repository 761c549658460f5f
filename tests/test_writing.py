"""Files are written whole or not at all, whatever fails on the way."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handcraft.core.writing import write_atomically

# each call of the system that writing a file makes
CALLS = ["open", "write", "fsync", "link", "replace", "mkdir"]


LATE = ["open", "fsync"]  # of the folder, when the file has its place


class PowerCutError(BaseException):
    """What no except clause for errors catches."""


def failing(
    monkeypatch: pytest.MonkeyPatch, call: str, at: int, error: BaseException
) -> list[int]:
    """Let the call fail the `at`-th time; return the list in which calls are counted."""
    of: Any = Path if call in ("replace", "mkdir") else os
    real: Callable[..., Any] = getattr(of, call)
    made: list[int] = []

    def fails(*arguments: Any, **options: Any) -> Any:
        made.append(at)
        if len(made) == at:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(of, call, fails)
    return made


def end_of(act: Callable[[], object]) -> BaseException | None:
    """What ended the act, None if nothing did."""
    try:
        act()
    except (OSError, PowerCutError) as error:
        return error
    return None


def names(folder: Path) -> list[str]:
    """The names of all that is below a folder."""
    return sorted(found.name for found in folder.rglob("*"))


@pytest.fixture(params=["unnamed", "named"])
def either(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """With and without files that have no name."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return str(request.param)


@pytest.mark.usefixtures("either")
def test_writing_replaces_and_makes_folders(tmp_path: Path) -> None:
    """A file is replaced by another one; folders are made on the way; its mode is an ordinary
    file's; nothing else is left.
    """
    path = tmp_path / "a" / "b" / "file"
    for data in (b"one", b"two", b""):
        write_atomically(path, data)
        assert path.read_bytes() == data
        assert [found.name for found in path.parent.iterdir()] == ["file"]
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("error", [OSError(28, "No space"), PowerCutError()])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("old", [True, False])
def test_whatever_fails_the_old_file_stays(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: BaseException,
    old: bool,
) -> None:
    """Each call fails in turn: what was there is untouched, or what is new is whole, and neither
    a file nor a folder is left.
    """
    path = tmp_path / "folder" / "file"
    for at in range(1, 6):
        if old:
            write_atomically(path, b"old")
        with monkeypatch.context() as patch:
            failing(patch, call, at, error)
            failed = end_of(lambda: write_atomically(path, b"new"))
        assert failed is None or isinstance(failed, type(error))
        if path.exists():
            assert path.read_bytes() == (b"old" if failed else b"new") or (
                failed and path.read_bytes() == b"new" and call in LATE
            )
            assert names(tmp_path) == ["file", "folder"]
            path.unlink()
            path.parent.rmdir()
        else:
            assert failed
            assert not old
            assert names(tmp_path) == []


@pytest.mark.usefixtures("either")
def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    """Not the hidden one, and not the folder above it."""
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "below"
    with pytest.raises(OSError, match="Not a directory") as caught:
        write_atomically(path, b"new")
    assert (caught.value.filename, caught.value.errno) == (
        str(path),
        errno.ENOTDIR,
    )


def test_data_is_on_the_disk_before_it_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is flushed to the disk, then it takes its place, then its folder is flushed."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace
    (tmp_path / "file").write_bytes(b"old")

    def flushed(handle: int) -> None:
        steps.append((tmp_path / "file").read_text())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(
        Path,
        "replace",
        lambda self, target: (steps.append("replace"), replace(self, target)),
    )
    write_atomically(tmp_path / "file", b"new")
    assert steps == ["old", "replace", "new"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """What lies behind a link is someone else's file."""
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "other").read_bytes() == b"other"
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_folder_that_is_a_link_is_written_into(tmp_path: Path) -> None:
    """As /tmp is on some machines."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link" / "file", b"new")
    assert (tmp_path / "real" / "file").read_bytes() == b"new"
