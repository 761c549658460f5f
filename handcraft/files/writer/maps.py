"""Writes a map as an author does.

    p, t                        each lane of a slot from itself
    1024 * p.previous           one-hot positions, some steps back
    {before: now}               lanes paired by equal labels
    {at["p"]: 48 * at["p"]}     an expression for each lane
    {u[c]: t[c] - v for c in "abc"}
                                the same with a loop

Rules of this file: a short form stands only where the real words give the same map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from handcraft.core.errors import ProgramError
from handcraft.files.writer.loops import LoopCell, loop_of
from handcraft.files.writer.names import Variables
from handcraft.files.writer.sums import (
    Signed,
    sum_parts,
    sum_text,
    summed_up,
    times,
)
from handcraft.language.affine import Affine, Lane, Map
from handcraft.language.coerce import as_map
from handcraft.language.slot_tables import ONE_HOT
from handcraft.language.slots import Slot

Rows = Sequence[tuple[Lane, Affine]]
_FEWEST = 4  # rows of a loop
_SHORTER = 0.6  # of the characters of the rows, for a loop to stand for them


def map_text(rows: Map, names: Variables) -> str:
    """The map as an author writes it."""
    if not rows.rows:
        return "{}"
    whole = _whole(rows, names)
    if whole is not None:
        return whole
    runs = [
        list(run)
        for _, run in groupby(rows.rows, key=lambda row: names.key(row[0]))
    ]
    if len(runs) == 1 and (loop := _looped(runs[0], names)) is not None:
        paired = _paired(runs[0], names)
        return "{" + (paired or loop) + "}"
    items = [item for run in runs for item in _entries(run, names)]
    return "{" + ", ".join(items) + "}"


def is_map(make: Callable[[], Any], wanted: Map) -> bool:
    """True if an author's words give this map."""
    try:
        return as_map(make()) == wanted
    except ProgramError:
        return False


# ------------------------------------------------------------ a whole slot


def _whole(rows: Map, names: Variables) -> str | None:
    """A slot, or an expression of one-hot positions, that is the whole map."""
    key = names.key(rows.targets[0])
    slot, variable = names.known.get(key), names.slots.get(key, "")
    if slot is None or slot.labels is None:
        return None
    if rows == Map.identity(slot.lanes):
        return variable
    if slot.positions != ONE_HOT:
        return None
    index = {lane: i for i, lane in enumerate(slot.lanes)}
    steps: list[tuple[int, float]] = []
    start = index.get(rows.rows[0][0])
    for lane, factor in rows.rows[0][1].terms:
        if lane not in index or start is None or index[lane] < start:
            return None
        steps.append((index[lane] - start, factor))
    return _positions(rows, slot, variable, steps) if steps else None


def _positions(
    rows: Map, slot: Slot, variable: str, steps: list[tuple[int, float]]
) -> str | None:
    """The sum of positions so many steps back, with one factor where they have the same."""

    def back(step: int) -> Any:
        return slot.back(step) if step else slot

    written = {0: variable, 1: f"{variable}.previous"}
    texts = [written.get(n, f"{variable}.back({n})") for n, _ in steps]
    factors = {factor for _, factor in steps}
    if len(steps) > 1 and len(factors) == 1:
        factor = steps[0][1]
        make = partial(_added, [1.0 * back(n) for n, _ in steps])
        text = f"({' + '.join(texts)})" if factor != 1 else " + ".join(texts)
        minus, shown = times(factor, text)
        if is_map(lambda: make() * factor, rows):
            return f"{'-' if minus else ''}{shown}"
    parts = [
        times(factor, text)
        for (_, factor), text in zip(steps, texts, strict=True)
    ]
    make = partial(_added, [back(n) * factor for n, factor in steps])
    return summed_up(parts) if is_map(make, rows) and parts else None


def _added(parts: list[Any]) -> Any:
    return sum(parts[1:], start=parts[0])


# ------------------------------------------------------------ rows of one slot


def _entries(run: Rows, names: Variables) -> list[str]:
    """The entries for rows whose lanes are of one slot."""
    paired = _paired(run, names)
    if paired is not None:
        return [paired]
    loop = _looped(run, names)
    if loop is not None:
        return [f"**{{{loop}}}"]
    return [f"{names.lane(lane)}: {sum_text(x, names)}" for lane, x in run]


def _paired(run: Rows, names: Variables) -> str | None:
    """`slot: expression`, where that is a row for each lane of the slot."""
    found = names.slot_of([lane for lane, _ in run])
    if found is None or len(run) < 2:
        return None
    variable, slot = found
    wanted = Map.of(run)
    first = run[0][1]
    if all(x == first for _, x in run):
        return f"{variable}: {sum_text(first, names)}"
    parts: list[Signed] = []
    value: Any = None
    for lane, factor in first.terms:
        key = names.key(lane)
        other = names.known.get(key)
        pairs = other is not None and lane.label == run[0][0].label
        operand: Any = other if pairs else lane
        text = names.slots[key] if pairs else names.lane(lane)
        parts.append(times(factor, text))
        term = operand * factor
        value = term if value is None else value + term
    if value is None:
        return None
    if first.constant:
        value = value + first.constant
    text = summed_up(parts, first.constant)
    return (
        f"{variable}: {text}" if is_map(lambda: {slot: value}, wanted) else None
    )


def _looped(run: Rows, names: Variables) -> str | None:
    """`lane: expression for ...`, where the rows differ in few places."""
    if len(run) < _FEWEST:
        return None
    shape = [_shape(lane, x, names) for lane, x in run]
    if any(one != shape[0] for one in shape):
        return None
    lanes = (run[0][0], *run[0][1].lanes_read)
    if any(names.key(lane) not in names.slots for lane in lanes):
        return None
    loop = loop_of([_cells(lane, x) for lane, x in run], names)
    if loop is None:
        return None
    lane, x = run[0]
    target = lane_in_loop(lane, loop.cells[0], names)
    text = f"{target}: {sum_in_loop(x, loop.cells[1:], names)} {loop.header}"
    rows = "".join(
        f"{names.lane(one)}: {sum_text(y, names)}, " for one, y in run
    )
    return text if len(text) < _SHORTER * len(rows) else None


def _shape(lane: Lane, x: Affine, names: Variables) -> tuple[object, ...]:
    return (
        *(names.key(one) for one in (lane, *x.lanes_read)),
        bool(x.constant),
    )


def _cells(lane: Lane, x: Affine) -> list[LoopCell]:
    return [lane.label, *cells_of_sum(x)]


# ------------------------------------------------------------ in a loop


def cells_of_sum(x: Affine) -> list[LoopCell]:
    """Label and factor of each term, and the constant: what may differ in a loop."""
    terms = [cell for lane, factor in x.terms for cell in (lane.label, factor)]
    return [*terms, x.constant]


def sum_in_loop(
    x: Affine, cells: Sequence[str | None], names: Variables
) -> str:
    """The expression with what stands in its cells; None is what `x` has itself."""
    if not any(cells):
        return sum_text(x, names)
    parts: list[Signed] = []
    fixed: list[tuple[Lane, float]] = []
    for i, (lane, factor) in enumerate(x.terms):
        label, amount = cells[2 * i : 2 * i + 2]
        if label is None and amount is None:
            fixed.append((lane, factor))
            continue
        parts += sum_parts(fixed, names)
        fixed = []
        text = lane_in_loop(lane, label, names)
        parts.append(
            times(factor, text)
            if amount is None
            else (False, f"{in_brackets(amount)} * {text}")
        )
    parts += sum_parts(fixed, names)
    return summed_up(parts, x.constant, cells[-1] or "")


def in_brackets(text: str) -> str:
    """A sum in brackets, so that it can be multiplied or added."""
    return f"({text})" if " " in text or text.startswith("-") else text


def lane_in_loop(lane: Lane, label: str | None, names: Variables) -> str:
    """The lane, with its label computed by a loop."""
    if label is None:
        return names.lane(lane)
    return f"{names.slots[names.key(lane)]}[{label}]"
