"""Lowers a fetch: the one key that is selected has all of the attention.

    fetched(lower, node)   how a fetch stands in the stream

A selection of which nobody knows that it is of one position is a Refused.
"""

from __future__ import annotations

import math
from dataclasses import replace

from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.bringing import one, without_default
from handcraft.lowering.heads.choosing import CHOOSING, value_chosen
from handcraft.lowering.heads.matches import at_query, sides_of
from handcraft.lowering.heads.scores import FETCHED, SLACK, Score, score_of
from handcraft.lowering.reading.nodes import Node, Settled, conjuncts
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import Held


def fetched(lower: Ground, node: Node) -> Held:
    """How a fetch stands in the stream. Raises Refused."""
    place = _place(node)
    if place is not None and place.op == "select" and place.data in CHOOSING:
        return value_chosen(lower, node, place)
    condition, default = node.condition, node.default
    if place is None and not lower.selects_one(condition):
        raise Refused(
            node,
            "is not known to select one position",
            "fetch(value, latest(condition)) or first(condition), which do",
        )
    if default is not None and default.op != "constant":
        return lower.hold(without_default(lower, node, default))
    certain = isinstance(node.data, Settled)
    certain = certain or lower.domains.orders.is_one(condition)
    return one(
        lower,
        node,
        node.value,
        _score(lower, condition, certain=certain),
        maybe_none=not certain,
        default=None if default is None else default.data,
    )


def _score(lower: Ground, condition: Node, *, certain: bool) -> Score:
    """The scores of a condition, so strong that what is selected is far enough ahead."""
    score = score_of(lower, condition, FETCHED, absolute=not certain)
    behind = score.apart * (1.0 if certain else 0.5) - 2 * score.radius
    if 0 < behind < SLACK:  # all of it grows with the strength
        more = 2.0 ** math.ceil(math.log2(SLACK / behind))
        score = score_of(lower, condition, more * FETCHED, absolute=not certain)
    if not certain:
        return score
    # the square of the query is added to every key's score but that of BOS
    return replace(score, reach=score.apart * lower.n**2)


def _place(node: Node) -> Node | None:
    """The position that a fetch names: there(indices) == position."""
    part = node.condition
    if part.op != "equal":
        return None
    for key, query in (part.args, part.args[::-1]):
        is_key = key.op == "there" and key.args[0].op == "index"
        if is_key and not sides_of(query)[0]:
            return query
    return None


def known_to_be_one(lower: Ground, condition: Node) -> bool:
    """True if no two keys can satisfy a condition: one part names an index, or a rank."""
    for part in conjuncts(condition):
        if part.op != "equal":
            continue
        for key, query in (part.args, part.args[::-1]):
            if sides_of(query)[0] or not sides_of(key)[0] or sides_of(key)[1]:
                continue
            if lower.domains.orders.distinct(at_query(key, lower)):
                return True
    return False
