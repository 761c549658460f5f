"""Builds heads over a selector: one position, the mean of several, the greatest of them.

    fetch_one  the value where it selects: the one, the first or the latest
    mean_over  the mean of the values where it selects
    best_by    the value where a lane is greatest
    argmax     the position where a lane is greatest

A selected key scores 0 and any other -A or less. Where nothing may be selected, a sink (BOS) stands
between them and brings a default. All that a head reads of the sink but the default is 0: its own
lane is left out of the keys, and constants are written as multiples of 1 - sink. `sums.py` has the
heads that count.

Sources: Weiss et al., "Thinking Like Transformers", 2021 (aggregate with a default); "The
Transformer Cookbook", Yang et al., 2026 (tie-breaking, the beginning as a default).
"""

from __future__ import annotations

import math
from typing import Literal

from handcraft.core.arguments import checked_call
from handcraft.language.affine import (
    Named,
    Term,
)
from handcraft.language.coerce import MapLike, as_affine
from handcraft.language.meanings import MeaningsLike
from handcraft.language.rules import Head
from handcraft.language.slots import Slot
from handcraft.recipes.attention import check_word
from handcraft.recipes.kinds import (
    a_flag,
    a_number,
    a_slot,
    lane_or_slot,
    slot_or_none,
    takes,
    wrong,
)
from handcraft.recipes.looking import (
    MOST_SPREAD,
    POSITION_STEP,
    Default,
    Looking,
    Order,
    by_position,
    check_selector,
)
from handcraft.recipes.selectors import Selector
from handcraft.recipes.truth import ALWAYS

# ---------------------------------------------------------------- one of them, or their mean


@checked_call()
@takes(at=slot_or_none, causal=a_flag)
def fetch_one(
    selector: Selector,
    *,
    value: MapLike,
    adds: MapLike | None = None,
    prefer: Literal["first", "latest"] | None = None,
    at: Slot | None = None,
    sink: Term | None = None,
    default: Default = None,
    causal: bool = True,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that brings the value from the position that a selector selects.

    selector  such as same_number(at, (x, xx), most=63), the fetch by a computed key
    prefer    "first" or "latest" of several, by the lane p of `at`; None: there is one only (the
              mean of several is mean_over)
    sink      the lane that is 1 at the sink alone, such as token["^"]; every lane of a selector's
              key is 0 there, but for the sink's own. Without a sink something must be selected
    default   what the sink brings where nothing is selected: one number, or {value lane: number};
              by default what `value` is there
    causal    False in a program with causal=False: then the sink, which sees what follows, attends
              to itself

    Score: -64 or less where it does not select, -32 at the sink; with `prefer` +-32 for each
    position, and A so large that it outweighs them. Exact in float32 up to what leaks, exp(-28),
    at every d_head. Raises ProgramError for a default without a sink, a preference without
    positions, numbers whose squares are past exact float32.
    """
    check_selector("fetch_one", selector)
    check_word("fetch_one", "prefer", prefer, (None, "first", "latest"))
    order = Order()
    if prefer is not None:
        if at is None:
            raise wrong(
                "fetch_one",
                "at",
                "a preference needs a slot with the position: at=addresses(n_ctx)",
            )
        order = by_position("fetch_one", at, latest=prefer == "latest")
    looking = Looking("fetch_one", selector, order, sink, causal)
    return looking.head(value, adds, default, means, name)


@checked_call()
@takes(causal=a_flag)
def mean_over(
    selector: Selector,
    *,
    value: MapLike,
    adds: MapLike | None = None,
    sink: Term | None = None,
    default: Default = None,
    causal: bool = True,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that takes the mean of the values over the positions that a selector selects.

    sink, default, causal  as in fetch_one: the default stands where none is selected

    All that are selected have one score to the last bit, at every d_head, so the mean has float32's
    rounding alone; for same_number the scores are "raw" for that, 64 or more times the selector's.
    Raises ProgramError as fetch_one does.
    """
    check_selector("mean_over", selector)
    looking = Looking("mean_over", selector, Order(), sink, causal, tied=True)
    return looking.head(value, adds, default, means, name)


# ---------------------------------------------------------------- the greatest


@checked_call()
@takes(at=a_slot, most=a_number, apart=a_number, causal=a_flag)
def best_by(
    at: Slot,
    by: Term,
    *,
    value: MapLike,
    most: float,
    where: Selector | None = None,
    ties: Literal["first", "latest"] = "first",
    apart: float = 1.0,
    adds: MapLike | None = None,
    sink: Term | None = None,
    default: Default = None,
    causal: bool = True,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that brings the value from the position where a lane is greatest; -lane for the least.

    at       a slot with the lane p: `addresses(n_ctx)`
    by       an expression of lanes at the key position
    most     the greatest size of `by`
    where    a selector: the greatest of the positions that it selects
    ties     which one of equals: the "first" or the "latest"
    apart    the least difference of two values of `by` that differ: 1 of whole numbers
    sink, default, causal  as in fetch_one; the sink is passed over where there is another position

    Score: 32 (n + 1) / apart for each unit of `by`, and 32 less (or more) for each position, so
    that the order of positions never outweighs `by`. Raises ProgramError for scores past exact
    float32, 2^24, with what would fit.
    """
    return _best(
        "best_by", at, by, where, most, apart, ties, sink, causal
    ).head(value, adds, default, means, name)


@checked_call()
@takes(
    at=a_slot, place=lane_or_slot, most=a_number, apart=a_number, causal=a_flag
)
def argmax(
    at: Slot,
    by: Term,
    place: Named,
    *,
    most: float,
    where: Selector | None = None,
    ties: Literal["first", "latest"] = "first",
    apart: float = 1.0,
    sink: Term | None = None,
    default: Default = None,
    causal: bool = True,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that writes to `place` the position where a lane is greatest: best_by of at["p"].

    The sink's own position counts, as in `addresses`: the first behind a sink at 0 is 1.
    """
    looking = _best("argmax", at, by, where, most, apart, ties, sink, causal)
    return looking.head({place: at["p"]}, None, default, means, name)


def _best(
    recipe: str,
    at: Slot,
    by: Term,
    where: Selector | None,
    most: float,
    apart: float,
    ties: str,
    sink: Term | None,
    causal: bool,  # of the recipe
) -> Looking:
    if where is not None:
        check_selector(recipe, where, "where")
    check_word(recipe, "ties", ties, ("first", "latest"))
    for argument, found in (("most", most), ("apart", apart)):
        if not 0 < found < math.inf:
            raise wrong(recipe, argument, f"must be positive, found {found:g}")
    order = by_position(recipe, at, latest=ties == "latest")
    unit = POSITION_STEP * ((at.n_ctx or 0) + 1) / apart
    fits = (MOST_SPREAD - order.spread) / (2 * unit)
    if most > fits:
        raise wrong(
            recipe,
            "most",
            f"{most:g}, apart by {apart:g}, needs scores past exact float32 over {at.n_ctx}"
            f" positions; {_below(fits):g} does not",
        )
    pairs = (*order.pairs, (ALWAYS.scaled(unit), as_affine(by)))
    order = Order(pairs, order.spread + 2 * unit * most)
    selector = Selector(()) if where is None else where
    return Looking(recipe, selector, order, sink, causal)


def _below(x: float) -> float:
    """A number in three digits, not above it."""
    scale = 10.0 ** (math.floor(math.log10(x)) - 2)
    return math.floor(x / scale) * scale
