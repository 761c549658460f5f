"""The endings of a proof that are still to be judged, and what was shown by those that were.

Rules of this file: a margin is rounded down, an error up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.prover.case import Case
from handcraft.proof.prover.graph import QueryClass
from handcraft.proof.prover.zonotope import OWN, UP, Zonotope, moved_most

Asked = tuple[int, Any, QueryClass]  # row, what must follow, the ending


@dataclass
class Proof:
    """The result of a proof.

    contexts    the number of contexts, or prompts, that are covered, counted exactly
    checked     the number of them that the claim says something about, all positions of answers
                included
    margin      the least difference of logits that is certified; inf if there is none
    error       the largest radius of a logit, or the largest difference from the claim's
                probabilities or lane
    at          a context of the least margin, or of the largest error
    """

    contexts: int = 0
    endings: int = 0
    checked: int = 0
    margin: float = math.inf
    error: float = 0.0
    at: list[int] = field(default_factory=list)
    cases: int = 0


@dataclass(frozen=True, eq=False)
class Waiting:
    """Rows of one case that are still to be judged: their query classes [n_rows], each
    head's mean value there, and what is asked of them.
    """

    case: Case
    asked: list[Asked]
    finals: Array
    means: dict[tuple[int, int], Zonotope]


def best_lead(
    logits: Zonotope, right: tuple[int, ...]
) -> tuple[Array, float]:  # [n, n_vocab] -> [n]
    """Return the greatest of the leads that the right tokens have over every wrong one, and
    the greatest radius of such a difference.

    If one of them is ahead of all wrong ones by so much, so is the best of them.
    """
    leads, errors = zip(
        *(least_lead(logits, token, right) for token in right), strict=True
    )
    return np.max(leads, axis=0), max(errors)


def least_lead(
    logits: Zonotope, expected: int, right: tuple[int, ...] = ()
) -> tuple[Array, float]:  # [n, n_vocab] -> [n]
    """Return the least lead of the expected token over every other one that is not right
    either, and the greatest radius of that difference.
    """
    radius = logits.r + logits.r[:, [expected]]  # [n, n_vocab]
    if logits.g is not None:
        radius = radius + moved_most(logits.g - logits.g[:, [expected]])
    ahead = logits.c[:, [expected]] - logits.c  # [n, n_vocab]
    ahead = ahead - np.where(
        radius == 0, 0.0, radius * UP + 4 * OWN * np.abs(ahead)
    )
    ahead[:, [expected, *right]] = math.inf
    least = ahead.argmin(axis=1)[:, None]
    return np.take_along_axis(ahead, least, axis=1)[:, 0], float(
        np.take_along_axis(radius, least, axis=1).max()
    )
