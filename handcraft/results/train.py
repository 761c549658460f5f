"""Trains models in Python, as `handcraft train` does: of a claim, a text, or a short sequence."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.core.gpt2 import Array
from handcraft.core.paths import DIRECTORY, VACANT, kind_at
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten
from handcraft.language.affine import kind_of
from handcraft.model import Model
from handcraft.proof.enumerate.workers import is_spread
from handcraft.proof.task import Spread
from handcraft.results.notes import without_notes
from handcraft.results.opening import Openable, opened
from handcraft.results.trained import Trained, seed_folders, write_trained
from handcraft.results.training_asked import (
    TrainingAsked,
    asked_frozen,
    asked_shape,
    given_settings,
)
from handcraft.training.apart import SeedsWork, trained_apart
from handcraft.training.extra import jax_and_optax
from handcraft.training.loss import loss_of
from handcraft.training.measured import Finished, Onlooker, untold
from handcraft.training.planning import (
    NewShape,
    check_no_sizes,
    settings_of,
)
from handcraft.training.running import TrainingRun
from handcraft.training.saved import TRAINING_FILE
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape, nested
from handcraft.training.texts import Data

_EXACT = (
    2**31
)  # weights times positions, up to which the loss is computed in float64


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
    given = given_settings(settings, batch, seeds)
    first = None if begin is None else opened(begin)
    if first is not None:
        check_no_sizes(first, sizes)
    with without_notes():
        asked = TrainingAsked(
            what, sequence, window, claim, first, held_out, batch == "all"
        )
        subject, data, program = asked.data()
        shape = asked_shape(subject, data, program, first, sizes, window)
        wanted = settings_of(subject, data, given)
        frozen, held = asked_frozen(freeze, first or program, shape)
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
    write_trained(found)
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


# ---------------------------------------------------------------- what is written


def _place(out: str | Path, settings: TrainingSettings) -> Path:
    """The directory to write to. Raises ProgramError where none can be."""
    if not isinstance(out, str | os.PathLike):
        raise ProgramError(
            f"out is the path of a directory, found {kind_of(out)}"
        )
    place = Path(out)
    for folder in (place, *seed_folders(place, settings.seeds)):
        if (kind := kind_at(folder)) not in (VACANT, DIRECTORY):
            raise ProgramError(
                f"{printable(str(folder))} is {kind}; name a directory to write"
            )
    return place


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
