"""Says what a lane holds, as an expression of the one language.

    expression_of(node)         the expression of a node; None where it has none
    meaning_of(node, held)      the lane that holds the value of a node alone, and what it holds

A number stands for itself; what is a token stands as its code, which a lookup says. Rules of this
file: a meaning explains, and no weight depends on it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from handcraft.core.errors import ProgramError
from handcraft.language.affine import Lane
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import Held
from handcraft.sequence.expression import Expression

_HERE = Expression(op="here")
_LEAVES = {
    "token": Expression(op="token_at", args=(_HERE,)),
    "index": _HERE,
    "length": Expression(op="length"),
}
_BY_CONDITION = ("count", "first", "latest", "total")
_MOST_ROWS = 256


class NodeMeanings:
    """Expressions of nodes, each made once."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Node, Any]] = {}

    def of(self, node: Node) -> Any:
        """The expression of a node, or its value where it is a constant; None without one."""
        if id(node) not in self._made:
            self._made[id(node)] = node, self._expression(node)
        return self._made[id(node)][1]

    def _expression(self, node: Node) -> Any:
        if node.op in _LEAVES:
            return _LEAVES[node.op]
        if node.op == "constant":
            return _constant(node.data)
        args = tuple(map(self.of, node.args))
        if None in args:
            return None
        if node.op == "exact":
            return args[0]
        if node.op == "select":
            return _selection(node.data, *args)
        return _made(node.op, args, node.data or ())

    def of_lane(self, node: Node, held: Held) -> tuple[Lane, Any] | None:
        """The lane that holds a node's number up to a constant and a factor, and what it holds."""
        if len(held.z.terms) != 1:
            return None
        ((lane, factor),) = held.z.terms
        e = self.of(node)
        if not isinstance(e, Expression):
            return None
        said = self._coded(e, held, factor)
        return None if said is None else (lane, said)

    def _coded(self, e: Expression, held: Held, factor: float) -> Any:
        """The number in the lane: the value itself, or a lookup of it."""
        off = held.z.constant
        if held.codes is None:
            return e if (factor, off) == (1.0, 0.0) else None
        numbers = {x: (z - off) / factor for x, z in held.codes.items()}
        if all(x == number for x, number in numbers.items()):
            return e
        if len(numbers) > _MOST_ROWS or not all(map(_plain, numbers)):
            return None
        if not all(number == int(number) for number in numbers.values()):
            return None
        table = tuple(
            ((x,), int(number))
            for x, number in numbers.items()
            if x is not None
        )
        return _made("lookup", (e,), table)


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int)


def _constant(value: Any) -> Any:
    """A constant as an argument of an expression; None where it cannot be one."""
    if isinstance(value, Fraction):
        pair = (value.numerator, value.denominator)
        return _made("ratio", pair, ())
    return value


def _selection(kind: str, value: Any, condition: Any, *default: Any) -> Any:
    """The expression of a selection; of one of all positions only where there is a word for it."""
    if condition == 1 and kind == "count":
        return _LEAVES["length"]
    if condition == 1 and kind in ("first", "latest", "fetch"):
        return None
    if kind not in _BY_CONDITION:
        return _made(kind, (value, condition, *default), ())
    args = (value, condition) if kind == "total" else (condition,)
    return _made(f"{kind}_where", args, ())


def _made(op: Any, args: tuple[Any, ...], table: Any) -> Any:
    try:
        return Expression(op=op, args=args, table=table)
    except ProgramError:
        return None
