"""Makes logits of the value of a node.

    read_out(lower, node, held, codes, answers)   of the tokens that say its values
    read_out_token(lower, node, tokens)           of the token that it is, or of that which has the
                                                  greatest of several numbers

A token v has the code c(v), and the lanes of codes and of their squares are read back by the
unembedding: 2 G y and -G in them give every token the logit -G (y - c(v))^2 + G y^2. The token of
the greatest of several numbers is told by a lane for each token instead. Rules of this file: G is
so large that what the embedding adds by itself does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.matches import at_query, sides_of
from handcraft.lowering.pointwise import mapped, sure_images
from handcraft.lowering.reading.nodes import Node, conjuncts
from handcraft.lowering.refusals import Refused, blaming
from handcraft.lowering.scheduling.rewriting import rules_of
from handcraft.lowering.stream import (
    BOS,
    Held,
    Hinge,
    LaneTable,
    Stream,
    neurons_after,
    zero_at_bos,
)
from handcraft.sequence.values import Value

_MARGIN = 8.0


def read_out(
    lower: Ground,
    node: Node,
    held: Held,
    codes: Mapping[str, float],
    answers: Mapping[Value, str],
    *,
    begin_answers: bool = False,
) -> None:
    """Adds 2 G y to the lane of codes and -G to that of their squares. Raises Refused.

    codes          {token: its code}
    answers        {value of the node: the token that says it}
    begin_answers  True if the token that stands before each text can be an answer too
    """
    stream = lower.stream
    y, radius = _as_code(lower, node, held, codes, answers)
    code = _table(lower, "code", codes)
    squares = {t: x * x for t, x in codes.items()}
    square = _table(lower, "code_squared", squares)
    wanted = {codes[t] for t in answers.values()}
    gain = _least_gain(stream, _lead(node, codes, wanted, radius))
    fixed = {square: -gain}
    if not begin_answers:  # it has no code, so its logit would be 0
        fixed[BOS] = -gain * (4 * max(squares.values()) + 4)
    if not y.constant or begin_answers:
        _write(stream, {code: y}, fixed, 2 * gain)
    else:
        _by_neurons(stream, {code: y}, fixed, 2 * gain)


def read_out_token(lower: Ground, node: Node, tokens: Sequence[str]) -> None:
    """Writes the logits of the token that is the value of a node. Raises Refused."""
    if node.op == "most":
        _greatest(lower, node, tokens)
        return
    held, codes = lower.hold(node), lower.codes
    known = [x for x in held.codes or {} if x is not None]
    answers: dict[Value, str] = {
        x: x for x in known if isinstance(x, str) and x in codes
    }
    if not answers or len(answers) < len(known):
        raise Refused(
            node,
            "is not always a token of the vocabulary",
            "tokens= with all of them",
        )
    read_out(lower, node, held, codes, answers, begin_answers=True)


def _as_code(
    lower: Ground,
    node: Node,
    held: Held,
    codes: Mapping[str, float],
    answers: Mapping[Value, str],
) -> tuple[Affine, float]:
    """The code of the answer, and how well it is known."""
    known = held.codes or {}
    pairs = [(known[x], codes[t]) for x, t in answers.items() if x in known]
    if not pairs:
        raise Refused(
            node,
            "has too many answers to be tokens",
            "round_() or clip() around it",
        )
    with blaming(node):
        f = sure_images(pairs)
        return mapped(lower.stream, held.z, held.radius, f, "answer")


def _table(lower: Ground, name: str, table: Mapping[str, float]) -> Lane:
    """The lane of a table of all tokens; it may be known as one of those that are read."""
    inside = {t: table[t] for t in lower.domains.alphabet}
    lane = lower.stream.table(name, LaneTable(tokens=inside))
    lower.stream.tables[lane] = LaneTable(tokens=dict(table))
    return lane


def _lead(
    node: Node, codes: Mapping[str, float], wanted: set[float], radius: float
) -> float:
    """How far the right token's logit is ahead of any other's, in parts of the gain."""
    leads = [  # of the nearest codes; where theirs is above 0, that of others is greater
        (y - v) ** 2 - 2 * (v - y) * radius - _rounded(y, v)
        for y, v in pairwise(sorted({*codes.values()}))
        if y in wanted or v in wanted
    ]
    lead = min(leads, default=1.0)  # a single token is right everywhere
    if lead <= 0:
        raise Refused(
            node,
            f"is only known to {radius:.2g} where it is answered",
            "a shorter window",
        )
    return lead


def _rounded(y: float, v: float) -> float:
    """What float32 leaves open between the logits of two codes, in parts of the gain; nothing
    where they are whole.
    """
    if y == int(y) and v == int(v):
        return 0.0
    return 2.0**-20 * max(abs(y), abs(v)) ** 2


def _least_gain(stream: Stream, lead: float) -> float:
    """The least power of 2 by which the lead exceeds what the embedding adds by itself."""
    leak = 0.0
    for table in stream.tables.values():
        xs = [*table.tokens.values(), 0.0]
        leak += max(map(abs, xs)) * (max(xs) - min(xs))
    gain = 1.0
    while gain * lead < leak + _MARGIN:
        gain *= 2
    return gain


# ---------------------------------------------------------------- the greatest of several numbers


def _greatest(lower: Ground, node: Node, tokens: Sequence[str]) -> None:
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


def _lane_of(lower: Ground, token: str) -> Lane:
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


def _as_total(lower: Ground, node: Node) -> Node:
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
    if not _by_head(stream, adds, fixed, gain):
        _by_neurons(stream, adds, fixed, gain)


def _by_neurons(
    stream: Stream,
    adds: Mapping[Lane, Affine],
    fixed: Mapping[Lane, float],
    gain: float,
) -> None:
    """Two neurons for each lane: one adds what is above 0, the other what is below."""
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
    return any(not lanes.isdisjoint(rule.read) for rule in rules_of(stream))
