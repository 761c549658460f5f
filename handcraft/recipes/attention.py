"""Builds heads that attend to chosen positions: computed, at fixed offsets, or by content.

    attend_to       a computed position t         score of key position j: A (2 t j - j^2)
    attend_to_digits  the same, over long windows   the same of each of two digits, summed
    kernel          fixed offsets with weights    score at an offset: L + ln w, 0 elsewhere
    attend_where    positions that match          score: M for each agreement, +-G for each position

Softmax attends to one position only where its score is ahead of every other by at least
ln(8 n / u): 23 for 64 positions in float32 (u = 2^-24). Each recipe checks that gap and raises a
ProgramError that says what would work. `addressing.py` has the scores of positions, `sums.py` the
heads that average and count.

Sources: Perez et al., "Attention is Turing-Complete", 2021 (the (p, p^2) address); "The
Transformer Cookbook", Yang et al., 2026 (index and table lookup, predecessor, tie-breaking);
Weiss et al., "Thinking Like Transformers", 2021.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from handcraft.core.arguments import checked_call
from handcraft.core.errors import either
from handcraft.core.sharp import gap
from handcraft.language.affine import Affine, Lane, Map, Term
from handcraft.language.coerce import MapLike, as_affine, as_map, value_lanes
from handcraft.language.meanings import MeaningsLike
from handcraft.language.rules import Head
from handcraft.language.slot_tables import ONE_HOT
from handcraft.language.slots import Slot
from handcraft.language.words import local
from handcraft.recipes.addressing import (
    addressed,
    in_digits,
    power_of_two_above,
    query_of_digits,
    query_of_number,
    sharp_enough,
)
from handcraft.recipes.kinds import (
    a_flag,
    a_number,
    a_slot,
    a_whole_number,
    all_heads,
    least_and_greatest,
    number_or_none,
    slot_or_none,
    table_of,
    takes,
    wrong,
)
from handcraft.recipes.ranges import check_range

# ---------------------------------------------------------------- by position


@checked_call(output="adds")
@takes(sharpness=number_or_none, range=least_and_greatest, causal=a_flag)
def attend_to(
    at: Slot,
    target: Term,
    *,
    value: MapLike,
    adds: MapLike | None = None,
    range: (tuple[int, int | Affine] | None) = None,  # noqa: A002  # the word of the field
    missing: Literal["nearest", "refuse"] = "nearest",
    sharpness: float | None = None,
    causal: bool = True,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that attends to the position `target`, an expression of lanes at the query position:
    hard attention to one place.

    at         a slot with the lanes p and pp: `addresses(n_ctx)`
    target     at["p"] - 2 is two back, 0 the first position, and any lane may hold it
    range      the least and greatest target that occurs; the greatest is a number, or an
               expression of at["p"] where it moves with the query position. For `at["p"] + c`
               it is known
    missing    what happens where the target is outside 0..own position: "nearest" attends to
               the nearest visible one; "refuse" makes a range that can leave it an error
    sharpness  the score gap between neighbouring positions, at least ln(8 n_ctx / u); None: 24,
               or 32 where 24 is less
    causal     False in a program with causal=False, where later positions are visible too: what
               is outside the text is then before its first position or behind its last

    Score of key position j: sharpness * (2 target j - j^2), which is greatest at the target, and
    exact in float32 up to sharpness * n_ctx^2 = 2^24. Past that, up to 1024 positions, sharpness is
    2^14 at least and the scores are "raw". Raises ProgramError for a slot without p and pp, more
    positions, a sharpness that leaks, a range that causality hides.
    """
    n_ctx = addressed(at)
    asked = as_affine(target)
    check_word("attend_to", "missing", missing, ("nearest", "refuse"))
    query, scores = query_of_number(at, asked, sharpness)
    check_range(
        asked,
        range,
        own=at["p"].expression(),
        n_ctx=n_ctx,
        missing=missing,
        causal=causal,
    )
    return Head(
        query=query,
        value=value,
        adds=adds,
        scores=scores,
        means=means,
        name=name,
    )


@checked_call()
@takes(sharpness=number_or_none)
def attend_to_digits(
    at: Slot,
    target: Term,
    *,
    high: Term,
    value: MapLike,
    adds: MapLike | None = None,
    sharpness: float | None = None,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that attends to the position `target`, over a window that is too long for one number.

    at         `two_digits(n_ctx)`, with base B
    target     an expression of lanes that is a visible position; another one is not replaced by
               the nearest, as attend_to does
    high       its first digit, target // B: a lane of `at` that holds it, such as
               `before=lambda i: max(i - 1, 0) // B`, or one that `quotient` filled
    sharpness  as in attend_to

    Score of the key position B h + l: sharpness * (2 high h - h^2 + 2 low l - l^2), where low is
    target - B high: exact in float32 up to sharpness * B^2 = 2^24. Raises ProgramError for a slot
    without the digits, a sharpness that leaks or is past that.
    """
    in_digits(at)
    return Head(
        query=query_of_digits(
            at, as_affine(target), as_affine(high), sharpness
        ),
        value=value,
        adds=adds,
        scores="exact",
        means=means,
        name=name,
    )


@checked_call(output="adds")
@takes(
    at=a_slot,
    weights=table_of("{offset back: weight}", a_whole_number, a_number),
    causal=a_flag,
)
def kernel(
    at: Slot,
    weights: Mapping[int, float],
    *,
    value: MapLike,
    adds: MapLike | None = None,
    causal: bool = True,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that takes the weighted mean of the values at fixed offsets back: {0: 2, 1: 1}
    counts the query position twice and the one before it once.

    at         a one-hot position slot
    weights    offset back -> positive weight; an offset before the first position drops out of
               the mean (where all do, the mean is over every visible position)
    causal     False in a program with causal=False, where an offset may be negative: {-1: 1} is
               the next position, and one behind the text's end drops out too

    Score at offset o: L + ln w. Zero elsewhere, with L large enough that nothing leaks. Raises
    ProgramError for weights that are not positive or reach past the window.
    """
    n_ctx = len(at.lanes)
    _check_kernel(at, weights, causal=causal)
    large = gap(n_ctx) - math.log(min(weights.values()))
    lanes = at.lanes
    rows = (
        (lanes[i - offset], Affine.of({lanes[i]: large + math.log(weight)}))
        for offset, weight in weights.items()
        for i in range(max(offset, 0), min(n_ctx, n_ctx + offset))
    )
    return Head(
        query=Map.of(rows),
        value=value,
        adds=adds,
        scores="exact",
        means=means,
        name=name,
    )


def _check_kernel(
    at: Slot, weights: Mapping[int, float], *, causal: bool
) -> None:
    if at.positions != ONE_HOT:
        message = f"{at.name} must be a one-hot position slot: position(n_ctx)"
        raise wrong("kernel", "at", message)
    n_ctx = len(at.lanes)
    least = 0 if causal else 1 - n_ctx
    inside = all(least <= offset < n_ctx for offset in weights)
    positive = all(weight > 0 for weight in weights.values())
    if not (weights and inside and positive):
        raise wrong(
            "kernel",
            "weights",
            f"takes {{offset back: positive weight}} with offsets {least} to"
            f" {n_ctx - 1}",
        )


# ---------------------------------------------------------------- by content


@checked_call(output="adds")
@takes(at=slot_or_none, conditions=a_whole_number, nearer=number_or_none)
def attend_where(
    match: MapLike,
    *,
    value: MapLike,
    key: MapLike | None = None,
    adds: MapLike | None = None,
    at: Slot | None = None,
    prefer: Literal["latest", "first"] | None = None,
    default: Term | None = None,
    conditions: int = 1,
    nearer: float | None = None,
    means: MeaningsLike = (),
    name: str | None = None,
) -> Head:
    """A head that attends by content: to the key positions whose lanes agree with the query.

    match       {lane at the key position: 0/1 expression at the query position}; one-hot lanes
                that agree give 1 for each condition
    key         what a key position offers for those lanes, where it is not the lanes themselves
    prefer      "latest" or "first" of several matches, by the lane p of `at`; None: the mean
                over all of them
    default     a 0/1 expression, 1 at the position to attend to where nothing matches (an
                anchor, such as token["^"])
    conditions  the number of agreements that make a match
    nearer      the score gap of a preference between neighbouring positions, at least
                ln(8 n_ctx / u); None: 24, or 32 where 24 is less

    Score: MATCH for each agreement, plus or minus `nearer` for each position, (conditions -
    1/2) MATCH at the default. MATCH is chosen so that one agreement outweighs every preference.
    Raises ProgramError for a preference without positions, or one that leaks.
    """
    n_ctx = 1024 if at is None else (at.n_ctx or 1024)
    check_word("attend_where", "prefer", prefer, (None, "latest", "first"))
    step = 0.0 if prefer is None else _preference(at, nearer, n_ctx)
    reach = step * n_ctx
    strength = power_of_two_above(2 * (reach + gap(n_ctx)))
    query, keys = match_lanes(match, key, strength)
    if prefer is not None and at is not None:
        query[at["p"]] = Affine.of({}, step if prefer == "latest" else -step)
        keys[at["p"]] = at["p"].expression()
    if default is not None:
        lane = local("default").lanes[0]
        query[lane] = Affine.of({}, (conditions - 0.5) * strength)
        keys[lane] = as_affine(default)
    return Head(
        query=Map.of(query.items()),
        key=Map.of(keys.items()),
        value=value,
        adds=adds,
        scores="exact",
        means=means,
        name=name,
    )


def _preference(at: Slot | None, nearer: float | None, n_ctx: int) -> float:
    """The score of one position more. Raises ProgramError for one that leaks."""
    if at is None or "p" not in (at.labels or ()):
        raise wrong(
            "attend_where",
            "at",
            "a preference needs a slot with the position: at=addresses(n_ctx)",
        )
    return sharp_enough(
        "nearer", nearer, n_ctx, "attend_where", leaks_to="other matches"
    )


def match_lanes(
    match: MapLike, key: MapLike | None, strength: float
) -> tuple[dict[Lane, Affine], dict[Lane, Affine]]:
    """The query and key rows of a match by content, with a score of `strength` an agreement."""
    asked = as_map(match)
    keys = value_lanes(asked) if key is None else as_map(key)
    return dict(asked.scaled(strength).rows), dict(keys.rows)


# ---------------------------------------------------------------- several heads as one


@checked_call()
@takes(heads=all_heads)
def merge(*heads: Head) -> Head:
    """One head with the value lanes of several that have equal query, key and scores: the same
    weights in fewer heads.

    Raises ProgramError where they look elsewhere, or give one value lane two meanings.
    """
    if not heads:
        raise wrong("merge", "heads", "takes at least one head")
    _check_mergeable(heads)
    first = heads[0]
    return Head(
        query=first.query,
        key=first.key,
        value=Map.of(row for head in heads for row in head.value.rows),
        adds=Map.of(row for head in heads for row in head.adds.rows),
        scores=first.scores,
        means=tuple(row for head in heads for row in head.means),
        name=first.name,
    )


def _check_mergeable(heads: tuple[Head, ...]) -> None:
    first = heads[0]
    seen = set(heads[0].value.targets)
    looks = (first.query, first.key, first.scores)
    for head in heads[1:]:
        if (head.query, head.key, head.scores) != looks:
            message = (
                "have different queries, keys or scores, so they cannot be one"
            )
            raise wrong("merge", "heads", message)
        twice = [lane for lane in head.value.targets if lane in seen]
        seen.update(head.value.targets)
        if twice:
            lane = twice[0]
            message = f"both use the value lane {lane}; give one of them a local(...) lane"
            raise wrong("merge", "heads", message)


# ---------------------------------------------------------------- shared with sums.py


def check_word(
    recipe: str, argument: str, found: object, known: tuple[str | None, ...]
) -> None:
    """Raises ProgramError for a word that is none of these."""
    if found not in known:
        words = either(repr(word) for word in known)
        raise wrong(recipe, argument, f"must be {words}, found {found!r}")
