"""The core form of an expression: each thing that can be said in several ways is said in one.

    core_of(e, causal=)   the node of an expression

A node is a leaf (`token`, `index`, `length`, `constant`), a value that is computed from others at
one position, or a selection with its condition. In a condition `there` stands at leaves and at
selections alone. Short selections, positions as `fetch`, and `length` of a causal text become what
they stand for, so that whoever lowers a node meets one language.

Rules of this file: nodes are made once for each content, so that equal parts are lowered once and
compared with `is`; the meaning is that of handcraft.sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from handcraft.lowering.reading.following import (
    below_of,
    limits_of,
    lowest_of,
    state_of,
    total_of,
)
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import selection_of
from handcraft.sequence.values import Value, combine

Kind: TypeAlias = Literal[
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


LEAVES = ("token", "index", "length", "constant")


class _Never:
    """The value of what a table says nothing about, since it never occurs."""

    def __repr__(self) -> str:
        return "never"


NEVER: Any = _Never()


@dataclass(frozen=True)
class Rows:
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
    data   the value of a constant, the kind of a selection, the table of a lookup, or the Rows of
           a "table", which is any function; what has no row never occurs
    says   the expression that it was, for names and meanings
    """

    op: str
    args: tuple[Node, ...] = ()
    data: Any = None
    says: Expression | None = field(default=None)

    @property
    def is_leaf(self) -> bool:
        """True for what the embedding alone knows."""
        return self.op in LEAVES

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
        if any(x is NEVER for x in values):
            return NEVER
        if self.op == "exact":
            return values[0]
        if self.op == "table":
            return self.data.known.get(tuple(values), NEVER)
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


class Core:
    """Makes nodes, one for each content."""

    def __init__(self, *, causal: bool) -> None:
        self.causal = causal
        self._made: dict[Any, Node] = {}
        self._known: dict[int, tuple[Any, Node]] = {}  # by identity
        self.token = self.make("token")
        self.index = self.make("index")
        self.length = self.make("length")
        self.true = self.constant(1)

    def make(
        self,
        op: str,
        *args: Node,
        data: Any = None,
        says: Expression | None = None,
    ) -> Node:
        """The node with this content. A value of constants alone is a constant."""
        key = (op, tuple(map(id, args)), _hashable(data))
        if key not in self._made and op in ("add", "subtract"):
            sums = linear(Node(op, args))
            if sums is not None and sums[:2] == (0, 0):
                self._made[key] = self.constant(sums[2])
        if key not in self._made:
            node = Node(op, args, data, says)
            if args and op not in ("select", "there") and _known(args):
                found = node.computed([arg.data for arg in args])
                node = self.constant(found)
            self._made[key] = node
        return self._made[key]

    def constant(self, value: Value) -> Node:
        """The node of a value that is the same everywhere."""
        return self.make("constant", data=value)

    def of(self, e: Expression | int | str | None) -> Node:
        """The core form of an expression."""
        if not isinstance(e, Expression):
            return self.constant(e)
        if id(e) not in self._known:
            self._known[id(e)] = e, self._node(e)
        return self._known[id(e)][1]

    def known(self, e: Expression) -> Node | None:
        """The node that an expression became; None where it is no part of what was asked."""
        if id(e) in self._known:
            return self._known[id(e)][1]
        return {made: node for made, node in self._known.values()}.get(e)

    def _node(self, e: Expression) -> Node:
        if (make := _FORMS.get(e.op)) is not None:
            return make(self, e)
        args = tuple(map(self.of, e.args))
        table = e.table or None
        return self.make(e.op, *args, data=table, says=e)

    # ------------------------------------------------------------ conditions

    def both(self, *parts: Node) -> Node:
        """The condition that all of these hold."""
        found = self.true
        for part in parts:
            if found is self.true:
                found = part
            elif part is not self.true:
                found = self.make("both", found, part)
        return found

    def there(self, node: Node) -> Node:
        """A value at the key position: `there` goes down to leaves and selections."""
        if node.op == "constant":
            return node
        if node.is_leaf or node.op == "select":
            return self.make("there", node)
        args = tuple(map(self.there, node.args))
        return self.make(node.op, *args, data=node.data, says=node.says)

    def select(
        self,
        kind: Kind,
        condition: Node,
        value: Node | None = None,
        default: Node | None = None,
        says: Expression | None = None,
    ) -> Node:
        """The node of a selection; what it selects itself is 1 where nothing is read."""
        args = [self.true if value is None else value, condition]
        return self.make(
            "select",
            *args,
            *(() if default is None else (default,)),
            data=kind,
            says=says,
        )

    def at(self, place: Node, value: Node, says: Expression | None) -> Node:
        """A value at a position."""
        if place is self.index:
            return value
        here = self.make("equal", self.make("there", self.index), place)
        return self.select("fetch", here, value, says=says)


def core_of(e: Expression, *, causal: bool) -> Node:
    """The core form of an expression, and of everything in it."""
    return Core(causal=causal).of(e)


def parts_of(condition: Node) -> Iterator[Node]:
    """The conditions that are joined by `&`."""
    if condition.op == "both":
        for part in condition.args:
            yield from parts_of(part)
    elif not (condition.op == "constant" and condition.data not in (0, None)):
        yield condition


def linear(node: Node) -> tuple[int, int, int] | None:
    """(a, b, c) of a length + b index + c, which is always a number; None for anything else."""
    if node.op == "constant":
        return (0, 0, node.data) if isinstance(node.data, int) else None
    if node.op in ("index", "length"):
        return (0, 1, 0) if node.op == "index" else (1, 0, 0)
    if node.op not in ("add", "subtract"):
        return None
    one, other = map(linear, node.args)
    if one is None or other is None:
        return None
    sign = 1 if node.op == "add" else -1
    a, b, c = (x + sign * y for x, y in zip(one, other, strict=True))
    return a, b, c


def _known(args: tuple[Node, ...]) -> bool:
    return all(arg.op == "constant" for arg in args)


def _hashable(data: Any) -> Any:
    more = data.tokens if isinstance(data, Settled) else None
    return (
        type(data),
        data,
        more,
    )  # 1 and Fraction(1) are one value, "1" another


# ---------------------------------------------------------------- what stands for something else


def _length(core: Core, _: Expression) -> Node:
    if not core.causal:
        return core.length
    return core.make("add", core.index, core.constant(1))


def _token_at(core: Core, e: Expression) -> Node:
    return core.at(core.of(e.args[0]), core.token, e)


def _value_at(core: Core, e: Expression) -> Node:
    return core.at(core.of(e.args[1]), core.of(e.args[0]), e)


def _there(core: Core, e: Expression) -> Node:
    return core.there(core.of(e.args[0]))


def _given(core: Core, e: Expression) -> Node:
    value, when = map(core.of, e.args)
    return core.make("cases", when, value, says=e)


def _selection(core: Core, e: Expression) -> Node:
    found = selection_of(e)
    kind: Any = e.op.removesuffix("_where")
    return core.select(
        kind,
        core.of(found.condition),
        None if found.value is None else core.of(found.value),
        None if found.default is None else core.of(found.default),
        says=e,
    )


def _short(core: Core, e: Expression) -> Node:
    """A short selection. The last of its tokens is taken as the key, so that nothing is read
    behind a key; a position that is asked for is then further on by as much.
    """
    shift = max((0, *(offset for offset, _ in e.where)))
    condition = core.both(
        *(_stands(core, offset - shift, what) for offset, what in e.where),
        *limits_of(core, e, shift),
    )
    kind: Any = e.op
    found = core.select(kind, condition, says=e if not shift else None)
    if e.op == "count" or not shift:
        return found
    return core.make("subtract", found, core.constant(shift))


def _stands(core: Core, offset: int, what: Any) -> Node:
    """The condition that something stands at a distance of the key."""
    place = core.index
    if offset:
        place = core.make("add", core.index, core.constant(offset))
    token = core.there(core.at(place, core.token, None))
    if isinstance(what, tuple):
        table = tuple(((text,), 1) for text in dict.fromkeys(what))
        found = core.make("lookup", token, data=table)
        return core.make("otherwise", found, core.constant(0))
    return core.make("equal", token, core.of(what))


_FORMS: Mapping[str, Callable[[Core, Expression], Node]] = {
    "here": lambda core, _: core.index,
    "length": _length,
    "token_at": _token_at,
    "value_at": _value_at,
    "there": _there,
    "given": _given,
    "count": _short,
    "first": _short,
    "latest": _short,
    "total": total_of,
    "lowest": lowest_of,
    "below": below_of,
    "state": state_of,
    **dict.fromkeys(
        (
            *("count_where", "first_where", "latest_where", "total_where"),
            *("mean", "best", "fetch"),
        ),
        _selection,
    ),
}
