"""Ends a command: its exit code, one line for whatever went wrong, and what a signal or a closed
stream does.

    SIGTERM        ends with 143; half-written files are removed, and nobody's program is blamed
    closed stdout  an error where it was closed from the start (`>&-`) or has no room; where a
                   reader has left, as `head` does, a quiet end with 141
    closed stderr  changes no exit code

Rules of this file: what the caller of `main` had set (handlers, streams) is set again in the end.
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
from typing import NoReturn, TextIO

from handcraft.cli.usage import UsageError, told
from handcraft.core.errors import AuthorWarning, HandcraftError, printable

BUG = 70  # the exit code of what nobody foresaw: sysexits' EX_SOFTWARE
DEBUG = "HANDCRAFT_DEBUG"
_COMPLETE = (
    "_HANDCRAFT_COMPLETE"  # set by a shell that asks what may be typed next
)
_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)


def ended(command: Callable[[], int]) -> None:
    """Run a command and exit with the code that it returns, or with that of what it raises."""
    with _streams(), _advice_told(), _sigterm() as received:
        try:
            if sys.stdout is None:
                _fail("cannot write the answer: stdout is closed")
            code = command()
            sys.stdout.flush()
        except KeyboardInterrupt:
            code = _INTERRUPTED
        except SystemExit as done:
            code = _left(done)
        except BaseException as error:
            _failed(error)
        # typer turns a KeyboardInterrupt into this code
        sys.exit(_TERMINATED if received and code == _INTERRUPTED else code)


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Streams that are shown as well as they can be, for the time of a command."""
    with contextlib.ExitStack() as stack:
        if sys.stderr is None:  # without it, Python writes errors to stdout
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # a terminal without these characters is no reason to fail
                stack.callback(stream.reconfigure, errors=stream.errors)
                stream.reconfigure(errors="backslashreplace")
            if stream is not None:
                stack.callback(_flush, stream)
        yield


@contextlib.contextmanager
def _sigterm() -> Iterator[list[int]]:
    """SIGTERM interrupts the command, so that half-written files are removed; yields the signals
    that were received. It is a KeyboardInterrupt, which is never taken for an error of a program.
    """
    received: list[int] = []

    def interrupt(number: int, _: object) -> NoReturn:
        received.append(number)
        raise KeyboardInterrupt

    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield received
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:  # there is no handler before where another language has set it
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextlib.contextmanager
def _advice_told() -> Iterator[None]:
    """Advice on the author's program is one line on stderr; other warnings are shown as ever."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", AuthorWarning)
        ever = warnings.showwarning

        def told_as_line(
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
            _say(f"{message} ({filename}:{lineno})", "warning: ", "warning")

        warnings.showwarning = told_as_line
        yield


# ---------------------------------------------------------------- what went wrong


def _failed(error: BaseException) -> NoReturn:
    """Exit with the code of an exception, and with a line that says what it is."""
    if isinstance(error, BrokenPipeError):
        _reader_left()
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error)
        sys.exit(0)
    if isinstance(error, HandcraftError):
        _refuse(error)
    if (mistake := told(error)) is not None:
        _refuse(mistake)
    if isinstance(error, OSError) and error.errno in _UNWRITTEN:
        _discard(sys.stdout)
        _fail(f"cannot write the answer: {error.strerror}")
    _bug(error)


def _left(done: SystemExit) -> int:
    """The exit code that something below asked for. A code of 1 is a bug: it means refuted here,
    and only a command may say so.
    """
    if isinstance(done.__context__, BrokenPipeError):  # typer ends with 1
        _reader_left()
    code = 0 if done.code is None else done.code
    asked = _COMPLETE in os.environ  # by a shell, and the code answers
    if not isinstance(code, int) or (code == 1 and not asked):
        _bug(done)
    return code


def _reader_left() -> NoReturn:
    """End quietly: whoever reads the output has closed it, as `head` does."""
    _discard(sys.stdout)
    sys.exit(141)


def _discard(stream: TextIO) -> None:
    """Send what is still to be written nowhere, so that the interpreter's last flush is silent."""
    with contextlib.suppress(
        OSError, ValueError
    ):  # a stream of a test has no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except (OSError, ValueError):
        _discard(stream)


def _bug(error: BaseException) -> NoReturn:
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


def _refuse(error: HandcraftError) -> NoReturn:
    if isinstance(error, UsageError) and not _wants_json():
        _print(printable(error.usage))
    _fail(str(error), error.exit_code)


def _fail(message: str, code: int = HandcraftError.exit_code) -> NoReturn:
    _say(message.replace("\n", " "), "error: ")
    sys.exit(code)


def _say(message: str, before: str = "", key: str = "error") -> None:
    """Print one line on stderr, or with --json an object that holds it."""
    line = printable(message)
    _print(json.dumps({key: line}) if _wants_json() else f"{before}{line}")


def _print(line: str) -> None:
    """Print a line on stderr. Where that cannot be written, the exit code says enough."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def _wants_json() -> bool:
    """True if --json was given."""
    given = sys.argv[1:]
    return "--json" in (given[: given.index("--")] if "--" in given else given)
