"""Holds where a run stands, as its file has it, and which evaluation of each seed was the best.

    BestSoFar     the best evaluation of each seed, its weights, and how many have come since
    Standing      the state of the steps, what was measured, the best so far
    as_saved      a standing as plain fields and arrays, for the file
    from_saved    the standing that they say

Rules of this file: what comes back has the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.training.measured import Measured
from handcraft.training.saved import finite_json, restored
from handcraft.training.steps import Steps, TrainingState, wide_as


@dataclass(frozen=True)
class BestSoFar:
    """The best evaluation of each seed so far, and how many have come since."""

    loss: Array  # [n_seeds]
    step: Array  # [n_seeds]
    since: Array  # [n_seeds]
    weights: Mapping[str, Array]

    def after(self, point: Measured, weights: Mapping[str, Any]) -> BestSoFar:
        """The best with one evaluation more."""
        new = np.array(point.judged)
        better = new < self.loss
        kept = {}
        for name, array in weights.items():
            own = np.asarray(array)
            earlier = self.weights.get(name, own)
            kept[name] = np.where(wide_as(better, own), own, earlier)
        return BestSoFar(
            np.where(better, new, self.loss),
            np.where(better, point.step, self.step),
            np.where(better, 0, self.since + 1),
            kept,
        )


@dataclass(frozen=True)
class Standing:
    """Where a run stands: what its file holds."""

    state: TrainingState
    points: tuple[Measured, ...]
    best: BestSoFar


def at_first(state: TrainingState) -> Standing:
    """Where a run stands that has measured nothing yet."""
    n = len(state.good)
    never = BestSoFar(
        np.full(n, np.inf), np.zeros(n, int), np.zeros(n, int), {}
    )
    return Standing(state, (), never)


def as_saved(
    now: Standing, steps: Steps
) -> tuple[dict[str, Any], dict[str, Array]]:
    """The fields and the arrays of the file of a run."""
    state, best = now.state, now.best
    arrays = {f"state/{i}": x for i, x in enumerate(steps.leaves(state))}
    for part, own in (
        ("weights", state.weights),
        ("before", state.before),
        ("best", best.weights),
    ):
        arrays |= {f"{part}/{k}": np.asarray(x) for k, x in own.items()}
    fields = {
        "step": state.step,
        "good": state.good.tolist(),
        "stopped": state.stopped.tolist(),
        "points": [finite_json(asdict(point)) for point in now.points],
        "best_step": best.step.tolist(),
        "since": best.since.tolist(),
        "best_loss": finite_json(best.loss.tolist()),
    }
    return fields, arrays


def from_saved(
    fields: Mapping[str, Any],
    arrays: Mapping[str, Array],
    first: TrainingState,
    steps: Steps,
) -> Standing:
    """Where the file says that the run stands; `first` is how it began.

    Raises KeyError, TypeError, ValueError or AttributeError for what is of another run.
    """
    leaves = restored(arrays, "state/")
    state = steps.with_leaves(
        first, [leaves[str(i)] for i in range(len(leaves))]
    )
    weights, before = (
        _like(first.weights, restored(arrays, part))
        for part in ("weights/", "before/")
    )
    put = steps.compiler.put
    state = replace(
        state,
        step=fields["step"],
        weights=put(weights),
        before=put(before),
        good=np.array(fields["good"]),
        stopped=np.array(fields["stopped"]),
    )
    best = BestSoFar(
        np.array(_numbers(fields["best_loss"], np.inf)),
        np.array(fields["best_step"]),
        np.array(fields["since"]),
        restored(arrays, "best/"),
    )
    points = tuple(Measured(**_tuples(point)) for point in fields["points"])
    return Standing(state, points, best)


def _like(
    wanted: Mapping[str, Any], found: dict[str, Array]
) -> dict[str, Array]:
    """The arrays that were found. Raises ValueError where they are not of the wanted shapes."""
    if {k: x.shape for k, x in found.items()} != {
        k: x.shape for k, x in wanted.items()
    }:
        raise ValueError("the weights are those of another model")
    return found


def _numbers(values: list[float | None], missing: float) -> list[float]:
    return [missing if value is None else value for value in values]


def _tuples(point: Mapping[str, Any]) -> dict[str, Any]:
    return {
        k: tuple(_numbers(x, np.nan)) if isinstance(x, list) else x
        for k, x in point.items()
    }
