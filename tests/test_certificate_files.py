"""Certificates as files: the command line writes and checks them, and hostile ones are one line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft as run

from handcraft import Model
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.certificate_files import check_certificate
from handcraft.proof.checker.certificate import from_json


def test_the_command_line_writes_and_checks(tmp_path: Path) -> None:
    """Exit 0 for a certificate that holds, plain or gzipped; exit 1 with the reason for one
    that does not.
    """
    for name in ("c.json", "c.json.gz"):
        path = tmp_path / name
        assert (
            run("verify", "aab", "--certificate", str(path), "--json").json[
                "verdict"
            ]
            == "proved"
        )
        report = run("verify", "aab", "--check", str(path), "--json")
        assert report.code == 0
        assert (report.json["verdict"], report.json["method"]) == (
            "proved",
            "checked certificate",
        )
        assert (
            report.json["contexts"],
            report.json["checked"],
            report.json["min_margin"],
        ) == (62, 45, 1023.0)
        assert report.json["assumptions"] == list(ASSUMPTIONS)
    rejected = run(
        "verify", "abc", "--check", str(tmp_path / "c.json"), "--json"
    )
    assert (rejected.code, rejected.json["verdict"]) == (1, "rejected")
    assert (
        rejected.json["reason"]
        == "the certificate is rejected: it is a certificate of other weights"
    )


def test_what_was_written_and_what_is_missing_is_named_once(
    tmp_path: Path,
) -> None:
    """A proof that is written says where; a file that is not there is one error of its path."""
    path = tmp_path / "c.json"
    assert run("verify", "aab", "--certificate", str(path)).lines[-2:] == [
        "",
        f"wrote {path}",
    ]
    gone = run("verify", "aab", "--check", str(tmp_path / "gone.json"))
    assert (gone.code, gone.err) == (
        2,
        f"error: {tmp_path / 'gone.json'} does not exist\n",
    )


def test_what_has_no_certificate_is_undecided_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    """Exit 3."""
    report = run(
        "verify",
        "sort_numbers",
        "--certificate",
        str(tmp_path / "c.json"),
        "--json",
    )
    assert (report.code, report.json["verdict"]) == (3, "unknown")
    assert not list(tmp_path.iterdir())


def test_options_that_exclude_each_other(tmp_path: Path) -> None:
    """One line, exit 2."""
    found = run(
        "verify",
        "aab",
        "--certificate",
        str(tmp_path / "a"),
        "--check",
        str(tmp_path / "b"),
    )
    assert (found.code, found.err) == (
        2,
        "error: --certificate and --check go without each other and without --method\n",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "it is no certificate of the format 'handcraft certificate 2'"),
        (b"[1]", "the JSON must be an object, found list"),
        (
            b'{"format": 1, "format": 2}',
            "the key 'format' stands twice in the JSON",
        ),
        (b'{"format": NaN}', "NaN is not a number of JSON"),
        (b'{"a":' * 200, "the JSON is nested deeper than 128"),
        (
            b'{"format": "handcraft certificate 2"}',
            (
                "it must hold format, program, weights, claim, dtype, n_ctx, contexts,"
                " checked, margin,"
            ),
        ),
    ],
)
def test_a_hostile_file_is_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Exit 2 with the file's name, plain and gzipped."""
    for name, data in (
        ("c.json", content),
        ("c.json.gz", gzip.compress(content)),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ProgramError) as caught:
            check_certificate(Model.open("aab"), path)
        assert str(caught.value).startswith(f"{path}: {message}")


def test_numbers_and_lists_of_the_wrong_kind_are_refused(
    certified: list[tuple[Model, dict[str, Any], float]],
) -> None:
    """Each with the name of what it is."""
    _, data, _ = certified[0]
    wrong = {
        "contexts": True,
        "margin": "1",
        "error": 1e999,
        "groups": [[-1]],
        "sections": [1],
        "alphabet": {},
        "seconds": None,
    }
    for key, value in wrong.items():
        with pytest.raises(WeightsError):
            from_json(data | {key: value})


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    """One line with the file's name."""
    path = tmp_path / "c.json.gz"
    path.write_bytes(gzip.compress(b"{}" * 1000)[:-12])
    with pytest.raises(ProgramError, match="not a whole gzip file"):
        check_certificate(Model.open("aab"), path)
