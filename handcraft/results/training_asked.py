"""Reads what was asked of `handcraft train`: what is trained on, its shape, what stays, settings.

    TrainingAsked     of the arguments: a text, a sequence or a claim, as examples
    given_settings    the settings by name
    asked_shape       the shape that is trained
    asked_frozen      the cells that stay, and their values

Rules of this file: what would do nothing is a ProgramError, as is what cannot be.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handcraft.core.errors import ProgramError, printable
from handcraft.core.gpt2 import Array
from handcraft.core.paths import FILE, kind_at
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten
from handcraft.model import Model
from handcraft.proof.claimed import claim_of
from handcraft.results.opening import held_to_claim_in, opened
from handcraft.training.claim_examples import of_claim
from handcraft.training.frozen_cells import frozen_cells
from handcraft.training.planning import (
    WINDOW,
    NewShape,
    Subject,
    check_same_shape,
    new_shape,
    shape_like,
)
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape, shape_of
from handcraft.training.texts import Data, of_sequence, of_text, read_text


def given_settings(
    settings: dict[str, Any], batch: Any, seeds: Any
) -> dict[str, Any]:
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
class TrainingAsked:
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


def asked_shape(
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


def asked_frozen(
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
