"""What one head reads: queries, keys and values of each sort of position, in rows.

    offered(symbols, floats, before, own, d)  all of it; None for a head that brings nothing
    HeadOffer.of(name)                          what the positions of one sort read: HeadParts
    rows_of_lanes(symbols, lanes)                   lanes as rows of one table

The sorts are "text", a position of a text, "asked", one that the claim asks where not all are, and
"first", the token that begins it. Rules of this file: a key stands anywhere, whoever reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Floats, Zonotope
from handcraft.proof.lanes.attention import HeadReading, keys_of
from handcraft.proof.lanes.numbers import LaneNumbers
from handcraft.proof.lanes.overflow import check_fit, check_scores
from handcraft.proof.lanes.scores import Begin, no_begin
from handcraft.proof.lanes.symbols import Labels, Symbols

_Parts = tuple[list[LaneNumbers], list[LaneNumbers], list[LaneNumbers]]


@dataclass(frozen=True, eq=False)
class HeadParts:
    """What one head reads: queries of one sort of position, keys, values, and the first token.

    columns  of all that heads bring, those of the values
    """

    head: HeadReading
    columns: Array
    queries: tuple[Labels, Zonotope]
    keys: tuple[Labels, Zonotope]
    values: list[LaneNumbers]
    begin: Begin


@dataclass(frozen=True, eq=False)
class HeadOffer:
    """What one head reads of each sort of position; `kept` are its columns that are not all 0."""

    head: HeadReading
    own: Array
    kept: list[int]
    queries: dict[str, list[LaneNumbers]]
    keys: tuple[Labels, Zonotope]
    values: list[LaneNumbers]
    begin: Begin

    def of(self, name: str) -> HeadParts:
        """The same for one sort of position."""
        symbols = self.head.symbols
        with symbols.of_asked(name == "asked"):
            queries = rows_of_lanes(symbols, self.queries[name])
        return HeadParts(
            self.head,
            self.own[self.kept],
            queries,
            self.keys,
            self.values,
            self.begin,
        )


def offered(
    symbols: Symbols,
    floats: Floats,
    before: dict[str, list[LaneNumbers]],
    own: Array,
    d: int,
) -> HeadOffer | None:
    """What the head of these columns reads of each sort of position, of which `before` has queries,
    keys and values, d columns each. None where it brings nothing.
    """
    parts = {name: _parts(lanes, own, d) for name, lanes in before.items()}
    check_fit([x for part in parts.values() for lanes in part for x in lanes])
    seen = [parts[x] for x in ("text", "first") if x in parts]
    for q, _, _ in parts.values():
        for _, k, _ in seen:
            check_scores([*zip(q, k, strict=True)])
    size = len(own)
    kept = [i for i in range(size) if not all(v[i].is_zero for *_, v in seen)]
    if not kept:
        return None
    match = [
        i
        for i in range(size)
        if not all(q[i].is_zero for q, *_ in parts.values())
        and not all(k[i].is_zero for _, k, _ in seen)
    ]
    with symbols.of_asked(False):  # a key stands anywhere
        keys = rows_of_lanes(symbols, [parts["text"][1][i] for i in match])
    return HeadOffer(
        HeadReading(symbols, floats, size),
        own,
        kept,
        {x: [q[i] for i in match] for x, (q, *_) in parts.items()},
        keys,
        [parts["text"][2][i] for i in kept],
        _begin(symbols, parts.get("first"), match, kept),
    )


def _parts(lanes: Sequence[LaneNumbers], own: Array, d: int) -> _Parts:
    """Queries, keys and values of a head, of one sort of position."""
    q, k, v = ([lanes[i] for i in own + part * d] for part in range(3))
    return q, k, v


def _begin(
    symbols: Symbols, first: _Parts | None, match: list[int], kept: list[int]
) -> Begin:
    """What the token that begins a text reads and is, where there is one."""
    if first is None:
        return no_begin(len(match), len(kept))
    q, k, v = (
        rows_of_lanes(symbols, [lanes[i] for i in columns])[1]
        for lanes, columns in zip(first, (match, match, kept), strict=True)
    )
    return Begin(q, k, v)


def rows_of_lanes(
    symbols: Symbols, lanes: Sequence[LaneNumbers]
) -> tuple[Labels, Zonotope]:
    """Lanes as rows; those of no lane are one row of nothing."""
    if not lanes:
        return (), Zonotope.of(np.zeros((1, 0)))
    return keys_of(symbols, lanes)
