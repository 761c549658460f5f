"""Lowers the choice of one key among several: the score of a selected key rises or falls with its
position, or first with a value of its own.

    choice(lower, node)          the position that first, latest or best chooses
    value_chosen(lower, node, place)   the value that stands there
"""

from __future__ import annotations

import math

from handcraft.language.affine import Affine
from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.bringing import one, without_default
from handcraft.lowering.heads.scores import (
    LARGEST_SCORE,
    SLACK,
    Score,
    score_of,
)
from handcraft.lowering.reading.nodes import Node, Settled, conjuncts
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import Held, constant, zero_at_bos

CHOOSING = ("first", "latest", "best")
NEARER = 32.0  # the score from one position to the next


def choice(lower: Ground, node: Node) -> Held:
    """The position that is chosen."""
    return value_chosen(lower, node, node, value=lower.core.index)


def value_chosen(
    lower: Ground, node: Node, place: Node, value: Node | None = None
) -> Held:
    """The value at the position that is chosen."""
    settled = isinstance(node.data, Settled)
    score = _preferring(lower, place, absolute=not settled)
    default = node.default if value is None else None
    if default is not None and default.op != "constant":
        return lower.hold(without_default(lower, node, default))
    every = not list(conjuncts(place.condition))
    certain = every and not (
        place.data == "best" and lower.domain(place.value).none
    )
    certain = certain or settled
    return one(
        lower,
        node,
        node.value if value is None else value,
        score,
        maybe_none=not certain,
        default=None if default is None else default.data,
    )


def _preferring(lower: Ground, place: Node, *, absolute: bool) -> Score:
    """The scores of a condition, and of a preference among the keys that meet it."""
    p = lower.hold(lower.core.index)
    key, reach, radius = zero_at_bos(p.z), lower.n * NEARER, 0.0
    sign = 1.0 if place.data == "latest" else -1.0
    rows = [(constant(sign * NEARER), key)]
    if place.data == "best":
        more, reach, radius = _by_value(lower, place)
        rows += more
    strength = 2.0 ** math.ceil(math.log2(2 * (reach + 2 * SLACK)))
    condition = place.condition
    if place.data == "best" and lower.domain(place.value).none:
        condition = lower.core.both(condition, _defined(lower, place.value))
    score = score_of(lower, condition, strength, absolute=absolute)
    if strength * 2 > LARGEST_SCORE:
        raise Refused(
            place, "needs scores past exact float32", "a shorter window"
        )
    return Score(
        (*rows, *score.rows),
        score.radius + radius,
        min(score.apart, strength),
        NEARER,
        reach,
    )


def _defined(lower: Ground, value: Node) -> Node:
    """The condition that the key has a value."""
    there = lower.core.there(value)
    core = lower.core
    same = core.make("equal", there, there)
    return core.make("otherwise", same, core.constant(0))


def _by_value(
    lower: Ground, place: Node
) -> tuple[list[tuple[Affine, Affine]], float, float]:
    """The row by which a greater value scores more than any position can, with the greatest score
    and its error.
    """
    value = lower.standard(place.value)
    domain = lower.domain(place.value)
    if value is None or not domain.numeric or not domain.apart:
        raise Refused(place.value, "is no number to compare", "round_(value)")
    by = (lower.n + 1) * NEARER / float(domain.apart)
    reach = by * max(abs(float(domain.low)), abs(float(domain.high)))
    if reach > LARGEST_SCORE / 4:
        raise Refused(
            place,
            f"needs scores up to {reach:.3g}, past exact float32",
            "a shorter window, or round_() around the value",
        )
    if 2 * by * value.radius > NEARER / 8:
        raise Refused(
            place.value,
            f"is only known to {value.radius:.2g}",
            "a shorter window",
        )
    return (
        [(constant(by), zero_at_bos(value.z))],
        reach + lower.n * NEARER,
        by * value.radius,
    )
