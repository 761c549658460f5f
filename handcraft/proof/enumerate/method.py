"""The method `exhaustive`: checks every context, or every prompt of the claim.

Contexts are counted in units (units.py), in this process or in several (workers.py); what is
done is kept in a book, which a checkpoint writes to the disk. A unit is entered once, whole or
not at all, so the counts are exact whatever is interrupted.

Rules of this file: it counts no unit and starts no process itself.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from handcraft.claims.prompt_language import Language
from handcraft.proof.enumerate.checkpoint import Book
from handcraft.proof.enumerate.identity import identity
from handcraft.proof.enumerate.prompts import count_prompts
from handcraft.proof.enumerate.units import Units, Work, is_fast
from handcraft.proof.enumerate.whole import count_told
from handcraft.proof.enumerate.workers import count_units, is_spread
from handcraft.proof.sample import check_prompts
from handcraft.proof.tally import Tally
from handcraft.proof.task import Outcome, Task


def exhaustive(task: Task) -> Outcome | None:
    """The outcome of checking every context; None where there are more than the budget allows."""
    if task.size > task.budget.contexts:
        return None
    if task.claim.asks_prompts:
        prompts = task.claim.language(task.model.n_ctx, task.model.vocabulary)
        tally = _prompts(task, prompts)
    elif task.claim.whole_text and task.claim.of_some_texts:
        tally = Tally()
        count_told(task.judge, tally, task.claim, partial(_go_on, task))
    else:
        tally = _enumerate(task)
    if tally.contexts < task.size:
        return Outcome(
            tally,
            decided=False,
            reason=f"the time was over after {tally.contexts:,} of {task.size:,} contexts",
        )
    return Outcome(tally, decided=True)


def _prompts(task: Task, prompts: Language) -> Tally:
    """Count every prompt, many at once where that can be."""
    tally = count_prompts(task.judge, partial(_go_on, task))
    if tally is not None:
        return tally
    return check_prompts(
        task.judge, prompts, task.deadline, task.progress, task.size
    )


def _go_on(task: Task, done: int) -> bool:
    task.progress(done, task.size)
    return time.monotonic() <= task.deadline


def _enumerate(task: Task) -> Tally:
    """Count every context with shared prefixes; all by the plain pass where that finds right what
    the fast one called wrong.
    """
    units = Units.of(task.model)
    fast = is_fast(task.judge, task.size)
    work = Work(
        task.model,
        task.claim,
        units,
        fast,
        identity(task.model, task.claim, units),
    )
    found = _counted(task, work, task.spread.checkpoint)
    return (
        found
        if _confirmed(task, found)
        else _counted(task, replace(work, fast=False, shared=False), None)
    )


def _confirmed(task: Task, tally: Tally) -> bool:
    """True if the plain pass finds the wrong context wrong, too."""
    if tally.worst is None:
        return True
    task.judge.contexts(
        again := Tally(),
        np.array(tally.worst.context),
        [len(tally.worst.context)],
    )
    return again.worst is not None


def _counted(task: Task, work: Work, checkpoint: Path | None) -> Tally:
    with Book(work, checkpoint) as book:
        task.progress(book.tally.contexts, task.size)
        part = (
            _spread(task, work, book)
            if is_spread(task.spread)
            else _alone(task, work, book)
        )
        found = Tally()
        for tally in (book.tally, part):
            found.merge(tally)
        if found.contexts == task.size:
            book.finish()
    return found


def _alone(task: Task, work: Work, book: Book) -> Tally:
    """Count in this process; also the part of a unit for which the time did not suffice."""
    for index in book.missing():

        def go_on(done: int) -> bool:
            task.progress(book.tally.contexts + done, task.size)
            return time.monotonic() <= task.deadline

        tally, whole = work.count(index, go_on)
        if not whole:
            return tally
        book.enter(index, tally)
        task.progress(book.tally.contexts, task.size)
    return Tally()


def _spread(task: Task, work: Work, book: Book) -> Tally:
    """Count in several processes, unit by unit."""
    with closing(
        count_units(
            work,
            book.missing(),
            task.spread,
            lambda: time.monotonic() <= task.deadline,
        )
    ) as counted:
        for index, tally in counted:
            book.enter(index, tally)
            task.progress(book.tally.contexts, task.size)
    return Tally()
