"""`handcraft build`: two files, the same bytes each time, the old ones until the new are whole."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from cli_runner import files, handcraft
from pairs import AAB_SIZES


def test_build_says_what_it_wrote(here: Path) -> None:
    """`build --json` names the program, the folder, both files and the sizes."""
    assert handcraft("build", "aab", "--out", "some/where", "--json").json == {
        "program": "aab",
        "out": "some/where",
        "files": ["some/where/model.safetensors", "some/where/program.json"],
        **AAB_SIZES,
        "parameters": {"dense": 344, "nonzero": 26, "distinct": 4},
    }


def test_build_writes_two_files_into_build_by_default(here: Path) -> None:
    """`build aab` writes build/aab with two files, and nothing else anywhere."""
    result = handcraft("build", "aab")
    assert (result.code, result.err) == (0, "")
    assert list(files(here)) == [
        "build/aab/model.safetensors",
        "build/aab/program.json",
    ]
    assert result.lines == [
        "n_layer 1, n_head 1, n_embd 8, n_vocab 2, n_ctx 5",
        "parameters: 344 dense, 26 nonzero, 4 distinct",
        "wrote build/aab/model.safetensors",
        "wrote build/aab/program.json",
    ]


def test_program_json_holds_what_the_design_names(here: Path) -> None:
    """The top level of program.json is fixed, and its SHA-256 is that of the weight file."""
    handcraft("build", "aab")
    fields = json.loads(Path("build/aab/program.json").read_text())
    assert set(fields) == {
        "format",
        "name",
        "vocab",
        "n_ctx",
        "n_head",
        "activation",
        "sha256",
        "program",
        "provenance",
    }
    assert (
        fields["sha256"]
        == hashlib.sha256(
            Path("build/aab/model.safetensors").read_bytes()
        ).hexdigest()
    )
    assert (
        fields["name"],
        fields["vocab"],
        fields["n_ctx"],
        fields["n_head"],
    ) == (
        "aab",
        ["a", "b"],
        5,
        1,
    )


def test_building_again_gives_the_same_bytes(here: Path) -> None:
    """A second build over the first changes nothing."""
    handcraft("build", "aab")
    before = files(here)
    assert handcraft("build", "aab").code == 0
    assert files(here) == before


def test_a_disk_that_is_full_is_one_error(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be written is an error of one line and code 2, and no folder is left."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fail)
    result = handcraft("build", "aab", "--out", "built", "--json")
    assert result.refusal == "cannot write built: No space left on device"
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "what", "link"),
    [
        ("build aab --out link", "link", "link"),
        ("build aab --out link/in", "link/in", "link"),
        ("verify aab --certificate link/proof", "link/proof", "link"),
        ("states aab --save link/chain.svg", "link/chain.svg", "link"),
        ("export aab --to gpt2 --out link/in", "link/in", "{here}/link"),
    ],
)
def test_a_link_that_leads_to_nothing(
    here: Path, command: str, what: str, link: str
) -> None:
    """No folder can be made there: the link is named, and nothing is written."""
    Path("link").symlink_to("nowhere")
    link = link.format(here=here)
    assert handcraft(*command.split()).refusal == (
        f"cannot write {what}: the link {link} leads to nothing"
    )
    assert [path.name for path in here.iterdir()] == ["link"]
