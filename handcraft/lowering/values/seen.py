"""Numbers that are never more than the positions that their query sees.

    is_seen(lower, node)   True for such a number, which can be read off one of them

Rules of this file: what is not known to be such a number is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from handcraft.lowering.ground import Ground
from handcraft.lowering.reading.nodes import Node

_Asked: TypeAlias = Callable[[Ground, Node], bool]


def is_seen(lower: Ground, node: Node) -> bool:
    """True if a number is never more than the positions that its query sees."""
    asked = _BY_OP.get(node.op)
    return asked is not None and asked(lower, node)


def _selection(lower: Ground, node: Node) -> bool:
    """True for a selection that gives a number of positions, or one of them."""
    if node.data == "total":
        return lower.domain(node.value).high <= 1
    return node.data in ("count", "first", "latest", "best")


def _next_index(lower: Ground, node: Node) -> bool:
    """True for the index, and 1."""
    core = lower.core
    return core.index in node.args and core.constant(1) in node.args


def _less(lower: Ground, node: Node) -> bool:
    """True for a number of which something from 0 on is taken."""
    return lower.domain(node.args[1]).low >= 0 and is_seen(lower, node.args[0])


def _part(lower: Ground, node: Node) -> bool:
    """True for a number that is divided by 1 or more."""
    return lower.domain(node.args[1]).low >= 1 and is_seen(lower, node.args[0])


def _rest(lower: Ground, node: Node) -> bool:
    """True for the rest of a number from 0 on."""
    return lower.domain(node.args[0]).low >= 0 and is_seen(lower, node.args[0])


def _every_case(lower: Ground, node: Node) -> bool:
    """True if all that is chosen from is seen: (condition, value)s, and what else."""
    values = (*node.args[1::2], node.args[-1])
    return all(is_seen(lower, x) for x in values)


_TRUE = ("length", "index", "both", "either", "negate", "equal", "below")
_BY_OP: Mapping[str, _Asked] = {
    **dict.fromkeys(_TRUE, lambda *_: True),
    "constant": lambda _, node: node.data in (0, 1),
    "select": _selection,
    "add": _next_index,
    "subtract": _less,
    "divide": _part,
    "modulo": _rest,
    "exact": lambda lower, node: is_seen(lower, node.args[0]),
    "least": lambda lower, node: any(is_seen(lower, x) for x in node.args),
    "greatest": lambda lower, node: all(is_seen(lower, x) for x in node.args),
    "cases": _every_case,
}
