"""Comparisons of numbers with many values, as comparisons of their two digits.

    by_digits(lower, part)   the same condition in digits, where that takes fewer rows
    is_across(part)          True if one side is the key's alone, the other the query's

Rules of this file: a digit is computed of the number without an error, so that none is mixed up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.matches import at_query, sides_of
from handcraft.lowering.heads.scores import masked, strictly_earlier
from handcraft.lowering.reading.domain import Domain
from handcraft.lowering.reading.nodes import Node

_MOST_CLASSES = 8  # values that are compared without digits


def by_digits(lower: Ground, part: Node) -> Node:
    """A comparison of a key's whole number with a query's by two digits, where it has many."""
    negated = part.op == "negate"
    inner = part.args[0] if negated else part
    if inner.op != "below" or not is_across(inner):
        return part
    if lower.causal and (strictly_earlier(part) or masked(part)):
        return part
    first, second = inner.args
    domains = [lower.domain(at_query(arg, lower)) for arg in inner.args]
    least = min(int(d.low) for d in domains)
    most = max(int(d.high) for d in domains) - least
    if not all(map(_digital, domains)) or most <= _MOST_CLASSES:
        return part
    digits = _Digits(lower, least, math.isqrt(most) + 1)
    if negated:  # not a < b is b < a, or equal
        return digits.before(
            second, first, lambda a, b: _not_below(lower, a, b)
        )
    return digits.before(first, second, lambda a, b: _below(lower, a, b))


def _below(lower: Ground, a: Node, b: Node) -> Node:
    return lower.core.make("below", a, b)


def _not_below(lower: Ground, a: Node, b: Node) -> Node:
    return lower.core.make("negate", _below(lower, b, a))


def is_across(part: Node) -> bool:
    """True if one side is read at the key alone, and the other at the query alone."""
    (key, query), (other_key, other_query) = map(sides_of, part.args)
    if key and other_query:
        return not query and not other_key
    return bool(query and other_key and not key and not other_query)


@dataclass(frozen=True)
class _Digits:
    """Whole numbers from a least one on as two digits."""

    lower: Ground
    least: int
    base: int

    def of(self, number: Node) -> tuple[Node, Node]:
        """The high and the low digit."""
        core = self.lower.core
        exact = core.make("exact", number)
        if self.least:
            exact = core.make("subtract", exact, core.constant(self.least))
        base = core.constant(self.base)
        return core.make("divide", exact, base), core.make(
            "modulo", exact, base
        )

    def before(
        self, a: Node, b: Node, last: Callable[[Node, Node], Node]
    ) -> Node:
        """The condition that a is below b by the high digits, or by the low ones of equal high
        ones, as `last` says it.
        """
        core = self.lower.core
        (high, low), (other, rest) = self.of(a), self.of(b)
        same = core.make("equal", high, other)
        first = core.make("below", high, other)
        return core.make("either", first, core.both(same, last(low, rest)))


def _digital(domain: Domain) -> bool:
    """True for whole numbers."""
    return (
        not domain.none
        and domain.numeric
        and domain.step is not None
        and domain.step == int(domain.step)
        and domain.low == int(domain.low)
    )
