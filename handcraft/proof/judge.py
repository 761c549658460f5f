"""The judge: holds one model to its claim, batch by batch.

It is asked by every method of verification and by `handcraft.testing`, so that right and wrong are decided in one
place. Rules of this file: the model speaks through its logits and its stream, the claim through its expectation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from handcraft.affine import Lane
from handcraft.claims import Answers, Claim, Distribution, Each, Residual
from handcraft.gpt2 import Array, gpt2, recorder
from handcraft.model import Model
from handcraft.proof.expectation import Chances, EachToken, NextToken, Values, at_each
from handcraft.proof.tally import Find, Tally, Wrong, margins_of


class Judge:
    """Counts what a model predicts by a claim.

    window  how many last tokens the claim needs, None for all
    whole   whether a text is judged at every position: a claim on whole texts, and any claim on contexts of a model
            that is not causal, unless its author asks for the last position alone
    alone   whether each context goes through the model by itself: its prefixes are no contexts that were asked
    """

    def __init__(self, model: Model, claim: Claim) -> None:
        self.model, self.claim, vocabulary = model, claim, model.vocabulary
        self.expect: NextToken | Chances | Values | EachToken | None = None
        self.column = 0
        if isinstance(claim, Distribution):
            self.expect = Chances(claim, vocabulary)
        elif isinstance(claim, Residual):
            self.expect = Values(claim, vocabulary)
            self.column = model.program.layout.column[Lane.parse(claim.lane)] if model.program else 0
        elif isinstance(claim, Each):
            self.expect = EachToken(claim, vocabulary)
        elif not isinstance(claim, Answers):
            self.expect = NextToken(claim, vocabulary)
        self.alone = not model.causal or isinstance(claim, Each)
        self.whole = self.alone and not isinstance(claim, Answers) and getattr(claim, "at", "every") == "every"
        self.window = self.expect.window if self.expect and not self.whole else None

    def batch(self, tally: Tally, ids: Array, stream: Array, logits: Array, find: Find) -> None:
        """Contexts of one length [n, n_seq] (their last tokens suffice), the stream and the logits after them."""
        if self.expect is None or self.whole:
            how = "whole, by prompts()" if self.expect is None else "at every position, by texts()"
            raise TypeError(f"this claim is judged {how}")
        self._add(tally, self.expect(ids), stream, logits, find)

    def texts(self, tally: Tally, ids: Array) -> None:
        """Texts of one length [n, n_seq], each by itself: at every position where the claim is judged so, else at the last."""
        if self.expect is None:
            raise TypeError("this claim is judged whole, by prompts()")
        seen: dict[str, Array] = {}
        logits = gpt2(ids, **self.model.weights, **self.model.config, note=recorder(seen))  # [n, n_seq, n_vocab]
        stream, find = seen["resid_final"], partial(_row, ids)  # [n, n_seq, n_embd]
        if not self.whole:
            return self.batch(tally, ids, stream[:, -1], logits[:, -1], find)
        each = isinstance(self.claim, Each)
        expected = self.expect(ids) if each else at_each(self.expect, ids)  # [n, n_seq, ...]
        flat = [array.reshape(-1, *array.shape[2:]) for array in (expected, stream, logits)]  # [n * n_seq, ...]
        return self._add(tally, flat[0], flat[1], flat[2], find, ids.shape[1])

    def _add(
        self, tally: Tally, expected: Array, stream: Array, logits: Array, find: Find, positions: int | None = None
    ) -> None:  # fmt: skip
        if isinstance(self.claim, Distribution):
            tally.add_chances(expected, logits, self.claim.tolerance, find, positions)
        elif isinstance(self.claim, Residual):
            tally.add_values(expected, stream[:, self.column], self.claim.tolerance, find, positions)
        else:
            tally.add_tokens(expected, logits, find, positions)

    def contexts(self, tally: Tally, ids: Array, lengths: Sequence[int] | None = None) -> None:
        """One context [n_seq] and every prefix of it, or those of the given lengths: in one pass where that is the same."""
        lengths = range(1, len(ids) + 1) if lengths is None else lengths
        if self.alone:
            for length in lengths:
                self.texts(tally, ids[None, :length])
            return
        seen: dict[str, Array] = {}
        logits = gpt2(ids, **self.model.weights, **self.model.config, note=recorder(seen))
        for length in lengths:
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
            logits = self._read(fed, min(len(asked) for asked, _ in pairs))
            for size in sorted({len(asked) for asked, _ in pairs}):
                chosen = [i for i, (asked, _) in enumerate(pairs) if len(asked) == size]
                self._answers(tally, [pairs[i] for i in chosen], logits[chosen, size - 1 :])
        return sum(len(answer) for pairs in by_length.values() for _, answer in pairs)

    def _read(self, ids: Array, first: int) -> Array:  # [n, n_seq] -> [n, n_seq, n_vocab]
        """The logits after each prefix of `first` tokens and more, as `run` would have them: nothing later is in view."""
        weights, config = self.model.weights, self.model.config
        if self.model.causal:
            return gpt2(ids, **weights, **config)
        found = np.zeros((*ids.shape, len(self.model.vocabulary)), dtype=self.model.dtype)
        for n in range(first, ids.shape[1] + 1):
            found[:, n - 1] = gpt2(ids[:, :n], **weights, **config)[:, -1]
        return found

    def _answers(self, tally: Tally, pairs: list[tuple[list[int], list[int]]], logits: Array) -> None:
        """Answers of one length to prompts of one length, and the logits before each token [n, n_answer, n_vocab]."""
        expected = np.array([answer for _, answer in pairs])  # [n, n_answer]
        margins = margins_of(logits.reshape(-1, logits.shape[-1]), expected.ravel()).reshape(expected.shape)
        if not (margins > 0).all():
            for (asked, answer), rows in zip(pairs, logits, strict=True):
                self._answer(tally, asked, answer, rows)
            return
        tally.contexts, tally.checked = tally.contexts + len(pairs), tally.checked + len(pairs)
        tally.correct += len(pairs)
        rows, places = np.nonzero(margins == margins.min())
        first = places.min()
        tally.lower(
            float(margins.min()),
            lambda: (min([*pairs[i][0], *pairs[i][1][:first]] for i in rows[places == first].tolist()), None),
        )

    def _answer(self, tally: Tally, asked: list[int], answer: list[int], logits: Array) -> None:
        """One answer and the logits [n_answer, n_vocab] before each of its tokens."""
        one = Tally()
        one.add_tokens(np.array(answer), logits, lambda i: asked + answer[:i])
        tally.contexts += 1
        tally.checked += 1
        tally.correct += one.worst is None
        tally.lower(one.min_margin, lambda: (one.min_margin_at or asked, None))
        if one.worst is not None:
            tally.keep(one.worst)

    def wrong(self, tokens: Sequence[str]) -> Wrong | None:
        """What the model gets wrong: after a context, its prefixes where they are read on the way, or a prompt."""
        tally, encode = Tally(), self.model.vocabulary.encode
        if isinstance(self.claim, Answers):
            self.prompts(tally, ["".join(tokens)])
        else:
            self.contexts(tally, np.array(encode(tokens)), [len(tokens)] if self.alone else None)
        return tally.worst

    def first_wrong(self, tokens: Sequence[str]) -> Wrong | None:
        """The shortest beginning of a context, or of a prompt with its answer, that the model gets wrong."""
        found = self.wrong(tokens)
        if found is None or isinstance(self.claim, Answers) or not self.alone:
            return found
        shorter = (self.wrong(tokens[:n]) for n in range(1, len(tokens)))
        return next((wrong for wrong in shorter if wrong is not None), found)


def _row(ids: Array, row: int) -> list[int]:  # [n, n_seq] -> the ids of one context
    found: list[int] = ids[row].tolist()
    return found
