"""Makes logits of the token that follows.

    read_out(lower, node, tokens)   adds what makes the node's token the likeliest

A token v has the code c(v), and the lanes of codes and of their squares are read back by the
unembedding: 2 G y and -G in them give every token the logit -G (y - c(v))^2 + G y^2. The token of
the greatest of several numbers is told by a lane for each token instead. Rules of this file: G is
so large that what the embedding adds by itself does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.heads.matches import at_query, sides_of
from handcraft.lowering.lower import Lowering
from handcraft.lowering.pointwise import images, mapped
from handcraft.lowering.reading.nodes import Node, conjuncts
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import (
    BOS,
    Held,
    Hinge,
    LaneTable,
    Stream,
    neurons_after,
    zero_at_bos,
)

MARGIN = 8.0


def read_out(lower: Lowering, node: Node, tokens: Sequence[str]) -> None:
    """Writes the logits of the token that is the value of a node."""
    if node.op == "most":
        _greatest(lower, node, tokens)
    else:
        _coded(lower, node, lower.hold(node))


def _coded(lower: Lowering, node: Node, held: Held) -> None:
    """2 G y in the lane of codes, -G in that of their squares."""
    stream, codes = lower.stream, lower.codes
    known = held.codes or {}
    wanted = {x: codes[x] for x in known if isinstance(x, str) and x in codes}
    if not wanted or len(wanted) < len([x for x in known if x is not None]):
        raise Refused(
            node,
            "is not always a token of the vocabulary",
            "tokens= with all of them",
        )
    f = images((known[x], code) for x, code in wanted.items())
    if f is None:
        raise Refused(node, "has two tokens of one code", "other tokens")
    y, radius = mapped(stream, held.z, held.radius, f, "answer")
    code = _table(stream, "code", codes, lower)
    squares = {t: x * x for t, x in codes.items()}
    square = _table(stream, "code_squared", squares, lower)
    gain = _gain(node, lower, {*wanted.values()}, radius)
    _write(stream, {code: y}, {square: -gain}, 2 * gain)


def _table(
    stream: Stream, name: str, table: Mapping[str, float], lower: Lowering
) -> Lane:
    """The lane of a table of all tokens; it may be known as one of those that are read."""
    inside = {t: table[t] for t in lower.domains.alphabet}
    lane = stream.table(name, LaneTable(tokens=inside))
    stream.tables[lane] = LaneTable(tokens=dict(table))
    return lane


def _gain(
    node: Node, lower: Lowering, wanted: set[float], radius: float
) -> float:
    """So large that the right token's logit is ahead of what the embedding adds by itself."""
    lead = min(
        (
            (y - v) ** 2 - 2 * abs(y - v) * radius
            for y in wanted
            for v in lower.codes.values()
            if v != y
        ),
        default=1.0,
    )
    if lead <= 0:
        raise Refused(
            node,
            f"is only known to {radius:.2g} where it is answered",
            "a shorter window",
        )
    return _least_gain(lower.stream, lead)


def _least_gain(stream: Stream, lead: float) -> float:
    leak = 0.0
    for table in stream.tables.values():
        xs = [*table.tokens.values(), 0.0]
        leak += max(map(abs, xs)) * (max(xs) - min(xs))
    gain = 1.0
    while gain * lead < leak + MARGIN:
        gain *= 2
    return gain


# ---------------------------------------------------------------- the greatest of several numbers


def _greatest(lower: Lowering, node: Node, tokens: Sequence[str]) -> None:
    """G times each number in a lane of its token; of equals, the first has a little more."""
    named = [token for (token,), _ in node.data]
    if len(set(named)) < len(named) or not set(named) <= set(tokens):
        raise Refused(node, "names a token twice", "one number for each token")
    numbers = [_as_total(lower, arg) for arg in node.args]
    held = [lower.standard(arg) for arg in numbers]
    domains = [lower.domain(arg) for arg in numbers]
    if any(
        h is None or d.none or not d.exact
        for h, d in zip(held, domains, strict=True)
    ):
        raise Refused(
            node, "compares what is not always a number", "otherwise(e, 0)"
        )
    step = min(float(d.step or 1) for d in domains)
    nearer = step / (len(named) + 1)
    radius = max(h.radius for h in held if h is not None)
    if nearer <= 2 * radius:
        raise Refused(
            node, f"compares numbers known to {radius:.2g}", "a shorter window"
        )
    lanes = [_lane_of(lower, token) for token in named]
    gain = _least_gain(lower.stream, nearer - 2 * radius)
    least = min(float(d.low) for d in domains)
    adds, fixed = {}, {}
    for i, (lane, h) in enumerate(zip(lanes, held, strict=True)):
        if h is None:
            continue
        adds[lane] = Affine.of(dict(h.z.terms))
        fixed[lane] = gain * (
            h.z.constant + (len(named) - i) * nearer - least + 1
        )
    _write(
        lower.stream,
        {k: x for k, x in adds.items() if x.terms},
        fixed,
        gain,
    )


def _lane_of(lower: Lowering, token: str) -> Lane:
    """A lane that is read back as this token alone."""
    if token not in lower.domains.alphabet:
        if lower.anchored and lower.codes.get(token) == 0.0:
            return BOS
        return lower.stream.table(f"is_{token}", LaneTable(tokens={token: 1.0}))
    core = lower.core
    same = core.make("equal", core.token, core.constant(token))
    one = core.make("cases", same, core.true, core.constant(0))
    ((lane, _),) = lower.hold(one).z.terms
    return lane


def _as_total(lower: Lowering, node: Node) -> Node:
    """A count whose conditions on the key alone are what is summed, so that one head sums many."""
    if node.op != "select" or node.data != "count":
        return node
    core = lower.core
    parts = list(conjuncts(node.condition))
    alone = [x for x in parts if not sides_of(x)[1]]
    if not alone:
        return node
    rest = core.both(*(x for x in parts if x not in alone))
    flag = at_query(core.both(*alone), lower)
    value = core.make("cases", flag, core.true, core.constant(0))
    return core.select("total", rest, value, says=node.says)


# ---------------------------------------------------------------- rules


def _write(
    stream: Stream,
    adds: Mapping[Lane, Affine],
    fixed: Mapping[Lane, float],
    gain: float,
) -> None:
    """By the head that brings the values, where they are its lanes and nothing else reads them;
    else by neurons. What is added is so many times the expression.
    """
    if _by_head(stream, adds, fixed, gain):
        return
    time = neurons_after(stream.time_of(*adds.values()))
    for lane, x in adds.items():
        for sign in (1.0, -1.0):
            when = zero_at_bos(x.scaled(sign))
            stream.hinges.append(
                Hinge(when, {lane: sign * gain}, time, final=True)
            )
    stream.constants += [(time, lane, x) for lane, x in fixed.items()]


def _by_head(
    stream: Stream,
    adds: Mapping[Lane, Affine],
    fixed: Mapping[Lane, float],
    gain: float,
) -> bool:
    if any(len(x.terms) != 1 for x in adds.values()):
        return False
    sources = {lane: x.terms[0] for lane, x in adds.items()}
    constants = {
        lane: gain * x.constant for lane, x in adds.items() if x.constant
    }
    brought = {lane for lane, _ in sources.values()}
    if len(brought) < len(sources) or _is_read(stream, brought):
        return False
    i = next(
        (i for i, head in enumerate(stream.heads) if brought <= {*head.adds}),
        None,
    )
    if i is None:
        return False
    head = stream.heads[i]
    given = {
        to: (head.adds[lane][0], head.adds[lane][1] * by * gain)
        for to, (lane, by) in sources.items()
    }
    kept = {lane: x for lane, x in head.adds.items() if lane not in brought}
    bias = dict(head.bias)
    for lane, x in [*fixed.items(), *constants.items()]:
        bias[lane] = bias.get(lane, 0.0) + x
    stream.heads[i] = replace(
        head, adds={**kept, **given}, bias=bias, final=True
    )
    for lane in brought:
        del stream.times[lane]
    return True


def _is_read(stream: Stream, lanes: set[Lane]) -> bool:
    rules = [*stream.heads, *stream.hinges]
    return any(not lanes.isdisjoint(rule.read) for rule in rules)
