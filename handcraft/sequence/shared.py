"""Numbers the nodes of an expression, each once, so that no work is done twice for a shared one.

    number_nodes(e)  a row for each node: what it is, and which earlier rows it is computed from
    data_of(e)       the expression as JSON
    resolved(data, nodes)
                     the data of a node with the earlier ones that it refers to
    check_levels(data)
                     refuses data that is nested too deeply

An expression that says the same thing in forty places is a small graph, and as a tree it can be
larger than any memory. Two expressions are equal where their rows are: rows stand in the order
in which a walk from the root is done with them, so they do not depend on what is shared.

Rules of this file: nothing recurses, and each node is looked at once. In JSON a node is nested
in the only node that uses it; where one is used twice there is a list, and `{"node": 3}` is the
fourth of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from handcraft.core.errors import ProgramError
from handcraft.sequence.expression_checks import DEEPEST
from handcraft.sequence.operations import Fields
from handcraft.sequence.values import shown

_DEEPEST_DATA = 3 * DEEPEST + 4  # lists and tables in each other


class NodeRow(NamedTuple):
    """The fields of a node, with the nodes below it as the numbers of their rows."""

    op: str
    args: tuple[Any, ...]
    where: tuple[tuple[int, Any], ...]
    before: Any
    every: tuple[int, int]
    table: tuple[tuple[tuple[Any, ...], Any], ...]


@dataclass(frozen=True, slots=True)
class Ref:
    """The number of the row of a node."""

    node: int


def number_nodes(root: Fields) -> tuple[NodeRow, ...]:
    """A row for each node, after those of the nodes below it; the last one is the root's."""
    rows: dict[NodeRow, Ref] = {}
    known: dict[int, Ref] = {}  # by identity
    for node in upwards(root):
        row = _row(node, known)
        known[id(node)] = rows.setdefault(row, Ref(len(rows)))
    return tuple(rows)


def upwards(root: Fields) -> Iterator[Fields]:
    """Every node once, after the nodes below it."""
    done = set[int]()
    waiting: list[tuple[Fields, bool]] = [(root, False)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            yield node
        elif id(node) not in done:
            done.add(id(node))
            waiting.append((node, True))
            waiting.extend((part, False) for part in reversed(node.parts))


def _row(node: Fields, known: Mapping[int, Ref]) -> NodeRow:
    def referred(value: Any) -> Any:
        return known.get(id(value), value) if hasattr(value, "op") else value

    where = tuple((at, referred(what)) for at, what in node.where)
    args = tuple(map(referred, node.args))
    before = referred(node.before)
    return NodeRow(node.op, args, where, before, node.every, node.table)


def data_of(root: Fields) -> dict[str, Any]:
    """The expression as JSON: nested, or `nodes` where one of them is used twice."""
    if root.spread == root.size:
        done: list[Any] = []
        for row in root.numbered:
            done.append(_fields(row, lambda ref: done[ref.node]))
        return dict(done[-1])
    rows = [
        _fields(row, lambda ref: {"node": ref.node}) for row in root.numbered
    ]
    return {"nodes": rows}


def _fields(row: NodeRow, written: Any) -> dict[str, Any]:
    """The fields of a row that differ from their defaults."""

    def plain(value: Any) -> Any:
        if isinstance(value, Ref):
            return written(value)
        return list(value) if isinstance(value, tuple) else value

    fields = {
        "op": row.op,
        "args": [plain(x) for x in row.args],
        "where": [[at, plain(what)] for at, what in row.where],
        "before": plain(row.before),
        "every": [] if row.every == (0, 1) else list(row.every),
        "table": [[list(key), value] for key, value in row.table],
    }
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value != []
    }


def resolved(data: Any, nodes: Sequence[Any]) -> Any:
    """The data of one node with `{"node": n}` replaced by the n-th of the nodes made before it.

    Raises ProgramError where there is no such node.
    """
    if isinstance(data, Mapping) and set(data) == {"node"}:
        number = data["node"]
        if type(number) is not int or not 0 <= number < len(nodes):
            raise ProgramError(
                "a node of an expression refers to an earlier one by its number, found"
                f" {shown(number)[:60]}"
            )
        return nodes[number]
    if isinstance(data, list | tuple):
        return [resolved(x, nodes) for x in data]
    if isinstance(data, Mapping):
        return {
            name: resolved(x, nodes) if name in _REFERRING else x
            for name, x in data.items()
        }
    return data


_REFERRING = ("args", "where", "before")


def check_levels(data: Any) -> None:
    """Checks that data is not nested deeper than expressions are. Raises ProgramError if it is."""
    level = [data]
    for _ in range(_DEEPEST_DATA):
        if not level:
            return
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list | tuple)
            for inner in (
                outer.values() if isinstance(outer, Mapping) else outer
            )
        ]
    raise ProgramError(f"an expression may be nested {DEEPEST} deep")
