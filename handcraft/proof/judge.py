"""The judge: it compares one model's predictions with its claim, batch by batch, and counts.

Every method of verification and `handcraft.testing` ask it, so right and wrong are decided in one
place. Rules of this file: the model speaks through its logits and its stream, the claim through
what it expects (expected.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.core.gpt2 import Array, gpt2, recorder
from handcraft.language.affine import Lane
from handcraft.model import Model
from handcraft.proof.expected import (
    EachToken,
    ExpectedNumbers,
    ExpectedProbabilities,
    NextToken,
    as_data,
    at_each,
)
from handcraft.proof.second import Pass, Second, some_at_once
from handcraft.proof.tally import Find, Tally, Wrong, margins_of
from handcraft.sequence.evaluate import Ask

# of those that a wider pass does not confirm, so many are followed number by number at once
_MOST_CONTEXTS = 2**10
_TOGETHER = 2**10  # contexts of a second look
TEXTS = 2**7  # in one pass: their scores stay in the cache of a processor


class Judge:
    """The comparison of a model's predictions with a claim.

    window  the number of last tokens that the claim needs, None for all
    whole   true if a text is judged at every position: for a claim on whole texts, and for any
            claim on contexts of a model that is not causal, unless its author asks for the last
            position only
    alone   true if each context goes through the model by itself, since its prefixes are not
            contexts that were asked
    """

    def __init__(
        self, model: Model, claim: Claim, *, again: bool = True
    ) -> None:
        self.model = model
        self.claim = claim
        vocabulary = model.vocabulary
        self.expect: (
            NextToken
            | ExpectedProbabilities
            | ExpectedNumbers
            | EachToken
            | None
        ) = None
        self.column = 0
        if claim.measures == "probability":
            self.expect = ExpectedProbabilities(claim, vocabulary)
        elif claim.measures == "lane":
            self.expect = ExpectedNumbers(claim, vocabulary)
            self.column = (
                model.program.layout.column[Lane.parse(claim.lane)]
                if model.program
                else 0
            )
        elif claim.whole_text:
            self.expect = EachToken(claim, vocabulary)
        elif not claim.asks_prompts:
            self.expect = NextToken(claim, vocabulary)
        self.alone = not model.causal or claim.whole_text
        self.whole = self.alone and claim.every_position
        self.window = (
            self.expect.window if self.expect and not self.whole else None
        )
        self.second = Second(model, claim, self.column, wanted=again)

    def batch(
        self,
        tally: Tally,
        ids: Array,
        stream: Array,
        logits: Array,
        find: Find,
        wide: Callable[[], Pass] | None = None,
    ) -> None:
        """Count contexts of one length [n, n_seq] (their last tokens are enough), given the
        stream and the logits after them.

        What another order of summation could turn gets a second look, each context by
        itself, unless it is far from being turned: `wide` returns these contexts in a wider
        dtype. Raises TypeError for a claim that is not judged context by context.
        """
        if self.expect is None or self.whole:
            how = (
                "whole, by prompts()"
                if self.expect is None
                else "at every position, by texts()"
            )
            raise TypeError(f"this claim is judged {how}")
        expected = self.expect(ids)
        doubtful = self.second.doubtful(expected, (stream, logits))  # [n]
        if doubtful.any() and wide is not None:
            doubtful &= ~self.second.far(expected, (stream, logits), wide())
        if doubtful.any():
            rows = np.flatnonzero(doubtful)
            self._look_again(
                tally,
                np.array([find(int(row)) for row in rows]),
                expected[rows],
            )
        self._add_rows(
            tally, np.flatnonzero(~doubtful), expected, (stream, logits), find
        )

    def said(self, ids: Array) -> Array:  # [n, n_seq] -> [n, ...]
        """Return what the claim says after each context: see expected.py. Raises TypeError
        for a claim on prompts.
        """
        if self.expect is None:
            raise TypeError(
                "the answers to a prompt are judged whole, by prompts()"
            )
        return self.expect(ids)

    def _add_rows(
        self,
        tally: Tally,
        rows: Array,
        expected: Array,
        found: Pass,
        find: Find,
    ) -> None:
        """Count some of the rows."""
        if len(rows):
            self._add(
                tally,
                expected[rows],
                found[0][rows],
                found[1][rows],
                lambda i: find(int(rows[i])),
            )

    def texts(self, tally: Tally, ids: Array) -> None:
        """Count texts of one length [n, n_seq], each by itself: at every position if the
        claim is judged so, else at the last. Raises TypeError for a claim on prompts.
        """
        if self.expect is None:
            raise TypeError("this claim is judged whole, by prompts()")
        seen: dict[str, Array] = {}
        # [n, n_seq, n_vocab]
        logits = gpt2(
            ids,
            **self.model.weights,
            **self.model.config,
            hook=recorder(seen, "resid_final"),
        )
        stream, find = (
            seen["resid_final"],
            partial(_row, ids),
        )  # [n, n_seq, n_embd]
        if not self.whole:
            return self.batch(tally, ids, stream[:, -1], logits[:, -1], find)
        expected = _flat(
            self.expect(ids)
            if self.claim.whole_text
            else at_each(self.expect, ids)
        )  # [n * n_seq, ...]
        found = _flat(stream), _flat(logits)
        self._whole_again(tally, ids, expected, found)
        return self._add(tally, expected, *found, find, ids.shape[1])

    def _whole_again(
        self, tally: Tally, ids: Array, expected: Array, found: Pass
    ) -> None:
        """Look again at positions of whole texts that another order of summation could
        turn, and that a wider pass does not confirm.
        """
        doubtful = self.second.doubtful(expected, found)  # [n * n_seq]
        if doubtful.any():
            stream, logits = self.second.wide(ids)
            doubtful &= ~self.second.steady(
                expected, found, (_flat(stream), _flat(logits))
            )
        slack = self.second.slack(expected, found) if doubtful.any() else None
        for row in np.flatnonzero(doubtful).tolist():
            text, position = divmod(row, ids.shape[1])
            by = float(slack[row]) if slack is not None else None
            tally.keep_unsure(
                Wrong(
                    _row(ids, text), as_data(expected[row]), None, by, position
                )
            )

    def _add(
        self,
        tally: Tally,
        expected: Array,
        stream: Array,
        logits: Array,
        find: Find,
        positions: int | None = None,
    ) -> None:
        if self.claim.measures == "probability":
            tally.add_chances(
                expected, logits, self.claim.tolerance, find, positions
            )
        elif self.claim.measures == "lane":
            tally.add_values(
                expected,
                stream[:, self.column],
                self.claim.tolerance,
                find,
                positions,
            )
        else:
            tally.add_tokens(expected, logits, find, positions)

    def settle(self, tally: Tally, contexts: Sequence[Sequence[int]]) -> None:
        """Count contexts that another engine could not be sure of."""
        by_length: dict[int, list[Sequence[int]]] = {}
        for context in contexts:
            by_length.setdefault(len(context), []).append(context)
        for group in by_length.values():
            for first in range(0, len(group), _TOGETHER):
                ids = np.array(group[first : first + _TOGETHER])
                self._look_again(tally, ids, self.expect(ids))  # type: ignore[misc]

    def _look_again(self, tally: Tally, ids: Array, expected: Array) -> None:
        """Count whole contexts [n, n_seq] by the plain pass and a wider one; if they
        differ, each by itself.
        """
        found, good = self._asked_again(ids, expected)
        find = partial(_row, ids)
        self._add_rows(tally, np.flatnonzero(good), expected, found, find)
        for row in np.flatnonzero(~good):
            self._alone(tally, ids[row : row + 1], expected[row : row + 1])

    def _asked_again(
        self, ids: Array, expected: Array
    ) -> tuple[Pass, Array]:  # [n, n_seq] -> [n, ...], [n] bool
        """Return the plain pass over each context by itself, and whether a wider one says
        the same, or no order can turn it.
        """
        found, (stream, logits) = self._plain(ids), self.second.wide(ids)
        good = self.second.steady(
            expected, found, (stream[:, -1], logits[:, -1])
        )
        asked = np.flatnonzero(~good)[:_MOST_CONTEXTS]
        if len(asked):
            good[asked] = self.second.sure(expected[asked], ids[asked])
        return found, good

    def _alone(self, tally: Tally, ids: Array, expected: Array) -> None:
        """Count one context [1, n_seq] as `run` would have it. If it is right, that may be
        due to rounding only.
        """
        one = Tally()
        found = self._plain(ids)
        self._add(one, expected, *found, partial(_row, ids))
        tally.merge(one)
        if one.worst is None:
            by = float(self.second.slack(expected, found)[0])
            tally.keep_unsure(
                Wrong(_row(ids, 0), as_data(expected[0]), None, by)
            )

    def _plain(
        self, ids: Array
    ) -> Pass:  # [n, n_seq] -> [n, n_embd], [n, n_vocab]
        return some_at_once(self._some, ids, TEXTS)

    def _some(self, ids: Array) -> Pass:
        seen: dict[str, Array] = {}
        logits = gpt2(
            ids,
            **self.model.weights,
            **self.model.config,
            hook=recorder(seen, "resid_final"),
        )
        return seen["resid_final"][:, -1], logits[:, -1]

    def contexts(
        self, tally: Tally, ids: Array, lengths: Sequence[int] | None = None
    ) -> None:
        """Count one context [n_seq] and every prefix of it, or those of the given lengths:
        in one pass if that is the same.
        """
        lengths = range(1, len(ids) + 1) if lengths is None else lengths
        if self.alone:
            for length in lengths:
                self.texts(tally, ids[None, :length])
            return
        seen: dict[str, Array] = {}
        logits = gpt2(
            ids,
            **self.model.weights,
            **self.model.config,
            hook=recorder(seen, "resid_final"),
        )
        again = cache(lambda: self.second.wide(ids))
        for length in lengths:
            at = slice(length - 1, length)
            found = seen["resid_final"][at], logits[at]
            wide = partial(_rows, again, at) if self.second.cheap else None
            self.batch(
                tally,
                ids[None, :length],
                *found,
                partial(_row, ids[None, :length]),
                wide,
            )

    def ahead(self, prompts: Sequence[str]) -> Ask | None:
        """What the claim says of these prompts, for `prompts`, where that is asked at once."""
        if not self.claim.asks_prompts:
            return None
        return self.claim.ahead(prompts, self.model.vocabulary)

    def prompts(
        self, tally: Tally, prompts: Sequence[str], ask: Ask | None = None
    ) -> int:
        """Count prompts with their whole answers, many at once, and return the number of
        answer tokens.

        A prompt counts as one context, right or wrong as a whole. Raises TypeError for a
        claim that is judged context by context.
        """
        if not self.claim.asks_prompts:
            raise TypeError("this claim is judged context by context")
        encode = self.model.vocabulary.encode
        ask = ask or self.ahead(prompts)
        by_length: dict[int, list[tuple[list[int], list[int]]]] = {}
        for prompt in prompts:
            asked = encode(prompt)
            answer = encode(
                self.claim.expected(
                    prompt, self.model.vocabulary, self.model.n_ctx, ask
                )
            )
            by_length.setdefault(len(asked) + len(answer), []).append(
                (asked, answer)
            )
        for pairs in by_length.values():
            # [n_batch, n_seq]
            fed = np.array([(asked + answer)[:-1] for asked, answer in pairs])
            logits = self._read(fed, min(len(asked) for asked, _ in pairs))
            for size in sorted({len(asked) for asked, _ in pairs}):
                chosen = [
                    i
                    for i, (asked, _) in enumerate(pairs)
                    if len(asked) == size
                ]
                self._answers(
                    tally,
                    [pairs[i] for i in chosen],
                    fed[chosen],
                    logits[chosen, size - 1 :],
                )
        return sum(
            len(answer) for pairs in by_length.values() for _, answer in pairs
        )

    def _read(
        self, ids: Array, first: int
    ) -> Array:  # [n, n_seq] -> [n, n_seq, n_vocab]
        """Return the logits after each prefix of `first` tokens and more, as `run` would
        have them: nothing later is in view.
        """
        weights = self.model.weights
        config = self.model.config
        if self.model.causal:
            some = [
                gpt2(ids[i : i + TEXTS], **weights, **config)
                for i in range(0, len(ids), TEXTS)
            ]
            return np.concatenate(some) if len(some) > 1 else some[0]
        found = np.zeros(
            (*ids.shape, len(self.model.vocabulary)), dtype=self.model.dtype
        )
        for n in range(first, ids.shape[1] + 1):
            found[:, n - 1] = gpt2(ids[:, :n], **weights, **config)[:, -1]
        return found

    def _answers(
        self,
        tally: Tally,
        pairs: list[tuple[list[int], list[int]]],
        fed: Array,
        logits: Array,
    ) -> None:
        """Count answers of one length to prompts of one length, given what was read [n,
        n_seq] and the logits [n, n_answer, n_vocab].
        """
        expected = np.array([answer for _, answer in pairs])  # [n, n_answer]
        logits, unsure = self._as_run(pairs, expected, fed, logits)
        margins = margins_of(_flat(logits), expected.ravel()).reshape(
            expected.shape
        )
        if not (margins > 0).all() or unsure.any():
            for (asked, answer), own, doubts in zip(
                pairs, logits, unsure, strict=True
            ):
                self._answer(tally, asked, answer, own, doubts)
            return
        tally.contexts += len(pairs)
        tally.checked += len(pairs)
        tally.correct += len(pairs)
        rows, places = np.nonzero(margins == margins.min())
        first = places.min()
        tally.lower(
            float(margins.min()),
            lambda: (
                min(
                    [*pairs[i][0], *pairs[i][1][:first]]
                    for i in rows[places == first].tolist()
                ),
                None,
            ),
        )

    def _as_run(
        self,
        pairs: list[tuple[list[int], list[int]]],
        expected: Array,
        fed: Array,
        logits: Array,
    ) -> tuple[
        Array, Array
    ]:  # [n, n_answer], [n, n_seq], [n, n_answer, n_vocab] -> the logits, [n, n_answer] bool
        """Return the logits as `run` has them, after each context by itself if another
        order could turn a token; and which tokens may turn.
        """
        flat = _flat(logits)
        doubtful = self.second.doubtful(expected.ravel(), (flat, flat))
        if doubtful.any() and self.second.cheap:
            wide = _flat(self.second.wide(fed)[1][:, -expected.shape[1] :])
            doubtful &= ~self.second.far(
                expected.ravel(), (flat, flat), (wide, wide)
            )
        doubtful = doubtful.reshape(expected.shape)
        unsure = np.zeros_like(doubtful)
        logits = logits.copy() if doubtful.any() else logits
        for i in np.flatnonzero(doubtful.any(axis=0)).tolist():
            rows = np.flatnonzero(doubtful[:, i])
            for first in range(0, len(rows), _TOGETHER):
                some = rows[first : first + _TOGETHER]
                ids = np.array(
                    [pairs[row][0] + pairs[row][1][:i] for row in some]
                )
                found, good = self._asked_again(ids, expected[some, i])
                logits[some, i], unsure[some, i] = found[1], ~good
        return logits, unsure

    def _answer(
        self,
        tally: Tally,
        asked: list[int],
        answer: list[int],
        logits: Array,
        unsure: Array,
    ) -> None:
        """Count one answer, given the logits [n_answer, n_vocab] before each of its tokens,
        and which of them rounding could turn.
        """
        one = Tally()
        one.add_tokens(np.array(answer), logits, lambda i: asked + answer[:i])
        tally.contexts += 1
        tally.checked += 1
        tally.correct += one.worst is None
        tally.lower(one.min_margin, lambda: (one.min_margin_at or asked, None))
        if one.worst is not None:
            tally.keep(one.worst)
        elif unsure.any():
            i = int(np.flatnonzero(unsure)[0])
            by = float(
                margins_of(logits[i : i + 1], np.array(answer[i : i + 1]))[0]
            )
            tally.keep_unsure(Wrong(asked + answer[:i], answer[i], None, by))

    def wrong(self, tokens: Sequence[str]) -> Wrong | None:
        """Return what the model gets wrong after a context, its prefixes if they are read
        on the way, or a prompt; None if nothing.
        """
        tally = Tally()
        encode = self.model.vocabulary.encode
        if self.claim.asks_prompts:
            self.prompts(tally, ["".join(tokens)])
        else:
            self.contexts(
                tally,
                np.array(encode(tokens)),
                [len(tokens)] if self.alone else None,
            )
        return tally.worst

    def first_wrong(self, tokens: Sequence[str]) -> Wrong | None:
        """Return the shortest beginning of a context, or of a prompt with its answer, that
        the model gets wrong; None if there is none.
        """
        found = self.wrong(tokens)
        if found is None or self.claim.asks_prompts or not self.alone:
            return found
        shorter = (self.wrong(tokens[:n]) for n in range(1, len(tokens)))
        return next((wrong for wrong in shorter if wrong is not None), found)


def _flat(array: Array) -> Array:  # [n, n_seq, ...] -> [n * n_seq, ...]
    return array.reshape(-1, *array.shape[2:])


def _rows(both: Callable[[], Pass], at: slice) -> Pass:
    stream, logits = both()
    return stream[at], logits[at]


def _row(
    ids: Array, row: int
) -> list[int]:  # [n, n_seq] -> the ids of one context
    found: list[int] = ids[row].tolist()
    return found
