"""Certificates of right programs, forged in the numbers that they state."""

from __future__ import annotations

from dataclasses import replace

from handcraft.model import Model
from handcraft.proof.checker import Certificate
from leftout.forging import Forge, entered
from leftout.sides import drafted, stated

FORGED: dict[str, Forge] = {}
forged = entered(FORGED)


def _honest(model: Model) -> Certificate:
    return stated(model, drafted(model))


@forged("right")
def more_contexts(model: Model) -> Certificate:
    """It states one context more than there are."""
    own = _honest(model)
    return replace(own, contexts=own.contexts + 1)


@forged("right")
def greater_margin(model: Model) -> Certificate:
    """It states twice the margin."""
    own = _honest(model)
    return replace(own, margin=2 * (own.margin or 0.0))


@forged("right")
def smaller_error(model: Model) -> Certificate:
    """It states half the error."""
    own = _honest(model)
    return replace(own, error=-1.0)


@forged("right")
def elsewhere(model: Model) -> Certificate:
    """It names another context for its bound."""
    return replace(_honest(model), margin_at=["b", "b", "b"])
