"""Says a condition as scores: 0 where it holds, and less than minus 1 where it does not.

    Match     rows of (query, key) whose products sum to such a score, and how exact it is
    matched   the rows of one condition

A key's value that must equal the query's is -(q - k)^2: three rows. Every other condition of few
values is told class by class: a key offers a lane for each class of its values, and a query asks
for minus 1 of each class that it does not want. Rules of this file: at BOS all rows are 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from handcraft.language.affine import Affine
from handcraft.lowering.ground import Ground
from handcraft.lowering.reading.bases import bases_of, function_of
from handcraft.lowering.reading.domain import Domain
from handcraft.lowering.reading.domains import MOST_COMBINED
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import FLOAT32, ONE, Held, constant, zero_at_bos

_ROUNDED = 1e-12  # an error so small is lost in a whole number
ScoreRow = tuple[Affine, Affine]
WELL_KNOWN = 1e-6  # a number known so well may be compared with another where keys are counted
MIXED = 1 / 8  # how far a count may be from itself
OFF = 6.0  # a score may be off by so much where one key is chosen


@dataclass(frozen=True)
class Match:
    """Rows of (query, key).

    rows    their products sum to 0 where the condition holds
    apart   and to at most minus this where it does not
    radius  how far the float32 score can be from that, for a strength of 1
    exact   True if 0 is meant absolutely; False if a number of the query may be added to all
    """

    rows: tuple[ScoreRow, ...] = ()
    apart: float = 1.0
    radius: float = 0.0


def matched(
    lower: Ground,
    part: Node,
    *,
    absolute: bool,
    counted: bool,
    strength: float,
) -> Match:
    """The rows of one condition; `absolute` where its score is compared with that of BOS, and
    `counted` where every error of it is one of a sum. The score is that many times `strength`.
    """
    keys, queries = sides_of(part)
    if not keys:
        return _of_query(lower, part)
    if not queries:
        return _of_key(lower, part)
    most = WELL_KNOWN if counted else None
    found = _equality(lower, part, absolute, most, strength)
    return found or _classes(lower, part)


def sides_of(part: Node) -> tuple[list[Node], list[Node]]:
    """What a condition reads at the key position (without `there`), and at the query."""
    bases = bases_of(part)
    keys = [base.args[0] for base in bases if base.op == "there"]
    return keys, [base for base in bases if base.op != "there"]


def at_query(part: Node, lower: Ground) -> Node:
    """The same with every `there` taken away: the value if the key is the query."""
    if part.op == "there":
        return part.args[0]
    if part.is_leaf or part.op == "select":
        return part
    args = tuple(at_query(arg, lower) for arg in part.args)
    return lower.core.make(part.op, *args, data=part.data)


def _of_query(lower: Ground, part: Node) -> Match:
    flag = lower.flag(part)
    return Match(((flag.z.plus(constant(-1)), ONE),), 1.0, flag.radius)


def _of_key(lower: Ground, part: Node) -> Match:
    flag = lower.flag(at_query(part, lower))
    key = zero_at_bos(flag.z).plus(ONE.scaled(-1.0))
    return Match(((constant(1), key),), 1.0, flag.radius)


# ---------------------------------------------------------------- equality


def _equality(
    lower: Ground,
    part: Node,
    absolute: bool,
    most: float | None,
    strength: float,
) -> Match | None:
    """-(q - k)^2, where both sides are numbers or both are tokens."""
    if part.op != "equal":
        return None
    sides = [sides_of(arg) for arg in part.args]
    for (key, query), (keys, queries) in (
        (part.args, (sides[0], sides[1])),
        (part.args[::-1], (sides[1], sides[0])),
    ):
        if keys[1] or queries[0] or not keys[0]:
            continue
        return _equal(
            lower,
            at_query(key, lower),
            query,
            absolute,
            most,
            strength,
        )
    return None


def _equal(
    lower: Ground,
    key: Node,
    query: Node,
    absolute: bool,
    most: float | None,
    strength: float,
) -> Match | None:
    k, q = lower.standard(key), lower.standard(query)
    if k is None or q is None or _meet(k, q):
        return None
    gap = _least_gap(lower.domain(key), lower.domain(query), k, q)
    if gap is None or not gap:
        return None
    off = 2 * (q.reach * k.radius + q.radius * k.reach) * strength
    far = max(k.radius, q.radius)
    if far > most if most is not None else off > OFF * min(1.0, gap * gap):
        k, q = lower.exact(key, k), lower.exact(query, q)
    square = lower.squared(key, k)
    if square is None:
        return None
    rows: list[ScoreRow] = [
        (q.z.scaled(2.0), zero_at_bos(k.z)),
        (constant(-1), zero_at_bos(square.z)),
    ]
    error = q.reach * 2 * k.radius + 2 * q.radius * k.reach + square.radius
    if absolute:
        own = lower.squared(query, q)
        if own is None:
            return None
        rows.append((own.z.scaled(-1.0), ONE))
        error += own.radius
    if (
        error > _ROUNDED
    ):  # else float32 holds all of the numbers, and their sums
        error += 4 * FLOAT32 * (k.reach + q.reach) ** 2
    if most is not None and strength * error > MIXED * gap * gap / lower.n:
        return None  # flags of the values forget the error
    return Match(tuple(rows), gap * gap, error)


def _meet(k: Held, q: Held) -> bool:
    """True if what is undefined could equal something."""
    kc, qc = k.codes, q.codes
    if kc is None or qc is None:
        return False
    none_k, none_q = kc.get(None), qc.get(None)
    values = {z for x, z in (*kc.items(), *qc.items()) if x is not None}
    if none_k is not None and none_k in values:
        return True
    if none_q is not None and none_q in values:
        return True
    return none_k is not None and none_k == none_q


def _least_gap(dk: Domain, dq: Domain, k: Held, q: Held) -> float | None:
    if k.codes is not None and q.codes is not None:
        if len(k.codes) * len(q.codes) > MOST_COMBINED:
            return None
        gaps = {abs(a - b) for a in k.codes.values() for b in q.codes.values()}
        return float(min(gaps - {0.0}, default=1.0))
    parts = (dk.step, dq.step, dk.low, dq.low)
    whole = all(x is not None and x == int(x) for x in parts)
    return 1.0 if whole else None


# ---------------------------------------------------------------- classes


def _classes(lower: Ground, part: Node) -> Match:
    """A row for each class of keys that some query does not want."""
    keys, queries = one_sided(part)
    at_keys = [at_query(key, lower) for key in keys]
    key_rows = _rows_of(lower, part, at_keys)
    query_rows = _rows_of(lower, part, queries)
    if len(key_rows) * len(query_rows) > MOST_COMBINED:
        raise Refused(
            part,
            "compares too many values",
            "a shorter window or a smaller alphabet",
        )
    ask = function_of(part, [*keys, *queries])
    unwanted = [
        tuple(ask((*k, *q)) in (0, None) for q in query_rows) for k in key_rows
    ]
    rows: list[ScoreRow] = []
    radius = 0.0
    for nos, members in _grouped(unwanted).items():
        if not any(nos):
            continue
        has = lower.indicator(at_keys, key_rows, members)
        no = frozenset(i for i, x in enumerate(nos) if x)
        asks = lower.indicator(queries, query_rows, no)
        rows.append((asks.z.scaled(-1.0), zero_at_bos(has.z)))
        radius += has.radius + asks.radius
    return Match(tuple(rows), 1.0, radius)


def _rows_of(
    lower: Ground, part: Node, nodes: list[Node]
) -> list[tuple[Any, ...]]:
    """All combinations of the values of some nodes."""
    lists = [lower.listed(node) for node in nodes]
    if prod(map(len, lists)) > MOST_COMBINED:
        raise Refused(
            part,
            "compares too many values",
            "a shorter window or a smaller alphabet",
        )
    return list(product(*lists))


def one_sided(part: Node) -> tuple[list[Node], list[Node]]:
    """The largest parts that are read at the key position alone, and at the query alone."""
    keys: dict[int, Node] = {}
    queries: dict[int, Node] = {}

    def walk(node: Node) -> None:
        at_key, at_own = sides_of(node)
        if at_key and at_own:
            for arg in node.args:
                walk(arg)
        elif at_key:
            keys[id(node)] = node
        elif at_own:
            queries[id(node)] = node

    walk(part)
    return list(keys.values()), list(queries.values())


def _grouped(
    truths: list[tuple[bool, ...]],
) -> Mapping[tuple[bool, ...], frozenset[int]]:
    groups: dict[tuple[bool, ...], set[int]] = {}
    for i, row in enumerate(truths):
        groups.setdefault(row, set()).add(i)
    return {row: frozenset(members) for row, members in groups.items()}
