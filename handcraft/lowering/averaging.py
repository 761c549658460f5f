"""Lowers a mean: all selected keys score the same and share the attention.

averaged(lower, node)   how a mean stands in the stream
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from handcraft.lowering.nodes import Node, parts_of
from handcraft.lowering.refusals import Refused
from handcraft.lowering.scores import FETCHED, merged_rows, score_of, sink
from handcraft.lowering.stream import BOS, Held, constant, gated

if TYPE_CHECKING:
    from handcraft.lowering.lower import Lowering


def averaged(lower: Lowering, node: Node) -> Held:
    value = node.value
    domain = lower.domain(value)
    number = lower.standard(value)
    if domain.none or number is None or not domain.numeric:
        raise Refused(
            value, "may be undefined or no number", "otherwise(value, 0)"
        )
    score = score_of(lower, node.condition, FETCHED)
    every = not list(parts_of(node.condition))
    bos = FETCHED / 2
    rows = merged_rows([*score.rows, (constant(-bos), BOS.expression())])
    if not every:
        raise Refused(
            node,
            "may be of no position",
            "mean of all, or total and count",
        )
    lane = lower.stream.attend(
        rows,
        lower.named(node),
        [(gated(number.z), 1.0)],
        lower.says(node),
        sink(lower, bos),
    )[0]
    most = max(abs(float(domain.low)), abs(float(domain.high)))
    leak = lower.n * math.exp(-(bos - 2 * score.radius))
    radius = most * (leak * 2 + 2 * math.expm1(score.radius) + 2.0**-20)
    return Held(lane.expression(), None, radius + number.radius, most)
