"""Draws one forward pass: the attention of each head, the residual stream, and the logits.

    attention   a table a head: a row for each query, a column for each key, hatched in the future
    stream      a block of rows for each sublayer, a row a position, columns by slot
    logits      of one position, a bar for each token, the highest marked

Rules of this file: every number is one of the Trace; of long contexts the last positions are drawn,
of many heads, lanes or tokens the first or the largest, and the others are counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from handcraft.core.tracing import NEAR_ZERO, HeadTrace, Trace, is_tiny
from handcraft.language.affine import format_number
from handcraft.pictures.grid import NumberTable, lane_name, table_drawing
from handcraft.pictures.svg import (
    Drawing,
    clipped_to,
    element,
    flowing,
    kind,
    stacked,
    text,
    text_line,
    visible,
    whole_svg,
    width_of,
)

MOST_POSITIONS = 48  # the last ones of a longer context
FEW_POSITIONS = 20  # where they are many, and so are the heads
MOST_WEIGHTS = 20_000  # of all heads, whole
_HEADS = 48
MOST_LANES = 64  # of more, the largest are drawn
_FAINTEST = 5e-4  # a smaller weight is ~0
_TINIEST = 1e-3  # a smaller number of the stream is ~0
MOST_BARS = 24
WIDE = 1100.0  # pixels of the page
BAR = 160.0  # pixels of the longest bar


def trace_svg(found: Trace, title: str) -> str:
    """A forward pass as an SVG."""
    return whole_svg(trace_drawing(found, title), title)


def trace_drawing(found: Trace, title: str) -> Drawing:
    """Attention, stream and logits, one below the other."""
    heads = found.heads[:_HEADS]
    few = len(heads) * len(found.tokens) ** 2 <= MOST_WEIGHTS
    most = MOST_POSITIONS if few else FEW_POSITIONS
    first = max(0, len(found.tokens) - most)
    parts = [text_line(clipped_to(title, 120), size=14.0, bold=True)]
    if first:
        note = f"... {first} positions before these"
        parts.append(text_line(note, "faint"))
    drawn = [head_drawing(head, most) for head in heads]
    parts += [flowing(drawn, WIDE)] if drawn else []
    if len(found.heads) > _HEADS:
        note = f"... {len(found.heads) - _HEADS} more heads"
        parts.append(text_line(note, "faint"))
    if found.residual and len(found.heads) <= _HEADS:
        parts.append(stream_drawing(found, first))
    parts.append(logits_drawing(found))
    return stacked(parts, gap=18)


def positions(tokens: Sequence[str]) -> list[str]:
    """The names of positions: the number and the token of each."""
    return [f"{i} {visible(token)}" for i, token in enumerate(tokens)]


# ---------------------------------------------------------------- attention


def head_svg(head: HeadTrace) -> str:
    """The attention of one head as an SVG."""
    return whole_svg(head_drawing(head), f"attention of head {head.name}")


def head_drawing(head: HeadTrace, most: int = MOST_POSITIONS) -> Drawing:
    """The attention of one head: the weights of each query (a row) on the keys (columns), at most
    the last positions.
    """
    tokens = head.tokens or [""] * len(head.weights)
    names = positions(tokens) if head.tokens else _numbers(len(tokens))
    first = max(0, len(names) - most)
    shown = range(first, len(names))
    values = [[_weight(head, i, j) for j in shown] for i in shown]
    table = NumberTable(
        [("query", names[i]) for i in shown],
        [("key", names[j]) for j in shown],
        values,
        tips={
            (i - first, j - first): _said(head, names, i, j)
            for i in shown
            for j in shown
            if head.weights[i][j]
        },
        written=_share,
    )
    title = text_line(f"head {head.name}: attention", bold=True)
    return stacked([title, table_drawing(table)], gap=4)


def _share(weight: float) -> str:
    """An attention weight as a text; one that does not show is ~0, its tooltip has the number."""
    return NEAR_ZERO if 0 < weight < _FAINTEST else f"{weight:.3g}"


def _numbers(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def _weight(head: HeadTrace, i: int, j: int) -> float | None:
    """The weight of a key for a query: None in its future, 0 where float32 adds nothing for it."""
    if head.scores[i][j] is None:
        return None
    weight = head.weights[i][j]
    return 0.0 if is_tiny(weight, max(head.weights[i])) else weight


def _said(head: HeadTrace, names: Sequence[str], i: int, j: int) -> str:
    """The tooltip of a weight."""
    score = head.scores[i][j]
    known = "" if score is None else f", score {format_number(score)}"
    return (
        f"query {names[i]}, key {names[j]}: weight"
        f" {format_number(head.weights[i][j])}{known}"
    )


# ---------------------------------------------------------------- residual stream


def stream_drawing(found: Trace, first: int = 0) -> Drawing:
    """The residual stream from a position on: a table after each sublayer, of the same lanes, with
    a row for each position and columns by slot.
    """
    names = positions(found.tokens)
    states = [state["positions"][first:] for state in found.residual]
    lanes, note = _largest([row for rows in states for row in rows])
    values = [[_row(row, lanes) for row in rows] for rows in states]
    sizes = [abs(x) for rows in values for row in rows for x in row]
    largest = max(filter(math.isfinite, sizes), default=0.0)
    tables = []
    for state, rows in zip(found.residual, values, strict=True):
        table = NumberTable(
            [("", name) for name in names[first:]],
            [lane_name(lane) for lane in lanes],
            rows,
            written=_coarse,
            largest=largest or None,
        )
        title = text_line(f"after {state['after']}", "faint")
        tables.append(stacked([title, table_drawing(table)], gap=4))
    title = text_line(f"residual stream{note}", bold=True)
    return stacked([title, flowing(tables, WIDE)], gap=4)


def _row(row: Mapping[str, float], lanes: Sequence[str]) -> list[float]:
    return [row.get(lane, 0.0) for lane in lanes]


def _coarse(value: float) -> str:
    """A number of the stream, to four digits or the whole ones; one that is tiny is ~0 or ~-0."""
    if 0 < abs(value) < _TINIEST:
        return NEAR_ZERO if value > 0 else "~-0"
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.4g}"


def _largest(rows: Sequence[Mapping[str, float]]) -> tuple[list[str], str]:
    """The lanes that are not 0 everywhere, the largest where they are many, and a note on that."""
    sizes: dict[str, float] = {}
    for row in rows:
        for lane, value in row.items():
            if value:
                size = abs(value) if math.isfinite(value) else math.inf
                sizes[lane] = max(sizes.get(lane, 0.0), size)
    order = {lane: i for i, lane in enumerate(rows[0])}
    lanes = sorted(sizes, key=lambda lane: -sizes[lane])[:MOST_LANES]
    kept = sorted(lanes, key=order.__getitem__)
    if len(sizes) <= MOST_LANES:
        return kept, ""
    return kept, f": the {MOST_LANES} largest of {len(sizes)} lanes"


# ---------------------------------------------------------------- logits


def logits_drawing(found: Trace) -> Drawing:
    """The logits of the trace's position as bars, left of the middle below 0."""
    logits = found.logits[found.position]
    name = positions(found.tokens)[found.position]
    tokens = list(logits)
    title = f"logits after '{name}'"
    if len(tokens) > MOST_BARS:
        tokens = sorted(tokens, key=lambda t: -logits[t])[:MOST_BARS]
        title += f": the {MOST_BARS} highest of {len(logits)}"
    numbers = {token: logits[token] for token in tokens}
    return stacked([text_line(title, bold=True), bars(numbers)], gap=4)


def bars(numbers: Mapping[str, float]) -> Drawing:
    """A bar for each named number; ▸ stands before the highest. A bar that would be far longer than
    that of the highest is cut off, with ≪ before its number.
    """
    finite = [x for x in numbers.values() if math.isfinite(x)]
    scale = max((x for x in finite if x > 0), default=0.0)
    scale = scale or max(map(abs, finite), default=0.0) or 1.0
    lowest = min([*finite, 0.0])
    names = [clipped_to(visible(name), 24) for name in numbers]
    left = max(map(width_of, names), default=0.0) + 22
    middle = left + BAR * min(1.0, -lowest / scale)
    best = max(finite, default=math.nan)
    parts: list[str] = []
    for i, (name, value) in enumerate(
        zip(names, numbers.values(), strict=True)
    ):
        long = BAR * abs(value) / scale if math.isfinite(value) else 0.0
        parts += _bar(18.0 * i, value, middle, long)
        parts.append(text(left - 8, 18.0 * i + 12, name, anchor="end"))
        if value == best:
            parts.append(text(0, 18.0 * i + 12, "▸"))
    width = max(map(width_of, map(format_number, numbers.values())), default=0)
    return Drawing(middle + BAR + width + 32, 18.0 * len(names), tuple(parts))


def _bar(y: float, value: float, middle: float, long: float) -> Iterator[str]:
    """A bar of this length, where it is not too long, and its number."""
    shown = min(long, BAR)
    start = middle - shown if value < 0 else middle
    look = "minus" if value < 0 else "plus"
    if shown > 0:
        yield element(
            "rect", x=start, y=y + 2, width=shown, height=13.0, **kind(look)
        )
    end = middle + (0 if value < 0 else shown) + 6
    cut = "≪ " if long > BAR * 1.001 else ""
    yield text(end, y + 12, f"{cut}{format_number(value)}")
