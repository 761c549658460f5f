"""Renderables of an explanation: what each rule gave to the right and to the wrong logit, and the
first lanes that left their meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from handcraft.core.errors import listing
from handcraft.language.affine import format_number
from handcraft.proof.report import Counterexample, Report
from handcraft.results.tables import (
    plain_table,
    quoted_token,
    safe,
    shown_number,
)

ROWS_SHOWN = 8  # rules with a row of their own; the others share one
_Row = Mapping[str, Any]


def blame(found: Report) -> Iterator[RenderableType]:
    """The explanation of a report's counterexample, as far as there is one."""
    if found.compared and found.contributions:
        equal = ", which are equal" if _is_tie(found.counterexample) else ""
        table = _contributions(found.compared, found.contributions)
        yield safe(f"  what each rule gave to the two logits{equal}:")
        yield Padding(table, (0, 0, 0, 4), expand=False)
    if found.counterexample and found.departures:
        *before, first = found.departures
        yield safe(f"  {_heading(before)}:")
        yield Text.assemble(
            safe(f"    {left(first)}  "), safe(first["source"], "dim")
        )
    if found.unsaid:
        yield safe(f"  {_saying(found.unsaid)}")


def _heading(before: Sequence[_Row]) -> str:
    """The heading of a lane that is far off, or of the first that is at all."""
    if not before:
        return "the first lane that left its meaning"
    slight = before[0]
    return (
        f"the first lane that is far from its meaning ({slight['lane']} is a little off"
        f" in layer {slight['layer']}, position {slight['position']})"
    )


def _saying(lanes: Sequence[str]) -> str:
    """The hint that more could be told."""
    return (
        f"means={{...}} beside the rules of {listing(lanes, 4)} would tell the first"
        " lane that is wrong"
    )


def _is_tie(wrong: Counterexample | None) -> bool:
    return wrong is not None and wrong.margin == 0


def left(lane: _Row) -> str:
    """Where a lane left its meaning, in one line."""
    value = format_number(lane["value"])
    meaning = format_number(lane["meaning"])
    return (
        f"layer {lane['layer']}, position {lane['position']}: {lane['lane']} is"
        f" {value}, but means {meaning}: {lane['text']}"
    )


def _contributions(compared: Sequence[str], rows: Sequence[_Row]) -> Table:
    table = plain_table()
    table.add_column(safe("rule"), overflow="fold")
    for token in compared:
        table.add_column(
            safe(quoted_token(token)), justify="right", no_wrap=True
        )
    table.add_column(safe("line"), overflow="fold")
    shown, rest = _most(rows)
    for row in shown:
        direct = row["rule"].startswith("embedding[")
        name = f"{row['rule']}{' (direct path)' if direct else ''}"
        _add(table, name, [row], row["source"])
    if rest:
        _add(table, f"{len(rest)} more", rest)
    _add(table, "together", rows)
    return table


def _most(rows: Sequence[_Row]) -> tuple[list[_Row], list[_Row]]:
    """The rows that decide most, in their order, and the others."""
    if len(rows) <= ROWS_SHOWN + 1:
        return list(rows), []
    by_size = sorted(rows, key=lambda row: -abs(row["wrong"] - row["right"]))
    kept = [id(row) for row in by_size[:ROWS_SHOWN]]
    return (
        [row for row in rows if id(row) in kept],
        [row for row in rows if id(row) not in kept],
    )


def _add(
    table: Table, name: str, rows: Sequence[_Row], source: str = ""
) -> None:
    sums = [sum(row[key] for row in rows) for key in ("right", "wrong")]
    table.add_row(safe(name), *map(shown_number, sums), safe(source, "dim"))
