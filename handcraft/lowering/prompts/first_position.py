"""Evaluates the parts of a rule at position 0, which sees the token that begins every text alone.

Rules of this file: what depends on where the prompt ends is not known there.
"""

from __future__ import annotations

from handcraft.lowering.prompts.asked import Demand
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused
from handcraft.sequence.values import Value


class FirstPosition:
    """The values of nodes at position 0."""

    def __init__(self, asked: Demand) -> None:
        self.asked = asked
        self._known: dict[int, tuple[Node, Value]] = {}

    def of(self, node: Node) -> Value:
        """The value of a node at position 0, which sees BOS alone."""
        if id(node) not in self._known:
            self._known[id(node)] = node, self._value_at_zero(node)
        return self._known[id(node)][1]

    def _value_at_zero(self, node: Node) -> Value:
        if node.op == "constant":
            value: Value = node.data
            return value
        if node.op in ("token", "index"):
            return self.asked.begin if node.op == "token" else 0
        if node.op == "there":
            return self.of(node.args[0])
        if node.op == "select":
            return self._selected_at_zero(node)
        if node.op == "end" and len(self.asked.ends) == 1:
            return min(self.asked.ends)
        if not node.args:
            raise Refused(
                node,
                "is read at position 0, where it is not known",
                "prompts of one length",
            )
        return node.computed([self.of(arg) for arg in node.args])

    def _selected_at_zero(self, node: Node) -> Value:
        holds = self.of(node.condition) not in (0, None)
        if node.data == "count":
            return int(holds)
        if node.data == "total":
            return self.of(node.value) if holds else 0
        if node.data in ("first", "latest"):
            return 0 if holds else None
        if node.data == "best":
            some = holds and self.of(node.value) is not None
            return 0 if some else None
        if holds:
            return self.of(node.value)
        return None if node.default is None else self.of(node.default)
