"""What was shown of a model lane by lane: the margin, the texts, and the invariants that hold."""

from __future__ import annotations

from dataclasses import dataclass

from handcraft.proof.lanes.certificate import Invariant


@dataclass(frozen=True)
class ShownByLanes:
    """What was shown of a model.

    contexts    the number of texts: at every position of each of them the claim holds
    margin      by how much the right token is ahead, at least
    silent      True if the claim may say nothing at some position
    spoken      of what follows contexts: after how many of them it says something, where that
                was counted; else None
    error       how far a difference of two logits can be off, at most
    invariants  those that hold, each with the least radius that is certain
    """

    contexts: int
    margin: float
    silent: bool
    error: float
    invariants: tuple[Invariant, ...]
    spoken: int | None = None
