"""The verdict on a list of invariants, and on the claim that they are meant to show.

    measured_lanes(model, invariants)  the invariants that hold, each with the least radius that is
                                       certain, and the margin of the claim
    check_lanes(model, certificate)    the same, if the certificate states no more than that

What each lane is at a position of a text is computed from the weights, sublayer by sublayer, as a
table over symbols with a radius. An invariant is compared with that table on all rows that a text
can have; the claim is compared with the logits. Rules of this file: it imports nothing that made
the weights or the list; what is not shown is Rejected, with the reason.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from handcraft.claims.kinds import After, Each, Predicate
from handcraft.claims.prompt_claim import Answers
from handcraft.core.errors import ProgramError, printable
from handcraft.language.affine import Lane as Column
from handcraft.model import Model
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker.certificate import claim_hash, weights_hash
from handcraft.proof.checker.zonotope import UP, Rejected
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.certificate import Invariant, LaneCertificate
from handcraft.proof.lanes.contexts import (
    PromptContexts,
    check_ends,
)
from handcraft.proof.lanes.derived import count_rows, of_few_rows
from handcraft.proof.lanes.echoed import asks_for_echoes
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.greatest import (
    either_way,
    holding,
    is_most,
    margin_of_most,
)
from handcraft.proof.lanes.lengths import asked_contexts, check_stop
from handcraft.proof.lanes.logits import margin_of
from handcraft.proof.lanes.meaning import MeaningForms, as_numbers
from handcraft.proof.lanes.next_meaning import NextMeaning, said_next
from handcraft.proof.lanes.numbers import gathered
from handcraft.proof.lanes.pairs import MostByPairs
from handcraft.proof.lanes.parts import asked_parts, narrowed_by_parts
from handcraft.proof.lanes.placed import OF_PLACES
from handcraft.proof.lanes.silence import spoken_contexts
from handcraft.proof.lanes.stream import LaneStream, NotFollowed
from handcraft.proof.lanes.symbols import (
    MOST_TABLE_ROWS,
    Symbols,
    TooManyRows,
)
from handcraft.sequence.expression import Expression

_MANY_CLAIMED = 200_000  # rows of a claim, beside which lanes have more


@dataclass(frozen=True)
class ShownByLanes:
    """What was shown of a model.

    contexts    the number of texts: at every position of each of them the claim holds
    margin      by how much the right token is ahead, at least
    silent      True if the claim may say nothing at some position
    spoken      of what follows contexts: after how many of them it says something, where that
                was counted; else None
    error       how far a difference of two logits can be off, at most
    invariants  those that hold, each with the least radius that is certain
    """

    contexts: int
    margin: float
    silent: bool
    error: float
    invariants: tuple[Invariant, ...]
    spoken: int | None = None


def claim_of_tag(model: Model) -> Each:
    """The claim, if it is of the kind that is shown here. Raises Rejected."""
    claim = model.program.claim if model.program else None
    if type(claim) is not Each or not isinstance(claim.function, Expression):
        raise Rejected("the claim is no expression at each position")
    alphabet = claim.alphabet or model.vocabulary.tokens
    if model.n_ctx <= claim.skipped or not alphabet:
        raise Rejected("there is no text behind the first token")
    tokens = (*alphabet, claim.begin)
    if len(set(tokens)) < len(tokens):
        raise Rejected("a token of the texts is named twice")
    if claim.causal != model.causal:
        raise Rejected("the claim reads other positions than the model sees")
    return claim


class LargeClaim(TooManyRows):
    """The claim depends on many rows: nothing else has been computed yet."""


class _OfTexts:
    """One pass through a model whose texts are answered at each position.

    begin         the token that all texts begin with, None where any may
    alphabet      the tokens that stand behind it
    most_claimed  of how many rows a claim is tried with tables that are not kept small
    """

    def __init__(
        self, model: Model, invariants: Sequence[Invariant], *, believed: bool
    ) -> None:
        self.model = model
        self.believed = believed  # False: what does not hold is Rejected
        self.wanted = list(invariants)
        self.found: list[Invariant] = []
        self.passed: set[str] = set()
        self.most_claimed = _MANY_CLAIMED
        self.begin, self.alphabet, self.said = self._claimed()

    def _claimed(self) -> tuple[str | None, tuple[str, ...], Expression]:
        claim = claim_of_tag(self.model)
        alphabet = claim.alphabet or self.model.vocabulary.tokens
        if not isinstance(claim.function, Expression):
            raise Rejected("the claim is no expression at each position")
        return claim.begin, tuple(alphabet), claim.function

    def claimed(self, _: Symbols) -> MeaningForms:
        """What computes the forms of the claim."""
        return self.meaning

    def spoken(self, _: Symbols, __: Form) -> int | None:
        """After how many contexts the claim says something; None where nobody counted."""
        return None

    def run(self, *, few: bool) -> ShownByLanes:
        """What is shown, with tables that are kept small, or not. Raises Rejected."""
        self.few = few
        if is_most(self.said):
            self.most_claimed = MOST_TABLE_ROWS
            return either_way(self.said, self._by_pairs, self._by_tables)
        return self._by_tables()

    def _begun(self) -> LaneStream:
        """The stream of the texts, of which nothing is known yet."""
        n = self.model.n_ctx - (self.begin is not None)
        symbols = Symbols(self.alphabet, n, self.model.causal, few=self.few)
        self.found, self.passed = [], set()
        self.meaning = MeaningForms(symbols)
        return LaneStream(self.model, self.begin, symbols)

    def _by_pairs(self) -> ShownByLanes:
        """What is shown of the token of the greatest number, two tokens at a time."""
        stream = self._begun()
        claimed = MostByPairs(self.claimed(stream.symbols), self.said)
        margin, error = margin_of_most(stream, claimed, self.seen)
        late = [x for x in self.wanted if x.after not in self.passed]
        if late and not self.believed:
            raise Rejected("an invariant stands behind the last heads")
        found = tuple(self.found)
        return ShownByLanes(self._contexts(stream), margin, False, error, found)

    def _contexts(self, stream: LaneStream) -> int:
        """How many texts there are."""
        size = len(self.alphabet)
        return sum(size**m for m in range(1, stream.symbols.n + 1))

    def _by_tables(self) -> ShownByLanes:
        stream = self._begun()
        symbols = stream.symbols
        # what is claimed comes first, so that what heads count is said in its symbols
        claimed = self.claimed(symbols)
        rows = count_rows(symbols, claimed.of(self.said).labels)
        if rows > self.most_claimed and not self.few:
            raise LargeClaim(f"the claim depends on {rows:,} rows")
        stream.run(self.seen)
        if any(x.after not in self.passed for x in self.wanted):
            raise Rejected("an invariant stands after no sublayer")
        form = claimed.of(self.said)
        margin, error, silent = margin_of(
            self.model, stream.logits(form.labels), form
        )
        contexts = self._contexts(stream)
        spoken = self.spoken(symbols, form) if silent else None
        found = tuple(self.found)
        return ShownByLanes(contexts, margin, silent, error, found, spoken)

    def seen(self, after: str, stream: LaneStream) -> None:
        """Compare the invariants that stand after a sublayer."""
        self.passed.add(after)
        for said in self.wanted:
            if said.after != after:
                continue
            try:
                radius = self.radius(said, stream)
                if not radius <= said.radius:  # nor where it is no number
                    raise Rejected("is farther from it")
                self.found.append(replace(said, radius=radius))
            except (Rejected, ProgramError) as why:
                if not self.believed:
                    raise Rejected(
                        f"{printable(said.lane)} after {after} is not shown to hold"
                        f" what is said: {printable(str(why))}"
                    ) from None

    def radius(self, said: Invariant, stream: LaneStream) -> float:
        """How far a lane can be from what is said of it."""
        program = self.model.program
        column = program.layout.column if program else {}
        lane = Column.parse(said.lane)
        if lane not in column:
            raise Rejected("there is no such lane")
        form = self.meaning.of(said.holds)
        if 1 in form.sides:
            raise Rejected("it reads a key position")
        labels, rows, _ = gathered(
            stream.symbols, [stream.text[column[lane]]], form.labels
        )
        numbers, rounded, known = as_numbers(stream.symbols, form, labels)
        possible = stream.symbols.possible(labels).reshape(-1) & known
        if not possible.any():
            raise Rejected("it says nothing, on any text")
        off = np.abs(rows.c[:, 0] - numbers) * UP + rows.radius[:, 0] + rounded
        return float(off[possible].max(initial=0.0) * UP)


class _OfContexts(_OfTexts):
    """One pass through a model that says what follows each context: a text that begins with any
    token, asked at each position.
    """

    def _claimed(self) -> tuple[str | None, tuple[str, ...], Expression]:
        vocabulary = self.model.vocabulary
        claim = self.model.program.claim if self.model.program else None
        if not self.model.causal:
            raise Rejected("the contexts are read by what follows them")
        if len(set(vocabulary.tokens)) < len(vocabulary.tokens):
            raise Rejected("a token is named twice")
        return None, tuple(vocabulary.tokens), said_next(claim, vocabulary)

    def claimed(self, symbols: Symbols) -> MeaningForms:
        """What computes the forms of the claim."""
        return NextMeaning(symbols)

    def spoken(self, symbols: Symbols, form: Form) -> int | None:
        """After how many contexts the claim says something; None where nobody counted."""
        return spoken_contexts(symbols, form)


class _OfPrompts:
    """One pass through a model whose prompts are answered. No invariant is looked at: they are said
    of every position, and lanes are known at those that are asked.
    """

    def __init__(
        self, model: Model, claim: Answers, invariants: Sequence[Invariant]
    ) -> None:
        if type(claim) is not Answers or not isinstance(
            claim.answer, Expression
        ):
            raise Rejected("the claim is no expression of prompts")
        if not model.causal:
            raise Rejected("the prompts are read by what follows them")
        if invariants:
            raise Rejected("nothing is said of the lanes of a prompt")
        self.model = model
        self.claim = claim
        self.answer = claim.answer

    def run(self, *, few: bool) -> ShownByLanes:
        """What is shown, with tables that are kept small, or not. Raises Rejected."""
        self.few = few
        contexts = asked_contexts(self.model, self.claim)
        if is_most(self.answer):
            return either_way(
                self.answer,
                lambda: self._by_pairs(contexts),
                lambda: self._shown(contexts, placed=False),
            )
        if self.answer.ops <= OF_PLACES and not few:
            with suppress(Rejected):  # by places alone, which costs little
                return self._shown(contexts, placed=True)
        return self._shown(contexts, placed=False)

    def _shown(self, contexts: PromptContexts, *, placed: bool) -> ShownByLanes:
        def said(part: PromptContexts) -> tuple[Symbols, Form]:
            return self._said(part, placed=placed)

        contexts = narrowed_by_parts(contexts, self.answer, said)
        parts = asked_parts(contexts, self.answer)
        found = [self._part(x, placed=placed) for x in parts]
        margin = min(least for least, _ in found)
        error = max(error for _, error in found)
        return ShownByLanes(contexts.prompts, margin, False, error, ())

    def _by_pairs(self, contexts: PromptContexts) -> ShownByLanes:
        """What is shown of the token of the greatest number, two tokens at a time."""
        contexts = holding(contexts, self.answer, self.claim.stop)
        symbols = contexts.symbols()
        claimed = MostByPairs(AskedMeaning(symbols, contexts), self.answer)
        stream = LaneStream(self.model, contexts.begin, symbols)
        margin, error = margin_of_most(stream, claimed)
        return ShownByLanes(contexts.prompts, margin, False, error, ())

    def _part(
        self, contexts: PromptContexts, *, placed: bool
    ) -> tuple[float, float]:
        """The least margin at some of the positions, and the greatest error of a difference."""
        symbols, form = self._said(contexts, placed=placed)
        self._check_stop(contexts, symbols, form)
        stream = self._followed(contexts.begin, symbols)
        with symbols.of_asked(True):
            margin, error, silent = margin_of(
                self.model, stream.logits(form.labels), form
            )
        if silent:
            raise Rejected("the claim may have no answer")
        return margin, error

    def _followed(self, begin: str | None, symbols: Symbols) -> LaneStream:
        """All lanes at the end; what nobody reads is followed where it may overflow by its size."""
        stream = LaneStream(self.model, begin, symbols)
        try:
            stream.run(lambda _, __: None)
        except NotFollowed:
            stream = LaneStream(self.model, begin, symbols, follows_all=True)
            stream.run(lambda _, __: None)
        return stream

    def _check_stop(
        self, contexts: PromptContexts, symbols: Symbols, form: Form
    ) -> None:
        """Check that an answer has the stop token as its last one, and nowhere else."""
        if contexts.lasting is None:
            check_ends(contexts, symbols, form, self.claim.stop)
            return
        meaning = AskedMeaning(symbols, contexts)
        check_stop(contexts, symbols, meaning, form, self.claim.stop)

    def _said(
        self, contexts: PromptContexts, *, placed: bool
    ) -> tuple[Symbols, Form]:
        """What the claim says, in symbols of the texts."""
        symbols = contexts.symbols(placed=placed)
        symbols.few = self.few
        if asks_for_echoes(self.answer):
            symbols.known["echoes"] = True
        meaning = AskedMeaning(symbols, contexts)
        form = meaning.of(self.answer)
        meaning.name_found(self.answer)
        with symbols.of_asked(True):
            return symbols, of_few_rows(symbols, form)


def measured_lanes(
    model: Model, invariants: Sequence[Invariant]
) -> ShownByLanes:
    """What is shown, with those of the invariants that hold. Raises Rejected if the claim is not
    shown.
    """
    return _run(_check_of(model, invariants, believed=True))


def _check_of(
    model: Model, invariants: Sequence[Invariant], *, believed: bool
) -> _OfTexts | _OfPrompts:
    claim = model.program.claim if model.program else None
    if isinstance(claim, Answers):
        return _OfPrompts(model, claim, invariants)
    if isinstance(claim, After | Predicate):
        return _OfContexts(model, invariants, believed=believed)
    return _OfTexts(model, invariants, believed=believed)


def _run(pass_: _OfTexts | _OfPrompts) -> ShownByLanes:
    try:
        with np.errstate(all="ignore"):
            return _in_few_rows(pass_)
    except ProgramError as error:
        raise Rejected(printable(str(error))) from None
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise Rejected(
            f"it is not consistent: {printable(str(error))}"
        ) from None


def _in_few_rows(pass_: _OfTexts | _OfPrompts) -> ShownByLanes:
    """What is shown: where a table is too large, with tables that are kept small. Those of a claim
    of many rows mostly are too large in the end, so the small ones are tried first.
    """
    try:
        return pass_.run(few=False)
    except TooManyRows as why:
        # what was computed up to there is let go: tables of symbols refer to each other
        why.__traceback__ = None
        gc.collect()
        try:
            return pass_.run(few=True)
        except Rejected:
            if not isinstance(why, LargeClaim) or isinstance(pass_, _OfPrompts):
                raise why from None
        pass_.most_claimed = MOST_TABLE_ROWS
        return pass_.run(few=False)


def check_lanes(model: Model, certificate: LaneCertificate) -> ShownByLanes:
    """What a certificate shows of a model. Raises Rejected if it states more than that."""
    if (
        certificate.weights != weights_hash(model)
        or certificate.dtype != model.dtype
    ):
        raise Rejected("it is a certificate of other weights")
    if certificate.claim != claim_hash(model):
        raise Rejected("it is a certificate of another claim")
    stated = certificate.program, certificate.n_ctx, certificate.assumptions
    if stated != (model.name, model.n_ctx, list(ASSUMPTIONS)):
        raise Rejected(
            "it states another program, another window or other assumptions"
        )
    shown = _run(_check_of(model, certificate.invariants, believed=False))
    if certificate.contexts != shown.contexts:
        raise Rejected(
            f"it states {certificate.contexts} contexts; there are {shown.contexts}"
        )
    if not (math.isfinite(shown.margin) and certificate.margin <= shown.margin):
        raise Rejected(
            f"it states a margin of {certificate.margin:g}, but only"
            f" {shown.margin:.6g} is certain"
        )
    return shown
