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

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from handcraft.language.affine import Affine
from handcraft.lowering.domains import (
    MOST_COMBINED,
    bases_of,
    function_of,
)
from handcraft.lowering.matches import Match, at_query, matched, sides_of
from handcraft.lowering.nodes import Node, Settled, linear, parts_of
from handcraft.lowering.placing import freed, placed
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import BOS, Held, constant, gated
from handcraft.sequence.values import Value

if TYPE_CHECKING:
    from handcraft.lowering.lower import Lowering

UNIT = 2.0**-24
ANCHOR = (
    2.0**30
)  # how many times the attention of a key BOS gets, where keys are counted
MOST_CLASSES = 8  # positions that are compared without digits
COUNTED, FETCHED = 32.0, 64.0  # the strength of a condition
NEARER = 32.0  # the score from one position to the next, where one of several is chosen
LARGEST_SCORE = 2.0**24  # float32 holds every whole number up to this one
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


def selected(lower: Lowering, node: Node) -> Held:
    """How a selection stands in the stream. Raises Refused."""
    return _KINDS[node.data](lower, node)


def score_of(
    lower: Lowering,
    condition: Node,
    strength: float,
    *,
    absolute: bool = True,
    counted: bool = False,
) -> Score:
    """The scores of a condition."""
    rows: list[tuple[Affine, Affine]] = []
    radius, apart = 0.0, math.inf
    for part in parts_of(condition):
        if lower.causal and _masked(part):
            continue
        found: Match = matched(lower, part, absolute=absolute, counted=counted)
        by = strength / min(1.0, found.apart)
        rows += [(q.scaled(by), k) for q, k in found.rows]
        radius += by * found.radius
        apart = min(apart, by * found.apart)
    return Score(_merged(rows), radius, apart)


def _masked(part: Node) -> bool:
    """True for a condition that holds for all keys that a causal query sees."""
    if part.op != "negate" or part.args[0].op != "below":
        return False
    query, key = part.args[0].args
    is_key = key.op == "there" and key.args[0].op == "index"
    return is_key and query.op == "index"  # not (i < there(i))


def _merged(
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


def _sink(lower: Lowering, score: float) -> float:
    """What BOS must prefer itself by, as a query, where others score up to so much more."""
    return 0.0 if lower.causal else 2.0 ** math.ceil(math.log2(score + 64.0))


# ---------------------------------------------------------------- counts


def _counted(lower: Lowering, node: Node) -> Held:
    if (split := _split(lower, node)) is not None:
        held = lower.hold(split)
        return lower.held_number(node, held.z, held.radius)
    _need_anchor(lower, node)
    condition, own = _without_self(lower, node.condition)
    value = lower.core.constant(1) if node.data == "count" else node.value
    domain = lower.domain(value)
    if domain.none:
        raise Refused(
            value,
            "may be undefined, and so would be the sum",
            "otherwise(value, 0)",
        )
    number = lower.standard(value)
    if number is None:
        raise Refused(value, "is no number", "lookup({token: number}, value)")
    score = score_of(lower, condition, COUNTED, counted=True)
    anchored = (
        *score.rows,
        (constant(math.log(ANCHOR)), BOS.expression()),
    )
    lane = lower.stream.attend(
        _merged(anchored),
        lower.named(node),
        [(gated(number.z), ANCHOR)],
        lower.says(node),
        _sink(lower, 0.0),
    )[0]
    most = max(abs(float(domain.low)), abs(float(domain.high)))
    relative = (
        math.expm1(score.radius)
        + 2.0**-17
        + lower.n / ANCHOR
        + math.exp(-min(score.apart, 700))
    )
    radius = lower.n * (most * relative + number.radius)
    found = lower.held_number(node, lane.expression(), radius)
    if own is None:
        return found
    return _less_own(lower, node, found, own, number)


def _split(lower: Lowering, node: Node) -> Node | None:
    """The sum of a count of a | b: that of a and of b, less that of both where there are any."""
    core = lower.core
    parts = [_by_digits(lower, part) for part in parts_of(node.condition)]
    either = next((part for part in parts if part.op == "either"), None)
    if either is None:
        return None
    rest = [part for part in parts if part is not either]
    a, b = either.args

    def of(*more: Node) -> Node:
        return core.select(node.data, core.both(*rest, *more), node.value)

    found = core.make("add", of(a), of(b))
    if _contradict(lower, a, b):
        return found
    return core.make("subtract", found, of(a, b))


def _by_digits(lower: Lowering, part: Node) -> Node:
    """A comparison of a key's whole number with a query's by two digits, where it has many."""
    if part.op != "below" or (lower.causal and _strictly_earlier(part)):
        return part
    core, sides = lower.core, [sides_of(arg) for arg in part.args]
    (first, second) = part.args
    if sides[0][1] or sides[1][0]:
        if sides[0][0] or sides[1][1]:
            return part  # both read at both
    elif not (sides[0][0] and sides[1][1]):
        return part
    domains = [lower.domain(at_query(arg, lower)) for arg in part.args]
    most = max(float(d.high) for d in domains)
    if not all(map(_digital, domains)) or most <= MOST_CLASSES:
        return part
    base = core.constant(math.isqrt(int(most)) + 1)
    exact = [core.make("exact", arg) for arg in (first, second)]
    highs = [core.make("divide", arg, base) for arg in exact]
    lows = [core.make("modulo", arg, base) for arg in exact]
    return core.make(
        "either",
        core.make("below", *highs),
        core.both(core.make("equal", *highs), core.make("below", *lows)),
    )


def _digital(domain: Any) -> bool:
    """True for whole numbers from 0 on, each of which is one."""
    return (
        not domain.none
        and domain.numeric
        and domain.step == 1
        and domain.low >= 0
        and domain.low == int(domain.low)
    )


def _contradict(lower: Lowering, a: Node, b: Node) -> bool:
    """True if a part of a and a part of b never hold together."""
    return any(
        _never(lower, lower.core.both(x, y))
        for x in parts_of(a)
        for y in parts_of(b)
    )


def _never(lower: Lowering, condition: Node) -> bool:
    bases = bases_of(condition)
    lists = [lower.domain(base).values for base in bases]
    if (
        any(x is None for x in lists)
        or prod(len(x or ()) for x in lists) > MOST_COMBINED
    ):
        return False
    ask = function_of(condition, bases)
    return all(
        ask(row) in (0, None) for row in product(*(x or () for x in lists))
    )


def _without_self(lower: Lowering, condition: Node) -> tuple[Node, Node | None]:
    """A condition with `there(indices) < indices` taken out, where a causal query sees itself and
    what is earlier: then what the query would select of itself is taken away from the sum.
    """
    if not lower.causal:
        return condition, None
    parts = list(parts_of(condition))
    strict = [part for part in parts if _strictly_earlier(part)]
    if not strict:
        return condition, None
    rest = lower.core.both(*(part for part in parts if part not in strict))
    return rest, at_query(rest, lower)


def _strictly_earlier(part: Node) -> bool:
    if part.op != "below":
        return False
    key, query = part.args
    is_key = key.op == "there" and key.args[0].op == "index"
    return is_key and query.op == "index"


def _less_own(
    lower: Lowering, node: Node, found: Held, own: Node, number: Held
) -> Held:
    core = lower.core
    value = core.constant(1) if node.data == "count" else node.value
    counted = core.make("cases", own, value, core.constant(0))
    mine = lower.standard(counted)
    assert mine is not None
    return lower.held_number(
        node,
        found.z.plus(mine.z.scaled(-1.0)),
        found.radius + mine.radius,
    )


def _need_anchor(lower: Lowering, node: Node) -> None:
    """Raises Refused where no token stands before the text, which the others are weighed by."""
    if not lower.anchored:
        raise Refused(
            node,
            "is weighed against a token that begins every text and stands nowhere"
            " else, and there is none",
            r"prompts such as '\^[ab]{1,9}='",
        )


# ---------------------------------------------------------------- one key


def _one(
    lower: Lowering,
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
        _need_anchor(lower, node)
        z, codes = freed(z, codes, default)
    bos = score.apart / 2 if maybe_none else score.apart + 2 * SLACK
    rows = _merged([*score.rows, (constant(-bos), BOS.expression())])
    lane = lower.stream.attend(
        rows,
        lower.named(node),
        [(gated(z), 1.0)],
        lower.says(node),
        _sink(lower, bos + score.reach),
    )[0]
    behind = min(bos, score.apart, score.nearer) - 2 * score.radius
    if behind < SLACK:
        raise Refused(
            node,
            f"would have the right key ahead by {behind:.3g} only, {SLACK:g} are needed",
            "a shorter window",
        )
    reach = max(map(abs, codes.values()), default=0.0)
    leak = 2 * reach * lower.n * math.exp(-behind)
    return Held(lane.expression(), codes, held.radius + leak + 8 * UNIT * reach)


def _fetched(lower: Lowering, node: Node) -> Held:
    place = _place(node)
    if place is not None and place.op == "select" and place.data in _CHOOSING:
        return _chosen(lower, node, place)
    condition = node.condition
    if place is None and not _known_to_be_one(lower, condition):
        raise Refused(
            node,
            "is not known to select one position",
            "fetch(value, latest(condition)) or first(condition), which do",
        )
    default = node.default
    if default is not None and default.op != "constant":
        none = lower.core.select("fetch", condition, node.value, says=node.says)
        return lower.hold(lower.core.make("otherwise", none, default))
    certain = place is not None and _inside(lower, place)
    certain = certain or isinstance(node.data, Settled)
    score = score_of(lower, condition, FETCHED, absolute=not certain)
    behind = score.apart * (1.0 if certain else 0.5) - 2 * score.radius
    if 0 < behind < SLACK:  # all of it grows with the strength
        more = 2.0 ** math.ceil(math.log2(SLACK / behind))
        score = score_of(lower, condition, more * FETCHED, absolute=not certain)
    if (
        certain
    ):  # the square of the query is added to every key's score but that of BOS
        score = replace(score, reach=score.apart * lower.n**2)
    return _one(
        lower,
        node,
        node.value,
        score,
        maybe_none=not certain,
        default=None if default is None else default.data,
    )


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


def _inside(lower: Lowering, place: Node) -> bool:
    """True if a sum of the index and the length is a position of every text, that a query sees."""
    if (sums := linear(place)) is None:
        return False
    a, b, c = sums
    corners = [(1, 0), (lower.n, 0), (lower.n, lower.n - 1)]
    for length, index in corners:
        most = index if lower.causal else length - 1
        if not 0 <= a * length + b * index + c <= most:
            return False
    return True


def _known_to_be_one(lower: Lowering, condition: Node) -> bool:
    """True if no two keys can satisfy a condition: one part names an index, or a rank."""
    for part in parts_of(condition):
        if part.op != "equal":
            continue
        for key, query in (part.args, part.args[::-1]):
            if sides_of(query)[0] or not sides_of(key)[0] or sides_of(key)[1]:
                continue
            if _distinct(lower, at_query(key, lower)):
                return True
    return False


def _distinct(lower: Lowering, node: Node) -> bool:
    """True if a value is another at every position: the index, or a rank in a strict order."""
    if node.op == "index":
        return True
    if node.op in ("add", "subtract"):
        inner = [arg for arg in node.args if arg.op != "constant"]
        return len(inner) == 1 and _distinct(lower, inner[0])
    if node.op == "select" and node.data == "count" and not lower.causal:
        return _is_strict_order(node.condition)
    return False


def _is_strict_order(condition: Node) -> bool:
    """True if of two positions exactly one is before the other: by the index, or by any value and
    then, where that is equal, by such an order.
    """
    if condition.op == "below":
        return _compared(condition) in ("index", "there index")
    if condition.op != "either":
        return False
    for first, second in (condition.args, condition.args[::-1]):
        value = _compared(first)
        if value is None or second.op != "both":
            continue
        for same, rest in (second.args, second.args[::-1]):
            if _same(same) == value.removeprefix("there ") and _is_strict_order(
                rest
            ):
                return True
    return False


def _compared(part: Node) -> str | None:
    """The value of which a comparison says that the key's is less (or greater) than the query's."""
    if part.op not in ("below", "precedes"):
        return None
    a, b = part.args
    for key, query, name in ((a, b, "there "), (b, a, "")):
        if _is_there(key, query):
            return (
                f"{name}{id(query)}" if query.op != "index" else f"{name}index"
            )
    return None


def _same(part: Node) -> str | None:
    """The value that a condition says to be equal at both."""
    if part.op != "equal":
        return None
    for key, query in (part.args, part.args[::-1]):
        if _is_there(key, query):
            return str(id(query)) if query.op != "index" else "index"
    return None


def _is_there(key: Node, query: Node) -> bool:
    """True if the key's value is the query's, read at the key."""
    if key is query:
        return key.op == "constant"
    if key.op == "there":
        return key.args[0] is query
    alike = key.op == query.op and key.data == query.data
    if query.op == "select" or not alike or len(key.args) != len(query.args):
        return False
    return all(map(_is_there, key.args, query.args))


def brought(
    lower: Lowering,
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
        rows, name, [(x, 1.0) for x in values], "", _sink(lower, reach)
    )
    return [lane.expression() for lane in lanes]


# ---------------------------------------------------------------- one of several keys


_CHOOSING = ("first", "latest", "best")


def _choice(lower: Lowering, node: Node) -> Held:
    """The position that is chosen."""
    return _chosen(lower, node, node, value=lower.core.index)


def _chosen(
    lower: Lowering, node: Node, place: Node, value: Node | None = None
) -> Held:
    """The value at the position that is chosen."""
    settled = isinstance(node.data, Settled)
    score = _preferring(lower, place, absolute=not settled)
    default = node.default if value is None else None
    if default is not None and default.op != "constant":
        none = lower.core.select(
            "fetch", node.condition, node.value, says=node.says
        )
        return lower.hold(lower.core.make("otherwise", none, default))
    every = not list(parts_of(place.condition))
    certain = every and not (
        place.data == "best" and lower.domain(place.value).none
    )
    certain = certain or isinstance(node.data, Settled)
    return _one(
        lower,
        node,
        node.value if value is None else value,
        score,
        maybe_none=not certain,
        default=None if default is None else default.data,
    )


def _preferring(lower: Lowering, place: Node, *, absolute: bool) -> Score:
    """The scores of a condition, and of a preference among the keys that meet it."""
    p = lower.standard(lower.core.index)
    assert p is not None
    key, reach, radius = gated(p.z), lower.n * NEARER, 0.0
    if place.data == "latest":
        rows = [(constant(NEARER), key)]
    else:
        rows = [(constant(-NEARER), key)]
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


def _defined(lower: Lowering, value: Node) -> Node:
    there = lower.core.there(value)
    core = lower.core
    same = core.make("equal", there, there)
    return core.make("otherwise", same, core.constant(0))


def _by_value(
    lower: Lowering, place: Node
) -> tuple[list[tuple[Affine, Affine]], float, float]:
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
        [(constant(by), gated(value.z))],
        reach + lower.n * NEARER,
        by * value.radius,
    )


# ---------------------------------------------------------------- means


def _mean(lower: Lowering, node: Node) -> Held:
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
    rows = _merged([*score.rows, (constant(-bos), BOS.expression())])
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
        _sink(lower, bos),
    )[0]
    most = max(abs(float(domain.low)), abs(float(domain.high)))
    leak = lower.n * math.exp(-(bos - 2 * score.radius))
    radius = most * (leak * 2 + 2 * math.expm1(score.radius) + 2.0**-20)
    return Held(lane.expression(), None, radius + number.radius, most)


_KINDS = {
    "count": _counted,
    "total": _counted,
    "fetch": _fetched,
    "at": placed,
    "first": _choice,
    "latest": _choice,
    "best": _choice,
    "mean": _mean,
}
