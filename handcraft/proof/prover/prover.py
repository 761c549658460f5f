"""The proof of a claim: every case, every query that the last position can ask, every ending.

    stage        a block whose heads are needed at the last position only. The queries of stage k
                 depend on the results of earlier stages, so those are enumerated first
    query class  last positions whose residual stream is the same as far as it still matters
                 (`finals` names the position state that stands for each)
    row          a query class together with the summaries of all stages so far: everything that
                 the stream of the last position depends on

After the last stage a row has logits with a radius. An ending is right if the claim's token, or
one of several, is ahead of every wrong one by more than both radii, or if its probabilities or
its lane are within the tolerance. The least difference over all endings is the certified margin:
no float of the model goes below it, in whatever order it adds.

Rules of this file: what cannot be shown raises Undecided, with the reason and the context that
was least certain.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.core.errors import printable
from handcraft.core.gpt2 import Array
from handcraft.language.affine import Lane
from handcraft.model import Model
from handcraft.program.contexts import count_domain
from handcraft.proof.prover.case import Case
from handcraft.proof.prover.cases import cases_of
from handcraft.proof.prover.domains import Domain
from handcraft.proof.prover.endings import Asked, Proof, Waiting, best_lead
from handcraft.proof.prover.graph import (
    QueryClass,
    QueryClasses,
    Search,
    Summaries,
)
from handcraft.proof.prover.keys import Summary
from handcraft.proof.prover.last_position import LastPosition, Row
from handcraft.proof.prover.network import Network, Undecided
from handcraft.proof.prover.positions import PositionStates, follow
from handcraft.proof.prover.views import UNSEEN, HeadQuery, Slots
from handcraft.proof.prover.zonotope import _ROWS, Zonotope, by_rows

TOLERANCE = 1e-4  # how far what is left out may move a lane of the stream


class Prover(LastPosition):
    """The search for a proof of one claim about one model."""

    def __init__(
        self,
        model: Model,
        claim: Claim,
        deadline: float,
        progress: Callable[[int, int], None],
    ) -> None:
        self.model = model
        self.claim = claim
        self.deadline = deadline
        self.progress = progress
        self.network = Network(model)
        self.cases = list(cases_of(claim, model))
        self.allowed = _allowed(self.cases, self.network)
        self.position_states: PositionStates = follow(
            self.network, self.allowed, TOLERANCE, deadline
        )
        self.slots = Slots(self.network, self.position_states, TOLERANCE)
        self.stages = [
            i for i, heads in enumerate(self.network.query_class) if heads
        ]
        self.column = (
            model.program.layout.column[Lane.parse(claim.lane)]
            if claim.measures == "lane" and model.program
            else 0
        )
        self.proof = Proof(cases=len(self.cases))
        self.counted: Counter[Domain] = Counter()
        self.waiting, self.waited = (
            list[Waiting](),
            0,
        )  # and how many rows they are
        self.steps: dict[Any, Any] = {}  # of the case that is searched

    # what has no bound stays without one, and no margin is above that
    @np.errstate(all="ignore")
    def run(self) -> Proof:
        """Return the proof. Raises Undecided if there is none."""
        self._begin()
        for i, case in enumerate(self.cases):
            self._case(case)
            self.progress(i + 1, len(self.cases))
        self._judged()
        self._whole()
        self._covered()
        return self.proof

    def _whole(self) -> None:
        """Check that every context of every domain ended in a case, those of later answer
        tokens included. Raises Undecided if not.
        """
        for domain in {
            case.domain for case in self.cases if case.domain is not None
        }:
            if self.counted[domain] != domain.size():
                raise Undecided(
                    f"the guesses cover {self.counted[domain]} of {domain.size()} contexts"
                )

    def _covered(self) -> None:
        """Check that the cases cover the whole domain, by counting. Raises Undecided if not."""
        size = count_domain(self.claim, self.model.vocabulary, self.model.n_ctx)
        if self.proof.contexts != size:
            raise Undecided(
                f"the cases cover {self.proof.contexts} of {size} contexts"
            )
        if not self.proof.checked:
            raise Undecided("the claim is silent on every context")

    # ------------------------------------------------------------ the last position before the
    # first stage

    def _begin(self) -> None:
        e = self.position_states
        n = self.network
        x = n.embed(e.token, e.level)  # [n_position_states, n_embd]
        stop = self.stages[0] if self.stages else len(n.blocks)
        everyone = np.arange(len(e.level))
        start = x
        x = by_rows(
            lambda rows: self._through(
                0, stop, start[rows], everyone[rows], {}, shared=False
            ),
            len(everyone),
        )
        self.streams = x
        asked = [self.column] if self.claim.measures == "lane" else []
        live = self.network.live(asked)[stop]
        parts = [x.c[:, live], x.r[:, live]]
        if len(self.stages) > 1:  # a later stage must know which position asks
            parts.append(e.level[:, None])
        for i in range(stop if self.stages else 0, len(n.blocks)):
            parts += [
                part
                for head in n.forward[i]
                for part in (e.mean(head.name).c, e.mean(head.name).r)
            ]
        _, first, inverse = np.unique(
            np.concatenate(parts, axis=1),
            axis=0,
            return_index=True,
            return_inverse=True,
        )
        # for each position state the one that stands for it
        self.finals: Array = first[inverse.reshape(-1)]

    # ------------------------------------------------------------ stage after stage

    def _case(self, case: Case) -> None:
        levels = sorted(case.levels)
        self.steps = {}
        if not levels:
            return
        ends = np.isin(self.position_states.level, levels) & np.isin(
            self.position_states.token, case.last(range(self.network.n_vocab))
        )
        here = np.flatnonzero(
            ends
        )  # the position states at which a context can end
        if not len(here):  # no context of this case ends anywhere
            return
        if not self.stages:
            self._judge(case, self._search(case, [], here, levels), [])
            return
        for slots, members in self._queries(0, self.streams[here], here):
            at = sorted(set(self.position_states.level[members].tolist()))
            endings = self._search(case, slots, members, at)
            self._next(case, 0, slots, endings, members, at)

    def _search(
        self,
        case: Case,
        slots: list[HeadQuery],
        members: Array,
        levels: list[int],
    ) -> QueryClasses:
        if time.monotonic() > self.deadline:
            raise Undecided("the time of the budget was over")
        finals = np.full(len(self.finals), UNSEEN)
        finals[members] = self.finals[members]
        levels = sorted(
            set(levels) & set(self.position_states.level[members].tolist())
        )
        if not levels:
            return {}
        search = Search(
            self.position_states,
            slots,
            finals,
            self.deadline,
            merges=len(self.stages) == 1,
        )
        ended = case.ending_at(levels)
        if (
            ended is case
        ):  # steps are those of one case: of another nobody asks again
            search.steps = self.steps
        self._watch(search, case, members, levels)
        return search.run(ended, levels)

    def _watch(
        self, search: Search, case: Case, members: Array, levels: list[int]
    ) -> None:
        """Called with each search before it runs; the recorder listens here."""

    def _next(
        self,
        case: Case,
        stage: int,
        slots: list[HeadQuery],
        endings: QueryClasses,
        members: Array,
        levels: list[int],  # noqa: ARG002  # a recorder asks for them
    ) -> None:
        """Go on from the endings of a stage to the next stage, or to the judgement."""
        if not endings:
            return
        if stage + 1 == len(self.stages):
            self._judge(case, endings, slots)
            return
        rows = list(
            dict.fromkeys(
                (query_class, summaries)
                for _, query_class, summaries in endings
            )
        )
        x = by_rows(
            lambda some: self._stream(rows[some], slots, stage + 1), len(rows)
        )
        # later, these are but some of the members
        seen = {summaries for _, summaries in rows} if stage == 0 else set()
        for more, indices in self._queries(stage + 1, x, np.arange(len(rows))):
            chosen = {rows[i] for i in indices.tolist()}
            mine = {
                key: ending
                for key, ending in endings.items()
                if key[1:] in chosen
            }
            at = sorted(
                {
                    int(self.position_states.level[query_class])
                    for query_class, _ in chosen
                }
            )
            found = self._seen(case, slots, more, mine, members, at, seen)
            self._next(case, stage + 1, [*slots, *more], found, members, at)

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
        """Return the endings of one query of a later stage: those of the earlier stages,
        with what its heads see besides.
        """
        fixed = self._fixed(more, levels)
        if fixed is not None:
            return {
                (expected, query_class, (*summaries, *fixed)): ending
                for (expected, query_class, summaries), ending in mine.items()
            }
        finals = {query_class for _, query_class, _ in mine}
        members = members[np.isin(self.finals[members], list(finals))]
        # the earlier heads see the same in every context of the case
        if len(seen) == 1:
            before = next(iter(seen))
            found = self._search(case, more, members, levels)
            return {
                (expected, query_class, (*before, *new)): ending
                for (expected, query_class, new), ending in found.items()
            }
        found = self._search(case, [*slots, *more], members, levels)
        n = len(slots)
        keys = {(query_class, summaries) for _, query_class, summaries in mine}
        return {
            key: ending
            for key, ending in found.items()
            if (key[1], key[2][:n]) in keys
        }

    def _fixed(
        self, slots: list[HeadQuery], levels: list[int]
    ) -> Summaries | None:
        """Return what these head queries see if that is the same in every context, since each
        position offers them only one key; else None.
        """
        if len(levels) > 1:
            return None
        n = int(np.searchsorted(self.position_states.level, levels[0] + 1))
        level = self.position_states.level[:n]
        found = list[Summary]()
        for slot in slots:
            summary = slot.fixed(level)
            if summary is None:
                return None
            found.append(summary)
        return tuple(found)

    # ------------------------------------------------------------ the judgement

    def _judge(
        self, case: Case, endings: QueryClasses, slots: list[HeadQuery]
    ) -> None:
        """Count the endings of a case, and put them aside to be judged with those of other
        cases: most queries have few.
        """
        together: dict[Row, list[Any]] = {}
        for expected, query_class, summaries in endings:
            together.setdefault((query_class, summaries), []).append(expected)
        rows = list(together)
        for i in range(0, len(rows), _ROWS):
            some = rows[i : i + _ROWS]
            asked = [
                ask
                for n, row in enumerate(some)
                for ask in self._counted(case, n, row, together[row], endings)
            ]
            self.waiting.append(
                Waiting(
                    case, asked, *self._arrived(some, slots, len(self.stages))
                )
            )
            self.waited += len(some)
            if self.waited >= _ROWS:
                self._judged()

    def _counted(
        self,
        case: Case,
        number: int,
        row: Row,
        told: list[Any],
        endings: QueryClasses,
    ) -> Iterator[Asked]:
        """Yield what is asked of a row: everything the claim says of contexts that end so.
        Each of them is counted.
        """
        for expected in told:
            ending = endings[expected, *row]
            self.proof.endings += ending.count
            if case.domain is not None:
                self.counted[case.domain] += ending.count
            self.proof.contexts += ending.prompts
            if expected is not None:
                self.proof.checked += ending.count
                yield number, expected, ending

    def _judged(self) -> None:
        """Judge everything that waits. Raises Undecided if one ending may be wrong."""
        waiting = self.waiting
        self.waiting = []
        self.waited = 0
        if not waiting:
            return
        finals = np.concatenate([some.finals for some in waiting])
        means = {}
        for name in waiting[0].means:
            parts = [some.means[name] for some in waiting]
            means[name] = Zonotope(
                np.concatenate([part.c for part in parts]),
                np.concatenate([part.r for part in parts]),
            )
        x = self._after(finals, means, len(self.stages))  # [n_rows, n_embd]
        logits = self.network.logits(x.with_generators())  # [n_rows, n_vocab]
        x = x.to_interval()
        first = 0
        for case, those in groupby(waiting, key=lambda some: some.case):
            asked = list[Asked]()
            for some in those:
                asked += [
                    (first + row, expected, ending)
                    for row, expected, ending in some.asked
                ]
                first += len(some.finals)
            self._against(case, asked, x, logits)

    def _against(
        self, case: Case, asked: list[Asked], x: Zonotope, logits: Zonotope
    ) -> None:
        """Compare endings with the claim. Raises Undecided if one may be wrong."""
        if self.claim.measures == "token":
            return self._right(case, asked, logits)
        radius = x.radius[:, self.column]
        for row, expected, ending in asked:
            if self.claim.measures == "lane":
                self._near(
                    case,
                    abs(float(x.c[row, self.column]) - float(expected))
                    + float(radius[row]),
                    ending,
                )
            else:
                self._near(
                    case, _chance_error(logits[row], np.array(expected)), ending
                )
        return None

    def _right(self, case: Case, asked: list[Asked], logits: Zonotope) -> None:
        """Compare endings with the token that must follow, or with several. Raises Undecided if
        one may be wrong.
        """
        if not all(
            isinstance(expected, int | tuple) for _, expected, _ in asked
        ):
            raise Undecided("the claim answers a number where a token is asked")
        rows = np.array([row for row, _, _ in asked], dtype=int)
        rights: dict[tuple[int, ...], list[int]] = {}
        for i, (_, expected, _) in enumerate(asked):
            right = expected if isinstance(expected, tuple) else (expected,)
            rights.setdefault(right, []).append(i)
        margins = np.zeros(len(asked))
        for right, those in rights.items():
            margins[those], error = best_lead(logits[rows[those]], right)
            self.proof.error = max(self.proof.error, error)
        for (_, _, ending), margin in zip(asked, margins.tolist(), strict=True):
            if not margin > 0:
                raise self._doubt(
                    case, ending, f"the margin may be {margin:.6g}"
                )
            if margin < self.proof.margin:
                self.proof.margin, self.proof.at = (
                    margin,
                    ending.tokens(case.order),
                )

    def _near(self, case: Case, error: float, ending: QueryClass) -> None:
        tolerance = self.claim.allowed_error
        if not error <= tolerance:
            raise self._doubt(
                case,
                ending,
                f"the error may be {error:.6g}, more than {tolerance:g}",
            )
        if error >= self.proof.error:
            self.proof.error, self.proof.at = error, ending.tokens(case.order)

    def _doubt(self, case: Case, ending: QueryClass, why: str) -> Undecided:
        context = ending.tokens(case.order)
        return Undecided(
            f"{why} after '{printable(self.model.vocabulary.decode(context))}'",
            tuple(context),
        )


def _chance_error(
    logits: Zonotope, expected: Array
) -> float:  # [n_vocab], [n_vocab]
    """Return an upper bound on how far a probability is from the expected one."""
    top = logits.c.max()
    low, high = np.exp(logits.low - top), np.exp(logits.high - top)  # [n_vocab]
    most = high / (high + (low.sum() - low))
    least = low / (low + (high.sum() - high))
    return (
        float(
            np.maximum(np.abs(most - expected), np.abs(least - expected)).max()
        )
        + 1e-14
    )


def _allowed(cases: list[Case], network: Network) -> list[list[int]]:
    """Return the tokens that a context of some case can hold at each position."""
    last = max((max(case.levels, default=0) for case in cases), default=0)
    everything = list(range(network.n_vocab))
    found: list[set[int]] = [set() for _ in range(last + 1)]
    for case in cases:
        for position, tokens in enumerate(case.allowed(everything)):
            found[position] |= tokens
    return [sorted(tokens) for tokens in found]
