"""Runs the commands that write files (`build`, `export`, `write`, `new`), and `list`, which names
the bundled programs.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handcraft.cli.completing import one_of
from handcraft.cli.terminal import (
    BuiltDirectory,
    Json,
    ProgramArgument,
    ProgressBar,
    given_file,
    given_path,
    open_model,
    print_json,
    show,
    writing,
)
from handcraft.core.errors import ExportError, printable

if TYPE_CHECKING:
    from handcraft.model import Model

RUNTIME_NAMES = (  # as `--to` takes them
    *("gpt2", "picogpt", "nanogpt", "transformer-lens", "onnx", "gguf"),
)


def build(
    program: ProgramArgument,
    out: BuiltDirectory = None,
    json: Json = False,
) -> None:
    """Write a program's weights to a directory.

    The directory has model.safetensors, and program.json with the rules and the claim. It is
    data: opening it later executes nothing.
    """
    asked = None if out is None else given_path("--out", out)
    model = open_model(program)
    directory = asked or Path("build") / _folder(program) / model.name
    return save(model, directory, json=json)


def save(model: Model, directory: Path, *, json: bool) -> None:
    """Write a model to a directory, and print what was written and how large it is."""
    files = writing(lambda: model.save(directory))
    sizes = {
        "n_layer": model.n_layer,
        "n_head": model.n_head,
        "n_embd": model.n_embd,
        "n_vocab": len(model.vocabulary),
        "n_ctx": model.n_ctx,
    }
    if json:
        return print_json(
            {
                "program": model.name,
                "out": str(directory),
                "files": [str(f) for f in files],
                **sizes,
                "parameters": model.parameters,
            }
        )
    print(", ".join(f"{key} {value}" for key, value in sizes.items()))
    parameters = (f"{value} {key}" for key, value in model.parameters.items())
    print(f"parameters: {', '.join(parameters)}")
    print("\n".join(f"wrote {printable(str(file))}" for file in files))
    return None


def _folder(program: str) -> Path:
    """The folder in the name of a bundled program: `sequence` of `sequence/sort`."""
    from handcraft.files.bundled import bundled

    return Path(program).parent if program in bundled() else Path()


def export(
    program: ProgramArgument,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="RUNTIME",
            help="Write for gpt2, picogpt, nanogpt, transformer-lens, onnx or gguf.",
            autocompletion=one_of(RUNTIME_NAMES),
        ),
    ],
    out: Annotated[
        str,
        typer.Option("--out", metavar="DIR", help="The directory to write."),
    ],
    norm: Annotated[
        str | None,
        typer.Option(
            "--norm",
            metavar="NORM",
            help="How to make layer norms do nothing: mirror, quiet or none. Each runtime"
            " allows some of them.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Overwrite the files of an earlier export."
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Verify the claim with every method first, for the verdict in README.md.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write the model for another runtime.

    What was written is read back and its logits are compared with the model's. If another token
    comes first anywhere, nothing is left and the exit code is 1.
    """
    from handcraft.results.export import export as export_model

    directory = given_path("--out", out)
    model = open_model(program)
    try:
        with (
            ProgressBar(f"checking {model.name} in {to}") as progress,
            redirect_stdout(sys.stderr),
        ):  # some runtimes talk
            done = export_model(
                model,
                to,
                directory,
                norm=norm,
                force=force,
                verified=verify,
                progress=progress,
            )
    except ExportError as error:
        if json:
            print_json(
                {
                    "to": to,
                    "out": str(directory),
                    "files": [],
                    "check": error.check,
                }
            )
        raise
    return print_json(done.to_json()) if json else print(done)


def write(
    program: ProgramArgument,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="The .py file to write (the terminal by default).",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that exists.")
    ] = False,
    sources: Annotated[
        bool,
        typer.Option(
            "--sources", help="Say beside each rule which line it comes from."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write a program as a Python file.

    The file holds plain slots and rules, which make the same weights. Any program can be written:
    one that recipes or a frontend made, or a built directory. A claim that is a Python function is
    left out, with a note.
    """
    from handcraft.results.write import left_out, write_file

    path = given_file("--out", out)
    model = open_model(program)
    text = writing(
        lambda: write_file(model, path, force=force, sources=sources)
    )
    note = left_out(model)
    if json:
        shown = None if path is None else str(path)
        fields = {"out": shown, "text": text, "note": note or None}
        return print_json({"program": model.name, **fields})
    if note:
        print(f"note: {printable(note)}", file=sys.stderr)
    if path is None:
        print(text, end="")
    else:
        print(f"wrote {printable(str(path))}")
    return None


def list_programs(json: Json = False) -> None:
    """List the bundled programs."""
    from handcraft.files.bundled import bundled
    from handcraft.files.program_file import summary

    programs = {name: summary(path) for name, path in bundled().items()}
    if json:
        return print_json({"programs": programs})
    from handcraft.results.model_tables import program_list

    return show(lambda _: program_list(programs))


def new(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The program's name; the file is NAME.py, in this folder.",
        ),
    ],
    json: Json = False,
) -> None:
    """Write a small program to start from."""
    from handcraft.files.template import starting_program

    stem = name.removesuffix(".py")
    path = Path(f"{stem}.py")
    writing(lambda: [starting_program(stem, path)])
    if json:
        return print_json({"out": str(path)})
    shown = printable(str(path))
    print(
        f"wrote {shown}; now: handcraft run {shown} ab, handcraft verify {shown}"
    )
    return None
