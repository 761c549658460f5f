"""Tells positions from their neighbours: slots that hold where a position stands, and the scores
that single one out.

    one number   p and its square pp     score of key position j: A (2 t j - j^2)
    two digits   high, low, their squares        the same of each digit, summed

A score of one number is as large as A n^2, and float32 must still tell it from one that is smaller
by A. Up to A n^2 = 2^24 it is exact. Past that A is a power of two and the scores are "raw": whole
multiples of A, exact again, so that only the division by sqrt(d_head) rounds them, by A n^2 / 2^24
at most. At 1024 positions this and the rounding of a target that is not quite whole leave half of
A; longer windows take two digits, whose scores stay below 2^24.

Rules of this file: a recipe that cannot tell neighbours apart is refused, with what would.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from handcraft.core.arguments import checked_call
from handcraft.core.sharp import gap
from handcraft.language.affine import Affine, Lane, Map, kind_of
from handcraft.language.slots import Slot
from handcraft.language.words import position
from handcraft.recipes.kinds import a_whole_number, takes, wrong

SCORE_GAP = 24.0  # the score gap of one position, or of one step of preference
WIDE_GAP = (
    32.0  # the same of longer windows, over which 24 leaks: a power of two
)
MOST_EXACT = 2.0**24  # float32 holds every whole number up to this one
MOST_ADDRESSED = 1024  # positions that one number tells apart
WIDEST_ROOT = 256.0  # sqrt(d_head) of the widest head that "raw" scores are large enough for

_Row = tuple[Lane, Affine]  # of a query
_Asking = tuple[Map, Literal["raw", "exact"]]  # a query, and how it is divided


@checked_call()
def addresses(
    n_ctx: int, /, *, name: str = "position", **lanes: Callable[[int], float]
) -> Slot:
    """A position slot with the lanes p (the position) and pp (its square), which `attend_to`
    needs, and any others. Of more than 1024 positions `attend_to` needs `two_digits`.
    """
    return position(
        n_ctx, name=name, p=lambda i: i, pp=lambda i: i * i, **lanes
    )


@checked_call()
@takes(n_ctx=a_whole_number)
def two_digits(
    n_ctx: int, /, *, name: str = "position", **lanes: Callable[[int], float]
) -> Slot:
    """A position slot for `attend_to_digits`, and any others: the lanes p (the position), high and
    low (its two digits), hh and ll (their squares).

    The base B is the least power of two with B^2 >= n_ctx, `base_of(n_ctx)`: p = B high + low, with
    low from 0 to B - 1. A lane of your own can hold the first digit of another position:
    `before=lambda i: max(i - 1, 0) // 64`.
    """
    base = base_of(n_ctx)
    return position(
        n_ctx,
        name=name,
        p=lambda i: i,
        high=lambda i: i // base,
        low=lambda i: i % base,
        hh=lambda i: (i // base) ** 2,
        ll=lambda i: (i % base) ** 2,
        **lanes,
    )


def base_of(n_ctx: int) -> int:
    """The base of the two digits of so many positions: a power of two."""
    return int(power_of_two_above(math.sqrt(max(n_ctx, 1))))


# ---------------------------------------------------------------- scores


def query_of_number(
    at: Slot, asked: Affine, sharpness: float | None
) -> _Asking:
    """The query for the position `asked`, by the lanes p and pp."""
    n_ctx = len(_rows_of(at))
    chosen = sharp_enough("sharpness", sharpness, n_ctx)
    scores: Literal["raw", "exact"] = "exact"
    if chosen * n_ctx**2 > MOST_EXACT:
        # half of it may be rounded away, and sqrt(d_head) divides it
        chosen = power_of_two_above(chosen) * 2 * WIDEST_ROOT
        scores = "raw"
    rows = (at["p"], asked.scaled(2 * chosen)), _squared(at, "pp", chosen)
    return Map.of(rows), scores


def query_of_digits(
    at: Slot, asked: Affine, high: Affine, sharpness: float | None
) -> Map:
    """The query for the position `asked`, whose first digit is `high`, by the lanes of digits."""
    n_ctx = len(_rows_of(at))
    chosen = sharp_enough("sharpness", sharpness, n_ctx, "attend_to_digits")
    base = base_of(n_ctx)
    if chosen * base**2 > MOST_EXACT:
        raise wrong(
            "attend_to_digits",
            "sharpness",
            f"{chosen:g} over {n_ctx} positions is past exact float32;"
            f" {MOST_EXACT / base**2:g} is not",
        )
    low = asked.plus(high.scaled(-base))
    rows = (
        (at["high"], high.scaled(2 * chosen)),
        _squared(at, "hh", chosen),
        (at["low"], low.scaled(2 * chosen)),
        _squared(at, "ll", chosen),
    )
    return Map.of(rows)


def _squared(at: Slot, label: str, sharpness: float) -> _Row:
    return at[label], Affine.of({}, -sharpness)


def sharp_enough(
    argument: str,
    given: float | None,
    n_ctx: int,
    recipe: str = "attend_to",
    leaks_to: str = "neighbours",
) -> float:
    """The score gap between two positions: what is given, or else 24, or 32 over windows where 24
    leaks. Raises ProgramError for one that leaks.
    """
    if given is None:
        given = SCORE_GAP if gap(n_ctx) <= SCORE_GAP else WIDE_GAP
    if given < gap(n_ctx):
        least = math.ceil(10 * gap(n_ctx)) / 10
        raise wrong(
            recipe,
            argument,
            f"{given:g} leaks to {leaks_to} over {n_ctx} positions; {least}"
            " does not",
        )
    return given


# ---------------------------------------------------------------- slots


def addressed(at: object) -> int:
    """The window of a slot that has p and pp."""
    if not isinstance(at, Slot):
        raise wrong(
            "attend_to",
            "at",
            f"takes a slot of positions, addresses(n_ctx); found {kind_of(at)}",
        )
    rows = _rows_of(at)
    labels = at.labels or ()
    if not rows or not {"p", "pp"} <= set(labels):
        more = ""
        if {"high", "low"} <= set(labels):
            more = ", or attend_to_digits"
        raise wrong(
            "attend_to",
            "at",
            f"{at.name} must hold the position and its square: use"
            f" addresses(n_ctx){more}",
        )
    p = labels.index("p")
    pp = labels.index("pp")
    if any((row[p], row[pp]) != (j, j * j) for j, row in enumerate(rows)):
        raise wrong(
            "attend_to",
            "at",
            f"{at.name}: p must be the position and pp its square: use"
            " addresses(n_ctx)",
        )
    if len(rows) > MOST_ADDRESSED:
        raise wrong(
            "attend_to",
            "at",
            f"{len(rows)} positions are too many for one number, whose scores float32"
            f" tells apart up to {MOST_ADDRESSED}: use two_digits({len(rows)}) and"
            " attend_to_digits",
        )
    return len(rows)


def in_digits(at: Slot) -> int:
    """The window of a slot that has the two digits of its positions."""
    rows = _rows_of(at)
    labels = at.labels or ()
    names = ("p", "high", "low", "hh", "ll")
    if rows and set(names) <= set(labels):
        own = two_digits(len(rows))
        columns = [labels.index(name) for name in names]
        found = [tuple(row[i] for i in columns) for row in rows]
        if found == [tuple(row) for row in _rows_of(own)]:
            return len(rows)
    raise wrong(
        "attend_to_digits",
        "at",
        f"{at.name} must hold the two digits of the position, and their squares: use"
        " two_digits(n_ctx)",
    )


def _rows_of(at: Slot) -> tuple[tuple[float, ...], ...]:
    return at.positions if isinstance(at.positions, tuple) else ()


def power_of_two_above(least: float) -> float:
    return 2.0 ** math.ceil(math.log2(least))
