"""Models whose texts are answered at each position, and those that say what follows a context.

    OfTexts(model, invariants, believed=)  .run(few=) what is shown of a tag
    OfNextTokens(...)                        the same of what follows any context
    claim_of_tag(model)                    the claim, if it is of the first kind

An invariant is compared with the table of its lane on all rows that a text can have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from handcraft.claims.kinds import Each
from handcraft.core.errors import ProgramError, printable
from handcraft.language.affine import Lane as Column
from handcraft.model import Model
from handcraft.proof.checker.zonotope import UP, Rejected
from handcraft.proof.lanes.certificate import Invariant
from handcraft.proof.lanes.compared import compares
from handcraft.proof.lanes.derived import count_rows
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.greatest import either_way, is_most, margin_of_most
from handcraft.proof.lanes.logits import margin_of
from handcraft.proof.lanes.meaning import MeaningForms, as_numbers
from handcraft.proof.lanes.next_meaning import NextMeaning, said_next
from handcraft.proof.lanes.numbers import gathered
from handcraft.proof.lanes.pairs import MostByPairs
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.lanes.silence import spoken_contexts
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import (
    MOST_TABLE_ROWS,
    Symbols,
    TooManyRows,
)
from handcraft.sequence.expression import Expression

_MANY_CLAIMED = 200_000  # rows of a claim, beside which lanes have more


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


class OfTexts:
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

    def forget(self) -> None:
        """Let go the tables of the last run."""
        vars(self).pop("meaning", None)

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
        if not self.few and compares(symbols, self.most_claimed):
            raise LargeClaim("the claim compares too many pairs")
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


class OfNextTokens(OfTexts):
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
