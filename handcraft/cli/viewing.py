"""Runs the command `view`, which writes a page that runs a model in the browser."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from handcraft.cli.completing import programs
from handcraft.cli.terminal import (
    PROGRAM_HELP,
    Json,
    ProgramArgument,
    ProgressBar,
    given_file,
    print_json,
    writing,
)
from handcraft.core.errors import printable


def view(
    program: ProgramArgument,
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
            help="The file to write (NAME.html by default).",
        ),
    ] = None,
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
    from handcraft.results.view import view as view_models

    path = given_file("--out", out)
    named = program if other is None else f"{program} and {other}"
    with (
        ProgressBar(f"verifying {named}") as progress,
        redirect_stdout(sys.stderr),  # what the program's file prints
    ):
        page = view_models(
            program, other, verified=not unverified, progress=progress
        )
    file = writing(lambda: page.save(path))
    if json:
        size = len(page.html.encode())
        print_json({"programs": page.names, "file": str(file), "bytes": size})
    else:
        print(f"wrote {printable(str(file))}")
    if show:
        import webbrowser

        webbrowser.open(file.resolve().as_uri())
