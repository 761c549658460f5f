"""The judge: holds one model to its claim, batch by batch.

It is asked by every method of verification and by `handcraft.testing`, so that right and wrong are decided in one
place. Rules of this file: the model speaks through its logits and its stream, the claim through its expectation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from handcraft.affine import Lane
from handcraft.claims import Answers, Claim, Distribution, Residual
from handcraft.gpt2 import Array, gpt2, recorder
from handcraft.model import Model
from handcraft.proof.expectation import Chances, NextToken, Values
from handcraft.proof.tally import Find, Tally, Wrong


class Judge:
    """Counts what a model predicts by a claim. `window` is how many last tokens the claim needs, None for all."""

    def __init__(self, model: Model, claim: Claim) -> None:
        self.model, self.claim, vocabulary = model, claim, model.vocabulary
        self.expect: NextToken | Chances | Values | None = None
        self.column = 0
        if isinstance(claim, Distribution):
            self.expect = Chances(claim, vocabulary)
        elif isinstance(claim, Residual):
            self.expect = Values(claim, vocabulary)
            self.column = model.program.layout.column[Lane.parse(claim.lane)] if model.program else 0
        elif not isinstance(claim, Answers):
            self.expect = NextToken(claim, vocabulary)
        self.window = self.expect.window if self.expect else None

    def batch(self, tally: Tally, ids: Array, stream: Array, logits: Array, find: Find) -> None:
        """Contexts of one length [n, n_seq] (their last tokens suffice), the stream and the logits after them."""
        if self.expect is None:
            raise TypeError("the answers to a prompt are judged whole, by prompts()")
        expected = self.expect(ids)
        if isinstance(self.claim, Distribution):
            tally.add_chances(expected, logits, self.claim.tolerance, find)
        elif isinstance(self.claim, Residual):
            tally.add_values(expected, stream[:, self.column], self.claim.tolerance, find)
        else:
            tally.add_tokens(expected, logits, find)

    def contexts(self, tally: Tally, ids: Array, lengths: Sequence[int] | None = None) -> None:
        """One context [n_seq] and, in a causal model, every prefix of it, or those of the given lengths."""
        seen: dict[str, Array] = {}
        logits = gpt2(ids, **self.model.weights, **self.model.config, note=recorder(seen))
        for length in (range(1, len(ids) + 1) if lengths is None else lengths) if self.model.causal else [len(ids)]:
            at = slice(length - 1, length)
            self.batch(tally, ids[None, :length], seen["resid_final"][at], logits[at], partial(_row, ids[None, :length]))

    def prompts(self, tally: Tally, prompts: Sequence[str]) -> int:
        """Prompts with their whole answers, many at once: how many tokens of answers were asked.

        A prompt counts as one context, right or wrong as a whole.
        """
        if not isinstance(self.claim, Answers):
            raise TypeError("this claim is judged context by context")
        encode = self.model.vocabulary.encode
        by_length: dict[int, list[tuple[list[int], list[int]]]] = {}
        for prompt in prompts:
            asked = encode(prompt)
            answer = encode(self.claim.expected(prompt, self.model.vocabulary, self.model.n_ctx))
            by_length.setdefault(len(asked) + len(answer), []).append((asked, answer))
        for pairs in by_length.values():
            fed = np.array([(asked + answer)[:-1] for asked, answer in pairs])  # [n_batch, n_seq]
            logits = gpt2(fed, **self.model.weights, **self.model.config)  # [n_batch, n_seq, n_vocab]
            for (asked, answer), rows in zip(pairs, logits, strict=True):
                self._answer(tally, asked, answer, rows[len(asked) - 1 :])
        return sum(len(answer) for pairs in by_length.values() for _, answer in pairs)

    def _answer(self, tally: Tally, asked: list[int], answer: list[int], logits: Array) -> None:
        """One answer and the logits [n_answer, n_vocab] before each of its tokens."""
        one = Tally()
        one.add_tokens(np.array(answer), logits, lambda i: asked + answer[:i])
        tally.contexts += 1
        tally.checked += 1
        tally.correct += one.worst is None
        tally.lower(one.min_margin, lambda: one.min_margin_at or asked)
        if one.worst is not None:
            tally.keep(one.worst)

    def first_wrong(self, tokens: Sequence[str]) -> Wrong | None:
        """The shortest ending of a context, or of a prompt with its answer, that the model gets wrong."""
        tally = Tally()
        if isinstance(self.claim, Answers):
            self.prompts(tally, ["".join(tokens)])
        else:
            self.contexts(tally, np.array(self.model.vocabulary.encode(tokens)))
        return tally.worst


def _row(ids: Array, row: int) -> list[int]:  # [n, n_seq] -> the ids of one context
    found: list[int] = ids[row].tolist()
    return found
