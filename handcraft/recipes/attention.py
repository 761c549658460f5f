"""Heads: where to look, and what to take from there.

    attend_to       a computed position           score  A (2 t j - j^2) = A t^2 - A (t - j)^2
    kernel          fixed offsets with weights    score  LARGE + ln w at each offset
    attend_where    by content                    score  MATCH for each condition, NEARER for
                    each position
    mean            every earlier position alike  score  0
    mean_where      those that carry a flag       score  MATCH on the flag
    running_sum     counting against an anchor    score  ln W at the anchor, 0 elsewhere; the
                    value times W
    count_where     the same, of what matches     score  besides, MATCH (match - 1)

Softmax sees one position only where its score is ahead of every other by ln(8 n / u): 23 for
float32 and 64 positions (u = 2^-24). Each recipe checks that gap and raises a ProgramError that
says what would work.

Sources: Perez et al., "Attention is Turing-Complete", 2021 (the (p, p^2) address); "The
Transformer Cookbook", Yang et al., 2026 (index and table lookup, predecessor, tie-breaking);
Weiss et al., "Thinking Like Transformers", 2021.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

from handcraft.core.errors import ProgramError
from handcraft.core.frozen import caller
from handcraft.language.affine import Affine, Lane, Map, Term
from handcraft.language.coerce import MapLike, as_affine, as_map, value_lanes
from handcraft.language.rules import Head
from handcraft.language.slots import ONE_HOT, Slot, local, position

SCORE_GAP = 24.0  # the score gap of one position, or of one step of preference
UNIT_ROUNDOFF = 2.0**-24  # of float32
# the weight that a count is measured against; a power of two, so that the product is exact
ANCHOR = 2.0**30
MOST_EXACT = 2.0**24  # whole numbers beyond this are not all floats of 32 bits

ANCHOR_LANE = local("anchor")


def gap(n_ctx: int) -> float:
    """The score gap at which softmax over so many positions leaks less than float32's last bit:
    ln(8 n / u).
    """
    return math.log(8 * n_ctx / UNIT_ROUNDOFF)


def addresses(
    n_ctx: int, /, *, name: str = "position", **lanes: Callable[[int], float]
) -> Slot:
    """A position slot with the lanes p (the position) and pp (its square), which `attend_to`
    needs, and any others.
    """
    return position(n_ctx, name=name, p=lambda i: i, pp=lambda i: i * i, **lanes)


def attend_to(
    at: Slot,
    target: Term,
    *,
    value: MapLike,
    output: MapLike | None = None,
    range: (tuple[int, int | Affine] | None) = None,  # noqa: A002  # the word of the field
    missing: Literal["nearest", "refuse"] = "nearest",
    sharpness: float = SCORE_GAP,
    name: str | None = None,
) -> Head:
    """Attend to the position `target`, an expression of the asking position: hard attention to
    one place.

    at         a slot with the lanes p and pp: `addresses(n_ctx)`
    range      the least and greatest target that occurs; the greatest is a number, or an
               expression of at["p"] where it moves with the asking position. For `at["p"] + c`
               it is known
    missing    what happens where the target is outside 0..own position: "nearest" attends to
               the nearest visible one; "refuse" makes a range that can leave it an error
    sharpness  the score gap between neighbouring positions, at least ln(8 n_ctx / u)

    Score of position j: sharpness * (2 target j - j^2), exact in float32 up to sharpness *
    n_ctx^2 = 2^24. Raises ProgramError for a slot without p and pp, a sharpness that leaks, a
    scale past exact float32, a range that causality hides.
    """
    n_ctx = _addressed(at)
    asked = as_affine(target)
    if sharpness < gap(n_ctx):
        raise _wrong(
            "attend_to",
            "sharpness",
            f"{sharpness:g} leaks to neighbours over {n_ctx} positions;"
            f" {math.ceil(10 * gap(n_ctx)) / 10} does not",
        )
    if sharpness * n_ctx**2 > MOST_EXACT:
        most = math.isqrt(int(MOST_EXACT / sharpness))
        raise _wrong(
            "attend_to",
            "sharpness",
            f"{sharpness:g} over {n_ctx} positions is past exact float32; {most}"
            " positions are not",
        )
    _check_range(at, n_ctx, asked, range, missing)
    query = {at["p"]: 2 * sharpness * asked, at["pp"]: -sharpness}
    return Head(
        query=query,
        value=value,
        output=_output(value, output),
        scores="exact",
        name=name,
    )


def _addressed(at: Slot) -> int:
    """The window of a slot that has p and pp."""
    rows = at.positions if isinstance(at.positions, tuple) else ()
    labels = at.labels or ()
    if not rows or not {"p", "pp"} <= set(labels):
        raise _wrong(
            "attend_to",
            "at",
            f"{at.name} must hold the position and its square: use addresses(n_ctx)",
        )
    p, pp = labels.index("p"), labels.index("pp")
    if any((row[p], row[pp]) != (j, j * j) for j, row in enumerate(rows)):
        raise _wrong(
            "attend_to",
            "at",
            f"{at.name}: p must be the position and pp its square: use"
            " addresses(n_ctx)",
        )
    return len(rows)


def _check_range(
    at: Slot,
    n_ctx: int,
    asked: Affine,
    given: tuple[int, int | Affine] | None,
    missing: str,
) -> None:
    """Raises ProgramError where the target can lie outside what the asking position sees, and
    that was not foreseen.
    """
    if missing not in ("nearest", "refuse"):
        raise _wrong(
            "attend_to", "missing", f"must be 'nearest' or 'refuse', found {missing!r}"
        )
    own = at["p"].expression()
    offset = asked.plus(own.scaled(-1.0))
    if not offset.terms and offset.constant > 0:
        raise _wrong(
            "attend_to",
            "target",
            f"{asked} lies in the future of every position; causality hides it",
        )
    if given is None and not offset.terms:
        given = (int(offset.constant), asked)
    if given is None:
        if missing == "refuse":
            raise _wrong(
                "attend_to",
                "range",
                "missing='refuse' needs range=(least, greatest) for a computed target",
            )
        return
    least, most = given[0], as_affine(given[1])
    future = most.plus(own.scaled(-1.0)) if most.terms else most
    if (most.terms and (future.terms or future.constant > 0)) or (
        not most.terms and most.constant >= n_ctx
    ):
        raise _wrong(
            "attend_to",
            "range",
            f"a target of {most} is never visible; the greatest is at most {own}, and"
            f" below {n_ctx}",
        )
    if not most.terms and least > most.constant:
        raise _wrong(
            "attend_to",
            "range",
            f"the least target {least} is above the greatest, {most}",
        )
    if missing == "refuse" and (least < 0 or (not most.terms and most.constant > 0)):
        what = (
            f"a target of {least} does not exist"
            if least < 0
            else f"a target of {most} is in the future of earlier positions"
        )
        raise _wrong(
            "attend_to",
            "range",
            f"{what}; causality hides it: pass missing='nearest', or bound it by {own}",
        )


def kernel(
    at: Slot,
    weights: Mapping[int, float],
    *,
    value: MapLike,
    output: MapLike | None = None,
    name: str | None = None,
) -> Head:
    """The weighted mean of the values at fixed offsets back: {0: 2, 1: 1} counts my own
    position twice.

    at         a one-hot position slot
    weights    offset back -> positive weight; an offset before the first position drops out of
               the mean (where all do, the mean is over every visible position)

    Score at offset o: L + ln w. Zero elsewhere, with L large enough that nothing leaks. Raises
    ProgramError for weights that are not positive or reach past the window.
    """
    n_ctx = len(at.lanes)
    if at.positions != ONE_HOT:
        raise _wrong(
            "kernel",
            "at",
            f"{at.name} must be a one-hot position slot: position(n_ctx)",
        )
    if (
        not weights
        or any(not 0 <= offset < n_ctx for offset in weights)
        or any(not weight > 0 for weight in weights.values())
    ):
        raise _wrong(
            "kernel",
            "weights",
            f"takes {{offset back: positive weight}} with offsets 0 to {n_ctx - 1}",
        )
    large = gap(n_ctx) - math.log(min(weights.values()))
    lanes = at.lanes
    rows = (
        (lanes[i - offset], Affine.of({lanes[i]: large + math.log(weight)}))
        for offset, weight in weights.items()
        for i in range(offset, n_ctx)
    )
    query = Map.of(rows)
    return Head(
        query=query,
        value=value,
        output=_output(value, output),
        scores="exact",
        name=name,
    )


def attend_where(
    match: MapLike,
    *,
    value: MapLike,
    key: MapLike | None = None,
    output: MapLike | None = None,
    at: Slot | None = None,
    prefer: Literal["latest", "first"] | None = None,
    default: Term | None = None,
    conditions: int = 1,
    nearer: float = SCORE_GAP,
    name: str | None = None,
) -> Head:
    """Attend by content: to positions whose lanes agree with the query.

    match       {lane of the position asked about: 0/1 expression of the asking position};
                one-hot lanes that agree give 1 for each condition
    key         what a position offers for those lanes, where it is not the lanes themselves
    prefer      "latest" or "first" of several matches, by the lane p of `at`; None: the mean
                over all of them
    default     a 0/1 expression, 1 at the position to attend to where nothing matches (an
                anchor, such as token["^"])
    conditions  how many of the agreements make a match

    Score: MATCH for each agreement, plus or minus `nearer` for each position, (conditions -
    1/2) MATCH at the default. MATCH is chosen so that one agreement outweighs every preference.
    Raises ProgramError for a preference without positions, or one that leaks.
    """
    asked = as_map(match)
    n_ctx = 1024 if at is None else (at.n_ctx or 1024)
    if prefer is not None and (at is None or "p" not in (at.labels or ())):
        raise _wrong(
            "attend_where",
            "at",
            "a preference needs a slot with the position: at=addresses(n_ctx)",
        )
    if prefer is not None and nearer < gap(n_ctx):
        raise _wrong(
            "attend_where",
            "nearer",
            f"{nearer:g} leaks to other matches over {n_ctx} positions;"
            f" {math.ceil(10 * gap(n_ctx)) / 10} does not",
        )
    strength = _power_of_two(2 * ((nearer * n_ctx if prefer else 0) + gap(n_ctx)))
    query = dict(asked.scaled(strength).rows)
    offers = dict((value_lanes(asked) if key is None else as_map(key)).rows)
    if prefer is not None and at is not None:
        query[at["p"]] = Affine.of({}, nearer if prefer == "latest" else -nearer)
        offers[at["p"]] = at["p"].expression()
    if default is not None:
        lane = local("default").lanes[0]
        query[lane] = Affine.of({}, (conditions - 0.5) * strength)
        offers[lane] = as_affine(default)
    return Head(
        query=Map.of(query.items()),
        key=Map.of(offers.items()),
        value=value,
        output=_output(value, output),
        scores="exact",
        name=name,
    )


def mean(
    value: MapLike, *, output: MapLike | None = None, name: str | None = None
) -> Head:
    """The mean of the values over this and every earlier position: uniform causal attention,
    every score 0.
    """
    return Head(value=value, output=_output(value, output), name=name)


def mean_where(
    flag: Term,
    value: MapLike,
    *,
    output: MapLike | None = None,
    n_ctx: int = 1024,
    name: str | None = None,
) -> Head:
    """The mean of the values over the earlier positions whose `flag` is 1 rather than 0; over
    all where none is.

    Score: ln(8 n_ctx / u) on the flag, so that positions without it leak less than float32's
    last bit.
    """
    lane = local("flag").lanes[0]
    query = {lane: math.ceil(gap(n_ctx))}
    return Head(
        query=query,
        key={lane: flag},
        value=value,
        output=_output(value, output),
        scores="exact",
        name=name,
    )


def running_sum(anchor: Term, value: MapLike, *, name: str | None = None) -> Head:
    """The sum of the values over this and every earlier position, exact for counts: counting
    against an anchor.

    anchor  a 0/1 expression, 1 at one early position only (BOS, such as token["^"]), where
            every value must be 0

    The anchor takes all attention but a 2^-30 part of each position; times 2^30 that part is
    the sum. Score: ln 2^30 at the anchor, 0 elsewhere. Error: a relative 2e-6 (the rounding of
    one exponential), and n / 2^30 of the sum.
    """
    return _anchored(anchor, {}, {}, value, name)


def count_where(
    anchor: Term,
    match: MapLike,
    value: MapLike,
    *,
    key: MapLike | None = None,
    conditions: int = 1,
    name: str | None = None,
) -> Head:
    """The sum of the values over the earlier positions that match the query by content:
    counting against an anchor.

    match, key, conditions  as in attend_where; the anchor must not agree in any of them
    anchor, value           as in running_sum

    Score: MATCH (agreements - conditions), ln 2^30 at the anchor. What does not match leaks
    less than exp(-48) of its value.
    """
    asked = as_map(match)
    strength = 2 * SCORE_GAP
    query = dict(asked.scaled(strength).rows)
    offers = dict((value_lanes(asked) if key is None else as_map(key)).rows)
    lift_anchor = as_affine(anchor).scaled(conditions * strength)
    bias = local("unmatched").lanes[
        0
    ]  # every position pays for all conditions; the anchor is given them
    query[bias] = Affine.of({}, 1.0)
    offers[bias] = Affine.of({}, -conditions * strength).plus(lift_anchor)
    return _anchored(anchor, query, offers, value, name)


def _anchored(
    anchor: Term,
    query: Mapping[Lane, Affine],
    offers: Mapping[Lane, Affine],
    value: MapLike,
    name: str | None,
) -> Head:
    lane = ANCHOR_LANE.lanes[0]
    asked = Map.of([*query.items(), (lane, Affine.of({}, math.log(ANCHOR)))])
    offered = Map.of([*offers.items(), (lane, as_affine(anchor))])
    return Head(
        query=asked,
        key=offered,
        value=value,
        output=value_lanes(value).scaled(ANCHOR),
        scores="exact",
        name=name,
    )


def merge(*heads: Head) -> Head:
    """Heads with equal query, key and scores as one with all their value lanes: the same
    weights in fewer heads.

    Raises ProgramError where they look elsewhere, or give one value lane two meanings.
    """
    if not heads:
        raise _wrong("merge", "heads", "takes at least one head")
    first, seen = heads[0], set(heads[0].value.targets)
    for head in heads[1:]:
        if (head.query, head.key, head.scores) != (
            first.query,
            first.key,
            first.scores,
        ):
            raise _wrong(
                "merge",
                "heads",
                "have different queries, keys or scores, so they cannot be one",
            )
        twice = [lane for lane in head.value.targets if lane in seen]
        seen.update(head.value.targets)
        if twice:
            raise _wrong(
                "merge",
                "heads",
                f"both use the value lane {twice[0]}; give one of them a local(...)"
                " lane",
            )
    values = Map.of(row for head in heads for row in head.value.rows)
    outputs = Map.of(row for head in heads for row in head.output.rows)
    return Head(
        query=first.query,
        key=first.key,
        value=values,
        output=outputs,
        scores=first.scores,
        name=first.name,
    )


def _output(value: MapLike, output: MapLike | None) -> MapLike:
    return value_lanes(value) if output is None else output


def _power_of_two(least: float) -> float:
    return 2.0 ** math.ceil(math.log2(least))


def _wrong(recipe: str, argument: str, message: str) -> ProgramError:
    return ProgramError(message, (recipe, argument), caller())
