"""Counts and totals as sums of simpler ones: of a | b that of a and that of b; of what does not
equal, that of all less that of what does.

    split_sum(lower, node)   the node of such a sum, or None

Rules of this file: a key that meets both of a and b is counted once.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod

from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.digits import by_digits, is_across
from handcraft.lowering.heads.matches import at_query, sides_of
from handcraft.lowering.reading.bases import bases_of, function_of
from handcraft.lowering.reading.domains import MOST_COMBINED
from handcraft.lowering.reading.nodes import Node, conjuncts

_FEW_CLASSES = 4  # values that are told apart without a head of its own


def split_sum(lower: Ground, node: Node) -> Node | None:
    """The sum of a count of a | b: that of a and of b, less that of both where there are any; and
    that of what does not equal: that of all, less that of what does.
    """
    core = lower.core
    parts = [by_digits(lower, part) for part in conjuncts(node.condition)]
    split = next((part for part in parts if _is_split(lower, part)), None)
    if split is None:
        return None
    rest = [part for part in parts if part is not split]

    def of(*more: Node) -> Node:
        return core.select(node.data, core.both(*rest, *more), node.value)

    if split.op == "negate":
        return core.make(
            "subtract", of(), _of_equal(lower, node, rest, split, of)
        )
    a, b = split.args
    found = core.make("add", of(a), of(b))
    if _contradict(lower, a, b):
        return found
    return core.make("subtract", found, of(a, b))


def _of_equal(
    lower: Ground,
    node: Node,
    rest: list[Node],
    unlike: Node,
    of: Callable[[Node], Node],
) -> Node:
    """The sum of what equals, which is the query itself alone where positions are compared."""
    equal = unlike.args[0]
    if not all(at_query(x, lower) is lower.core.index for x in equal.args):
        return of(equal)
    value = lower.core.constant(1) if node.data == "count" else node.value
    condition = lower.core.both(*rest)
    if lower.domains.orders.holds_itself(condition):
        return value
    own = at_query(condition, lower)
    return lower.core.make("cases", own, value, lower.core.constant(0))


def _is_split(lower: Ground, part: Node) -> bool:
    """True for a | b, and for what does not equal one of many values, that a key cannot tell by
    itself.
    """
    if part.op != "negate":
        return part.op == "either" and all(sides_of(part))
    equal = part.args[0]
    if equal.op != "equal" or not is_across(equal):
        return False
    sizes = [lower.domain(at_query(x, lower)).size for x in equal.args]
    return all(size is None or size > _FEW_CLASSES for size in sizes)


def _contradict(lower: Ground, a: Node, b: Node) -> bool:
    """True if a part of a and a part of b never hold together."""
    return any(
        _never(lower, lower.core.both(x, y))
        for x in conjuncts(a)
        for y in conjuncts(b)
    )


def _never(lower: Ground, condition: Node) -> bool:
    bases = bases_of(condition)
    lists = [lower.domain(base).values for base in bases]
    if (
        any(x is None for x in lists)
        or prod(len(x or ()) for x in lists) > MOST_COMBINED
    ):
        return False
    ask = function_of(condition, bases)
    return all(
        ask(row) in (0, None) for row in product(*(x or () for x in lists))
    )
