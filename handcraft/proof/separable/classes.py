"""The classes of texts that are shown to be right together, and how many texts they have.

A text has a last token q and a greatest token m. A pattern says at which of the other places m
stands, and at how many of the rest a text may hold any token below m:

    by places   these places hold m
    by number   so many places hold m, whichever they are
    over        so many of the rest are below m, and all others below a limit

A limit is the number of ranks that are allowed, the lowest ones: at most m itself, and 1 where
nothing is left to be limited; 0 shows nothing. Limits stand in a table [q][m][pattern], with ranks
for q and m; 0 for q where the last token is not ranked. With more places over the limit, the limit
is no greater.

So a text is in one of the classes of its q, m and places just if, for some number j of places over
the limit, at most j of the rest reach limit j. For the least such j it is just j of them, as j
reach the limit before it. These texts are counted, band by band.

Rules of this file: exact integers; a text that is in several classes counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Literal

from handcraft.proof.separable.ranking import Ranking, Shape

By = Literal["places", "number"]
_MOST_BY_PLACES = (
    4  # free places up to which there is a pattern for each set of them
)
_MOST_OVER = 2  # places over the limit
Limits = list[list[list[int]]]


@dataclass(frozen=True)
class Pattern:
    """Where m stands: at these places, or at any `count`. Of the `rest`, `over` may hold anything
    below m.
    """

    places: tuple[int, ...] | None
    count: int
    rest: int
    over: int = 0

    @property
    def ways(self) -> int:
        """How many sets of places it stands for."""
        n = self.count + self.rest
        return 1 if self.places is not None else comb(n, self.count)

    def most(self, m: int) -> int:
        """The greatest limit beside the rank m."""
        return m if self.rest else 1


def kind_of_patterns(shape: Shape) -> By:
    """By places where these are few."""
    return "places" if len(shape.free) <= _MOST_BY_PLACES else "number"


def patterns(shape: Shape, by: By) -> list[Pattern]:
    """Every pattern of a shape; those that differ in `over` stand together."""
    return [
        Pattern(places, count, rest, over)
        for places, count, rest in _held(shape.free, by)
        for over in range(min(_MOST_OVER + 1, max(rest, 1)))
    ]


def _held(
    free: Sequence[int], by: By
) -> Iterator[tuple[tuple[int, ...] | None, int, int]]:
    """The places that hold m, if they are named, their number, and that of the rest."""
    if by == "number":
        yield from ((None, k, len(free) - k) for k in range(len(free) + 1))
        return
    for bits in range(2 ** len(free)):
        at = tuple(p for i, p in enumerate(free) if bits >> i & 1)
        yield at, len(at), len(free) - len(at)


def occurs(shape: Shape, q: int, m: int, pattern: Pattern) -> bool:
    """True where m can be the greatest: it stands somewhere, and the last token is not above it."""
    if shape.fixed[-1] is not None:
        return pattern.count > 0
    return q <= m and (q == m or pattern.count > 0)


def alike_but_over(kinds: Sequence[Pattern]) -> list[range]:
    """The patterns that differ in `over` alone, as ranges of their numbers."""
    starts = [i for i, kind in enumerate(kinds) if not kind.over]
    ends = [*starts[1:], len(kinds)]
    return [range(a, b) for a, b in zip(starts, ends, strict=True)]


def texts_shown(shape: Shape, by: By, limits: Limits) -> int:
    """The number of texts that are in a class of these limits."""
    kinds = patterns(shape, by)
    groups = alike_but_over(kinds)
    return sum(
        kinds[group[0]].ways
        * _shown(kinds[group[0]].rest, m, tuple(numbers[i] for i in group))
        for q, row in enumerate(limits)
        for m, numbers in enumerate(row)
        for group in groups
        if occurs(shape, q, m, kinds[group[0]])
    )


@lru_cache(maxsize=2**16)
def _shown(rest: int, m: int, limits: tuple[int, ...]) -> int:
    """The number of ways to fill the rest with ranks below m so that a limit holds."""
    if not rest:
        return int(limits[0] > 0)
    shown, above = 0, m
    ways = {
        0: 1
    }  # {how many reach the limits so far: ways}, in no class so far
    for j, limit in enumerate(limits):
        ways = {
            n: sum(
                count * comb(rest - k, n - k) * (above - limit) ** (n - k)
                for k, count in ways.items()
                if k <= n
            )
            for n in range(j, min(len(limits), rest + 1))
        }
        # those of whom just j reach limit j; more than the last j are in no class
        shown += ways.pop(j, 0) * limit ** (rest - j)
        above = limit
    return shown


def example(
    ranking: Ranking, shape: Shape, q: int, m: int, kind: Pattern, limit: int
) -> list[int]:
    """A text of a class, in ids: m at the first places that may hold it, the rest as great as they
    may be.
    """
    order, free = ranking.order, shape.free
    text = [order[0] if only is None else only for only in shape.fixed]
    text[-1] = ranking.last(shape)[q]
    held = free[: kind.count] if kind.places is None else kind.places
    rest = [place for place in free if place not in held]
    for place in held:
        text[place] = order[m]
    for i, place in enumerate(rest):
        text[place] = order[m - 1 if i < kind.over else limit - 1]
    return text


def covers(
    ranking: Ranking, shape: Shape, by: By, limits: Limits, text: Sequence[int]
) -> bool:
    """True for a text, in ids, that is in a class."""
    ranks = {token: rank for rank, token in enumerate(ranking.order)}
    ranked = shape.fixed[-1] is None
    free = [ranks[text[i]] for i in shape.free]
    last = ranks[text[-1]] if ranked else 0
    m = max([*free, last] if ranked else free)
    at = tuple(i for i, rank in zip(shape.free, free, strict=True) if rank == m)
    rest = [rank for rank in free if rank < m]
    return any(
        limit and sum(rank >= limit for rank in rest) <= kind.over
        for kind, limit in zip(
            patterns(shape, by), limits[last][m], strict=True
        )
        if kind.count == len(at) and kind.places in (None, at)
    )
