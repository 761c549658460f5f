"""Draws contexts and prompts at random and judges them, for when there are too many to enumerate.

Contexts are drawn by hypothesis, which also shrinks a failure. A causal model answers every
prefix of a context in the same pass, so each drawn context checks all its prefixes. Where the
model is not causal, or the claim speaks of whole texts, a prefix is a different question, and
only the drawn context itself counts. Prompts are drawn evenly by length.

Of a claim by endings, half of the contexts end with those of its table, each in turn: alone, then
after random tokens. Others seldom end with a long one, where alone the claim speaks.

Rules of this file: the draw is decided by a fixed seed, so that a verdict can be repeated; a
context or a prompt is counted once, and only if it was judged.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from random import Random
from typing import Any

import numpy as np

from handcraft.claims.prompt_language import SEED, Language
from handcraft.program.contexts import (
    drawn_texts,
    first_context,
    whole_texts,
)
from handcraft.proof.judge import TEXTS, Judge
from handcraft.proof.tally import Tally
from handcraft.proof.task import Progress

_BATCH = 256
_AHEAD = 16 * _BATCH  # of a claim's answers, more of which are of one length
_DRAWS = 10  # for each prompt; of those that are drawn again one counts


def draw_contexts(
    judge: Judge, count: int, deadline: float, progress: Progress
) -> Tally:
    """The tally of contexts drawn until one is wrong, `count` are checked or the time is over; a
    wrong one is shrunk.
    """
    model = judge.model
    tally = Tally()
    seen = set[tuple[int, ...]]()

    def enough(
        tokens: Sequence[str], most: int = count, until: float = deadline
    ) -> bool:
        ids = model.vocabulary.encode(tokens)
        asked = [len(ids)] if judge.alone else range(1, len(ids) + 1)
        new = [n for n in asked if tuple(ids[:n]) not in seen]
        seen.update(tuple(ids[:n]) for n in new)
        if new:
            judge.contexts(tally, np.array(ids), new)
        progress(tally.contexts, count)
        done = tally.worst is not None or tally.contexts >= most
        return done or time.monotonic() > until

    if judge.claim.by_endings:
        half = (count + 1) // 2, (time.monotonic() + deadline) / 2
        any(enough(tokens, *half) for tokens in _with_endings(judge, tally))
    if tally.worst is not None:
        _shorten(judge, tally)
        return tally
    if tally.contexts >= count:
        return tally
    _find(judge, enough, count, shrink=False)
    if tally.worst is not None:  # the same draws again, now to be shrunk
        shrunk = _find(
            judge,
            lambda tokens: judge.wrong(tokens) is not None,
            count,
            shrink=True,
        )
        if (
            shrunk is not None
            and (found := judge.first_wrong(shrunk)) is not None
        ):
            tally.keep(found)
    return tally


def draw_agreeing(judge: Judge, count: int, progress: Progress) -> Tally:
    """The tally of as many drawn contexts, without a deadline, where nothing wrong is expected:
    texts that go through the model by themselves are drawn first, and then judged many of one
    length at once. If one is wrong, others are drawn one by one, to be shrunk.
    """
    if not judge.alone or judge.claim.by_endings:
        return draw_contexts(judge, count, math.inf, progress)
    found = _together(judge, count, progress)
    if found.worst is None:
        return found
    tally = draw_contexts(judge, count, math.inf, progress)
    if tally.worst is None:  # they were others
        tally.keep(found.worst)
    return tally


def _together(judge: Judge, count: int, progress: Progress) -> Tally:
    """The tally of drawn texts, many at once."""
    drawn: dict[tuple[str, ...], None] = {}

    def enough(tokens: Sequence[str]) -> bool:
        drawn[tuple(tokens)] = None
        return len(drawn) >= count

    vocabulary = judge.model.vocabulary
    texts = drawn_texts(judge.claim, vocabulary, judge.model.n_ctx)
    first_context(texts, enough, count, shrink=False, random=Random(SEED))
    tally = Tally()
    for _, group in groupby(sorted(drawn, key=len), key=len):
        rows = np.array([vocabulary.encode(text) for text in group])
        for start in range(0, len(rows), TEXTS):
            judge.texts(tally, rows[start : start + TEXTS])
            progress(tally.contexts, count)
    return tally


def _with_endings(judge: Judge, tally: Tally) -> Iterator[tuple[str, ...]]:
    """Contexts for each ending of a table in turn: the ending alone, then after random tokens, as
    long as any of them are new. None for a claim without a table of endings.
    """
    vocabulary, n_ctx = judge.model.vocabulary, judge.model.n_ctx
    if not judge.claim.by_endings:
        return
    random = Random(SEED)
    endings = [e for e in judge.claim.endings(vocabulary) if len(e) <= n_ctx]
    random.shuffle(endings)
    yield from endings
    stale = 0
    while stale < _DRAWS:
        known = tally.contexts
        for ending in endings:
            n = random.randint(0, n_ctx - len(ending))
            yield (*random.choices(vocabulary.tokens, k=n), *ending)
        stale = stale + 1 if tally.contexts == known else 0


def _shorten(judge: Judge, tally: Tally) -> None:
    """Keep a simpler context than the wrong one that is wrong as well: its shortest end, without
    tokens that do not matter, and with the first of the vocabulary where another does not.
    """
    tokens = judge.model.vocabulary.tokens
    context = [tokens[i] for i in tally.worst.context] if tally.worst else []
    ends = (context[-n:] for n in range(1, len(context) + 1))
    found = next(filter(judge.wrong, ends), context)
    for put in ([], [tokens[0]]):
        for i in reversed(range(len(found))):
            simpler = [*found[:i], *put, *found[i + 1 :]]
            if simpler and judge.wrong(simpler) is not None:
                found = simpler
    if (wrong := judge.first_wrong(found)) is not None:
        tally.keep(wrong)


def _find(
    judge: Judge,
    condition: Callable[[list[str]], bool],
    count: int,
    *,
    shrink: bool,
) -> list[str] | None:
    """The first context with this property, if any; the draws are the same for the same model."""
    model = judge.model
    strategy = whole_texts(judge.claim, model.vocabulary, model.n_ctx)
    examples = max(10, min(count, 10**6))
    random = Random(SEED)
    return first_context(
        strategy, condition, examples, shrink=shrink, random=random
    )


def draw_prompts(
    language: Language, count: int, deadline: float
) -> Iterator[str]:
    """`count` different prompts, or all if there are fewer, until the time is over; fewer, too,
    where most of the draws are prompts that were drawn before.
    """
    seen = set[str]()
    most = min(count, language.size)
    for text in language.sample(count * _DRAWS):
        if len(seen) == most or time.monotonic() > deadline:
            return
        if text not in seen:
            seen.add(text)
            yield text


def check_prompts(
    judge: Judge,
    prompts: Iterable[str],
    deadline: float,
    progress: Progress,
    total: int,
) -> Tally:
    """The tally of the whole answers to these prompts, until the time is over."""
    tally = Tally()
    for batch, ask in _batches(judge, iter(prompts)):
        if time.monotonic() > deadline:
            break
        judge.prompts(tally, batch, ask)
        progress(tally.contexts, total)
    return tally


def _batches(
    judge: Judge, prompts: Iterator[str]
) -> Iterator[tuple[list[str], Any]]:
    """The prompts, as many as the model reads at once, and what the claim says of many of them."""
    while many := list(islice(prompts, _AHEAD)):
        ask = judge.ahead(many)
        for start in range(0, len(many), _BATCH):
            yield many[start : start + _BATCH], ask
