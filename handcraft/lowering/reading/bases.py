"""A value as a function of what it is computed from: leaves, and values that selections bring.

    bases_of(node)              these, each once
    function_of(node, bases)    the value as a function of their values

Rules of this file: no limit of Python's recursion is met, however deep a value is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.values import Value


def bases_of(node: Node) -> tuple[Node, ...]:
    """The leaves and selections that a value is computed from, each once; with `there` around
    those of the key position.
    """
    found: dict[int, Node] = {}
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if part.op == "constant":
            continue
        if not part.args or part.op in ("select", "there"):
            found.setdefault(id(part), part)
        else:
            waiting.extend(reversed(part.args))
    return tuple(found.values())


def function_of(
    node: Node, bases: Iterable[Node]
) -> Callable[[Iterable[Value]], Value]:
    """The value of a node as a function of those of its bases; each part is computed once."""
    given = tuple(bases)
    order = _order(node, {id(base) for base in given})

    def ask(row: Iterable[Value]) -> Value:
        known = {id(base): x for base, x in zip(given, row, strict=True)}
        for part in order:
            known[id(part)] = (
                part.data
                if part.op == "constant"
                else part.computed([known[id(arg)] for arg in part.args])
            )
        return known[id(node)]

    return ask


def _order(node: Node, bases: set[int]) -> list[Node]:
    """The parts above the bases, each after what it is computed from."""
    found: dict[int, Node] = {}
    waiting = [(node, False)]
    while waiting:
        part, ready = waiting.pop()
        if id(part) in bases or id(part) in found:
            continue
        if ready or part.op == "constant":
            found[id(part)] = part
        else:
            waiting.append((part, True))
            waiting.extend((arg, False) for arg in part.args)
    return list(found.values())
