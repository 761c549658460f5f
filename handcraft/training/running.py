"""Runs a training: stretches of steps, evaluations, early stop, a file to go on from.

Between two evaluations the steps are taken in stretches of about two seconds, so that progress
is seen; for each the compiled loop takes its memory anew, which can cost a fifth of a step. The
bits do not depend on how a run is cut (steps.py), nor on whether it was killed in between: what a
run that goes on needs (weights, the optimiser's state, what was measured, the best so far) is in
its file, and what is drawn is a function of seed and step.

A seed whose loss or gradient is not finite stops there, with its last good weights.

Rules of this file: it knows no files but the one it goes on from, and prints nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.errors import CheckpointError, printable
from handcraft.core.gpt2 import Array
from handcraft.core.weights import sha256, to_safetensors
from handcraft.training.examples import Examples
from handcraft.training.extra import versions
from handcraft.training.saved import (
    finite_json,
    restored,
    save_run,
    saved_run,
)
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape, initial
from handcraft.training.steps import Steps, TrainingState
from handcraft.training.texts import Data

# told the step, the number of steps, the mean loss, and tokens a second
Onlooker = Callable[[int, int, float, float], None]
_STRETCH = 2.0  # seconds
_SAVED = 5.0  # seconds between two writes, and 20 times what one takes


def untold(step: int, steps: int, loss: float, rate: float) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Measured:
    """What was measured after so many steps: one number a seed."""

    step: int
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    held_out: tuple[float, ...] | None = None
    held_accuracy: tuple[float, ...] | None = None

    @property
    def judged(self) -> tuple[float, ...]:
        """The loss that counts: on what is held out, where something is."""
        return self.loss if self.held_out is None else self.held_out


@dataclass(frozen=True)
class Finished:
    """A run that ended.

    weights  of each seed, flat
    points   what was measured on the way
    stopped  the step that a seed could not take, or None
    kept     the step whose weights these are, for each seed
    held_out  the loss on all that is held out, with these weights; None where nothing is
    seconds   of this process
    tokens    that it read in a second
    early     True if it ended before the last step, without better evaluations
    """

    weights: list[dict[str, Array]]
    points: list[Measured]
    stopped: list[int | None]
    kept: list[int]
    held_out: tuple[float, ...] | None
    seconds: float
    tokens: int
    early: bool


@dataclass(frozen=True)
class _Best:
    """The best evaluation of each seed so far, and how many have come since."""

    loss: Array  # [n_seeds]
    step: Array  # [n_seeds]
    since: Array  # [n_seeds]
    weights: Mapping[str, Array]

    def after(self, point: Measured, weights: Mapping[str, Any]) -> _Best:
        """The best with one evaluation more."""
        new = np.array(point.judged)
        better = new < self.loss
        kept = {}
        for name, array in weights.items():
            own = np.asarray(array)
            wide = better.reshape(-1, *[1] * (own.ndim - 1))
            kept[name] = np.where(wide, own, self.weights.get(name, own))
        return _Best(
            np.where(better, new, self.loss),
            np.where(better, point.step, self.step),
            np.where(better, 0, self.since + 1),
            kept,
        )


@dataclass(frozen=True)
class _Standing:
    """Where a run stands: what its file holds."""

    state: TrainingState
    points: tuple[Measured, ...]
    best: _Best


class TrainingRun:
    """One training of one or several seeds.

    begins   the weights that all seeds begin with; None for drawn ones
    frozen   {array: True at each cell that stays}, with the values of `begins` or `held`
    held     the values of frozen cells where the rest is drawn
    file     where it goes on from, if it was stopped; None for nowhere
    """

    def __init__(
        self,
        data: Data,
        shape: ModelShape,
        settings: TrainingSettings,
        *,
        begins: Mapping[str, Array] | None = None,
        frozen: Mapping[str, Array] | None = None,
        held: Mapping[str, Array] | None = None,
        file: Path | None = None,
        told: Onlooker = untold,
    ) -> None:
        self.data, self.shape, self.settings = data, shape, settings
        self.file, self.told = file, told
        self.frozen = dict(frozen or {})
        self.first = _first(shape, settings, begins, self.frozen, held or {})
        self.steps = Steps(shape, data.examples, settings, self.frozen)
        self.saved = 0.0  # when, and how long it took
        self.took = 0.0
        self.pace = 0.0  # seconds a step
        self.tokens = 0
        self.busy = 0.0
        self.begun = False

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What decides about the bits of the run: as plain data, by name."""
        from handcraft import __version__

        settings = asdict(self.settings) | {"seeds": list(self.settings.seeds)}
        parts: dict[str, Any] = {"examples": self.data.examples.arrays}
        if self.data.held_out is not None:
            parts["held-out part"] = self.data.held_out.arrays
        parts |= {"first weights": self.first, "frozen cells": self.frozen}
        return {
            "handcraft": __version__,
            **versions(),
            **settings,
            "shape": {
                name: list(size) for name, size in self.shape.arrays.items()
            },
            "heads": self.shape.n_head,
            "activation": self.shape.activation,
            "causal": self.shape.causal,
            "still": sorted(self.shape.still),
            "window": self.data.examples.n_seq,
            **{name: _hash(arrays) for name, arrays in parts.items()},
        }

    # ------------------------------------------------------------ the run

    def run(self) -> Finished:
        """The weights after the last step, or, with `patience`, of the best evaluation."""
        began = time.monotonic()
        now = self._begin()
        try:
            while not self._over(now):
                now = self._stretch(now)
                self._tell(now.state)
                if time.monotonic() - self.saved > max(_SAVED, 20 * self.took):
                    self._save(now)
        except BaseException:
            with contextlib.suppress(Exception):
                self._save(now)
            raise
        return self._finished(now, began)

    def forget(self) -> None:
        """Remove the file that the run would go on from."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)

    def _begin(self) -> _Standing:
        state = self.steps.start(self.first)
        found = None
        if self.file is not None:
            found = saved_run(self.file, self.identity)
        if found is not None:
            return self._gone_on(state, *found)
        n = len(self.settings.seeds)
        never = _Best(
            np.full(n, np.inf), np.zeros(n, int), np.zeros(n, int), {}
        )
        now = self._measure(_Standing(state, (), never))
        self._save(now)
        return now

    def _over(self, now: _Standing) -> bool:
        return (
            now.state.step >= self.settings.steps
            or not now.state.good.any()
            or self._patient_no_more(now)
        )

    def _patient_no_more(self, now: _Standing) -> bool:
        """True if the last evaluations of every seed that is good were no better."""
        patience = self.settings.patience
        late = now.best.since >= (np.inf if patience is None else patience)
        return bool((late | ~now.state.good).all())

    def _stretch(self, now: _Standing) -> _Standing:
        """Where the run stands a few steps later, measured where it is time for that."""
        every, last = self.settings.every, self.settings.steps
        before = now.state.step
        many = max(1, int(_STRETCH / self.pace)) if self.pace else 1
        until = min(before + many, (before // every + 1) * every, last)
        start = time.monotonic()
        state = self.steps.go(now.state, until)
        self._timed(until - before, time.monotonic() - start)
        after = _Standing(state, now.points, now.best)
        due = until % every == 0 or until == last or not state.good.any()
        return self._measure(after) if due else after

    def _timed(self, steps: int, seconds: float) -> None:
        """Count what a stretch took; the first one is compiled, too, and does not count."""
        if self.begun:
            self.pace = seconds / steps
            self.tokens += steps * self._tokens_a_step()
            self.busy += seconds
        self.begun = True

    def _tokens_a_step(self) -> int:
        examples, batch = self.data.examples, self.settings.batch
        rows = examples.size if batch is None else min(batch, examples.size)
        return rows * examples.n_seq * len(self.settings.seeds)

    def _tell(self, state: TrainingState) -> None:
        good = state.loss[state.good]
        loss = float(good.mean()) if len(good) else float("nan")
        rate = self.tokens / self.busy if self.busy else 0.0
        self.told(state.step, self.settings.steps, loss, rate)

    # ------------------------------------------------------------ measuring

    def _measure(self, now: _Standing) -> _Standing:
        """The same with one evaluation more."""
        own = self._measured(now.state, self.data.examples)
        rest = self.data.held_out
        held = (None, None) if rest is None else self._measured(now.state, rest)
        point = Measured(now.state.step, *own, *held)
        best = now.best
        if self.settings.patience is not None:
            best = best.after(point, now.state.weights)
        return _Standing(now.state, (*now.points, point), best)

    def _measured(
        self, state: TrainingState, examples: Examples
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        found = self.steps.measure(state, examples, examples.sample())
        return tuple(found.loss.tolist()), tuple(found.accuracy.tolist())

    def _whole(self, state: TrainingState, rest: Examples) -> tuple[float, ...]:
        """The loss of each seed on all that is held out."""
        found = self.steps.measure(state, rest, rest.every())
        return tuple(found.loss.tolist())

    # ------------------------------------------------------------ the file

    def _save(self, now: _Standing) -> None:
        if self.file is None:
            return
        start = time.monotonic()
        state, best = now.state, now.best
        leaves = self.steps.leaves(state)
        arrays = {
            f"weights/{k}": np.asarray(x) for k, x in state.weights.items()
        }
        arrays |= {f"state/{i}": x for i, x in enumerate(leaves)}
        arrays |= {f"best/{k}": x for k, x in best.weights.items()}
        fields = {
            "step": state.step,
            "good": state.good.tolist(),
            "stopped": state.stopped.tolist(),
            "points": [finite_json(asdict(point)) for point in now.points],
            "best_step": best.step.tolist(),
            "since": best.since.tolist(),
            "best_loss": finite_json(best.loss.tolist()),
        }
        save_run(self.file, self.identity, fields, arrays)
        self.saved = time.monotonic()
        self.took = self.saved - start

    def _gone_on(
        self,
        state: TrainingState,
        fields: dict[str, Any],
        arrays: dict[str, Array],
    ) -> _Standing:
        """Where the file says that the run stands. Raises CheckpointError where that cannot be."""
        shapes = {name: array.shape for name, array in self.first.items()}
        try:
            now = self._restored(state, fields, arrays)
            if {k: x.shape for k, x in now.state.weights.items()} == shapes:
                return now
        except (KeyError, TypeError, ValueError, AttributeError):
            pass
        raise CheckpointError(
            f"{printable(str(self.file))} does not hold what a run needs to go on; remove"
            " it to begin anew"
        )

    def _restored(
        self,
        state: TrainingState,
        fields: dict[str, Any],
        arrays: dict[str, Array],
    ) -> _Standing:
        leaves = restored(arrays, "state/")
        state = self.steps.with_leaves(
            state, [leaves[str(i)] for i in range(len(leaves))]
        )
        state.weights = self.steps.put(restored(arrays, "weights/"))
        state.step = fields["step"]
        state.good = np.array(fields["good"])
        state.stopped = np.array(fields["stopped"])
        best = _Best(
            np.array(_numbers(fields["best_loss"], np.inf)),
            np.array(fields["best_step"]),
            np.array(fields["since"]),
            restored(arrays, "best/"),
        )
        points = tuple(Measured(**_tuples(point)) for point in fields["points"])
        return _Standing(state, points, best)

    def _finished(self, now: _Standing, began: float) -> Finished:
        state, best = now.state, self.settings.patience is not None
        if best:
            state.weights = self.steps.put(now.best.weights)
        rest = self.data.held_out
        host = {name: np.asarray(a) for name, a in state.weights.items()}
        seeds = range(len(self.settings.seeds))
        stopped = [
            None if state.good[i] else int(state.stopped[i]) for i in seeds
        ]
        last = [state.step if at is None else at for at in stopped]
        return Finished(
            [{name: array[i] for name, array in host.items()} for i in seeds],
            list(now.points),
            stopped,
            now.best.step.tolist() if best else last,
            None if rest is None else self._whole(state, rest),
            time.monotonic() - began,
            int(self.tokens / self.busy) if self.busy else 0,
            state.step < self.settings.steps and bool(state.good.any()),
        )


def _numbers(values: list[float | None], missing: float) -> list[float]:
    return [missing if value is None else value for value in values]


def _first(
    shape: ModelShape,
    settings: TrainingSettings,
    begins: Mapping[str, Array] | None,
    frozen: Mapping[str, Array],
    held: Mapping[str, Array],
) -> dict[str, Array]:  # -> [n_seeds, ...]
    """The weights that each seed begins with, in one array."""
    each = []
    for seed in settings.seeds:
        own = initial(shape, seed) if begins is None else dict(begins)
        for name, mark in frozen.items() if begins is None else ():
            own[name] = np.where(mark, held[name], own[name]).astype("float32")
        each.append(own)
    return {
        name: np.stack([own[name] for own in each]) for name in shape.arrays
    }


def _hash(arrays: Mapping[str, Array]) -> str:
    kept = {
        name: array.astype("float32") if array.dtype.kind != "f" else array
        for name, array in arrays.items()
    }
    return sha256(to_safetensors(kept))[:16]


def _tuples(point: Mapping[str, Any]) -> dict[str, Any]:
    return {
        k: tuple(_numbers(x, np.nan)) if isinstance(x, list) else x
        for k, x in point.items()
    }
