"""The two files of a built directory are replaced as one, wherever a build is killed or fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from building import NEW, OF_PATH, OLD, owner
from cli_runner import files, handcraft, process
from conftest import Refused, bundled_model, slow_from

from handcraft import Model
from handcraft.core.errors import WeightsError
from handcraft.files.pair import write_pair

BUILDING = Path(__file__).with_name("building.py")
TWO = ["model.safetensors", "program.json"]
# each call of the system that a build makes
CALLS = ["open", "write", "fsync", "link", "replace", "mkdir"]
SLOW = pytest.mark.slow
QUICK = {"OPENBLAS_NUM_THREADS": "1"}


def whole(folder: Path) -> str:
    """The name of the program in a built directory, which must hold all of one program."""
    model = Model.load(folder)
    assert model.differences() == []
    wanted = bundled_model(model.name).weights
    assert model.weights["wte"].tobytes() == wanted["wte"].tobytes()
    return model.name


def alike(folder: Path) -> bool:
    """True if the weight file is the one whose hash program.json holds, as others would read it."""
    weights = hashlib.sha256((folder / TWO[0]).read_bytes()).hexdigest()
    return bool(json.loads((folder / TWO[1]).read_text())["sha256"] == weights)


def names(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- killed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "kills"), [(call, None) for call in CALLS[:4]] + [("replace", 2)]
)
def test_killed_before_each_call(
    tmp_path: Path, call: str, kills: int | None
) -> None:
    """Whichever call of a build is its last, the directory is the old build or the new one, and
    the next build leaves nothing else.
    """
    done = process([BUILDING, call, tmp_path], Path.cwd(), env=QUICK)
    points = json.loads(done.out)
    assert len(points) >= 2
    assert kills is None or len(points) == kills
    for at in points:
        folder = tmp_path / str(at)
        assert whole(folder) in (OLD, NEW)
        bundled_model(NEW).save(folder)
        assert (names(folder), whole(folder), alike(folder)) == (
            TWO,
            NEW,
            True,
        )


def test_killed_between_the_two_renames(tmp_path: Path) -> None:
    """Once program.json is the new one the new weights are read under their hidden name, and the
    next build, of whatever program, removes it.
    """
    bundled_model(NEW).save(tmp_path)
    new = (tmp_path / TWO[0]).read_bytes()
    hidden = f".{TWO[0]}.{hashlib.sha256(new).hexdigest()}"
    text = (tmp_path / TWO[1]).read_bytes()
    bundled_model(OLD).save(tmp_path)
    (tmp_path / hidden).write_bytes(new)
    assert whole(tmp_path) == OLD
    (tmp_path / TWO[1]).write_bytes(text)
    assert whole(tmp_path) == NEW
    bundled_model(OLD).save(tmp_path)
    assert (names(tmp_path), whole(tmp_path)) == (TWO, OLD)


def stopped_before_its_last_rename(folder: Path, before: str) -> None:
    """Build one program, then OLD over it by a build that stops between its last two renames."""
    bundled_model(OLD).save(folder)
    weights, text = ((folder / name).read_bytes() for name in TWO)
    bundled_model(before).save(folder)
    hidden = f".{TWO[0]}.{hashlib.sha256(weights).hexdigest()}"
    (folder / hidden).write_bytes(weights)
    (folder / TWO[1]).write_bytes(text)
    assert (whole(folder), alike(folder)) == (OLD, False)


STEPS = [*CALLS, "unlink"]


@pytest.mark.parametrize("call", STEPS)
def test_a_build_that_fails_over_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Where a build was killed before its last rename and the next one finds the disk full at any
    of its calls, the directory is still the killed one, whole, or the next one.
    """
    for at in range(1, 20):
        folder = tmp_path / str(at)
        stopped_before_its_last_rename(folder, NEW)
        save = partial(bundled_model("bigram").save, folder)
        with monkeypatch.context() as patch:
            fail_at(patch, call, at, FULL)
            end = end_of(save)
        assert whole(folder) == (OLD if end else "bigram")
        bundled_model(NEW).save(folder)
        assert (names(folder), whole(folder)) == (TWO, NEW)
        if end is None and at > 3:
            break
    assert at < 19


def test_a_build_that_stops_after_the_sweep_over_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of the killed build stand in their place before anything is removed."""
    stopped_before_its_last_rename(tmp_path, NEW)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("handcraft.files.pair._put", stop)
        assert end_of(lambda: bundled_model("bigram").save(tmp_path))
    assert (names(tmp_path), whole(tmp_path)) == (TWO, OLD)
    assert alike(tmp_path)


def test_a_hidden_file_is_believed_no_more_than_any_other(
    tmp_path: Path,
) -> None:
    """What stands under the hidden name must have the hash, too; and a hash that is none names no
    file.
    """
    bundled_model(OLD).save(tmp_path)
    sha = hashlib.sha256((tmp_path / TWO[0]).read_bytes()).hexdigest()
    hidden = tmp_path / f".{TWO[0]}.{sha}"
    hidden.write_bytes(b"other")
    with pytest.raises(WeightsError, match="is not the file that was built"):
        Model.load(tmp_path)
    hidden.unlink()
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / TWO[1]
    fields = json.loads(path.read_text()) | {"sha256": "x/../../elsewhere"}
    path.write_text(json.dumps(fields))
    message = (
        f"{tmp_path / TWO[0]} is not the file that was built: its SHA-256 is"
        f" {sha[:12]}..., expected x/../../else..."
    )
    with Refused(WeightsError, message):
        Model.load(tmp_path)


def test_what_killed_builds_left_is_removed_and_nothing_else(
    tmp_path: Path,
) -> None:
    """Hidden files of this version and of earlier ones go; the author's own files stay."""
    bundled_model(OLD).save(tmp_path)
    mine = [
        "notes.txt",
        ".hidden",
        ".handcraft-notes",
        ".program.json.swp",
        "a",
    ]
    for name in mine[:-1]:
        (tmp_path / name).write_text("mine")
    (tmp_path / "a").mkdir()
    for left in (
        f".{TWO[0]}.{'0' * 64}",
        f".{TWO[0]}.ab_d3f9h",
        ".program.json.abcdefgh",
        ".handcraft-01234567",
    ):
        (tmp_path / left).write_text("left")
    bundled_model(NEW).save(tmp_path)
    assert names(tmp_path) == sorted([*mine, *TWO])


def kill_at_random(folder: Path, random: Random, longest: float) -> None:
    """Let a process build again and again, and kill it at a random time."""
    command = [sys.executable, BUILDING, "again", folder]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | QUICK
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(random.uniform(0, longest))
        running.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_killed_at_random(tmp_path: Path) -> None:
    """A process that builds two programs over each other all the time leaves one of them whole."""
    random = Random(7)
    for _ in range(5):
        kill_at_random(tmp_path, random, 0.2)
        assert whole(tmp_path) in (OLD, NEW)
        bundled_model(OLD).save(tmp_path)
        assert names(tmp_path) == TWO


# ---------------------------------------------------------------- failing


FULL = OSError(28, "No space left on device")
FAILURES = list(product([False, True], [FULL, KeyboardInterrupt()], CALLS))


@pytest.mark.parametrize("old", [True, pytest.param(False, marks=SLOW)])
@pytest.mark.parametrize("failure", slow_from(6, FAILURES))
def test_whatever_fails_the_old_build_stays(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: tuple[bool, BaseException, str],
    old: bool,
) -> None:
    """Each call of a build fails in turn, with and without files that have no name: the directory
    is the old build, or none where there was none, and there is nothing else. An interruption
    after the last rename leaves the new build, whole.
    """
    named, error, call = failure
    if named:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    folder = tmp_path / "some" / "where"
    for at in range(1, 20):
        if old:
            bundled_model(OLD).save(folder)
        before = files(tmp_path)
        with monkeypatch.context() as patch:
            fail_at(patch, call, at, error)
            end = end_of(lambda: bundled_model(NEW).save(folder))
        assert end is None or isinstance(end, type(error))
        if end and files(tmp_path) == before:
            assert old or names(tmp_path) == []
            continue
        assert not isinstance(end, OSError)
        assert whole(folder) == NEW
        assert (names(folder), alike(folder)) == (TWO, True)
        clear(folder)
        if end is None:
            break  # the call is not made so often
    assert at < 19


def end_of(act: Callable[[], object]) -> BaseException | None:
    """What ended the act, None if nothing did."""
    try:
        act()
    except (OSError, KeyboardInterrupt) as error:
        return error
    return None


def clear(folder: Path) -> None:
    """Remove a built directory and the folder above it."""
    for name in TWO:
        (folder / name).unlink()
    folder.rmdir()
    folder.parent.rmdir()


def fail_at(
    patch: pytest.MonkeyPatch, call: str, at: int, error: BaseException
) -> None:
    """Let a call fail the `at`-th time."""
    real = getattr(owner(call), call)
    made: list[int] = []

    def fails(*arguments: Any, **options: Any) -> Any:
        made.append(at)
        if len(made) == at:
            raise error
        return real(*arguments, **options)

    patch.setattr(owner(call), call, fails)


def limit(most: int) -> Any:
    """What lets no file of a process grow past so many bytes, as a full disk does."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


@pytest.mark.slow
@pytest.mark.parametrize("most", [0, 1000, 2500])
def test_a_full_disk_is_one_line(tmp_path: Path, most: int) -> None:
    """The old build is whole, nothing else is left, and the error is one line and code 2: for
    aab the weights have 1,832 bytes and program.json more, so that either may be too long.
    """
    bundled_model(NEW).save(tmp_path / "built")
    before = files(tmp_path)
    done = process(
        ["-m", "handcraft", "build", OLD, "--out", "built"],
        tmp_path,
        env=QUICK,
        preexec_fn=limit(most),
    )
    assert done.refusal == "cannot write built: File too large"
    assert files(tmp_path) == before


# ---------------------------------------------------------------- where it is built


def test_building_into_the_folder_one_is_in(here: Path) -> None:
    """The directory stays the same one; a link to it works, and what else is in it stays."""
    (here / "notes.txt").write_text("mine")
    inode = here.stat().st_ino
    assert handcraft("build", OLD, "--out", ".").code == 0
    assert here.stat().st_ino == inode
    (here / "link").symlink_to(here)
    assert handcraft("build", NEW, "--out", "link").code == 0
    assert whole(here) == NEW
    assert names(here) == ["link", *TWO[:1], "notes.txt", *TWO[1:]]


KINDS: dict[str, Callable[[Path], object]] = {
    "a directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_in_a_file_s_place(
    tmp_path: Path, kind: str, name: str
) -> None:
    """It is named before it is opened, which may wait for ever, and nothing is written."""
    KINDS[kind](tmp_path / name)
    message = f"{tmp_path / name} is {kind}; remove it, or build elsewhere"
    with Refused(WeightsError, message):
        bundled_model(OLD).save(tmp_path)
    assert names(tmp_path) == [name]


def test_readers_and_writers_at_the_same_time(tmp_path: Path) -> None:
    """Two threads build different programs into one directory while it is read: each reading finds
    one of them whole, and so does the last.
    """
    ends: list[int] = []

    def build(name: str) -> None:
        for _ in range(20):
            bundled_model(name).save(tmp_path)
        ends.append(1)

    bundled_model(OLD).save(tmp_path)
    writers = [
        threading.Thread(target=build, args=(name,)) for name in (OLD, NEW)
    ]
    for writer in writers:
        writer.start()
    while len(ends) < 2:
        assert whole(tmp_path) in (OLD, NEW)
    for writer in writers:
        writer.join()
    assert alike(tmp_path)
    assert names(tmp_path) == TWO


def test_a_young_draft_of_another_process_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where drafts have names, one less than a minute old may be another build's; an older one is
    removed.
    """
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    young, old = (
        tmp_path / ".handcraft-0000aaaa",
        tmp_path / ".handcraft-11111111",
    )
    for draft in (young, old):
        draft.write_text("draft")
    os.utime(old, (0, 0))
    write_pair(tmp_path, b"weights", b"{}")
    assert names(tmp_path) == [young.name, *TWO]


def test_the_calls_are_where_they_are_looked_for() -> None:
    """Each call that a test lets fail is one of the package's own."""
    package = Path(Model.__module__.replace(".", "/")).parent
    source = "".join(
        (BUILDING.parent.parent / package / name).read_text()
        for name in ("core/writing.py", "files/pair.py")
    )
    for call in CALLS:
        written = f".{call}(" if call in OF_PATH else f"os.{call}("
        assert written in source
