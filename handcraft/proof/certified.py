"""The method `certificate`: a proof over the weights, for every context and every float, without enumerating them.

It proves or it passes: what it cannot decide is left to the next method, with the reason, and with the context that it
could not be sure of, which is then asked itself. Rules of this file: a proof is counted as a tally like any other, so
that the report is the same.
"""

from __future__ import annotations

import time

from handcraft.claims import Answers, Distribution, Residual
from handcraft.proof.certificate.network import Undecided
from handcraft.proof.certificate.pairs import Pairs, wanted
from handcraft.proof.certificate.prover import Proof, Prover
from handcraft.proof.tally import Tally
from handcraft.proof.task import Outcome, Task

SECONDS = 150.0  # how long a proof is looked for where no budget says
ASSUMPTIONS = (
    "IEEE 754 arithmetic, rounding to nearest, in any order of summation, with or without fused multiply-add",
    "what is below the least normal number may be flushed to zero",
    "exp and tanh within 8 units of roundoff, exp(0) = 1, exp underflows to 0, tanh is 1 where gelu passes its input on",
    "`handcraft assumptions` checks exp and tanh for every float32",
)


def certified(task: Task) -> Outcome:
    """A proof, or the reason why there is none."""
    deadline = min(task.deadline, time.monotonic() + SECONDS)
    try:
        prover = Pairs if wanted(task.claim) else Prover
        proof = prover(task.model, task.claim, deadline, task.progress).run()
    except Undecided as why:
        return Outcome(Tally(), decided=False, reason=f"not proved: {why}", passed=True, suspect=why.context)
    except (MemoryError, RecursionError) as error:
        return Outcome(Tally(), decided=False, reason=f"not proved: {too_large(error)}", passed=True)
    return Outcome(_tally(task, proof), decided=True, proved=True, error_bound=proof.error, assumptions=ASSUMPTIONS)


def too_large(error: BaseException) -> str:
    """Why a proof ends that needs more than this machine has: nothing is known of the model by that."""
    return f"the proof is too large for this machine ({type(error).__name__})"


def _tally(task: Task, proof: Proof) -> Tally:
    """A proof as what was counted: of prompts with their answers, the prompts."""
    checked = proof.contexts if isinstance(task.claim, Answers) else proof.checked
    error = proof.error if isinstance(task.claim, Distribution | Residual) else None
    found = Tally(contexts=proof.contexts, checked=checked, correct=checked, max_error=error)
    if error is None:
        found.min_margin, found.min_margin_at = proof.margin, proof.at
    return found
