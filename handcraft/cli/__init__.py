"""The command line: every command opens a program, calls one function of the library, and prints what it returns.

PROGRAM is a path to a .py, the name of a bundled program, or a built directory. Exit codes: 0 done; 1 refuted, or a
check failed; 2 bad usage or bad input; 3 undecided. `--json` prints one JSON object on stdout and nothing else.

    terminal.py   what the commands share
    making.py     build export list new
    looking.py    explain run trace diff states
    proving.py    verify assumptions

Rules of this package: the only one that prints. Heavy imports stand inside the commands, so that `--help` costs none.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable

import typer

from handcraft.cli import looking, making, proving
from handcraft.errors import HandcraftError, printable

app = typer.Typer(
    help="A construction kit for hand-weighted transformers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

COMMANDS: dict[str, Callable[..., None]] = {  # in the order of the help
    "build": making.build,
    "explain": looking.explain,
    "run": looking.run,
    "trace": looking.trace,
    "verify": proving.verify,
    "assumptions": proving.assumptions,
    "diff": looking.diff,
    "states": looking.states,
    "export": making.export,
    "list": making.list_programs,
    "new": making.new,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Run the command line; every error of a user's is one line on stderr."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what is half-written is taken away
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without these characters is no reason to fail
    try:
        code = app(prog_name="handcraft", standalone_mode=False) or 0  # a command's Exit comes back as its code
        sys.stdout.flush()
        sys.exit(code)
    except HandcraftError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _reader_left()
    except SystemExit as done:
        if isinstance(done.__context__, BrokenPipeError):  # typer ends with 1, which means refuted here
            _reader_left()
        raise
    except Exception as error:
        _usage(error)
        raise


def _usage(error: Exception) -> None:
    """End with the message of a usage error, which typer raises under several names; anything else is a defect."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error)
        sys.exit(0)
    if hasattr(error, "exit_code") and hasattr(error, "format_message"):
        _fail(error.format_message(), error.exit_code)


def _reader_left() -> None:
    """Whoever read our output has left, as `head` does: end quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's flush is silent
    sys.exit(141)


def _fail(message: str, code: int) -> None:
    print(f"error: {printable(message.replace(chr(10), ' '))}", file=sys.stderr)
    sys.exit(code)
