"""A directory of files is written whole, or not at all, and never through a link."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runner import files
from conftest import Refused

from handcraft.core.errors import HandcraftError, WeightsError
from handcraft.runtimes.directory import publish

TWO = {"a.json": b"new a", "b/c.bin": b"new c"}


def fine(_: Path) -> None:
    """A check that holds."""


def fails(_: Path) -> None:
    """A check that does not."""
    raise HandcraftError("it does not agree")


def test_the_check_sees_the_files_before_anyone_else(tmp_path: Path) -> None:
    """While the check runs the target is not there; afterwards it holds the files and nothing
    else is left.
    """

    def check(work: Path) -> None:
        assert files(work) == TWO
        assert not (tmp_path / "deep" / "out").exists()

    assert publish(tmp_path / "deep" / "out", TWO, check) == [
        tmp_path / "deep/out/a.json",
        tmp_path / "deep/out/b/c.bin",
    ]
    assert files(tmp_path) == {
        "deep/out/a.json": b"new a",
        "deep/out/b/c.bin": b"new c",
    }


def test_a_failed_check_leaves_nothing(tmp_path: Path) -> None:
    """No file, no directory, not even those above the target."""
    with Refused(HandcraftError, "it does not agree"):
        publish(tmp_path / "deep" / "out", TWO, fails)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_check_leaves_what_was_there(tmp_path: Path) -> None:
    """With force, too: the old files stay until the new ones are known to be right."""
    publish(tmp_path / "out", {"a.json": b"old"}, fine)
    with Refused(HandcraftError, "it does not agree"):
        publish(tmp_path / "out", TWO, fails, force=True)
    assert files(tmp_path) == {"out/a.json": b"old"}


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    """A file that is there already is named; with force it is replaced, and what is not ours
    stays.
    """
    publish(tmp_path / "out", {"a.json": b"old", "mine.txt": b"mine"}, fine)
    with Refused(
        WeightsError,
        f"{tmp_path / 'out/a.json'} is there already; --force overwrites it",
    ):
        publish(tmp_path / "out", TWO, fine)
    publish(tmp_path / "out", TWO, fine, force=True)
    assert files(tmp_path / "out") == {**TWO, "mine.txt": b"mine"}


@pytest.mark.parametrize("name", ["../a.json", "/etc/a.json", "b/../../a.json"])
def test_a_name_that_leaves_the_directory_is_refused(
    name: str, tmp_path: Path
) -> None:
    """Whatever names a runtime's module may give one day."""
    with Refused(WeightsError, f"{name} would lie outside {tmp_path / 'out'}"):
        publish(tmp_path / "out", {name: b""}, fine)
    assert list(tmp_path.iterdir()) == []


def link_file(out: Path, elsewhere: Path) -> Path:
    """A file of ours is a link to one elsewhere."""
    out.mkdir()
    (out / "a.json").symlink_to(elsewhere / "kept")
    return out / "a.json"


def link_folder(out: Path, elsewhere: Path) -> Path:
    """A folder inside the target is a link."""
    out.mkdir()
    (out / "b").symlink_to(elsewhere)
    return out / "b/c.bin"


@pytest.mark.parametrize("make", [link_file, link_folder])
def test_nothing_is_written_through_a_link(
    make: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    """Not even with force: what lies behind the link is someone else's."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").write_bytes(b"kept")
    path = make(tmp_path / "out", tmp_path / "elsewhere")
    with Refused(
        WeightsError,
        f"{path} is a symbolic link, which is not written through; remove it first",
    ):
        publish(tmp_path / "out", TWO, fine, force=True)
    assert files(tmp_path / "elsewhere") == {"kept": b"kept"}


def test_a_target_that_is_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    """Each with its own message."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with Refused(
        WeightsError,
        f"{tmp_path / 'link'} is a symbolic link; name a directory of its own",
    ):
        publish(tmp_path / "link", TWO, fine, force=True)
    (tmp_path / "file").write_text("")
    with Refused(
        WeightsError,
        f"{tmp_path / 'file'} is a file; name a directory to export into",
    ):
        publish(tmp_path / "file", TWO, fine, force=True)
    (tmp_path / "out" / "a.json").mkdir(parents=True)
    with Refused(
        WeightsError,
        f"{tmp_path / 'out/a.json'} is a directory; remove it, or export elsewhere",
    ):
        publish(tmp_path / "out", TWO, fine, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_file_is_not_replaced(force: bool, tmp_path: Path) -> None:
    """A FIFO or a socket in a file's place, and a file in that of a folder; nothing is written."""
    out = tmp_path / "out"
    out.mkdir()
    os.mkfifo(out / "a.json")
    (out / "b").write_text("mine")
    for name, kind in (("a.json", "a FIFO"), ("b", "a file")):
        with Refused(
            WeightsError,
            f"{out / name} is {kind}; remove it, or export elsewhere",
        ):
            publish(out, TWO, fine, force=force)
        (out / name).unlink()
    assert publish(out, TWO, fine, force=force)


# ---------------------------------------------------------------- what a killed export left

KILLED = """
import os, signal, sys
from pathlib import Path
from handcraft.runtimes import directory

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

out, files, late = Path(sys.argv[1]), {"a.json": b"1", "b/c.bin": b"2"}, sys.argv[2]
if late:
    Path.replace = kill  # when the old files are beside the new ones
directory.publish(out, files, print if late else kill, force=True)
"""


@pytest.mark.parametrize(
    ("before", "late"),
    [({}, ""), ({"a.json": b"0"}, ""), ({"a.json": b"0"}, "late")],
)
def test_the_next_export_removes_what_a_killed_one_left(
    before: dict[str, bytes], late: str, tmp_path: Path
) -> None:
    """In the target, or beside one that was not there yet."""
    out = tmp_path / "out"
    if before:
        publish(out, before, fine)
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(out), late], check=False
    )
    assert run.returncode == -signal.SIGKILL
    (left,) = (out if before else tmp_path).glob(".handcraft-*")
    assert files(left).keys() >= TWO.keys()
    assert (left / ".old").exists() is bool(late)
    publish(out, TWO, fine, force=True)
    assert files(tmp_path) == {f"out/{name}": TWO[name] for name in TWO}
    assert not [*tmp_path.rglob(".*")]


def test_what_is_not_surely_left_stays(tmp_path: Path) -> None:
    """Another's file in such a directory, a file or a link of such a name, and an export that runs
    at the same time.
    """
    (tmp_path / "kept").mkdir()
    (tmp_path / ".handcraft-aaaaaaaa").mkdir()
    (tmp_path / ".handcraft-aaaaaaaa/mine.txt").write_text("mine")
    (tmp_path / ".handcraft-bbbbbbbb").write_text("mine")
    (tmp_path / ".handcraft-cccccccc").symlink_to("kept")
    (tmp_path / ".handcraft-notes").mkdir()
    names = {path.name for path in tmp_path.iterdir()}

    def meanwhile(work: Path) -> None:
        publish(tmp_path / "other", TWO, fine)
        assert files(work) == TWO

    publish(tmp_path / "out", TWO, meanwhile)
    now = {path.name for path in tmp_path.iterdir()}
    assert now == {*names, "out", "other"}


def test_files_come_back_if_one_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second rename fails: the first file gets its old content back, and a file that was
    new is gone.
    """
    publish(tmp_path / "out", {"b/c.bin": b"old c"}, fine)
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if path.name == "c.bin" and ".old" not in path.parts:
            raise OSError(28, "No space left on device", str(target))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with Refused(
        WeightsError,
        f"cannot write {tmp_path / 'out'}: No space left on device",
    ):
        publish(tmp_path / "out", TWO, fine, force=True)
    assert files(tmp_path) == {"out/b/c.bin": b"old c"}


def test_a_file_of_another_export_never_stays_beside_these(
    tmp_path: Path,
) -> None:
    """A checkpoint of another model beside new tokens would be run with them: it is named,
    force or not.
    """
    publish(tmp_path / "out", {"ckpt.pt": b"old"}, fine)
    message = (
        f"{tmp_path / 'out/ckpt.pt'} belongs to other files, which this export would"
        " not replace; remove it first"
    )
    with Refused(WeightsError, message):
        publish(
            tmp_path / "out", TWO, fine, force=True, ours=["ckpt.pt", "a.json"]
        )
    assert files(tmp_path) == {"out/ckpt.pt": b"old"}


def test_what_leads_to_the_target_may_be_a_link(tmp_path: Path) -> None:
    """As /tmp is on some machines; only the target itself and what is in it may not."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    publish(tmp_path / "link" / "out", TWO, fine)
    assert files(tmp_path / "real" / "out") == TWO


def test_an_existing_target_needs_no_room_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another disk than its parent: what is staged is staged inside, and gone when it
    is done.
    """
    (tmp_path / "out").mkdir()
    made: list[Path] = []
    make = tempfile.mkdtemp

    def noted(**options: Any) -> str:
        made.append(Path(make(**options)))
        return str(made[-1])

    monkeypatch.setattr(tempfile, "mkdtemp", noted)
    publish(tmp_path / "out", TWO, fine)
    assert [path.parent for path in made] == [tmp_path / "out"]
    assert files(tmp_path) == {"out/a.json": b"new a", "out/b/c.bin": b"new c"}


def test_the_target_is_as_readable_as_any_new_directory(tmp_path: Path) -> None:
    """The hidden directory is closed to others while it is made; the target is not."""
    publish(tmp_path / "out", TWO, fine)
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (
        tmp_path / "plain"
    ).stat().st_mode
