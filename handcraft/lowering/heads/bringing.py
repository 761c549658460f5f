"""Reads one key: a head that brings what stands at the position with the greatest score.

    one(lower, node, value, score, ...)   the value of the key that is selected
    brought(lower, place, ...)            what stands at a position that is known as a number

Where nothing may be selected, BOS stands half way, and brings 0. Rules of this file: what is left
of other keys is part of the radius, and a key that is not far enough ahead is a Refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from handcraft.language.affine import Affine
from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.scores import (
    FETCHED,
    SLACK,
    Score,
    merged_rows,
    need_anchor,
    sink,
)
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import BOS, FLOAT32, Held, constant, zero_at_bos
from handcraft.sequence.values import Value


def one(
    lower: Ground,
    node: Node,
    value: Node,
    score: Score,
    *,
    maybe_none: bool,
    default: Value = None,
) -> Held:
    """A head that brings the value of the key with the greatest score; BOS stands half way where
    nothing may be selected.
    """
    held = lower.hold(value)
    if held.codes is None:
        raise Refused(
            value, "has too many values to be fetched", "a shorter window"
        )
    z, codes = held.z, dict(held.codes)
    if maybe_none:
        need_anchor(lower, node)
        z, codes = freed(z, codes, default)
    bos = score.apart / 2 if maybe_none else score.apart + 2 * SLACK
    rows = merged_rows([*score.rows, (constant(-bos), BOS.expression())])
    lane = lower.stream.attend(
        rows,
        lower.named(node),
        [(zero_at_bos(z), 1.0)],
        sink(lower, bos + score.reach),
    )[0]
    behind = _behind(node, score, bos)
    reach = max(map(abs, codes.values()), default=0.0)
    leak = 2 * reach * lower.n * math.exp(-behind)
    radius = held.radius + leak + 8 * FLOAT32 * reach
    radius = lower.stream.may_follow(lane, radius)
    return Held(lane.expression(), codes, radius)


def _behind(node: Node, score: Score, bos: float) -> float:
    """By how much every other key scores less than the right one. Raises Refused where that is
    too little.
    """
    found = min(bos, score.apart, score.nearer) - 2 * score.radius
    if found < SLACK:
        raise Refused(
            node,
            f"would have the right key ahead by {found:.3g} only, {SLACK:g} are needed",
            "a shorter window",
        )
    return found


def without_default(lower: Ground, node: Node, default: Node) -> Node:
    """A fetch whose default is computed, as a choice of what is fetched and the default."""
    core = lower.core
    none = core.select("fetch", node.condition, node.value, says=node.says)
    return core.make("otherwise", none, default)


def freed(
    z: Affine, codes: dict[Value, float], default: Value
) -> tuple[Affine, dict[Value, float]]:
    """The value so moved that 0 stands for the default alone, which BOS brings."""
    if codes.get(default, 0.0) == 0.0 and 0.0 not in [
        x for v, x in codes.items() if v != default
    ]:
        return z, {**codes, default: 0.0}
    below = min(codes.values(), default=0.0) - 1.0
    by = codes.get(default, below)
    moved = {v: x - by for v, x in codes.items()}
    return z.plus(constant(-by)), {**moved, default: 0.0}


def brought(
    lower: Ground,
    place: Affine,
    p: Affine,
    values: Sequence[Affine],
    pp: Affine,
    name: str,
) -> list[Affine]:
    """What stands where p, a table of positions, is nearest to a number; 0 where the number is 0.

    The score is -A (p - place)^2 but for the square of the place, and -A / 4 at BOS, where p is 0.
    """
    rows = [
        (place.scaled(2 * FETCHED), p),
        (constant(1), pp.scaled(-FETCHED)),
    ]
    reach = FETCHED * (lower.n + 1) ** 2
    lanes = lower.stream.attend(
        rows, name, [(x, 1.0) for x in values], sink(lower, reach)
    )
    return [lane.expression() for lane in lanes]
