"""Programs that are wrong, each in a way of its own: verification says so, by every method, and
never the contrary.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plain
import pytest
from cli_runner import Result, handcraft
from wrong.verdicts import (
    CERTIFICATES,
    CHECKPOINTS,
    ERRORS,
    EXPORTS,
    RIGHT,
    SILENT,
    TEXTS,
    WRONG,
    Case,
)

from handcraft.files.program_file import load_program
from handcraft.language.affine import Lane
from handcraft.model import Model

FOLDER = Path(__file__).parent / "wrong"
CODES = {
    "proved": 0,
    "checked": 0,
    "bounded": 0,
    "refuted": 1,
    "rejected": 1,
    "error": 2,
    "unknown": 3,
}
CALLED_RIGHT = {"proved", "checked", "bounded"}
HELD = 2.0**28  # the largest lane that the norms of an export hold


@dataclass(frozen=True)
class Answer:
    """The verdict that was printed, `error` for an error that is none of ours, and all of it."""

    verdict: str
    result: Result


def verify(name: str | Path, *options: str | Path) -> Answer:
    """`handcraft verify FILE --json OPTIONS`. The exit code must be the verdict's, and there is
    never a traceback.
    """
    path = name if isinstance(name, Path) else FOLDER / f"{name}.py"
    found = handcraft("verify", path, "--json", *options)
    assert "Traceback" not in found.err, found.err
    verdict = str(found.json["verdict"]) if found.out else "error"
    if verdict != "rejected":
        assert found.code == CODES[verdict], (verdict, found.code)
    return Answer(verdict, found)


def of(name: str, dtype: str = "float32") -> Model:
    """The model of a program beside."""
    return Model.of(load_program(FOLDER / f"{name}.py"), dtype)


def is_wrong(name: str, case: Case) -> bool:
    """Whether the model contradicts what is claimed, by the forward pass of plain.py in some
    order of summation.
    """
    model = of(name, case.dtype)
    ids = model.vocabulary.encode(case.context)
    if case.lane is not None:
        column = model.program.layout.column[Lane.parse(case.lane)]  # type: ignore[union-attr]
        claimed = float(case.claimed)  # type: ignore[arg-type]
        return abs(plain.lane(model, ids, column) - claimed) > 1e-5
    if isinstance(case.claimed, dict):
        logits = plain.last(model, ids).astype(np.float64)
        chances = (
            np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        )
        rows = [case.claimed[token] for token in model.vocabulary.tokens]
        return bool(np.abs(chances - rows).max() > 1e-3)
    if isinstance(case.claimed, set):
        right = [model.vocabulary.ids[token] for token in case.claimed]
        rows = [plain.last(model, ids, order) for order in plain.ORDERS]
        return all(
            not row[right].max() > np.delete(row, right).max() for row in rows
        )
    found = {
        plain.first_of(plain.every(model, ids, order)[case.position])
        for order in plain.ORDERS
    }
    claimed = {model.vocabulary.ids[str(case.claimed)]}
    return found != claimed if "unknown" in case.said else not found & claimed


# ---------------------------------------------------------------- they are what they are said to be


def test_every_program_has_its_verdict() -> None:
    """No file lies beside the table."""
    named = {
        *WRONG,
        *ERRORS,
        *RIGHT,
        *SILENT,
        *EXPORTS,
        *TEXTS,
        *(second for _, second in (*CHECKPOINTS, *CERTIFICATES)),
    }
    assert {path.stem for path in FOLDER.glob("*.py")} - {"verdicts"} == named


@pytest.mark.parametrize("name", WRONG)
def test_each_is_wrong(name: str) -> None:
    """A forward pass written apart contradicts the claim after the context that is named."""
    assert is_wrong(name, WRONG[name])


# ---------------------------------------------------------------- what is said of them


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_refuted(name: str) -> None:
    """By default the verdict is the honest one."""
    case = WRONG[name]
    assert verify(name, *case.options).verdict in case.said


@pytest.mark.parametrize("method", ["certificate", "exhaustive", "sampled"])
@pytest.mark.parametrize("name", WRONG)
def test_no_method_calls_a_wrong_one_right(name: str, method: str) -> None:
    """Each method alone says that it is wrong, or that it cannot decide."""
    case = WRONG[name]
    options = (
        case.options
        if "--budget" in case.options
        else (*case.options, "--budget", "2000")
    )
    found = verify(name, "--method", method, *options)
    assert found.verdict in {*case.said, "unknown"}
    if method == "sampled" and case.said == {
        "refuted"
    }:  # all of these are small: every context is drawn
        assert found.verdict == "refuted"


@pytest.mark.parametrize(
    "method", ["certificate", "exhaustive", "sampled", None]
)
@pytest.mark.parametrize("name", sorted(ERRORS))
def test_a_claim_that_is_none_is_an_error(
    name: str, method: str | None
) -> None:
    """By whatever method, and with one line on stderr."""
    found = verify(name, *(("--method", method) if method else ()))
    assert found.verdict == "error"
    assert found.result.err.count("\n") == 1


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_a_right_one_is_called_right(name: str) -> None:
    """The neighbours of wrong programs are not swept away with them."""
    assert verify(name).verdict in ("proved", "checked")


@pytest.mark.parametrize("name", sorted(SILENT))
def test_a_claim_that_is_silent_everywhere_decides_nothing(name: str) -> None:
    """Unknown, exit code 3."""
    assert verify(name).verdict == "unknown"


# ---------------------------------------------------------------- what was left by others


@pytest.mark.parametrize(("first", "second"), CHECKPOINTS)
def test_a_checkpoint_serves_its_own_task_only(
    first: str, second: str, tmp_path: Path
) -> None:
    """What was counted for one program is refused for another, or counted anew."""
    kept = tmp_path / "checkpoint"
    begun = verify(
        first, "--method", "exhaustive", "--budget", "1s", "--checkpoint", kept
    )
    assert begun.verdict in ("unknown", "checked")
    found = verify(
        second, "--method", "exhaustive", "--budget", "3s", "--checkpoint", kept
    )
    assert found.verdict in ("error", "refuted", "unknown")
    if kept.exists() and begun.verdict == "unknown":
        assert found.verdict != "unknown"


@pytest.mark.parametrize(("first", "second"), CERTIFICATES)
def test_a_certificate_serves_its_own_claim_only(
    first: str, second: str, tmp_path: Path
) -> None:
    """It is accepted of the same program elsewhere, and rejected of another claim on the same
    weights.
    """
    proof, moved = (
        tmp_path / "proof.json",
        tmp_path / "elsewhere" / "renamed.py",
    )
    moved.parent.mkdir()
    shutil.copy(FOLDER / f"{first}.py", moved)
    assert verify(first, "--certificate", proof).verdict == "proved"
    assert verify(moved, "--check", proof).verdict == "proved"
    found = verify(second, "--check", proof)
    assert found.verdict not in CALLED_RIGHT
    assert found.result.code != 0


# ---------------------------------------------------------------- other commands


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_that_cannot_hold_the_model_is_refused(
    name: str, tmp_path: Path
) -> None:
    """A lane passes what norms that do nothing can hold, in one context of thousands: nothing
    is written.
    """
    model = of(name)
    most = float(
        np.abs(
            plain.stream(model, model.vocabulary.encode(EXPORTS[name]))
        ).max()
    )
    assert most > HELD
    found = handcraft(
        "export",
        FOLDER / f"{name}.py",
        "--to",
        "gpt2",
        "--out",
        tmp_path / "out",
    )
    assert "Traceback" not in found.err
    assert found.code in (1, 2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_avoided_in_every_spelling(name: str) -> None:
    """The model says it, letter by letter: it is reached, or nobody knows."""
    start, text = TEXTS[name]
    model: Any = of(name)
    ids = model.vocabulary.encode(start)
    for _ in range(6):
        ids.append(plain.first_of(plain.last(model, ids[-model.n_ctx :])))
    assert text in model.vocabulary.decode(ids)
    found = handcraft(
        "states",
        FOLDER / f"{name}.py",
        "--from",
        start,
        "--avoid",
        text,
        "--floor",
        "1e-9",
        "--json",
    )
    assert "Traceback" not in found.err
    assert found.code in (1, 2, 3)
