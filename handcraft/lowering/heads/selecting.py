"""Lowers a selection to a head.

    count, total    every selected key gets 2^-30 of the attention, BOS the rest; times 2^30
    mean            all selected keys score 0 and share the attention
    fetch           the one selected key has all of it
    first, latest   the score rises or falls with the position, so that one selected key has it
    best            the score rises with the value, then falls with the position

What is not selected scores less by the strength A; where nothing may be selected, BOS stands half
way, and brings 0. Rules of this file: an error of the scores becomes a radius of what is read, and
a radius that would leave two values mixed up is a Refused.
"""

from __future__ import annotations

from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.averaging import averaged
from handcraft.lowering.heads.choosing import choice
from handcraft.lowering.heads.counting import tallied
from handcraft.lowering.heads.fetching import fetched
from handcraft.lowering.heads.placing import placed
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import Held


def selection(lower: Ground, node: Node) -> Held:
    """How a selection stands in the stream. Raises Refused."""
    return _KINDS[node.data](lower, node)


_KINDS = {
    "count": tallied,
    "total": tallied,
    "fetch": fetched,
    "at": placed,
    "first": choice,
    "latest": choice,
    "best": choice,
    "mean": averaged,
}
