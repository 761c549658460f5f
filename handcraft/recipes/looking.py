"""The scores of a head over a selector, with an order of what it selects and a sink behind it.

    Order    which of several selected positions is meant
    Looking  where a head looks: by a selector, then by an order, else at the sink

Squares are whole, and so are the scores that they sum to, but the factor sqrt(d_head) of
scores="exact" is not. Where scores must be equal to the last bit they are "raw": all whole, then
divided once, and written so large that any head's division leaves enough.

Rules of this file: the lane of the sink is left out of every key, and constants are multiples of
1 - sink, so that the sink has one score, for every query.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handcraft.language.affine import Affine, Lane, Map, Term, kind_of, number
from handcraft.language.coerce import MapLike, as_affine, as_map
from handcraft.language.meanings import MeaningsLike
from handcraft.language.rules import Head
from handcraft.language.sink_lanes import AT_ITSELF, SINK
from handcraft.language.slots import Slot
from handcraft.language.words import local
from handcraft.recipes.addressing import (
    MOST_EXACT,
    WIDEST_ROOT,
    power_of_two_above,
)
from handcraft.recipes.kinds import wrong
from handcraft.recipes.selectors import Selector
from handcraft.recipes.truth import ALWAYS, Product

SELECTOR_STRENGTH = (
    64.0  # A; half of it, where the sink stands, is more than ln(8 n / u)
)
POSITION_STEP = 32.0  # from one position to the next, and at least from one value to the next
MOST_SPREAD = (
    MOST_EXACT / 4 - 48
)  # of an order, so that a selector can outweigh it
ROOM = 48.0  # a score behind by so much has nothing left in float32, whatever was rounded

Default = float | Mapping[Any, float] | None


@dataclass(frozen=True)
class Order:
    """The order that says which of several selected positions is meant.

    pairs   (query, key) expressions: the greatest score is meant, by POSITION_STEP at least
    spread  from the least such score to the greatest
    """

    pairs: tuple[Product, ...] = ()
    spread: float = 0.0


def by_position(recipe: str, at: Slot, *, latest: bool) -> Order:
    rows = at.positions if isinstance(at.positions, tuple) else ()
    labels = at.labels or ()
    if "p" not in labels or [r[labels.index("p")] for r in rows] != list(
        range(len(rows))
    ):
        raise wrong(
            recipe,
            "at",
            f"{at.name} must hold the position as p: use addresses(n_ctx)",
        )
    if POSITION_STEP * len(rows) > MOST_SPREAD / 2:
        raise wrong(
            recipe,
            "at",
            f"{len(rows)} positions are too many to prefer one;"
            f" {int(MOST_SPREAD / 2 / POSITION_STEP)} are not",
        )
    step = POSITION_STEP if latest else -POSITION_STEP
    pair = (ALWAYS.scaled(step), at["p"].expression())
    return Order((pair,), POSITION_STEP * len(rows))


@dataclass(frozen=True)
class Looking:
    """The place where a head looks: by a selector, then by an order, else at the sink."""

    recipe: str
    selector: Selector
    order: Order
    sink: Term | None
    causal: bool
    tied: bool = (
        False  # True where what is selected must have one score to the last bit
    )
    strength: float = field(init=False)

    def __post_init__(self) -> None:
        strength = SELECTOR_STRENGTH
        if self.order.pairs:
            strength = power_of_two_above(2 * (self.order.spread + ROOM))
        object.__setattr__(self, "strength", strength)
        check_strength(self.recipe, self.selector, strength)

    def head(
        self,
        value: MapLike,
        adds: MapLike | None,
        default: Default,
        means: MeaningsLike,
        name: str | None,
    ) -> Head:
        """The head that brings these values from there."""
        lane = None
        if self.sink is not None:
            lane = sink_of(self.recipe, self.sink, self.selector)
        elif default is not None:
            raise wrong(
                self.recipe,
                "default",
                "is brought by a sink: pass sink=, such as sink=token['^']",
            )
        pairs = [(q.scaled(self.strength), k) for q, k in self.selector.pairs]
        pairs += self.order.pairs
        if lane is not None:
            pairs = [(q, without(k, lane)) for q, k in pairs]
        raw = self.tied and self.selector.largest > 1
        query, key = match_rows(pairs, self.at_sink(lane))
        if raw:
            query = query.scaled(WIDEST_ROOT)
        values = as_map(value)
        return Head(
            query=query,
            key=key,
            value=values
            if default is None or lane is None
            else _with_default(self.recipe, values, default, lane),
            adds=Map.identity(values.targets) if adds is None else adds,
            scores="raw" if raw else "exact",
            means=means,
            name=name,
        )

    @property
    def behind(self) -> float:
        """The distance by which the sink is behind a position that is selected."""
        if self.selector.pairs:
            return self.strength / 2
        return self.order.spread + ROOM

    def at_sink(self, lane: Lane | None) -> dict[Lane, Product]:
        """The score of the sink, and what makes it, as a query, attend to itself."""
        if lane is None:
            return {}
        own = lane.expression()
        found = {SINK: (ALWAYS.scaled(-self.behind), own)}
        if not self.causal:
            ahead = self.behind + 2 * self.order.spread + ROOM
            found[AT_ITSELF] = own.scaled(power_of_two_above(ahead)), own
        return found


def check_strength(recipe: str, selector: Selector, strength: float) -> None:
    """Raise ProgramError for scores past exact float32."""
    if strength * selector.largest > MOST_EXACT:
        most = math.isqrt(int(MOST_EXACT / strength / 2))
        raise wrong(
            recipe,
            "selector",
            "same_number is told by squares, which with this head are exact in float32 up to"
            f" numbers of {most}",
        )


def sink_of(recipe: str, sink: Term, selector: Selector) -> Lane:
    """The lane of a sink, beside which a selector's scores can stand."""
    x = as_affine(sink)
    if len(x.terms) != 1 or x.terms[0][1] != 1 or x.constant:
        raise wrong(
            recipe,
            "sink",
            f"is the one lane that is 1 at the sink alone, such as token['^']; found {x}",
        )
    if not selector.absolute:
        raise wrong(
            recipe,
            "sink",
            "needs the square of the query's number: same_number(key, (q, qq), ...)",
        )
    return x.terms[0][0]


def without(x: Affine, sink: Lane) -> Affine:
    """The expression, but 0 at the sink, where the other lanes are 0."""
    terms = {lane: value for lane, value in x.terms if lane != sink}
    return Affine.of({**terms, sink: -x.constant}, x.constant)


def match_rows(
    pairs: Iterable[Product], named: Mapping[Lane, Product]
) -> tuple[Map, Map]:
    """The query and the key of products that are summed: those with a common key, or with
    constants for queries, are one. Those that are named keep their own match lane.
    """
    fixed, by_key = Affine(), dict[tuple[Any, ...], Product]()
    for query, key in pairs:
        if not query.terms:
            fixed = fixed.plus(key.scaled(query.constant))
            continue
        same = (key.terms, key.constant)
        known = by_key.get(same)
        by_key[same] = (query if known is None else known[0].plus(query), key)
    found = [*by_key.values()]
    if fixed.terms:
        found.append((ALWAYS, fixed))
    lanes = local("match", [str(i) for i in range(len(found))]).lanes
    rows = [*zip(lanes, found, strict=True), *named.items()]
    return (
        Map.of((lane, query) for lane, (query, _) in rows),
        Map.of((lane, key) for lane, (_, key) in rows),
    )


def _with_default(
    recipe: str, values: Map, default: float | Mapping[Any, float], sink: Lane
) -> Map:
    """The values, with the default at the sink."""
    if isinstance(default, Mapping):
        given = {
            lane: x.constant for lane, x in as_map(default).rows if not x.terms
        }
        if set(given) != set(values.targets):
            raise wrong(
                recipe,
                "default",
                f"has a number for each value lane, {Map.identity(values.targets)}; found"
                f" {as_map(default)}",
            )
    else:
        x = number(default, "is a number, or {value lane: number}")
        given = dict.fromkeys(values.targets, x)
    return Map.of(
        (lane, without(x, sink).plus(Affine.of({sink: given[lane]})))
        for lane, x in values.rows
    )


def check_selector(
    recipe: str, found: object, argument: str = "selector"
) -> None:
    if not isinstance(found, Selector):
        raise wrong(
            recipe,
            argument,
            "takes a selector: compare, same_number, key_flag, query_flag; found"
            f" {kind_of(found)}",
        )
