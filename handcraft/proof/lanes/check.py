"""The verdict on a list of invariants, and on the claim that they are meant to show.

    measured_lanes(model, invariants)  the invariants that hold, each with the least radius that is
                                       certain, and the margin of the claim
    check_lanes(model, certificate)    the same, if the certificate states no more than that

What each lane is at a position of a text is computed from the weights, sublayer by sublayer, as a
table over symbols with a radius. An invariant is compared with that table on all rows that a text
can have; the claim is compared with the logits. Rules of this file: it imports nothing that made
the weights or the list; what is not shown is Rejected, with the reason.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from handcraft.claims.kinds import After, Predicate
from handcraft.claims.prompt_claim import Answers
from handcraft.core.errors import ProgramError, printable
from handcraft.model import Model
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker.certificate import claim_hash, weights_hash
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.certificate import Invariant, LaneCertificate
from handcraft.proof.lanes.of_prompts import OfPrompts
from handcraft.proof.lanes.of_texts import LargeClaim, OfNextTokens, OfTexts
from handcraft.proof.lanes.shown import ShownByLanes
from handcraft.proof.lanes.symbols import MOST_TABLE_ROWS, TooManyRows


def measured_lanes(
    model: Model, invariants: Sequence[Invariant]
) -> ShownByLanes:
    """What is shown, with those of the invariants that hold. Raises Rejected if the claim is not
    shown.
    """
    return _run(_check_of(model, invariants, believed=True))


def _check_of(
    model: Model, invariants: Sequence[Invariant], *, believed: bool
) -> OfTexts | OfPrompts:
    claim = model.program.claim if model.program else None
    if isinstance(claim, Answers):
        return OfPrompts(model, claim, invariants)
    if isinstance(claim, After | Predicate):
        return OfNextTokens(model, invariants, believed=believed)
    return OfTexts(model, invariants, believed=believed)


def _run(pass_: OfTexts | OfPrompts) -> ShownByLanes:
    try:
        with np.errstate(all="ignore"):
            return _in_few_rows(pass_)
    except ProgramError as error:
        raise Rejected(printable(str(error))) from None
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise Rejected(
            f"it is not consistent: {printable(str(error))}"
        ) from None


def _in_few_rows(pass_: OfTexts | OfPrompts) -> ShownByLanes:
    """What is shown: where a table is too large, with tables that are kept small. Those of a claim
    of many rows mostly are too large in the end, so the small ones are tried first. Prompts are
    then looked at by where they end.
    """
    try:
        return pass_.run(few=False)
    except TooManyRows as error:
        why = error
    _forget(pass_, why)
    with suppress(Rejected):
        return pass_.run(few=True)
    _forget(pass_, why)
    if isinstance(pass_, OfPrompts):
        return pass_.by_ends()
    if not isinstance(why, LargeClaim):
        raise why
    pass_.most_claimed = MOST_TABLE_ROWS
    return pass_.run(few=False)


def _forget(pass_: OfTexts | OfPrompts, why: TooManyRows) -> None:
    """Let go what was computed up to there: all of it is computed again."""
    found: BaseException | None = why
    while found is not None:  # each holds the frames that it went through
        found.__traceback__ = None
        found = found.__context__
    if isinstance(pass_, OfTexts):
        pass_.forget()
    gc.collect()  # tables of symbols refer to each other


def check_lanes(model: Model, certificate: LaneCertificate) -> ShownByLanes:
    """What a certificate shows of a model. Raises Rejected if it states more than that."""
    if (
        certificate.weights != weights_hash(model)
        or certificate.dtype != model.dtype
    ):
        raise Rejected("it is a certificate of other weights")
    if certificate.claim != claim_hash(model):
        raise Rejected("it is a certificate of another claim")
    stated = certificate.program, certificate.n_ctx, certificate.assumptions
    if stated != (model.name, model.n_ctx, list(ASSUMPTIONS)):
        raise Rejected(
            "it states another program, another window or other assumptions"
        )
    shown = _run(_check_of(model, certificate.invariants, believed=False))
    if certificate.contexts != shown.contexts:
        raise Rejected(
            f"it states {certificate.contexts} contexts; there are {shown.contexts}"
        )
    if not (math.isfinite(shown.margin) and certificate.margin <= shown.margin):
        raise Rejected(
            f"it states a margin of {certificate.margin:g}, but only"
            f" {shown.margin:.6g} is certain"
        )
    return shown
