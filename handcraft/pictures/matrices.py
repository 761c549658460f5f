"""Draws the matrices of a model: named rows and columns, every number, and the rules beside them.

Each rule of a matrix has a letter; the cells that it wrote carry it, and beside the matrix stands
what the rule says, where it stands in the program, and in which file and line.

Rules of this file: a table of more than SMALL rows or columns is drawn without its empty ones, as
in the terminal; what goes past the size of the whole is listed with its size.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from handcraft.analysis.explain import BIAS, Explanation, MatrixTable
from handcraft.core.errors import printable
from handcraft.core.gpt2 import Array
from handcraft.core.provenance import Reason
from handcraft.language.affine import format_number
from handcraft.pictures.grid import (
    BROADEST,
    FEW,
    MOST,
    MOST_ZEROS,
    Name,
    NumberTable,
    lane_name,
    table_drawing,
)
from handcraft.pictures.svg import (
    Drawing,
    beside,
    clipped_to,
    flowing,
    stacked,
    text,
    text_line,
    visible,
    whole_svg,
    width_of,
)

SMALL = (
    20  # a taller or wider table is drawn without its empty rows and columns
)
MOST_LINES = 40  # of rules beside a matrix
BROAD = 74  # characters of a line of a rule
SPARSE = (
    0.12  # of the cells hold a number, at most, where the pattern says it all
)
MOST_BYTES = 1_500_000  # of a picture
_TOKENS = ("wte", "lm_head")  # the parts whose rows are tokens


def explanation_svg(
    found: Explanation, title: str, most: int = MOST_BYTES, side: int = MOST
) -> str:
    """The matrices as an SVG of about so many bytes at most; those for which there is no room are
    listed with their sizes. Of each, so many rows and columns are drawn, and the others counted.
    """
    return whole_svg(explanation_drawing(found, title, most, side), title)


def explanation_drawing(
    found: Explanation, title: str, most: int = MOST_BYTES, side: int = MOST
) -> Drawing:
    """The matrices one below the other, under a title."""
    heading = text_line(clipped_to(title, 120), size=14.0, bold=True)
    parts = []
    room = most
    for view in found.views:
        drawing = _listed(view)
        if room > 0 and view.values.any():
            full = view_drawing(view, side)
            size = sum(map(len, full.elements))
            room -= size
            drawing = full if room > 0 else drawing
        parts.append(drawing)
    return stacked([heading, flowing(parts, BROADEST, gap=40)], gap=18)


def _listed(view: MatrixTable) -> Drawing:
    """A line for a matrix that is not drawn."""
    rows, columns = view.values.shape
    n = int((view.values != 0).sum())
    cells = (
        f"{n} of {rows} x {columns} cells are not 0 ..." if n else "all zero"
    )
    return text_line(
        clipped_to(f"{view.part}  {view.title}: {cells}", 130), "faint"
    )


def view_drawing(view: MatrixTable, side: int = MOST) -> Drawing:
    """One matrix, its title above it and its rules beside it, or below where it is wide."""
    rows, columns, left_out = _shrunk(view)
    marks = {reason: mark(i) for i, reason in enumerate(view.reasons)}
    table = table_drawing(_grid(view, rows, columns, marks), side)
    rules = _rules(marks)
    arranged = beside if table.width + rules.width < BROADEST else stacked
    title = beside(
        [
            text_line(view.part, size=12.0, bold=True),
            text_line(clipped_to(f"{view.title}{left_out}", 120), "faint"),
        ],
        gap=12,
    )
    return stacked([title, arranged([table, rules])], gap=6)


def _shrunk(view: MatrixTable) -> tuple[list[int], list[int], str]:
    """The rows and columns to draw, and a note on the empty ones that are left out."""
    n_rows, n_columns = view.values.shape
    if max(n_rows, n_columns) <= SMALL:
        return list(range(n_rows)), list(range(n_columns)), ""
    used = view.values != 0  # [n_rows, n_columns]
    rows = np.flatnonzero(used.any(axis=1)).tolist()
    columns = np.flatnonzero(used.any(axis=0)).tolist()
    empty = n_rows - len(rows), n_columns - len(columns)
    said = [
        f"{n} empty {what}{'s' if n > 1 else ''}"
        for n, what in zip(empty, ("row", "column"), strict=True)
        if n
    ]
    return rows, columns, f"  ({' and '.join(said)} left out)" if said else ""


def _grid(
    view: MatrixTable,
    rows: Sequence[int],
    columns: Sequence[int],
    marks: dict[Reason, str],
) -> NumberTable:
    place = {(cell.row, cell.column): cell for cell in view.cells}
    written = {}
    tips = {}
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            cell = place.get((view.rows[r], view.columns[c]))
            if cell is not None:
                reason = Reason(cell.rule, cell.text, cell.source)
                written[i, j] = marks[reason]
                tips[i, j] = (
                    f"{cell.row} → {cell.column}: {format_number(cell.value)}"
                    f"  ({marks[reason]} {cell.text})"
                )
    return NumberTable(
        [row_name(view, r) for r in rows],
        [lane_name(view.columns[c]) for c in columns],
        [[float(view.values[r, c]) for c in columns] for r in rows],
        written if len(marks) > 1 else {},
        tips,
        small=_is_pattern(view.values[np.ix_(rows, columns)]),
    )


def _is_pattern(values: Array) -> bool:  # [n_rows, n_columns]
    """True for a table whose pattern says it all: large, and few different numbers here and there,
    as one-hot lanes that are copied.
    """
    n = int(np.count_nonzero(values))
    few = len(np.unique(values)) <= FEW + 1
    return few and values.size > MOST_ZEROS and n < SPARSE * values.size


def row_name(view: MatrixTable, row: int) -> Name:
    """The name of a row: a token or a position as it is, a lane as its slot and label."""
    name = view.rows[row]
    if view.part in _TOKENS:
        return "token", visible(name)
    if view.part == "wpe":
        return "position", name
    return ("", "1 (bias)") if name == BIAS else lane_name(name)


def mark(i: int) -> str:
    """The letter of a rule: a to z, then aa, ab, ..."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = mark(i // 26 - 1) if i >= 26 else ""
    return first + letters[i % 26]


# ---------------------------------------------------------------- rules


def _rules(marks: dict[Reason, str]) -> Drawing:
    """The rules with their letters, each place in the program once."""
    places: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for reason, letter in marks.items():
        key = (reason.rule, reason.source)
        places.setdefault(key, []).append((letter, reason.text))
    lines = [line for key, said in places.items() for line in _rule(*key, said)]
    hidden = len(lines) - MOST_LINES
    if hidden > 1:
        lines = lines[:MOST_LINES]
        lines.append(("", f"... {hidden} more lines", "faint"))
    parts = []
    for i, (letter, words, look) in enumerate(lines):
        y = 15.0 * i + 12
        parts += [text(0, y, letter, bold=True)] if letter else []
        parts.append(text(24, y, words, look))
    width = 24 + max((width_of(words) for _, words, _ in lines), default=0.0)
    return Drawing(width, 15.0 * len(lines) + 2, tuple(parts))


def _rule(
    rule: str, source: str, said: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, str, str]]:
    """The lines of a rule: its letter, its words and their look."""
    head = f"{rule or 'by hand'}  {source}"
    yield "", clipped_to(head, BROAD), "head"
    for letter, words in said:
        lines = textwrap.wrap(printable(words), BROAD) or [""]
        more = ["…"] if len(lines) > 4 else []
        for i, line in enumerate([*lines[:4], *more]):
            yield "" if i else letter, line, "ink"
