"""Heads that choose in the texts of prompts, where the index that is chosen is known.

    chosen_at_places(head, queries, keys, values, begin)   what such a head brings of lanes

Queries are taken together where they are the same numbers, and keys are told by token and index
alone. What a query sees is a beginning of the text, so of all beginnings the best key is found in
one walk: by the end, as that tells which tokens can stand where. A query whose best key is not
known gets something between the least and the greatest value.
Rules of this file: a head whose queries or keys depend on anything else is Rejected, and so is one
that needs too much work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import UP, Rejected, Zonotope
from handcraft.proof.lanes.head_choice import (
    left_of,
    levels_beside,
    lost_in,
    read_of_choice,
)
from handcraft.proof.lanes.numbers import LaneNumbers
from handcraft.proof.lanes.placed import (
    WHERE,
    PlacedChoice,
    asking_places,
    texts_of,
)
from handcraft.proof.lanes.scores import Begin, HeadScores, row_numbers
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AT_TOKEN,
    MOST_TABLE_ROWS,
    Labels,
    spread,
)

_MOST_SCORED = 4_000_000  # sorts of queries and keys
_MOST_WALKED = 60_000_000  # sorts of queries, ends, indices
_NONE, _UNKNOWN = (
    -1,
    -2,
)  # where no key is above the first token; where that is not known


def chosen_at_places(
    head: HeadScores,
    queries: tuple[Labels, Zonotope],
    keys: tuple[Labels, Zonotope],
    values: Sequence[LaneNumbers],
    begin: Begin,
) -> list[LaneNumbers]:
    """What a head brings of lanes to each position. Raises Rejected where the index that is chosen
    depends on more than where is asked.
    """
    _check(queries[0], keys[0], values)
    asked = asking_places(head.symbols)
    sorts = _Sorts.of(head, queries, asked)
    levels, gap = _levels(head, sorts, keys, begin)
    places = _places(head, sorts, levels)
    unknown = asked & (places == _UNKNOWN)
    of_tokens = any((0, AT_TOKEN) in lane.labels for lane in values)
    choice = PlacedChoice(
        head.symbols,
        np.where(unknown, _NONE, places),
        AT_TOKEN if of_tokens else AT_INDEX,
    )
    found = []
    for i, lane in enumerate(values):
        first = float(begin.v.c[0, i]), float(begin.v.radius[0, i])
        if unknown[asked].all():
            found.append(_anything(head, lane, first))
            continue
        error = left_of(head, gap, lane, begin, i, True)
        u = lost_in(head, gap, True)
        read = read_of_choice(head.symbols, choice, lane, begin, i, error, u)
        if unknown.any():
            read = _or_anything(
                head, read, unknown, _anything(head, lane, first)
            )
        found.append(read)
    return found


def _check(
    queries: Labels, keys: Labels, values: Sequence[LaneNumbers]
) -> None:
    of_keys = {x for lane in values for x in lane.labels} | {*keys}
    if not set(queries) <= set(WHERE):
        raise Rejected("a head asks for more than a place")
    if not of_keys <= {(0, AT_TOKEN), (0, AT_INDEX)}:
        raise Rejected("a head reads more than a token at an index")


@dataclass(frozen=True, eq=False)
class _Sorts:
    """Queries that are the same numbers.

    rows   the numbers, a row for each sort, with the greatest radius of its queries
    which  [n_end, n_index] the sort of each query
    """

    rows: Zonotope
    which: Array

    @classmethod
    def of(
        cls, head: HeadScores, queries: tuple[Labels, Zonotope], asked: Array
    ) -> _Sorts:
        labels, rows = queries
        own = row_numbers(head.symbols, WHERE, labels)
        own = own.reshape(head.symbols.shape(WHERE)).T  # [n_end, n_index]
        used = np.unique(own[asked])
        c, which = np.unique(rows.c[used], axis=0, return_inverse=True)
        r = np.zeros(c.shape)
        np.maximum.at(r, which.reshape(-1), rows.radius[used])
        number = np.zeros(len(rows.c), dtype=np.int64)
        number[used] = which.reshape(-1)
        return cls(Zonotope.of(c, r), number[own])


def _levels(
    head: HeadScores,
    sorts: _Sorts,
    keys: tuple[Labels, Zonotope],
    begin: Begin,
) -> tuple[Array, float]:
    """[n_sort, n_index, n_token or 1] the levels of each key, -1 behind the first token, -2 beside
    it, and by how much levels are apart.
    """
    symbols, many = head.symbols, len(sorts.rows.c)
    if many * len(keys[1].c) > _MOST_SCORED:
        raise Rejected("a head compares too many pairs")
    shape = symbols.shape(keys[0])
    wide = (0, AT_INDEX), (0, AT_TOKEN)
    of_tokens = len(symbols.alphabet) if wide[1] in keys[0] else 1
    found = np.empty((many, symbols.n, of_tokens), dtype=np.int64)
    gaps = np.inf
    for row in range(many):
        q = Zonotope.of(sorts.rows.c[[row]], sorts.rows.r[[row]])
        low, high, first_low, first_high = head.row(q, keys[1], begin)
        levels, gap = levels_beside(low, high, first_low, first_high)
        found[row] = spread(levels.reshape(shape), keys[0], wide)
        gaps = min(gaps, gap)
    return found, gaps


def _places(head: HeadScores, sorts: _Sorts, levels: Array) -> Array:
    """[n_end, n_index] the index that each query selects."""
    there = texts_of(head.symbols).there
    found = np.full(sorts.which.shape, _UNKNOWN)
    n_end, n_index = there.shape[:2]
    of_tokens = levels.shape[2] > 1
    if len(levels) * n_index * (n_end if of_tokens else 1) > _MOST_WALKED:
        raise Rejected("a head compares too many pairs")
    if not of_tokens:
        best = _walked(levels[..., 0], levels[..., 0])  # [n_sort, n_index]
        return best[sorts.which, np.arange(n_index)[None]]
    big = np.iinfo(np.int64).max
    for sort, own in enumerate(levels):
        # 4 bytes less would do, but a walk is short
        low = np.where(there, own, big).min(axis=2)
        high = np.where(there, own, _UNKNOWN - 1).max(axis=2)
        beside = (there & (own == -2)).any(axis=2)
        low = np.where(low == big, -1, np.where(beside, -2, low))
        best = _walked(low, np.where(high < -2, -1, high), beside)
        found = np.where(sorts.which == sort, best, found)
    return found


def _walked(low: Array, high: Array, beside: Array | None = None) -> Array:
    """[n, n_index] the index of the best key of each beginning of a text, by the least and the
    greatest level of the key at each index; -1 where no key is above the first token, -2 where that
    is not known.
    """
    beside = low == -2 if beside is None else beside
    rows = np.arange(len(low))
    top = np.full(len(low), -1)  # the greatest level that is surely there
    at = np.full(len(low), -1)  # its index
    others = np.full(
        len(low), -1
    )  # the greatest level that another one may have
    near = np.zeros(len(low), dtype=bool)
    found = np.empty(low.shape, dtype=np.int64)
    for k in range(low.shape[1]):
        better = low[:, k] > top
        before = np.where(at >= 0, high[rows, np.maximum(at, 0)], -1)
        others = np.maximum(others, np.where(better, before, high[:, k]))
        at, top = np.where(better, k, at), np.where(better, low[:, k], top)
        near |= beside[:, k]
        none = (top < 0) & (others < 0) & ~near
        one = (top >= 0) & (others < top)
        found[:, k] = np.where(one, at, np.where(none, _NONE, _UNKNOWN))
    return found


def _anything(
    head: HeadScores, lane: LaneNumbers, first: tuple[float, float]
) -> LaneNumbers:
    """What is brought where nothing is known: between the least and the greatest value."""
    low = min(float((lane.c - lane.radius).min()), first[0] - first[1])
    high = max(float((lane.c + lane.radius).max()), first[0] + first[1])
    middle = (low + high) / 2
    far = max(high - middle, middle - low) * UP
    far += head.rounding(max(abs(low), abs(high)))
    return LaneNumbers((), np.array(middle), np.array(far * UP))


def _or_anything(
    head: HeadScores, read: LaneNumbers, unknown: Array, any_: LaneNumbers
) -> LaneNumbers:
    """What is read, or anything for queries of which more is not known."""
    symbols = head.symbols
    wide = tuple(sorted({*read.labels, *WHERE}))
    size = np.prod([len(symbols.all[s].values) for _, s in wide])
    if size > MOST_TABLE_ROWS:  # then it is anything everywhere
        low = min(float((read.c - read.radius).min()), float(any_.c - any_.r))
        high = max(float((read.c + read.radius).max()), float(any_.c + any_.r))
        middle = (low + high) / 2
        far = max(high - middle, middle - low) * UP
        return LaneNumbers((), np.array(middle), np.array(far * UP))
    shape = symbols.shape(wide)
    rows = np.broadcast_to(spread(unknown.T, WHERE, wide), shape)
    c, r = (spread(x, read.labels, wide) for x in (read.c, read.radius))
    return LaneNumbers(
        wide, np.where(rows, any_.c, c), np.where(rows, any_.r, r)
    )
