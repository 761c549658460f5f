"""Real runs that a bound must agree with: the plain forward pass, and the claim's own evaluator.

    every    each text of a length, if there are at most 20,000
    drawn    otherwise texts of any tokens, of each length alike often
    close    and texts whose greatest tokens are neighbours in rank, where models are wrong

A text that is in a class must be run right, by the lead that is certain; a wrong one elsewhere is
a counterexample, and no contradiction. Rules of this file: the seed of the draw is fixed; it
proves nothing, and is there to catch our own next error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_language import SEED
from handcraft.core.gpt2 import Array, gpt2
from handcraft.model import Model
from handcraft.proof.gate import Disagreement
from handcraft.proof.judge import Judge
from handcraft.proof.separable.certificate import LayerCertificate
from handcraft.proof.separable.classes import covers
from handcraft.proof.separable.ranking import Ranking, Shape
from handcraft.proof.tally import Tally, Wrong

_EVERY = 20_000  # texts of a length, up to which each is run
_DRAWN = 8_000  # texts in all otherwise, half of them close
_BATCH = 500
_TOLD = 2.0**-20  # by how much a margin of a run is off, relatively


@dataclass(frozen=True)
class Runs:
    """Runs of one model, to be compared with what a certificate covers."""

    model: Model
    claim: Claim
    ranking: Ranking
    certificate: LayerCertificate

    def ask(self, margin: float | None) -> Tally:
        """What was run, and the shortest text that was wrong. Raises Disagreement for a covered
        one, or one whose margin is less than this.
        """
        tally = Tally()
        random = np.random.default_rng(SEED)
        each = max(1, _DRAWN // len(self.ranking.shapes))
        for shape in self.ranking.shapes:
            for ranks in (
                _every(self.ranking, shape)
                if self.ranking.size(shape) <= _EVERY
                else _drawn(self.ranking, shape, each, random)
            ):
                self._run(
                    tally, shape, _placed(self.ranking, shape, ranks), margin
                )
        return tally

    def _run(
        self, tally: Tally, shape: Shape, ids: Array, margin: float | None
    ) -> None:  # [n, n_seq]
        logits = gpt2(ids, **self.model.weights, **self.model.config)[:, -1]
        right = self._said(ids)  # [n]
        rows = np.arange(len(ids))
        own = logits[rows, right].astype(np.float64)
        others = logits.astype(np.float64)
        others[rows, right] = -np.inf
        leads = own - others.max(axis=1)  # not a number is no lead
        tally.contexts += len(ids)
        tally.checked += len(ids)
        least = 0.0 if margin is None else margin * (1 - _TOLD)
        for row in np.flatnonzero(~(leads > least)):
            text = ids[row].tolist()
            self._covered(shape, text, float(leads[row]), least)
            self._wrong(tally, text, int(right[row]), others[row], leads[row])
        tally.correct += int((leads > 0).sum())

    def _said(self, ids: Array) -> Array:  # [n, n_seq] -> [n]
        """The ids of the right tokens, by the claim's own evaluator."""
        vocabulary, claim = self.model.vocabulary, self.claim
        if not claim.asks_prompts:
            return np.asarray(Judge(self.model, claim).said(ids))
        prompts = [vocabulary.decode(row) for row in ids.tolist()]
        ask = claim.ahead(prompts, vocabulary)
        n_ctx = self.model.n_ctx
        answers = [
            claim.expected(prompt, vocabulary, n_ctx, ask) for prompt in prompts
        ]
        return np.array([vocabulary.ids[token] for (token,) in answers])

    def _covered(
        self, shape: Shape, text: list[int], lead: float, least: float
    ) -> None:
        """Raises Disagreement for a text of a class, which should lead by more."""
        (part,) = (
            part
            for part in self.certificate.lengths
            if part.length == len(shape)
        )
        if covers(self.ranking, shape, part.by, part.limits, text):
            raise Disagreement(
                f"the margin is {lead:.9g}, where more than {least:.9g} is certain",
                text,
            )

    def _wrong(
        self,
        tally: Tally,
        text: list[int],
        right: int,
        others: Array,
        lead: float,
    ) -> None:
        """Keep a wrong text if it is the first of the shortest."""
        if lead > 0:
            return
        margin = float(lead) if np.isfinite(lead) else None
        found = Wrong(text, right, int(np.argmax(others)), margin)
        if tally.worst is None or found.key < tally.worst.key:
            tally.worst = found


def _every(ranking: Ranking, shape: Shape) -> Iterator[Array]:
    """The ranks of every text of a shape [n, n_seq]; 0 where one token alone stands."""
    n = len(ranking.order)
    free = [i for i, only in enumerate(shape.fixed) if only is None]
    for start in range(0, n ** len(free), _BATCH):
        index = np.arange(start, min(start + _BATCH, n ** len(free)))
        ranks = np.zeros((len(index), len(shape)), dtype=int)
        for power, place in enumerate(free):
            ranks[:, place] = index // n**power % n
        yield ranks


def _drawn(
    ranking: Ranking, shape: Shape, count: int, random: np.random.Generator
) -> Iterator[Array]:
    """The ranks of texts of a shape [n, n_seq]: of any tokens, and of close ones, in turn."""
    n = len(ranking.order)
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start), len(shape)
        ranks = random.integers(0, n, size)
        if start // _BATCH % 2:
            top = random.integers(0, n, (size[0], 1))
            near = np.maximum(top - random.integers(0, 3, size), 0)
            ranks = np.where(random.random(size) < 0.5, near, ranks % (top + 1))
        yield ranks


def _placed(
    ranking: Ranking, shape: Shape, ranks: Array
) -> Array:  # [n, n_seq] -> the same
    """The ids of texts, from the ranks of their tokens."""
    ids = np.array(ranking.order)[ranks]
    for place, only in enumerate(shape.fixed):
        if only is not None:
            ids[:, place] = only
    return ids
