"""Looks for a lane that does not hold what its author says, where what the model predicts is right.

A meaning explains, and no verdict rests on it: a model is right whatever its lanes hold. But who
reads `means=` believes it, so that a report says where it is found to be wrong.

Rules of this file: only what the author says is asked, on a few contexts: the one of the least
margin, and some that are drawn. What is told was seen; that nothing is told proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from handcraft.analysis.blame import pass_over
from handcraft.analysis.meanings import first_stated, stated
from handcraft.claims.prompt_language import SEED
from handcraft.core.errors import HandcraftError
from handcraft.proof.sample import draw_prompts
from handcraft.proof.tally import Tally
from handcraft.proof.task import Task

_DRAWN = 8
_LONGEST = 32  # tokens of a drawn context


def strayed(task: Task, tally: Tally) -> list[dict[str, Any]] | None:
    """The first lane that left its meaning, with the context, as plain data; None without one."""
    program = task.model.program
    if program is None or next(stated(program), None) is None:
        return None
    tokens = task.model.vocabulary.tokens
    with suppress(MemoryError, HandcraftError):
        for ids in _contexts(task, tally):
            left = first_stated(task.model, pass_over(task.model, ids), ids)
            if left is not None:
                return [vars(left) | {"context": [tokens[i] for i in ids]}]
    return None


def _contexts(task: Task, tally: Tally) -> Iterator[Sequence[int]]:
    model = task.model
    if tally.min_margin_at is not None:
        yield [int(i) for i in tally.min_margin_at]
    if task.claim.asks_prompts:
        language = task.claim.language(model.n_ctx, model.vocabulary)
        for prompt in draw_prompts(language, _DRAWN, task.deadline):
            yield model.ids(prompt)
        return
    random = Random(SEED)
    length = min(model.n_ctx, _LONGEST)
    first, letters = _told(task)
    for _ in range(_DRAWN):
        drawn = random.choices(letters, k=length - len(first))
        yield [*first, *drawn]


def _told(task: Task) -> tuple[list[int], list[int]]:
    """The ids of what each text begins with, and of those that follow."""
    vocabulary = task.model.vocabulary
    if not task.claim.whole_text:
        return [], list(range(len(vocabulary)))
    begin = task.claim.begin
    letters = vocabulary.encode(task.claim.alphabet or vocabulary.tokens)
    return vocabulary.encode(() if begin is None else [begin]), letters
