"""The proof as a certificate, so that handcraft.proof.checker can check it without a search.

    section   one search that led to a judgement: its graph (for each state and each token the
              state after it), what each head asks, which keys it may leave out, and what the
              case had guessed
    blind     a head of a later stage that sees the same in every context: it needs no query

Nothing else is written down: what is true of a state is for the checker to find out. Before a
certificate is given away the checker reads it, and the numbers it states are the checker's; they
are a little wider than the prover's.

Rules of this file: a proof that the checker does not accept is Undecided, with the reason.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from handcraft.core.errors import printable
from handcraft.core.gpt2 import Array
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker import Found, Rejected, examine
from handcraft.proof.checker.certificate import (
    Certificate,
    Section,
    claim_hash,
    weights_hash,
)
from handcraft.proof.checker.certificate import HeadQuery as Asked
from handcraft.proof.checker.claim_expression import parts_of
from handcraft.proof.prover.case import Case
from handcraft.proof.prover.cases import ExpressionCase
from handcraft.proof.prover.domains import AnswerDomain
from handcraft.proof.prover.endings import Proof
from handcraft.proof.prover.graph import (
    QueryClasses,
    Search,
    Summaries,
    _following,
)
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.pair_claim import PairCase
from handcraft.proof.prover.pairwise import Pairs, wanted
from handcraft.proof.prover.positions import Window, _memory
from handcraft.proof.prover.prover import TOLERANCE, Prover
from handcraft.proof.prover.trail import Groups, Trail
from handcraft.proof.prover.transducer_case import AlignedCase
from handcraft.proof.prover.views import HeadQuery
from handcraft.sequence.expression import Expression

# what a search holds that nobody asks for once its certificate is written
_HELD = (
    "position_states",
    "slots",
    "streams",
    "finals",
    "steps",
    "draft",
    "saw",
    "written",
    "waiting",
    "cache",
    "known",
)
# what a query that is uncertain may be off by, against what the prover found
_WIDER = 1.5


@dataclass(frozen=True, eq=False)
class _Draft:
    """One search to be written down: its trail, where its contexts end, and the heads that
    are blind.
    """

    case: Case
    members: Array
    levels: tuple[int, ...]
    trail: Trail
    blind: int = 0  # how many of the last slots were the same in every context


class Recorded(NamedTuple):
    """A certificate, and what the checker found; the certificate states the same."""

    certificate: Certificate
    found: Found


class _Mixed(Exception):  # noqa: N818  # taken back at once
    """Raised if some queries of one search see the same in every context and some do not."""


class Recorder(Pairs):
    """A prover that writes down what it does; of a proof pair by pair only what the head
    asks.

    A later stage whose heads see the same in every context needs no search of its own: its
    section is the earlier one, with blind heads. That section stands for all its contexts,
    so this must be true of every query of the stage. If it is not, each query has a search
    of its own (`blinds` is False), and its query tells the sections apart.
    """

    draft: _Draft
    blinds = True

    @np.errstate(all="ignore")  # the same for the checker
    def recorded(self) -> Recorded:
        """Return the proof as a certificate that the checker accepted, with what the
        checker found. Raises Undecided if there is none.
        """
        self._recording()
        try:
            self.run()
        except _Mixed:
            self.blinds = False
            self._recording()
            self.run()
        certificate = self._certificate()
        self._forget()
        try:
            found = examine(self.model, certificate)
        except Rejected as why:
            raise Undecided(
                f"the proof has no certificate that can be checked: {why}"
                f"{self._text_after(why)}",
                why.context,
            ) from None
        margin = None if math.isinf(found.margin) else _below(found.margin)
        at = [self.model.vocabulary.tokens[i] for i in found.at]
        stated = replace(
            certificate,
            contexts=found.contexts,
            checked=found.checked,
            margin=margin,
            margin_at=at,
            error=-_below(-found.error),
        )
        return Recorded(stated, found)

    def _text_after(self, why: Rejected) -> str:
        """Return after which text a prediction may be wrong, in words; nothing if it is not
        that.
        """
        if not why.context:
            return ""
        text = self.model.vocabulary.decode(list(why.context))
        return f" after '{printable(text)}'"

    def _forget(self) -> None:
        """Forget what the search has held: the checker needs memory of its own."""
        for name in _HELD:
            self.__dict__.pop(name, None)

    def run(self) -> Proof:
        """Return the proof, of either kind. Raises Undecided if there is none."""
        return super().run() if wanted(self.claim) else Prover.run(self)

    def _pair(self, case: PairCase, winner: int, loser: int) -> None:
        super()._pair(case, winner, loser)
        if not self.sections:  # the same for all pairs
            here = self._ends(case, sorted(case.levels))[1]
            for slots, members in self._queries(0, self.streams[here], here):
                draft = _Draft(
                    case,
                    members,
                    tuple(sorted(case.levels)),
                    Trail(self.groups),
                )
                self.sections.append(
                    replace(self._section(draft, slots), guesses=(), graph=None)
                )

    def _recording(self) -> None:
        """Begin a recording: nothing is written down or counted yet."""
        self.groups = Groups()
        self.sections = list[Section]()
        self.parents = list[_Draft]()
        # the trails that are sections already: kept, so that no other has its id
        self.written: dict[int, Trail] = {}
        # of each trail, whether the next stage is blind
        self.saw: dict[int, tuple[bool, Trail]] = {}
        self.proof = Proof(cases=len(self.cases))
        self.counted = Counter()
        self.position_states.spent = 0
        self.waiting = []
        self.waited = 0

    def _watch(
        self, search: Search, case: Case, members: Array, levels: list[int]
    ) -> None:
        self.draft = _Draft(case, members, tuple(levels), Trail(self.groups))
        search.trail = self.draft.trail

    def _fixed(
        self, slots: list[HeadQuery], levels: list[int]
    ) -> Summaries | None:
        return super()._fixed(slots, levels) if self.blinds else None

    def _next(
        self,
        case: Case,
        stage: int,
        slots: list[HeadQuery],
        endings: QueryClasses,
        members: Array,
        levels: list[int],
    ) -> None:
        self.parents.append(self.draft)
        super()._next(case, stage, slots, endings, members, levels)
        self._done(self.parents.pop())

    def _seen(
        self,
        case: Case,
        slots: list[HeadQuery],
        more: list[HeadQuery],
        mine: QueryClasses,
        members: Array,
        levels: list[int],
        seen: set[Summaries],
    ) -> QueryClasses:
        """Return the endings as the prover does, at several levels too: if each position
        offers these heads only one key, the earlier graph is the section.
        """
        parent = self.parents[-1]
        fixed = self._fixed_at(more, levels)
        if mine and self.saw.setdefault(
            id(parent.trail), (fixed is not None, parent.trail)
        )[0] != (fixed is not None):
            raise _Mixed
        if fixed is None:
            return super()._seen(case, slots, more, mine, members, levels, seen)
        self.draft = replace(parent, blind=parent.blind + len(more))
        level = self.position_states.level
        return {
            (
                expected,
                query_class,
                (*summaries, *fixed[int(level[query_class])]),
            ): end
            for (expected, query_class, summaries), end in mine.items()
        }

    def _fixed_at(
        self, slots: list[HeadQuery], levels: list[int]
    ) -> dict[int, Summaries] | None:
        """Return by level what these head queries see in every context. None if that is not
        the same at one level.
        """
        found: dict[int, Summaries] = {}
        for level in sorted(levels, reverse=True):
            summaries = self._fixed(slots, [level])
            if summaries is None:
                return None
            found[level] = summaries
        return found

    def _judge(
        self, case: Case, endings: QueryClasses, slots: list[HeadQuery]
    ) -> None:
        super()._judge(case, endings, slots)
        draft = self.draft
        if endings and not (draft.blind and id(draft.trail) in self.written):
            self.sections.append(self._section(draft, slots))
            self.written[id(draft.trail)] = draft.trail
        self._done(draft)

    def _done(self, draft: _Draft) -> None:
        """Keep the section of a search that was judged. If heads are blind, its trail may
        be that of other queries.
        """
        if not draft.blind:
            draft.trail.forget()

    # ------------------------------------------------------------ as data

    def _section(self, draft: _Draft, slots: list[HeadQuery]) -> Section:
        case = draft.case
        level = self.position_states.level
        token = self.position_states.token
        finals = sorted(
            {
                (int(level[m]), int(token[m]))
                for m in draft.members
                if level[m] in draft.levels
            }
        )
        guesses: list[tuple[int, Any]] = []
        if isinstance(case, ExpressionCase):
            parts = parts_of(case.rule)
            guesses = [
                (parts.index(e), value)
                for e, value in case.guesses
                if not _own(e)
            ]
        end = case.end if isinstance(case, AlignedCase) else None
        if isinstance(case, ExpressionCase) and isinstance(
            case.domain, AnswerDomain
        ):
            end = case.domain.end
        asked = tuple(
            self._asked(slot, draft, i >= len(slots) - draft.blind)
            for i, slot in enumerate(slots)
        )
        return Section(
            tuple(finals),
            end,
            tuple(guesses),
            case.order,
            asked,
            draft.trail.graph(),
        )

    def _asked(self, slot: HeadQuery, draft: _Draft, blind: bool) -> Asked:
        """Return what a head asks, and the score below which its keys are left out."""
        head = slot.means.head
        gap = slot.means.gap * (1 - 1e-9)
        last = max(draft.levels)
        at = (
            np.full(last + 1, last)
            if draft.case.order is not None
            else _following(draft.levels, last)
        )
        floor = (slot.floor[at] - gap) * head.scale
        query = slot.query
        if query is None:
            raise Undecided("a query was not written down")
        # the checker adds in another order: by so much more where large terms cancel
        size = np.abs(query.c)
        slack = np.maximum(1e-9 * size, 1e-12 * size.max(initial=0.0))
        r = np.where(query.r > 0, query.r * _WIDER + slack, 0.0)
        box = query.c.tolist(), r.tolist()
        return Asked(
            head.name,
            None if blind else box,
            gap * head.scale,
            tuple((floor + 1e-9 * np.abs(floor)).tolist()),
        )

    def _certificate(self) -> Certificate:
        network = self.network
        e = self.position_states
        followed: dict[
            tuple[int, int], tuple[float, list[list[int]] | None]
        ] = {}
        for head in (head for heads in network.forward for head in heads):
            memory = _memory(network, head, len(self.allowed), TOLERANCE)
            one: Any = memory
            gap = one.gap if isinstance(memory, Window) else one.means.gap
            kept = (
                [sorted(row) for row in memory.wanted]
                if isinstance(memory, Window)
                else None
            )
            followed[head.name] = gap * head.scale, kept
        answers = [
            case.domain.answer
            for case in self.cases
            if isinstance(case.domain, AnswerDomain)
        ]
        return Certificate(
            program=self.model.name,
            weights=weights_hash(self.model),
            claim=claim_hash(self.model),
            dtype=self.model.dtype,
            n_ctx=self.model.n_ctx,
            contexts=0,
            checked=0,
            margin=None,
            margin_at=[],
            error=0.0,
            seconds=0.0,
            assumptions=list(ASSUMPTIONS),
            alphabet=sorted(set[int]().union(*answers)),
            groups=self.groups.rows,
            tokens=self.allowed,
            after=[
                [[after for _, after, _ in state] for state in states]
                for states in e.edges
            ],
            followed=followed,
            sections=self.sections,
        )


def _own(e: Expression) -> bool:
    return (
        e.op == "token_at"
        and isinstance(e.args[0], Expression)
        and e.args[0].op == "here"
    )


def _below(value: float) -> float:
    """Return a slightly smaller number of six digits."""
    found = float(f"{value:.6g}")
    return (
        found if found <= value else float(f"{value - 1e-5 * abs(value):.6g}")
    )
