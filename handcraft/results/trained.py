"""Holds what `handcraft train` ended with: the models, how their loss went, and their files.

    Trained          looks as the command prints it; as plain data, and as loss curves
    seed_folders     the directory of each seed
    write_trained    all of it as files

Rules of this file: it trains nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handcraft.core.errors import printable
from handcraft.core.writing import placed_after
from handcraft.model import Model
from handcraft.pictures.loss_curves import LossCurve, loss_svg
from handcraft.results.shown import ShownResult
from handcraft.training.measured import Measured
from handcraft.training.saved import finite_json
from handcraft.training.settings import TrainingSettings

LOSS_JSON, LOSS_SVG = "loss.json", "loss.svg"


@dataclass(frozen=True, repr=False)
class Trained(ShownResult):
    """Models that were trained, one for each seed, and how their loss went.

    out       the directory; with several seeds each has one of its own below it
    models    the trained models
    spread    several processes, or a cluster, each with a part of the seeds
    settings  steps, rate, batch and the like
    points    what was measured: Measured(step, loss, accuracy, held_out, held_accuracy)
    stopped   for each seed the step before which its loss or gradient was not finite, or None
    kept      for each seed the step whose weights are kept
    exact     for each seed the loss of what it was trained on, in float64; None where that
              would take long
    held_out  for each seed the loss of all that is held out; None where nothing is
    whole     how much of the claim was drawn, where that is not all
    """

    name: str
    out: Path | None
    models: tuple[Model, ...]
    settings: TrainingSettings
    points: tuple[Measured, ...]
    stopped: tuple[int | None, ...]
    kept: tuple[int, ...]
    exact: tuple[float, ...] | None
    held_out: tuple[float, ...] | None
    trained: int
    seconds: float
    tokens: int
    early: bool
    whole: str | None
    asks_chances: bool

    @property
    def model(self) -> Model:
        """The trained model, the first of several."""
        return self.models[0]

    @property
    def exit_code(self) -> int:
        """0, or 1 where a loss was not finite."""
        return 1 if any(at is not None for at in self.stopped) else 0

    @property
    def folders(self) -> list[Path]:
        """The directory of each seed; none where nothing was written."""
        if self.out is None:
            return []
        return seed_folders(self.out, self.settings.seeds)

    def drawn(self, width: int) -> Any:  # noqa: ARG002  # a path is not broken
        from handcraft.results.tables import unbroken

        return unbroken(str(self))

    def __str__(self) -> str:
        return "\n".join(printable(line) for line in self._lines())

    def _lines(self) -> Iterable[str]:
        first, last = self.points[0], self.points[-1]
        many = len(self.models)
        seeds = "" if many == 1 else f", {many} seeds"
        yield f"{self.name}: {self.trained:,} weights trained{seeds}, {last.step:,} steps"
        yield f"  loss        {_both(first.loss, last.loss)}"
        if self.exact is not None:
            yield f"  in float64  {_spread(self.exact, '.10g')}"
        if self.held_out is not None and first.held_out is not None:
            yield f"  held out    {_both(first.held_out, self.held_out)}"
        if not self.asks_chances:
            yield f"  right       {_both(first.accuracy, last.accuracy, '.2%')}"
        if self.whole is not None:
            yield f"  trained on  {self.whole}"
        yield f"  speed       {self.tokens:,} tokens a second, {self.seconds:.1f} s"
        yield from self._endings()
        yield from (f"wrote {folder}" for folder in self.folders)

    def _endings(self) -> Iterable[str]:
        """What is to be said of the end of the run."""
        if self.early:
            yield "  ended early: the last evaluations were no better"
        if self.settings.patience is not None:
            yield f"  kept        the weights of step {_several(self.kept)}"
        ends = zip(self.settings.seeds, self.stopped, self.kept, strict=True)
        for seed, at, kept in ends:
            if at is not None:
                yield (
                    f"  stopped: seed {seed} at step {at:,}, where the loss or its"
                    " gradient is not finite; the last good weights are kept, those of"
                    f" step {kept:,}"
                )

    def to_json(self) -> dict[str, Any]:
        """The training as plain data, as `handcraft train --json`."""
        folders: Sequence[Path | None] = self.folders
        folders = folders or [None] * len(self.models)
        rows = zip(self.settings.seeds, folders, strict=True)
        return {
            "program": self.name,
            "out": None if self.out is None else str(self.out),
            **self.curves(),
            "exact": None if self.exact is None else _mean(self.exact),
            "held_out_whole": None
            if self.held_out is None
            else _mean(self.held_out),
            "parameters": {"trained": self.trained, **self.model.parameters},
            "drawn": self.whole,
            "early": self.early,
            "seconds": self.seconds,
            "tokens_per_second": self.tokens,
            "seeds": [self._seed(i, *row) for i, row in enumerate(rows)],
        }

    def _seed(self, i: int, seed: int, folder: Path | None) -> dict[str, Any]:
        return {
            "seed": seed,
            "out": None if folder is None else str(folder),
            "loss": [[p.step, p.loss[i]] for p in self.points],
            "held_out": [
                [p.step, p.held_out[i]] for p in self.points if p.held_out
            ]
            or None,
            "accuracy": [[p.step, p.accuracy[i]] for p in self.points],
            "exact": None if self.exact is None else self.exact[i],
            "held_out_whole": None
            if self.held_out is None
            else self.held_out[i],
            "stopped": self.stopped[i],
            "kept": self.kept[i],
        }

    def curves(self) -> dict[str, Any]:
        """The means over all seeds: [[step, nats], ...] of what was trained on and held out."""
        held = [[p.step, _mean(p.held_out)] for p in self.points if p.held_out]
        return {
            "loss": [[p.step, _mean(p.loss)] for p in self.points],
            "held_out": held or None,
            "accuracy": None
            if self.asks_chances
            else [[p.step, _mean(p.accuracy)] for p in self.points],
        }

    def svg(self) -> str:
        """The loss curves as an SVG."""
        found = []
        for i, seed in enumerate(self.settings.seeds):
            own = [(p.step, p.loss[i]) for p in self.points]
            found.append(LossCurve(f"seed {seed}", own))
            held = [(p.step, p.held_out[i]) for p in self.points if p.held_out]
            if held:
                found.append(
                    LossCurve(f"seed {seed}, held out", held, held_out=True)
                )
        return loss_svg(f"the loss of {self.name}", found)

    def _repr_html_(self) -> str:
        return self.svg() + super()._repr_html_()


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _spread(numbers: Sequence[float], form: str = ".4f") -> str:
    """The number of one seed; of several their mean, the least and the greatest."""
    mean = f"{_mean(numbers):{form}}"
    if len(numbers) == 1:
        return mean
    return f"{mean} ({min(numbers):{form}} to {max(numbers):{form}})"


def _both(
    first: Sequence[float], last: Sequence[float], form: str = ".4f"
) -> str:
    return f"{_mean(first):{form}} -> {_spread(last, form)}"


def _several(steps: Sequence[int]) -> str:
    return ", ".join(f"{step:,}" for step in steps)


def seed_folders(out: Path, seeds: Sequence[int]) -> list[Path]:
    return [out] if len(seeds) == 1 else [out / f"seed{seed}" for seed in seeds]


def write_trained(found: Trained) -> None:
    """Write each model as a built directory, and the curves beside them: no curve without them."""
    if found.out is None:
        return
    curves = json.dumps(finite_json(found.to_json()), allow_nan=False) + "\n"
    texts = {LOSS_JSON: curves, LOSS_SVG: found.svg()}
    files = {found.out / name: text.encode() for name, text in texts.items()}
    with placed_after(files):
        for model, folder in zip(found.models, found.folders, strict=True):
            model.save(folder)
