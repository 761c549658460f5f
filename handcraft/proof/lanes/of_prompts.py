"""Models whose prompts are answered.

    OfPrompts(model, claim, invariants)  .run(few=) what is shown of them
                                         .by_ends() the same, some ends of prompts at a time

No invariant is looked at: they are said of every position, and lanes are known at those that are
asked.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import suppress

from handcraft.claims.prompt_claim import Answers
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.certificate import Invariant
from handcraft.proof.lanes.contexts import PromptContexts, check_ends
from handcraft.proof.lanes.derived import of_few_rows
from handcraft.proof.lanes.echoed import asks_for_echoes
from handcraft.proof.lanes.element_lanes import ElementLanes, element_lanes
from handcraft.proof.lanes.element_stream import ElementStream, symbol_said
from handcraft.proof.lanes.elements import (
    ElementClaim,
    check_elements,
    claim_of_elements,
)
from handcraft.proof.lanes.ends import in_parts
from handcraft.proof.lanes.forms import Form, variable
from handcraft.proof.lanes.greatest import (
    either_way,
    holding,
    is_most,
    margin_of_most,
)
from handcraft.proof.lanes.lengths import asked_contexts, check_stop
from handcraft.proof.lanes.logits import margin_of
from handcraft.proof.lanes.overflow import NotFollowed
from handcraft.proof.lanes.pairs import MostByPairs
from handcraft.proof.lanes.parts import asked_parts, narrowed_by_parts
from handcraft.proof.lanes.placed import OF_PLACES
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import (
    Symbols,
    TooManyRows,
)
from handcraft.sequence.expression import Expression

_MOST_HELD = 2**18  # rows of a table that may wait to be freed


class OfPrompts:
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
        self._holds = 0  # rows of the largest table of a sum

    def run(self, *, few: bool) -> ShownByLanes:
        """What is shown, with tables that are kept small, or not. Raises Rejected."""
        self.few = few
        return self._of(asked_contexts(self.model, self.claim))

    def by_ends(self) -> ShownByLanes:
        """What is shown, where the tables of all prompts are too large. Raises Rejected."""
        self.few = False
        contexts = asked_contexts(self.model, self.claim)
        return in_parts(contexts, self._of)

    def _of(self, contexts: PromptContexts) -> ShownByLanes:
        """What is shown of some prompts."""
        few = self.few
        if is_most(self.answer):
            return either_way(
                self.answer,
                lambda: self._by_pairs(contexts),
                lambda: self.shown(contexts, placed=False),
            )
        if self.answer.ops <= OF_PLACES and not few:
            with suppress(Rejected):  # by places alone, which costs little
                return self.shown(contexts, placed=True)
        if not few and (found := claim_of_elements(self.answer)) is not None:
            with suppress(Rejected):
                return self._of_elements(contexts, found)
        return self.shown(contexts, placed=False)

    def _of_elements(
        self, contexts: PromptContexts, found: ElementClaim
    ) -> ShownByLanes:
        """What is shown of a claim that reads what is known at an element."""
        if contexts.length is not None:
            raise Rejected("how long an answer is depends on the text")
        check_elements(contexts, found)
        known = None
        with suppress(TooManyRows):
            known = element_lanes(self.model, contexts, found.said, few=False)
        if known is None:
            known = element_lanes(self.model, contexts, found.said, few=True)
        of_elements = _OfElements(self.model, self.claim, found, known)
        return of_elements.shown(contexts, placed=False)

    def shown(self, contexts: PromptContexts, *, placed: bool) -> ShownByLanes:
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
        symbols.few = self.few
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
            return stream
        except TooManyRows:
            raise
        except Rejected as why:
            if not (isinstance(why, NotFollowed) or stream.spared):
                raise
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
        self._let_go()
        symbols = contexts.symbols(placed=placed)
        symbols.few = self.few
        if asks_for_echoes(self.answer):
            symbols.known["echoes"] = True
        meaning = AskedMeaning(symbols, contexts)
        form = meaning.of(self.answer)
        meaning.name_found(self.answer)
        self._holds = max((x[1].size for x in symbols.totals), default=0)
        with symbols.of_asked(True):
            return symbols, of_few_rows(symbols, form)

    def _let_go(self) -> None:
        """Free the tables of what was looked at before, where they are large: symbols refer to each
        other.
        """
        if self._holds > _MOST_HELD:
            gc.collect()
            self._holds = 0


class _OfElements(OfPrompts):
    """One pass at the positions that are asked, where the lanes at elements are known."""

    def __init__(
        self,
        model: Model,
        claim: Answers,
        found: ElementClaim,
        known: ElementLanes,
    ) -> None:
        super().__init__(model, claim, ())
        self.answer, self.known = found.claim, known
        self.said, self.few = found.said, False

    def _followed(self, begin: str | None, symbols: Symbols) -> LaneStream:
        stream = ElementStream(self.model, begin, symbols, self.known)
        stream.run(lambda _, __: None)
        return stream

    def _said(
        self, contexts: PromptContexts, *, placed: bool
    ) -> tuple[Symbols, Form]:
        """What the claim says, in symbols of the texts and what is said of an element."""
        symbols = contexts.symbols(placed=placed)
        said = symbol_said(symbols, self.known)
        meaning = AskedMeaning(symbols, contexts)
        meaning.take_read(self.said, variable(symbols, said))
        form = meaning.of(self.answer)
        with symbols.of_asked(True):
            return symbols, of_few_rows(symbols, form)
