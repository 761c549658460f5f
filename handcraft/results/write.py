"""Writes a program as the text of a program file, in Python as on the command line."""

from __future__ import annotations

from pathlib import Path

from handcraft.analysis.known_meanings import known_meanings
from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError, listing, printable
from handcraft.core.paths import VACANT, kind_at
from handcraft.core.writing import write_atomically
from handcraft.files.writer.remarks import Told, meanings_by_head
from handcraft.files.writer.whole import program_text, unwritten_claim
from handcraft.model import Model
from handcraft.results.opening import Openable, opened

_MOST_CELLS = 3


@asked_call("handcraft.write")
def write(program: Openable, *, sources: bool = False) -> str:
    """The program as the text of a Python file of slots and rules, which makes the same weights.

    sources  say beside each rule from which line it comes

    A claim that is a Python function is left out, and the file says so. Raises ProgramError for
    weights without rules, or with other rules than theirs, and for what has no notation.
    """
    return program_of(opened(program), sources=sources)


def program_of(model: Model, *, sources: bool = False) -> str:
    """The text of a model's program. Raises ProgramError where it has none."""
    rules = model.program
    if rules is None:
        raise ProgramError(
            "has weights and no rules, so there is no program to write",
            (model.name,),
        )
    cells = model.differences()
    if cells:
        raise ProgramError(
            "its weights are not what its rules say, so no text of them would make it:"
            f" {listing(cells, _MOST_CELLS)}",
            (model.name,),
        )
    found = [
        (one.layer, one.head, ((one.lane, one.meaning),))
        for one in known_meanings(rules)
    ]
    told = Told(model.about, meanings_by_head(found), sources)
    return program_text(rules, told)


def write_file(
    model: Model,
    path: Path | None,
    *,
    force: bool = False,
    sources: bool = False,
) -> str:
    """Write the text of a model's program to a file, whole or not at all, and return it. Without a
    path it is only returned.

    Raises ProgramError for a name that is no program file's, and unless `force`, for a file that
    exists.
    """
    if path is None:
        return program_of(model, sources=sources)
    shown = printable(str(path))
    if path.suffix != ".py":
        raise ProgramError(f"a program file ends in .py, found {shown}")
    if not force and (path.is_symlink() or kind_at(path) != VACANT):
        raise ProgramError(
            f"{shown} exists; choose another name, or replace it with --force"
        )
    text = program_of(model, sources=sources)
    write_atomically(path, text.encode())
    return text


def left_out(model: Model) -> str:
    """What the text of a model's program leaves out, for a note; empty for nothing."""
    return "" if model.program is None else unwritten_claim(model.program)
