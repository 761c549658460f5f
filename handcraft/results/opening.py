"""Opens programs: whatever names one on the command line, and what is one in Python already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.claims.words import as_claim
from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.files.pair import PROGRAM_JSON
from handcraft.files.program_file import find, load_claim
from handcraft.model import Model
from handcraft.program.program import ClaimLike, Program
from handcraft.proof.claimed import claim_of, held_to_claim

Openable: TypeAlias = Program | Model | str | Path


@asked_call("handcraft.open")
def open(reference: str | Path, dtype: str = "float32") -> Model:  # noqa: A001  # handcraft.open
    """The model of a program file, a bundled program (by name), or a built directory.

    A program file is code, and is executed, as on the command line; a built directory is data.
    Raises ProgramError, with the nearest name, where there is none.
    """
    if not isinstance(reference, str | os.PathLike):
        raise ProgramError(
            "opens a path or the name of a bundled program, found"
            f" {_kind(reference)}",
            ("handcraft.open",),
        )
    return Model.open(os.fspath(reference), dtype)


def opened(program: Openable, dtype: str | None = None) -> Model:
    """The model that a function of this room is asked about; float32 unless it is a Model already.

    Raises ProgramError for anything that is no program, or a Model of another dtype.
    """
    if isinstance(program, Program):
        return Model.of(program, "float32" if dtype is None else dtype)
    if isinstance(program, str | os.PathLike):
        return open(program, "float32" if dtype is None else dtype)
    if not isinstance(program, Model):
        raise ProgramError(
            "a program is a Program, a Model, a path, or the name of a bundled program,"
            f" found {_kind(program)}"
        )
    named = isinstance(dtype, str | np.dtype)
    if dtype is not None and not (named and dtype == program.dtype):
        other = printable(str(dtype)) if named else _kind(dtype)
        raise ProgramError(
            f"is a model in {program.dtype}, not {other}; pass its"
            f" program, or build it in that dtype",
            (program.name,),
        )
    return program


def held_to_claim_in(
    model: Model, reference: str | Path
) -> tuple[Model, Claim]:
    """The model held to the claim of a program file, a bundled program or a built directory, and
    that claim.

    Raises ProgramError where there is none, or where it does not fit the model.
    """
    path = find(os.fspath(reference))
    if path.is_dir():
        _holds_claim(path)
        built = Model.load(path)
        return held_to_claim(
            model, claim := claim_of(built, "--claim"), built.program
        ), claim
    claim, program = load_claim(path)
    return held_to_claim(model, claim, program), claim


def held_as_given(
    model: Model, given: ClaimLike | str | Path
) -> tuple[Model, Claim | None]:
    """The model held to a claim that is given in any form, and the claim."""
    if isinstance(given, str | Path):
        return held_to_claim_in(model, given)
    try:
        claim = cast("Claim | None", as_claim(given))
    except ProgramError as error:
        raise error.at(model.name, "claim") from None
    return (model if claim is None else held_to_claim(model, claim)), claim


def _holds_claim(path: Path) -> None:
    """Raise ProgramError for the directory of a GPT-2, which has no claim."""
    if not (path / PROGRAM_JSON).exists():
        shown = printable(str(path))
        raise ProgramError(
            f"{shown} is a GPT-2 without a claim: it has no {PROGRAM_JSON}; a claim is"
            " taken from a program file, a bundled program or a built directory"
        )


def _kind(value: object) -> str:
    return printable(
        value.__name__ if isinstance(value, type) else type(value).__name__
    )
