"""Builds heads that average or count over earlier positions.

    mean         the mean over every earlier position        score: 0
    mean_where   the mean over those with a flag             score: ln(8 n / u) on the flag
    running_sum  the sum over every earlier position         score: ln W at an anchor, else 0
    count_where  the sum over those that match               score: also M (agreements - conditions)

A sum is counted against an anchor, one position whose value is 0: with the score ln W it takes
all attention but a part 1/W of each other position, and W times the mean is then the sum.

Sources: "The Transformer Cookbook", Yang et al., 2026; Weiss et al., "Thinking Like Transformers",
2021.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from handcraft.core.arguments import checked_call
from handcraft.core.sharp import gap
from handcraft.language.affine import Affine, Lane, Map, Term
from handcraft.language.coerce import MapLike, as_affine, value_lanes
from handcraft.language.meanings import MeaningsLike
from handcraft.language.rules import Head
from handcraft.language.words import local
from handcraft.recipes.attention import (
    SCORE_GAP,
    match_lanes,
)
from handcraft.recipes.kinds import a_whole_number, takes

ANCHOR = 2.0**30  # W; a power of two, so that the product with it is exact
ANCHOR_LANE = local("anchor")


@checked_call(output="adds")
def mean(
    value: MapLike,
    *,
    adds: MapLike | None = None,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that takes the mean of the values over this and every earlier position: uniform
    causal attention, every score 0.
    """
    return Head(value=value, adds=adds, means=means, name=name)


@checked_call(output="adds")
@takes(n_ctx=a_whole_number)
def mean_where(
    flag: Term,
    value: MapLike,
    *,
    adds: MapLike | None = None,
    n_ctx: int = 1024,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that takes the mean of the values over the earlier positions whose `flag` is 1
    rather than 0; over all where none is.

    Score: ln(8 n_ctx / u) on the flag, so that positions without it leak less than float32's
    last bit.
    """
    lane = local("flag").lanes[0]
    return Head(
        query={lane: math.ceil(gap(n_ctx))},
        key={lane: flag},
        value=value,
        adds=adds,
        scores="exact",
        means=means,
        name=name,
    )


@checked_call()
def running_sum(
    anchor: Term,
    value: MapLike,
    *,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that takes the sum of the values over this and every earlier position, exact for
    counts.

    anchor  a 0/1 expression, 1 at one early position only (BOS, such as token["^"]), where
            every value must be 0

    The anchor takes all attention but a 2^-30 part of each position; times 2^30 that part is
    the sum. Score: ln 2^30 at the anchor, 0 elsewhere. Error: a relative 2e-6 (the rounding of
    one exponential), and n / 2^30 of the sum.
    """
    return _anchored(anchor, {}, {}, value, means, name)


@checked_call()
@takes(conditions=a_whole_number)
def count_where(
    anchor: Term,
    match: MapLike,
    value: MapLike,
    *,
    key: MapLike | None = None,
    conditions: int = 1,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that takes the sum of the values over the earlier positions that match the query by
    content.

    match, key, conditions  as in attend_where; the anchor must not agree in any of them
    anchor, value           as in running_sum

    Score: MATCH (agreements - conditions), ln 2^30 at the anchor. What does not match leaks
    less than exp(-48) of its value.
    """
    strength = 2 * SCORE_GAP
    query, keys = match_lanes(match, key, strength)
    # every position pays for all conditions; the anchor gets them back
    unmatched = local("unmatched").lanes[0]
    refund = as_affine(anchor).scaled(conditions * strength)
    query[unmatched] = Affine.of({}, 1.0)
    keys[unmatched] = Affine.of({}, -conditions * strength).plus(refund)
    return _anchored(anchor, query, keys, value, means, name)


def _anchored(
    anchor: Term,
    query: Mapping[Lane, Affine],
    keys: Mapping[Lane, Affine],
    value: MapLike,
    means: MeaningsLike,
    name: str | None,
) -> Head:
    lane = ANCHOR_LANE.lanes[0]
    return Head(
        query=Map.of([*query.items(), (lane, Affine.of({}, math.log(ANCHOR)))]),
        key=Map.of([*keys.items(), (lane, as_affine(anchor))]),
        value=value,
        adds=value_lanes(value).scaled(ANCHOR),
        scores="exact",
        means=means,
        name=name,
    )
