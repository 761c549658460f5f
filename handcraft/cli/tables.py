"""The terminal: views, traces, reports and differences as rich renderables.

Rules of this file: the only one that imports rich; every text from a program passes `printable`
and is shown without markup; wide tables are cut into pieces that fit, so that no column is
squeezed to nothing; without colour nothing depends on colour.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

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
from rich.text import Text

from handcraft.analysis.diff import Difference
from handcraft.analysis.explain import Explanation, MatrixTable
from handcraft.analysis.reachability import Avoided
from handcraft.analysis.states import Chain
from handcraft.core.errors import printable
from handcraft.core.tracing import HeadTrace, Trace
from handcraft.language.affine import format_number
from handcraft.model import Model
from handcraft.proof.exponential import Finding
from handcraft.proof.report import Report

PIPED_WIDTH = 120  # where there is no terminal to ask; COLUMNS overrides
MAX_ROWS = 20  # a taller or wider table is shown without its empty rows and columns
MAX_RULES = 12  # lines of rules under a table
_MAX_STATES = 64  # rows of a table of states
MAX_NEXT = 6  # tokens that may follow a state
VERDICT_STYLES = {
    "proved": "bold green",
    "checked": "green",
    "refuted": "bold red",
    "unknown": "yellow",
    "rejected": "bold red",
}


def console(
    stderr: bool = False, file: IO[str] | None = None, width: int | None = None
) -> Console:
    """A console that respects NO_COLOR wholly, and has a sane width when piped."""
    made = Console(stderr=stderr, file=file, highlight=False, markup=False, emoji=False)
    if "NO_COLOR" in os.environ:  # rich drops colours for it, but keeps bold and faint
        made = Console(
            stderr=stderr,
            file=file,
            highlight=False,
            markup=False,
            emoji=False,
            color_system=None,
        )
    if width or not made.is_terminal:
        columns = os.environ.get("COLUMNS", "")
        made.width = width or (
            int(columns) if columns.isdecimal() and int(columns) > 0 else PIPED_WIDTH
        )
    return made


def safe(text: object, style: str = "") -> Text:
    """A text of anyone's, made harmless and without markup."""
    return Text(printable(str(text)), style=style)


def shown_number(value: float | None) -> Text:
    """A weight: zero is faint."""
    if value is None:
        return Text("·", style="dim")
    return Text(format_number(value), style="dim" if value == 0 else "")


# ---------------------------------------------------------------- tables


def matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    width: int,
) -> Group:
    """A labelled matrix, cut into pieces of whole columns that fit the width."""
    names = [printable(name) for name in columns]
    cells = [[shown_number(value) for value in row] for row in values]
    widths = [
        (
            max(_cell_width(name), *(len(row[i]) for row in cells))
            if cells
            else cell_len(name)
        )
        for i, name in enumerate(names)
    ]
    label = min(
        max((cell_len(printable(row)) for row in rows), default=0), max(8, width // 2)
    )
    pieces = _pieces(widths, max(8, width - label - 3))
    tables = [_table([rows, names, cells], piece, label) for piece in pieces]
    return Group(safe(title, "bold"), *tables)


def _cell_width(name: str) -> int:
    return max((cell_len(line) for line in _heading(name).split("\n")), default=0)


def _heading(name: str) -> str:
    """A lane's name as a heading of one or two short lines."""
    slot, colon, label = name.partition(":")
    return f"{slot}\n{label}" if colon and len(slot) <= 10 else name


def _pieces(widths: Sequence[int], room: int) -> list[range]:
    pieces, start, used = [], 0, 0
    for i, width in enumerate(widths):
        if i > start and used + width + 2 > room:
            pieces.append(range(start, i))
            start, used = i, 0
        used += width + 2
    return [*pieces, range(start, len(widths))]


def _table(parts: Sequence[Any], piece: range, label: int) -> Table:
    rows, names, cells = parts
    table = Table(
        box=None, pad_edge=False, padding=(0, 1), header_style="cyan", show_edge=False
    )
    table.add_column("", style="cyan", max_width=label, overflow="fold")
    for i in piece:
        table.add_column(Text(_heading(names[i])), justify="right", no_wrap=True)
    for name, row in zip(rows, cells, strict=True):
        table.add_row(safe(name), *(row[i] for i in piece))
    return table


def _shrunk(view: MatrixTable) -> tuple[list[int], list[int], str]:
    """The rows and columns to show: all of a small table, those that are not empty of a large
    one.
    """
    n_rows, n_columns = view.values.shape
    if n_rows <= MAX_ROWS and n_columns <= MAX_ROWS:
        return list(range(n_rows)), list(range(n_columns)), ""
    rows = [i for i in range(n_rows) if view.values[i].any()]
    columns = [i for i in range(n_columns) if view.values[:, i].any()]
    left_out = [
        f"{n} empty {what}{'s' if n > 1 else ''}"
        for n, what in (
            (n_rows - len(rows), "row"),
            (n_columns - len(columns), "column"),
        )
        if n
    ]
    return rows, columns, f"  ({' and '.join(left_out)} left out)" if left_out else ""


# ---------------------------------------------------------------- the commands' views


def explanation(model: Model, found: Explanation, width: int) -> RenderableType:
    """The annotated matrices."""
    parts: list[RenderableType] = [safe(repr(model), "bold"), Text("")]
    for view in found.views:
        rows, columns, left_out = _shrunk(view)
        values = [[float(view.values[i, j]) for j in columns] for i in rows]
        title = f"{view.part}  {view.title}{left_out}"
        if not view.cells and not view.values.any():
            parts += [safe(f"{view.part}  {view.title}: all zero", "dim"), Text("")]
            continue
        parts += [
            matrix(
                title,
                [view.rows[i] for i in rows],
                [view.columns[j] for j in columns],
                values,
                width,
            )
        ]
        parts += [*rules(view), Text("")]
    return Group(*parts)


def rules(view: MatrixTable) -> Iterable[Text]:
    """The rules behind a view's cells: path and place once, then what each of them says."""
    by_rule: dict[tuple[str, str], list[str]] = {}
    for reason in view.reasons:
        by_rule.setdefault((reason.rule, reason.source), []).append(reason.text)
    lines: list[Text] = []
    for (rule, source), texts in by_rule.items():
        head = [
            safe("  ← "),
            safe(rule or "by hand", "green"),
            safe(f"  {source}", "dim"),
        ]
        lines.append(
            Text.assemble(*head, *((safe(f"  {texts[0]}"),) if len(texts) == 1 else ()))
        )
        lines += [safe(f"      {text}") for text in texts] if len(texts) > 1 else []
    hidden = len(lines) - MAX_RULES
    return (
        lines
        if hidden <= 1
        else [
            *lines[:MAX_RULES],
            safe(f"      ... and {hidden} more lines like these", "dim"),
        ]
    )


def trace_tables(found: Trace, width: int) -> RenderableType:
    """The attention tables, the stream by slot, the logits and where they come from."""
    labels = [f"{i} {token}" for i, token in enumerate(found.tokens)]
    parts: list[RenderableType] = []
    for head in found.heads:
        parts += [*_head(head, labels, width), Text("")]
    for state in found.residual:
        rows = state["positions"]
        names = [name for name in rows[0] if any(row[name] for row in rows)]
        parts += [
            matrix(
                f"residual stream after {state['after']}",
                labels,
                names,
                [[r[n] for n in names] for r in rows],
                width,
            )
        ]
        parts += [Text("")]
    tokens = list(found.logits[0])
    values = [[row[t] for t in tokens] for row in found.logits]
    parts += [
        matrix("logits", labels, [_quoted(t) for t in tokens], values, width),
        Text(""),
    ]
    given = found.contributions
    title = f"what each rule gave to the logits after '{labels[found.position]}'"
    names = [_quoted(t) for t in tokens]
    parts += [
        matrix(
            title,
            [g["rule"] for g in given],
            names,
            [[g["logits"][t] for t in tokens] for g in given],
            width,
        )
    ]
    return Group(*parts)


def _head(
    head: HeadTrace, labels: Sequence[str], width: int
) -> Iterable[RenderableType]:
    yield matrix(
        f"head {head.name}: attention of each row to each column",
        labels,
        labels,
        _past(head.weights),
        width,
    )
    for what, rows in (("reads (value)", head.value), ("writes", head.written)):
        names = list(dict.fromkeys(name for row in rows for name in row))
        values = [[row.get(name, 0.0) for name in names] for row in rows]
        if names:
            yield matrix(f"head {head.name} {what}", labels, names, values, width)


def _quoted(token: str) -> str:
    return f"'{printable(token)}'"


def _past(weights: Sequence[Sequence[float]]) -> list[list[float | None]]:
    """The future of each position is not zero attention but no attention: shown as a dot."""
    return [
        [None if j > i and not w else w for j, w in enumerate(row)]
        for i, row in enumerate(weights)
    ]


def report(found: Report) -> RenderableType:
    """The verdict and what it rests on."""
    style = VERDICT_STYLES[found.verdict]
    lines = [
        Text.assemble(
            safe(f"{found.program}: "),
            safe(found.verdict, style),
            safe(f" ({found.method}, {found.dtype})"),
        )
    ]
    lines.append(
        safe(
            f"  contexts    {found.contexts:,} covered, {found.checked:,} where the"
            " claim speaks"
        )
    )
    if found.accuracy is not None:
        lines.append(safe(f"  accuracy    {found.accuracy:.10g}"))
    if found.min_margin is not None:
        place = _place(found.min_margin_at or [], found.min_margin_position)
        lines.append(safe(f"  least margin {found.min_margin:.9g}, {place}"))
    if found.max_probability_error is not None:
        lines.append(
            safe(f"  largest probability error {found.max_probability_error:.3g}")
        )
    if found.max_lane_error is not None:
        lines.append(safe(f"  largest error of the lane {found.max_lane_error:.3g}"))
    if found.error_bound is not None and found.min_margin is not None:
        lines.append(
            safe(
                f"  rounding    at most {found.error_bound:.3g}, in any order of"
                " summation"
            )
        )
    if found.reason:
        lines.append(safe(f"  because     {found.reason}"))
    if (wrong := found.counterexample) is not None:
        margin = "" if wrong.margin is None else f" (margin {wrong.margin:.6g})"
        place = _place(wrong.tokens, wrong.position)
        lines.append(
            safe(
                f"  wrong {place}: expected {_said(wrong.expected)}, got"
                f" {_said(wrong.got)}{margin}"
            )
        )
    return Group(*lines, safe(f"  {found.seconds:.3g} s", "dim"))


def _place(tokens: Sequence[str], position: int | None) -> str:
    """Where it stands: behind a context, or at a position of a text, counted from 0 as in every
    table.
    """
    text = f"'{''.join(tokens)}'"
    return f"after {text}" if position is None else f"at position {position} of {text}"


def _said(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def findings(found: Sequence[Finding]) -> RenderableType:
    """How far off exp and tanh are, each law of a certificate in its own units, and whether all
    hold.
    """
    table = Table(box=None, pad_edge=False, header_style="cyan")
    for name in ("law", "floats", "worst", "at most", "at"):
        table.add_column(
            safe(name),
            justify="left" if name == "law" else "right",
            no_wrap=name != "law",
        )
    for f in found:
        floats, worst = (
            f"{f.floats:,}{'' if f.every else ' sampled'}",
            safe(f"{f.worst:.4g}", "" if f.holds else "bold red"),
        )
        table.add_row(
            safe(f"{f.law.dtype} {f.law.name}"),
            safe(floats),
            worst,
            safe(f"{f.law.limit:g}"),
            safe(f"{f.at:.9g}"),
        )
    broken = "; ".join(f"{f.law.dtype} {f.law.name}" for f in found if not f.holds)
    verdict = (
        safe(f"broken: {broken}", "bold red")
        if broken
        else safe("all hold, as a certificate assumes", "bold green")
    )
    return Group(table, verdict)


def difference(found: Difference, most: int = 60) -> RenderableType:
    """What differs between two programs."""
    table = Table(box=None, pad_edge=False, header_style="cyan")
    for name in ("part", "row", "column", *found.names):
        table.add_column(safe(name), justify="right" if name in found.names else "left")
    for cell in found.cells[:most]:
        table.add_row(
            *(safe(cell[key]) for key in ("part", "row", "column")),
            shown_number(cell["a"]),
            shown_number(cell["b"]),
        )
    parts: list[RenderableType] = [
        safe(
            f"{len(found.cells)} cell{'s' if len(found.cells) != 1 else ''} differ",
            "bold",
        )
    ]
    parts += [table] if found.cells else []
    parts += (
        [safe(f"... and {len(found.cells) - most} more", "dim")]
        if len(found.cells) > most
        else []
    )
    for key, sign, style in (("only_a", "-", "red"), ("only_b", "+", "green")):
        parts += [safe(f"{sign} {rule}", style) for rule in found.rules[key][:most]]
    sizes: Mapping[str, Mapping[str, int]] = found.parameters
    for key in sizes["a"]:
        if sizes["a"][key] != sizes["b"][key]:
            parts.append(safe(f"{key}: {sizes['a'][key]} -> {sizes['b'][key]}"))
    return Group(*parts)


def states_table(chain: Chain, avoided: Avoided | None) -> RenderableType:
    """The chain over contexts, and whether what is to be avoided is reached."""
    parts: list[RenderableType] = []
    if chain.complete:
        title = (
            f"{chain.model.name}: {len(chain.states)} states, {len(chain.edges)} edges,"
            f" from {chain.origin}"
        )
        floor = f", probabilities above {chain.floor:g}" if chain.floor else ""
        parts = [
            safe(title + floor, "bold"),
            *_classes(chain),
            Text(""),
            _states(chain),
        ]
    return Group(
        *parts,
        *([Text("")] if parts and avoided else []),
        *(_avoided(avoided) if avoided else []),
    )


def _classes(chain: Chain) -> Iterable[Text]:
    """What lasts, and what is left in the end."""
    lasting = [c for c in chain.closed if not c.absorbing]
    for c in lasting[:MAX_RULES]:
        yield safe(
            f"  closed      {len(c.states)} states that lead to each other, period"
            f" {c.period}"
        )
    if len(lasting) > MAX_RULES:
        yield safe(
            f"  closed      ... and {len(lasting) - MAX_RULES} more classes", "dim"
        )
    yield safe(f"  absorbing   {len(chain.closed) - len(lasting)}")
    yield safe(f"  transient   {len(chain.transient)}")


def _states(chain: Chain) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="cyan")
    for name in ("context", "share of time", "part", "next"):
        table.add_column(
            name,
            justify="right" if name == "share of time" else "left",
            overflow="fold",
        )
    for i in range(min(_MAX_STATES, len(chain.states))):
        where, share = chain.place.get(i, (None, None))
        alone = where is not None and chain.closed[where].absorbing
        part = (
            "transient"
            if where is None
            else "absorbing"
            if alone
            else f"closed {where + 1}"
        )
        shown = "·" if share is None else f"{share:.3g}"
        table.add_row(
            safe(chain.label(i)),
            safe(shown),
            safe(part, "dim" if where is None else ""),
            safe(_next(chain, i)),
        )
    more = len(chain.states) - _MAX_STATES
    return (
        Group(table, safe(f"... and {more} more; --json has all", "dim"))
        if more > 0
        else table
    )


def _next(chain: Chain, state: int) -> str:
    """The likeliest tokens that may follow, with their probabilities."""
    row = sorted(chain.rows[state].items(), key=lambda item: -item[1])
    tokens = [(chain.token(state, target), p) for target, p in row]
    shown = ", ".join(
        f"{_quoted(token)} {p:.3g}"
        for token, p in tokens[:MAX_NEXT]
        if token is not None
    )
    return shown + (f" and {len(row) - MAX_NEXT} more" if len(row) > MAX_NEXT else "")


def _avoided(found: Avoided) -> Iterable[RenderableType]:
    """The answer to --avoid, with the path where there is one."""
    chain, n = found.chain, len(found.steps)
    if found.verdict == "never":
        starts = "the start" if found.allowed == 1 else f"the {found.allowed} starts"
        yield safe(
            f"'{found.label}' is never reached from {starts} without it, by tokens"
            f" above {chain.floor:g}",
            "bold green",
        )
    elif found.verdict == "undecided":
        yield safe(
            f"whether '{found.label}' is reached is undecided: the search ended at the"
            f" limit of {chain.limit} states",
            "yellow",
        )
    else:
        yield safe(
            f"'{found.label}' is reached in {n} step{'s' if n > 1 else ''}", "bold red"
        )
        yield safe(f"  {chain.label(found.path[0])}")
        for state, token, p in found.steps:
            yield safe(
                f"  {chain.label(state)}  by {_quoted(token or '')}, probability"
                f" {p:.3g}"
            )


def program_list(programs: Mapping[str, str]) -> RenderableType:
    """The bundled programs with their first lines."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, line in programs.items():
        table.add_row(safe(name), safe(line))
    return table


def progress() -> Progress:
    """A progress bar on stderr."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console(stderr=True), transient=True)
