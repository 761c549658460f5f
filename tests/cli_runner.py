"""Runs the command line inside the test's process: quick, and with everything that it printed
at hand.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import typer.main

# What decides about colour and width: a test that wants one of them sets it, and the machine's
# own never count.
TERMINAL = (
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "LINES",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "COLORTERM",
    "PYTHONIOENCODING",
)


# The tree of commands with their options takes four fifths of a short command: it is made once.
commands = cache(typer.main.get_command)


@dataclass(frozen=True)
class Result:
    """The exit code, and what was written to stdout and to stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """What was printed under --json: one object on one line, and nothing else."""
        assert self.err == ""
        assert self.out.count("\n") == 1
        assert self.out.endswith("\n")
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def refusal(self) -> str:
        """The message of an error of the user's: code 2, nothing on stdout, one line, above which a
        usage line may stand, or, under --json, one object.
        """
        assert (self.code, self.out) == (2, "")
        assert self.err.endswith("\n")
        *usage, said = self.err.removesuffix("\n").split("\n")
        if said.startswith("{"):
            found = json.loads(said)
            assert (usage, list(found)) == ([], ["error"])
            return str(found["error"])
        assert all(line.startswith("usage: handcraft ") for line in usage)
        assert len(usage) <= 1
        assert said.startswith("error: ")
        return said.removeprefix("error: ")

    @property
    def lines(self) -> list[str]:
        """The lines of stdout; spaces at their ends do not count."""
        return [line.rstrip() for line in self.out.splitlines()]


def _environment(changes: dict[str, str]) -> dict[str, str]:
    kept = {
        key: value for key, value in os.environ.items() if key not in TERMINAL
    }
    return kept | {"TERM": "xterm-256color"} | changes


def handcraft(
    *argv: str | Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> Result:
    """`handcraft ARGV...`; an exception that escapes counts as the interpreter would: a
    traceback, and code 1.
    """
    from handcraft.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(cwd or Path.cwd()))
        stack.enter_context(
            mock.patch.dict(os.environ, _environment(env or {}), clear=True)
        )
        stack.enter_context(
            mock.patch.object(sys, "argv", ["handcraft", *map(str, argv)])
        )
        stack.enter_context(
            mock.patch.object(typer.main, "get_command", commands)
        )
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            code = main()
        except SystemExit as done:
            code = done.code
        except Exception:
            traceback.print_exc(limit=-1)
            code = 1
    return Result(int(code or 0), out.getvalue(), err.getvalue())


def process(
    arguments: Sequence[str | Path],
    cwd: Path,
    env: dict[str, str] | None = None,
    **options: Any,
) -> Result:
    """`python ARGUMENTS...` in a process of its own."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=_environment(env or {}),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
        **options,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, with what it holds."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
