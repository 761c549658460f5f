"""Says a condition as the scores of a head: 0 where it holds, and less where it does not.

    score_of(lower, condition, strength)   the rows of a condition, and how exact their sum is
    merged_rows(rows)                      rows with the same key as one
    sink(lower, score)                     what keeps the first token by itself

What is not selected scores less by the strength A. Rules of this file: an error of a score is part
of its radius.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from handcraft.language.affine import Affine
from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.matches import Match, matched
from handcraft.lowering.reading.nodes import Node, conjuncts
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import constant

COUNTED, FETCHED = 32.0, 64.0  # the strength of a condition
LARGEST_SCORE = 2.0**24  # float32 holds every whole number up to this one
ALONE = 1000.0  # exp(-x) is 0 from there on, in float64 too
SLACK = 24.0  # a score that is less by so much leaves nothing in float32


@dataclass(frozen=True)
class Score:
    """The rows of a head: products of query and key sum to 0 for the selected keys.

    radius  how far a selected key's score can be from that
    apart   how far below 0 the score of any other key is, at least
    nearer  where one of several selected keys is chosen, by how much its score exceeds the others'
    reach   the greatest score of a selected key
    """

    rows: tuple[tuple[Affine, Affine], ...]
    radius: float
    apart: float
    nearer: float = math.inf
    reach: float = 0.0


def score_of(
    lower: Ground,
    condition: Node,
    strength: float,
    *,
    absolute: bool = True,
    counted: bool = False,
) -> Score:
    """The scores of a condition."""
    rows: list[tuple[Affine, Affine]] = []
    radius, apart = 0.0, math.inf
    for part in conjuncts(condition):
        if lower.causal and masked(part):
            continue
        found: Match = matched(
            lower,
            part,
            absolute=absolute,
            counted=counted,
            strength=strength,
        )
        by = strength / min(1.0, found.apart)
        rows += [(q.scaled(by), k) for q, k in found.rows]
        radius += by * found.radius
        apart = min(apart, by * found.apart)
    if apart == math.inf:  # no key is left out
        apart = strength
    rows += lower.limits(strength)
    return Score(merged_rows(rows), radius, apart)


def masked(part: Node) -> bool:
    """True for a condition that holds for all keys that a causal query sees."""
    if part.op != "negate" or part.args[0].op != "below":
        return False
    query, key = part.args[0].args
    is_key = key.op == "there" and key.args[0].op == "index"
    return is_key and query.op == "index"  # not (i < there(i))


def strictly_earlier(part: Node) -> bool:
    """True for there(indices) < indices."""
    if part.op != "below":
        return False
    key, query = part.args
    is_key = key.op == "there" and key.args[0].op == "index"
    return is_key and query.op == "index"


def merged_rows(
    rows: Sequence[tuple[Affine, Affine]],
) -> tuple[tuple[Affine, Affine], ...]:
    """Rows whose query or key is the same up to a factor, as one."""
    constants, rest = Affine.of({}), []
    for query, key in rows:
        if not query.terms:
            constants = constants.plus(key.scaled(query.constant))
        else:
            rest.append((query, key))
    by_key: dict[Any, Affine] = {}
    keys: dict[Any, Affine] = {}
    for query, key in rest:
        name = tuple(sorted((str(lane), x) for lane, x in key.terms))
        keys[name] = key
        known = by_key.get(name)
        by_key[name] = query if known is None else known.plus(query)
    found = [(query, keys[name]) for name, query in by_key.items()]
    if constants.terms:
        found.append((constant(1), constants))
    return tuple(found)


def sink(lower: Ground, score: float) -> float:
    """What BOS must prefer itself by, as a query, where others score up to so much more: nothing
    of them is left in any float, for a count of counts would make much of it.
    """
    return 0.0 if lower.causal else 2.0 ** math.ceil(math.log2(score + ALONE))


def need_anchor(lower: Ground, node: Node) -> None:
    """Raises Refused where no token stands before the text, which the others are weighed by."""
    if not lower.anchored:
        raise Refused(
            node,
            "is weighed against a token that begins every text and stands nowhere"
            " else, and there is none",
            r"prompts such as '\^[ab]{1,9}='",
        )
