"""The method `certificate`: a proof over the weights, for every context and every order of
additions, without running the contexts one by one.

    prover     it searches, and writes down what it found                 prover/
    checker    it shares no bound with the prover, and accepts the proof  checker/
    gate       real runs say the same                                     gate.py

One attention layer is asked first whether its texts can be bounded in classes (separable/): that
needs no rules. Only what passed all three is `proved`, and its numbers are the checker's. What the
method cannot decide is left to the next method, with the reason, and with the context that was
least certain, which is then asked by itself. If a real run disagrees with a proof, that is a bug
of ours: the verdict is unknown, and no other method is asked. Rules of this file: a proof is
counted as a tally like any other, so that the report is the same.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from handcraft.core.errors import printable
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker import Found
from handcraft.proof.gate import Disagreement, Gate
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.recorder import Recorded, Recorder
from handcraft.proof.separable.method import (
    OtherClaim,
    layer_outcome,
    recorded_layer,
)
from handcraft.proof.tally import Tally
from handcraft.proof.task import Outcome, Task

# by how much a margin or an error of a real run is off, which is computed in floats itself
TOLD = 2.0**-20


def certified(task: Task) -> Outcome:
    """Return a proof that was checked and compared with real runs, or the reason why there
    is none.
    """
    why = Undecided("the model has no rules, and so no proof")
    layer = None
    try:
        layer = layer_outcome(task, *recorded_layer(task))
    except OtherClaim:
        pass
    except Undecided as other:
        why = other
    except MemoryError as error:
        why = Undecided(too_large(error))
    if layer is not None and (layer.proved or not layer.decided):
        return layer
    program = task.model.program
    if program is None or program.claim is not task.claim:
        # the checker reads the claim of the model's program, and no other
        return layer or undecided(why)
    try:
        certificate, found = recorded(task)
    except Undecided as why:
        return layer or undecided(why)
    except (MemoryError, RecursionError) as error:
        return layer or Outcome(
            Tally(),
            decided=False,
            reason=f"not proved: {too_large(error)}",
            declined=True,
            told=True,
        )
    outcome = gated(task, found)
    return (
        replace(outcome, certificate=certificate) if outcome.proved else outcome
    )


@contextmanager
def uncollected() -> Iterator[None]:
    """Turn off the search for reference cycles: a proof makes millions of tuples, and none
    of them is in one.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@uncollected()
def recorded(task: Task) -> Recorded:
    """Return the certificate of a claim and what the checker found of it. Raises Undecided
    if there is none.
    """
    return Recorder(
        task.model, task.claim, task.deadline, task.progress
    ).recorded()


def undecided(why: Undecided) -> Outcome:
    """Return the outcome without a proof, with the reason: the next method is asked."""
    return Outcome(
        Tally(),
        decided=False,
        reason=f"not proved: {why}",
        declined=True,
        told=True,
        suspect=why.context,
    )


def too_large(error: BaseException) -> str:
    """Return why a proof ends that needs more than this machine has: nothing is known of
    the model by that.
    """
    return f"the proof is too large for this machine ({type(error).__name__})"


def gated(task: Task, found: Found) -> Outcome:
    """Return what the checker found as the outcome, if real runs agree with it."""
    try:
        asked = Gate(task.model, task.claim, task.size, task.progress).ask(
            found.examples
        )
    except Disagreement as why:
        after = printable(task.model.vocabulary.decode(why.context))
        reason = (
            f"a proof was found and checked, but a real run disagrees after '{after}':"
            f" {why}; this is a bug of handcraft"
        )
        return Outcome(Tally(), decided=False, reason=reason)
    if asked.worst is not None:
        return Outcome(asked, decided=True)
    if (beyond := _beyond(asked, found)) is not None:
        return Outcome(
            asked,
            decided=False,
            reason=(
                f"a proof was found and checked, but {beyond}; this is a bug of"
                " handcraft"
            ),
        )
    return Outcome(
        _tally(task, found),
        decided=True,
        proved=True,
        error_bound=found.error,
        assumptions=ASSUMPTIONS,
    )


def _beyond(asked: Tally, found: Found) -> str | None:
    """Return how a real run contradicts the proof: a smaller margin, or a greater error;
    None if it does not.
    """
    if asked.min_margin < found.margin * (1 - TOLD):
        return (
            f"a real run has the margin {asked.min_margin:.9g}, and the proof says at"
            f" least {found.margin:.9g}"
        )
    if (
        asked.max_error is not None
        and asked.max_error > found.error * (1 + TOLD) + TOLD**2
    ):
        return (
            f"a real run has the error {asked.max_error:.9g}, and the proof says at"
            f" most {found.error:.9g}"
        )
    return None


def _tally(task: Task, found: Found) -> Tally:
    """Return a proof as a tally: for prompts with their answers, the prompts are counted."""
    error = found.error if task.claim.measures != "token" else None
    tally = Tally(
        contexts=found.contexts,
        checked=found.checked,
        correct=found.checked,
        max_error=error,
    )
    if error is None and math.isfinite(found.margin):
        tally.min_margin, tally.min_margin_at = found.margin, found.at
    return tally
