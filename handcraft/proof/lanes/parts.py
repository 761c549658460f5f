"""The positions of a claim on prompts that are looked at together, by the cases of the claim.

    asked_parts(contexts, e)           the same texts with a part of the positions each
    narrowed_by_parts(contexts, ...)   what can stand behind the end of a prompt, part by part

Where a case of the claim is told by the end of the prompt and the index alone (here is the stop
token due, here a program counter), its positions are a part: what the other cases depend on does
not matter there. Rules of this file: each position that is asked is in one part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from handcraft.proof.lanes.contexts import OF_THE_END, PromptContexts
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.symbols import Symbols
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import branches_of


def asked_parts(
    contexts: PromptContexts, said: Expression
) -> list[PromptContexts]:
    """The same with a part of the positions that are asked each, all of them together."""
    whens = _whens(said)
    numbers: dict[Any, int] = {}
    which = np.full(contexts.asked.shape, -1)
    for e, i in np.argwhere(contexts.asked):
        end, here = (x + contexts.skipped for x in (contexts.ends[e], i))
        told = _told(whens, int(end), int(here))
        which[e, i] = numbers.setdefault(told, len(numbers))
    return [
        replace(contexts, asked=which == x)
        for x in np.unique(which[which >= 0])
    ]


def _whens(said: Expression) -> list[Any]:
    """The conditions of the cases that an expression is, or is looked up by."""
    while said.op != "cases":
        if len(said.args) != 1 or not isinstance(said.args[0], Expression):
            return []
        said = said.args[0]
    return [when for when, _ in branches_of(said.args)[0]]


def _told(whens: list[Any], end: int, here: int) -> tuple[bool, ...]:
    """Which of the conditions that are told hold, up to the first one that does."""
    found: list[bool] = []
    for when in whens:
        truth = when
        if isinstance(when, Expression):
            if not when.ops <= OF_THE_END:
                continue
            truth = evaluate(when, [""] * (here + 1), end=end)
        found.append(truth not in (0, None))
        if found[-1]:
            break
    return tuple(found)


def narrowed_by_parts(
    contexts: PromptContexts,
    answer: Expression,
    said: Callable[[PromptContexts], tuple[Symbols, Form]],
) -> PromptContexts:
    """The same texts: behind a position that is asked stands what the claim says there."""
    there = contexts.there.copy()
    for part in asked_parts(contexts, answer):
        there &= part.narrowed(*said(part)).there
    return replace(contexts, there=there)
