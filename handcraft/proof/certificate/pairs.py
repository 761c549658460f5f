"""The greatest of many counts, two at a time.

A claim `most({token: count, ...})` over a whole alphabet has too many histograms to follow. But it is right where each
answer r is ahead of every other token b, and for one pair two counts are enough. After the last attention nothing is
left but the unembedding, so the difference of two logits is a sum over positions like any other:

    logit r - logit b = x . d + mean of (v W_O . d),   d = wte[r] - wte[b]

For a token b that the claim does not count, r's count is at least the average of all. Pairs whose searches read alike
are searched once. Rules of this file: one head in the last block, no MLP behind it; each pair covers all contexts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from handcraft.claims import Answers, Predicate
from handcraft.expressions import Expression
from handcraft.gpt2 import Array
from handcraft.proof.certificate.case import OUT, Case
from handcraft.proof.certificate.cases import ExpressionCase
from handcraft.proof.certificate.domains import Domain
from handcraft.proof.certificate.network import HeadPart, Undecided
from handcraft.proof.certificate.prover import Proof, Prover
from handcraft.proof.certificate.rounding import UP
from handcraft.proof.certificate.search import NOTHING, Ending, Search, Slot

FEW = 3  # tokens whose counts can be followed at once


@dataclass(frozen=True)
class _Found:
    """One ending of a pair: which of the two is ahead, the last position, the mean of the difference, how far it is off."""

    first: bool
    final: int
    mean: float
    radius: float
    ending: Ending


class PairCase(ExpressionCase):
    """The contexts in which one of two tokens can be the answer; `expected` says which is ahead of the other."""

    def __init__(self, claimed: Expression, domain: Domain, first: int, second: int | None) -> None:
        numbers = claimed.args if second is None else (claimed.args[first], claimed.args[second])
        self.mass = len(numbers) if second is None else 0
        watched = (claimed.args[first], _together(numbers)) if second is None else numbers
        super().__init__(Expression(op="add", args=watched), domain, [])

    def expected(self, state: Any, level: int, token: int) -> Any:
        if not self.domain.complete(state[0]):
            return OUT
        scope: dict[str, int | None] = {"here": level, "end": level}
        first, second = (self._value(e, state, scope, token) for e in self.rule.args)
        if first is None or second is None:
            raise Undecided("a part of the claim's `most` may be nothing, so that two of them do not say when it speaks")
        if self.mass:  # the greatest count is at least the average
            return True if first * self.mass >= second else None
        return bool(first >= second)  # of equals, the first named


class Pairs(Prover):
    """A claim on the greatest of many counts."""

    def run(self) -> Proof:
        """The proof. Raises Undecided where there is none."""
        self._begin()
        self.cache: dict[Any, list[_Found]] = {}
        rule = self._rule
        domain = self._domain
        pairs = list(_pairs(rule, self.network.n_vocab, self.model.vocabulary.ids))
        for i, (first, second, winner, loser) in enumerate(pairs):
            self._pair(PairCase(rule, domain, first, second), winner, loser)
            self.progress(i + 1, len(pairs))
        self.proof.checked, self.proof.cases = self.proof.contexts, len(pairs)
        self._covered()
        return self.proof

    @property
    def _rule(self) -> Expression:
        rule = self.claim.answer if isinstance(self.claim, Answers) else getattr(self.claim, "function", None)
        if not isinstance(rule, Expression):
            raise Undecided("the claim compares no counts")
        return rule

    @property
    def _domain(self) -> Domain:
        case = self.cases[0]
        if len(self.cases) > 1 or not isinstance(case, ExpressionCase):
            raise Undecided("many counts can only be compared where no context's length and no token is guessed")
        return case.domain

    def _pair(self, case: PairCase, winner: int, loser: int) -> None:
        """One pair in every context."""
        levels, here = self._ends(case, sorted(case.levels))
        prompts = 0
        x = self.streams
        for slots, members in self._queries(0, x[here], here):
            finals = np.full(len(self.finals), NOTHING)
            finals[members] = self.finals[members]
            for found in self._endings(case, slots, finals, levels, winner, loser):
                prompts += found.ending.prompts
                self._judge_pair(case, found, winner, loser)
        self.proof.contexts = max(self.proof.contexts, prompts)

    def _ends(self, case: Case, levels: list[int]) -> tuple[list[int], Array]:
        ends = np.isin(self.emissions.level, levels) & np.isin(self.emissions.token, case.last(range(self.network.n_vocab)))
        return levels, np.flatnonzero(ends)

    # ------------------------------------------------------------ the search for one pair

    def _head(self) -> HeadPart:
        last = len(self.network.blocks) - 1
        if self.stages != [last] or len(self.network.final[last]) != 1 or self.network.heads[last] != self.network.final[last]:
            raise Undecided("many counts can only be compared by one head of the last block")
        if "mlp" in self.network.blocks[last]:
            raise Undecided("many counts can only be compared where no neuron reads them")
        return self.network.final[last][0]

    def _endings(
        self, case: PairCase, slots: list[Slot], finals: Array, levels: list[int], winner: int, loser: int
    ) -> list[_Found]:
        slot = self._projected(slots[0], winner, loser)
        search = Search(self.emissions, [slot], finals, self.deadline)
        key = self._signature(case, search, slot, (winner, loser))
        if key not in self.cache:
            found = []
            for (first, final, (summary,)), ending in search.run(case, levels).items():
                mean, radius = slot.means.mean(summary)
                found.append(_Found(first, final, float(mean[0]), float(radius[0]), replace(ending)))
            self.cache[key] = found
        return self.cache[key]

    def _projected(self, slot: Slot, winner: int, loser: int) -> Slot:
        """The slot with the difference of two logits as its only value."""
        head = self._head()
        f = head.out.astype(np.float64) @ self._direction(winner, loser)  # [n_value]
        values = slot.means.values
        rows = np.stack([values.rows[i] for i in range(len(values.rows))])  # [n_numbers, n_value]
        means = slot.means.projected(f, rows @ f)
        numbers = means.values.numbers((rows @ f)[:, None])
        return Slot(means, slot.kinds, numbers[slot.values], slot.floor)

    def _direction(self, winner: int, loser: int) -> Array:  # -> [n_embd]
        return np.asarray(self.network.wte[winner].astype(np.float64) - self.network.wte[loser].astype(np.float64))

    def _signature(self, case: PairCase, search: Search, slot: Slot, pair: tuple[int, int]) -> Any:
        """What the search reads, with the two tokens by their roles and all others by what the domain makes of them."""
        if any(len(edges) > 1 for edges in self.emissions.edges):
            raise Undecided("many counts can only be compared where no later head reads an earlier one")
        e, values = self.emissions, np.stack(slot.means.values.rows)[slot.values, 0]  # [n_emissions]
        roles = np.array([-1 - pair.index(t) if t in pair else self._roles[t] for t in range(self.network.n_vocab)])[e.token]
        columns = [e.level, roles, slot.kinds, values, search.finals]
        order = np.lexsort(columns[::-1])
        return case.mass, b"".join(column[order].tobytes() for column in columns)

    @cached_property
    def _roles(self) -> list[int]:
        """For each token the first that the domain and the claim read alike: those that can stand at the same positions."""
        domain = self._domain
        keys: dict[Any, int] = {}
        states = {state for states in getattr(domain, "reached", [{domain.start}]) for state in states} | {domain.start}
        ordered = sorted(states)
        named = {key for (key,), _ in self._rule.table}
        tokens = self.model.vocabulary.tokens
        rows = [(tuple(domain.step(s, 0, t) for s in ordered), tokens[t] in named) for t in range(len(tokens))]
        return [keys.setdefault(row, t) for t, row in enumerate(rows)]

    # ------------------------------------------------------------ the judgement

    def _judge_pair(self, case: PairCase, found: _Found, winner: int, loser: int) -> None:
        if found.first is None:
            return
        if not found.first:
            winner, loser = loser, winner
        d = self._direction(winner, loser)  # [n_embd]
        x, b = self.streams[found.final], self.network.blocks[-1]["attn"]["c_proj"]["b"].astype(np.float64)
        mean = found.mean if found.first else -found.mean
        margin = float((x.c + b) @ d) + mean
        error = (found.radius + float(x.radius @ np.abs(d)) + self._rounding(winner, loser)) * UP
        self.proof.error = max(self.proof.error, error)
        if not margin - error > 0:
            raise self._doubt(case, found.ending, f"the margin may be {margin - error:.6g}")
        if margin - error < self.proof.margin:
            self.proof.margin, self.proof.at = margin - error, found.ending.tokens(None)

    def _rounding(self, winner: int, loser: int) -> float:
        """How far the floats of the last mean, its projection, the addition and the two logits can be off."""
        n, p, last = self.network, self.network.precision, len(self.network.blocks) - 1
        head, x = self._head(), self.network.bounds[last]
        z = np.abs(head.value[0]).T.astype(np.float64) @ x + np.abs(head.value[1])  # [n_value]
        out = np.abs(head.out).astype(np.float64)
        b = np.abs(n.blocks[last]["attn"]["c_proj"]["b"]).astype(np.float64)
        mean = 2 * float(p.gamma(n.n_ctx + 4)) * z  # of each value
        adds = z @ out + b  # [n_embd]
        terms = (head.out != 0).sum(axis=0) + 1
        lanes = mean @ out + p.gamma(terms) * adds + 2 * p.u * (x + adds) + 4 * len(z) * p.least  # [n_embd]
        size = np.abs(n.wte[winner]).astype(np.float64) + np.abs(n.wte[loser])
        read = float(p.gamma(n.n_embd + 1)) * ((x + adds + lanes) @ size) + 4 * n.n_embd * p.least
        return float(lanes @ size) + float(read)


def wanted(claim: Any) -> bool:
    """Whether a claim's only answer is the greatest of more counts than can be followed at once."""
    if isinstance(claim, Answers):
        rule = claim.answer if claim.length == 1 and claim.stop is None else None
    else:
        rule = claim.function if isinstance(claim, Predicate) else None
    return isinstance(rule, Expression) and rule.op == "most" and len(rule.args) > FEW


def _pairs(rule: Expression, n_vocab: int, ids: dict[str, int]) -> Iterator[tuple[int, int | None, int, int]]:
    """(first, second or None, their ids): every two counted tokens, and every counted one with every other token."""
    counted = [ids[str(key)] for (key,), _ in rule.table]
    for i, a in enumerate(counted):
        for j in range(i + 1, len(counted)):
            yield i, j, a, counted[j]
        for b in range(n_vocab):
            if b not in counted:
                yield i, None, a, b


def _together(numbers: Any) -> Expression:
    """The sum of all counts as one count. Raises Undecided where they do not count the same thing for different tokens."""
    first = numbers[0]
    if all(isinstance(e, Expression) and e.op == "count" and len(e.where) == 1 and isinstance(e.where[0][1], str) for e in numbers):
        tokens = tuple(e.where[0][1] for e in numbers)
        alike = {(e.where[0][0], str(e.before), e.every) for e in numbers}
        if len(alike) == 1 and len(set(tokens)) == len(tokens):
            return Expression(op="count", where=((first.where[0][0], tokens),), before=first.before, every=first.every)
    raise Undecided("the claim compares counts that cannot be added up to one")
