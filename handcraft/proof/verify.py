"""Which method, within which budget.

    certificate  a proof over the weights, for every context and every float, without
                 enumerating them
    exhaustive   every context, or every prompt of the claim
    sampled      contexts drawn by hypothesis, prompts drawn evenly by length

The methods are tried in this order; the first that applies within the budget decides. Rules of
this file: a method that was named and cannot decide says `unknown` and why; it never guesses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from handcraft.core.errors import ProgramError, hint, printable
from handcraft.model import Model
from handcraft.proof.enumerate.method import exhaustive
from handcraft.proof.prove import certified
from handcraft.proof.report import Counterexample, Report, Verdict
from handcraft.proof.sample import check_prompts, draw_contexts
from handcraft.proof.tally import Tally, Wrong
from handcraft.proof.task import Budget, Outcome, Progress, Spread, Task


def sampled(task: Task) -> Outcome:
    """Contexts or prompts that are drawn."""
    count = task.budget.drawn
    if task.claim.asks_prompts:
        prompts = task.claim.language(task.model.n_ctx, task.model.vocabulary).sample(
            count
        )
        tally = check_prompts(task.judge, prompts, task.deadline, task.progress, count)
    else:
        tally = draw_contexts(task.judge, count, task.deadline, task.progress)
    if not tally.checked and time.monotonic() > task.deadline:
        return Outcome(
            tally,
            decided=False,
            reason=f"the time was over after {tally.contexts} of {count} contexts",
        )
    size = task.size if task.size < 10**18 else f"about 10^{len(str(task.size)) - 1}"
    return Outcome(
        tally,
        decided=True,
        reason=f"there are {size} {task.claim.unit}; {tally.contexts} were drawn",
    )


METHODS: dict[str, Callable[[Task], Outcome | None]] = {
    "certificate": certified,
    "exhaustive": exhaustive,
    "sampled": sampled,
}


def silent(done: int, total: int) -> None:
    """No progress is shown."""


def verify(
    model: Model,
    *,
    methods: Sequence[str] = tuple(METHODS),
    budget: Budget | None = None,
    progress: Progress = silent,
    spread: Spread | None = None,
) -> Report:
    """Whether the model predicts what its program claims. Raises ProgramError where there is no
    claim to check.
    """
    for method in methods:
        if method not in METHODS:
            known = ", ".join(METHODS)
            raise ProgramError(
                f"there is no method '{printable(method)}'; there are {known}"
                + hint(method, METHODS)
            )
    claim = model.program.claim if model.program else None
    if claim is None:
        raise ProgramError(
            "has no claim to verify; pass claim= to Program", (model.name,)
        )
    start, budget = time.monotonic(), budget or Budget()
    task = Task(
        model, claim, budget, start + budget.seconds, progress, spread or Spread()
    )
    try:
        method, outcome = _decided(task, methods)
    except ProgramError as error:
        raise (
            error
            if error.path[:1] == (model.name,)
            else error.at(model.name, source=claim.source)
        ) from None
    return report_of(task, method, outcome, time.monotonic() - start)


def _decided(task: Task, methods: Sequence[str]) -> tuple[str, Outcome]:
    """The first method that does not decline, and what it found; what those before could not
    be sure of is asked itself.
    """
    declined: list[Outcome] = []
    for method in methods:
        outcome = METHODS[method](task) or _too_many(task)
        if not outcome.declined:
            break
        declined.append(outcome)
    for earlier in declined:
        if earlier.suspect and outcome.tally.worst is None:
            _ask_suspect(task, outcome.tally, list(earlier.suspect))
    why = [outcome, *(found for found in declined if found.told)]
    reasons = dict.fromkeys(found.reason for found in why if found.reason)
    return method, replace(outcome, reason="; ".join(reasons) or None)


def _too_many(task: Task) -> Outcome:
    reason = (
        f"there are {task.size} contexts, more than the budget of"
        f" {task.budget.contexts}"
    )
    return Outcome(Tally(), decided=False, reason=reason, declined=True)


def _ask_suspect(task: Task, tally: Tally, context: list[int]) -> None:
    """A context that a proof could not be sure of; of prompts, those that it begins with."""
    asked = Tally()
    if task.claim.asks_prompts:
        language = task.claim.language(task.model.n_ctx, task.model.vocabulary)
        texts = (
            task.model.vocabulary.decode(context[:n])
            for n in range(1, len(context) + 1)
        )
        task.judge.prompts(asked, [text for text in texts if text in language])
    else:
        task.judge.contexts(asked, np.array(context), [len(context)])
    if asked.worst is not None:
        tally.merge(asked)


def report_of(task: Task, method: str, outcome: Outcome, seconds: float) -> Report:
    """What a method found, as a report; the context of the least margin is asked once more
    where nothing is proved.
    """
    tally, tokens = outcome.tally, task.model.vocabulary.tokens
    if tally.worst is None and not outcome.proved:
        _ask_again(task, tally)
    reason = outcome.reason
    if not tally.checked and outcome.decided:
        reason = "the claim is silent on every context that was checked"
    unsure = tally.unsure if tally.worst is None and not outcome.proved else None
    if unsure is not None:
        reason = "; ".join(filter(None, (_within_rounding(task, unsure), reason)))
    decided: Verdict = "proved" if outcome.proved else "checked"
    sure = outcome.decided and tally.checked and unsure is None
    verdict: Verdict = "refuted" if tally.worst else decided if sure else "unknown"
    measures = task.claim.measures
    error = (
        tally.max_error
        if tally.max_error is not None and math.isfinite(tally.max_error)
        else None
    )
    return Report(
        program=task.model.name,
        verdict=verdict,
        method=method,
        contexts=tally.contexts,
        checked=tally.checked,
        accuracy=(
            tally.correct / tally.checked
            if tally.checked and measures == "token"
            else None
        ),
        min_margin=tally.min_margin if math.isfinite(tally.min_margin) else None,
        min_margin_at=(
            None
            if tally.min_margin_at is None
            else [tokens[i] for i in tally.min_margin_at]
        ),
        max_probability_error=error if measures == "probability" else None,
        max_lane_error=error if measures == "lane" else None,
        counterexample=(
            None if tally.worst is None else _counterexample(tally.worst, tokens)
        ),
        dtype=task.model.dtype,
        seconds=round(seconds, 3),
        reason=None if tally.worst else reason,
        error_bound=outcome.error_bound,
        assumptions=list(outcome.assumptions) or None,
        min_margin_position=tally.min_margin_position,
    )


def _within_rounding(task: Task, doubt: Wrong) -> str:
    """Why a prediction that the forward pass got right does not count: another order of
    summation could turn it.
    """
    after, by = (
        printable(task.model.vocabulary.decode(doubt.context)),
        doubt.margin or 0.0,
    )
    if task.claim.measures != "token":
        return (
            f"after '{after}' the error is {by:.1g} below the tolerance, which is"
            " within rounding"
        )
    return f"after '{after}' the margin {by:.1g} is within rounding"


def _ask_again(task: Task, tally: Tally) -> None:
    """The context of the least margin once more, by the plain forward pass: it may add in
    another order.
    """
    if tally.min_margin_at is not None and not task.claim.asks_prompts:
        task.judge.contexts(
            again := Tally(), np.array(tally.min_margin_at), [len(tally.min_margin_at)]
        )
        tally.min_margin = min(tally.min_margin, again.min_margin)
        tally.worst = again.worst
        tally.correct -= again.worst is not None
        tally.unsure = tally.unsure or again.unsure


def _counterexample(wrong: Wrong, tokens: Sequence[str]) -> Counterexample:
    expected, got = (named(value, tokens) for value in (wrong.expected, wrong.got))
    return Counterexample(
        [tokens[i] for i in wrong.context], expected, got, wrong.margin, wrong.position
    )


def named(value: object, tokens: Sequence[str]) -> object:
    """An id as its token, probabilities by token, a number as it is."""
    if isinstance(value, int):
        return tokens[value]
    return dict(zip(tokens, value, strict=True)) if isinstance(value, list) else value
