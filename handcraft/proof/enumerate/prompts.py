"""Counts every prompt of a claim, many thousands at once.

    count_prompts(judge, go_on)    the tally of all prompts; None where they are asked one by one

A batch has the ids of prompts of one length (prompt_ids.py), what the claim says of them
(right_answers.py), and by how much each right token is ahead (together.py). Where no order of
summation could turn a token of an answer, its lead decides. Every other prompt is asked as `run`
would have it, by the judge, and so is the first wrong one and the one that is nearest to being
wrong. Rules of this file: the counts are those of the judge; if it does not find wrong what a batch
did, nothing of the batches is believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from handcraft.claims.prompt_claim import Answers
from handcraft.core.gpt2 import Array, convert
from handcraft.proof.enumerate.prompt_ids import PromptIds
from handcraft.proof.enumerate.right_answers import RightAnswers
from handcraft.proof.enumerate.together import Together, library_of
from handcraft.proof.enumerate.units import GoOn
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally, order

PROMPTS_FROM = 2**12  # prompts; for fewer nothing is gained
LIBRARY_FROM = (
    2**20
)  # prompts; for fewer another library would only have started
_NUMBERS = 2**21  # of the largest array of a batch, about
_BY_ONE = 2**8  # prompts that the judge is given at once


class _Refused(Exception):  # noqa: N818  # a verdict
    """The judge does not say what a batch says."""


def count_prompts(
    judge: Judge, go_on: GoOn, library: str | None = None
) -> Tally | None:
    """The tally of every prompt, or of those that there was time for. None where there are few,
    where they cannot be listed as ids, and where the judge does not agree.
    """
    claim, model = judge.claim, judge.model
    if not isinstance(claim, Answers) or not model.causal:
        return None
    language = claim.language(model.n_ctx, model.vocabulary)
    prompts = PromptIds.of(language, model.vocabulary)
    if prompts is None or (language.size < PROMPTS_FROM and library is None):
        return None
    if library is None:
        many = language.size >= LIBRARY_FROM
        library = library_of() if many else "numpy"
    try:
        return _Counting(judge, claim, prompts, library).every(go_on)
    except _Refused:
        return None


@dataclass(frozen=True, eq=False)
class _Counting:
    """One count of all prompts."""

    judge: Judge
    claim: Answers
    prompts: PromptIds
    library: str

    @cached_property
    def right(self) -> RightAnswers:
        model = self.judge.model
        return RightAnswers(self.claim, model.vocabulary, model.n_ctx)

    @cached_property
    def together(self) -> Together:
        return Together(self.judge.model, self.library)

    @cached_property
    def wide(self) -> Together:
        """The same model with more digits, where processors have them."""
        model = self.judge.model
        more = convert(model.weights, lambda x: x.astype(np.float64))
        return Together(model.replace(weights=more), self.library)

    @property
    def rows(self) -> int:
        """How many prompts make a batch."""
        weights = self.judge.model.weights
        n_vocab, n_embd = weights["wte"].shape
        widest = max(n_vocab, 4 * n_embd, len(weights["wpe"]))
        return max(1, _NUMBERS // (widest * 4)) * self.together.more

    def every(self, go_on: GoOn) -> Tally:
        """The tally of all, or of those that there was time for. Raises _Refused."""
        tally = Tally()
        for block in self.prompts.blocks(self.rows):
            if not go_on(tally.contexts):
                break
            ids = self.prompts.rows(*block)
            for rows, answers in self.right.of(ids):
                self.count(tally, ids[rows], answers)
        return tally

    def count(self, tally: Tally, ids: Array, answers: Array) -> None:
        """Count prompts [n, n_seq] with answers of one length [n, n_answer]."""
        leads, open_ = self.looked_at(ids, answers)  # [n, n_answer] each
        asked = (open_ | ~np.isfinite(leads)).any(axis=1)  # [n]
        for first in range(0, int(asked.sum()), _BY_ONE):
            self.by_judge(tally, ids[asked][first : first + _BY_ONE])
        self.by_leads(tally, ids[~asked], answers[~asked], leads[~asked])

    def looked_at(self, ids: Array, answers: Array) -> tuple[Array, Array]:
        """The leads, and which of them another order of summation could turn: what it could turn
        in principle is computed with more digits.
        """
        second = self.judge.second
        leads, sizes = self.together.leads(ids, answers)
        open_ = second.may_turn(leads)
        if open_.any() and second.cheap:
            rows: Any = np.flatnonzero(open_.any(axis=1))
            rows = slice(None) if len(rows) == len(ids) else rows
            more, _ = self.wide.leads(ids[rows], answers[rows])
            open_[rows] &= ~second.agree(leads[rows], more, sizes[rows])
        return leads, open_

    def by_judge(self, tally: Tally, ids: Array) -> None:
        """Count prompts as `run` answers them."""
        tokens = self.judge.model.vocabulary.tokens
        texts = ["".join(tokens[i] for i in row) for row in ids.tolist()]
        self.judge.prompts(tally, texts)

    def by_leads(
        self, tally: Tally, ids: Array, answers: Array, leads: Array
    ) -> None:
        """Count prompts whose leads decide."""
        if not len(ids):
            return
        wrong = ~(leads > 0)  # [n, n_answer]
        tally.contexts += len(ids)
        tally.checked += len(ids)
        tally.correct += len(ids) - int(wrong.any(axis=1).sum())
        if (least := leads.min()) <= tally.min_margin:
            near = leads == least
            context = min(self._first(ids, answers, near), key=order)
            tally.lower(float(least), lambda: (context, None))
        if wrong.any():
            self.keep(tally, ids, answers, wrong)

    def _first(
        self, ids: Array, answers: Array, chosen: Array
    ) -> Iterator[list[int]]:
        """The texts before the first chosen token of each answer that has one; of those alone
        whose text is the shortest.
        """
        some = np.flatnonzero(chosen.any(axis=1))
        places = chosen[some].argmax(axis=1)
        for row in some[places == places.min()].tolist():
            answer = answers[row, : places.min()].tolist()
            yield [*ids[row].tolist(), *answer]

    def keep(
        self, tally: Tally, ids: Array, answers: Array, wrong: Array
    ) -> None:
        """Remember the first wrong prompt of a batch, if it is the first of all, as `run` has it.
        Raises _Refused where that is right.
        """
        found = min(self._first(ids, answers, wrong), key=order)
        if tally.worst is not None and tally.worst.key < order(found):
            return
        one = Tally()
        self.by_judge(one, np.array([found[: ids.shape[1]]]))
        if one.worst is None:
            raise _Refused
        tally.keep(one.worst)
