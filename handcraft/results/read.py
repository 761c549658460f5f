"""Reads in Python what each head of a model attends to, off its weights alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handcraft.analysis.reading.whole import ReadModel, read_model
from handcraft.core.arguments import asked_call
from handcraft.program.program import ClaimLike
from handcraft.results.opening import Openable, held_as_given, opened
from handcraft.results.shown import ShownResult, fields_of


@dataclass(frozen=True, repr=False)
class ShownReading(ShownResult, ReadModel):
    """A ReadModel that looks as `handcraft read` prints it."""

    def drawn(self, width: int) -> Any:  # noqa: ARG002  # its table fits by itself
        from handcraft.results.reading_tables import reading_table

        return reading_table(self)


@asked_call("handcraft.read")
def read(
    program: Openable,
    *,
    claim: ClaimLike | str | Path = None,
    dtype: str | None = None,
) -> ShownReading:
    """What each head of a program or of any weights attends to: by position, by token, by what
    stands before a token, and how much of its attention that explains.

    claim  a claim, or a file that has one, whose contexts are read; those of the program's own
           claim, or random texts of the vocabulary where it has none

    Names and rules of the program are not looked at. Raises ProgramError for a claim that does not
    fit the model.
    """
    model = opened(program, dtype)
    asked = model.program.claim if model.program is not None else None
    if claim is not None:
        model, asked = held_as_given(model, claim)
    bare = model.replace(program=None, about="")
    return ShownReading(**fields_of(read_model(bare, asked)))
