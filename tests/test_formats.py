"""The formats of files: what an older handcraft wrote is read, or refused with the command that
writes it anew; what a newer one wrote is refused.

golden/format_1/ holds a built directory and a certificate that were written before
program.json had a format number.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft
from conftest import Refused, bundled_model, bundled_program

from handcraft import Model
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.files.built_directory import PROGRAM_JSON, WEIGHTS_FILE
from handcraft.proof.checker import read_certificate

OLD = Path(__file__).parent / "golden" / "format_1"
FORMAT = "handcraft certificate"


def copied(folder: Path, **changes: Any) -> Path:
    """The old built directory with some fields of program.json changed; returns that file."""
    shutil.copytree(OLD / "aab", folder, dirs_exist_ok=True)
    path = folder / PROGRAM_JSON
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


# ---------------------------------------------------------------- built directories


def test_a_built_directory_without_a_format_is_read() -> None:
    """It is of format 1: its rules and its weights are those of today, bit for bit."""
    assert "format" not in json.loads((OLD / "aab" / PROGRAM_JSON).read_text())
    model = Model.load(OLD / "aab")
    assert model.program == bundled_program("aab")
    assert model.differences() == []
    assert model("aaba").tobytes() == bundled_model("aab")("aaba").tobytes()


def test_it_is_proved_like_one_of_today(tmp_path: Path) -> None:
    """`handcraft verify` gives the same of an old built directory and of a new one."""
    handcraft("build", "aab", "--out", tmp_path)
    results = [
        handcraft("verify", x, "--json").json for x in (OLD / "aab", tmp_path)
    ]
    for found in results:
        found.pop("seconds")
    assert results[0] == results[1]
    assert results[0]["verdict"] == "proved"


def test_what_is_written_anew_differs_by_the_format_alone(
    tmp_path: Path,
) -> None:
    """Saving an old directory again adds the number and renames what a head adds; it changes no
    weight.
    """
    Model.load(OLD / "aab").save(tmp_path)
    old, new = (
        json.loads((x / PROGRAM_JSON).read_text())
        for x in (OLD / "aab", tmp_path)
    )
    for block in old["program"]["layers"]:
        for head in block["heads"]:
            head["adds"] = head.pop("output")
    for reason in old["provenance"]["rules"]:
        reason["rule"] = reason["rule"].replace("> output", "> adds")
    assert new == {"format": 4} | old
    assert (tmp_path / WEIGHTS_FILE).read_bytes() == (
        OLD / "aab" / WEIGHTS_FILE
    ).read_bytes()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_known_format_may_be_named(tmp_path: Path, number: int) -> None:
    """Every format may say their number."""
    copied(tmp_path, format=number)
    assert Model.load(tmp_path).program == bundled_program("aab")


@pytest.mark.parametrize("number", [5, 10**100])
def test_a_newer_format_is_refused(tmp_path: Path, number: int) -> None:
    """Whatever else a newer file holds, the message is of its format."""
    path = copied(tmp_path, format=number, surprise=1, vocab=None)
    with Refused(
        WeightsError,
        f"{path}: it is of format {str(number)[:60]}, made by a newer handcraft; this"
        " one reads formats 1 to 4",
    ):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (True, "'format' must be a whole number, found True"),
        ("2", "'format' must be a whole number, found '2'"),
        (2.0, "'format' must be a whole number, found 2.0"),
        (None, "'format' must be a whole number, found None"),
        ([2], "'format' must be a whole number, found [2]"),
        (0, "'format' must be 1 to 4, found 0"),
        (-1, "'format' must be 1 to 4, found -1"),
    ],
)
def test_a_format_that_is_none_is_refused(
    tmp_path: Path, found: Any, message: str
) -> None:
    """A format is a whole number, and one that exists."""
    path = copied(tmp_path, format=found)
    assert handcraft("run", tmp_path, "a").refusal == f"{path}: {message}"


def test_old_rules_that_are_no_program_today_name_the_command(
    tmp_path: Path,
) -> None:
    """What was a program once and is none today is built anew, and the message says how."""
    program = json.loads((OLD / "aab" / PROGRAM_JSON).read_text())["program"]
    path = copied(tmp_path, program=program | {"activation": "silu"})
    refusal = handcraft("run", tmp_path, "a").refusal
    assert refusal.startswith(f"{path}: ")
    assert refusal.endswith(
        "; it was built by an older handcraft, and `handcraft build PROGRAM --out"
        f" {tmp_path}` builds it anew"
    )
    copied(tmp_path, program=program | {"activation": "silu"}, format=4)
    assert "older" not in handcraft("run", tmp_path, "a").refusal


# ---------------------------------------------------------------- certificates


def test_an_old_certificate_names_the_command() -> None:
    """A certificate of format 1 is refused with what writes one of today's."""
    path = OLD / "certificate.json"
    assert handcraft("verify", OLD / "aab", "--check", path).refusal == (
        f"{path}: it is of format 1, made by an older handcraft; `handcraft verify"
        " PROGRAM --certificate FILE` writes it anew"
    )


def test_the_command_writes_one_that_is_accepted(tmp_path: Path) -> None:
    """The old directory has a certificate of today after the command that the message names."""
    path = tmp_path / "aab.json"
    assert handcraft("verify", OLD / "aab", "--certificate", path).code == 0
    assert json.loads(path.read_text())["format"] == f"{FORMAT} 2"
    assert handcraft("verify", OLD / "aab", "--check", path).code == 0


def test_a_certificate_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    """Whatever else it holds, the message is of its format."""
    path = tmp_path / "aab.json"
    path.write_text(json.dumps({"format": f"{FORMAT} 3", "surprise": 1}))
    with Refused(
        ProgramError,
        f"{path}: it is of format 3, made by a newer handcraft; this one reads format 2",
    ):
        read_certificate(path)


@pytest.mark.parametrize(
    "found",
    [
        2,
        2.0,
        True,
        None,
        "2",
        FORMAT,
        f"{FORMAT} 0",
        f"{FORMAT} 02",
        f"{FORMAT} 2\n",
    ],
)
def test_a_certificate_of_no_format_is_refused(
    tmp_path: Path, found: Any
) -> None:
    """A certificate says by its format that it is one."""
    path = tmp_path / "aab.json"
    path.write_text(json.dumps({"format": found}))
    with Refused(
        ProgramError, f"{path}: it is no certificate of the format '{FORMAT} 2'"
    ):
        read_certificate(path)
