"""Verifies a model with the first method that decides within a budget.

    lanes        a proof over the weights by what each lane holds, of an expression at each
                 position, of what follows any context, or, where the next one finds none, of what
                 follows a prompt
    certificate  a proof over the weights, for every context and every order of float operations,
                 without enumerating contexts
    exhaustive   every context, or every prompt of the claim
    sampled      contexts drawn by hypothesis, prompts drawn evenly by length

The methods are tried in this order. Rules of this file: a method that was asked for by name and
cannot decide reports `unknown` and the reason; it never guesses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handcraft.analysis.blame import explained
from handcraft.claims.functions import Callback
from handcraft.claims.kinds import Claim
from handcraft.claims.reference import Reference
from handcraft.core.errors import ProgramError, hint, printable
from handcraft.model import Model
from handcraft.proof.by_lanes import by_lanes
from handcraft.proof.claimed import (
    check_same,
    check_steady,
    claim_of,
    held_to_claim,
)
from handcraft.proof.enumerate.method import exhaustive
from handcraft.proof.prove import certified
from handcraft.proof.report import Counterexample, Report, Verdict
from handcraft.proof.sample import check_prompts, draw_contexts, draw_prompts
from handcraft.proof.strayed import strayed
from handcraft.proof.tally import Tally, Wrong
from handcraft.proof.task import (
    AnyCertificate,
    Budget,
    Outcome,
    Progress,
    Spread,
    Task,
)

_DIGITS = 10**10  # of a share that is certain


def sampled(task: Task) -> Outcome:
    """The outcome of judging contexts or prompts that are drawn."""
    count = task.budget.drawn
    progress = task.progress
    if task.claim.asks_prompts:
        language = task.claim.language(task.model.n_ctx, task.model.vocabulary)
        prompts = draw_prompts(language, count, task.deadline)
        tally = check_prompts(
            task.judge, prompts, task.deadline, progress, count
        )
    else:
        tally = draw_contexts(task.judge, count, task.deadline, progress)
    if not tally.checked and time.monotonic() > task.deadline:
        reason = (
            f"the time was over after {tally.contexts:,} of {count:,} contexts"
        )
        return Outcome(tally, decided=False, reason=reason)
    size = (
        f"{task.size:,}"
        if task.size < 10**18
        else f"about 10^{len(str(task.size)) - 1}"
    )
    drawn = "all" if tally.contexts == task.size else f"{tally.contexts:,}"
    reason = f"there are {size} {task.claim.unit}; {drawn} were drawn"
    return Outcome(tally, decided=True, reason=reason)


METHODS: dict[str, Callable[[Task], Outcome | None]] = {
    "lanes": by_lanes,
    "certificate": certified,
    "exhaustive": exhaustive,
    "sampled": sampled,
}


def silent(done: int, total: int) -> None:
    """Show no progress."""


def verify(
    model: Model,
    *,
    methods: Sequence[str] = tuple(METHODS),
    budget: Budget | None = None,
    progress: Progress = silent,
    spread: Spread | None = None,
    claim: Claim | None = None,
) -> Report:
    """The report on whether the model predicts what its program claims, or what `claim` says
    instead. Raises ProgramError for a method that does not exist, and where there is no claim to
    check.
    """
    report, _ = verify_with_proof(
        model,
        methods=methods,
        budget=budget,
        progress=progress,
        spread=spread,
        claim=claim,
    )
    return report


def verify_with_proof(
    model: Model,
    *,
    methods: Sequence[str] = tuple(METHODS),
    budget: Budget | None = None,
    progress: Progress = silent,
    spread: Spread | None = None,
    claim: Claim | None = None,
) -> tuple[Report, AnyCertificate | None]:
    """The report of `verify`, and the certificate behind it where there is one."""
    _check_methods(methods)
    if claim is None:
        claim = claim_of(model)
    else:
        model = held_to_claim(model, claim)
    start = time.monotonic()
    budget = budget or Budget()
    deadline = start + budget.seconds
    spread = spread or Spread()
    task = Task(model, claim, budget, deadline, progress, spread)
    try:
        check_steady(task)
        method, outcome = _decided(task, methods)
        if outcome.tally.worst is not None:
            check_same(task, outcome.tally.worst)
    except ProgramError as error:
        if error.path[:1] != (model.name,):
            error = error.at(model.name, source=claim.source)
        raise error from None
    report = report_of(task, method, outcome, time.monotonic() - start)
    return report, outcome.certificate


def _check_methods(methods: Sequence[str]) -> None:
    for method in methods:
        if method not in METHODS:
            known = ", ".join(METHODS)
            raise ProgramError(
                f"there is no method '{printable(method)}'; there are {known}"
                + hint(method, METHODS)
            )


def _decided(task: Task, methods: Sequence[str]) -> tuple[str, Outcome]:
    """The first method that applies, and its outcome. A context that an earlier method could not
    show to be right is judged by itself.
    """
    declined: list[Outcome] = []
    bound: tuple[str, Outcome] | None = None
    for method in methods:
        outcome = METHODS[method](task) or _too_many(task)
        if not outcome.declined:
            break
        declined.append(outcome)
        bound = (method, outcome) if outcome.bounded else bound
    if bound is not None and not outcome.decided and not outcome.tally.worst:
        method, outcome = bound
    asked = [_asked(task, outcome.tally, earlier) for earlier in declined]
    unproved = [
        found.reason + run
        for found, run in zip(declined, asked, strict=True)
        if found.told and found.reason
    ]
    reasons = dict.fromkeys(filter(None, (outcome.reason, *unproved)))
    return method, replace(outcome, reason="; ".join(reasons) or None)


def _too_many(task: Task) -> Outcome:
    reason = (
        f"there are {task.size:,} contexts, more than the budget of"
        f" {task.budget.contexts:,}"
    )
    return Outcome(Tally(), decided=False, reason=reason, declined=True)


def _asked(task: Task, tally: Tally, declined: Outcome) -> str:
    """Judge the context that a proof could not show to be right. Where it is, that is said."""
    if not declined.suspect or tally.worst is not None:
        return ""
    found = _ask_suspect(task, tally, list(declined.suspect))
    right = found.checked and found.worst is None and found.unsure is None
    if not right or not math.isfinite(found.min_margin):
        return ""
    return f", but a run of that is right, by {found.min_margin:.6g}"


def _ask_suspect(task: Task, tally: Tally, context: list[int]) -> Tally:
    """Judge a context that a proof could not show to be right; of prompts, those that it begins
    with. Return what was asked.
    """
    asked = Tally()
    if task.claim.asks_prompts:
        vocabulary = task.model.vocabulary
        language = task.claim.language(task.model.n_ctx, vocabulary)
        lengths = range(1, len(context) + 1)
        texts = (vocabulary.decode(context[:n]) for n in lengths)
        task.judge.prompts(asked, [text for text in texts if text in language])
    else:
        task.judge.contexts(asked, np.array(context), [len(context)])
    if asked.worst is not None:
        tally.merge(asked)
    return asked


def report_of(
    task: Task, method: str, outcome: Outcome, seconds: float
) -> Report:
    """The outcome of a method as a report. Where nothing is proved, the context of the least margin
    is judged once more.
    """
    tally = outcome.tally
    tokens = task.model.vocabulary.tokens
    if tally.worst is None and not outcome.proved:
        _ask_again(task, tally)
    verdict, reason = _verdict(task, outcome)
    measures = task.claim.measures
    at = None
    if tally.min_margin_at is not None:
        at = [tokens[i] for i in tally.min_margin_at]
    error = tally.max_error
    if error is not None and not math.isfinite(error):
        error = None
    wrong = (
        None if tally.worst is None else _counterexample(tally.worst, tokens)
    )
    return Report(
        program=task.model.name,
        verdict=verdict,
        method=method,
        contexts=tally.contexts,
        checked=tally.checked,
        accuracy=(
            tally.correct / tally.checked
            if tally.checked and measures == "token" and outcome.covered is None
            else None
        ),
        min_margin=tally.min_margin
        if math.isfinite(tally.min_margin)
        else None,
        min_margin_at=at,
        max_probability_error=error if measures == "probability" else None,
        max_lane_error=error if measures == "lane" else None,
        counterexample=wrong,
        dtype=task.model.dtype,
        seconds=round(seconds, 3),
        reason=reason,
        error_bound=outcome.error_bound,
        assumptions=list(outcome.assumptions) or None,
        min_margin_position=tally.min_margin_position,
        every_context=_all_drawn(task, method, tally),
        failed=["claim"] if verdict == "refuted" else None,
        row=_row(task, tally.worst),
        covered=outcome.covered,
        accuracy_at_least=_share(task, outcome),
        **_explained(task, tally),
    )


def _share(task: Task, outcome: Outcome) -> float | None:
    """The share of contexts that are surely right, in ten digits and rounded down; None where there
    is no bound.
    """
    if outcome.covered is None:
        return None
    return outcome.covered * _DIGITS // task.size / _DIGITS


def _all_drawn(task: Task, method: str, tally: Tally) -> bool | None:
    """True where contexts were drawn until there was none left; None elsewhere."""
    all_drawn = method == "sampled" and tally.contexts == task.size
    return True if all_drawn else None


def _explained(task: Task, tally: Tally) -> dict[str, Any]:
    """The fields of a report that explain its counterexample; where nothing is wrong, the lane that
    does not hold what its author says, if one was seen.
    """
    wrong = tally.worst
    if wrong is None:
        return {"departures": strayed(task, tally)}
    tokens = task.claim.measures == "token"
    pair = (wrong.expected, wrong.got) if tokens else None
    return explained(task.model, wrong.context, wrong.position, pair)


def _row(task: Task, wrong: Wrong | None) -> dict[str, Any] | None:
    """The ending of a table that decides a counterexample: the longest that fits."""
    if wrong is None or not task.claim.by_endings:
        return None
    vocabulary = task.model.vocabulary
    last = len(wrong.context) if wrong.position is None else wrong.position + 1
    seen = tuple(vocabulary.tokens[i] for i in wrong.context[:last])
    ending = Reference(task.claim, vocabulary).ending(seen)
    if ending is None:
        return None
    return {"ending": list(ending), "source": str(task.claim.source)}


def _verdict(task: Task, outcome: Outcome) -> tuple[Verdict, str | None]:
    """The verdict, and why it is not stronger."""
    tally = outcome.tally
    reason = outcome.reason
    if outcome.bounded:
        return "bounded", reason
    if tally.worst:
        return "refuted", None
    if not tally.checked and outcome.decided:
        reason = "the claim is silent on every context that was checked"
        rule = task.claim.rule
        if isinstance(rule, Callback) and not task.model.vocabulary.single:
            reason += (
                f"; {printable(rule.name)} is given a tuple of tokens, and"
                ' "".join(context) is the text'
            )
    unsure = None if outcome.proved else tally.unsure
    if unsure is not None:
        reason = "; ".join(
            filter(None, (_within_rounding(task, unsure), reason))
        )
    if not (outcome.decided and tally.checked) or unsure is not None:
        return "unknown", reason
    return "proved" if outcome.proved else "checked", reason


def _within_rounding(task: Task, doubt: Wrong) -> str:
    """The reason why a prediction that the forward pass got right does not count: another order of
    summation could turn it.
    """
    after = printable(task.model.vocabulary.decode(doubt.context))
    by = doubt.margin or 0.0
    if task.claim.measures != "token":
        return (
            f"after '{after}' the error is {by:.1g} below the tolerance, which is"
            " within rounding"
        )
    return f"after '{after}' the margin {by:.1g} is within rounding"


def _ask_again(task: Task, tally: Tally) -> None:
    """Judge the context of the least margin once more, by the plain forward pass, which may add in
    another order.
    """
    if tally.min_margin_at is not None and not task.claim.asks_prompts:
        again = Tally()
        context = tally.min_margin_at
        task.judge.contexts(again, np.array(context), [len(context)])
        tally.min_margin = min(tally.min_margin, again.min_margin)
        tally.worst = again.worst
        tally.correct -= again.worst is not None
        tally.unsure = tally.unsure or again.unsure


def _counterexample(wrong: Wrong, tokens: Sequence[str]) -> Counterexample:
    expected, got = (
        named(value, tokens) for value in (wrong.expected, wrong.got)
    )
    return Counterexample(
        [tokens[i] for i in wrong.context],
        expected,
        got,
        wrong.margin,
        wrong.position,
    )


def named(value: object, tokens: Sequence[str]) -> object:
    """The token of an id, a tuple of several, probabilities by token, or a number as it is."""
    if isinstance(value, int):
        return tokens[value]
    if isinstance(value, tuple):
        return tuple(tokens[i] for i in value)
    return (
        dict(zip(tokens, value, strict=True))
        if isinstance(value, list)
        else value
    )
