"""What a claim says of many prompts at once, in ids.

    RightAnswers(claim, vocabulary, n_ctx).of(ids)    (rows, answers) for each length of an answer

The greatest of some tokens is found for all prompts in a few operations on arrays; whatever else a
claim says is asked prompt by prompt. Rules of this file: the answers are those of
`Answers.expected`, and its errors are raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from handcraft.claims.prompt_claim import Answers
from handcraft.core.gpt2 import Array
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.expected import as_contexts
from handcraft.proof.separable.ranking import Ranking, ranking_of


@dataclass(frozen=True)
class RightAnswers:
    """The answers to the prompts of a claim, whose tokens are characters."""

    claim: Answers
    vocabulary: Vocabulary
    n_ctx: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "_greatest", self._ranked())

    def of(self, ids: Array) -> Iterator[tuple[Array, Array]]:
        """For each length of an answer the rows of the prompts [n_row] of ids [n, n_seq] that have
        it, in their order, and their answers [n_row, n_answer].
        """
        ranking: tuple[Array, Array] | None = getattr(self, "_greatest", None)
        if ranking is not None:
            order, places = ranking  # [n_ranked], [n_vocab]
            yield np.arange(len(ids)), order[places[ids].max(axis=1)][:, None]
            return
        said = self._asked(ids)
        sizes = np.array([len(answer) for answer in said])
        for size in np.unique(sizes).tolist():
            rows = np.flatnonzero(sizes == size)
            yield rows, np.array([said[row] for row in rows])

    def _asked(self, ids: Array) -> list[list[int]]:
        """The answers, one after the other."""
        claim, vocabulary = self.claim, self.vocabulary
        texts = [str(text) for text in as_contexts(ids, vocabulary)]
        ask = claim.ahead(texts, vocabulary)
        known = vocabulary.ids
        return [
            [
                known[token]
                for token in claim.expected(text, vocabulary, self.n_ctx, ask)
            ]
            for text in texts
        ]

    def _ranked(self) -> tuple[Array, Array] | None:
        """The ranked tokens [n_ranked], the least first, and the place of each token among them
        [n_vocab], -1 where it has none; None unless the claim says the greatest.
        """
        try:
            ranking: Ranking = ranking_of(
                self.claim, self.vocabulary, self.n_ctx
            )
        except Rejected:
            return None
        order = np.array(ranking.order)
        places = np.full(len(self.vocabulary), -1)
        places[order] = np.arange(len(order))
        return order, places
