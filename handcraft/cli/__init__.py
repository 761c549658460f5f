"""Runs the command line: each command opens a program, calls one function of the library and prints
what it returns.

PROGRAM is a path to a .py, the name of a bundled program, or a built directory. With `--json` a
command prints one JSON object on stdout and nothing else; an error is a JSON object on stderr. If
HANDCRAFT_DEBUG is set, a bug prints its traceback.

`--version` prints the version, `--install-completion` completes words in the user's shell.

    exit code 0    done
              1    refuted, or a check failed
              2    bad usage or bad input
              3    undecided
              70   a bug in handcraft
              130  interrupted

    terminal.py    what the commands share; numbers.py reads numbers, completing.py completes words
    making.py      build export write list new
    compiling.py   compile
    bulk.py        suite
    looking.py     explain run trace circuit read diff states
    viewing.py     view
    comparing.py   compare
    proving.py     verify assumptions
    training.py    train
    usage.py       what is wrong with the arguments
    ending.py      how a command ends: exit codes, signals, closed streams

Rules of this package: only it prints. Heavy imports stand inside the commands, so that `--help`
is fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer

from handcraft.cli import (
    bulk,
    comparing,
    compiling,
    looking,
    making,
    proving,
    training,
    viewing,
)
from handcraft.cli.completing import SHELL_OPTIONS, set_up
from handcraft.cli.ending import ended
from handcraft.cli.usage import Commands, OneCommand

# no command needs plugins of pydantic, and to look for them every installed package is read
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

_SHELL = [[option] for option in SHELL_OPTIONS]

COMMANDS: dict[str, Callable[..., None]] = {  # in the order of the help
    "build": making.build,
    "compile": compiling.compile_expression,
    "suite": bulk.suite,
    "train": training.train,
    "explain": looking.explain,
    "run": looking.run,
    "trace": looking.trace,
    "view": viewing.view,
    "verify": proving.verify,
    "assumptions": proving.assumptions,
    "circuit": looking.circuit,
    "read": looking.read,
    "diff": looking.diff,
    "compare": comparing.compare,
    "states": looking.states,
    "export": making.export,
    "write": making.write,
    "list": making.list_programs,
    "new": making.new,
}


def _show_version(asked: bool) -> None:
    if asked:
        from handcraft import __version__

        print(f"handcraft {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Nothing: each option of the whole has its callback."""


@cache
def app_of(*names: str) -> typer.Typer:
    """The command line with these commands."""
    found = typer.Typer(
        cls=Commands,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="A construction kit for hand-weighted transformers.",
        epilog=(
            "Exit codes: 0 done; 1 refuted, or a check failed; 2 bad usage or bad input; 3"
            " undecided; 70 a bug in handcraft."
        ),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    found.callback()(_options)
    for name in names:
        found.command(name, cls=OneCommand)(COMMANDS[name])
    return found


app = app_of(*COMMANDS)


def main() -> None:
    """Run the command that sys.argv names, and exit with its code. Every error, the user's or ours,
    is one line on stderr.
    """
    ended(lambda: set_up(_run) if sys.argv[1:2] in _SHELL else _run())


def _run() -> int:
    """The exit code of the command that sys.argv names: a command's Exit comes back as its code.

    The options of the other commands are not looked at: that would take as long as to build a
    small program.
    """
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    asked = app_of(named) if named in COMMANDS else app
    return asked(prog_name="handcraft", standalone_mode=False) or 0
