"""Nodes: the parts of an expression in its core form, where each thing is said in one way.

A node is a leaf (`token`, `index`, `length`, `constant`), a value that is computed from others at
one position, or a selection with its condition. In a condition `there` stands at leaves and at
selections alone.

Rules of this file: a node is not made here but by handcraft.lowering.reading.making, once for each
content, so that equal parts are compared with `is`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value, combine

SelectionKind: TypeAlias = Literal[
    "count",
    "total",
    "mean",
    "first",
    "latest",
    "best",
    "fetch",
    "average",
    "at",
]


class Settled(str):
    """The kind of a selection that is defined wherever its value is used.

    tokens  those that its value can be there; None for all
    """

    tokens: frozenset[str] | None

    def __new__(
        cls, kind: str, tokens: frozenset[str] | None = None
    ) -> Settled:
        found = super().__new__(cls, kind)
        found.tokens = tokens
        return found


_LEAVES = ("token", "index", "length", "constant")


class _Never:
    """The value of what a table says nothing about, since it never occurs."""

    def __repr__(self) -> str:
        return "never"


NO_ROW: Any = _Never()


@dataclass(frozen=True)
class TableRows:
    """A table of a function of several values, as the data of a node."""

    items: tuple[tuple[tuple[Value, ...], Value], ...]

    @cached_property
    def known(self) -> Mapping[tuple[Value, ...], Value]:
        """The value of each row."""
        return dict(self.items)

    @cached_property
    def _hash(self) -> int:
        return hash(self.items)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"{len(self.items)} rows"


@dataclass(frozen=True, eq=False)
class Node:
    """One node.

    op     a leaf, "there", "select", an operation of handcraft.sequence, "table", or "exact": the
           same value, held without an error
    args   the nodes it is computed from; of a selection its value, condition and default
    data   the value of a constant, the kind of a selection, the table of a lookup, or the TableRows
           of a "table", which is any function; what has no row never occurs
    says   the expression that it was, for names and meanings
    """

    op: str
    args: tuple[Node, ...] = ()
    data: Any = None
    says: Expression | None = field(default=None)

    @property
    def is_leaf(self) -> bool:
        """True for what the embedding alone knows."""
        return self.op in _LEAVES

    @property
    def value(self) -> Node:
        """What a selection reads at the key position."""
        return self.args[0]

    @property
    def condition(self) -> Node:
        """The condition of a selection."""
        return self.args[1]

    @property
    def default(self) -> Node | None:
        """The default of a fetch."""
        return self.args[2] if len(self.args) > 2 else None

    def computed(self, values: Any) -> Value:
        """The value of a pointwise node from those of its arguments."""
        if any(x is NO_ROW for x in values):
            return NO_ROW
        if self.op == "exact":
            return values[0]
        if self.op == "table":
            return self.data.known.get(tuple(values), NO_ROW)
        return combine(_Rule(self.op, self.data), values)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self.args))
        data = "" if self.data is None else f"[{_shown(self.data)}]"
        return f"{self.op}{data}({inside})" if inside else f"{self.op}{data}"


def _shown(data: Any) -> str:
    """Data as a text; of a table only its size."""
    return f"{len(data)} rows" if isinstance(data, tuple) else str(data)


@dataclass(frozen=True)
class _Rule:
    """What `combine` asks of an expression: its operation and its table."""

    op: str
    table: Any = ()

    @property
    def rows(self) -> Mapping[Any, Any]:
        return dict(self.table or ())


def conjuncts(condition: Node) -> Iterator[Node]:
    """The conditions that are joined by `&`."""
    if condition.op == "both":
        for part in condition.args:
            yield from conjuncts(part)
    elif not (condition.op == "constant" and condition.data not in (0, None)):
        yield condition


def linear_form(node: Node) -> tuple[int, int, int] | None:
    """(a, b, c) of a length + b index + c, which is always a number; None for anything else."""
    if node.op == "constant":
        return (0, 0, node.data) if isinstance(node.data, int) else None
    if node.op in ("index", "length"):
        return (0, 1, 0) if node.op == "index" else (1, 0, 0)
    if node.op not in ("add", "subtract"):
        return None
    one, other = map(linear_form, node.args)
    if one is None or other is None:
        return None
    sign = 1 if node.op == "add" else -1
    a, b, c = (x + sign * y for x, y in zip(one, other, strict=True))
    return a, b, c
