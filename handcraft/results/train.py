"""Trains models in Python, as `handcraft train` does: of a claim, a text, or a short sequence."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.core.gpt2 import Array
from handcraft.core.paths import DIRECTORY, FILE, VACANT, kind_at
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten
from handcraft.core.writing import placed_after
from handcraft.language.affine import kind_of
from handcraft.model import Model
from handcraft.pictures.loss_curves import LossCurve, loss_svg
from handcraft.proof.claimed import claim_of
from handcraft.proof.enumerate.workers import is_spread
from handcraft.proof.task import Spread
from handcraft.results.notes import without_notes
from handcraft.results.opening import Openable, held_to_claim_in, opened
from handcraft.results.shown import ShownResult
from handcraft.training.apart import SeedsWork, trained_apart
from handcraft.training.claim_examples import of_claim
from handcraft.training.extra import jax_and_optax
from handcraft.training.frozen_cells import frozen_cells
from handcraft.training.loss import loss_of
from handcraft.training.measured import Finished, Measured, Onlooker, untold
from handcraft.training.planning import (
    WINDOW,
    NewShape,
    Subject,
    check_no_sizes,
    check_same_shape,
    new_shape,
    settings_of,
    shape_like,
)
from handcraft.training.running import TrainingRun
from handcraft.training.saved import TRAINING_FILE, finite_json
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape, nested, shape_of
from handcraft.training.texts import Data, of_sequence, of_text, read_text

LOSS_JSON, LOSS_SVG = "loss.json", "loss.svg"
_EXACT = (
    2**31
)  # weights times positions, up to which the loss is computed in float64


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
        return _folders(self.out, self.settings.seeds)

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


@asked_call("handcraft.train")
def train(
    what: Openable | None = None,
    *,
    sequence: str | None = None,
    window: int | None = None,
    claim: str | Path | None = None,
    layers: int | None = None,
    heads: int | None = None,
    width: int | None = None,
    norms: bool | None = None,
    biases: bool | None = None,
    tied: bool | None = None,
    begin: Openable | None = None,
    freeze: str | Sequence[str] = (),
    held_out: float | None = None,
    batch: int | Literal["all"] | None = None,
    seeds: int | Iterable[int] = 0,
    out: str | Path | None = None,
    spread: Spread | None = None,
    progress: Onlooker = untold,
    **settings: Any,
) -> Trained:
    """Train a model by gradient descent: the rival of one that is made by hand.

    what      a program, trained on its claim in its own shape; or a text (the path of a file),
              whose last tenth is held out
    sequence  a short text, all of whose windows are one batch
    window    tokens of a window of a text or a sequence
    claim     a file with the claim, for a program that has none
    begin     a program whose weights are the first ones; drawn otherwise
    freeze    rules whose cells stay as they are, such as "layers[0]"
    batch     rows of a step, or "all"
    out       a directory to write to; a run that was killed goes on from what is there
    spread    several processes, or a cluster, each with a part of the seeds
    settings  steps, rate, schedule, warmup, final, decay, beta2, clip, every, patience

    Needs the extra `train`. Raises ProgramError for what cannot be trained.
    """
    sizes = NewShape(layers, heads, width, norms, biases, tied)
    given = _given(settings, batch, seeds)
    first = None if begin is None else opened(begin)
    if first is not None:
        check_no_sizes(first, sizes)
    with without_notes():
        asked = _Asked(
            what, sequence, window, claim, first, held_out, batch == "all"
        )
        subject, data, program = asked.data()
        shape = _shape(subject, data, program, first, sizes, window)
        wanted = settings_of(subject, data, given)
        frozen, held = _frozen(freeze, first or program, shape)
        place = None if out is None else _place(out, wanted)
        jax_and_optax()  # what is wrong with the arguments is told first
        work = SeedsWork(
            data,
            shape,
            wanted,
            None if first is None else flatten(first.weights),
            frozen,
            held,
            None if place is None else place / TRAINING_FILE,
        )
        done, forget = _run(work, spread or Spread(), progress)
        found = _result(data, shape, wanted, done, place)
    _write(found)
    forget()
    return found


def _run(
    work: SeedsWork, spread: Spread, progress: Onlooker
) -> tuple[Finished, Callable[[], None]]:
    """What the training ended with, in this process or in several; and what forgets its files."""
    if is_spread(spread):
        if spread.backend != "loky":
            work = replace(work, file=None)
        return trained_apart(work, spread, progress), work.forget
    run = TrainingRun(
        work.data,
        work.shape,
        work.settings,
        begins=work.begins,
        frozen=work.frozen,
        held=work.held,
        file=work.file,
        told=progress,
    )
    return run.run(), run.forget


# ---------------------------------------------------------------- what is asked


def _given(settings: dict[str, Any], batch: Any, seeds: Any) -> dict[str, Any]:
    """The settings that were given. Raises ProgramError for one that there is not."""
    known = [
        name
        for name in TrainingSettings.__dataclass_fields__
        if name not in ("seeds", "batch")
    ]
    for name in settings:
        if name not in known:
            raise ProgramError(
                f"has no setting {printable(name)}; it takes {', '.join(known)}",
                ("handcraft.train",),
            )
    found = {name: x for name, x in settings.items() if x is not None}
    if batch is not None:
        found["batch"] = None if batch == "all" else batch
    several = (seeds,) if isinstance(seeds, int) else tuple(seeds)
    return found | {"seeds": several}


@dataclass(frozen=True)
class _Asked:
    """What is to be trained on, as it was asked for; `first` has the first weights."""

    what: Any
    sequence: str | None
    window: int | None
    claim: str | Path | None
    first: Model | None
    held_out: float | None
    together: bool

    def data(self) -> tuple[Subject, Data, Model | None]:
        """The kind of what is trained on, its examples, and the program where it is one."""
        if (self.what is None) == (self.sequence is None):
            raise ProgramError(
                "train takes one of three: a program, a text, or --sequence TEXT"
            )
        if self.sequence is not None:
            return "sequence", self._of_sequence(self.sequence), None
        if _is_text(self.what):
            return "text", self._of_text(Path(self.what)), None
        return "claim", *self._of_program()

    def _of_sequence(self, sequence: str) -> Data:
        _unused("a sequence", claim=self.claim, held_out=self.held_out)
        if self.window is None:
            raise ProgramError("a sequence needs --window N, such as 3")
        return of_sequence(sequence, self.window, self._tokens)

    def _of_text(self, path: Path) -> Data:
        _unused("a text", claim=self.claim)
        usual = WINDOW if self.first is None else self.first.n_ctx
        return of_text(
            path.name,
            read_text(path),
            usual if self.window is None else self.window,
            held_out=0.1 if self.held_out is None else self.held_out,
            together=self.together,
            vocabulary=self._tokens,
        )

    def _of_program(self) -> tuple[Data, Model]:
        _unused("a claim", window=self.window, held_out=self.held_out)
        model = opened(self.what)
        if self.claim is None:
            claim = claim_of(model, "--claim")
        else:
            model, claim = held_to_claim_in(model, self.claim)
        return of_claim(model, claim), model

    @property
    def _tokens(self) -> Vocabulary | None:
        return None if self.first is None else self.first.vocabulary


def _unused(subject: str, **options: Any) -> None:
    """Raise ProgramError for an option that would do nothing."""
    for name, value in options.items():
        if value is not None:
            raise ProgramError(
                f"--{name.replace('_', '-')} is not for {subject}; leave it out"
            )


def _is_text(what: Any) -> bool:
    """True for the path of a file that is no program."""
    if not isinstance(what, str | os.PathLike):
        return False
    path = Path(what)
    if path.suffix == ".txt":
        return True
    try:
        return kind_at(path) == FILE and path.suffix not in (".py", "")
    except OSError:
        return False


def _shape(
    subject: Subject,
    data: Data,
    program: Model | None,
    first: Model | None,
    sizes: NewShape,
    window: int | None,
) -> ModelShape:
    """The shape that is trained. Raises ProgramError where it does not fit what is there."""
    if program is not None:
        shape = shape_like(program, sizes)
        if first is not None:
            check_same_shape(first, shape, program.vocabulary)
        return shape
    if first is None:
        return new_shape(subject, sizes, data.vocabulary, data.examples.n_seq)
    if data.examples.n_seq > first.n_ctx:
        raise ProgramError(
            f"--window {window} is longer than the {first.n_ctx} tokens of"
            f" {printable(first.name)}"
        )
    return shape_of(first)


def _frozen(
    freeze: str | Sequence[str], model: Model | None, shape: ModelShape
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The cells that stay, and the arrays that have their values."""
    rules = [freeze] if isinstance(freeze, str) else list(freeze)
    if not rules:
        return {}, {}
    if model is None:
        raise ProgramError(
            "--freeze is for a program, or with --from PROGRAM: a text has no rules"
        )
    check_same_shape(model, shape, model.vocabulary)
    return frozen_cells(model, rules), flatten(model.weights)


# ---------------------------------------------------------------- what is written


def _place(out: str | Path, settings: TrainingSettings) -> Path:
    """The directory to write to. Raises ProgramError where none can be."""
    if not isinstance(out, str | os.PathLike):
        raise ProgramError(
            f"out is the path of a directory, found {kind_of(out)}"
        )
    place = Path(out)
    for folder in (place, *_folders(place, settings.seeds)):
        if (kind := kind_at(folder)) not in (VACANT, DIRECTORY):
            raise ProgramError(
                f"{printable(str(folder))} is {kind}; name a directory to write"
            )
    return place


def _folders(out: Path, seeds: Sequence[int]) -> list[Path]:
    return [out] if len(seeds) == 1 else [out / f"seed{seed}" for seed in seeds]


def _result(
    data: Data,
    shape: ModelShape,
    settings: TrainingSettings,
    done: Finished,
    out: Path | None,
) -> Trained:
    name = _name(data.name)
    models = tuple(
        _model(name, data.vocabulary, shape, w) for w in done.weights
    )
    return Trained(
        name,
        out,
        models,
        settings,
        tuple(done.points),
        tuple(done.stopped),
        tuple(done.kept),
        _exact(models, data),
        done.held_out,
        shape.trained,
        done.seconds,
        done.tokens,
        done.early,
        data.examples.whole,
        data.examples.kind == "chances",
    )


def _name(given: str) -> str:
    """A name that a built directory may have."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", given.removesuffix(".txt"))
    return f"{plain.lstrip('.-') or 'text'}_trained"[:100]


def _model(
    name: str, vocabulary: Vocabulary, shape: ModelShape, flat: dict[str, Array]
) -> Model:
    for array in flat.values():
        array.flags.writeable = False
    return Model(
        name,
        nested(flat, shape.n_layer),
        vocabulary,
        shape.n_head,
        shape.activation,
        shape.causal,
    )


def _exact(models: Sequence[Model], data: Data) -> tuple[float, ...] | None:
    """The losses in float64, where that does not take long."""
    rows = data.examples.sample()
    size = sum(array.size for array in flatten(models[0].weights).values())
    if len(rows) * data.examples.n_seq * size * len(models) > _EXACT:
        return None
    found = []
    for model in models:
        wide = {
            k: x.astype("float64") for k, x in flatten(model.weights).items()
        }
        weights = nested(wide, model.n_layer)
        with np.errstate(all="ignore"):
            one = loss_of(weights, data.examples, rows, **model.config)
        found.append(float(one.loss))
    return tuple(found)


def _write(found: Trained) -> None:
    """Write each model as a built directory, and the curves beside them: no curve without them."""
    if found.out is None:
        return
    curves = json.dumps(finite_json(found.to_json()), allow_nan=False) + "\n"
    texts = {LOSS_JSON: curves, LOSS_SVG: found.svg()}
    files = {found.out / name: text.encode() for name, text in texts.items()}
    with placed_after(files):
        for model, folder in zip(found.models, found.folders, strict=True):
            model.save(folder)
