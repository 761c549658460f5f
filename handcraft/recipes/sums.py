"""Builds heads that average or count over earlier positions.

    mean         the mean over every earlier position        score: 0
    mean_where   the mean over those with a flag             score: ln(8 n / u) on the flag
    running_sum  the sum over every earlier position         score: ln W at an anchor, else 0
    count_where  the sum over those that match               score: also M (agreements - conditions)
    total_over   the sum over those that a selector selects  score: also 32 times the selector's
    total_over_any  the same of any of several selectors, by several heads

A sum is counted against an anchor, one position whose value is 0: with the score ln W it takes
all attention but a part 1/W of each other position, and W times the mean is then the sum.

Sources: "The Transformer Cookbook", Yang et al., 2026; Weiss et al., "Thinking Like Transformers",
2021.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from handcraft.core.arguments import checked_call
from handcraft.core.sharp import gap
from handcraft.language.affine import Affine, Lane, Map, Term, kind_of
from handcraft.language.coerce import MapLike, as_affine, as_map, value_lanes
from handcraft.language.meanings import MeaningsLike
from handcraft.language.rules import Head
from handcraft.language.sink_lanes import AT_ITSELF, SINK
from handcraft.language.words import local
from handcraft.recipes.addressing import SCORE_GAP
from handcraft.recipes.attention import match_lanes
from handcraft.recipes.kinds import a_flag, a_whole_number, takes, wrong
from handcraft.recipes.looking import (
    check_selector,
    match_rows,
    sink_of,
    without,
)
from handcraft.recipes.selectors import Selector

ANCHOR = 2.0**30  # W; a power of two, so that the product with it is exact
ANCHOR_LANE = local("anchor")
SUMMING = Affine.of({}, math.log(ANCHOR))  # the score of the anchor
COUNT_STRENGTH = 32.0  # the strength of a selector: what it leaves out counts exp(-32), 1e-14
MOST_COUNTED = (
    32  # the greatest number of a same_number whose score is a factor of a sum
)
MOST_SUMMED = 64  # of a sum over several selectors


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


# ---------------------------------------------------------------- over a selector


@checked_call()
@takes(causal=a_flag)
def total_over(
    selector: Selector,
    value: MapLike,
    *,
    sink: Term,
    causal: bool = True,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that takes the sum of the values over the positions that a selector selects; of the
    value 1 that is how many there are.

    sink    the lane that is 1 at the sink (BOS) alone, such as token["^"]; every lane of a
            selector's key, and of the value, is 0 there, but for the sink's own
    causal  False in a program with causal=False: then the sink, which sees what follows, attends
            to itself, and the sum there is 0

    Score: 32 times the selector's, ln 2^30 at the sink. Error: a relative 2e-6 and n / 2^30, as of
    running_sum; with same_number up to m also a relative m^2 / 2^18, none if d_head is a power of
    4. Raises ProgramError for a sink that is no lane, and for a same_number up to more than 32.
    """
    return _total_over(
        "total_over", selector, value, 1.0, sink, causal, means, name
    )


@checked_call()
@takes(causal=a_flag, apart=a_flag)
def total_over_any(
    selectors: Iterable[Selector],
    value: MapLike,
    *,
    sink: Term,
    apart: bool = False,
    causal: bool = True,
    name: str | None = None,
) -> tuple[Head, ...]:
    """Heads that together take the sum of the values over the positions that any of several
    selectors selects, each position once.

    apart         True where no position is selected by two of them: then each has one head
    sink, causal  as in total_over

    One head for a, one for b & ~a and so on; where a has no opposite (same_number), one more takes
    away what a & b selects. Errors as in total_over, summed. Raises ProgramError for more than 64
    heads.
    """
    if isinstance(selectors, Selector) or not isinstance(selectors, Iterable):
        found = "one selector"
        if not isinstance(selectors, Selector):
            found = kind_of(selectors)
        raise wrong(
            "total_over_any",
            "selectors",
            f"takes a list of selectors, [a, b], found {found}",
        )
    several = tuple(selectors)
    for one in several:
        check_selector("total_over_any", one, "selectors")
    if not several:
        raise wrong(
            "total_over_any", "selectors", "takes at least one selector"
        )
    parts = [(1.0, x) for x in several] if apart else _parts(several)
    return tuple(
        _total_over("total_over_any", x, value, sign, sink, causal, (), name)
        for sign, x in parts
    )


def _parts(selectors: tuple[Selector, ...]) -> list[tuple[float, Selector]]:
    """Selectors whose sums, with these signs, are the sum over any of the given ones."""
    others = sum(x.truth is None for x in selectors)
    heads = len(selectors) - others + 2 ** min(others, 64) - 1
    if heads > MOST_SUMMED:
        raise wrong(
            "total_over_any",
            "selectors",
            f"{others} selectors without an opposite need {2 ** min(others, 64) - 1} heads, and at"
            f" most {MOST_SUMMED} are written; apart=True needs one for each",
        )
    return _any_of(sorted(selectors, key=lambda x: x.truth is None))


def _any_of(selectors: list[Selector]) -> list[tuple[float, Selector]]:
    if not selectors:
        return []
    first, rest = selectors[0], _any_of(selectors[1:])
    if first.truth is not None:
        others = [(sign, x & ~first) for sign, x in rest]
    else:
        others = rest + [(-sign, first & x) for sign, x in rest]
    found = [(1.0, first), *others]
    return [
        (sign, x) for sign, x in found if x.truth is None or not x.truth.never()
    ]


def _total_over(
    recipe: str,
    selector: Selector,
    value: MapLike,
    sign: float,
    sink: Term,
    causal: bool,  # of the recipe
    means: MeaningsLike,
    name: str | None,
) -> Head:
    check_selector(recipe, selector)
    if selector.largest > 2 * MOST_COUNTED**2:
        raise wrong(
            recipe,
            "selector",
            f"counts by same_number are rounded by more than 1/{2**18 // MOST_COUNTED**2} above"
            f" numbers of {MOST_COUNTED}; compare their classes, or two digits of them",
        )
    lane = sink_of(recipe, sink, selector)
    pairs = [
        (q.scaled(COUNT_STRENGTH), without(k, lane)) for q, k in selector.pairs
    ]
    own = lane.expression()
    named = {SINK: (SUMMING, own)}
    if not causal:
        named[AT_ITSELF] = own.scaled(2 * COUNT_STRENGTH), own
    query, key = match_rows(pairs, named)
    values = Map.of((to, without(x, lane)) for to, x in as_map(value).rows)
    return Head(
        query=query,
        key=key,
        value=values,
        adds=Map.identity(values.targets).scaled(sign * ANCHOR),
        scores="exact",
        means=means,
        name=name,
    )
