"""Builds what all tables on the terminal share: the console, safe texts, matrices, progress bars.

    model_tables.py    explained matrices, traces, differences, the list of programs
    verdict_tables.py  the report of a verification, the errors of exp and tanh
    state_tables.py    a chain of states
    reading_tables.py  what is read off weights

Rules of these files: only they import rich; every text from a program passes `printable` and is
shown without markup; a wide matrix is cut into pieces that fit, so that no column is squeezed to
nothing; nothing depends on colour alone.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Literal

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from handcraft.core.errors import printable
from handcraft.core.tracing import NEAR_ZERO, is_tiny
from handcraft.language.affine import format_number

PIPED_WIDTH = 120  # where there is no terminal to ask; COLUMNS overrides
MAX_RULES = 12  # lines of rules under a table
THEME = (
    TerminalTheme(  # of HTML: colours that can be read on white and on black
        (255, 255, 255),
        (0, 0, 0),
        [
            *((90, 90, 90), (208, 64, 64), (32, 144, 80), (168, 120, 0)),
            *((64, 112, 208), (160, 80, 176), (0, 136, 152), (128, 128, 128)),
        ],
    )
)
FONT = "Menlo,'DejaVu Sans Mono',Consolas,'Courier New',monospace"
PAGE = (  # of a notebook: wide lines scroll, and the lines of a table touch
    f'<pre style="white-space:pre;overflow-x:auto;line-height:1.25;font-family:{FONT}">'
    "{code}</pre>"
)


_PLAIN: dict[str, Any] = {
    "highlight": False,
    "markup": False,
    "emoji": False,
    "force_jupyter": False,  # else a console there shows what it should return
}


def console(
    stderr: bool = False, file: IO[str] | None = None, width: int | None = None
) -> Console:
    """A console without any style where NO_COLOR is set, and of a sane width when piped."""
    options: dict[str, Any] = dict(_PLAIN)
    if (
        "NO_COLOR" in os.environ
    ):  # rich drops colours for it, but keeps bold and faint
        options["color_system"] = None
    made = Console(stderr=stderr, file=file, **options)
    if width or not made.is_terminal:
        made.width = width or _piped_width()
    return made


def _piped_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    given = int(columns) if columns.isdecimal() else 0
    return given or PIPED_WIDTH


def progress() -> Progress:
    """A progress bar on stderr."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console(stderr=True), transient=True)


def as_text(draw: Callable[[int], RenderableType]) -> str:
    """The text that a command prints of what `draw` makes for the console's width."""
    width = console().width
    page = io.StringIO()
    Console(file=page, width=width, color_system=None, **_PLAIN).print(
        draw(width)
    )
    return page.getvalue().removesuffix("\n")


def as_html(draw: Callable[[int], RenderableType]) -> str:
    """The same as an element of HTML, with colours: what it holds is escaped."""
    page = Console(file=io.StringIO(), width=PIPED_WIDTH, record=True, **_PLAIN)
    page.print(draw(PIPED_WIDTH))
    return page.export_html(
        theme=THEME, code_format=PAGE, inline_styles=True
    ).replace("\n</pre>", "</pre>")


# ---------------------------------------------------------------- texts


def safe(text: object, style: str = "") -> Text:
    """A text from anywhere, made printable and shown without markup."""
    return Text(printable(str(text)), style=style)


def unbroken(text: str) -> Text:
    """A text whose lines are neither broken nor cut off."""
    return Text(text, no_wrap=True, overflow="ignore")


def above(*parts: RenderableType) -> Group:
    """The parts one below the other, an empty line between each two."""
    rest = [line for part in parts[1:] for line in (Text(""), part)]
    return Group(*parts[:1], *rest)


def quoted_token(token: str) -> str:
    """A token in quotes, made printable."""
    return f"'{printable(token)}'"


def shown_number(value: float | None, size: float = 0.0) -> Text:
    """A weight as a text: zero is faint, None is a dot, ~0 is lost beside a number of this size."""
    if value is None:
        return Text("·", style="dim")
    if is_tiny(value, size):
        return Text(NEAR_ZERO, style="dim")
    return Text(format_number(value), style="dim" if value == 0 else "")


# ---------------------------------------------------------------- tables


def plain_table(show_header: bool = True) -> Table:
    """An empty table without a frame."""
    return Table(
        box=None, pad_edge=False, show_header=show_header, header_style="cyan"
    )


def matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    width: int,
    beside: Literal["row", "column"] | None = None,
) -> Group:
    """A labelled matrix, cut into pieces of whole columns that fit the width.

    beside  numbers that are lost in float32 beside the largest of their row or column are ~0
    """
    names = [printable(name) for name in columns]
    cells = [
        [shown_number(*pair) for pair in zip(row, sizes, strict=True)]
        for row, sizes in zip(values, _sizes(values, beside), strict=True)
    ]
    widths = list(_widths(names, cells))
    longest = max((cell_len(printable(row)) for row in rows), default=0)
    label = min(longest, max(8, width // 2))
    pieces = _pieces(widths, max(8, width - label - 3))
    tables = [_piece(rows, names, cells, piece, label) for piece in pieces]
    return Group(safe(title, "bold"), *tables)


def _sizes(
    values: Sequence[Sequence[float | None]], beside: str | None
) -> list[list[float]]:
    """The largest size in the row or the column of each number; 0 where none is asked."""
    sizes = [[abs(value or 0.0) for value in row] for row in values]
    if beside == "row":
        return [[max(row, default=0.0)] * len(row) for row in sizes]
    columns = [max(column) for column in zip(*sizes, strict=True)]
    given = columns if beside == "column" else [0.0] * len(columns)
    return [given] * len(sizes)


def _widths(
    names: Sequence[str], cells: Sequence[Sequence[Text]]
) -> Iterator[int]:
    """The width of each column; without rows a heading counts in one line."""
    for i, name in enumerate(names):
        if cells:
            heading = max(cell_len(line) for line in _heading(name).split("\n"))
            yield max(heading, *(len(row[i]) for row in cells))
        else:
            yield cell_len(name)


def _heading(name: str) -> str:
    """A lane's name as a heading of one or two short lines."""
    slot, colon, label = name.partition(":")
    return f"{slot}\n{label}" if colon and len(slot) <= 10 else name


def _pieces(widths: Sequence[int], room: int) -> list[range]:
    pieces = []
    start = 0
    used = 0
    for i, width in enumerate(widths):
        if i > start and used + width + 2 > room:
            pieces.append(range(start, i))
            start = i
            used = 0
        used += width + 2
    return [*pieces, range(start, len(widths))]


def _piece(
    rows: Sequence[str],
    names: Sequence[str],
    cells: Sequence[Sequence[Text]],
    columns: range,
    label: int,
) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 1),
        header_style="cyan",
        show_edge=False,
    )
    table.add_column("", style="cyan", max_width=label, overflow="fold")
    for i in columns:
        table.add_column(
            Text(_heading(names[i])), justify="right", no_wrap=True
        )
    for name, row in zip(rows, cells, strict=True):
        table.add_row(safe(name), *(row[i] for i in columns))
    return table
