"""Runs `suite`, which writes many compiled programs at once."""

from __future__ import annotations

from typing import Annotated

import typer

from handcraft.cli.numbers import whole
from handcraft.cli.terminal import (
    Json,
    ProgressBar,
    given_path,
    print_json,
    writing,
)


def suite(
    out: Annotated[
        str, typer.Argument(metavar="DIR", help="The directory to write.")
    ],
    count: Annotated[
        str,
        typer.Option("--count", metavar="N", help="Write so many programs."),
    ] = "100",
    seed: Annotated[
        str,
        typer.Option(
            "--seed", metavar="N", help="The same seed gives the same files."
        ),
    ] = "0",
    rotate: Annotated[
        bool,
        typer.Option(
            "--rotate",
            help="Write of each a twin whose residual stream is turned by a random"
            " orthogonal matrix.",
        ),
    ] = False,
    tokens: Annotated[
        str | None,
        typer.Option(
            "--tokens",
            metavar="TEXT",
            help="The tokens of every program: each character is one, or each word where"
            " there are spaces. By default each program draws a few.",
        ),
    ] = None,
    n: Annotated[
        str | None,
        typer.Option(
            "--n",
            metavar="N",
            help="The most tokens of a text. By default each program draws 4 to 8.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write many compiled programs: ground truth.

    Each has weights, rules, circuit, claim, verdict and examples. A run that was stopped goes on
    where it was, to the same files. The exit code is 1 where a compiled program was wrong: it is
    named, and not written.
    """
    from handcraft.results.suite import suite as write_suite

    directory = given_path("DIR", out)
    many = whole("--count", count, 1)
    drawn_by = whole("--seed", seed, 0)
    longest = None if n is None else whole("--n", n, 2)
    letters = tokens.split() if tokens and " " in tokens.strip() else tokens
    with ProgressBar(f"writing {directory}") as progress:
        found = writing(
            lambda: write_suite(
                directory,
                count=many,
                seed=drawn_by,
                rotate=rotate,
                tokens=letters,
                n=longest,
                progress=progress,
            )
        )
    print_json(found.to_json()) if json else print(found)
    raise typer.Exit(found.exit_code)
