"""Contexts that are drawn where there are too many to enumerate.

Open contexts are drawn by hypothesis, which also shrinks a failure; a causal model answers every prefix of one in
the same pass, so each drawn context checks all its prefixes. Prompts of a claim are listed where they are few, else
drawn evenly by length, and their whole answer is checked in one forward pass.

Rules of this file: the draw is decided by a fixed seed, so that a verdict can be repeated.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from random import Random

import numpy as np

from handcraft.claims import Answers
from handcraft.contexts import token_contexts
from handcraft.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.tally import Tally, Wrong, margins_of

Progress = Callable[[int, int], None]  # told how many are done, of how many
SEED = 2025
BATCH = 256


class DeadlineError(Exception):
    """The time is over."""


def draw_contexts(
    model: Model, examples: int, judge: Callable[[Tally, Array, Array], None], deadline: float, progress: Progress
) -> Tally:
    """Draw contexts with hypothesis until one fails or `examples` are drawn; a failure is shrunk.

    `judge(tally, ids [n_seq], logits [n_seq, n_vocab])` counts all prefixes of a context.
    """
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample

    tally, ids_of = Tally(), model.vocabulary.ids
    options = settings(
        max_examples=examples, database=None, derandomize=True, deadline=None,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip

    def wrong(tokens: list[str]) -> bool:
        if time.monotonic() > deadline:
            raise DeadlineError
        ids = np.array([ids_of[token] for token in tokens])
        one = Tally()
        judge(one, ids, model(ids))
        merge(tally, one)
        progress(tally.contexts, 0)
        return one.worst is not None

    with contextlib.suppress(NoSuchExample, DeadlineError):
        find(token_contexts(model.vocabulary.tokens, model.n_ctx), wrong, settings=options, random=Random(SEED))
    return tally


def merge(total: Tally, part: Tally) -> None:
    """Add a tally to another."""
    total.contexts, total.checked, total.correct = (
        total.contexts + part.contexts, total.checked + part.checked, total.correct + part.correct,
    )  # fmt: skip
    if part.min_margin < total.min_margin:
        total.min_margin, total.min_margin_at = part.min_margin, part.min_margin_at
    if part.max_error is not None:
        total.max_error = max(total.max_error or 0.0, part.max_error)
    if part.worst is not None:
        total.keep(part.worst)


def check_prompts(model: Model, claim: Answers, prompts: Iterable[str], deadline: float, progress: Progress, total: int) -> Tally:
    """Check the whole answer to every prompt, many at once. A prompt counts as one context, right or wrong as a whole."""
    tally = Tally()
    for batch in _batches(prompts, BATCH):
        if time.monotonic() > deadline:
            break
        by_length: dict[int, list[tuple[list[int], list[int]]]] = {}
        for prompt in batch:
            asked, answer = model.vocabulary.encode(prompt), claim.expected(prompt, model.vocabulary, model.n_ctx)
            by_length.setdefault(len(asked) + len(answer), []).append((asked, model.vocabulary.encode(answer)))
        for pairs in by_length.values():
            _check_pairs(model, pairs, tally)
        progress(tally.contexts, total)
    return tally


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _check_pairs(model: Model, pairs: list[tuple[list[int], list[int]]], tally: Tally) -> None:
    """Prompts and answers of one total length: the answer's tokens are fed in turn, all but the last."""
    logits = model(np.array([(asked + answer)[:-1] for asked, answer in pairs]))  # [n_batch, n_seq, n_vocab]
    for (asked, answer), all_rows in zip(pairs, logits, strict=True):
        rows = all_rows[len(asked) - 1 :]  # [n_answer, n_vocab]
        margins = margins_of(rows, np.array(answer))
        least = int(margins.argmin())
        tally.contexts += 1
        tally.checked += 1
        tally.correct += bool((margins > 0).all())
        if margins[least] < tally.min_margin:
            tally.min_margin, tally.min_margin_at = float(margins[least]), asked + answer[:least]
        if not (margins > 0).all():
            i = int(np.flatnonzero(~(margins > 0))[0])
            tally.keep(Wrong(asked + answer[:i], answer[i], int(rows[i].argmax()), float(margins[i])))


def draw_prompts(claim: Answers, n_ctx: int, count: int) -> Iterator[str]:
    """So many prompts, drawn evenly by length."""
    random, language = Random(SEED), claim.language(n_ctx)
    return (language.draw(random) for _ in range(count))
