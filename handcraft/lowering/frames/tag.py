"""The frames in which an expression becomes a program: what is read, and where it answers.

tag(e, tokens=, n=)   the value of e at every position of a text
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal, TypeAlias

from handcraft.claims.answers import named_by
from handcraft.claims.kinds import Each
from handcraft.claims.words import each
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import is_nest
from handcraft.core.source import caller
from handcraft.language.affine import Affine, Lane, kind_of
from handcraft.language.slot_tables import MAX_N_CTX
from handcraft.lowering.lower import Lowering
from handcraft.lowering.naming import author_variables
from handcraft.lowering.pointwise import images, mapped
from handcraft.lowering.reading.domains import Domain, Domains
from handcraft.lowering.reading.nodes import Core, Node
from handcraft.lowering.refusals import Refused
from handcraft.lowering.scheduling.emit import emitted
from handcraft.lowering.scheduling.schedule import Sizes, cheapest
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
LARGEST = 2048.0  # the logits of whole numbers up to this one are exact
Activation: TypeAlias = Literal["gelu", "relu"]


def tag(
    e: Expression,
    *,
    tokens: Iterable[str],
    n: int,
    causal: bool = False,
    begin: str = "^",
    name: str | None = None,
    activation: Activation = "gelu",
) -> Program:
    """The program that answers each position of a text with the value of e there.

        tag(count(there(tokens) == tokens), tokens="abcd", n=20)

    tokens  the alphabet of a text
    n       the most tokens of a text
    causal  True if e sees the text up to its position only, as GPT-2 does
    begin   the token that stands before the text; the claim says nothing about it

    The answers are tokens: a number is the text of it. Where e is undefined nothing is claimed.
    Raises ProgramError for an alphabet or a length that cannot be, and for an expression that
    cannot be lowered, with the part of it, the bound that it misses and what would fit.
    """
    frame = Frame(
        _alphabet(tokens, begin), _most(n), causal=causal, begin=begin
    )
    named = author_variables()
    try:
        return lowered(
            _expression(e),
            frame,
            named=named,
            name=name,
            activation=activation,
        ).program
    except Refused as found:
        raise found.error(caller()) from None


@dataclass(frozen=True)
class Frame:
    """The texts of a program: `begin`, then 1 to n tokens of an alphabet."""

    alphabet: tuple[str, ...]
    n: int
    causal: bool
    begin: str


def _expression(e: object) -> Expression:
    if not isinstance(e, Expression):
        raise ProgramError(
            f"takes an expression of handcraft.sequence.words, found {kind_of(e)}",
            ("tag",),
            caller(),
        )
    return e


def _alphabet(tokens: Iterable[str], begin: str) -> tuple[str, ...]:
    """The alphabet. Raises ProgramError for none, and for a token that stands twice."""
    found = tuple(tokens) if is_nest(tokens) or isinstance(tokens, str) else ()
    problem = None
    if not found or not all(isinstance(t, str) and t for t in found):
        problem = (
            "takes the tokens of a text, such as 'ab' or ['a', 'b'], found"
            f" {kind_of(tokens)}"
        )
    elif len(set(found)) < len(found):
        twice = next(t for t in found if found.count(t) > 1)
        problem = f"the token {twice!r} stands twice"
    elif begin in found:
        problem = (
            f"{begin!r} stands before each text, so it is no token of one; pass"
            " another one as begin="
        )
    if problem is not None:
        raise ProgramError(problem, ("tag", "tokens"), caller())
    if not isinstance(begin, str) or not begin:
        raise ProgramError(
            f"takes a token, found {begin!r:.60}", ("tag", "begin"), caller()
        )
    return found


def _most(n: object) -> int:
    """The most tokens of a text. Raises ProgramError where it is no number, or too great."""
    if isinstance(n, bool) or not isinstance(n, int) or not 0 < n < MAX_N_CTX:
        raise ProgramError(
            "takes the most tokens of a text, a whole number from 1 to"
            f" {MAX_N_CTX - 1:,}, found {n!r}",
            ("tag", "n"),
            caller(),
        )
    return n


@dataclass(frozen=True)
class Lowered:
    """A program, with how each node of its expression stands in the stream."""

    program: Program
    lowering: Lowering
    stream: Stream


def lowered(
    e: Expression,
    frame: Frame,
    *,
    named: Mapping[str, Expression] | None = None,
    name: str | None = None,
    activation: Activation = "gelu",
) -> Lowered:
    """The program of `tag`, with what it was made of. Raises Refused."""
    core = Core(causal=frame.causal)
    node = core.of(e)
    domains = Domains(frame.alphabet, frame.n, causal=frame.causal)
    lower = Lowering(core, domains, {}, named)
    vocabulary, codes, answers = _codes(
        node, lower.domain(node), named_by(e), frame
    )
    lower.codes = codes
    held = lower.hold(node)
    read_out(lower, node, held, codes, answers)
    sizes = Sizes(len(vocabulary), frame.n + 1, frame.alphabet)
    stream = cheapest(lower.stream, sizes)
    stream.meanings = lower.meanings()
    slots, blocks = emitted(stream, vocabulary, frame.n + 1)
    program = Program(
        name=name,
        embedding=slots,
        layers=blocks,
        claim=_claim(e, answers, frame),
        vocabulary=vocabulary,
        n_ctx=frame.n + 1,
        causal=frame.causal,
        activation=activation,
    )
    return Lowered(program, lower, stream)


def _claim(e: Expression, answers: Mapping[Value, str], frame: Frame) -> Each:
    """The claim that each position is answered with the token of the value of e."""
    return each(
        _as_token(e, answers),
        causal=frame.causal,
        begin=frame.begin,
        alphabet=frame.alphabet,
    )


def _as_token(e: Expression, answers: Mapping[Value, str]) -> Expression:
    """The expression with the token of each number in its place."""
    if all(isinstance(x, str) for x in answers):
        return e
    if any(isinstance(x, Fraction) for x in answers):
        cases = [part for x, t in answers.items() for part in (_is(e, x), t)]
        return Expression(op="cases", args=tuple(cases))
    rows = tuple(((x,), t) for x, t in answers.items())
    return Expression(op="lookup", args=(e,), table=rows)


def _is(e: Expression, x: Value) -> Expression:
    """1 where an expression has this value."""
    wanted: Expression | int | str | None
    if isinstance(x, Fraction):
        wanted = Expression(op="ratio", args=(x.numerator, x.denominator))
    else:
        wanted = x
    return Expression(op="equal", args=(e, wanted))


def spelled(value: Value) -> str:
    """The token of an answer."""
    return value if isinstance(value, str) else str(value)


def _codes(
    node: Node, domain: Domain, named: Iterable[str], frame: Frame
) -> tuple[tuple[str, ...], dict[str, float], dict[Value, str]]:
    """The vocabulary, the code of each token, and the token of each answer.

    named  tokens that the claim names, whether they can be an answer or not

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
    if frame.begin in answers.values():
        raise Refused(
            node,
            f"can be {frame.begin!r}, the token that stands before each text",
            "another one as begin=",
        )
    known = {frame.begin, *frame.alphabet}
    more = [
        t for t in dict.fromkeys((*answers.values(), *named)) if t not in known
    ]
    vocabulary = (frame.begin, *frame.alphabet, *more)
    numbers = {
        t: float(x) for x, t in answers.items() if not isinstance(x, str)
    }
    texts = sorted({*frame.alphabet, *more} - numbers.keys())
    if numbers:
        low = min(min(numbers.values()), 0.0)
        codes = {t: low - 1 - i for i, t in enumerate(reversed(texts))}
    else:
        codes = {t: float(i + 1) for i, t in enumerate(texts)}
    return vocabulary, {**codes, **numbers}, answers


def read_out(
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
    widen(stream, code, codes)  # of 0 and 1 the squares would be the same table
    square = stream.table(
        "code_squared",
        Table(tokens={t: x * x for t, x in _inside(codes, lower).items()}),
    )
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
    leads = [  # of the nearest codes; where theirs is above 0, that of others is greater
        (y - v) ** 2 - 2 * (v - y) * radius - _rounded(y, v)
        for y, v in pairwise(sorted({*codes.values()}))
        if y in wanted or v in wanted
    ]
    lead = min(leads, default=1.0)  # a single token is right everywhere
    if lead <= 0:
        large = max(map(abs, codes.values()))
        if radius < 1 / 8 and large > LARGEST:
            raise Refused(
                node,
                f"can be answered with {large:,.6g}, of which float32 rounds the square",
                f"numbers up to {LARGEST:,.0f}",
            )
        raise Refused(
            node,
            f"is only known to {radius:.2g} where it is answered",
            "a shorter window",
        )
    gain = 1.0
    while gain * lead < leak + MARGIN:
        gain *= 2
    return gain


def _rounded(y: float, v: float) -> float:
    """What float32 leaves open between the logits of two codes, in parts of the gain; nothing
    where they are whole, and not so great that their squares are rounded.
    """
    whole = y == int(y) and v == int(v)
    if whole and max(abs(y), abs(v)) <= LARGEST:
        return 0.0
    return 2.0**-20 * max(abs(y), abs(v)) ** 2


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
