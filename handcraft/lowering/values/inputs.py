"""Values that the embedding knows: functions of the token, and of the position.

    of_token(lower, node)            a lane of wte; of_index: a lane of wpe
    flag_lanes(lower, node, leaf)    a lane for each value but one, 1 where it is that value

Rules of this file: what a table holds is exact, but for what float32 rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from handcraft.language.affine import Lane
from handcraft.lowering.ground import Ground
from handcraft.lowering.reading.bases import bases_of, function_of
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import Held, LaneTable
from handcraft.sequence.values import Value


def of_token(lower: Ground, node: Node) -> Held:
    """A lane of wte."""
    ask = function_of(node, [lower.core.token])
    codes = lower.coding(lower.domain(node))
    table = {t: codes.get(ask([t]), 0.0) for t in lower.domains.alphabet}
    lane = lower.stream.table(lower.named(node), LaneTable(tokens=table))
    return Held(lane.expression(), codes, _rounding(table.values()))


def of_index(lower: Ground, node: Node) -> Held:
    """A lane of wpe."""
    ask = function_of(node, [lower.core.index])
    codes = lower.coding(lower.domain(node))
    row = tuple(codes.get(ask([i]), 0.0) for i in range(lower.n))
    lane = lower.stream.table(lower.named(node), LaneTable(positions=row))
    return Held(lane.expression(), codes, _rounding(row))


def _rounding(numbers: Iterable[float]) -> float:
    """How far float32 is from some numbers; 0 where it holds them exactly."""
    return max((abs(float(np.float32(x)) - x) for x in numbers), default=0.0)


def leaf_of(node: Node) -> Node | None:
    """The token or the index, where a node is a function of that alone."""
    bases = bases_of(node)
    alone = len(bases) == 1 and bases[0].op in ("token", "index")
    return bases[0] if alone else None


def flag_lanes(lower: Ground, node: Node, leaf: Node) -> Mapping[Value, Lane]:
    """A lane for each value but one of a function of the token, or of the position."""
    values = lower.listed(node)
    asked = values[:-1] if leaf.op == "token" else values[1:]
    return {
        x: lower.stream.table(
            lower.naming.of_flag(node, x), _flag_table(lower, node, leaf, x)
        )
        for x in asked
    }


def _flag_table(lower: Ground, node: Node, leaf: Node, x: Value) -> LaneTable:
    """1 where the value is x."""
    ask = function_of(node, [leaf])
    if leaf.op == "token":
        tokens = lower.domains.alphabet
        return LaneTable({t: float(ask([t]) == x) for t in tokens})
    row = tuple(float(ask([i]) == x) for i in range(lower.n))
    return LaneTable({}, row)
