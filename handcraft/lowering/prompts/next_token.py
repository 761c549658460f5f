"""The frames of what follows: a claim as it is, and an expression of the next token.

    of(claim)                      the program of a claim, in its own prompts, window and vocabulary
    next_token(e, tokens=, n=)     of(predicts(e)): a language model whose next token is e

A program that `of` makes holds the very claim that it was made from. Rules of this file: what
position 0 holds is counted apart (handcraft.lowering.prompts.contexts); every token is an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from handcraft.claims.kinds import CLAIM_KINDS, Claim, Distribution
from handcraft.claims.words import predicts
from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Activation
from handcraft.core.source import caller
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import kind_of
from handcraft.lowering.frames.read_out import read_out_token
from handcraft.lowering.lower import Lowering
from handcraft.lowering.naming import author_variables
from handcraft.lowering.prompts.asked import (
    Demand,
    asked_of,
    vocabulary_of,
    window_of,
)
from handcraft.lowering.prompts.chances import chances
from handcraft.lowering.prompts.contexts import Contexts
from handcraft.lowering.prompts.stated import rule_of
from handcraft.lowering.prompts.unanchored import without_bos
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused, tried
from handcraft.lowering.scheduling.emit import emitted
from handcraft.lowering.scheduling.schedule import Sizes, cheapest
from handcraft.program.program import Program
from handcraft.sequence.expression import Expression


@checked_call()
def of(
    claim: Claim | Program,
    *,
    tokens: Iterable[str] | None = None,
    n: int | None = None,
    name: str | None = None,
    activation: Activation = "gelu",
) -> Program:
    r"""The program that does what a claim says, made from the claim alone.

        of(answers(r"\^[a-z]{0,9}=", token_at(2 * end - here - 1), length=end, stop="^"))

    claim   the claim; or a program, whose claim, tokens and window are taken
    tokens  the vocabulary, where the claim does not name all tokens
    n       the positions of the window, where the claim does not say how many it needs

    The program holds this very claim. Raises ProgramError for a claim that cannot be lowered, with
    the part of it, the bound that it misses and what would fit.
    """
    if isinstance(claim, Program):
        return _of_program(claim, tokens, n, name, activation)
    if not isinstance(claim, CLAIM_KINDS):
        other = (
            "; next_token(e, tokens=, n=) takes an expression"
            if isinstance(claim, Expression)
            else ""
        )
        raise ProgramError(
            "takes a claim, such as answers(...), or a program that has one, found"
            f" {kind_of(claim)}{other}",
            ("of",),
            caller(),
        )
    try:
        vocabulary = Vocabulary(tuple(tokens or vocabulary_of(claim)))
        window = n or window_of(claim, vocabulary)
        return _compiled(claim, vocabulary, window, name, activation)
    except Refused as found:
        raise found.error(caller()) from None


@checked_call()
def next_token(
    e: Expression,
    *,
    tokens: Iterable[str],
    n: int,
    name: str | None = None,
    activation: Activation = "gelu",
) -> Program:
    """The language model whose next token is the value of e; where e is None, anything may follow.

        next_token(fetch(tokens, latest(there(before) == tokens)), tokens="abcd", n=20)

    tokens  the vocabulary
    n       the positions of the window
    """
    return of(predicts(e), tokens=tokens, n=n, name=name, activation=activation)


def _of_program(
    program: Program,
    tokens: Iterable[str] | None,
    n: int | None,
    name: str | None,
    activation: Activation,
) -> Program:
    """The program of another one's claim, with its tokens and window."""
    if program.claim is None:
        raise ProgramError(
            "takes a program that has a claim", ("of",), caller()
        )
    return of(
        program.claim,
        tokens=tokens or program.vocabulary,
        n=n or program.n_ctx,
        name=name,
        activation=activation,
    )


def _compiled(
    claim: Claim,
    vocabulary: Vocabulary,
    n_ctx: int,
    name: str | None,
    activation: Activation,
) -> Program:
    asked = asked_of(claim, vocabulary, n_ctx)
    lower = tried(partial(_lowered, claim, asked, vocabulary, n_ctx))
    tokens = _order(vocabulary.tokens, asked.begin)
    behind_first = (
        0 if lower.anchored else 1
    )  # positions that texts have beside
    sizes = Sizes(len(tokens), n_ctx + behind_first, lower.domains.alphabet)
    stream = cheapest(lower.stream, sizes)
    stream = stream if lower.anchored else without_bos(stream)
    slots, blocks = emitted(stream, tokens, n_ctx)
    return Program(
        name=name,
        embedding=slots,
        layers=blocks,
        claim=claim,
        vocabulary=tokens,
        n_ctx=n_ctx,
        activation=activation,
    )


def _order(tokens: Sequence[str], begin: str | None) -> tuple[str, ...]:
    """The vocabulary, with the token that begins each text first."""
    if begin is None:
        return tuple(tokens)
    return (begin, *(t for t in tokens if t != begin))


def _lowered(
    claim: Claim,
    asked: Demand,
    vocabulary: Vocabulary,
    n_ctx: int,
    snapped: float,
) -> Lowering:
    core = Core(causal=True)
    contexts = Contexts(core, asked, n_ctx)
    codes = _codes(vocabulary.tokens, asked.begin)
    lower = Lowering(core, contexts.domains, codes, author_variables())
    lower.stream.snapped = snapped
    lower.anchored = asked.begin is not None
    if isinstance(claim, Distribution):
        chances(lower, claim, vocabulary)
        return lower
    rule = rule_of(core, claim, asked, vocabulary)
    try:
        root = contexts.rule(rule)
        again = _reads_begin_again(lower, root, asked, claim.stop_token)
        if not again:
            read_out_token(lower, root, vocabulary.tokens)
    except Refused as found:
        part = contexts.in_rule(found.node)
        raise Refused(part, found.why, found.instead) from None
    if again:
        return _lowered_again(claim, asked, vocabulary, n_ctx, snapped)
    return lower


def _lowered_again(
    claim: Claim,
    asked: Demand,
    vocabulary: Vocabulary,
    n_ctx: int,
    snapped: float,
) -> Lowering:
    """The same where what begins the prompts is a token like any other. Raises Refused."""
    again = replace(asked, begin=None, behind=vocabulary.tokens)
    try:
        return _lowered(claim, again, vocabulary, n_ctx, snapped)
    except Refused as found:
        instead = f"{found.instead}, or answers that are never {asked.begin!r}"
        raise Refused(found.node, found.why, instead) from None


def _reads_begin_again(
    lower: Lowering, root: Node, asked: Demand, stop: str | None
) -> bool:
    """True if an answer could hold the token that begins the prompts, and go on."""
    if asked.begin in (None, stop) or asked.single:
        return False
    if root.op == "most":
        return ((asked.begin,), 0) in root.data
    values = lower.domain(root).values
    return values is None or asked.begin in values


def _codes(tokens: Sequence[str], begin: str | None) -> dict[str, float]:
    """The number of each token; 0 for the one that begins each text, where all lanes are 0."""
    order = _order(tokens, begin)
    return {token: float(i) for i, token in enumerate(order)}
