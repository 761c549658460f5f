"""Finds the plain form of a function that is known as a table: a sum, a comparison, a constant.

    line_of(core, rows, args)       a x + b y + c, where the table is one
    condition_of(core, rows, k, q)  k = q, k < q, k = q + c, ... or the table itself

What has a plain form is lowered by it, with fewer rules than a table takes. Rules of this file: a
form agrees with every row; what has no row never occurs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from handcraft.lowering.rasp.averages import average
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.nodes import Node, TableRows
from handcraft.sequence.values import Value

_Table: TypeAlias = Mapping[tuple[Value, ...], Value]
_Compared: TypeAlias = Callable[[Any, Any], bool]


def node_of(
    core: Core, table: _Table, args: Sequence[Node], *, numbers: bool = False
) -> Node:
    """The node of a function of some nodes; `numbers` if none of them is ever a text."""
    values = set(table.values())
    if len(values) == 1:
        return core.constant(next(iter(values)))
    for i, arg in enumerate(args):
        if all(y == row[i] for row, y in table.items()):
            return arg
    if numbers:
        found = line_of(core, table, args) or _total_of(core, table, args)
        if found is not None:
            return found
    return _as_rows(core, table, args)


def _total_of(core: Core, table: _Table, args: Sequence[Node]) -> Node | None:
    """The sum that a mean times the number of what it is of is; None for anything else."""
    if len(args) != 2 or not all(
        y is not None and not isinstance(y, str) and y == a * b  # type: ignore[operator]
        for (a, b), y in table.items()
    ):
        return None
    for mean, width in (args, args[::-1]):
        if not _is_mean(mean):
            continue
        if any(width is node for node in _widths(core, mean.condition)):
            return core.select("total", mean.condition, mean.value)
    return None


def _widths(core: Core, condition: Node) -> Iterator[Node]:
    """Nodes that hold how many keys meet a condition."""
    yield core.select("count", condition)
    so_far = core.make("add", core.index, core.constant(1))
    later = core.make("below", core.index, core.there(core.index))
    if condition.op == "constant":
        yield so_far if core.causal else core.length
    if condition is core.make("negate", later):
        yield so_far


def _is_mean(node: Node) -> bool:
    return node.op == "select" and node.data == "average"


def _as_rows(core: Core, table: _Table, args: Sequence[Node]) -> Node:
    return core.make("table", *args, data=TableRows(tuple(table.items())))


def is_number(x: Value) -> bool:
    """True for a number; False for a text and for None."""
    return x is not None and not isinstance(x, str)


def line_of(core: Core, table: _Table, args: Sequence[Node]) -> Node | None:
    """The sum of multiples of some numbers that a function is; None where it is none."""
    if not all(
        map(is_number, (x for row, y in table.items() for x in (*row, y)))
    ):
        return None
    factors = [_factor(table, i) for i in range(len(args))]
    if any(factor is None for factor in factors):
        return None
    row, y = next(iter(table.items()))
    start = Fraction(y) - _sum(factors, row)  # type: ignore[arg-type]
    if any(_sum(factors, row) + start != y for row, y in table.items()):
        return None
    return multiples(core, factors, args, start)  # type: ignore[arg-type]


def _sum(factors: Sequence[Any], row: Sequence[Any]) -> Fraction:
    return Fraction(sum(a * x for a, x in zip(factors, row, strict=True)))


def _factor(table: _Table, i: int) -> Fraction | None:
    """By how much the value grows with one argument alone, where two rows tell."""
    seen: dict[tuple[Value, ...], tuple[Any, Any]] = {}
    for row, y in table.items():
        rest = (*row[:i], *row[i + 1 :])
        if rest not in seen:
            seen[rest] = row[i], y
        elif row[i] != seen[rest][0]:
            x0, y0 = seen[rest]
            return Fraction(y - y0) / (row[i] - x0)
    return None


def multiples(
    core: Core,
    factors: Sequence[Fraction],
    args: Sequence[Node],
    start: Fraction,
) -> Node:
    """The node of a sum of multiples; that of means of the same is the mean of a sum."""
    of = {id(arg.condition) for arg in args if _is_mean(arg)}
    if len(of) == 1 < len(args) and all(map(_is_mean, args)) and not start:
        return _mean_of_sum(core, factors, args)
    found: Node | None = None
    ordered = sorted(zip(factors, args, strict=True), key=lambda fa: fa[0] < 0)
    for factor, arg in ordered:
        if factor == 0:
            continue
        size = arg if abs(factor) == 1 else _times(core, abs(factor), arg)
        if factor > 0:
            found = size if found is None else core.make("add", found, size)
        else:
            first = core.constant(_plain(start)) if found is None else found
            start = Fraction(0) if found is None else start
            found = core.make("subtract", first, size)
    if found is None:
        return core.constant(_plain(start))
    if start:
        op = "add" if start > 0 else "subtract"
        found = core.make(op, found, core.constant(_plain(abs(start))))
    return found


def _mean_of_sum(
    core: Core, factors: Sequence[Fraction], args: Sequence[Node]
) -> Node:
    value = multiples(core, factors, [arg.value for arg in args], Fraction(0))
    defaults = (arg.default.data for arg in args if arg.default is not None)
    default = sum(
        Fraction(f) * d for f, d in zip(factors, defaults, strict=True)
    )
    return average(core, args[0].condition, value, _plain(Fraction(default)))


def _times(core: Core, factor: Fraction, arg: Node) -> Node:
    return core.make("multiply", core.constant(_plain(factor)), arg)


def _plain(x: Fraction) -> Value:
    return int(x) if x.denominator == 1 else x


# ---------------------------------------------------------------- conditions


def condition_of(
    core: Core, table: _Table, key: Node, query: Node, *, numbers: bool
) -> Node:
    """The condition of a key's value and a query's that a table of 0 and 1 says; `numbers` if
    neither is ever a text.
    """
    values = set(table.values())
    if len(values) < 2:
        return core.constant(values.pop() if values else 0)
    there = core.there(key)
    none = any(None in row for row in table)
    forms = () if none else _forms(core, table, there, query, numbers)
    for holds, form in forms:
        if all(holds(k, q) == bool(y) for (k, q), y in table.items()):
            return form()
    for i, arg in enumerate((there, query)):
        own = _of_one(table, i)
        if own is not None:
            return node_of(core, own, [arg])
    return _as_rows(core, table, [there, query])


def _of_one(table: _Table, i: int) -> _Table | None:
    """The table as one of a single argument; None where the other matters too."""
    found: dict[tuple[Value, ...], Value] = {}
    for row, y in table.items():
        if found.setdefault((row[i],), y) != y:
            return None
    return found


def _forms(
    core: Core, table: _Table, key: Node, query: Node, numbers: bool
) -> Iterator[tuple[_Compared, Callable[[], Node]]]:
    """Comparisons, each with what it says of two values and the node that says so."""

    def equal() -> Node:
        return core.make("equal", key, query)

    yield operator.eq, equal
    yield operator.ne, lambda: core.make("negate", equal())
    if not numbers:
        return
    below = core.make("below", key, query)
    above = core.make("below", query, key)
    yield operator.lt, lambda: below
    yield operator.gt, lambda: above
    yield operator.le, lambda: core.make("negate", above)
    yield operator.ge, lambda: core.make("negate", below)
    yield from _shifted(core, table, key, query)


def _shifted(
    core: Core, table: _Table, key: Node, query: Node
) -> Iterator[tuple[_Compared, Callable[[], Node]]]:
    """The key is the query and a number, or a number less the query."""
    k, q = next(row for row, y in table.items() if y)
    for sign in (1, -1):
        off = Fraction(k) - sign * Fraction(q)  # type: ignore[arg-type]

        def holds(
            a: Any, b: Any, sign: int = sign, off: Fraction = off
        ) -> bool:
            return bool(a == sign * b + off)

        def form(sign: int = sign, off: Fraction = off) -> Node:
            place = multiples(core, [Fraction(sign)], [query], off)
            return core.make("equal", key, place)

        yield holds, form
