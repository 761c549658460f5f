"""Draws the heads of two models beside each other: where they attend, and their circuits.

    HeadTables          the tables of one head: its mean attention, QK and OV
    heads_beside_svg    one head of A on the left, one of B on the right; either may be missing

Rules of this file: it is given names and numbers, and knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from handcraft.core.tracing import NEAR_ZERO
from handcraft.pictures.grid import NumberTable, table_drawing
from handcraft.pictures.svg import (
    Drawing,
    beside,
    flowing,
    stacked,
    text_line,
    whole_svg,
)

_FAINT = 5e-5
_WIDE = 620.0  # of the tables of one head; more stand below


@dataclass(frozen=True)
class NamedTable:
    """A table with a name for each row and each column; None where the mask hides a number."""

    across: str  # what the columns are
    down: str  # what the rows are
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]


@dataclass(frozen=True)
class HeadTables:
    """The tables of one head, by their titles."""

    title: str
    tables: Mapping[str, NamedTable]


def heads_beside_svg(a: HeadTables | None, b: HeadTables | None) -> str:
    """The tables of two heads, or of the one that is there, as a whole SVG."""
    heads = [one for one in (a, b) if one is not None]
    title = " beside ".join(one.title for one in heads)
    return whole_svg(beside([_head(one) for one in heads]), title)


def _head(head: HeadTables) -> Drawing:
    tables = flowing(_tables(head), _WIDE)
    return stacked([text_line(head.title, bold=True), tables])


def _tables(head: HeadTables) -> Iterator[Drawing]:
    for title, named in head.tables.items():
        table = NumberTable(
            [(named.down, name) for name in named.rows],
            [(named.across, name) for name in named.columns],
            named.values,
            written=_short,
        )
        words = text_line(title, "faint")
        yield stacked([words, table_drawing(table)], gap=4)


def _short(value: float) -> str:
    """Three digits, or all of a large number; what does not show beside 1 is ~0."""
    if 0 < abs(value) < _FAINT:
        return NEAR_ZERO
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
