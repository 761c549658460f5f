"""Runs a training: stretches of steps, evaluations, early stop, a file to go on from.

Between two evaluations the steps are taken in stretches (pace.py), so that progress is seen. The
bits do not depend on how a run is cut (steps.py), nor on whether it was killed in between: what a
run that goes on needs is in its file (standing.py), and what is drawn is a function of seed and
step.

A seed whose loss or gradient is not finite stops there, with its last good weights.

Rules of this file: it knows no files but the one it goes on from, and prints nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.errors import CheckpointError, printable
from handcraft.core.gpt2 import Array
from handcraft.training.compiling import SeedCompiler
from handcraft.training.evaluating import SeedEvaluation
from handcraft.training.examples import Examples
from handcraft.training.identity import run_identity
from handcraft.training.measured import Finished, Measured, Onlooker, untold
from handcraft.training.pace import RunPace
from handcraft.training.saved import save_run, saved_run
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape, initial
from handcraft.training.standing import (
    Standing,
    as_saved,
    at_first,
    from_saved,
)
from handcraft.training.steps import Steps, TrainingState
from handcraft.training.texts import Data

_SAVED = 5.0  # seconds between two writes, and 20 times what one takes


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
        self.data, self.settings = data, settings
        self.shape, self.file, self.told = shape, file, told
        self.frozen = dict(frozen or {})
        self.first = _first(shape, settings, begins, self.frozen, held or {})
        own = SeedCompiler(len(settings.seeds))
        self.steps = Steps(own, shape, data.examples, settings, self.frozen)
        self.on_rows = SeedEvaluation(own, shape, data.examples)
        self.on_rest = (
            None
            if data.held_out is None
            else SeedEvaluation(own, shape, data.held_out)
        )
        self.pace = RunPace(_tokens_a_step(data.examples, settings))
        self.saved = 0.0  # when, and how long it took
        self.took = 0.0

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What decides about the bits of the run: as plain data, by name."""
        return run_identity(
            self.data, self.shape, self.settings, self.first, self.frozen
        )

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

    def _begin(self) -> Standing:
        state = self.steps.start(self.first)
        found = None
        if self.file is not None:
            found = saved_run(self.file, self.identity)
        if found is not None:
            return self._gone_on(state, *found)
        now = self._measure(at_first(state))
        self._save(now)
        return now

    def _over(self, now: Standing) -> bool:
        return (
            now.state.step >= self.settings.steps
            or not now.state.good.any()
            or self._patient_no_more(now)
        )

    def _patient_no_more(self, now: Standing) -> bool:
        """True if the last evaluations of every seed that is good were no better."""
        patience = self.settings.patience
        late = now.best.since >= (np.inf if patience is None else patience)
        return bool((late | ~now.state.good).all())

    def _stretch(self, now: Standing) -> Standing:
        """Where the run stands a few steps later, measured where it is time for that."""
        every, last = self.settings.every, self.settings.steps
        before = now.state.step
        next_one = (before // every + 1) * every
        until = min(before + self.pace.stretch(), next_one, last)
        start = time.monotonic()
        state = self.steps.go(now.state, until)
        self.pace.took(until - before, time.monotonic() - start)
        after = Standing(state, now.points, now.best)
        due = until % every == 0 or until == last or not state.good.any()
        return self._measure(after) if due else after

    def _tell(self, state: TrainingState) -> None:
        good = state.loss[state.good]
        loss = float(good.mean()) if len(good) else float("nan")
        steps, rate = self.settings.steps, self.pace.tokens_a_second
        self.told(state.step, steps, loss, rate)

    # ------------------------------------------------------------ measuring

    def _measure(self, now: Standing) -> Standing:
        """The same with one evaluation more; a step to a loss that is not finite is taken back."""
        state, point = now.state, self._measured(now.state)
        bad = state.good & ~np.isfinite(point.loss)
        if bad.any():
            state = state.taken_back(bad)
            point = self._measured(state)
        best = now.best
        if self.settings.patience is not None:
            best = best.after(point, state.weights)
        earlier = [p for p in now.points if p.step < point.step]
        return Standing(state, (*earlier, point), best)

    def _measured(self, state: TrainingState) -> Measured:
        """The loss of each seed, and how much is right, on rows that stand for all."""
        found: list[Any] = []
        for where in (self.on_rows, self.on_rest):
            if where is None:
                found += [None, None]
                continue
            sums = where.sums(state.weights, where.examples.sample())
            found += [tuple(sums.loss.tolist()), tuple(sums.accuracy.tolist())]
        return Measured(state.step, *found)

    # ------------------------------------------------------------ the file

    def _save(self, now: Standing) -> None:
        if self.file is None:
            return
        start = time.monotonic()
        save_run(self.file, self.identity, *as_saved(now, self.steps))
        self.saved = time.monotonic()
        self.took = self.saved - start

    def _gone_on(
        self,
        first: TrainingState,
        fields: dict[str, Any],
        arrays: dict[str, Array],
    ) -> Standing:
        """Where the file says that the run stands. Raises CheckpointError where that cannot be."""
        try:
            return from_saved(fields, arrays, first, self.steps)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise CheckpointError(
                f"{printable(str(self.file))} does not hold what a run needs to go on;"
                " remove it to begin anew"
            ) from None

    # ------------------------------------------------------------ the end

    def _finished(self, now: Standing, began: float) -> Finished:
        state, best = now.state, self.settings.patience is not None
        weights = now.best.weights if best else state.weights
        host = {name: np.asarray(a) for name, a in weights.items()}
        seeds = range(len(self.settings.seeds))
        return Finished(
            [{name: array[i] for name, array in host.items()} for i in seeds],
            list(now.points),
            [None if state.good[i] else int(state.stopped[i]) for i in seeds],
            (now.best.step if best else state.kept).tolist(),
            self._whole(weights),
            time.monotonic() - began,
            int(self.pace.tokens_a_second),
            state.step < self.settings.steps and bool(state.good.any()),
        )

    def _whole(self, weights: Mapping[str, Any]) -> tuple[float, ...] | None:
        """The loss of each seed on all that is held out; None where nothing is."""
        if self.on_rest is None:
            return None
        every = self.on_rest.examples.every()
        return tuple(self.on_rest.sums(weights, every).loss.tolist())


def _tokens_a_step(examples: Examples, settings: TrainingSettings) -> int:
    batch = settings.batch
    rows = examples.size if batch is None else min(batch, examples.size)
    return rows * examples.n_seq * len(settings.seeds)


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
