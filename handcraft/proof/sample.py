"""Contexts that are drawn where there are too many to enumerate.

Open contexts are drawn by hypothesis, which also shrinks a failure; a causal model answers
every prefix of one in the same pass, so each drawn context checks all its prefixes. A model
that is not causal was asked the context alone, and a claim on whole texts speaks of it alone:
its prefixes are other questions. Prompts are drawn evenly by length.

Rules of this file: the draw is decided by a fixed seed, so that a verdict can be repeated; a
context is counted once, and only if it was asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from random import Random

import numpy as np

from handcraft.claims.prompt_language import SEED
from handcraft.model import Model
from handcraft.program.contexts import first_context, token_contexts
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally
from handcraft.proof.task import Progress

_BATCH = 256


def draw_contexts(
    judge: Judge, count: int, deadline: float, progress: Progress
) -> Tally:
    """Draw contexts with hypothesis until one is wrong, `count` are checked or the time is
    over; a wrong one is shrunk.

    Raises ProgramError for what a claim answers wrongly, as it is: hypothesis would ask again
    what is asked once only.
    """
    model, tally, seen = judge.model, Tally(), set[tuple[int, ...]]()
    failed: list[Exception] = []

    def enough(tokens: list[str]) -> bool:
        try:
            return bool(failed) or ask(tokens)
        except Exception as error:
            failed.append(error)
            return True

    def ask(tokens: list[str]) -> bool:
        ids = model.vocabulary.encode(tokens)
        asked = [len(ids)] if judge.alone else range(1, len(ids) + 1)
        new = [n for n in asked if tuple(ids[:n]) not in seen]
        seen.update(tuple(ids[:n]) for n in new)
        if new:
            judge.contexts(tally, np.array(ids), new)
        progress(tally.contexts, count)
        return (
            tally.worst is not None
            or tally.contexts >= count
            or time.monotonic() > deadline
        )

    _find(model, enough, count, shrink=False)
    if failed:
        raise failed[0]
    if tally.worst is not None:  # the same draws again, now to be shrunk
        shrunk = _find(
            model, lambda tokens: judge.wrong(tokens) is not None, count, shrink=True
        )
        if shrunk is not None and (found := judge.first_wrong(shrunk)) is not None:
            tally.keep(found)
    return tally


def _find(
    model: Model, condition: Callable[[list[str]], bool], count: int, *, shrink: bool
) -> list[str] | None:
    """The first open context with this property; the same draws for the same model."""
    strategy, examples = (
        token_contexts(model.vocabulary.tokens, model.n_ctx),
        max(10, min(count, 10**6)),
    )
    return first_context(
        strategy, condition, examples, shrink=shrink, random=Random(SEED)
    )


def check_prompts(
    judge: Judge,
    prompts: Iterable[str],
    deadline: float,
    progress: Progress,
    total: int,
) -> Tally:
    """Check the whole answer to every prompt, until the time is over."""
    tally, iterator = Tally(), iter(prompts)
    while time.monotonic() <= deadline and (batch := list(islice(iterator, _BATCH))):
        judge.prompts(tally, batch)
        progress(tally.contexts, total)
    return tally
