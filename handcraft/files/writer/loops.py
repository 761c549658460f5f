"""Writes rows that differ in few places as one row and a loop over what differs.

    for v in range(100)                 every number that differs is computed from v
    for c in "abc"                      one label differs
    for a, b in [("A", 2), ("B", 3)]    a table of all that differs

Rules of this file: what is computed from a loop's variable is the same float in every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from handcraft.files.writer.formulas import added, polynomial
from handcraft.files.writer.literals import (
    in_python,
    is_whole,
    list_text,
    number_text,
)
from handcraft.files.writer.names import Variables

LoopCell: TypeAlias = str | float | None  # a label, a number, or no label
MOST_VARIABLES = 6
_FEWEST = 4  # rows of a square formula


@dataclass(frozen=True)
class Loop:
    """A loop over rows: what stands in a row's cells, None in those that never differ."""

    cells: tuple[str | None, ...]
    header: str
    is_table: bool = False


def loop_of(
    rows: Sequence[Sequence[LoopCell]], names: Variables
) -> Loop | None:
    """The loop that gives these rows, None if too much differs."""
    columns = list(zip(*rows, strict=True))
    varying = [c for c in columns if any(cell != c[0] for cell in c)]
    if any(None in c for c in varying):
        return None
    several = list(dict.fromkeys(varying))
    if not several or len(several) > MOST_VARIABLES:
        return None
    return (
        _counted(columns, several, names)
        or _of_labels(columns, several, names)
        or _of_table(columns, several, names)
    )


def _counted(
    columns: Sequence[Sequence[LoopCell]],
    several: Sequence[Sequence[LoopCell]],
    names: Variables,
) -> Loop | None:
    """The loop over a range, where all that differs is a whole number that goes evenly."""
    even = {tuple(c): found for c in several if (found := _even(c)) is not None}
    labels = [c for c in even if isinstance(c[0], str)]
    if not even:
        return None
    first, step = even[(labels or [*even])[0]]
    n = len(columns[0])
    variable = next(names.free("ivnkj"))
    texts: dict[Sequence[LoopCell], str] = {}
    for c in map(tuple, several):
        text = _of_variable(c, variable, range(first, first + step * n, step))
        if text is None:
            return None
        texts[c] = text
    cells = tuple(texts.get(tuple(c)) for c in columns)
    return Loop(cells, f"for {variable} in {_range(first, step, n)}")


def _of_variable(
    column: Sequence[LoopCell], variable: str, keys: range
) -> str | None:
    """The column as a formula of a loop's variable."""
    numbers = [*map(_whole, column)]
    whole = [x for x in numbers if x is not None]
    if len(whole) < len(numbers):
        return None
    a, rest = divmod(whole[1] - whole[0], keys.step)
    if not rest and whole == [whole[0] + a * (k - keys[0]) for k in keys]:
        return added([(a, variable)], whole[0] - a * keys[0])
    if len(keys) < _FEWEST or isinstance(column[0], str):
        return None
    for text, function in polynomial(variable, keys, whole):
        if [function(k) for k in keys] == whole:
            return text
    return None


def _whole(cell: LoopCell) -> int | None:
    """The whole number that a cell is, as a number or a label; else None."""
    if isinstance(cell, str):
        return int(cell) if is_whole(cell) else None
    return None if cell is None or cell != int(cell) else int(cell)


def _range(first: int, step: int, n: int) -> str:
    end = first + step * n
    if step == 1:
        return f"range({end})" if first == 0 else f"range({first}, {end})"
    return f"range({first}, {end}, {step})"


def _even(column: Sequence[LoopCell]) -> tuple[int, int] | None:
    """The first number and the step of numbers, or labels, that go evenly; else None."""
    numbers = [x for x in map(_whole, column) if x is not None]
    if len(numbers) < len(column):
        return None
    step = numbers[1] - numbers[0]
    if step == 0:
        return None
    even = range(numbers[0], numbers[0] + step * len(numbers), step)
    return (numbers[0], step) if [*even] == numbers else None


def _of_labels(
    columns: Sequence[Sequence[LoopCell]],
    several: Sequence[Sequence[LoopCell]],
    names: Variables,
) -> Loop | None:
    """The loop over labels, where nothing else differs."""
    if len(several) > 1 or not isinstance(several[0][0], str):
        return None
    labels = [str(cell) for cell in several[0]]
    variable = next(names.free("cxyzab"))
    cells = tuple(
        variable if tuple(c) == tuple(several[0]) else None for c in columns
    )
    letters = all(len(label) == 1 for label in labels)
    over = in_python("".join(labels)) if letters else list_text(labels)
    return Loop(cells, f"for {variable} in {over}")


def _of_table(
    columns: Sequence[Sequence[LoopCell]],
    several: Sequence[Sequence[LoopCell]],
    names: Variables,
) -> Loop:
    """The loop over a table of all that differs."""
    free = names.free("abcdefghijklmnopqrstuvwxyz")
    variables: dict[tuple[LoopCell, ...], str] = {}
    texts: dict[tuple[LoopCell, ...], str] = {}
    for c in map(tuple, several):
        text = next(
            filter(None, (_beside(c, *one) for one in variables.items())), ""
        )
        texts[c] = text or variables.setdefault(c, next(free))
    cells = tuple(texts.get(tuple(c)) for c in columns)
    rows = list(zip(*variables, strict=True))
    if all(isinstance(x, str) and len(x) == 1 for row in rows for x in row):
        over = ", ".join(
            in_python("".join(map(str, row))) for row in rows
        )  # unpacked
    else:
        over = ", ".join(f"({', '.join(map(_cell, row))})" for row in rows)
    if len(variables) == 1:
        over = ", ".join(_cell(row[0]) for row in rows)
    header = f"for {', '.join(variables.values())} in [{over}]"
    return Loop(cells, header, is_table=True)


def _beside(
    column: Sequence[LoopCell], other: Sequence[LoopCell], variable: str
) -> str:
    """The column computed from another one, where each number is as far from it; else nothing."""
    pairs = list(zip(column, other, strict=True))
    if any(isinstance(x, str) or x is None for pair in pairs for x in pair):
        return ""
    if all(a == -b for a, b in pairs):  # type: ignore[operator]
        return f"-{variable}"
    whole = [(_whole(a), _whole(b)) for a, b in pairs]
    steps = {a - b for a, b in whole if a is not None and b is not None}
    if len(steps) > 1 or any(None in pair for pair in whole):
        return ""
    return added([(1, variable)], steps.pop())


def _cell(cell: LoopCell) -> str:
    return (
        in_python(cell)
        if isinstance(cell, str)
        else number_text(float(cell or 0))
    )
