"""The values that each node can have, at any position of any text of an alphabet and a length.

    Domains(...).of   the domain of a node

Rules of this file: no domain is too small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import prod

from handcraft.core.errors import ProgramError
from handcraft.lowering.reading.arithmetic import (
    DOMAIN_OF,
    either_of,
    means_of_values,
    step_of,
    union_of,
)
from handcraft.lowering.reading.bases import bases_of, function_of
from handcraft.lowering.reading.domain import (
    MOST_VALUES,
    Domain,
    interval,
    of_values,
)
from handcraft.lowering.reading.nodes import NO_ROW, Node, Settled, conjuncts
from handcraft.lowering.reading.orders import Orders
from handcraft.sequence.operations import branches_of

MOST_COMBINED = 40_000  # combinations of values that are asked one by one
_FEW_COMBINED = 4_096  # so many are asked though there may be fewer to ask


class Domains:
    """Finds domains: of an alphabet, of texts of 1 to n tokens.

    alphabet  the tokens of a text
    n         the most tokens of a text
    """

    def __init__(
        self, alphabet: Iterable[str], n: int, *, causal: bool
    ) -> None:
        self.alphabet = tuple(alphabet)
        self.n = n
        self.causal = causal
        self.orders = Orders(self._is_defined, n, causal=causal)
        self._known: dict[int, tuple[Node, Domain]] = {}
        self._leaves: dict[str, Domain] = {
            "token": of_values(self.alphabet),
            "index": interval(0, n - 1),
            "length": interval(1, n),
        }

    def tell(self, op: str, domain: Domain) -> None:
        """Says which values a leaf has."""
        self._leaves[op] = domain

    def of(self, node: Node) -> Domain:
        """The domain of a node."""
        if id(node) not in self._known:
            self._known[id(node)] = node, self._found(node)
        return self._known[id(node)][1]

    def _is_defined(self, node: Node) -> bool:
        """True if a node is known to have a value everywhere."""
        try:
            return not self.of(node).none
        except Unlisted:
            return False

    def _found(self, node: Node) -> Domain:
        if node.op == "constant":
            return of_values([node.data])
        if node.op == "there":
            return self.of(node.args[0])
        if node.op == "select":
            return self._selected(node)
        if node.op in self._leaves:
            return self._leaves[node.op]
        if node.op in ("state", "lowest", "end", "step"):
            raise Untold(node)
        return self._computed(node)

    # ------------------------------------------------------------ at one position

    def _computed(self, node: Node) -> Domain:
        """From what it is computed from in the end, where that has few combinations; else from its
        arguments, as if each could have any value beside any other's.
        """
        bases = bases_of(node)
        for most in (_FEW_COMBINED, MOST_COMBINED):
            for parts in (bases, tuple(dict.fromkeys(node.args))):
                if (found := self._from(node, parts, most)) is not None:
                    return self._short(found)
        return self._by_form(node)

    def _from(
        self, node: Node, parts: tuple[Node, ...], most: int
    ) -> Domain | None:
        """The values for all combinations of those of some parts, if they are not too many."""
        lists = [self.of(part).values for part in parts]
        known = [x for x in lists if x is not None]
        if len(known) < len(lists) or prod(map(len, known)) > most:
            return None
        ask = function_of(node, parts)
        try:
            return of_values(
                value
                for row in product(*known)
                if (value := ask(row)) is not NO_ROW
            )
        except ProgramError:  # of values that never stand side by side
            return None

    @staticmethod
    def _short(domain: Domain) -> Domain:
        if domain.listed is None or len(domain.listed) <= MOST_VALUES:
            return domain
        return interval(domain.low, domain.high, domain.step, none=domain.none)

    def _by_form(self, node: Node) -> Domain:
        if node.op in ("cases", "otherwise", "lookup"):
            return self._chosen(node)
        if node.op == "table":
            return of_values(node.data.known.values())
        found = [self.of(arg) for arg in node.args]
        if (form := DOMAIN_OF.get(node.op)) is None:
            raise Unlisted(node)
        domain = form(*found)
        return domain.maybe() if any(x.none for x in found) else domain

    def _chosen(self, node: Node) -> Domain:
        """All values that a choice can give, whether or not it comes to that."""
        if node.op == "lookup":
            return of_values([*(x for _, x in node.data), None])
        if node.op == "otherwise":
            first, then = map(self.of, node.args)
            if (values := first.values) is None:
                return union_of(replace(first, none=False), then)
            kept = [x for x in values if x is not None]
            return union_of(of_values(kept), then) if kept else then
        pairs, default = branches_of(node.args)
        chosen = of_values([None]) if default is None else self.of(default)
        for _, value in pairs:
            chosen = either_of(chosen, self.of(value))
        return chosen

    # ------------------------------------------------------------ selections

    def _selected(self, node: Node) -> Domain:
        kind = node.data
        if kind == "count":
            least = int(self.orders.holds_itself(node.condition))
            return interval(least, max(least, self._most_keys(node)))
        if kind in ("first", "latest", "best"):
            return self._place(node)
        if kind == "total":
            return self._total(node, self.of(node.value))
        if kind == "mean":
            return self._mean(node, self.of(node.value))
        return self._brought(node, self.of(node.value))

    def _place(self, node: Node) -> Domain:
        """The positions, and None where a position may be missing."""
        every = node.condition.op == "constant" and node.condition.data == 1
        none = not every or (node.data == "best" and self.of(node.value).none)
        none = none and not isinstance(node.data, Settled)
        return interval(0, self.n - 1, none=none)

    def _total(self, node: Node, value: Domain) -> Domain:
        low, high = min(value.low, 0), max(value.high, 0)
        most = self._most_keys(node)
        step = step_of(value)
        return interval(low * most, high * most, step, none=value.none)

    def _brought(self, node: Node, value: Domain) -> Domain:
        """The value at one position, or the default."""
        settled = isinstance(node.data, Settled)
        if settled:
            tokens = node.data.tokens
            value = replace(value, none=False)
            value = value if tokens is None else of_values(tokens)
        if self.orders.is_one(node.condition) or self._is_chosen(node):
            return value
        if node.default is not None:
            return union_of(value, self.of(node.default))
        return value if settled or node.data == "at" else value.maybe()

    def _is_chosen(self, node: Node) -> bool:
        """True for a fetch at a position that a selection always chooses."""
        if node.condition.op != "equal":
            return False
        return any(
            key.op == "there"
            and key.args[0].op == "index"
            and place.op == "select"
            and place.data in ("first", "latest", "best")
            and not self.of(place).none
            for key, place in (node.condition.args, node.condition.args[::-1])
        )

    def _mean(self, node: Node, value: Domain) -> Domain:
        """The sums of 1 to n values, each by their number, where they are few."""
        every = self.orders.holds_itself(node.condition)
        none = value.none or not every
        found = means_of_values(value, self.n)
        if found is not None:
            return of_values([*found, None] if none else found)
        apart = Fraction(step_of(value) or 1, max(1, self.n * (self.n - 1)))
        return interval(value.low, value.high, None, none=none, apart=apart)

    def _most_keys(self, node: Node) -> int:
        """How many positions can be selected, by what is said of the position alone."""
        alone = [part for part in conjuncts(node.condition) if _of_key(part)]
        asks = [function_of(part, bases_of(part)) for part in alone]
        return sum(
            all(ask([i]) not in (0, None) for ask in asks)
            for i in range(self.n)
        )


def _of_key(part: Node) -> bool:
    """True for a condition on the index of the key alone."""
    bases = bases_of(part)
    alone = len(bases) == 1 and bases[0].op == "there"
    return alone and bases[0].args[0].op == "index"


class Unlisted(Exception):  # noqa: N818  # the caller says it in words
    """A node whose values are too many to be listed."""

    def __init__(self, node: Node) -> None:
        self.node = node


class Untold(Unlisted):
    """A node of which no domain is known."""
