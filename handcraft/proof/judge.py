"""The judge: holds one model to its claim, batch by batch.

It is asked by every method of verification and by `handcraft.testing`, so that right and wrong are decided in one
place. Rules of this file: the model speaks through its logits and its stream, the claim through its expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np

from handcraft.affine import Lane
from handcraft.claims import Answers, Claim, Distribution, Residual
from handcraft.errors import ProgramError, printable
from handcraft.gpt2 import Array, gpt2, recorder
from handcraft.model import Model
from handcraft.proof.expectation import Chances, NextToken, Values
from handcraft.proof.second import Pass, Second
from handcraft.proof.tally import Find, Tally, Wrong

MOST = 2**10  # of those that a wider pass does not confirm, so many are followed number by number at once
TOGETHER = 2**10  # contexts of a second look


class Judge:
    """Counts what a model predicts by a claim. `window` is how many last tokens the claim needs, None for all."""

    def __init__(self, model: Model, claim: Claim) -> None:
        self.model, self.claim, vocabulary = model, claim, model.vocabulary
        self.expect: NextToken | Chances | Values | None = None
        self.column = 0
        self.length: int | None = None  # of every answer, where no stop token ends them
        if isinstance(claim, Distribution):
            self.expect = Chances(claim, vocabulary)
        elif isinstance(claim, Residual):
            self.expect = Values(claim, vocabulary)
            self.column = model.program.layout.column[Lane.parse(claim.lane)] if model.program else 0
        elif not isinstance(claim, Answers):
            self.expect = NextToken(claim, vocabulary)
        self.window = self.expect.window if self.expect else None
        self.second = Second(model, claim, self.column)

    def batch(
        self, tally: Tally, ids: Array, stream: Array, logits: Array, find: Find, wide: Callable[[], Pass] | None = None
    ) -> None:
        """Contexts of one length [n, n_seq] (their last tokens suffice), the stream and the logits after them.

        What another order of summation could turn gets a second look; `wide` has these contexts in a wider dtype.
        """
        if self.expect is None:
            raise TypeError("the answers to a prompt are judged whole, by prompts()")
        expected = self.expect(ids)
        doubtful = self.second.doubtful(expected, (stream, logits))  # [n]
        if doubtful.any() and wide is not None:
            doubtful &= ~self.second.steady(expected, (stream, logits), wide())
        if doubtful.any():
            rows = np.flatnonzero(doubtful)
            self._look_again(tally, np.array([find(int(row)) for row in rows]), expected[rows])
        self._add_rows(tally, np.flatnonzero(~doubtful), expected, (stream, logits), find)

    def _add_rows(self, tally: Tally, rows: Array, expected: Array, found: Pass, find: Find) -> None:
        """Count some of the rows."""
        if len(rows):
            self._add(tally, expected[rows], found[0][rows], found[1][rows], lambda i: find(int(rows[i])))

    def _add(self, tally: Tally, expected: Array, stream: Array, logits: Array, find: Find) -> None:
        if isinstance(self.claim, Distribution):
            tally.add_chances(expected, logits, self.claim.tolerance, find)
        elif isinstance(self.claim, Residual):
            tally.add_values(expected, stream[:, self.column], self.claim.tolerance, find)
        else:
            tally.add_tokens(expected, logits, find)

    def settle(self, tally: Tally, contexts: Sequence[Sequence[int]]) -> None:
        """Count contexts that another engine could not be sure of."""
        by_length: dict[int, list[Sequence[int]]] = {}
        for context in contexts:
            by_length.setdefault(len(context), []).append(context)
        for group in by_length.values():
            for first in range(0, len(group), TOGETHER):
                ids = np.array(group[first : first + TOGETHER])
                self._look_again(tally, ids, self.expect(ids))  # type: ignore[misc]

    def _look_again(self, tally: Tally, ids: Array, expected: Array) -> None:
        """Whole contexts [n, n_seq] by the plain pass and by a wider one; where they differ, each by itself."""
        found, wide = self._plain(ids), tuple(array[:, -1] for array in self.second.wide(ids))
        good = self.second.steady(expected, found, wide)  # type: ignore[arg-type]
        rest = np.flatnonzero(~good)
        asked = rest[:MOST]
        if len(asked):
            good[asked] = self.second.sure(expected[asked], ids[asked])
        find = partial(_row, ids)
        self._add_rows(tally, np.flatnonzero(good), expected, found, find)
        for row in np.flatnonzero(~good):
            self._alone(tally, ids[row : row + 1], expected[row : row + 1])

    def _alone(self, tally: Tally, ids: Array, expected: Array) -> None:
        """One context [1, n_seq] as `run` would have it; where it is right, rounding alone may make it so."""
        one, found = Tally(), self._plain(ids)
        self._add(one, expected, *found, partial(_row, ids))
        tally.merge(one)
        if one.worst is None:
            by = float(self.second.slack(expected, found)[0])
            tally.keep_unsure(Wrong(_row(ids, 0), expected[0].tolist(), None, by))

    def _plain(self, ids: Array) -> Pass:  # [n, n_seq] -> [n, n_embd], [n, n_vocab]
        seen: dict[str, Array] = {}
        logits = gpt2(ids, **self.model.weights, **self.model.config, note=recorder(seen))
        return seen["resid_final"][:, -1], logits[:, -1]

    def contexts(self, tally: Tally, ids: Array, lengths: Sequence[int] | None = None) -> None:
        """One context [n_seq] and, in a causal model, every prefix of it, or those of the given lengths."""
        seen: dict[str, Array] = {}
        logits = gpt2(ids, **self.model.weights, **self.model.config, note=recorder(seen))
        again = cache(lambda: self.second.wide(ids))
        for length in (range(1, len(ids) + 1) if lengths is None else lengths) if self.model.causal else [len(ids)]:
            at = slice(length - 1, length)
            found = seen["resid_final"][at], logits[at]
            wide = partial(_rows, again, at)
            self.batch(tally, ids[None, :length], *found, partial(_row, ids[None, :length]), wide)

    def prompts(self, tally: Tally, prompts: Sequence[str]) -> None:
        """Prompts with their whole answers, many at once. A prompt counts as one context, right or wrong as a whole."""
        if not isinstance(self.claim, Answers):
            raise TypeError("this claim is judged context by context")
        encode = self.model.vocabulary.encode
        by_length: dict[int, list[tuple[list[int], list[int]]]] = {}
        for prompt in prompts:
            asked = encode(prompt)
            answer = encode(self.claim.expected(prompt, self.model.vocabulary, self.model.n_ctx))
            self._ends(prompt, len(answer))
            by_length.setdefault(len(asked) + len(answer), []).append((asked, answer))
        for pairs in by_length.values():
            fed = np.array([(asked + answer)[:-1] for asked, answer in pairs])  # [n_batch, n_seq]
            logits = gpt2(fed, **self.model.weights, **self.model.config)  # [n_batch, n_seq, n_vocab]
            wide = self.second.wide(fed)[1] if self.second.cheap else logits
            for (asked, answer), *rows in zip(pairs, logits, wide, strict=True):
                self._answer(tally, asked, answer, *(row[len(asked) - 1 :] for row in rows))

    def _ends(self, prompt: str, length: int) -> None:
        """Raises ProgramError for answers of several lengths that nothing ends: running could not know where."""
        self.length = length if self.length is None else self.length
        claim = self.claim
        if length != self.length and isinstance(claim, Answers) and claim.stop is None:
            found = f"has {length} tokens, another has {self.length}"
            raise ProgramError(f"the answer to '{printable(prompt)}' {found}: end them with stop=", ("claim",), claim.source)

    def _answer(self, tally: Tally, asked: list[int], answer: list[int], logits: Array, wide: Array) -> None:
        """One answer and the logits [n_answer, n_vocab] before each of its tokens, of two passes."""
        one = Tally()
        one.add_tokens(np.array(answer), logits, lambda i: asked + answer[:i])
        if one.worst is None:
            self._answer_again(one, asked, answer, logits, wide)
        tally.contexts += 1
        tally.checked += 1
        tally.correct += one.worst is None
        tally.lower(one.min_margin, lambda: one.min_margin_at or asked)
        if one.worst is not None:
            tally.keep(one.worst)
        elif one.unsure is not None:
            tally.keep_unsure(one.unsure)

    def _answer_again(self, one: Tally, asked: list[int], answer: list[int], logits: Array, wide: Array) -> None:
        """The tokens of an answer that a wider pass does not confirm, each by itself."""
        good = self.second.steady(np.array(answer), (logits, logits), (wide, wide))  # [n_answer]
        for i in np.flatnonzero(~good):
            ids, expected = np.array([asked + answer[:i]]), np.array(answer[i : i + 1])
            if not self.second.sure(expected, ids)[0]:
                self._alone(one, ids, expected)

    def first_wrong(self, tokens: Sequence[str]) -> Wrong | None:
        """The shortest ending of a context, or of a prompt with its answer, that the model gets wrong."""
        tally = Tally()
        if isinstance(self.claim, Answers):
            self.prompts(tally, ["".join(tokens)])
        else:
            self.contexts(tally, np.array(self.model.vocabulary.encode(tokens)))
        return tally.worst


def _rows(both: Callable[[], Pass], at: slice) -> Pass:
    stream, logits = both()
    return stream[at], logits[at]


def _row(ids: Array, row: int) -> list[int]:  # [n, n_seq] -> the ids of one context
    found: list[int] = ids[row].tolist()
    return found
