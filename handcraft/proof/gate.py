"""The gate: real runs that a proof must agree with before `proved` is printed.

A proof that was found and checked is compared with what nobody proved anything about: the plain
forward pass and the claim's own evaluator, as `run` uses them, never the trie.

    every      every context or prompt, if there are at most 100,000
    examples   otherwise the context that each ending of the proof gives as an example: the claim
               must say of it what the proof took to be right, and each logit must lie where the
               proof says it lies. Of many that are long some are drawn
    nearby     those contexts with a token changed, added or taken away
    drawn      contexts of random tokens, or prompts drawn evenly by length, until 20,000 contexts
               have been asked, every beginning counted

The gate proves nothing. It is there to catch our own next error: what it finds is either a wrong
prediction, which refutes the model, or a bug in the prover or the checker, which leaves the
verdict unknown. Rules of this file: the seed of the draw is fixed; contexts are run in batches of
one length.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from random import Random
from typing import Any

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import SEED
from handcraft.core.gpt2 import Array, gpt2, recorder
from handcraft.core.weights import flatten
from handcraft.model import Model
from handcraft.proof.checker import Shown
from handcraft.proof.expected import as_data, is_silent
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally
from handcraft.proof.task import Progress
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression

_EVERY = 100_000  # contexts or prompts up to which each is asked
_DRAWN = 20_000  # contexts otherwise, each beginning of a text and of an answer counted
_EXAMPLES = 2_000  # endings of a proof, of those that it has
_READ = 2**17  # tokens of them all, and as many of the texts near them
_WORK = (
    2**35
)  # numbers of the model that these tokens are multiplied with, at most
_BATCH = 128  # texts at once
_AT_ONCE = (
    1024  # prompts that are drawn before those of one length are run together
)
_CELLS = 2**21  # at most about so many scores of a head at once


class Disagreement(Exception):  # noqa: N818  # a verdict
    """A real run does not say what the proof says. `context` holds the ids."""

    def __init__(self, message: str, context: Sequence[int]) -> None:
        super().__init__(message)
        self.context = list(context)


@dataclass
class Gate:
    """Real runs of one model against its claim and its proof. `tally` counts what was asked."""

    model: Model
    claim: Claim
    size: int  # how many contexts or prompts there are
    progress: Progress

    def __post_init__(self) -> None:
        # no second look: a proof holds in any order
        self.judge = Judge(self.model, self.claim, again=False)
        self.tally = Tally()
        self.n_vocab = len(self.model.vocabulary)
        self.random = Random(SEED)
        # each beginning that was asked, by the one before it and a token: its number
        self.seen: dict[tuple[int, int], int] = {}
        self.read = 0  # tokens of the texts that were run
        # a model with more numbers takes longer for each token
        numbers = sum(w.size for w in flatten(self.model.weights).values())
        self.most_read = max(1, min(_READ, _WORK // numbers))

    def ask(self, examples: Sequence[Shown]) -> Tally:
        """Return what was asked and what was wrong. Raises Disagreement if a run is not as
        the proof says.
        """
        chosen = self._some(examples)
        for part in _together(
            chosen, lambda shown: len(shown.context), self._most
        ):
            self._examples(part)
        if self.claim.asks_prompts:
            self._prompts(self.claim, chosen)
        elif self.size <= _EVERY:
            self._every()
        else:
            self._texts(chosen)
        return self.tally

    def _some(self, examples: Sequence[Shown]) -> list[Shown]:
        """Return the examples that are run, the shortest first. Where they have too many tokens
        together some are drawn, since every third one could always end alike.
        """
        step = -(-len(examples) // _EXAMPLES) or 1
        chosen = list(examples[::step])
        if sum(len(shown.context) for shown in chosen) > self.most_read:
            chosen = self.random.sample(chosen, len(chosen))
            read = accumulate(len(shown.context) for shown in chosen)
            chosen = chosen[: bisect_right(list(read), self.most_read) or 1]
        return sorted(chosen, key=lambda shown: len(shown.context))

    @property
    def _done(self) -> bool:
        return self.tally.worst is not None or self.tally.contexts >= _DRAWN

    def _most(self, length: int) -> int:
        """Return the number of texts of a length that are run at once."""
        heads = self.model.n_head
        return max(1, min(_BATCH, _CELLS // (heads * length * length)))

    # ------------------------------------------------------------ what the proof says of its
    # examples

    def _examples(self, shown: Sequence[Shown]) -> None:
        """Compare what the proof says of contexts of one length with a run of them."""
        ids = np.array([one.context for one in shown])  # [n, n_seq]
        stream, logits = self._run(ids)
        found = (
            stream[:, -1, [self.judge.column]]
            if self.claim.measures == "lane"
            else logits[:, -1]
        )
        for one, numbers in zip(shown, found.astype(np.float64), strict=True):
            if not ((one.low <= numbers) & (numbers <= one.high)).all():
                at = int(
                    np.argmax(~((one.low <= numbers) & (numbers <= one.high)))
                )
                between = f"between {one.low[at]:.9g} and {one.high[at]:.9g}"
                raise Disagreement(
                    f"a logit is {numbers[at]:.9g}, not {between} as the proof says",
                    one.context,
                )
            self._same(one)

    def _same(self, one: Shown) -> None:
        """Check that the claim says of an example what the proof took to be right. Raises
        Disagreement if not.
        """
        said = self._said(one)
        if self.claim.measures == "probability":
            same = said is not None and np.array_equal(
                np.array(said), np.array(one.expected)
            )
        elif self.claim.measures == "lane":
            same = said is not None and float(said) == float(one.expected)
        else:
            same = said == one.expected
        if not same:
            raise Disagreement(
                "the claim does not say there what the proof takes for right",
                one.context,
            )

    def _said(self, one: Shown) -> Any:
        """Return what the claim says of an example: a token's id or several, probabilities,
        or a number; None if it says nothing.
        """
        if self.claim.asks_prompts:
            return self._answered(self.claim, one)
        said = self.judge.said(np.array([one.context]))[0]
        if self.claim.measures == "token":
            return None if is_silent(said[None])[0] else as_data(said)
        return None if np.isnan(said).any() else as_data(said)

    def _answered(self, claim: Answers, one: Shown) -> int | None:
        """Return the token that follows a prompt, or a prompt with the beginning of an answer."""
        vocabulary = self.model.vocabulary
        context = one.context
        language = claim.language(self.model.n_ctx, vocabulary)
        ends = range(len(context)) if one.end is None else [one.end]
        for end in reversed(ends):
            prompt = vocabulary.decode(list(context[: end + 1]))
            if prompt not in language or list(
                context[: end + 1]
            ) != vocabulary.encode(prompt):
                continue
            answer = vocabulary.encode(
                claim.expected(prompt, vocabulary, self.model.n_ctx)
            )
            written = list(context[end + 1 :])
            if len(written) < len(answer) and answer[: len(written)] == written:
                return answer[len(written)]
            if (
                isinstance(claim.answer, Expression)
                and one.end is not None
                and len(written) < len(answer)
            ):
                # a rule says what follows any beginning
                tokens = [vocabulary.tokens[i] for i in context]
                said = evaluate(claim.answer, tokens, end=end)
                return (
                    vocabulary.ids.get(said) if isinstance(said, str) else None
                )
        raise Disagreement(
            "this is no prompt of the claim with the beginning of an answer",
            context,
        )

    # ------------------------------------------------------------ claims on every context

    def _run(
        self, ids: Array
    ) -> tuple[
        Array, Array
    ]:  # [n, n_seq] -> [n, n_seq, n_embd], [n, n_seq, n_vocab]
        """Return the stream at the end and the logits, at every position. Raises
        Disagreement if one is not finite.
        """
        seen: dict[str, Array] = {}
        logits = gpt2(
            ids,
            **self.model.weights,
            **self.model.config,
            hook=recorder(seen, "resid_final"),
        )
        stream = seen["resid_final"]
        # [n, n_seq]
        good = np.isfinite(logits).all(axis=-1) & np.isfinite(stream).all(
            axis=-1
        )
        if not good.all():
            row, place = map(int, np.argwhere(~good)[0])
            raise Disagreement(
                "the model's numbers are not finite",
                ids[row, : place + 1].tolist(),
            )
        return stream, logits

    def _judged(self, ids: Array, rows_of: Iterable[tuple[int, Array]]) -> None:
        """Judge texts of one length [n, n_seq]: for each of some lengths the rows whose
        beginning of that length counts.
        """
        stream, logits = self._run(ids)
        self.read += ids.size
        for length, rows in rows_of:
            if len(rows):
                part = ids[rows, :length]
                self.judge.batch(
                    self.tally,
                    part,
                    stream[rows, length - 1],
                    logits[rows, length - 1],
                    lambda i, part=part: part[i].tolist(),  # type: ignore[misc]
                )

    def _every(self) -> None:
        """Ask every context: the longest ones are run, and each beginning counts once."""
        n_ctx = self.model.n_ctx
        n_vocab = self.n_vocab
        powers = n_vocab ** np.arange(n_ctx - 1, -1, -1)
        most = self._most(n_ctx)
        for first in range(0, n_vocab**n_ctx, most):
            index = np.arange(first, min(first + most, n_vocab**n_ctx))
            ids = index[:, None] // powers % n_vocab  # [n, n_ctx]
            rows = (
                (k + 1, np.flatnonzero(index % powers[k] == 0))
                for k in range(n_ctx)
            )
            self._judged(ids, rows)
            self.progress(self.tally.contexts, self.size)

    def _texts(self, examples: Sequence[Shown]) -> None:
        """Ask texts near the examples, then drawn ones, until enough contexts were asked."""
        texts = self._nearby(
            [one.context for one in examples], until=_DRAWN // 2
        )
        while not self._done:
            batch = list(islice(texts, _BATCH)) or [
                self._drawn() for _ in range(_BATCH)
            ]
            enough = self.tally.contexts >= _DRAWN // 2
            if enough or self.read >= self.most_read:
                texts = iter(())
            for part in _together(sorted(batch, key=len), len, self._most):
                rows = self._new(part)
                self._judged(np.array(part), rows)
            self.progress(self.tally.contexts, _DRAWN)

    def _new(self, texts: Sequence[tuple[int, ...]]) -> list[tuple[int, Array]]:
        """Return for each length the texts whose beginning of that length was not asked yet."""
        found: list[list[int]] = [[] for _ in texts[0]]
        for row, text in enumerate(texts):
            at = 0  # the number of the beginning so far
            for place, token in enumerate(text):
                following = self.seen.get((at, token))
                if following is None:
                    following = self.seen[at, token] = len(self.seen) + 1
                    found[place].append(row)
                at = following
        return [
            (length, np.array(rows, dtype=int))
            for length, rows in enumerate(found, start=1)
        ]

    def _drawn(self) -> tuple[int, ...]:
        """Return a text of the greatest length, of any tokens or of a few."""
        few = self.random.sample(
            range(self.n_vocab),
            self.random.choice([1, 2, 3, self.n_vocab]) % self.n_vocab or 1,
        )
        tokens = self.random.choice([few, range(self.n_vocab)])
        return tuple(
            self.random.choice(tokens) for _ in range(self.model.n_ctx)
        )

    def _nearby(
        self, contexts: Sequence[tuple[int, ...]], until: int
    ) -> Iterator[tuple[int, ...]]:
        """Yield each context, and the same with a token changed, added or taken away."""
        for context in self.random.sample(list(contexts), len(contexts)):
            yield context
            if self.tally.contexts < until:
                yield from (
                    text
                    for text in self._changed(context)
                    if 0 < len(text) <= self.model.n_ctx
                )

    def _changed(self, context: tuple[int, ...]) -> list[tuple[int, ...]]:
        place = self.random.randrange(len(context))
        token = self.random.randrange(self.n_vocab)
        before = context[:place]
        behind = context[place + 1 :]
        return [
            (*before, token, *behind),
            (*before, token, context[place], *behind),
            (*before, *behind),
        ]

    # ------------------------------------------------------------ claims on prompts

    def _prompts(self, claim: Answers, examples: Sequence[Shown]) -> None:
        """Ask every prompt with its whole answer; or those of the examples, those near
        them, and drawn ones.
        """
        n_ctx = self.model.n_ctx
        vocabulary = self.model.vocabulary
        language = claim.language(n_ctx, vocabulary)
        if self.size <= _EVERY:
            prompts: Iterator[str] = iter(language)
        else:
            prompts = self._chosen(language, examples)
        asked = 0
        while self.tally.worst is None and (
            batch := list(islice(prompts, _AT_ONCE))
        ):
            for part in _together(sorted(batch, key=len), len, self._most):
                asked += self.judge.prompts(self.tally, part)
            self.progress(
                self.tally.contexts,
                self.size if self.size <= _EVERY else _DRAWN,
            )
            if self.size > _EVERY and asked >= _DRAWN:
                break

    def _chosen(
        self, language: Any, examples: Sequence[Shown]
    ) -> Iterator[str]:
        """Yield the prompts that the examples begin with, prompts near them, and then drawn
        ones without end.
        """
        decode = self.model.vocabulary.decode
        seen = set[str]()
        own = [
            one.context if one.end is None else one.context[: one.end + 1]
            for one in examples
        ]
        for text in islice(self._nearby(own, until=_DRAWN // 2), _EXAMPLES * 2):
            prompt = decode(list(text))
            if prompt not in seen and prompt in language:
                seen.add(prompt)
                yield prompt
        while True:
            yield language.draw(self.random)


def _together(
    items: Sequence[Any], length: Any, most: Any
) -> Iterator[list[Any]]:
    """Yield items in order of their lengths, as lists of one length that are small enough
    to be run at once.
    """
    part: list[Any] = []
    for item in items:
        if part and (
            length(item) != length(part[0]) or len(part) >= most(length(item))
        ):
            yield part
            part = []
        part.append(item)
    if part:
        yield part
