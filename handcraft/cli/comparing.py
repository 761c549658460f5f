"""Runs the command `compare`, which puts two models side by side."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handcraft.cli.completing import programs
from handcraft.cli.terminal import (
    PROGRAM_HELP,
    Dtype,
    Json,
    ProgressBar,
    given_file,
    open_model,
    print_json,
    show,
    writing,
)
from handcraft.core.errors import printable
from handcraft.core.writing import check_replaceable

if TYPE_CHECKING:
    from handcraft.results.compare import ShownComparison


def compare(
    a: Annotated[
        str,
        typer.Argument(metavar="A", help=PROGRAM_HELP, autocompletion=programs),
    ],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="The model to put beside it.",
            autocompletion=programs,
        ),
    ],
    claim: Annotated[
        str | None,
        typer.Option(
            "--claim",
            metavar="FILE",
            help="Hold both to the claim of this program (by default A's, or else B's).",
            autocompletion=programs,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Write it as a page, above both models at work.",
        ),
    ] = None,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Show two models side by side.

    Loss and accuracy over the contexts of one claim, sizes, the Markov chains where contexts are
    few, what each head looks at and moves in tokens and positions, what becomes of the models
    without each head and each neuron, which head is like which, and how often both predict the
    same where the claim is silent. With -o it is a page, with both at work, in the browser.
    """
    path = given_file("--out", out)
    from handcraft.results.compare import compare as compare_both

    own, other = open_model(a, dtype), open_model(b, dtype)
    with redirect_stdout(sys.stderr):  # what the file of a claim prints
        found = compare_both(own, other, claim=claim)
    if path is not None:
        _write_page(found, path)
    if json:
        return print_json(found.to_json())
    return show(found.drawn)


def _write_page(found: ShownComparison, path: Path) -> None:
    """Write the page, and say so on stderr."""
    writing(lambda: check_replaceable(path))  # before claims are judged
    with ProgressBar("verifying both") as progress:
        page = found.view(progress=progress)
    file = writing(lambda: page.save(path))
    print(f"wrote {printable(str(file))}", file=sys.stderr)
