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
from dataclasses import dataclass, replace
from functools import partial

from handcraft.claims import After, Answers, Distribution, Predicate
from handcraft.contexts import count_contexts
from handcraft.errors import ProgramError, hint
from handcraft.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.enumeration import enumerate_contexts
from handcraft.proof.expectation import Chances, NextToken
from handcraft.proof.report import Counterexample, Report, Verdict
from handcraft.proof.sampling import Progress, check_prompts, draw_contexts, draw_prompts
from handcraft.proof.tally import Tally

DRAWN_PROMPTS = 20_000
DRAWN_CONTEXTS = 1_000  # by hypothesis; each checks all its prefixes


@dataclass(frozen=True)
class Budget:
    """How much may be spent: contexts that are enumerated, contexts or prompts that are drawn, seconds."""

    contexts: int = 10**7
    drawn: int | None = None
    seconds: float = math.inf

    @classmethod
    def parse(cls, text: str) -> Budget:
        """`1000000` contexts or `30s`. Raises ProgramError for anything else."""
        match = re.fullmatch(r"(\d{1,18})(s?)", text.replace("_", ""))
        if not match or not int(match[1]):
            raise ProgramError(f"a budget is a number of contexts or of seconds, such as 1000000 or 30s, found {text!r}")
        return cls(seconds=float(match[1])) if match[2] else cls(contexts=int(match[1]), drawn=int(match[1]))


@dataclass(frozen=True)
class Task:
    """What is verified, and how far."""

    model: Model
    claim: After | Distribution | Answers | Predicate
    budget: Budget
    deadline: float
    progress: Progress

    @property
    def size(self) -> int:
        """How many contexts, or prompts, there are: exactly."""
        if isinstance(self.claim, Answers):
            return self.claim.language(self.model.n_ctx).size
        return count_contexts(len(self.model.vocabulary), self.model.n_ctx)


Outcome = tuple[Tally, str | None]  # what was counted, and why the verdict is not stronger


def exhaustive(task: Task) -> Outcome | None:
    """Every context; None where there are more than the budget allows."""
    if task.size > task.budget.contexts:
        return None
    if isinstance(task.claim, Answers):
        prompts = task.claim.language(task.model.n_ctx)
        tally = check_prompts(task.model, task.claim, prompts, task.deadline, task.progress, task.size)
    else:
        tally = _enumerate(task)
    if tally.contexts < task.size:
        return tally, f"the time was over after {tally.contexts} of {task.size} contexts"
    return tally, None


def _enumerate(task: Task) -> Tally:
    tally, n_vocab = Tally(), len(task.model.vocabulary)
    count = Counter(task)
    for chunk in enumerate_contexts(task.model.weights, task.model.n_ctx, **task.model.config):
        count(tally, chunk.ids(n_vocab, count.window), chunk.logits, partial(chunk.context, n_vocab=n_vocab))
        task.progress(tally.contexts, task.size)
        if time.monotonic() > task.deadline:
            break
    return tally


class Counter:
    """Counts a batch of contexts [n, n_seq] with their logits [n, n_vocab] by the task's claim."""

    def __init__(self, task: Task) -> None:
        vocabulary, claim = task.model.vocabulary, task.claim
        if isinstance(claim, Answers):
            raise TypeError("the answers to a prompt are checked whole, by check_prompts")
        self.tolerance = claim.tolerance if isinstance(claim, Distribution) else None
        self.expect = Chances(claim, vocabulary) if isinstance(claim, Distribution) else NextToken(claim, vocabulary)
        self.window = self.expect.window

    def __call__(self, tally: Tally, ids: Array, logits: Array, context: Callable[[int], list[int]]) -> None:
        expected = self.expect(ids)
        if self.tolerance is None:
            tally.add_tokens(expected, logits, context)
        else:
            tally.add_chances(expected, logits, self.tolerance, context)


def sampled(task: Task) -> Outcome:
    """Contexts or prompts that are drawn."""
    if isinstance(task.claim, Answers):
        count = min(task.budget.drawn or DRAWN_PROMPTS, 10**9)
        prompts = draw_prompts(task.claim, task.model.n_ctx, count)
        return check_prompts(task.model, task.claim, prompts, task.deadline, task.progress, count), None
    count_batch = Counter(task)

    def judge(tally: Tally, ids: Array, logits: Array) -> None:  # [n_seq], [n_seq, n_vocab]
        lengths = range(1, len(ids) + 1) if task.model.causal else [len(ids)]
        for length in lengths:
            prefix = ids[None, :length]  # [1, length]
            count_batch(tally, prefix, logits[length - 1 : length], partial(_row, prefix))

    examples = min(task.budget.drawn or DRAWN_CONTEXTS, 10**6)
    return draw_contexts(task.model, examples, judge, task.deadline, task.progress), None


def _row(ids: Array, row: int) -> list[int]:  # [n, n_seq] -> the ids of one context
    found: list[int] = ids[row].tolist()
    return found


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
            raise ProgramError(f"there is no method {method!r}; there are {', '.join(METHODS)}" + hint(method, METHODS))
    claim = model.program.claim if model.program else None
    if claim is None:
        raise ProgramError("has no claim to verify; pass claim= to Program", (model.name,))
    start, budget = time.monotonic(), budget or Budget()
    task = Task(model, claim, budget, start + budget.seconds, progress)
    try:
        for method in methods:
            outcome = METHODS[method](task)
            if outcome is not None:
                return _report(task, method, *outcome, time.monotonic() - start)
    except ProgramError as error:
        raise error if error.path[:1] == (model.name,) else error.at(model.name, source=claim.source) from None
    reason = f"there are {task.size} contexts, more than the budget of {budget.contexts}"
    return _report(task, methods[-1], Tally(), reason, time.monotonic() - start)


def _report(task: Task, method: str, tally: Tally, reason: str | None, seconds: float) -> Report:
    model, decided = task.model, tally.checked > 0
    chances = isinstance(task.claim, Distribution)
    if not decided and reason is None:
        reason = "the claim is silent on every context that was checked"
    verdict: Verdict = "refuted" if tally.worst else "unknown" if reason else "checked"
    report = Report(
        program=model.name,
        verdict=verdict,
        method=method,
        contexts=tally.contexts,
        checked=tally.checked,
        accuracy=tally.correct / tally.checked if decided and not chances else None,
        min_margin=tally.min_margin if math.isfinite(tally.min_margin) and not chances else None,
        counterexample=None,
        dtype=model.dtype,
        seconds=round(seconds, 3),
        max_probability_error=tally.max_error,
        reason=reason,
    )
    tokens = model.vocabulary.tokens
    if tally.min_margin_at is not None:
        report = replace(report, min_margin_at=[tokens[i] for i in tally.min_margin_at])
    if (wrong := tally.worst) is not None:
        expected, got = (_named(x, tokens) for x in (wrong.expected, wrong.got))
        found = Counterexample([tokens[i] for i in wrong.context], expected, got, wrong.margin)
        report = replace(report, counterexample=found)
    return report


def _named(value: object, tokens: Sequence[str]) -> object:
    """An id as its token; a list of probabilities by token."""
    return dict(zip(tokens, value, strict=True)) if isinstance(value, list) else tokens[int(str(value))]
