"""Renderables of a model: its explained matrices, one traced pass, a difference of two models.

Rules of this file: what is shown comes from analysis/ and core/tracing.py.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from handcraft.analysis.diff import Difference
from handcraft.analysis.explain import Explanation, MatrixTable
from handcraft.core.errors import printable
from handcraft.core.tracing import HeadTrace, Trace
from handcraft.model import Model
from handcraft.pictures.circuits import PORTS
from handcraft.pictures.wiring import Wiring
from handcraft.results.tables import (
    MAX_RULES,
    matrix,
    plain_table,
    quoted_token,
    safe,
    shown_number,
)

MAX_COLUMNS = (
    128  # of a trace; of more, as a real GPT-2 has, the largest are shown
)
LARGEST = 16
MAX_LINES = 100  # of the tables of a counterexample
MAX_HEADS = (
    64  # of a trace; of more, as a real GPT-2 has, the logits alone are shown
)
MAX_ROWS = (
    20  # a taller or wider table is shown without its empty rows and columns
)


# ---------------------------------------------------------------- explain


def explanation(model: Model, found: Explanation, width: int) -> RenderableType:
    """The matrices of a model, each with the rules behind its cells."""
    parts: list[RenderableType] = [safe(repr(model), "bold"), Text("")]
    for view in found.views:
        parts += [*_view(view, width), Text("")]
    return Group(*parts)


def _view(view: MatrixTable, width: int) -> Iterator[RenderableType]:
    title = f"{view.part}  {view.title}"
    if not view.cells and not view.values.any():
        yield safe(f"{title}: all zero", "dim")
        return
    rows, columns, left_out = _shrunk(view)
    values = [[float(view.values[i, j]) for j in columns] for i in rows]
    row_names = [view.rows[i] for i in rows]
    column_names = [view.columns[j] for j in columns]
    yield matrix(f"{title}{left_out}", row_names, column_names, values, width)
    yield from rules(view)


def _shrunk(view: MatrixTable) -> tuple[list[int], list[int], str]:
    """The rows and columns to show: all of a small table, the non-empty ones of a large one."""
    n_rows, n_columns = view.values.shape
    if n_rows <= MAX_ROWS and n_columns <= MAX_ROWS:
        return list(range(n_rows)), list(range(n_columns)), ""
    rows = [i for i in range(n_rows) if view.values[i].any()]
    columns = [i for i in range(n_columns) if view.values[:, i].any()]
    hidden = {"row": n_rows - len(rows), "column": n_columns - len(columns)}
    left_out = [
        f"{n} empty {what}{'s' if n > 1 else ''}"
        for what, n in hidden.items()
        if n
    ]
    return (
        rows,
        columns,
        f"  ({' and '.join(left_out)} left out)" if left_out else "",
    )


def rules(view: MatrixTable) -> Iterable[Text]:
    """The rules behind a view's cells: each path and place once, then what the rule says."""
    by_rule: dict[tuple[str, str], list[str]] = {}
    for reason in view.reasons:
        by_rule.setdefault((reason.rule, reason.source), []).append(reason.text)
    lines = [
        line
        for (rule, source), texts in by_rule.items()
        for line in _rule(rule, source, texts)
    ]
    hidden = len(lines) - MAX_RULES
    if hidden <= 1:
        return lines
    more = safe(f"      ... and {hidden} more lines like these", "dim")
    return [*lines[:MAX_RULES], more]


def _rule(rule: str, source: str, texts: Sequence[str]) -> Iterator[Text]:
    head = [
        safe("  ← "),
        safe(rule or "by hand", "green"),
        safe(f"  {source}", "dim"),
    ]
    if len(texts) == 1:
        yield Text.assemble(*head, safe(f"  {texts[0]}"))
        return
    yield Text.assemble(*head)
    yield from (safe(f"      {text}") for text in texts)


# ---------------------------------------------------------------- trace


def counterexample_tables(
    found: Trace, width: int, name: str
) -> RenderableType:
    """The tables of the forward pass of a counterexample: where they are long, logits alone, so
    that the verdict above them is still to be seen.
    """
    tables = len(found.heads) + len(found.residual)
    if tables * (len(found.tokens) + 3) <= MAX_LINES:
        return trace_tables(found, width)
    text = shlex.quote(json.dumps(found.tokens))
    more = (
        f"`handcraft trace {name} --tokens {text}` shows the whole forward pass"
    )
    labels = [f"{i} {token}" for i, token in enumerate(found.tokens)]
    rest = _logits(found, labels, width)
    return Group(safe(printable(more), "dim"), Text(""), *rest)


def trace_tables(found: Trace, width: int) -> RenderableType:
    """The tables of one forward pass: attention, residual stream, logits and their sources."""
    labels = [f"{i} {token}" for i, token in enumerate(found.tokens)]
    parts: list[RenderableType] = []
    if len(found.heads) > MAX_HEADS:
        left_out = (
            f"the tables of {len(found.heads)} heads and of the residual stream are left"
            " out; --json has them"
        )
        rest = _logits(found, labels, width)
        return Group(safe(left_out, "dim"), Text(""), *rest)
    for head in found.heads:
        parts += [*_head(head, labels, width), Text("")]
    for state in found.residual:
        rows = state["positions"]
        names = [name for name in rows[0] if any(row[name] for row in rows)]
        values = [[row[name] for name in names] for row in rows]
        title = f"residual stream after {state['after']}"
        title, names, values = _largest(title, names, values)
        parts += [
            matrix(title, labels, names, values, width, "column"),
            Text(""),
        ]
    return Group(*parts, *_logits(found, labels, width))


def _head(
    head: HeadTrace, labels: Sequence[str], width: int
) -> Iterator[RenderableType]:
    title = f"head {head.name}: attention of each row to each column"
    yield matrix(title, labels, labels, _past(head.weights), width, "row")
    for what, rows in (("reads (value)", head.value), ("writes", head.written)):
        names = list(dict.fromkeys(name for row in rows for name in row))
        values = [[row.get(name, 0.0) for name in names] for row in rows]
        if names:
            title = f"head {head.name} {what}"
            title, names, values = _largest(title, names, values)
            yield matrix(title, labels, names, values, width, "column")


def _largest(
    title: str, names: list[str], values: list[list[float]]
) -> tuple[str, list[str], list[list[float]]]:
    """The title, columns and numbers to show: of very many columns the largest ones."""
    if len(names) <= MAX_COLUMNS:
        return title, names, values
    sizes = [max(map(abs, column)) for column in zip(*values, strict=True)]
    order = sorted(range(len(names)), key=lambda i: -sizes[i])[:LARGEST]
    keep = sorted(order)
    return (
        f"{title}  (the {LARGEST} largest of {len(names)} lanes)",
        [names[i] for i in keep],
        [[row[i] for i in keep] for row in values],
    )


def _past(weights: Sequence[Sequence[float]]) -> list[list[float | None]]:
    """The attention weights, with None where a later position has none (the causal mask)."""
    return [
        [
            None if j > i and not weight else weight
            for j, weight in enumerate(row)
        ]
        for i, row in enumerate(weights)
    ]


def _logits(
    found: Trace, labels: Sequence[str], width: int
) -> Iterator[RenderableType]:
    tokens = list(found.logits[0])
    title = "logits"
    if len(tokens) > MAX_COLUMNS:
        last = found.logits[found.position]
        tokens = sorted(tokens, key=lambda token: -last[token])[:LARGEST]
        title = (
            f"logits  (the {LARGEST} highest of {len(last)} after"
            f" '{labels[found.position]}')"
        )
    names = [quoted_token(token) for token in tokens]
    values = [[row[token] for token in tokens] for row in found.logits]
    yield matrix(title, labels, names, values, width, "row")
    yield Text("")
    given = found.contributions
    if not given:
        return  # weights that no rule wrote
    values = [[share["logits"][token] for token in tokens] for share in given]
    title = (
        f"what each rule gave to the logits after '{labels[found.position]}'"
    )
    yield matrix(
        title,
        [share["rule"] for share in given],
        names,
        values,
        width,
        "column",
    )


# ---------------------------------------------------------------- diff


def difference(found: Difference, most: int = 60) -> RenderableType:
    """The cells, rules and sizes in which two programs differ; at most `most` of each."""
    n = len(found.cells)
    parts: list[RenderableType] = [
        safe(f"{n} cell{'s' if n != 1 else ''} differ", "bold")
    ]
    if n:
        parts.append(_cells(found, most))
    if n > most:
        parts.append(safe(f"... and {n - most} more", "dim"))
    for key, sign, style in (("only_a", "-", "red"), ("only_b", "+", "green")):
        parts += [
            safe(f"{sign} {rule}", style) for rule in found.rules[key][:most]
        ]
    a = found.parameters["a"]
    b = found.parameters["b"]
    parts += [
        safe(f"{key}: {a[key]} -> {b[key]}") for key in a if a[key] != b[key]
    ]
    return Group(*parts)


def _cells(found: Difference, most: int) -> Table:
    table = plain_table()
    for name in ("part", "row", "column", *found.names):
        table.add_column(
            safe(name), justify="right" if name in found.names else "left"
        )
    for cell in found.cells[:most]:
        place = [safe(cell[key]) for key in ("part", "row", "column")]
        table.add_row(*place, shown_number(cell["a"]), shown_number(cell["b"]))
    return table


# ---------------------------------------------------------------- circuit


def wiring_table(found: Wiring) -> RenderableType:
    """Who writes a lane that whom reads: a row for each input of each reader."""
    sizes = f"{len(found.nodes)} nodes, {len(found.edges)} edges"
    table = plain_table()
    for name in ("reader", "input", "from", "lanes"):
        table.add_column(name)
    for node in found.nodes:
        rows = _read_by(found, node.name)
        for i, (into, sender, lanes) in enumerate(rows):
            same = i and into == rows[i - 1][0]
            reader = "" if i else node.label
            name = "" if same else PORTS.get(into, "")
            table.add_row(*map(safe, (reader, name, sender, found.said(lanes))))
    title = safe(f"{found.program}: what feeds what, {sizes}", "bold")
    return Group(title, Text(""), table)


def _read_by(
    found: Wiring, reader: str
) -> list[tuple[str, str, tuple[str, ...]]]:
    """What a node reads: the input, the name of the sender, and the lanes; its query first."""
    labels = {node.name: node.label for node in found.nodes}
    rows = [
        (into, labels[edge.sender], lanes)
        for edge in found.edges
        if edge.receiver == reader
        for into, lanes in edge.reads
    ]
    order = {into: i for i, into in enumerate(PORTS)}
    return sorted(rows, key=lambda row: order.get(row[0], 0))


# ---------------------------------------------------------------- list


def program_list(programs: Mapping[str, str]) -> RenderableType:
    """A table of the bundled programs with the first lines of their docstrings."""
    table = plain_table(show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, line in programs.items():
        table.add_row(safe(name), safe(line))
    return table
