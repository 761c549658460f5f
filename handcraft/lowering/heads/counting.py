"""Lowers a count and a total: every selected key gets 2^-30 of the attention, BOS the rest, and
what is read is multiplied by 2^30.

    counted(lower, node)   how a count or a total stands in the stream

The count of a | b is that of a and that of b. A comparison of numbers with many values is one of
their two digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.matches import (
    EXACT,
    UNIT,
    Row,
    at_query,
    sides_of,
)
from handcraft.lowering.heads.scores import (
    COUNTED,
    masked,
    merged_rows,
    need_anchor,
    score_of,
    sink,
)
from handcraft.lowering.reading.domains import (
    MOST_COMBINED,
    bases_of,
    function_of,
)
from handcraft.lowering.reading.nodes import Node, parts_of
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import BOS, Held, constant, gated

ANCHOR = 2.0**30  # how many times the attention of a key BOS gets
FEW_CLASSES = 4  # values that are told apart without a head of its own
MOST_CLASSES = 8  # values that are compared without digits


def counted(lower: Ground, node: Node) -> Held:
    if (split := _split(lower, node)) is not None:
        held = lower.hold(split)
        return lower.held_number(node, held.z, held.radius)
    need_anchor(lower, node)
    condition, own = _without_self(lower, node.condition)
    value = lower.core.constant(1) if node.data == "count" else node.value
    if node.data == "count" and own is None:
        condition, value = _weighed(lower, condition)
    domain = lower.domain(value)
    if domain.none:
        raise Refused(
            value,
            "may be undefined, and so would be the sum",
            "otherwise(value, 0)",
        )
    number = lower.standard(value)
    if number is None:
        raise Refused(value, "is no number", "lookup({token: number}, value)")
    score = score_of(lower, condition, COUNTED, counted=True)
    anchored = (
        *score.rows,
        (constant(math.log(ANCHOR)), BOS.expression()),
    )
    rows = merged_rows(anchored)
    lane = lower.stream.attend(
        rows,
        lower.named(node),
        [(gated(number.z), ANCHOR)],
        lower.says(node),
        sink(lower, 0.0),
        counts=True,
    )[0]
    most = max(abs(float(domain.low)), abs(float(domain.high)))
    relative = (
        math.expm1(min(score.radius, 700))
        + _anchor_error(rows)
        + lower.n / ANCHOR
        + math.exp(-min(score.apart, 700))
    )
    radius = lower.n * (most * relative + number.radius)
    radius = lower.stream.may_follow(lane, radius)
    found = lower.held_number(node, lane.expression(), radius)
    if own is None:
        return found
    return _less_own(lower, node, found, own)


def _anchor_error(rows: tuple[Row, ...]) -> float:
    """How far, of 1, the share of a key can be from 2^-30: float32 rounds the score of BOS, beside
    the constants that it is a sum of, some times.
    """
    beside = sum(abs(q.constant * k.constant) for q, k in rows)
    return UNIT * (8 * math.log(ANCHOR) + 4 * beside + 8)


def _weighed(lower: Ground, condition: Node) -> tuple[Node, Node]:
    """The condition without what it says of the key alone and is not known exactly, and that as a
    number to add up: an error of a value is no error of a score, which is a strength greater.
    """
    core, kept, told = lower.core, [], []
    for part in parts_of(condition):
        keys, queries = sides_of(part)
        if keys and not queries:
            at_key = at_query(part, lower)
            if lower.flag(at_key).radius > EXACT:
                told.append(at_key)
                continue
        kept.append(part)
    if not told:
        return condition, core.constant(1)
    number = core.both(*told)
    if not set(lower.domain(number).values or (None,)) <= {0, 1}:
        one, zero = core.constant(1), core.constant(0)
        number = core.make("cases", number, one, zero)
    return core.both(*kept), number


def _split(lower: Ground, node: Node) -> Node | None:
    """The sum of a count of a | b: that of a and of b, less that of both where there are any; and
    that of what does not equal: that of all, less that of what does.
    """
    core = lower.core
    parts = [_by_digits(lower, part) for part in parts_of(node.condition)]
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
    if equal.op != "equal" or not _across(equal):
        return False
    sides = [lower.domain(at_query(x, lower)) for x in equal.args]
    if any(side.none for side in sides):  # it does not hold of those, either
        return False
    return all(x.size is None or x.size > FEW_CLASSES for x in sides)


def _by_digits(lower: Ground, part: Node) -> Node:
    """A comparison of a key's whole number with a query's by two digits, where it has many."""
    negated = part.op == "negate"
    inner = part.args[0] if negated else part
    if inner.op != "below" or not _across(inner):
        return part
    if lower.causal and (strictly_earlier(part) or masked(part)):
        return part
    first, second = inner.args
    domains = [lower.domain(at_query(arg, lower)) for arg in inner.args]
    least = min(int(d.low) for d in domains)
    most = max(int(d.high) for d in domains) - least
    if not all(map(_digital, domains)) or most <= MOST_CLASSES:
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


def _across(part: Node) -> bool:
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


def _digital(domain: Any) -> bool:
    """True for whole numbers."""
    return (
        not domain.none
        and domain.numeric
        and domain.step is not None
        and domain.step == int(domain.step)
        and domain.low == int(domain.low)
    )


def _contradict(lower: Ground, a: Node, b: Node) -> bool:
    """True if a part of a and a part of b never hold together."""
    return any(
        _never(lower, lower.core.both(x, y))
        for x in parts_of(a)
        for y in parts_of(b)
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


def _without_self(lower: Ground, condition: Node) -> tuple[Node, Node | None]:
    """A condition with `there(indices) < indices` taken out, where a causal query sees itself and
    what is earlier: then what the query would select of itself is taken away from the sum.
    """
    if not lower.causal:
        return condition, None
    parts = list(parts_of(condition))
    strict = [part for part in parts if strictly_earlier(part)]
    if not strict:
        return condition, None
    rest = lower.core.both(*(part for part in parts if part not in strict))
    return rest, at_query(rest, lower)


def strictly_earlier(part: Node) -> bool:
    if part.op != "below":
        return False
    key, query = part.args
    is_key = key.op == "there" and key.args[0].op == "index"
    return is_key and query.op == "index"


def _less_own(lower: Ground, node: Node, found: Held, own: Node) -> Held:
    core = lower.core
    value = core.constant(1) if node.data == "count" else node.value
    counted = core.make("cases", own, value, core.constant(0))
    mine = lower.standard(counted)
    if mine is None:
        raise Refused(counted, "is no number", "a number")
    return lower.held_number(
        node,
        found.z.plus(mine.z.scaled(-1.0)),
        found.radius + mine.radius,
    )
