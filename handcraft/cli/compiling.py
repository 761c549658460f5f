"""Runs `compile`, which makes a program of an expression that stands alone in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handcraft.cli.making import save
from handcraft.cli.terminal import BuiltDirectory, Json, given_file, given_path
from handcraft.core.errors import ProgramError

FileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="A .py file with an expression.")
]


def compile_expression(
    file: FileArgument,
    tokens: Annotated[
        str,
        typer.Option(
            "--tokens",
            metavar="TEXT",
            help="The tokens of a text: each character is one, or each word where there are"
            " spaces.",
        ),
    ],
    n: Annotated[
        int, typer.Option("--n", metavar="N", help="The most tokens of a text.")
    ],
    tag: Annotated[
        bool,
        typer.Option(
            "--tag", help="Answer every position (this is the default)."
        ),
    ] = False,
    answer: Annotated[
        bool,
        typer.Option("--answer", help="Write the answers behind the text."),
    ] = False,
    next_token: Annotated[
        bool,
        typer.Option("--next", help="Continue the text: its value comes next."),
    ] = False,
    causal: Annotated[
        bool,
        typer.Option(
            "--causal",
            help="With --tag or --answer: each position sees no later one.",
        ),
    ] = False,
    expression: Annotated[
        str | None,
        typer.Option(
            "--expression",
            metavar="NAME",
            help="The variable, where the file has several expressions.",
        ),
    ] = None,
    out: BuiltDirectory = None,
    json: Json = False,
) -> None:
    """Make a program of an expression.

    FILE says what the model should say: `from handcraft.sequence import *`, then for example
    `hist = count(there(tokens) == tokens)`. What is written is a built directory, as of any
    program: `handcraft run DIR TEXT` asks it, `handcraft write DIR` shows its rules.
    """
    asked = None if out is None else given_path("--out", out)
    asks = {"tag": tag, "answer": answer, "next": next_token}
    frame = _frame([name for name, wanted in asks.items() if wanted], causal)
    path = given_file("FILE", file)
    from handcraft.results.framed import framed

    program = framed(
        path or Path(file),
        frame=frame,
        tokens=tokens.split() if " " in tokens.strip() else tokens,
        n=n,
        expression=expression,
        causal=causal,
    )
    directory = asked or Path("build") / program.name
    return save(program.build(), directory, json=json)


def _frame(asked: list[str], causal: bool) -> str:
    """The frame that is asked for. Raises ProgramError for two, or one that is causal anyway."""
    if len(asked) > 1:
        both = " and ".join(f"--{name}" for name in asked)
        raise ProgramError(f"{both} exclude each other; name one of them")
    frame = asked[0] if asked else "tag"
    if causal and frame == "next":
        raise ProgramError(
            "--causal is for --tag and --answer; --next is causal anyway"
        )
    return frame
