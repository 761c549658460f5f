"""Lowers a mean: all selected keys score the same and share the attention.

averaged(lower, node)   how a mean stands in the stream
"""

from __future__ import annotations

import math

from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.scores import (
    FETCHED,
    Score,
    merged_rows,
    score_of,
    sink,
)
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import BOS, FLOAT32, Held, constant, zero_at_bos
from handcraft.sequence.values import Value


def averaged(lower: Ground, node: Node) -> Held:
    """How a mean stands in the stream. Raises Refused."""
    value = node.value
    number, domain = lower.standard(value), lower.domain(value)
    if domain.none or number is None or not domain.numeric:
        raise Refused(
            value, "may be undefined or no number", "otherwise(value, 0)"
        )
    codes, by = _codes(lower, node)
    score = score_of(lower, node.condition, FETCHED)
    bos = FETCHED / 2
    rows = merged_rows([*score.rows, (constant(-bos), BOS.expression())])
    lane = lower.stream.attend(
        rows,
        lower.named(node),
        [(zero_at_bos(number.z.plus(constant(-by))), 1.0)],
        sink(lower, bos),
    )[0]
    most = max(abs(float(domain.low) - by), abs(float(domain.high) - by))
    radius = number.radius + most * _share(lower, score)
    radius = lower.stream.may_follow(lane, radius)
    return Held(lane.expression(), codes, radius, most)


def _codes(
    lower: Ground, node: Node
) -> tuple[dict[Value, float] | None, float]:
    """The number of each mean, and by how much it is less than the mean itself: where no position
    may be selected, BOS brings 0, which is then no mean.
    """
    domain = lower.domain(node)
    by = float(domain.low) - 1.0 if domain.none else 0.0
    if domain.values is None and domain.none:
        raise Refused(
            node,
            "may be of no position, and has too many values to be told from that",
            "a condition that each position meets itself, or total and count",
        )
    if domain.values is None:
        return None, by
    known = [x for x in domain.values if x is not None]
    codes: dict[Value, float] = {x: float(x) - by for x in known}
    return codes | ({None: 0.0} if domain.none else {}), by


def _share(lower: Ground, score: Score) -> float:
    """How far the shares of the attention can be from equal ones, together."""
    behind = min(score.apart, FETCHED) - FETCHED / 2 - 2 * score.radius
    leak = (lower.n + 1) * math.exp(-max(behind, 0.0))
    rounding = (lower.n + 16) * 2 * FLOAT32
    return 2 * leak + 2 * math.expm1(min(2 * score.radius, 700)) + rounding
