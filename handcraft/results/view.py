"""Shows a model as a page, in Python as on the command line: one HTML file that runs it."""

from __future__ import annotations

import html
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handcraft.core.arguments import asked_call
from handcraft.core.writing import write_atomically
from handcraft.files.program_file import docstring_of, find
from handcraft.model import Model
from handcraft.proof.certificate_files import proof_hash
from handcraft.proof.claimed import unless_changed
from handcraft.proof.task import Progress
from handcraft.proof.verify import silent, verify_with_proof
from handcraft.results.notes import without_notes
from handcraft.results.opening import Openable, opened
from handcraft.viewer.page import page
from handcraft.viewer.payload import Viewed

_LEFT_OUT = (
    "seconds",
    "assumptions",
)  # of a report: the same model, the same page
_NO_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, repr=False)
class ModelPage:
    """A page that runs one model, or two side by side. Notebooks show it.

    names  of the models
    html   the whole file, which needs nothing else
    """

    names: tuple[str, ...]
    html: str

    @property
    def file_name(self) -> str:
        """The name of the file where nobody says another."""
        name = _NO_NAME.sub("_", "_".join(self.names)).strip("._")
        return f"{name or 'model'}.html"

    def save(self, path: str | Path | None = None) -> Path:
        """Write the file, whole or not at all, and return its path: NAME.html if none is given."""
        place = Path(self.file_name if path is None else path)
        write_atomically(place, self.html.encode())
        return place

    def __repr__(self) -> str:
        return f"ModelPage({', '.join(self.names)}, {len(self.html)} bytes)"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" width="100%" height="640"'
            f' title="{html.escape(", ".join(self.names))}"></iframe>'
        )


@asked_call("handcraft.view")
def view(
    program: Openable,
    other: Openable | None = None,
    *,
    verified: bool = True,
    report: str = "",
    progress: Progress = silent,
) -> ModelPage:
    """The page of a model, or of two models side by side.

    verified  judge the claim first, as `handcraft verify` does, for the verdict in the page
    report    HTML to stand above the models; `handcraft.compare(a, b).view()` writes one

    Raises WeightsError for a model that is not float32, or too large.
    """
    programs = [program] if other is None else [program, other]
    views = [
        viewed(one, verified=verified, progress=progress) for one in programs
    ]
    names = tuple(one.model.name for one in views)
    return ModelPage(names, page(views, report))


def viewed(
    program: Openable, *, verified: bool = True, progress: Progress = silent
) -> Viewed:
    """A model with what a page says about it: its docstring, and the verdict on its claim."""
    model = opened(program)
    docs = _paragraphs(program) or ((model.about,) if model.about else ())
    return Viewed(model, docs, _verdict(model, progress) if verified else None)


def _paragraphs(program: Openable) -> tuple[str, ...]:
    """The paragraphs of a program file's docstring; none of what is no file."""
    if not isinstance(program, str | os.PathLike):
        return ()
    path = find(os.fspath(program))
    if path.is_dir():
        return ()
    return tuple(
        part for part in docstring_of(path).split("\n\n") if part.strip()
    )


def _verdict(model: Model, progress: Progress) -> dict[str, Any] | None:
    """What `handcraft verify --json` says, but for the time and the assumptions, with the hash of
    the certificate; None where there is no claim that can be asked.
    """
    claim = model.program.claim if model.program else None
    if claim is None or not claim.known:
        return None
    with without_notes():
        report, certificate = verify_with_proof(model, progress=progress)
    found = unless_changed(model, report).to_json()
    kept = {
        name: value for name, value in found.items() if name not in _LEFT_OUT
    }
    proof = None if certificate is None else proof_hash(certificate)
    return {**kept, "certificate": proof}
