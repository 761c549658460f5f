"""Runs the command line: each command opens a program, calls one function of the library and prints
what it returns.

PROGRAM is a path to a .py, the name of a bundled program, or a built directory. With `--json` a
command prints one JSON object on stdout and nothing else; an error is a JSON object on stderr. If
HANDCRAFT_DEBUG is set, a bug prints its traceback.

    exit code 0    done
              1    refuted, or a check failed
              2    bad usage or bad input
              3    undecided
              70   a bug in handcraft
              130  interrupted

    terminal.py    what the commands share
    making.py      build export list new
    looking.py     explain run trace diff states
    proving.py     verify assumptions

Rules of this package: only it prints. Heavy imports stand inside the commands, so that `--help`
is fast.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import TextIO

import typer

from handcraft.cli import looking, making, proving
from handcraft.core.errors import AuthorWarning, HandcraftError, printable

BUG = 70  # the exit code of what nobody foresaw: sysexits' EX_SOFTWARE
DEBUG = "HANDCRAFT_DEBUG"

app = typer.Typer(
    help="A construction kit for hand-weighted transformers.",
    epilog=(
        "Exit codes: 0 done; 1 refuted, or a check failed; 2 bad usage or bad input; 3"
        " undecided; 70 a bug in handcraft."
    ),
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
    """Run the command line. Every error, the user's or ours, is one line on stderr."""
    with _sigterm_exits(), _warnings_told():
        _run()


@contextlib.contextmanager
def _warnings_told() -> Iterator[None]:
    """Advice on the author's program is one line on stderr; other warnings are shown as ever."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", AuthorWarning)
        ever = warnings.showwarning

        def told(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, AuthorWarning):
                ever(message, category, filename, lineno, file, line)
                return
            place = f"({filename}:{lineno})"
            _say(f"{message} {place}", "warning: ", "warning")

        warnings.showwarning = told
        yield


@contextlib.contextmanager
def _sigterm_exits() -> Iterator[None]:
    """SIGTERM ends the program by an exception, so that half-written files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )
    try:
        yield
    finally:  # there is no handler before where another language has set it
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _run() -> None:
    """Run the command that sys.argv names, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal without these characters is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        # a command's Exit comes back as its code
        code = app(prog_name="handcraft", standalone_mode=False) or 0
        sys.stdout.flush()
    except HandcraftError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _reader_left()
    except SystemExit as done:
        _left(done)
    except Exception as error:
        _usage(error)
        _no_room(error)
        _bug(error)
    else:
        sys.exit(code)


def _usage(error: Exception) -> None:
    """End with the message of a usage error, which typer raises under several names; return for any
    other error.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error)
        sys.exit(0)
    if hasattr(error, "exit_code") and hasattr(error, "format_message"):
        _fail(error.format_message(), error.exit_code)


def _left(done: SystemExit) -> None:
    """End with the exit code that something below asked for. A code of 1 is a bug: it means refuted
    here, and only a command may say so.
    """
    if isinstance(done.__context__, BrokenPipeError):  # typer ends with 1
        _reader_left()
    if done.code is None or (isinstance(done.code, int) and done.code != 1):
        raise done
    _bug(done)


def _no_room(error: Exception) -> None:
    """End with an error where the answer cannot be written, as on a full disk."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError) and error.errno in full:
        _discard(sys.stdout)
        _fail(
            f"cannot write the answer: {error.strerror}",
            HandcraftError.exit_code,
        )


def _bug(error: BaseException) -> None:
    """End with one line that says that this is a bug, and with the traceback where HANDCRAFT_DEBUG
    is set.
    """
    if type(error).__name__ == "Abort":  # typer's, of an end of file
        error = error.__cause__ or error
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    message = " ".join(str(error).split())
    details = f": {message}" if message else ""
    _say(f"this is a bug in handcraft: {type(error).__name__}{details}")
    sys.exit(BUG)


def _reader_left() -> None:
    """End quietly: whoever reads the output has closed it, as `head` does."""
    _discard(sys.stdout)
    sys.exit(141)


def _discard(stream: TextIO) -> None:
    """Send what is still to be written nowhere, so that the interpreter's last flush is silent."""
    with contextlib.suppress(
        OSError, ValueError
    ):  # a stream of a test has no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail(message: str, code: int) -> None:
    _say(message.replace("\n", " "), "error: ")
    sys.exit(code)


def _say(message: str, before: str = "", key: str = "error") -> None:
    """Print one line on stderr, or with --json an object that holds it."""
    line = printable(message)
    shown = json.dumps({key: line}) if _wants_json() else f"{before}{line}"
    print(shown, file=sys.stderr)


def _wants_json() -> bool:
    """True if --json was given."""
    given = sys.argv[1:]
    return "--json" in (given[: given.index("--")] if "--" in given else given)
