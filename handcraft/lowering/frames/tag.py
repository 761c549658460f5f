"""The frames in which an expression becomes a program: what is read, and where it answers.

tag(e, tokens=, n=)   the value of e at every position of a text
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from handcraft.claims.answers import named_by
from handcraft.claims.kinds import Each
from handcraft.claims.words import each
from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import is_nest
from handcraft.core.gpt2 import Activation
from handcraft.core.source import caller
from handcraft.language.affine import kind_of
from handcraft.language.slot_tables import MAX_N_CTX
from handcraft.lowering.frames.read_out import read_out
from handcraft.lowering.lower import Lowering
from handcraft.lowering.naming import author_variables
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domain import Domain
from handcraft.lowering.reading.domains import Domains
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused, tried
from handcraft.lowering.scheduling.emit import emitted
from handcraft.lowering.scheduling.schedule import Sizes, cheapest
from handcraft.lowering.stream import (
    Stream,
)
from handcraft.program.program import Program
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value


@checked_call()
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

    def made(
        snapped: float,
    ) -> tuple[Lowering, tuple[str, ...], dict[Value, str]]:
        lower = Lowering(core, domains, {}, named)
        lower.stream.snapped = snapped
        vocabulary, lower.codes, answers = _codes(
            node, lower.domain(node), named_by(e), frame
        )
        held = lower.hold(node)
        read_out(lower, node, held, lower.codes, answers)
        return lower, vocabulary, answers

    lower, vocabulary, answers = tried(made)
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
    answers: dict[Value, str] = {x: str(x) for x in values if x is not None}
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
        t: float(x) for x, t in answers.items() if not isinstance(x, str | None)
    }
    texts = sorted({*frame.alphabet, *more} - numbers.keys())
    if numbers:
        low = min(0.0, *numbers.values())
        codes = {t: low - 1 - i for i, t in enumerate(reversed(texts))}
    else:
        codes = {t: float(i + 1) for i, t in enumerate(texts)}
    return vocabulary, {**codes, **numbers}, answers
