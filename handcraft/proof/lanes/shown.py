"""What was shown of a model lane by lane.

    ShownByLanes    the margin, the texts, and the invariants that hold
    margin_of(...)  the least margin of the token that a claim asks for

Rules of this file: the bounds are those of the checker's own arithmetic; what is not sure is
Rejected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handcraft.model import Model
from handcraft.proof.checker.zonotope import UP, Rejected, Zonotope
from handcraft.proof.lanes.certificate import Invariant
from handcraft.proof.lanes.forms import Form, over
from handcraft.proof.lanes.stream import LaneStream


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


def margin_of(
    model: Model, stream: LaneStream, form: Form
) -> tuple[float, float, bool]:
    """The least margin of the right token, which the form is, the greatest error of a difference,
    and whether the claim may be silent.
    """
    if 1 in form.sides:
        raise Rejected("the claim reads a key position")
    labels, logits = stream.logits(form.labels)
    possible = stream.symbols.possible(labels).reshape(-1)
    right = over(stream.symbols, form, labels).reshape(-1)
    asked = possible & np.array([x is not None for x in right])
    ids = model.vocabulary.ids
    if any(not isinstance(x, str) or x not in ids for x in right[asked]):
        raise Rejected("the claim may ask for what is no token")
    if not asked.any():
        raise Rejected("the claim is silent on every context")
    wanted = np.array([ids[x] for x in right[asked]])
    least, error = _margin(logits[asked], wanted)
    return least, error, bool((possible & ~asked).any())


def _margin(logits: Zonotope, right: np.ndarray) -> tuple[float, float]:
    """The least margin over all rows, and the greatest error of it."""
    rows = np.arange(len(right))
    apart = logits.c[rows, right][:, None] - logits.c
    own = logits.r + logits.r[rows, right][:, None]
    shared = np.abs(logits.g[rows, right][:, None] - logits.g).sum(axis=2)
    error = (own + shared) * UP + np.abs(apart) * 2.0**-50
    margin = apart - error - (np.abs(logits.c) + np.abs(apart)) * 2.0**-50
    others = np.ones(margin.shape, dtype=bool)
    others[rows, right] = False
    if not others.any():
        raise Rejected("there is a single token")
    least = float(margin[others].min())
    if not least > 0:
        raise Rejected(f"the margin may be {least:.6g}")
    return least, float(error[others].max())
