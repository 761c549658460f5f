"""A machine without a folder for temporary files: few commands need one, and those say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import files, handcraft

from handcraft.core.errors import WeightsError
from handcraft.runtimes.target import check_temporary

NEEDLESS = [
    *(["build", "aab"], ["explain", "aab"], ["run", "aab", "a"]),
    *(["trace", "aab", "a"], ["verify", "aab"], ["states", "aab"]),
    ["verify", "aab", "--method", "exhaustive", "--checkpoint", "run.json"],
    ["verify", "aab", "--method", "sampled", "--budget", "50"],
    ["verify", "aab", "--certificate", "proof.json.gz"],
    ["states", "aab", "--save", "aab.dot"],
    ["export", "aab", "--to", "gpt2", "--out", "out"],
    ["export", "aab", "--to", "picogpt", "--out", "out"],
    *(["diff", "aab", "abc"], ["list"], ["new", "mine"]),
]


@pytest.mark.parametrize("argv", NEEDLESS, ids=" ".join)
def test_commands_that_need_none(nowhere: Path, argv: list[str]) -> None:
    """They do what they always do."""
    result = handcraft(*argv)
    assert (result.code, result.err) == (0, "")


def test_hypothesis_leaves_no_notes(nowhere: Path) -> None:
    """Neither in the user's folder nor anywhere else."""
    handcraft("verify", "aab", "--method", "sampled")
    assert files(nowhere) == {}


@pytest.mark.usefixtures("nowhere")
def test_what_needs_one_says_so() -> None:
    """One line that says what would work, for whatever asks."""
    message = (
        "a GGUF file needs a folder for temporary files, and there is none; set TMPDIR"
        " to one that can be written"
    )
    with pytest.raises(WeightsError) as caught:
        check_temporary("a GGUF file")
    assert str(caught.value) == message
