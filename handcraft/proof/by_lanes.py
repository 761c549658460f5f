"""The method `lanes`: a proof over the weights by what each lane holds, for texts that are answered
at each position, causal or not, for what follows any context, and for prompts that are answered.

    propose   the list of invariants that the program brings   lanes/propose.py
    check     it computes every lane from the weights          lanes/check.py
    runs      real runs say the same

Only what the checker accepts is `proved`, and its numbers are the checker's. If a real run
disagrees with a proof, that is a bug of ours: the verdict is unknown. Rules of this file: a claim
of another kind is left to the next method without a word.
"""

from __future__ import annotations

import gc
import math
from dataclasses import replace

from handcraft.claims.kinds import After, Each, Predicate
from handcraft.claims.prompt_claim import Answers
from handcraft.core.errors import printable
from handcraft.model import Model
from handcraft.program.program import Program
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker.certificate import claim_hash, weights_hash
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.enumerate.method import exhaustive
from handcraft.proof.lanes.certificate import Invariant, LaneCertificate
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.propose import proposed
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.sample import check_prompts, draw_agreeing, draw_prompts
from handcraft.proof.tally import Tally
from handcraft.proof.task import Outcome, Task
from handcraft.sequence.expression import Expression

_EVERY = 20_000  # texts up to which each is run
_DRAWN = 2_000  # texts otherwise, or as many as are so many tokens
_TOKENS = 200_000
_TOLD = 2.0**-20  # by how much a margin of a real run is off


def is_for(model: Model) -> bool:
    """True for a claim that is an expression, at each position of a text or for what follows a
    context or a prompt, or a table of endings.
    """
    claim = model.program.claim if model.program else None
    if type(claim) is Answers:
        return isinstance(claim.answer, Expression) and model.causal
    if type(claim) is After:
        return model.causal
    return (
        type(claim) is Each or (type(claim) is Predicate and model.causal)
    ) and isinstance(claim.function, Expression)


def by_lanes(task: Task) -> Outcome:
    """A proof that was checked and compared with real runs, or the reason why there is none."""
    program = task.model.program
    if program is None or program.claim is not task.claim:
        return declined()
    if not is_for(task.model):
        return declined()
    told = task.claim.whole_text  # else the other method says why
    found = _shown(task.model, _said_of(program))
    if isinstance(found, str):
        gc.collect()  # tables of symbols refer to each other, and the next method needs the room
        return declined(f"not proved by lanes: {found}", told=told)
    outcome = agreed(task, found)
    if not outcome.proved:
        return outcome
    return replace(outcome, certificate=_stated(task.model, found))


def _shown(model: Model, said: tuple[Invariant, ...]) -> ShownByLanes | str:
    """What is shown of a model, or the reason why nothing is."""
    try:
        return measured_lanes(model, said)
    except Rejected as why:
        return str(why)
    except (MemoryError, RecursionError) as error:
        return type(error).__name__


def declined(reason: str | None = None, *, told: bool = True) -> Outcome:
    """The outcome without a proof: the next method is asked."""
    return Outcome(
        Tally(),
        decided=False,
        reason=reason,
        declined=True,
        told=told and reason is not None,
    )


def certificate_of(model: Model) -> LaneCertificate:
    """The certificate of a model's claim: the invariants that hold, of those that its program
    brings. Raises Rejected if the claim is not shown.
    """
    program = model.program
    if program is None:
        raise Rejected("the model has no rules")
    return _stated(model, measured_lanes(model, _said_of(program)))


def _said_of(program: Program) -> tuple[Invariant, ...]:
    """The invariants that a program brings; none where it answers prompts."""
    prompts = program.claim is not None and program.claim.asks_prompts
    return () if prompts else proposed(program)


def _stated(model: Model, shown: ShownByLanes) -> LaneCertificate:
    """What the checker has shown, as a certificate that states just that."""
    return LaneCertificate(
        program=model.name,
        weights=weights_hash(model),
        claim=claim_hash(model),
        dtype=model.dtype,
        n_ctx=model.n_ctx,
        contexts=shown.contexts,
        margin=shown.margin,
        assumptions=list(ASSUMPTIONS),
        invariants=shown.invariants,
    )


def agreed(task: Task, shown: ShownByLanes) -> Outcome:
    """What was shown as the outcome, if real runs agree with it."""
    asked = _asked(task)
    if asked.worst is not None:
        return Outcome(asked, decided=True)
    if task.size != shown.contexts:
        return _bug(
            asked, f"it is about {shown.contexts:,} of {task.size:,} texts"
        )
    if asked.min_margin < shown.margin * (1 - _TOLD):
        at = asked.min_margin_at or ()
        text = printable(task.model.vocabulary.decode([int(i) for i in at]))
        return _bug(
            asked,
            f"on '{text}' a real run has the margin {asked.min_margin:.9g}, and the"
            f" proof says at least {shown.margin:.9g}",
        )
    size = shown.contexts
    spoken = asked.checked if shown.silent else size
    if shown.spoken is not None:
        spoken = shown.spoken
        if asked.contexts == size and asked.checked != spoken:
            return _bug(asked, f"it counts {spoken:,} where the claim speaks")
    elif shown.silent and asked.contexts < size:
        return declined(
            "not proved by lanes: nobody counted where the claim is silent"
        )
    tally = Tally(contexts=size, checked=spoken, correct=spoken)
    tally.min_margin = shown.margin if math.isfinite(shown.margin) else math.inf
    if asked.contexts == size:  # each was run: the least of a real run is known
        tally.min_margin_at = asked.min_margin_at
        tally.min_margin_position = asked.min_margin_position
    return Outcome(
        tally,
        decided=True,
        proved=True,
        error_bound=shown.error,
        assumptions=ASSUMPTIONS,
    )


def _asked(task: Task) -> Tally:
    """What real runs say: of every text where there are few, else of drawn ones."""
    if task.size <= _EVERY:
        budget = replace(task.budget, contexts=_EVERY, seconds=math.inf)
        every = exhaustive(replace(task, budget=budget, deadline=math.inf))
        return every.tally if every is not None else Tally()
    if task.claim.asks_prompts:
        model = task.model
        language = task.claim.language(model.n_ctx, model.vocabulary)
        count = min(_DRAWN, _TOKENS // model.n_ctx + 1)
        drawn = draw_prompts(language, count, math.inf)
        return check_prompts(task.judge, drawn, math.inf, task.progress, count)
    return draw_agreeing(task.judge, _DRAWN, task.progress)


def _bug(asked: Tally, why: str) -> Outcome:
    return Outcome(
        asked,
        decided=False,
        reason=f"a proof was found and checked, but {why}; this is a bug of handcraft",
    )
