"""Renderables of what is read off weights: a line for each head."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from handcraft.analysis.reading.whole import (
    EVERY_QUERY,
    WHERE_IT_COUNTS,
    ReadHead,
    ReadModel,
)
from handcraft.results.tables import plain_table, safe


def reading_table(reading: ReadModel) -> RenderableType:
    """What each head attends to, with the evidence."""
    return Group(*_parts(reading))


def _parts(reading: ReadModel) -> Iterator[RenderableType]:
    n = len(reading.heads)
    heads = f"{reading.read} of {n} head{'' if n == 1 else 's'} read"
    texts = f"{reading.texts} texts of {reading.origin}"
    if reading.origin != "its claim":
        texts = f"{reading.texts} {reading.origin}"
    yield safe(f"{reading.name}: {heads}, on {texts}", "bold")
    if reading.heads:
        yield Text("")
        yield _table(reading)
    for head in reading.heads:
        if head.recipe is not None and head.kept is not None:
            kept = f"{share(head.kept)} of the predictions stay"
            yield safe(f"{head.name} as {head.recipe.says}: {kept}", "dim")
    if any(head.where == WHERE_IT_COUNTS for head in reading.heads):
        yield safe("* at the queries whose predictions count", "dim")


def _table(reading: ReadModel) -> RenderableType:
    table = plain_table()
    for title in ("head", "attends to"):
        table.add_column(title, overflow="fold")
    for title in ("explained", "same if replaced"):
        table.add_column(title, justify="right")
    for head in reading.heads:
        table.add_row(*map(safe, _row(head)))
    return table


def _row(head: ReadHead) -> tuple[str, str, str, str]:
    says = head.says if head.read else f"not explained; nearest: {head.says}"
    if head.explained is None:
        return head.name, says, "", ""
    star = "" if head.where == EVERY_QUERY else "*"
    return (
        head.name,
        says,
        f"{share(head.explained)}{star}",
        share(head.agreement),
    )


def share(x: float) -> str:
    """A fraction in percent, rounded down: 100.0% is all of it."""
    return f"{int(x * 1000 + 1e-6) / 10:.1f}%"
