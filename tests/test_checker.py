"""Certificates: a checker that knows nothing of the prover accepts what is true."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import SMALL, averaging, recorded
from conftest import slow_from

from handcraft import Model
from handcraft.core.gpt2 import trace
from handcraft.language.affine import Lane
from handcraft.proof import verify
from handcraft.proof.checker import Found, Shown, check
from handcraft.proof.checker.certificate import certificate_json, from_json
from handcraft.proof.prover.recorder import Recorder

PACKAGE = Path(__file__).parent.parent / "handcraft"

# ------------------------------------------------------------ what is accepted


@pytest.mark.parametrize("name", slow_from(2, SMALL))
def test_a_proof_that_was_written_down_is_accepted(name: str) -> None:
    """Written, read again as JSON and checked: the same statement."""
    model = Model.open(name)
    certificate = recorded(model)
    again = from_json(json.loads(json.dumps(certificate_json(certificate))))
    assert again == certificate
    found = check(model, again)
    assert found.spoken >= 1


def test_what_it_states_is_what_an_enumeration_finds(
    certified: list[tuple[Model, dict[str, Any], float]],
) -> None:
    """The contexts exactly, the margin from below, and a context at which it stands."""
    for model, data, margin in certified:
        exact = verify(model, methods=["exhaustive"])
        assert (data["contexts"], data["checked"]) == (
            exact.contexts,
            exact.checked,
        )
        assert margin * 0.99 < data["margin"] <= margin
        logits = model(data["margin_at"])[-1]
        assert np.sort(logits)[-1] - np.sort(logits)[-2] <= margin * 1.01


@pytest.mark.parametrize("name", slow_from(2, [*SMALL, "averaging"]))
def test_the_examples_lie_where_the_checker_says(name: str) -> None:
    """A real forward pass of every example: its logits, or its lane, within the interval that
    is claimed of them.
    """
    model = averaging() if name == "averaging" else Model.open(name)
    found = (
        Recorder(model, model.program.claim, float("inf"), lambda *_: None)
        .recorded()
        .found
    )
    assert found.examples
    for shown in found.examples[:: max(1, len(found.examples) // 200)]:
        seen = trace(np.array(shown.context), model.weights, **model.config)
        own = (
            seen["logits"][-1]
            if len(shown.low) > 1
            else seen["resid_final"][-1, [_column(model)]]
        )
        assert (shown.low <= own).all()
        assert (own <= shown.high).all()
        assert (shown.high - shown.low).max() < 1e-3 * max(
            1.0, float(np.abs(own).max())
        )


def _column(model: Model) -> int:
    return int(
        model.program.layout.column[Lane.parse(model.program.claim.lane)]
    )


def test_the_examples_are_spread_evenly_and_not_too_many() -> None:
    """Of a million endings every 512th."""
    found = Found()
    for i in range(1_000_000):
        if found.wants():
            found.keep(Shown((i,), 0, np.zeros(1), np.zeros(1)))
    assert [shown.context[0] for shown in found.examples] == list(
        range(0, 1_000_000, 512)
    )


# ------------------------------------------------------------ what is rejected


def test_the_checker_imports_nothing_of_the_prover() -> None:
    """Nor of anything that does."""
    for path in sorted((PACKAGE / "proof" / "checker").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else (
                    [a.name for a in node.names]
                    if isinstance(node, ast.Import)
                    else []
                )
            )
            for name in names:
                shared = (
                    "handcraft.proof.checker",
                    "handcraft.proof.assumptions",
                )  # what is assumed is one list
                assert not name.startswith(
                    "handcraft.proof"
                ) or name.startswith(shared), (path, name)
