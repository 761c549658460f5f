"""Seeds that are trained in several processes end where they end in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft

import handcraft as package
from handcraft.core.errors import ProgramError
from handcraft.core.weights import flatten
from handcraft.proof import Spread

SEQUENCE: dict[str, Any] = {"sequence": "11110111", "window": 3, "steps": 20}
SEEDS = range(3, 9)  # two parts


def test_several_processes_train_the_same_models(here: Path) -> None:
    """Each seed by its own weights, measured at the same steps, in the order of the seeds; only the
    last bits may be another process's.
    """
    alone = package.train(**SEQUENCE, seeds=SEEDS)
    apart = package.train(
        **SEQUENCE, seeds=SEEDS, spread=Spread(jobs=2), out="apart"
    )
    assert [p.step for p in apart.points] == [p.step for p in alone.points]
    assert np.allclose(apart.exact, alone.exact, atol=1e-5)
    assert len(set(apart.exact)) == len(SEEDS)
    for one, other in zip(apart.models, alone.models, strict=True):
        flat, own = flatten(one.weights), flatten(other.weights)
        for name in own:
            assert np.allclose(flat[name], own[name], atol=1e-4)
    names = sorted(path.name for path in Path("apart").iterdir())
    folders = [f"seed{seed}" for seed in SEEDS]
    assert names == sorted([*folders, "loss.json", "loss.svg"])


@pytest.mark.usefixtures("here")
def test_the_command_takes_jobs() -> None:
    """As `verify` does, with the same errors."""
    done = handcraft(
        *("train", "--sequence", "11110111", "--window", "3", "--steps", "2"),
        *("--seeds", "0:2", "--jobs", "2", "--out", "o", "--json"),
    )
    assert (done.code, len(done.json["seeds"])) == (0, 2)
    refused = handcraft("train", "aab", "--backend", "dusk")
    assert refused.code == 2
    assert "there is no backend 'dusk'" in refused.err
    with pytest.raises(ProgramError, match="an address goes with the backend"):
        Spread(address="tcp://here:1")
