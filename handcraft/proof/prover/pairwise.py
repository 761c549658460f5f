"""Proofs about the greatest of many counts, two tokens at a time.

A claim `most({token: count, ...})` over a whole alphabet has too many histograms to follow all
of them. But it is right if each answer r is ahead of every other token b, and for one pair two
counts are enough. After the last attention only the unembedding follows, so the difference of
two logits is a sum over positions like any other:

    logit r - logit b = x . d + mean of (v W_O . d)
                    d = wte[r] - wte[b]

If the claim does not count b, r's count is still at least the average of all. Pairs whose
searches read alike are searched once. Rules of this file: one head in the last block and no MLP
behind it; each pair covers all contexts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.core.gpt2 import Array
from handcraft.proof.prover.case import Case
from handcraft.proof.prover.cases import ExpressionCase
from handcraft.proof.prover.domains import Domain
from handcraft.proof.prover.endings import Proof
from handcraft.proof.prover.graph import QueryClass, QueryClasses, Search
from handcraft.proof.prover.network import HeadPart, Undecided
from handcraft.proof.prover.pair_claim import PairCase, pairs_of
from handcraft.proof.prover.prover import Prover
from handcraft.proof.prover.views import UNSEEN, HeadQuery
from handcraft.proof.prover.zonotope import UP
from handcraft.sequence.expression import Expression

_FEW = 3  # tokens whose counts can be followed at once


@dataclass(frozen=True, eq=False)
class _Found:
    """The endings of a pair: which of the two is ahead (1 the first, -1 the second, 0 neither),
    the last position's query class, the mean of the difference and its radius; and how many
    prompts they are.
    """

    ahead: Array
    query_class: Array
    mean: Array
    radius: Array
    endings: list[QueryClass]
    prompts: int


class Pairs(Prover):
    """The search for a proof of a claim about the greatest of many counts."""

    @np.errstate(all="ignore")  # as there
    def run(self) -> Proof:
        """Return the proof. Raises Undecided if there is none."""
        self._head()
        self._begin()
        self.cache: dict[Any, _Found] = {}
        self.known: dict[tuple[int, int, int], tuple[float, float]] = {}
        self.rounded: dict[tuple[int, int], float] = {}
        rule = self._rule
        domain = self._domain
        pairs = list(
            pairs_of(rule, self.network.n_vocab, self.model.vocabulary.ids)
        )
        for i, (first, second, winner, loser) in enumerate(pairs):
            self._pair(PairCase(rule, domain, first, second), winner, loser)
            self.progress(i + 1, len(pairs))
        self.proof.checked, self.proof.cases = self.proof.contexts, len(pairs)
        self._covered()
        return self.proof

    @property
    def _rule(self) -> Expression:
        rule = self.claim.rule
        if not isinstance(rule, Expression):
            raise Undecided("the claim compares no counts")
        return rule

    @property
    def _domain(self) -> Domain:
        case = self.cases[0]
        if len(self.cases) > 1 or not isinstance(case, ExpressionCase):
            raise Undecided(
                "many counts can only be compared where no context's length and no"
                " token is guessed"
            )
        return case.domain

    def _pair(self, case: PairCase, winner: int, loser: int) -> None:
        """Show one pair in every context."""
        levels, here = self._ends(case, sorted(case.levels))
        prompts = 0
        x = self.streams
        for slots, members in self._queries(0, x[here], here):
            finals = np.full(len(self.finals), UNSEEN)
            finals[members] = self.finals[members]
            found = self._endings(case, slots, finals, levels, winner, loser)
            prompts += found.prompts
            self._judge_pair(case, found, winner, loser)
        self.proof.contexts = max(self.proof.contexts, prompts)

    def _ends(self, case: Case, levels: list[int]) -> tuple[list[int], Array]:
        ends = np.isin(self.position_states.level, levels) & np.isin(
            self.position_states.token, case.last(range(self.network.n_vocab))
        )
        return levels, np.flatnonzero(ends)

    # ------------------------------------------------------------ the search for one pair

    def _head(self) -> HeadPart:
        last = len(self.network.blocks) - 1
        if (
            self.stages != [last]
            or len(self.network.query_class[last]) != 1
            or self.network.heads[last] != self.network.query_class[last]
        ):
            raise Undecided(
                "many counts can only be compared by one head of the last block"
            )
        if "mlp" in self.network.blocks[last]:
            raise Undecided(
                "many counts can only be compared where no neuron reads them"
            )
        return self.network.query_class[last][0]

    def _endings(
        self,
        case: PairCase,
        slots: list[HeadQuery],
        finals: Array,
        levels: list[int],
        winner: int,
        loser: int,
    ) -> _Found:
        slot = self._projected(slots[0], winner, loser)
        search = Search(self.position_states, [slot], finals, self.deadline)
        key = self._signature(case, search, slot, (winner, loser))
        if key not in self.cache:
            self.cache[key] = _found(search.run(case, levels), slot)
        return self.cache[key]

    def _projected(self, slot: HeadQuery, winner: int, loser: int) -> HeadQuery:
        """Return the head query with the difference of two logits as its only value."""
        head = self._head()
        f = head.out.astype(np.float64) @ self._direction(
            winner, loser
        )  # [n_value]
        values = slot.means.values
        # [n_numbers, n_value]
        rows = np.stack([values.rows[i] for i in range(len(values.rows))])
        means = slot.means.projected(f, rows @ f)
        numbers = means.values.numbers((rows @ f)[:, None])
        return HeadQuery(means, slot.kinds, numbers[slot.values], slot.floor)

    def _direction(self, winner: int, loser: int) -> Array:  # -> [n_embd]
        return np.asarray(
            self.network.wte[winner].astype(np.float64)
            - self.network.wte[loser].astype(np.float64)
        )

    def _signature(
        self,
        case: PairCase,
        search: Search,
        slot: HeadQuery,
        pair: tuple[int, int],
    ) -> Any:
        """Return everything that the endings depend on: what the case reads of every token,
        where contexts end, what the head sees.

        A token is described by what its case and its domain make of it, and by whether it
        is one of the two.
        """
        if any(len(edges) > 1 for edges in self.position_states.edges):
            raise Undecided(
                "many counts can only be compared where no later head reads an"
                " earlier one"
            )
        e = self.position_states
        means = slot.means
        fits = case.fit_at(e.levels, e.tokens)
        kinds = sorted(set(fits), key=repr)  # in an order that knows no token
        numbers = {kind: i for i, kind in enumerate(kinds)}
        reads = np.array([numbers[kind] for kind in fits])
        roles = np.array(
            [-1 - pair.index(t) if t in pair else 0 for t in e.tokens]
        )
        columns = [
            e.level,
            roles,
            reads,
            slot.kinds,
            np.stack(means.values.rows)[slot.values, 0],
            search.finals,
        ]
        order = np.lexsort(columns[::-1])
        bounds = [
            np.stack(part).tobytes()
            for part in (means.least, means.most, means.loose, means.finest)
        ]
        reading = case.shape(), tuple(kinds)
        return (
            reading,
            tuple(bounds),
            tuple(means.scores),
            b"".join(column[order].tobytes() for column in columns),
        )

    # ------------------------------------------------------------ the judgement

    def _judge_pair(
        self, case: PairCase, found: _Found, winner: int, loser: int
    ) -> None:
        """Show that at each ending the one that must be ahead is. Raises Undecided if not."""
        asked = found.ahead != 0
        if not asked.any():
            return
        margin, error = np.empty((2, len(asked)))
        for ahead, pair in ((1, (winner, loser)), (-1, (loser, winner))):
            at = found.ahead == ahead
            own, off = self._own(*pair, found.query_class[at])
            margin[at] = own + ahead * found.mean[at]
            error[at] = (found.radius[at] + off) * UP
        least = np.where(asked, margin - error, np.inf)
        self.proof.error = max(self.proof.error, float(error[asked].max()))
        if not (least > 0).all():
            first = int(np.argmin(least > 0))
            raise self._doubt(
                case,
                found.endings[first],
                f"the margin may be {least[first]:.6g}",
            )
        first = int(least.argmin())
        if least[first] < self.proof.margin:
            self.proof.margin = float(least[first])
            self.proof.at = found.endings[first].tokens(None)

    def _own(
        self, winner: int, loser: int, query_class: Array
    ) -> tuple[Array, Array]:  # [n] -> [n] each
        """Return the same as `_of_its_own` of many query classes."""
        if not len(query_class):
            return np.zeros(0), np.zeros(0)
        each, inverse = np.unique(query_class, return_inverse=True)
        found = [self._of_its_own(winner, loser, q) for q in each.tolist()]
        own, off = np.array(found).T
        return own[inverse.reshape(-1)], off[inverse.reshape(-1)]

    def _of_its_own(
        self, winner: int, loser: int, query_class: int
    ) -> tuple[float, float]:
        """Return the difference of two logits by the last position's own stream, and how
        far everything but the mean can be off.
        """
        key = winner, loser, query_class
        if key not in self.known:
            d = self._direction(winner, loser)  # [n_embd]
            x = self.streams[query_class]
            b = self.network.blocks[-1]["attn"]["c_proj"]["b"].astype(
                np.float64
            )
            self.known[key] = (
                float((x.c + b) @ d),
                float(x.radius @ np.abs(d) + self._rounded(winner, loser)),
            )
        return self.known[key]

    def _rounded(self, winner: int, loser: int) -> float:
        """Return `_rounding` of two tokens, whichever is ahead."""
        pair = min(winner, loser), max(winner, loser)
        if pair not in self.rounded:
            self.rounded[pair] = self._rounding(*pair)
        return self.rounded[pair]

    def _rounding(self, winner: int, loser: int) -> float:
        """Return how far the floats of the last mean, its projection, the addition and the
        two logits can be off.
        """
        n = self.network
        p = self.network.precision
        last = len(self.network.blocks) - 1
        head = self._head()
        x = self.network.bounds[last]
        # [n_value]
        z = np.abs(head.value[0]).T.astype(np.float64) @ x + np.abs(
            head.value[1]
        )
        out = np.abs(head.out).astype(np.float64)
        b = np.abs(n.blocks[last]["attn"]["c_proj"]["b"]).astype(np.float64)
        mean = 2 * float(p.gamma(n.n_ctx + 4)) * z  # of each value
        adds = z @ out + b  # [n_embd]
        terms = (head.out != 0).sum(axis=0) + 1
        # [n_embd]
        lanes = (
            mean @ out
            + p.gamma(terms) * adds
            + 2 * p.u * (x + adds)
            + 4 * len(z) * p.least
        )
        size = np.abs(n.wte[winner]).astype(np.float64) + np.abs(n.wte[loser])
        read = (
            float(p.gamma(n.n_embd + 1)) * ((x + adds + lanes) @ size)
            + 4 * n.n_embd * p.least
        )
        return float(lanes @ size) + float(read)


def _found(endings: QueryClasses, slot: HeadQuery) -> _Found:
    """Return the endings of a search as arrays."""
    if not endings:
        nothing = np.zeros(0)
        return _Found(nothing, nothing, nothing, nothing, [], 0)
    mean, radius = slot.means.means([seen for _, _, (seen,) in endings])
    ahead = [
        0 if first is None else 1 if first else -1 for first, _, _ in endings
    ]
    return _Found(
        np.array(ahead),
        np.array([query_class for _, query_class, _ in endings]),
        mean[:, 0],
        radius[:, 0],
        [replace(ending) for ending in endings.values()],
        sum(ending.prompts for ending in endings.values()),
    )


def wanted(claim: Claim) -> bool:
    """True if a claim's only answer is the greatest of more counts than can be followed at once."""
    rule = claim.rule
    if claim.measures != "token" or not claim.one_token:
        return False
    return (
        isinstance(rule, Expression)
        and rule.op == "most"
        and len(rule.args) > _FEW
    )
