"""Writing down a proof, so that handcraft.proof.checker can check it without a search.

Of every search that led to a judgement the graph is kept: for each state and each token the
state after it. That is all the evidence there is, beside what each head asks, which keys it may
leave out, and what the case had guessed; what is true of the states is for the checker to find.
Before a certificate is given away the checker reads it itself, and what it states is what the
checker found: its bounds are its own, and a little wider than the prover's.

Rules of this file: a proof that the checker does not accept is Undecided, with the reason.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

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
from handcraft.proof.prover.graph import (
    HeadQuery,
    QueryClasses,
    Search,
    Summaries,
    _following,
)
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.pairwise import PairCase, Pairs, wanted
from handcraft.proof.prover.positions import Window, _memory
from handcraft.proof.prover.prover import TOLERANCE, Proof, Prover
from handcraft.proof.prover.transducer_case import AlignedCase
from handcraft.sequence.expression import Expression

# what a query that is uncertain may be off by, against what the prover found
_WIDER = 1.5


class Groups:
    """Lists of tokens, each once and numbered."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self._numbers: dict[tuple[int, ...], int] = {}

    def number(self, tokens: Sequence[int]) -> int:
        """The number of a list."""
        found = self._numbers.setdefault(tuple(tokens), len(self.rows))
        if found == len(self.rows):
            self.rows.append(list(tokens))
        return found


class Trail:
    """The graph of one search: what it is told of, edge by edge."""

    def __init__(self, groups: Groups) -> None:
        self.groups = groups
        self.numbers: list[dict[Hashable, int]] = [
            {}
        ]  # before the k-th token, the number of each state
        self.edges: list[
            dict[int, dict[int, list[int]]]
        ] = []  # of each state the tokens that lead to each state

    def read(
        self,
        k: int,
        before: Hashable,
        nexts: Sequence[tuple[Any, list[int]]],
        rest: tuple[Any, ...],
    ) -> None:
        """After that state, each list of tokens leads to what the case says, with the same rest."""
        while len(self.edges) <= k:
            self.edges.append({})
            self.numbers.append({})
        row = self.edges[k].setdefault(
            self.numbers[k].setdefault(before, len(self.numbers[k])), {}
        )
        after = self.numbers[k + 1]
        for reached, tokens in nexts:
            row.setdefault(after.setdefault((reached, *rest), len(after)), []).extend(
                tokens
            )

    def forget(self) -> None:
        """Its graph is written, or will never be."""
        self.numbers, self.edges = [{}], []

    def graph(self) -> list[list[list[int]]]:
        """[k][state]: group of tokens, state after it, again and again."""
        found = []
        for edges, numbers in zip(self.edges, self.numbers, strict=False):
            rows = [edges.get(i, {}) for i in range(len(numbers))]
            found.append(
                [
                    [
                        x
                        for target, tokens in row.items()
                        for x in (self.groups.number(sorted(tokens)), target)
                    ]
                    for row in rows
                ]
            )
        return found


@dataclass(frozen=True, eq=False)
class _Draft:
    """One search: its trail, and where the contexts end that it is about; heads that are blind."""

    case: Case
    members: Array
    levels: tuple[int, ...]
    trail: Trail
    blind: int = 0  # how many of the last slots were the same in every context


class Recorded(NamedTuple):
    """A certificate, and what the checker found of it: what it states is that."""

    certificate: Certificate
    found: Found


class _Mixed(Exception):  # noqa: N818  # taken back at once
    """Of one search's queries some see the same in every context and some do not."""


class Recorder(Pairs):
    """A prover that writes down what it does; of a proof pair by pair only what the head asks.

    A later stage whose heads see the same in every context needs no search of its own: its
    section is the earlier one, with heads that are blind. That section stands for all its
    contexts, so it must be so for every query of the stage: where it is not, each has a search
    of its own (`blinds` is False) and its query tells the sections apart.
    """

    draft: _Draft
    blinds = True

    @np.errstate(all="ignore")  # the same for the checker
    def recorded(self) -> Recorded:
        """The proof as a certificate that the checker accepted, and what it found. Raises
        Undecided where there is none.
        """
        self._recording()
        try:
            self.run()
        except _Mixed:
            self.blinds = False
            self._recording()
            self.run()
        certificate = self._certificate()
        try:
            found = examine(self.model, certificate)
        except Rejected as why:
            raise Undecided(
                f"the proof has no certificate that can be checked: {why}"
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

    def run(self) -> Proof:
        """The proof, of either kind. Raises Undecided where there is none."""
        return super().run() if wanted(self.claim) else Prover.run(self)

    def _pair(self, case: PairCase, winner: int, loser: int) -> None:
        super()._pair(case, winner, loser)
        if not self.sections:  # the same for all pairs
            here = self._ends(case, sorted(case.levels))[1]
            for slots, members in self._queries(0, self.streams[here], here):
                draft = _Draft(
                    case, members, tuple(sorted(case.levels)), Trail(self.groups)
                )
                self.sections.append(
                    replace(self._section(draft, slots), guesses=(), graph=None)
                )

    def _recording(self) -> None:
        """Nothing is written down and nothing counted yet."""
        self.groups, self.sections, self.parents = (
            Groups(),
            list[Section](),
            list[_Draft](),
        )
        self.written: dict[
            int, Trail
        ] = {}  # the trails that are sections already: kept, so that no other has its id
        self.saw: dict[
            int, tuple[bool, Trail]
        ] = {}  # of each trail, whether the next stage is blind
        self.proof, self.counted, self.position_states.spent = (
            Proof(cases=len(self.cases)),
            Counter(),
            0,
        )
        self.waiting, self.waited = [], 0

    def _watch(
        self, search: Search, case: Case, members: Array, levels: list[int]
    ) -> None:
        self.draft = _Draft(case, members, tuple(levels), Trail(self.groups))
        search.trail = self.draft.trail

    def _fixed(self, slots: list[HeadQuery], levels: list[int]) -> Summaries | None:
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
        """The same, at several levels too: where each position offers these heads one key, the
        earlier graph is the section.
        """
        parent, fixed = self.parents[-1], self._fixed_at(more, levels)
        if mine and self.saw.setdefault(
            id(parent.trail), (fixed is not None, parent.trail)
        )[0] != (fixed is not None):
            raise _Mixed
        if fixed is None:
            return super()._seen(case, slots, more, mine, members, levels, seen)
        self.draft = replace(parent, blind=parent.blind + len(more))
        level = self.position_states.level
        return {
            (expected, query_class, (*summaries, *fixed[int(level[query_class])])): end
            for (expected, query_class, summaries), end in mine.items()
        }

    def _fixed_at(
        self, slots: list[HeadQuery], levels: list[int]
    ) -> dict[int, Summaries] | None:
        """By level, what these slots see in every context. None where that is not the same at
        one of them.
        """
        found: dict[int, Summaries] = {}
        for level in sorted(levels, reverse=True):
            summaries = self._fixed(slots, [level])
            if summaries is None:
                return None
            found[level] = summaries
        return found

    def _judge(self, case: Case, endings: QueryClasses, slots: list[HeadQuery]) -> None:
        super()._judge(case, endings, slots)
        draft = self.draft
        if endings and not (draft.blind and id(draft.trail) in self.written):
            self.sections.append(self._section(draft, slots))
            self.written[id(draft.trail)] = draft.trail
        self._done(draft)

    def _done(self, draft: _Draft) -> None:
        """A search was judged; where heads are blind its trail may be that of other queries."""
        if not draft.blind:
            draft.trail.forget()

    # ------------------------------------------------------------ as data

    def _section(self, draft: _Draft, slots: list[HeadQuery]) -> Section:
        case, level, token = (
            draft.case,
            self.position_states.level,
            self.position_states.token,
        )
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
                (parts.index(e), value) for e, value in case.guesses if not _own(e)
            ]
        end = case.end if isinstance(case, AlignedCase) else None
        if isinstance(case, ExpressionCase) and isinstance(case.domain, AnswerDomain):
            end = case.domain.end
        asked = tuple(
            self._asked(slot, draft, i >= len(slots) - draft.blind)
            for i, slot in enumerate(slots)
        )
        return Section(
            tuple(finals), end, tuple(guesses), case.order, asked, draft.trail.graph()
        )

    def _asked(self, slot: HeadQuery, draft: _Draft, blind: bool) -> Asked:
        """What a head asks, and below which score its keys are left out."""
        head, gap = slot.means.head, slot.means.gap * (1 - 1e-9)
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
        network, e = self.network, self.position_states
        followed: dict[tuple[int, int], tuple[float, list[list[int]] | None]] = {}
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
    """A little less, in six digits."""
    found = float(f"{value:.6g}")
    return found if found <= value else float(f"{value - 1e-5 * abs(value):.6g}")
