"""Makes nodes, each content once, so that equal parts are lowered once and compared with `is`.

    Maker.make      a node of any kind; of constants alone, the constant
         .both      the condition that several hold
         .there     a value at the key position
         .select    a selection; `.at` a value at a position

Rules of this file: it knows no word of the language but `there` and `&`; core.py reads the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from handcraft.lowering.reading.nodes import (
    Node,
    SelectionKind,
    Settled,
    linear_form,
)
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value


class Maker(ABC):
    """Makes nodes, one for each content."""

    def __init__(self, *, causal: bool) -> None:
        self.causal = causal
        self._made: dict[Any, Node] = {}
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
            sums = linear_form(Node(op, args))
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

    @abstractmethod
    def of(self, e: Expression | int | str | None) -> Node:
        """The node of an expression."""

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
        kind: SelectionKind | Settled,
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


def _known(args: tuple[Node, ...]) -> bool:
    return all(arg.op == "constant" for arg in args)


def _hashable(data: Any) -> Any:
    more = data.tokens if isinstance(data, Settled) else None
    return (
        type(data),
        data,
        more,
    )  # 1 and Fraction(1) are one value, "1" another
