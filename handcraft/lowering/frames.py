"""The frames in which an expression becomes a program: what is read, and where it answers.

tag(e, tokens=, n=)   the value of e at every position of a text
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.domains import Domain, Domains
from handcraft.lowering.emit import BOS_TOKEN, blocks_of, slots_of
from handcraft.lowering.lower import Lowering
from handcraft.lowering.nodes import Core, Node
from handcraft.lowering.pointwise import images, mapped
from handcraft.lowering.refusals import Refused
from handcraft.lowering.schedule import Sizes, cheapest
from handcraft.lowering.stream import (
    BOS,
    Held,
    Hinge,
    Stream,
    Table,
    gated,
    neurons_after,
)
from handcraft.program.program import Program
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

MARGIN = 8.0


def tag(
    e: Expression,
    *,
    tokens: Iterable[str],
    n: int,
    causal: bool = False,
    name: str | None = None,
) -> Program:
    """The program that answers each position of a text of 1 to n tokens with the value of e."""
    try:
        return _tagging(e, tuple(tokens), n, causal=causal, name=name)
    except Refused as found:
        raise found.error() from None


def _tagging(
    e: Expression,
    alphabet: tuple[str, ...],
    n: int,
    *,
    causal: bool,
    name: str | None,
) -> Program:
    core = Core(causal=causal)
    node = core.of(e)
    domains = Domains(alphabet, n, causal=causal)
    lower = Lowering(core, domains, {})
    vocabulary, codes, answers = _codes(node, lower.domain(node), alphabet)
    lower.codes = codes
    held = lower.hold(node)
    _read_out(lower, node, held, codes, answers)
    stream = cheapest(lower.stream, Sizes(len(vocabulary), n + 1))
    return Program(
        name=name or "tagged",
        embedding=slots_of(stream, vocabulary, n + 1),
        layers=blocks_of(stream),
        vocabulary=vocabulary,
        n_ctx=n + 1,
        causal=causal,
    )


def spelled(value: Value) -> str:
    """The token of an answer."""
    return value if isinstance(value, str) else str(value)


def _codes(
    node: Node, domain: Domain, alphabet: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, float], dict[Value, str]]:
    """The vocabulary, the code of each token, and the token of each answer.

    The answers that are numbers have themselves as codes; what is no answer is below them.
    """
    values = domain.values
    if values is None:
        raise Refused(
            node,
            "has too many answers to be tokens",
            "round_() or clip() around it",
        )
    if set(values) <= {None}:
        raise Refused(node, "is undefined everywhere", "otherwise(e, value)")
    answers = {x: spelled(x) for x in values if x is not None}
    more = [t for t in answers.values() if t not in alphabet]
    vocabulary = (BOS_TOKEN, *alphabet, *more)
    numbers = {
        t: float(x) for x, t in answers.items() if not isinstance(x, str)
    }
    texts = sorted({*alphabet, *more} - numbers.keys())
    if numbers:
        low = min(min(numbers.values()), 0.0)
        codes = {t: low - 1 - i for i, t in enumerate(reversed(texts))}
    else:
        codes = {t: float(i + 1) for i, t in enumerate(texts)}
    return vocabulary, {**codes, **numbers}, answers


def _read_out(
    lower: Lowering,
    node: Node,
    held: Held,
    codes: dict[str, float],
    answers: dict[Value, str],
) -> None:
    """Adds 2 G y to the lane of codes and -G to that of their squares."""
    stream = lower.stream
    y, radius = _as_code(lower, held, codes, answers)
    code = stream.table("code", Table(tokens=_inside(codes, lower)))
    square = stream.table(
        "code_squared",
        Table(tokens={t: x * x for t, x in _inside(codes, lower).items()}),
    )
    widen(stream, code, codes)
    widen(stream, square, {t: x * x for t, x in codes.items()})
    gain = _gain(node, stream, codes, answers, radius)
    reach = 4 * max(x * x for x in codes.values()) + 4
    _write(stream, y, code, square, gain, reach)


def _inside(codes: dict[str, float], lower: Lowering) -> dict[str, float]:
    return {t: codes[t] for t in lower.domains.alphabet}


def widen(stream: Stream, lane: Lane, table: Mapping[str, float]) -> None:
    """Gives a table the tokens that are answers only."""
    stream.tables[lane] = Table(tokens=dict(table))


def _as_code(
    lower: Lowering,
    held: Held,
    codes: dict[str, float],
    answers: dict[Value, str],
) -> tuple[Affine, float]:
    known = held.codes
    assert known is not None
    pairs = [(known[x], codes[t]) for x, t in answers.items() if x in known]
    f = images(pairs)
    assert f is not None
    return mapped(lower.stream, held.z, held.radius, f, "answer")


def _gain(
    node: Node,
    stream: Stream,
    codes: dict[str, float],
    answers: dict[Value, str],
    radius: float,
) -> float:
    """So large that the right answer's logit is ahead of what the embedding adds by itself."""
    leak = 0.0
    for table in stream.tables.values():
        xs = [*table.tokens.values()]
        if xs:
            leak += max(map(abs, xs)) * (max(xs + [0.0]) - min(xs + [0.0]))
    wanted = {codes[t] for t in answers.values()}
    others = {*codes.values()}
    lead = min(
        (y - v) ** 2 - 2 * abs(y - v) * radius
        for y in wanted
        for v in others
        if v != y
    )
    if lead <= 0:
        raise Refused(
            node,
            f"is only known to {radius:.2g} where it is answered",
            "a shorter window",
        )
    gain = 1.0
    while gain * lead < leak + MARGIN:
        gain *= 2
    return gain


def _write(
    stream: Stream,
    y: Affine,
    code: Lane,
    square: Lane,
    gain: float,
    reach: float,
) -> None:
    """By the head that brings y, where it is one lane, else by neurons."""
    fixed = {square: -gain, BOS: -gain * reach}
    for i, head in enumerate(stream.heads):
        if len(y.terms) == 1 and not y.constant and y.terms[0][0] in head.adds:
            lane, factor = y.terms[0]
            if any(lane in other.read for other in stream.heads) or any(
                lane in hinge.when.lanes_read for hinge in stream.hinges
            ):
                break
            what, by = head.adds[lane]
            adds = {code if k == lane else k: v for k, v in head.adds.items()}
            adds[code] = (what, by * factor * 2 * gain)
            stream.heads[i] = replace(
                head, adds=adds, bias={**head.bias, **fixed}, final=True
            )
            del stream.times[lane]
            return
    time = neurons_after(stream.time_of(y))
    for sign in (1.0, -1.0):
        stream.hinges.append(
            Hinge(
                gated(y.scaled(sign)), {code: 2 * gain * sign}, time, final=True
            )
        )
    stream.constants += [(time, lane, x) for lane, x in fixed.items()]
