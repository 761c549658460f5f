"""Writes the real output of every command, and the real text of every file, into the pages.

A `console` block holds commands after `$`; what follows each is what the command printed. A
`python` block after `<!-- file: PATH -->` holds that file. `tests/test_docs.py` fails where a page
is not what this would write.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
from pathlib import Path
from unittest import mock

from handcraft.cli import main

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "guide.md")
SECONDS = re.compile(r"^  [\d.e-]+ s$", re.MULTILINE)


def output(command: str) -> str:
    """The output of a handcraft command, piped, 80 columns wide; its duration is left open."""
    printed = io.StringIO()
    piped = mock.patch.dict(os.environ, {"NO_COLOR": "1", "COLUMNS": "80"})
    arguments = mock.patch.object(sys, "argv", shlex.split(command))
    with (
        piped,
        arguments,
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        main()
    lines = [line.rstrip() for line in printed.getvalue().rstrip().splitlines()]
    return SECONDS.sub("  ... s", "\n".join(lines))


def current(text: str) -> str:
    """A page with every generated block made anew."""
    text = re.sub(
        r"(<!-- file: (\S+) -->\n```python\n).*?```",
        _file,
        text,
        flags=re.DOTALL,
    )
    return re.sub(r"```console\n(.*?)```", _console, text, flags=re.DOTALL)


def _file(match: re.Match[str]) -> str:
    return f"{match[1]}{(ROOT / match[2]).read_text()}```"


def _console(match: re.Match[str]) -> str:
    commands = re.findall(r"^\$ (.+)$", match[1], re.MULTILINE)
    return (
        "```console\n"
        + "".join(f"$ {command}\n{output(command)}\n" for command in commands)
        + "```"
    )


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(current(page.read_text()))
