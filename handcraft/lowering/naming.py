"""Names the lanes of nodes: after the author's variables, else after the expression's own text.

    Naming(core, author_variables()).of(node)

Rules of this file: a name is an identifier; two lanes of one name are told apart by the stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from handcraft.core.source import variables
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.expression import Expression
from handcraft.sequence.notation import written
from handcraft.sequence.values import Value

_LONGEST = 32
_MOST_PARTS = 30  # of an expression that is written as a name


def author_variables() -> dict[str, Expression]:
    """The author's variables that are expressions, in the order in which they were made."""
    return {
        name: value
        for name, value in variables().items()
        if isinstance(value, Expression)
    }


class Naming:
    """The names of the nodes of one program.

    core   it knows which node an expression became
    named  {variable: expression}
    """

    def __init__(self, core: Core, named: Mapping[str, Expression]) -> None:
        self._names: dict[int, str] = {}
        for name, e in named.items():
            node = core.known(e)
            if node is not None and not node.is_leaf:
                self._names.setdefault(id(node), _identifier(name))

    def of(self, node: Node) -> str:
        """The name of a lane that holds the value of a node."""
        if id(node) in self._names:
            return self._names[id(node)]
        return _of_text(node.says) or _of_operation(node)

    def of_flag(self, node: Node, value: Value) -> str:
        """The name of a lane that is 1 where a node has a value."""
        name = f"{self.of(node)}_is_{'undefined' if value is None else value}"
        return name if name.isidentifier() else f"{self.of(node)}_is"


def _of_operation(node: Node) -> str:
    return str(node.data if node.op == "select" else node.op)


def _of_text(says: Expression | None) -> str:
    """The words of an expression, joined; an empty text where it has none or is long."""
    if says is None or says.spread > _MOST_PARTS:
        return ""
    words = re.findall(r"[A-Za-z0-9]+", written(says))
    kept = [word for word in words if word != "there"]
    name = ""
    for word in kept:
        if len(name) + 1 + len(word) > _LONGEST:
            break
        name = f"{name}_{word}" if name else word
    return _identifier(name)


def _identifier(name: Any) -> str:
    found = name.strip("_")[:_LONGEST]
    return found if found.isidentifier() else ""
