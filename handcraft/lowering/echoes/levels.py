"""Counts how many selections follow one another up to a value.

    level_of(node)     0 for what a token or its index tells, 1 for a selection of such values, ...
    head_level(node)   the level of what a selection's head reads at its keys
    looks_back(node)   True if no position sees what follows it

Rules of this file: a value of level k can be known once x has been said k times.
"""

from __future__ import annotations

from handcraft.lowering.heads.scores import masked, strictly_earlier
from handcraft.lowering.reading.bases import bases_of
from handcraft.lowering.reading.nodes import Node, conjuncts, linear_form


def level_of(node: Node) -> int:
    """The number of selections that follow one another up to a value; the length is one."""
    if node.op == "length":
        return 1
    if node.op == "there":
        return level_of(node.args[0])
    if node.op == "select":
        return max([1 + read_level(node), *_own_levels(node)])
    return max(map(level_of, node.args), default=0)


def read_level(node: Node) -> int:
    """The level of what a selection reads at its keys."""
    parts = [
        level_of(base) for base in bases_of(node.condition) if _is_key(base)
    ]
    return max([level_of(node.value), *parts])


def head_level(node: Node) -> int:
    """The level of what the head of a selection reads: that of a fetch at a chosen position chooses
    it as well.
    """
    places = [
        base
        for base in bases_of(node.condition)
        if base.op == "select" and node.data == "fetch"
    ]
    return max(map(read_level, [node, *places]))


def _own_levels(node: Node) -> list[int]:
    parts = [base for base in bases_of(node.condition) if not _is_key(base)]
    more = [] if node.default is None else [node.default]
    return [level_of(part) for part in (*parts, *more)]


def _is_key(base: Node) -> bool:
    return base.op == "there"


def looks_back(node: Node) -> bool:
    """True if no position of x can see what follows it."""
    if node.op == "length":
        return False
    if node.op == "select" and not any(
        map(_earlier, conjuncts(node.condition))
    ):
        return False
    return all(map(looks_back, node.args))


def _earlier(part: Node) -> bool:
    """True for a condition that no later key meets."""
    if masked(part) or strictly_earlier(part):
        return True
    if part.op != "equal":
        return False
    for key, place in (part.args, part.args[::-1]):
        is_index = key.op == "there" and key.args[0].op == "index"
        sums = linear_form(place)
        if is_index and sums is not None:
            a, b, c = sums
            return a == 0 and b in (0, 1) and c <= 0
    return False
