"""Finds values that are known to be defined at every position of every text.

    always_defined(node, domains)   True only if no text makes it None

Rules of this file: what is not known to be defined may be undefined.
"""

from __future__ import annotations

from itertools import product
from math import prod

from handcraft.lowering.domains import (
    MOST_COMBINED,
    Domains,
    Unlisted,
    bases_of,
    function_of,
)
from handcraft.lowering.nodes import Node, linear, parts_of
from handcraft.lowering.selecting import _is_strict_order, _is_there
from handcraft.sequence.values import Value


def always_defined(node: Node, domains: Domains) -> bool:
    """True if a value is never None, seen by its domain or its form."""
    try:
        if not domains.of(node).none:
            return True
    except Unlisted:
        return False
    if node.op == "select":
        return _selection(node, domains)
    return not node.is_leaf and _computed(node, domains)


def _computed(node: Node, domains: Domains) -> bool:
    """True if no values of its bases give None; a base that is never None has no such value."""
    bases = bases_of(node)
    lists: list[tuple[Value, ...]] = []
    for base in bases:
        values = domains.of(base).values
        if values is None:
            return False
        if always_defined(base, domains):
            values = tuple(x for x in values if x is not None)
        lists.append(values)
    if prod(map(len, lists)) > MOST_COMBINED:
        return False
    ask = function_of(node, bases)
    return all(ask(row) is not None for row in product(*lists))


def _selection(node: Node, domains: Domains) -> bool:
    if not always_defined(node.value, domains):
        return False
    if node.data == "total":
        return True
    if node.data in ("first", "latest", "best", "mean"):
        return _selects_itself(node.condition, domains)
    if _finds(node.condition, domains):
        return True
    default = node.default
    return (
        default is not None
        and always_defined(default, domains)
        and _at_most_one(node.condition)
    )


def _selects_itself(condition: Node, domains: Domains) -> bool:
    """True if the query's own position meets a condition: each part says that a value is the same
    at both.
    """
    return all(
        part.op == "equal"
        and any(
            _is_there(key, query) and always_defined(query, domains)
            for key, query in (part.args, part.args[::-1])
        )
        for part in parts_of(condition)
    )


def _finds(condition: Node, domains: Domains) -> bool:
    """True if one key is always where a condition asks for it: at a position of the text, of a
    key that another selection has chosen, or of a rank.
    """
    if condition.op != "equal":
        return False
    for key, place in (condition.args, condition.args[::-1]):
        if key.op != "there":
            continue
        inner = key.args[0]
        if inner.op == "index" and place.op == "select":
            choosing = place.data in ("first", "latest", "best")
            return choosing and always_defined(place, domains)
        if inner.op == "index" or (not domains.causal and _is_rank(inner)):
            return is_inside(place, domains.n, causal=domains.causal)
    return False


def is_inside(place: Node, n: int, *, causal: bool) -> bool:
    """True if a sum of the index and the length is a position of every text, and is seen."""
    if (sums := linear(place)) is None:
        return False
    a, b, c = sums
    corners = [(1, 0), (n, 0), (n, n - 1)]
    return all(
        0 <= a * length + b * index + c <= (index if causal else length - 1)
        for length, index in corners
    )


def _is_rank(node: Node) -> bool:
    is_count = node.op == "select" and node.data == "count"
    return is_count and _is_strict_order(node.condition)


def _at_most_one(condition: Node) -> bool:
    """True if one part of a condition names a position."""
    return any(
        key.op == "there" and key.args[0].op == "index"
        for part in parts_of(condition)
        if part.op == "equal"
        for key in part.args
    )
