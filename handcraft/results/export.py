"""Exports a program in Python: the files of another runtime, and how well they agree."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.proof.task import Progress
from handcraft.results.opening import Openable, opened
from handcraft.results.shown import ShownResult, fields_of
from handcraft.runtimes.exporting import Export
from handcraft.runtimes.exporting import export as export_model


@dataclass(frozen=True, repr=False)
class ShownExport(ShownResult, Export):
    """An Export that looks as `handcraft export` prints it: its lines are never broken."""

    def drawn(self, width: int) -> Any:  # noqa: ARG002  # a path is not broken
        from handcraft.results.tables import unbroken

        return unbroken(str(self))

    def __str__(self) -> str:
        files = (f"wrote {printable(str(file))}" for file in self.files)
        refuted = [] if self.refuted is None else [self.refuted]
        return "\n".join([*files, str(self.check), *refuted])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


@asked_call("handcraft.export", verify="verified=True")
def export(
    program: Openable,
    to: str,
    out: str | Path,
    *,
    norm: str | None = None,
    force: bool = False,
    verified: bool = False,
    progress: Progress | None = None,
) -> ShownExport:
    """Write the model for a runtime into the directory `out`, all of it or nothing.

    to        gpt2, picogpt, nanogpt, transformer-lens, onnx or gguf
    norm      how layer norms are made to do nothing: mirror, quiet or none
    force     overwrite the files of an earlier export
    verified  look for a proof first, for the verdict in README.md

    `refuted` of the result says where the model is wrong, if it is: its files are as wrong.

    What was written is read back and its logits are compared with the model's. Raises ExportError
    where they do not agree: then nothing is left.
    """
    model = opened(program)
    if not isinstance(out, str | os.PathLike):
        raise ProgramError(
            f"out is the path of a directory, found {type(out).__name__}"
        )
    found = export_model(
        model,
        str(to),
        out,
        norm=norm,
        force=force,
        verified=verified,
        progress=progress,
    )
    return ShownExport(**fields_of(found))
