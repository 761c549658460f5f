"""A checkpoint: an interrupted run goes on from it, and a forged or damaged one is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cli_runner import handcraft
from conftest import Refused, bundled_model
from enumerated import latest, same, verify

from handcraft import Model, after, distribution
from handcraft.core.errors import CheckpointError
from handcraft.proof import Budget, Spread


class StoppedError(Exception):
    """Raised by a test in the middle of a run."""


def interrupted(model: Model, path: Path, after_: int) -> None:
    """A run that ends in an exception after so many contexts."""

    def progress(done: int, _: int) -> None:
        if done >= after_:
            raise StoppedError

    with pytest.raises(StoppedError):
        verify(model, progress=progress, spread=Spread(checkpoint=path))


CLAIMS = {
    "right": after({"a": "a", "b": "b"}),
    "wrong": after({"a": "a", "bab": "a"}),
    "chances": distribution({"a": {"a": 0.75, "b": 0.25}}, tolerance=0.25),
}


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.usefixtures("small_units")
def test_an_interrupted_run_goes_on(name: str, tmp_path: Path) -> None:
    """What was counted before is not counted again, the report is the same, and then the file
    is gone.
    """
    model, path = latest(9, CLAIMS[name]), tmp_path / "run.json"
    interrupted(model, path, 500)
    begun = json.loads(path.read_text())
    assert 400 < begun["tally"]["contexts"] <= 600
    shown: list[int] = []
    report = verify(
        model,
        progress=lambda done, _: shown.append(done),
        spread=Spread(checkpoint=path),
    )
    assert shown[0] == begun["tally"]["contexts"]
    assert same(report) == same(verify(model))
    assert not path.exists()


@pytest.mark.usefixtures("small_units")
def test_a_run_without_time_keeps_its_checkpoint(tmp_path: Path) -> None:
    """Undecided for want of time, the run can be continued."""
    path = tmp_path / "run.json"
    report = verify(
        latest(9), budget=Budget(seconds=0.0), spread=Spread(checkpoint=path)
    )
    assert (report.verdict, path.exists()) == ("unknown", True)
    assert (
        verify(latest(9), spread=Spread(checkpoint=path)).contexts == 2**10 - 2
    )


@pytest.mark.usefixtures("small_units")
def test_a_checkpoint_of_another_task_is_refused(tmp_path: Path) -> None:
    """Other weights, another dtype, another window, another table, another function: none goes
    on from this file.
    """
    path = tmp_path / "run.json"
    interrupted(latest(9, CLAIMS["right"]), path, 100)
    before = path.read_bytes()
    others = [
        latest(9, CLAIMS["wrong"]),
        latest(8, CLAIMS["right"]),
        latest(9),
        latest(9, lambda context: context[:1]),
        latest(9, CLAIMS["right"]).program.build("float64"),  # type: ignore[union-attr]
        bundled_model("aab"),
    ]
    message = (
        f"the checkpoint {path} is of other weights, of another claim or of another"
        " version, or the claim reads what cannot be recognised again; name another"
        " file or delete it"
    )
    for other in others:
        with Refused(CheckpointError, message):
            verify(other, spread=Spread(checkpoint=path))
    assert path.read_bytes() == before


def changed(path: Path, **changes: Any) -> str:
    """The checkpoint's text with some of its numbers changed."""
    content = json.loads(path.read_text())
    for key, value in changes.items():
        (content["tally"] if key in content["tally"] else content)[key] = value
    return json.dumps(content)


SELF = (
    "the checkpoint {path} does not agree with itself; delete it to start anew"
)
UNUSABLE = (
    "the checkpoint {path} cannot be used: {why}; delete it to start anew"
)
OTHER = (
    "{path} is not a checkpoint of this version: {why}; delete it to start anew"
)
WRONG = {"context": [0], "expected": 1, "got": 0, "margin": -1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contexts": 10**6}, SELF),
        ({"checked": 10**9}, SELF),
        ({"correct": 0}, SELF),
        ({"min_margin_at": [7]}, SELF),
        ({"min_margin_at": []}, SELF),
        ({"min_margin_at": [0] * 99}, SELF),
        ({"worst": WRONG}, SELF),
        ({"done": [[0, 10**15]]}, SELF),
        ({"done": [[0, 1], [0, 1]]}, SELF),
        ({"done": [[2, 1]]}, SELF),
        ({"done": []}, SELF),
        (
            {"contexts": -1},
            OTHER.replace(
                "{why}", "tally.contexts: must be at least 0, found -1"
            ),
        ),
        (
            {"contexts": "1"},
            OTHER.replace(
                "{why}", "tally.contexts: must be a whole number, found '1'"
            ),
        ),
        (
            {"handcraft": "checkpoint 3"},
            OTHER.replace(
                "{why}",
                "handcraft: must be 'checkpoint 2', found 'checkpoint 3'",
            ),
        ),
        ({"more": 1}, OTHER.replace("{why}", "more: has no place here")),
    ],
)
@pytest.mark.usefixtures("small_units")
def test_a_forged_checkpoint_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """Counts that are not those of the done units, ids that are no tokens, units that do not
    exist, fields of another kind.
    """
    path = tmp_path / "run.json"
    model = latest(9, CLAIMS["right"])
    interrupted(model, path, 100)
    path.write_text(changed(path, **changes))
    with Refused(CheckpointError, message.format(path=path)):
        verify(model, spread=Spread(checkpoint=path))


BROKEN = [
    (b"", "not valid JSON: it goes wrong at line 1, column 1"),
    (b"[" * 100_000, "the JSON is nested deeper than 128"),
    (b'{"identity": NaN}', "NaN is not a number of JSON"),
    (b'{"a": 1, "a": 2}', "the key 'a' stands twice in the JSON"),
    (b"\xff\xfe", "not valid JSON: byte 0 is no UTF-8"),
]


@pytest.mark.parametrize(("data", "why"), BROKEN)
def test_a_damaged_checkpoint_is_refused(
    data: bytes, why: str, tmp_path: Path
) -> None:
    """A file that is cut off or no JSON is one line on stderr and exit code 2; it is left as it
    is.
    """
    path = tmp_path / "run.json"
    path.write_bytes(data)
    result = handcraft(
        "verify", "aab", "--method", "exhaustive", "--checkpoint", path
    )
    assert (result.code, result.err) == (
        2,
        f"error: {UNUSABLE.format(path=path, why=why)}\n",
    )
    assert path.read_bytes() == data


def test_a_checkpoint_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """A file beyond the bound is refused unread, and so is a folder."""
    path = tmp_path / "run.json"
    with path.open("wb") as file:
        file.truncate(2**30)
    for place, why in (
        (path, f"{path} has {2**30} bytes; at most {2**20} are read"),
        (tmp_path, f"{tmp_path} is a directory, not a file"),
    ):
        with Refused(CheckpointError, UNUSABLE.format(path=place, why=why)):
            verify(bundled_model("aab"), spread=Spread(checkpoint=place))


def test_a_place_that_cannot_be_written_is_found_at_once(
    tmp_path: Path,
) -> None:
    """Before anything is counted."""
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"^cannot write the checkpoint "):
        verify(
            bundled_model("aab"),
            spread=Spread(checkpoint=tmp_path / "file" / "run.json"),
        )


RUN = """
import sys, time
from handcraft.proof.enumerate import checkpoint, units
assert (checkpoint._EVERY, units.UNIT) == (1.0, 2**18)
checkpoint._EVERY, units.UNIT = 0.0, 2**10
enter, pause = checkpoint.Book.enter, float(sys.argv[1])
def slowly(book, index, tally):
    enter(book, index, tally)
    time.sleep(pause)
checkpoint.Book.enter = slowly
from handcraft.cli import main
sys.argv = ["handcraft", "verify", "latest.py", "--json", "--method", "exhaustive", *sys.argv[2:]]
main()
"""


def counted(path: Path) -> int:
    """How many contexts a checkpoint has counted."""
    if not path.exists():
        return 0
    found: int = json.loads(path.read_text())["tally"]["contexts"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--jobs", "2"]])
def test_a_run_that_is_killed_and_started_again_ends_with_the_same_counts(
    options: list[str], tmp_path: Path
) -> None:
    """SIGKILL at two random moments in the middle of the work; the last run reports as if nothing
    had been.
    """
    random = Random(os.getpid())
    (tmp_path / "latest.py").write_text(
        "from handcraft import Program, position, scratch, token\ndef claim(context):\n"
        "    return None if context.endswith('bbb') else 'a' if context == 'ab' * 7"
        " else context[-1]\nprogram = Program(name='latest', embedding=(position(16),"
        " token('ab'), scratch('v')), claim=claim)\n"
    )
    expected = handcraft(
        "verify", "latest.py", "--json", "--method", "exhaustive", cwd=tmp_path
    ).json
    path = tmp_path / "run.json"
    run = [sys.executable, "-c", RUN]
    saved = ["--checkpoint", str(path), *options]
    for _ in range(2):
        before = counted(path)
        # 128 units with a pause after each, so that no machine is through before it is killed
        with subprocess.Popen(
            [*run, "0.05", *saved],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ) as doomed:
            while counted(path) == before and doomed.poll() is None:
                time.sleep(0.01)
            time.sleep(random.uniform(0, 1))
            os.killpg(doomed.pid, signal.SIGKILL)
        assert before < counted(path) < 2**17 - 2
    last = subprocess.run(
        [*run, "0", *saved],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert last.returncode == 1
    found = json.loads(last.stdout)
    assert found | {"seconds": 0} == expected | {"seconds": 0}
    assert not path.exists()
