"""Judges one context inside the compiled enumeration, and counts it as tally.py does.

Rules of this file: as those of kernel.py; it differs from Tally.add_tokens and Tally.add_chances
in nothing but speed.
"""

from __future__ import annotations

import math

from numba import njit

from handcraft.core.gpt2 import Array
from handcraft.proof.enumerate.arrays import (
    CHECKED,
    CONTEXTS,
    CORRECT,
    ERROR,
    LEAST,
    NEAR,
    WRONG,
    ClaimArrays,
    Counted,
    WalkArrays,
)

# The walk allocates nothing. Without numba's runtime nobody counts references to arrays, which
# else takes three quarters of the time, and one function with all the others in it spares the
# handing over of many arrays: together eight times.
OPTIONS = {"_nrt": False, "forceinline": True}


@njit(**OPTIONS)
def judge(
    claim: ClaimArrays, walk: WalkArrays, found: Counted, length: int
) -> None:
    """Count one context, as Tally.add_tokens and Tally.add_chances do; or keep it, where rounding
    could turn it.
    """
    ending = claim.found[walk.states[length]]
    if ending < 0:
        found.counts[CONTEXTS] += 1
        return
    chances = claim.rows.shape[1] > 0
    if chances:
        measure = _error(claim, walk, ending)
    elif claim.right.shape[1] > 0:
        measure = _margin_of_several(claim, walk, ending)
    else:
        measure = _margin(claim, walk, ending)
    slack = claim.tolerance - measure if chances else measure
    if abs(slack) <= claim.within and claim.within > 0 and math.isfinite(slack):
        _keep(walk, found, length)
        return
    found.counts[CONTEXTS] += 1
    found.counts[CHECKED] += 1
    if chances:
        found.extremes[ERROR] = max(found.extremes[ERROR], measure)
    else:
        _lower(walk, found, measure, length)
    if measure <= claim.tolerance if chances else measure > 0:
        found.counts[CORRECT] += 1
    elif found.lengths[WRONG] == 0 or length < found.lengths[WRONG]:
        _remember(walk, found, WRONG, length)
        fill(walk.logits, 0, found.logits)


@njit(**OPTIONS)
def _margin(claim: ClaimArrays, walk: WalkArrays, ending: int) -> float:
    """The margin of the expected token over the others; -inf where a logit is not finite."""
    expected = claim.expected[ending]
    logits = walk.logits
    other = logits.dtype.type(-math.inf)
    finite = True
    for i in range(len(logits)):
        finite = finite and math.isfinite(logits[i])
        if i != expected and logits[i] > other:
            other = logits[i]
    margin = (
        logits[expected] - other if finite else logits.dtype.type(-math.inf)
    )
    return float(margin)


@njit(**OPTIONS)
def _margin_of_several(
    claim: ClaimArrays, walk: WalkArrays, ending: int
) -> float:
    """The same for the best of several right tokens."""
    logits = walk.logits
    best = logits.dtype.type(-math.inf)
    other = logits.dtype.type(-math.inf)
    finite = True
    for i in range(len(logits)):
        finite = finite and math.isfinite(logits[i])
        if claim.right[ending, i]:
            best = max(best, logits[i])
        else:
            other = max(other, logits[i])
    margin = best - other if finite else logits.dtype.type(-math.inf)
    return float(margin)


@njit(**OPTIONS)
def _error(claim: ClaimArrays, walk: WalkArrays, ending: int) -> float:
    """The greatest error of a probability, computed in float64; infinite where one is NaN."""
    top = -math.inf
    total = 0.0
    error = 0.0
    chances = walk.chances
    for logit in walk.logits:
        top = max(top, float(logit))
    for i in range(len(chances)):
        chances[i] = math.exp(float(walk.logits[i]) - top)
        total += chances[i]
    for i in range(len(chances)):
        off = abs(chances[i] / total - claim.rows[ending, i])
        error = max(error, off) if math.isfinite(off) else math.inf
    return error


@njit(**OPTIONS)
def _lower(
    walk: WalkArrays, found: Counted, margin: float, length: int
) -> None:
    """As Tally.lower."""
    least = found.extremes[LEAST]
    if margin < math.inf and (
        margin < least or (margin == least and length < found.lengths[LEAST])
    ):
        found.extremes[LEAST] = margin
        _remember(walk, found, LEAST, length)


@njit(**OPTIONS)
def _keep(walk: WalkArrays, found: Counted, length: int) -> None:
    """Keep the path for a second look; it is counted there."""
    at = found.counts[NEAR]
    found.counts[NEAR] += 1
    found.long[at] = length
    for i in range(length):
        found.near[at, i] = walk.ids[i]


@njit(**OPTIONS)
def _remember(
    walk: WalkArrays, found: Counted, which: int, length: int
) -> None:
    """Keep the path. Of equal length the walk comes to the first one first."""
    found.lengths[which] = length
    for i in range(length):
        found.contexts[which, i] = walk.ids[i]


@njit(**OPTIONS)
def fill(x: Array, at: int, y: Array) -> None:
    """Fill y with x from an offset on."""
    for i in range(len(y)):
        y[i] = x[at + i]
