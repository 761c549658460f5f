"""Bounds one attention layer: the prover, the checker and real runs in turn.

    all texts are covered    the claim is proved
    some are                 the verdict is `bounded`; where so few texts are left that each can be
                             asked, or the model's rules may be proved otherwise, the next method is
                             asked first
    a run is wrong           of a model with rules, that refutes it; of weights alone it is shown
                             beside the bound

Rules of this file: only what passed all three is told; if a run disagrees, that is a bug of ours,
and the verdict is unknown.
"""

from __future__ import annotations

import math
from dataclasses import replace

from handcraft.claims.kinds import Claim
from handcraft.core.errors import printable
from handcraft.model import Model
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker.certificate import claim_hash, weights_hash
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.gate import Disagreement
from handcraft.proof.prover.network import Undecided
from handcraft.proof.separable.certificate import LayerCertificate
from handcraft.proof.separable.check import (
    Covered,
    check_work,
    examine_layer,
)
from handcraft.proof.separable.ranking import Ranking, ranking_of
from handcraft.proof.separable.runs import Runs
from handcraft.proof.separable.search import searched
from handcraft.proof.tally import Tally
from handcraft.proof.task import Outcome, Task


class OtherClaim(Undecided):
    """The claim does not say the greatest of some tokens."""


def is_ranked(model: Model, claim: Claim) -> bool:
    """True for a claim that can be bounded without rules: it says the greatest token."""
    try:
        ranking_of(claim, model.vocabulary, model.n_ctx)
    except Rejected:
        return False
    return True


def recorded_layer(task: Task) -> tuple[LayerCertificate, Covered]:
    """The certificate of a layer, and what the checker found of it. Raises Undecided if the claim
    or the model is of another kind, or no text can be shown to be right.
    """
    model, claim = task.model, task.claim
    try:
        ranking = ranking_of(claim, model.vocabulary, model.n_ctx)
    except Rejected as why:
        raise OtherClaim(str(why)) from None
    try:
        check_work(ranking, len(model.vocabulary))
        found = _searched(task, ranking)
        shown = examine_layer(model, claim, found)
    except Rejected as why:
        raise Undecided(str(why)) from None
    if shown.contexts != task.size:
        raise Undecided("the texts are not those of the claim")
    if not shown.covered:
        raise Undecided("no text is certain to be right")
    stated = replace(
        found,
        contexts=shown.contexts,
        covered=shown.covered,
        margin=_below(shown.margin),
    )
    return stated, replace(shown, margin=stated.margin)


def _searched(task: Task, ranking: Ranking) -> LayerCertificate:
    model = task.model
    return LayerCertificate(
        program=model.name,
        weights=weights_hash(model),
        claim=claim_hash(model, task.claim),
        dtype=model.dtype,
        n_ctx=model.n_ctx,
        contexts=0,
        covered=0,
        margin=None,
        assumptions=list(ASSUMPTIONS),
        seconds=0.0,
        lengths=list(searched(model, ranking, task.deadline, task.progress)),
    )


def layer_outcome(
    task: Task, certificate: LayerCertificate, shown: Covered
) -> Outcome:
    """What the checker found as the outcome, if real runs agree with it."""
    ranking = ranking_of(task.claim, task.model.vocabulary, task.model.n_ctx)
    try:
        asked = Runs(task.model, task.claim, ranking, certificate).ask(
            shown.margin
        )
    except Disagreement as why:
        after = printable(task.model.vocabulary.decode(why.context))
        reason = (
            f"a bound was found and checked, but a real run disagrees after '{after}':"
            f" {why}; this is a bug of handcraft"
        )
        return Outcome(Tally(), decided=False, reason=reason)
    tally = _tally(shown, asked)
    proved = shown.covered == shown.contexts
    if asked.worst is not None and task.model.program is not None:
        return Outcome(tally, decided=True, covered=shown.covered)
    return Outcome(
        tally,
        decided=True,
        declined=not proved and shown.contexts <= task.budget.contexts,
        proved=proved,
        bounded=not proved,
        covered=None if proved else shown.covered,
        assumptions=ASSUMPTIONS,
        certificate=certificate,
    )


def _tally(shown: Covered, asked: Tally) -> Tally:
    """The bound as a tally, with the wrong text that a run found."""
    tally = Tally(
        contexts=shown.contexts,
        checked=shown.contexts,
        correct=shown.covered,
        worst=asked.worst,
    )
    if shown.margin is not None:
        tally.min_margin, tally.min_margin_at = shown.margin, shown.at
    return tally


def _below(value: float | None) -> float | None:
    """A slightly smaller number of six digits; None where no other token can be behind."""
    if value is None or not math.isfinite(value):
        return None
    found = float(f"{value:.6g}")
    return found if found <= value else math.nextafter(value * (1 - 1e-5), 0.0)
