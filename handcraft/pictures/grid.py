"""Draws a table of numbers with names on both sides: a matrix, attention, the residual stream.

Rows and columns are named by a group (the slot, the sublayer) and a label in it (the lane, the
position); a line stands between two groups, and a group's name once. Where there is room, a cell
shows its number and its mark, the letter of the rule that wrote it; where there is none, cells
are small, and a stroke through one says that it is negative.

    colour     the sign, blue above 0, orange below; the deeper, the larger
    number     the same in writing, with its sign; 0 is faint
    hatched    no number: what the mask hides

Rules of this file: what does not fit is counted (`... 12 more columns`), never left out silently.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby
from typing import TypeAlias

from handcraft.language.affine import format_number
from handcraft.pictures.svg import (
    SIZE,
    Drawing,
    clipped_to,
    element,
    kind,
    line_path,
    text,
    tip,
    width_of,
)

Name: TypeAlias = tuple[str, str]  # the group, and the label in it
MOST = 96  # rows or columns of a picture
_WRITTEN = 700  # cells with their numbers in one table
FEW = 3  # different numbers that are listed under small cells
MOST_ZEROS = 240  # cells of a table that writes its zeros
BROADEST = 1100.0  # pixels of a table with numbers
LABEL = 22  # characters of a name
# pixels: the height of a row with numbers, of one among many, the side of a small cell
HIGH, _LOW, TIGHT = 22.0, 15.0, 13.0
TALL = 24  # rows: more are low
MOST_TIPS = 1500  # cells that have a tooltip


def lane_name(name: str) -> Name:
    """A lane's name as its slot and its label; a lane that is its whole slot has no label."""
    slot, colon, label = name.partition(":")
    return (slot, label) if colon and slot and label else ("", name)


@dataclass(frozen=True)
class NumberTable:
    """What a table shows. None in `values` is hidden by the mask.

    marks   (row, column) -> the mark of a cell
    tips    (row, column) -> what a cell's tooltip says
    written how a number is written
    """

    rows: Sequence[Name]
    columns: Sequence[Name]
    values: Sequence[Sequence[float | None]]
    marks: Mapping[tuple[int, int], str] = field(default_factory=dict)
    tips: Mapping[tuple[int, int], str] = field(default_factory=dict)
    written: Callable[[float], str] = format_number
    largest: float | None = None  # the number of the deepest colour
    small: bool = False  # small cells, whatever there is room for

    def shown(self, row: int, column: int) -> str:
        """The number of a cell as a text; empty where the mask hides it."""
        value = self.values[row][column]
        return "" if value is None else self.written(value)


def table_drawing(grid: NumberTable, side: int = MOST) -> Drawing:
    """The table as a drawing, cut off after so many rows and columns."""
    n_rows = min(len(grid.rows), side)
    n_columns = min(len(grid.columns), side)
    hidden = len(grid.rows) - n_rows, len(grid.columns) - n_columns
    cut = replace(
        grid,
        rows=grid.rows[:n_rows],
        columns=grid.columns[:n_columns],
        values=[row[:n_columns] for row in grid.values[:n_rows]],
    )
    return _Table(cut, hidden).drawing()


class _Table:
    """A table while it is drawn: the widths of its columns, and where each begins."""

    def __init__(self, grid: NumberTable, hidden: tuple[int, int]) -> None:
        self.grid, self.hidden = grid, hidden
        self.n_rows, self.n_columns = len(grid.rows), len(grid.columns)
        widths = self.written_widths()
        few = self.n_rows * self.n_columns <= _WRITTEN
        self.written = few and not grid.small and sum(widths) <= BROADEST
        self.zeros = self.written and self.n_rows * self.n_columns <= MOST_ZEROS
        self.high = HIGH if self.n_rows <= TALL else _LOW
        self.high = self.high if self.written else TIGHT
        self.size = SIZE if self.written else 9.0
        if not self.written:
            widths = [TIGHT] * self.n_columns
        groups = [clipped_to(group, LABEL) for group, _ in grid.rows]
        labels = [clipped_to(label, LABEL) for _, label in grid.rows]
        self.group_width = self.widest(groups)
        self.left = self.group_width + self.widest(labels) + 14
        self.top = self.heading_height()
        self.x = [self.left + x for x in accumulate(widths, initial=0.0)]
        self.y = [self.top + i * self.high for i in range(self.n_rows + 1)]

    def widest(self, names: Sequence[str]) -> float:
        return max((width_of(name, self.size) for name in names), default=0.0)

    # ------------------------------------------------------------ sizes

    def written_widths(self) -> list[float]:
        """The width of each column that shows numbers, its label and its share of the group's
        name.
        """
        grid = self.grid
        marked = 9.0 if grid.marks else 0.0
        widths = [
            max(
                width_of(clipped_to(grid.columns[j][1], LABEL)) + 8,
                28.0,
                *(
                    width_of(grid.shown(i, j)) + 10 + marked
                    for i in range(self.n_rows)
                ),
            )
            for j in range(self.n_columns)
        ]
        for name, first, last in _spans(grid.columns):
            wanted = width_of(clipped_to(name, LABEL)) + 10
            missing = wanted - sum(widths[first:last])
            for j in range(first, last):
                widths[j] += max(0.0, missing) / (last - first)
        return widths

    def heading_height(self) -> float:
        if self.written:
            return (
                36.0 if any(group for group, _ in self.grid.columns) else 20.0
            )
        names = [self.turned_name(j) for j in range(self.n_columns)]
        return self.widest(names) + (24 if self.one_group else 10)

    @property
    def one_group(self) -> str:
        """The group of all columns, where they have one together."""
        groups = {group for group, _ in self.grid.columns}
        return groups.pop() if len(groups) == 1 else ""

    def turned_name(self, column: int) -> str:
        """The name of a small column, which is written upwards: with its group where there are
        several.
        """
        name = self.grid.columns[column]
        whole = name[1:] if self.one_group else name
        return clipped_to(":".join(filter(None, whole)), LABEL)

    # ------------------------------------------------------------ drawing

    def drawing(self) -> Drawing:
        right, bottom = self.x[-1], self.y[-1]
        parts = [self.field(), *self.cells(), *self.lines()]
        parts += self.row_names()
        parts += self.column_names() if self.written else self.turned_names()
        notes = list(self.notes())
        for i, note in enumerate(notes):
            y = bottom + 14 * (i + 1)
            parts.append(text(self.left, y, note, "faint", size=10.0))
        width = max(
            [right, *(self.left + width_of(note, 10.0) for note in notes)]
        )
        return Drawing(width + 1, bottom + 14 * len(notes) + 3, tuple(parts))

    def notes(self) -> Iterator[str]:
        if not self.zeros and any(0 in row for row in self.grid.values):
            yield f"an empty cell is 0{self.few_values()}"
        for n, what in zip(self.hidden, ("row", "column"), strict=True):
            if n:
                yield f"... {n} more {what}{'s' if n > 1 else ''}"

    def few_values(self) -> str:
        """What small cells hold, where they hold few different numbers."""
        values = self.grid.values
        found = sorted({x for row in values for x in row if x})
        if self.written or not 0 < len(found) <= FEW:
            return ""
        return ", the others are " + " or ".join(map(self.grid.written, found))

    def field(self) -> str:
        return element(
            "rect",
            x=self.left,
            y=self.top,
            width=self.x[-1] - self.left,
            height=self.y[-1] - self.top,
            **kind("field"),
        )

    def cells(self) -> Iterator[str]:
        values = self.grid.values
        sizes = [
            abs(x) for row in values for x in row if x and math.isfinite(x)
        ]
        largest = self.grid.largest or max(sizes, default=1.0)
        tips = len(self.grid.tips) <= MOST_TIPS
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                if value:
                    yield self.box(i, j, value, largest, tips)
                if (self.zeros and value == 0) or (self.written and value):
                    yield from self.written_cell(i, j, value)
        yield from self.strokes()

    def box(
        self, i: int, j: int, value: float, largest: float, tips: bool
    ) -> str:
        said = self.grid.tips.get((i, j)) if tips else None
        return element(
            "rect",
            *([tip(said)] if said else []),
            x=self.x[j],
            y=self.y[i],
            width=self.x[j + 1] - self.x[j],
            height=self.high,
            **kind("minus" if value < 0 else "plus"),
            fill_opacity=_depth(value, largest),
        )

    def written_cell(self, i: int, j: int, value: float) -> Iterator[str]:
        mark = self.grid.marks.get((i, j))
        room = 8.0 if self.grid.marks else 0.0
        middle = (self.x[j] + self.x[j + 1] - room) / 2
        look = "ink" if value else "faint"
        y = self.y[i] + self.high / 2 + 4
        yield text(middle, y, self.grid.shown(i, j), look, anchor="middle")
        if mark:
            right = self.x[j + 1] - 3
            yield text(right, y - 4, mark, "ink", size=8.0, anchor="end")

    def strokes(self) -> Iterator[str]:
        """The hatching of what the mask hides, and the signs of small cells."""
        hidden, negative = [], []
        for i, row in enumerate(self.grid.values):
            y = self.y[i]
            for j, value in enumerate(row):
                x, end = self.x[j], self.x[j + 1]
                if value is None:
                    hidden.append((x + 4, y + self.high - 4, end - 4, y + 4))
                elif value < 0 and not self.written:
                    middle = y + self.high / 2
                    negative.append((x + 3, middle, end - 3, middle))
        if hidden:
            yield element("path", d=line_path(hidden), **kind("line"))
        if negative:
            yield element("path", d=line_path(negative), **kind("stroke"))

    def lines(self) -> Iterator[str]:
        """The grid, and stronger lines between groups."""
        x, y = self.x, self.y
        rows = {first for _, first, _ in _spans(self.grid.rows)} | {self.n_rows}
        columns = {first for _, first, _ in _spans(self.grid.columns)} | {
            self.n_columns
        }
        for strong, look in ((False, "line"), (True, "rule")):
            path = [
                *(
                    (x[0], v, x[-1], v)
                    for i, v in enumerate(y)
                    if (i in rows) is strong
                ),
                *(
                    (v, y[0], v, y[-1])
                    for j, v in enumerate(x)
                    if (j in columns) is strong
                ),
            ]
            if path:
                yield element("path", d=line_path(path), **kind(look))

    def row_names(self) -> Iterator[str]:
        down = self.high / 2 + self.size * 0.36
        for name, first, _ in _spans(self.grid.rows):
            if name:
                words = clipped_to(name, LABEL)
                y = self.y[first] + down
                yield text(0, y, words, "head", size=self.size)
        for i, (_, label) in enumerate(self.grid.rows):
            words = clipped_to(label, LABEL)
            yield text(
                self.left - 6,
                self.y[i] + down,
                words,
                size=self.size,
                anchor="end",
            )

    def column_names(self) -> Iterator[str]:
        for name, first, last in _spans(self.grid.columns):
            if name:
                middle = (self.x[first] + self.x[last]) / 2
                words = clipped_to(name, LABEL)
                yield text(
                    middle, self.top - 22, words, "head", anchor="middle"
                )
        for j, (_, label) in enumerate(self.grid.columns):
            middle = (self.x[j] + self.x[j + 1]) / 2
            words = clipped_to(label, LABEL)
            yield text(middle, self.top - 6, words, anchor="middle")

    def turned_names(self) -> Iterator[str]:
        if self.one_group:
            words = clipped_to(self.one_group, LABEL)
            yield text(self.left, 9, words, "head", size=self.size)
        for j in range(self.n_columns):
            x = (self.x[j] + self.x[j + 1]) / 2 + 3
            words = self.turned_name(j)
            yield text(x, self.top - 5, words, size=self.size, turned=True)


def _spans(names: Sequence[Name]) -> Iterator[tuple[str, int, int]]:
    """The groups of names that stand together: the group, its first index, and that after it. Of
    names without a group each is one, unless none has any.
    """
    grouped = any(group for group, _ in names)
    first = 0
    for group, members in groupby(names, key=lambda name: name[0]):
        last = first + len(list(members))
        if group or not grouped:
            yield group, first, last
        else:
            yield from ((group, i, i + 1) for i in range(first, last))
        first = last


def _depth(value: float, largest: float) -> str:
    """How strong the colour of a number is: from 0.15 to 0.6, by the root of its size."""
    if not math.isfinite(value):
        return "0.6"
    return f"{0.15 + 0.45 * math.sqrt(abs(value) / largest):.2f}"
