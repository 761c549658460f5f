"""Decides what is trained, and how, from what was asked: the shape and the settings.

                     a text        a sequence     a claim
    layers           4             4              those of the program, as they are
    heads, width     4, 128        4, 16
    window           64            that is given
    steps            2,000         1,000          3,000
    batch            12            all            of 4,096 tokens, or all where there are fewer
    rate             1e-3          1e-3           3e-3
    schedule         cosine        constant       cosine
    warm-up          100           0              100
    weight decay     0.1           0.1            0
    beta2, clip      0.99, 1       0.999, none    0.999, 1
    biases           yes           no

Rules of this file: what is given counts; what is given and would do nothing is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from handcraft.core.errors import ProgramError, listing, printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.model import Model
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape, gpt_shape, shape_of
from handcraft.training.texts import Data

Subject = Literal["text", "sequence", "claim"]
_POSITIONS = 2**12  # positions of the rows of a claim in one step
_SETTINGS: dict[Subject, dict[str, Any]] = {
    "text": {
        "steps": 2000,
        "batch": 12,
        "schedule": "cosine",
        "warmup": 100,
        "beta2": 0.99,
        "clip": 1.0,
    },
    "sequence": {},
    "claim": {
        "steps": 3000,
        "rate": 3e-3,
        "schedule": "cosine",
        "warmup": 100,
        "decay": 0.0,
        "clip": 1.0,
    },
}
_SHAPES: dict[str, dict[str, Any]] = {
    "text": {"layers": 4, "heads": 4, "width": 128},
    "sequence": {"layers": 4, "heads": 4, "width": 16, "biases": False},
}
WINDOW = 64  # of a text
_MOST_AT_ONCE = 2**22  # tokens of one step


@dataclass(frozen=True)
class NewShape:
    """The shape that was asked for; None for what was not named."""

    layers: int | None = None
    heads: int | None = None
    width: int | None = None
    norms: bool | None = None
    biases: bool | None = None
    tied: bool | None = None

    @property
    def given(self) -> dict[str, Any]:
        """What was named."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in own.items() if value is not None}


def settings_of(
    subject: Subject, data: Data, given: Mapping[str, Any]
) -> TrainingSettings:
    """The settings, those that were given in place of the usual ones."""
    usual = dict(_SETTINGS[subject])
    steps = given.get("steps", usual.get("steps", TrainingSettings.steps))
    if isinstance(steps, int):
        times = 10 if subject == "text" else 20
        usual["every"] = max(1, steps // times)
        if "warmup" in usual:
            usual["warmup"] = min(usual["warmup"], steps // 10)
    if subject == "claim":
        rows = max(16, _POSITIONS // data.examples.n_seq)
        usual["batch"] = rows if rows < data.examples.size else None
    found = TrainingSettings(**usual | dict(given))
    _check_batch(data, found)
    return found


def _check_batch(data: Data, settings: TrainingSettings) -> None:
    """Raise ProgramError for a batch that would not fit the memory of a small machine."""
    many = data.examples.size if settings.batch is None else settings.batch
    each = data.examples.n_seq * len(settings.seeds)
    if min(many, data.examples.size) * each > _MOST_AT_ONCE:
        raise ProgramError(
            f"a batch of {many:,} rows of {data.examples.n_seq} tokens for"
            f" {len(settings.seeds)} seeds is too large; at most"
            f" {_MOST_AT_ONCE // each:,} rows work"
        )


def new_shape(
    subject: Subject, sizes: NewShape, vocabulary: Vocabulary, window: int
) -> ModelShape:
    """The shape of a model of a text or a sequence."""
    wanted = _SHAPES[subject] | sizes.given
    return gpt_shape(len(vocabulary), window, **wanted)


def shape_like(model: Model, sizes: NewShape) -> ModelShape:
    """The shape of a program, or a GPT of these sizes with its tokens and window."""
    if not sizes.given:
        return shape_of(model)
    usual = {
        "layers": model.n_layer,
        "heads": model.n_head,
        "width": model.n_embd,
    }
    found = gpt_shape(len(model.vocabulary), model.n_ctx, **usual | sizes.given)
    return replace(found, activation=model.activation, causal=model.causal)


def check_no_sizes(begins: Model, sizes: NewShape) -> None:
    """Raise ProgramError for sizes beside weights to begin with, which have their own."""
    if sizes.given:
        raise ProgramError(
            f"--from takes the shape of {printable(begins.name)} as it is; leave"
            f" {listing(sizes.given)} out"
        )


def check_same_shape(
    begins: Model, shape: ModelShape, vocabulary: Vocabulary
) -> None:
    """Raise ProgramError unless weights can begin a training of this shape and these tokens."""
    own = shape_of(begins)
    problem = None
    if begins.vocabulary.tokens != vocabulary.tokens:
        problem = (
            f"its tokens are {listing(begins.vocabulary.tokens)}, not"
            f" {listing(vocabulary.tokens)}"
        )
    elif dict(own.arrays) != dict(shape.arrays):
        problem = _first_other(own.arrays, shape.arrays)
    elif (own.n_head, own.activation, own.causal) != (
        shape.n_head,
        shape.activation,
        shape.causal,
    ):
        problem = "its heads, activation or mask are others"
    if problem is not None:
        raise ProgramError(
            f"cannot begin with the weights of {printable(begins.name)}: {problem}"
        )


def _first_other(own: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first array that two shapes do not share, as a text."""
    name = next(n for n in (*wanted, *own) if own.get(n) != wanted.get(n))
    if name not in own:
        return f"it has no {name}"
    if name not in wanted:
        return f"it has a {name}, which is not wanted"
    return f"its {name} has the shape {own[name]}, not {wanted[name]}"
