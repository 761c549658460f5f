"""Trains seeds in several processes, or on a cluster of dask or ray, as contexts are enumerated.

    trained_apart(work, spread, told)    what all runs together ended with

The seeds are cut into parts, whatever the number of processes: each part is one run, and has a file
of its own to go on from. On a cluster, whose workers have other disks, it has none. Rules of this
file: it trains nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from handcraft.core.gpt2 import Array
from handcraft.proof.enumerate.workers import count_units
from handcraft.proof.task import Spread
from handcraft.training.measured import Finished, Measured, Onlooker
from handcraft.training.running import TrainingRun
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape
from handcraft.training.texts import Data

_PART = 4  # seeds of a run, at most


@dataclass(frozen=True, eq=False)
class SeedsWork:
    """What every process needs; see TrainingRun."""

    data: Data
    shape: ModelShape
    settings: TrainingSettings
    begins: Mapping[str, Array] | None
    frozen: Mapping[str, Array]
    held: Mapping[str, Array]
    file: Path | None

    @property
    def parts(self) -> list[tuple[int, ...]]:
        """The seeds of each run."""
        seeds = self.settings.seeds
        return [seeds[i : i + _PART] for i in range(0, len(seeds), _PART)]

    def run_of(self, index: int) -> TrainingRun:
        """The run of a part."""
        part = self.parts[index]
        return TrainingRun(
            self.data,
            self.shape,
            replace(self.settings, seeds=part),
            begins=self.begins,
            frozen=self.frozen,
            held=self.held,
            file=self.file and self.file.with_suffix(f".{index}.checkpoint"),
        )

    def count(self, index: int) -> tuple[Finished, bool]:
        """What a part ended with; it is always all of it."""
        return self.run_of(index).run(), True

    def forget(self) -> None:
        """Remove the files that the runs would go on from."""
        for index in range(len(self.parts) if self.file is not None else 0):
            self.run_of(index).forget()


def trained_apart(work: SeedsWork, spread: Spread, told: Onlooker) -> Finished:
    """What the runs of all seeds ended with, in the order of the seeds."""
    found: dict[int, Finished] = {}
    parts, steps = len(work.parts), work.settings.steps
    with closing(count_units(work, range(parts), spread, lambda: True)) as done:
        for index, one in done:
            found[index] = one
            loss = sum(one.points[-1].loss) / len(one.points[-1].loss)
            told(steps * len(found) // parts, steps, loss, one.tokens)
    return _joined([found[index] for index in range(parts)])


def _joined(parts: Sequence[Finished]) -> Finished:
    """Several runs as one: what ended early stays as it was measured last."""
    held = [part.held_out for part in parts]
    longest = max((part.points for part in parts), key=len)
    return Finished(
        [weights for part in parts for weights in part.weights],
        [
            _measured(
                [part.points[min(i, len(part.points) - 1)] for part in parts]
            )
            for i in range(len(longest))
        ],
        [at for part in parts for at in part.stopped],
        [at for part in parts for at in part.kept],
        None if None in held else tuple(x for row in held for x in row or ()),
        max(part.seconds for part in parts),
        sum(part.tokens for part in parts),
        all(part.early for part in parts),
    )


def _measured(points: Sequence[Measured]) -> Measured:
    """The numbers of several runs at one step."""
    joined: dict[str, tuple[float, ...] | None] = {}
    for name in ("loss", "accuracy", "held_out", "held_accuracy"):
        rows = [getattr(point, name) for point in points]
        joined[name] = (
            None if None in rows else tuple(x for row in rows for x in row)
        )
    return Measured(
        max(point.step for point in points),
        joined["loss"] or (),
        joined["accuracy"] or (),
        joined["held_out"],
        joined["held_accuracy"],
    )
