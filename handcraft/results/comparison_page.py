"""Writes the report of two models as HTML, to stand above them on their page.

The texts are those of the terminal; the heads are drawn, each of A beside one of B: the one that it
is matched with, or that of the same number.

Rules of this file: what comes from a program is escaped; no style of its own, which the policy of
the page would not allow.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import numpy as np

from handcraft.core.errors import printable
from handcraft.core.gpt2 import Array
from handcraft.pictures.heads_beside import (
    HeadTables,
    NamedTable,
    heads_beside_svg,
)
from handcraft.results.comparison_tables import comparison_table
from handcraft.results.tables import as_text
from handcraft.training.comparing.comparison import Comparison, ModelReport
from handcraft.training.comparing.named_circuits import NamedCircuits
from handcraft.training.comparing.patterns import HeadName, head_name

_MOST_DRAWN = 24  # pairs of heads
_MOST_OPEN = 4  # of them are seen at once; more are opened by hand
_MOST_NAMES = 32  # rows of a table that is drawn
_ATTENTION = "mean attention"
_CIRCUITS = {
    "qk": "QK: query and key to score",
    "ov": "OV: what is read to logits",
}

_Pairs = list[tuple[HeadName | None, HeadName | None]]


def comparison_html(found: Comparison) -> str:
    """The report, and below it the heads of both models in pictures."""
    text = as_text(lambda _: comparison_table(found, on_page=True))
    report = f"<pre>{html.escape(text)}</pre>"
    parts = _panel("Side by side", _frame("The report", report))
    pairs = _pairs(found)
    if not pairs:
        return parts
    pictures = "".join(_pictures(found, pairs))
    few = len(pairs) <= _MOST_OPEN
    return parts + _panel("Heads side by side", pictures, opened=few)


def _panel(title: str, body: str, *, opened: bool = True) -> str:
    """A part of the page that can be opened and closed."""
    state = " open" if opened else ""
    return (
        f'<details{state} class="panel"><summary><h2>{title}</h2></summary>'
        f'<div class="body">{body}</div></details>'
    )


def _frame(label: str, content: str) -> str:
    """A part that scrolls by itself where it is wide."""
    said = html.escape(label)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{said}">'
        f"{content}</div>"
    )


# ---------------------------------------------------------------- heads


def _pictures(found: Comparison, pairs: _Pairs) -> Iterator[str]:
    for a, b in pairs[:_MOST_DRAWN]:
        own = None if a is None else _tables("A", found.a, a)
        other = None if b is None else _tables("B", found.b, b)
        names = [one.title for one in (own, other) if one is not None]
        yield _frame(
            " and ".join(names), _image(heads_beside_svg(own, other), names)
        )
    if len(pairs) > _MOST_DRAWN:
        left = len(pairs) - _MOST_DRAWN
        yield f"<p>{left:,} more; --json has all of them</p>"


def _pairs(found: Comparison) -> _Pairs:
    """Which heads stand beside each other."""
    if found.matching is not None:
        return [(a, b) for a, b, _ in found.matching.pairs]
    return list(zip_longest(found.a.seen.patterns, found.b.seen.patterns))


def _tables(letter: str, report: ModelReport, head: HeadName) -> HeadTables:
    """The mean attention of a head, and its circuits where they are small enough."""
    tables = {
        _ATTENTION: _attention(report.seen.patterns[head], report.model.causal)
    }
    if report.circuits is not None:
        circuits = report.circuits[head]
        for name, title in _CIRCUITS.items():
            if len(circuits.sources) <= _MOST_NAMES:
                tables[title] = _circuit(circuits, name)
    return HeadTables(
        f"{letter}: {printable(report.model.name)}, head {head_name(head)}",
        tables,
    )


def _attention(pattern: Array, causal: bool) -> NamedTable:
    """Where a head attends on the average; what no query can see is hidden."""
    n = min(len(pattern), _MOST_NAMES)
    names = [f"@{i}" for i in range(n)]
    values = [
        [None if causal and j > i else _number(pattern[i, j]) for j in range(n)]
        for i in range(n)
    ]
    return NamedTable("key", "query", names, names, values)


def _circuit(circuits: NamedCircuits, name: str) -> NamedTable:
    table: Any = getattr(circuits, name)
    columns = circuits.tokens
    across, down = "logit", "read"
    if name == "qk":
        columns = circuits.sources[: table.shape[1]]
        across, down = "key", "query"
    values = [[_number(x) for x in row] for row in table]
    rows = circuits.sources[: len(values)]
    return NamedTable(across, down, rows, columns, values)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _image(svg: str, names: list[str]) -> str:
    """A picture that needs nothing from elsewhere."""
    data = base64.b64encode(svg.encode()).decode()
    said = html.escape(", ".join(names))
    return f'<img alt="{said}" src="data:image/svg+xml;base64,{data}">'
