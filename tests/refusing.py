"""How bad input is refused: one line on stderr, code 2, nothing on stdout, nothing written, no
traceback.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from cli_runner import files, handcraft

START = """import numpy as np; from handcraft import *
p, t, v = position(5), token("ab"), scratch("v")
"""
JARGON = (
    "Traceback",
    "pydantic",
    "validation error",
    "site-packages",
)  # what tells a user nothing


@dataclass(frozen=True)
class Case:
    """A name, the lines after START (None: no program file), the arguments, and the message:
    exact, or a pattern.
    """

    name: str
    text: str | None
    message: str | re.Pattern[str]
    argv: list[str] = field(default_factory=lambda: ["run", "bad.py", "a"])


def program(
    name: str, text: str, message: str | re.Pattern[str], *argv: str
) -> Case:
    """A program file that is refused, by default as soon as it is opened."""
    return Case(name, text, message, list(argv) or ["run", "bad.py", "a"])


def arguments(name: str, message: str | re.Pattern[str], *argv: str) -> Case:
    """Arguments that are refused; ok.py is a program without a claim."""
    return Case(name, None, message, list(argv))


def claiming(claim: str) -> str:
    """A program with this claim."""
    return f"program = Program(embedding=(p, t), claim={claim})"


def refused(case: Case) -> None:
    """Run the case with and without --json: both say the same, and leave the folder as it was."""
    before = files(Path.cwd())
    for options in ([], ["--json"] if case.argv[-1] != "--out" else []):
        result = handcraft(*case.argv, *options)
        assert not any(jargon in result.err for jargon in JARGON), result.err
        message = result.refusal
        if isinstance(case.message, str):
            assert message == case.message
        else:
            assert case.message.fullmatch(message), message
        assert files(Path.cwd()) == before


def refused_program(case: Case) -> None:
    """The program text is refused after START."""
    Path("bad.py").write_text(START + str(case.text))
    refused(case)
