"""Lowers a count and a total: every selected key gets 2^-30 of the attention, BOS the rest, and
what is read is multiplied by 2^30.

    tallied(lower, node)   how a count or a total stands in the stream

A condition that a key meets or not by itself is a number to add up where it is not known exactly.
"""

from __future__ import annotations

import math

from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.matches import (
    WELL_KNOWN,
    ScoreRow,
    at_query,
    sides_of,
)
from handcraft.lowering.heads.scores import (
    COUNTED,
    Score,
    merged_rows,
    need_anchor,
    score_of,
    sink,
    strictly_earlier,
)
from handcraft.lowering.heads.splitting import split_sum
from handcraft.lowering.reading.nodes import Node, conjuncts
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import BOS, FLOAT32, Held, constant, zero_at_bos
from handcraft.recipes.sums import ANCHOR

_MOST_EXPONENT = 700.0  # exp of more is no float


def tallied(lower: Ground, node: Node) -> Held:
    """How a count or a total stands in the stream. Raises Refused."""
    if (split := split_sum(lower, node)) is not None:
        held = lower.hold(split)
        return lower.held_number(node, held.z, held.radius)
    need_anchor(lower, node)
    condition, own = _without_self(lower, node.condition)
    value = lower.core.constant(1) if node.data == "count" else node.value
    if node.data == "count" and own is None:
        condition, value = _weighed(lower, condition)
    found = _by_head(lower, node, condition, value)
    return found if own is None else _less_own(lower, node, found, own)


def _by_head(lower: Ground, node: Node, condition: Node, value: Node) -> Held:
    """The sum of a value where a condition holds, by one head."""
    number = _number(lower, value)
    score = score_of(lower, condition, COUNTED, counted=True)
    anchor = (constant(math.log(ANCHOR)), BOS.expression())
    rows = merged_rows([*score.rows, anchor])
    (lane,) = lower.stream.attend(
        rows,
        lower.named(node),
        [(zero_at_bos(number.z), ANCHOR)],
        sink(lower, 0.0),
        counts=True,
    )
    domain = lower.domain(value)
    most = max(abs(float(domain.low)), abs(float(domain.high)))
    relative = _relative_error(lower, score, rows)
    radius = lower.n * (most * relative + number.radius)
    radius = lower.stream.may_follow(lane, radius)
    return lower.held_number(node, lane.expression(), radius)


def _number(lower: Ground, value: Node) -> Held:
    """What is summed, as a number. Raises Refused where it is not always one."""
    if lower.domain(value).none:
        raise Refused(
            value,
            "may be undefined, and so would be the sum",
            "otherwise(value, 0)",
        )
    number = lower.standard(value)
    if number is None:
        raise Refused(value, "is no number", "lookup({token: number}, value)")
    return number


def _relative_error(
    lower: Ground, score: Score, rows: tuple[ScoreRow, ...]
) -> float:
    """How far, of 1, the share of a key can be from 2^-30."""
    return (
        math.expm1(min(score.radius, _MOST_EXPONENT))
        + _anchor_error(rows)
        + lower.n / ANCHOR  # by which the share of BOS is less than 1
        + math.exp(-min(score.apart, _MOST_EXPONENT))
    )


def _anchor_error(rows: tuple[ScoreRow, ...]) -> float:
    """What float32 makes of the score of BOS, which it rounds some times, beside the constants that
    the score is a sum of.
    """
    beside = sum(abs(q.constant * k.constant) for q, k in rows)
    return FLOAT32 * (8 * math.log(ANCHOR) + 4 * beside + 8)


def _weighed(lower: Ground, condition: Node) -> tuple[Node, Node]:
    """The condition without what it says of the key alone and is not known exactly, and that as a
    number to add up: an error of a value is no error of a score, which is a strength greater.
    """
    core, kept, told = lower.core, [], []
    for part in conjuncts(condition):
        keys, queries = sides_of(part)
        if keys and not queries:
            at_key = at_query(part, lower)
            if lower.flag(at_key).radius > WELL_KNOWN:
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


def _without_self(lower: Ground, condition: Node) -> tuple[Node, Node | None]:
    """A condition with `there(indices) < indices` taken out, where a causal query sees itself and
    what is earlier: then what the query would select of itself is taken away from the sum.
    """
    if not lower.causal:
        return condition, None
    parts = list(conjuncts(condition))
    strict = [part for part in parts if strictly_earlier(part)]
    if not strict:
        return condition, None
    rest = lower.core.both(*(part for part in parts if part not in strict))
    return rest, at_query(rest, lower)


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
