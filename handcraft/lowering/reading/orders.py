"""Says which conditions and values are strict orders, so that no two positions share a rank.

    Orders(defined, n, causal=)   for texts of 1 to n tokens
        .distinct(node)           True if a value is another at every position
        .is_strict(condition)     True if of two positions exactly one is before the other
        .is_one(condition)        True if every query that there is selects exactly one key
        .holds_itself(condition)  True if every position meets it as its own key

Rules of this file: what may be undefined is before nothing, so it makes no order.
"""

from __future__ import annotations

from collections.abc import Callable

from handcraft.lowering.reading.nodes import Node, linear_form


class Orders:
    """What is known of conditions.

    defined  says of a node that it has a value everywhere
    n        the most tokens of a text
    """

    def __init__(
        self, defined: Callable[[Node], bool], n: int, *, causal: bool
    ) -> None:
        self.defined = defined
        self.n = n
        self.causal = causal

    def distinct(self, node: Node) -> bool:
        """True if a value is another at every position: the index, or a rank in an order."""
        if node.op in ("add", "subtract"):
            inner = [arg for arg in node.args if arg.op != "constant"]
            return len(inner) == 1 and self.distinct(inner[0])
        return node.op == "index" or self.is_rank(node)

    def is_rank(self, node: Node) -> bool:
        """True for a rank from 0 on: every position of a text is one of them."""
        if node.op != "select" or node.data != "count" or self.causal:
            return False
        return self.is_strict(node.condition)

    def is_strict(self, condition: Node) -> bool:
        """True if of two positions exactly one is before the other: by the index, or by any value
        and then, where that is equal, by such an order.
        """
        if condition.op == "below":
            return _is_index(_compared(condition))
        if condition.op != "either":
            return False
        return any(
            self._first_by(first, second)
            for first, second in (condition.args, condition.args[::-1])
        )

    def _first_by(self, first: Node, second: Node) -> bool:
        """True for v < w | v == w & an order of its own."""
        value = _compared(first)
        if value is None or second.op != "both" or not self.defined(value):
            return False
        return any(
            _same(same) is value and self.is_strict(rest)
            for same, rest in (second.args, second.args[::-1])
        )

    def is_one(self, condition: Node) -> bool:
        """True if exactly one key is selected: its index or rank is one of those that exist."""
        if condition.op != "equal":
            return False
        return any(
            key.op == "there"
            and (key.args[0].op == "index" or self.is_rank(key.args[0]))
            and self.is_place(query)
            for key, query in (condition.args, condition.args[::-1])
        )

    def is_place(self, node: Node) -> bool:
        """True for a position of every text, that a query sees: a rank, or a sum of the index and
        the length.
        """
        if self.is_rank(node):
            return True
        if (sums := linear_form(node)) is None:
            return False
        a, b, c = sums
        for length, index in ((1, 0), (self.n, 0), (self.n, self.n - 1)):
            most = index if self.causal else length - 1
            if not 0 <= a * length + b * index + c <= most:
                return False
        return True

    def holds_itself(self, condition: Node) -> bool:
        """True if every position meets a condition with itself as the key."""
        if condition.op == "constant":
            return condition.data not in (0, None)
        if condition.op in ("both", "either"):
            held = map(self.holds_itself, condition.args)
            return all(held) if condition.op == "both" else any(held)
        at_most = condition.op == "negate"
        value = _compared(condition.args[0]) if at_most else _same(condition)
        return value is not None and self.defined(value)


def _is_index(value: Node | None) -> bool:
    return value is not None and value.op == "index"


def _compared(part: Node) -> Node | None:
    """The value of which a comparison says that the key's is less (or greater) than the query's."""
    return _pair(part) if part.op in ("below", "precedes") else None


def _same(part: Node) -> Node | None:
    """The value that a condition says to be equal at both."""
    return _pair(part) if part.op == "equal" else None


def _pair(part: Node) -> Node | None:
    """The value that is read at both positions."""
    for key, query in (part.args, part.args[::-1]):
        if key is not query and is_there(key, query):
            return query
    return None


def is_there(key: Node, query: Node) -> bool:
    """True if the key's value is the query's, read at the key."""
    if key is query:
        return key.op == "constant"
    if key.op == "there":
        return key.args[0] is query
    alike = key.op == query.op and key.data == query.data
    if query.op == "select" or not alike or len(key.args) != len(query.args):
        return False
    return all(map(is_there, key.args, query.args))
