"""`handcraft read` of weights that were trained: what one of their heads does is explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft

import handcraft as package

ROOT = Path(__file__).parent.parent.parent
SIZES: dict[str, Any] = {"layers": 1, "heads": 1}


def greatest() -> tuple[Any, str | None]:
    """The greatest of four digits."""
    done = package.train("greatest", width=32, steps=1500, **SIZES)
    return done.model, "greatest"


def baby() -> tuple[Any, str | None]:
    """The baby GPT, at its usual shape."""
    done = package.train(sequence="111101111011110", window=3, steps=300)
    return done.model, None


def letters() -> tuple[Any, str | None]:
    """A character model of README.md, of one layer."""
    done = package.train(
        ROOT / "README.md", width=32, window=16, steps=400, **SIZES
    )
    return done.model, None


@pytest.mark.parametrize("trained", [greatest, baby, letters])
def test_a_head_of_a_trained_model_is_explained(trained: Any) -> None:
    """One head at least has 95 % of its attention explained on texts that were not fitted, and with
    the rule in its place nearly all predictions stay.
    """
    model, claim = trained()
    found = package.read(model, claim=claim)
    best = max(found.heads, key=lambda head: head.explained or 0)
    assert best.explained is not None
    assert best.explained >= 0.95
    assert best.read
    assert best.agreement > 0.9


def test_a_trained_directory_is_read(tmp_path: Path) -> None:
    """The command takes what `train` wrote."""
    package.train("greatest", width=8, steps=1, out=tmp_path / "made", **SIZES)
    shown = handcraft(
        "read", str(tmp_path / "made"), "--claim", "greatest", "--json"
    )
    assert shown.code == 0
    assert shown.json["origin"] == "its claim"
    assert [head["head"] for head in shown.json["heads"]] == ["0.h0"]
