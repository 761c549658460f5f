"""Writes and reads the file from which an interrupted enumeration goes on.

    handcraft    the version of this format
    identity     the SHA-256 of the task (identity.py): a file of another task is refused
    done         the units that are counted, as runs [first, last + 1]
    tally        their sum

The file is written whole or not at all, at most once a second, and when the run ends in any way
but a kill. It is deleted when the last unit is counted: a verdict always comes from a run, never
from a file alone. Whoever can write the file can forge the counts of an unfinished run, as they
could forge its weights.

Rules of this file: a file is believed only as far as it agrees with itself (the contexts of the
done units are those of the tally) and with the task; anything else is a CheckpointError that
names the file.
"""

from __future__ import annotations

import json
import math
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handcraft.core.errors import CheckpointError, WeightsError, printable
from handcraft.core.frozen import unfit
from handcraft.core.weights import parse_json, read_bytes
from handcraft.core.writing import write_atomically
from handcraft.proof.enumerate.units import Work
from handcraft.proof.tally import Tally, Wrong

_MAX_BYTES = 2**20
_EVERY = 1.0  # seconds between two writes

Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False
    )


class _Several(_Strict):
    """Several tokens that are right, which a list would make probabilities of."""

    tokens: list[Count]


class _Wrong(_Strict):
    context: list[Count]
    expected: int | float | list[float] | _Several
    got: int | float | list[float] | None
    margin: float | None
    position: Count | None = None

    @classmethod
    def of(cls, wrong: Wrong) -> _Wrong:
        told = wrong.expected
        if isinstance(told, tuple):
            told = _Several(tokens=list(told))
        return cls(**vars(wrong) | {"expected": told})

    def wrong(self) -> Wrong:
        told = self.expected
        if isinstance(told, _Several):
            return Wrong(**vars(self) | {"expected": tuple(told.tokens)})
        return Wrong(**vars(self))


class _Tally(_Strict):
    """A tally as JSON, which has no infinity: a margin without a number is minus infinity if it has
    a context.
    """

    contexts: Count
    checked: Count
    correct: Count
    min_margin: float | None
    min_margin_at: list[Count] | None
    max_error: float | Literal["inf"] | None
    worst: _Wrong | None
    min_margin_position: Count | None = None
    unsure: _Wrong | None = None

    @classmethod
    def of(cls, tally: Tally) -> _Tally:
        margin = tally.min_margin if math.isfinite(tally.min_margin) else None
        error = "inf" if tally.max_error == math.inf else tally.max_error
        kept = {
            key: None if wrong is None else _Wrong.of(wrong)
            for key, wrong in _kept(tally)
        }
        return cls(
            **vars(tally) | {"min_margin": margin, "max_error": error} | kept
        )

    def tally(self) -> Tally:
        margin = (
            math.inf
            if self.min_margin_at is None
            else -math.inf
            if self.min_margin is None
            else self.min_margin
        )
        error = math.inf if self.max_error == "inf" else self.max_error
        kept = {
            key: None if wrong is None else wrong.wrong()
            for key, wrong in _kept(self)
        }
        at = self.min_margin_at, self.min_margin_position
        return Tally(
            self.contexts,
            self.checked,
            self.correct,
            margin,
            at[0],
            error,
            min_margin_position=at[1],
            **kept,
        )


def _kept(tally: Any) -> list[tuple[str, Any]]:
    return [("worst", tally.worst), ("unsure", tally.unsure)]


class _File(_Strict):
    handcraft: Literal["checkpoint 2"] = "checkpoint 2"
    identity: str
    done: list[tuple[Count, Count]]
    tally: _Tally


class Book:
    """The units that are counted and their sum; with a path also on the disk."""

    def __init__(self, work: Work, path: Path | None = None) -> None:
        self.work = work
        self.path = path
        self.tally = Tally()
        self.done = set[int]()
        if path is not None and path.exists():
            self._read(path)
        self._write()  # a place that cannot be written is found before an hour of work

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def missing(self) -> list[int]:
        """The units that are not counted yet."""
        return [
            index
            for index in range(len(self.work.units))
            if index not in self.done
        ]

    def enter(self, index: int, tally: Tally) -> None:
        """Add a unit, once."""
        if index in self.done:
            return
        self.done.add(index)
        self.tally.merge(tally)
        if time.monotonic() - self.written >= _EVERY:
            self._write()

    def finish(self) -> None:
        """Delete the file: all is counted."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self.path = None

    def _write(self) -> None:
        self.written = time.monotonic()
        if self.path is None:
            return
        file = _File(
            identity=self.work.identity,
            done=_runs(self.done),
            tally=_Tally.of(self.tally),
        )
        try:
            write_atomically(self.path, file.model_dump_json().encode())
        except OSError as error:
            raise CheckpointError(
                f"cannot write the checkpoint {printable(str(self.path))}:"
                f" {error.strerror}"
            ) from None

    def _read(self, path: Path) -> None:
        shown = printable(str(path))
        try:
            file = _File.model_validate_json(
                json.dumps(parse_json(read_bytes(path, _MAX_BYTES)))
            )
        except WeightsError as error:
            raise CheckpointError(
                f"the checkpoint {shown} cannot be used: {error}; delete it to start"
                " anew"
            ) from None
        except ValidationError as error:
            at = ".".join(map(str, error.errors()[0]["loc"]))
            what = printable(f"{at}: {unfit(error.errors()[0])}")[:200]
            raise CheckpointError(
                f"{shown} is not a checkpoint of this version: {what}; delete it to"
                " start anew"
            ) from None
        if file.identity != self.work.identity:
            raise CheckpointError(
                f"the checkpoint {shown} is of other weights, of another claim or of"
                " another version, or the claim reads what cannot be recognised again;"
                " name another file or delete it"
            )
        if not _in_order(file.done, len(self.work.units)) or not _agrees(
            file.tally, done := _numbers(file.done), self.work
        ):
            raise CheckpointError(
                f"the checkpoint {shown} does not agree with itself; delete it to start"
                " anew"
            )
        self.done = done
        self.tally = file.tally.tally()


def _runs(numbers: set[int]) -> list[tuple[int, int]]:
    """The numbers as runs [first, last + 1]."""
    starts = [i for i in sorted(numbers) if i - 1 not in numbers]
    return list(
        zip(
            starts,
            [i + 1 for i in sorted(numbers) if i + 1 not in numbers],
            strict=True,
        )
    )


def _numbers(runs: list[tuple[int, int]]) -> set[int]:
    return {i for first, last in runs for i in range(first, last)}


def _in_order(runs: list[tuple[int, int]], n: int) -> bool:
    """True if the runs are as they would be written: not empty, in order, apart, within the n
    units.
    """
    edges = [edge for run in runs for edge in run]
    return all(a < b for a, b in pairwise(edges)) and all(
        edge <= n for edge in edges
    )


def _agrees(tally: _Tally, done: set[int], work: Work) -> bool:
    """True if the counts are those of the done units, and every id and answer is one of the
    model's.
    """
    n_vocab = work.units.n_vocab
    sizes = sum(work.units[index].size(n_vocab) for index in done)
    counts = tally.correct <= tally.checked <= tally.contexts == sizes
    wrong = (tally.worst is not None) == (tally.correct < tally.checked)
    kept = [wrong for wrong in (tally.worst, tally.unsure) if wrong is not None]
    contexts = (
        [tally.min_margin_at] if tally.min_margin_at is not None else []
    ) + [wrong.context for wrong in kept]
    fitting = all(
        1 <= len(at) <= work.model.n_ctx and max(at) < n_vocab
        for at in contexts
    )
    places = [
        (tally.min_margin_at, tally.min_margin_position),
        *((wrong.context, wrong.position) for wrong in kept),
    ]
    fitting = fitting and all(
        position is None or (at is not None and position < len(at))
        for at, position in places
    )
    answers = [
        answer for wrong in kept for answer in (wrong.expected, wrong.got)
    ]
    return (
        counts
        and wrong
        and fitting
        and all(_fits(answer, n_vocab) for answer in answers)
    )


def _fits(answer: Any, n_vocab: int) -> bool:
    """True if an answer is a token, several, one probability for each, a number, or none."""
    if isinstance(answer, list):
        return len(answer) == n_vocab
    if isinstance(answer, _Several):
        return len(set(answer.tokens)) > 1 and max(answer.tokens) < n_vocab
    return not isinstance(answer, int) or 0 <= answer < n_vocab
