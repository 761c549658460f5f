"""Which method, within which budget.

    certificate  a proof over the weights, without enumerating (not in this version)
    exhaustive   every context, or every prompt of the claim
    sampled      contexts drawn by hypothesis, prompts drawn evenly by length

The methods are tried in this order; the first that applies within the budget decides. Rules of this file: a method
that was named and cannot decide says `unknown` and why; it never guesses.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from handcraft.claims import Answers, Claim, Distribution, Residual
from handcraft.contexts import count_contexts
from handcraft.errors import ProgramError, hint, printable
from handcraft.model import Model
from handcraft.proof.enumeration import enumerate_contexts
from handcraft.proof.judge import Judge
from handcraft.proof.report import Counterexample, Report, Verdict
from handcraft.proof.sampling import Progress, check_prompts, draw_contexts, draw_prompts
from handcraft.proof.tally import Tally, Wrong

DRAWN = 20_000  # contexts or prompts, where they are drawn


@dataclass(frozen=True)
class Budget:
    """How much may be spent: contexts that are enumerated, contexts or prompts that are drawn, seconds."""

    contexts: int = 10**7
    drawn: int = DRAWN
    seconds: float = math.inf

    @classmethod
    def parse(cls, text: str) -> Budget:
        """`1000000` contexts or `30s`. Raises ProgramError for anything else."""
        match = re.fullmatch(r"([0-9]{1,18})(s?)", text.replace("_", ""))
        if not match or not int(match[1]):
            shown = printable(text[:60])
            raise ProgramError(f"a budget is a number of contexts or of seconds, such as 1000000 or 30s, found {shown!r}")
        return cls(seconds=float(match[1]), drawn=10**9) if match[2] else cls(contexts=int(match[1]), drawn=int(match[1]))


@dataclass(frozen=True)
class Task:
    """What is verified, and how far."""

    model: Model
    claim: Claim
    budget: Budget
    deadline: float
    progress: Progress

    @cached_property
    def judge(self) -> Judge:
        """Who decides what is right."""
        return Judge(self.model, self.claim)

    @cached_property
    def size(self) -> int:
        """How many contexts, or prompts, there are: exactly."""
        if isinstance(self.claim, Answers):
            return self.claim.language(self.model.n_ctx, self.model.vocabulary).size
        return count_contexts(len(self.model.vocabulary), self.model.n_ctx)


@dataclass(frozen=True)
class Outcome:
    """What was counted, whether that decides, and why the verdict is not stronger."""

    tally: Tally
    decided: bool
    reason: str | None = None


def exhaustive(task: Task) -> Outcome | None:
    """Every context; None where there are more than the budget allows."""
    if task.size > task.budget.contexts:
        return None
    if isinstance(task.claim, Answers):
        prompts = task.claim.language(task.model.n_ctx, task.model.vocabulary)
        tally = check_prompts(task.judge, prompts, task.deadline, task.progress, task.size)
    else:
        tally = _enumerate(task)
    if tally.contexts < task.size:
        return Outcome(tally, decided=False, reason=f"the time was over after {tally.contexts} of {task.size} contexts")
    return Outcome(tally, decided=True)


def _enumerate(task: Task) -> Tally:
    tally, n_vocab, judge = Tally(), len(task.model.vocabulary), task.judge
    for chunk in enumerate_contexts(task.model.weights, task.model.n_ctx, **task.model.config):
        ids = chunk.ids(n_vocab, judge.window)  # [n, the last tokens that the claim needs]
        judge.batch(tally, ids, chunk.stream, chunk.logits, partial(chunk.context, n_vocab=n_vocab))
        task.progress(tally.contexts, task.size)
        if time.monotonic() > task.deadline:
            break
    return tally


def sampled(task: Task) -> Outcome:
    """Contexts or prompts that are drawn."""
    count = task.budget.drawn
    if isinstance(task.claim, Answers):
        prompts = draw_prompts(task.model, task.claim, count)
        tally = check_prompts(task.judge, prompts, task.deadline, task.progress, count)
    else:
        tally = draw_contexts(task.judge, count, task.deadline, task.progress)
    if not tally.checked and time.monotonic() > task.deadline:
        return Outcome(tally, decided=False, reason=f"the time was over after {tally.contexts} of {count} contexts")
    kind = "prompts" if isinstance(task.claim, Answers) else "contexts"
    size = task.size if task.size < 10**18 else f"about 10^{len(str(task.size)) - 1}"
    return Outcome(tally, decided=True, reason=f"there are {size} {kind}; {tally.contexts} were drawn")


METHODS: dict[str, Callable[[Task], Outcome | None]] = {"exhaustive": exhaustive, "sampled": sampled}


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


def verify(
    model: Model,
    *,
    methods: Sequence[str] = tuple(METHODS),
    budget: Budget | None = None,
    progress: Progress = _silent,
) -> Report:
    """Whether the model predicts what its program claims. Raises ProgramError where there is no claim to check."""
    for method in methods:
        if method not in METHODS:
            known = ", ".join(METHODS)
            raise ProgramError(f"there is no method '{printable(method)}'; there are {known}" + hint(method, METHODS))
    claim = model.program.claim if model.program else None
    if claim is None:
        raise ProgramError("has no claim to verify; pass claim= to Program", (model.name,))
    start, budget = time.monotonic(), budget or Budget()
    task = Task(model, claim, budget, start + budget.seconds, progress)
    try:
        found = next(((m, outcome) for m in methods if (outcome := METHODS[m](task)) is not None), None)
    except ProgramError as error:
        raise error if error.path[:1] == (model.name,) else error.at(model.name, source=claim.source) from None
    if found is None:
        reason = f"there are {task.size} contexts, more than the budget of {budget.contexts}"
        found = methods[-1], Outcome(Tally(), decided=False, reason=reason)
    return _report(task, *found, time.monotonic() - start)


def _report(task: Task, method: str, outcome: Outcome, seconds: float) -> Report:
    tally, tokens = outcome.tally, task.model.vocabulary.tokens
    if tally.worst is None:
        _ask_again(task, tally)
    reason = outcome.reason
    if not tally.checked and outcome.decided:
        reason = "the claim is silent on every context that was checked"
    verdict: Verdict = "refuted" if tally.worst else "checked" if outcome.decided and tally.checked else "unknown"
    by_tokens = not isinstance(task.claim, Distribution | Residual)
    error = tally.max_error if tally.max_error is not None and math.isfinite(tally.max_error) else None
    return Report(
        program=task.model.name,
        verdict=verdict,
        method=method,
        contexts=tally.contexts,
        checked=tally.checked,
        accuracy=tally.correct / tally.checked if tally.checked and by_tokens else None,
        min_margin=tally.min_margin if math.isfinite(tally.min_margin) else None,
        min_margin_at=None if tally.min_margin_at is None else [tokens[i] for i in tally.min_margin_at],
        max_probability_error=error if isinstance(task.claim, Distribution) else None,
        max_lane_error=error if isinstance(task.claim, Residual) else None,
        counterexample=None if tally.worst is None else _counterexample(tally.worst, tokens),
        dtype=task.model.dtype,
        seconds=round(seconds, 3),
        reason=reason,
    )


def _ask_again(task: Task, tally: Tally) -> None:
    """The context of the least margin once more, by the plain forward pass: it may add in another order."""
    if tally.min_margin_at is not None and not isinstance(task.claim, Answers):
        task.judge.contexts(again := Tally(), np.array(tally.min_margin_at), [len(tally.min_margin_at)])
        tally.min_margin = min(tally.min_margin, again.min_margin)
        tally.worst = again.worst
        tally.correct -= again.worst is not None


def _counterexample(wrong: Wrong, tokens: Sequence[str]) -> Counterexample:
    expected, got = (named(value, tokens) for value in (wrong.expected, wrong.got))
    return Counterexample([tokens[i] for i in wrong.context], expected, got, wrong.margin)


def named(value: object, tokens: Sequence[str]) -> object:
    """An id as its token, probabilities by token, a number as it is."""
    if isinstance(value, int):
        return tokens[value]
    return dict(zip(tokens, value, strict=True)) if isinstance(value, list) else value
