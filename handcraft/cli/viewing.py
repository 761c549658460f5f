"""Runs the command `view`, which writes a page that runs a model in the browser."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from handcraft.cli.completing import programs
from handcraft.cli.terminal import (
    PROGRAM_HELP,
    Json,
    ProgressBar,
    given_file,
    print_json,
    writing,
)
from handcraft.core.errors import ProgramError, in_quotes, printable
from handcraft.core.writing import check_replaceable


def view(
    program: Annotated[
        str | None,
        typer.Argument(
            metavar="PROGRAM", help=PROGRAM_HELP, autocompletion=programs
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="PROGRAM_B",
            help=f"A second one, shown beside it. {PROGRAM_HELP}",
            autocompletion=programs,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="The file to write (NAME.html by default); with --all the directory"
            " (gallery by default).",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Write a page for every bundled program, and an index of them.",
        ),
    ] = False,
    show: Annotated[
        bool, typer.Option("--open", help="Open it in the browser.")
    ] = False,
    unverified: Annotated[
        bool,
        typer.Option(
            "--no-verify",
            help="Leave the claim unjudged: the page then has no verdict.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write a page that runs the model.

    One HTML file, which needs no network: type a text and see tokens, attention, residual stream
    and logits, and the rule behind each number; switch rules off or change weights. The verdict
    on the claim stands in it, as `verify` finds it.
    """
    path = given_file("--out", out)
    if everything:
        _check_alone(program)
        file = _gallery(path or Path("gallery"), not unverified, json)
    else:
        file = _page(_given(program), other, path, not unverified, json)
    if show:
        import webbrowser

        webbrowser.open(file.resolve().as_uri())


def _given(program: str | None) -> str:
    if program is None:
        raise ProgramError("name a PROGRAM, or say --all for every bundled one")
    return program


def _check_alone(program: str | None) -> None:
    if program is not None:
        raise ProgramError(
            f"--all takes every bundled program; leave {in_quotes(program)} out"
        )


def _page(
    program: str,
    other: str | None,
    path: Path | None,
    verified: bool,
    json: bool,
) -> Path:
    """Write the page of one or two programs, and say so."""
    from handcraft.results.view import view as view_models

    if path is not None:
        writing(lambda: check_replaceable(path))  # before the claim is judged
    named = program if other is None else f"{program} and {other}"
    with (
        ProgressBar(f"verifying {named}") as progress,
        redirect_stdout(sys.stderr),  # what the program's file prints
    ):
        page = view_models(program, other, verified=verified, progress=progress)
    file = writing(lambda: page.save(path))
    if json:
        size = len(page.html.encode())
        print_json({"programs": page.names, "file": str(file), "bytes": size})
    else:
        print(f"wrote {printable(str(file))}")
    return file


def _gallery(directory: Path, verified: bool, json: bool) -> Path:
    """Write the pages of all bundled programs and their index, and say so."""
    from handcraft.results.gallery import gallery

    with ProgressBar(f"writing {directory}") as progress:
        found = writing(
            lambda: gallery(directory, verified=verified, progress=progress)
        )
    if json:
        pages = {name: str(file) for name, file in found.pages.items()}
        print_json({"index": str(found.index), "pages": pages})
    else:
        print(found)
    return found.index
