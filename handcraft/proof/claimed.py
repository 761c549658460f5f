"""Finds the claim that a model is held to, and checks that the two fit.

    its own         that of its program; weights that are not what the rules say refute it too
    a claim alone   of any file, whatever rules the weights have, or none

Rules of this file: a claim is held to the model's own tokens and window, so it must speak of
these; a function that a built directory left behind is an error that names its file; a function
must give the same answer each time it is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, product
from typing import Any

import numpy as np

from handcraft.claims.checks import check_claim
from handcraft.claims.functions import Callback
from handcraft.claims.kinds import Claim
from handcraft.claims.reference import Reference
from handcraft.core.errors import ProgramError, listing, printable
from handcraft.core.vocabulary import Vocabulary
from handcraft.model import Model
from handcraft.program.program import Program
from handcraft.proof.expected import SILENT
from handcraft.proof.report import Report
from handcraft.proof.tally import Wrong
from handcraft.proof.task import Task

_TWICE = 32  # of the shortest contexts or prompts a function is asked twice
_AGAIN = 8  # times it is asked about a counterexample


def claim_of(model: Model, option: str = "--program") -> Claim:
    """The claim of the model's program. Raises ProgramError where there is none, or where it is a
    function that its program file alone holds, which `option` of the command line takes.
    """
    if model.program is None:
        message = (
            "has no rules and no claim; pass a file that has one: --claim FILE"
        )
        raise ProgramError(message, (model.name,))
    claim = model.program.claim
    if claim is None:
        message = "has no claim to verify; pass claim= to Program"
        raise ProgramError(message, (model.name,))
    if not claim.known and isinstance(claim.rule, Callback):
        file = printable(claim.source.file) or "FILE"
        raise ProgramError(
            f"the claim is the function '{printable(claim.rule.name)}', which a built"
            f" directory does not hold; pass the file that does: {option} {file}",
            (model.name,),
            claim.source,
        )
    return claim


def held_to_claim(
    model: Model, claim: Claim, program: Program | None = None
) -> Model:
    """The model with this claim instead of its own, if it has rules; else the model as it is.

    `program` is the program that the claim was taken from. Raises ProgramError where the claim
    does not fit the model.
    """
    try:
        if program is not None:
            _check_fits(model, program)
        _check_lanes(model, claim)
        check_claim(claim, model.vocabulary, model.n_ctx, causal=model.causal)
    except ProgramError as error:
        raise error.at(model.name, source=claim.source) from None
    if model.program is None:
        return model
    own = model.program.model_copy(update={"claim": claim})
    return model.replace(program=own)


def _check_fits(model: Model, program: Program) -> None:
    """Raise ProgramError unless the model has the tokens, and at least the window, that the claim
    was written for.
    """
    own, wanted = model.vocabulary.tokens, program.vocabulary
    problem = None
    if set(own) != set(wanted):
        problem = (
            f"it is over the tokens {listing(wanted)}, and the model's are"
            f" {listing(own)}"
        )
    elif model.n_ctx < program.n_ctx:
        problem = f"it is about {program.n_ctx} positions, and the model has {model.n_ctx}"
    elif model.causal != program.causal:
        how = {True: "causal", False: "not causal"}
        problem = (
            f"its program is {how[program.causal]}, and the model is"
            f" {how[model.causal]}"
        )
    if problem is not None:
        name = printable(program.name)
        raise ProgramError(f"the claim of {name} does not fit: {problem}")


def _check_lanes(model: Model, claim: Claim) -> None:
    """Raise ProgramError for a lane that the model does not have."""
    known = model.program.layout.names if model.program else ()
    for lane in claim.lanes:
        if lane not in known:
            found = "no rules that name any" if not known else listing(known)
            raise ProgramError(
                f"the claim is about the lane {printable(lane)}, and the model has"
                f" {found}"
            )


def unless_changed(
    model: Model, report: Report, *, told: bool = False
) -> Report:
    """A model whose weights are not what its rules say is refuted, whatever it computes; the
    report says that it is the weights, and what became of the claim. With `told`, a report on a
    refuted claim says that it is not the weights.
    """
    changed = model.differing()
    if changed is None:
        same = {"cells": 0} if told and report.failed else None
        return replace(report, weights=same)
    of_claim = f"the claim is {report.verdict}"
    if report.verdict == "unknown" and report.reason:
        of_claim += f" ({report.reason})"
    return replace(
        report,
        verdict="refuted",
        failed=["weights", *(report.failed or [])],
        weights=changed.to_json(),
        reason=f"the weights are not what the rules say, {changed}; {of_claim}",
    )


# ------------------------------------------------------------ a function's answers


def check_steady(task: Task) -> None:
    """Ask a claim's function twice on the shortest contexts or prompts. Raises ProgramError where
    it answers otherwise.
    """
    if not isinstance(task.claim.rule, Callback):
        return
    for asked in islice(_questions(task), _TWICE):
        if time.monotonic() > task.deadline:
            return
        first, second = _answer(task, asked), _answer(task, asked)
        if first != second:
            raise _unsteady(task, asked, first, second)


def check_same(task: Task, wrong: Wrong) -> None:
    """Ask a claim's function a few times more on a counterexample. Raises ProgramError where it
    answers otherwise.
    """
    if not isinstance(task.claim.rule, Callback):
        return
    first: Any = wrong.expected
    for _ in range(_AGAIN):
        said = list(_said_again(task, wrong))
        if said and first not in said:
            vocabulary = task.model.vocabulary
            asked = vocabulary.context(wrong.context)
            again = said[0]
            if task.claim.measures == "token":
                first, again = (_token(vocabulary, i) for i in (first, again))
            raise _unsteady(task, asked, first, again)


def _said_again(task: Task, wrong: Wrong) -> Iterator[Any]:
    """What the claim says where the model was wrong; for prompts, of each one that the
    counterexample may have begun with.
    """
    judge, ids = task.judge, wrong.context
    if task.claim.asks_prompts:
        vocabulary, n_ctx = task.model.vocabulary, task.model.n_ctx
        language = task.claim.language(n_ctx, vocabulary)
        for n in range(1, len(ids) + 1):
            if (text := vocabulary.decode(ids[:n])) in language:
                answer = task.claim.expected(text, vocabulary, n_ctx)
                yield from vocabulary.encode(answer)[len(ids) - n :][:1]
        return
    at = len(ids) - 1 if wrong.position is None else wrong.position
    if task.claim.whole_text:
        yield judge.said(np.array([ids]))[0, at].tolist()
    else:
        yield judge.said(np.array([ids[: at + 1]]))[0].tolist()


def _token(vocabulary: Vocabulary, i: int) -> str | None:
    return None if i == SILENT else vocabulary.tokens[i]


def _questions(task: Task) -> Iterator[Any]:
    """The prompts of a claim, or all contexts as it is given them; the shorter first."""
    vocabulary, n_ctx = task.model.vocabulary, task.model.n_ctx
    if task.claim.asks_prompts:
        yield from task.claim.language(n_ctx, vocabulary)
        return
    for length in range(1, n_ctx + 1):
        for ids in product(range(len(vocabulary)), repeat=length):
            context = vocabulary.context(ids)
            if not task.claim.whole_text or task.claim.speaks_of(context):
                yield context


def _answer(task: Task, asked: Any) -> Any:
    vocabulary = task.model.vocabulary
    claim = task.claim
    if claim.asks_prompts:
        return claim.expected(asked, vocabulary, task.model.n_ctx)
    reference = Reference(claim, vocabulary)
    return reference.each(asked) if claim.whole_text else reference(asked)


def _unsteady(task: Task, asked: Any, first: Any, second: Any) -> ProgramError:
    rule = task.claim.rule
    name = rule.name if isinstance(rule, Callback) else ""
    if task.claim.asks_prompts and isinstance(first, tuple):
        first, second = "".join(first), "".join(second)
    return ProgramError(
        f"the function '{printable(name)}' answered {printable(repr(first))} on"
        f" {printable(repr(asked))}, and {printable(repr(second))} when it was asked"
        " again; it must give the same answer each time",
        ("claim",),
        rule.source if isinstance(rule, Callback) else None,
    )
