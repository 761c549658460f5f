"""Infers what some heads write, from the rules alone: the meanings that recipes know.

    fixed offsets   `attend_to(at, at["p"] - 1, ...)`, `kernel(p, {1: 1}, ...)`,
                    `query=LARGE * (p + p.previous)`: every query position names the same offsets,
                    equally; the value is the mean of a function of the tokens there
    uniform         `mean(...)`, a query without lanes: the mean over every position
    anchored        `running_sum(...)`: the sum of a function of the token

Only where it is certain: in a causal model, of values that read tables of whole numbers by token
which no earlier layer adds to, in lanes that nothing else fills before or beside the head. A head
that attends softly on purpose has no meaning here: its scores must be two numbers, or far apart.

Rules of this file: it reads the rules and what they compile to, never a model's own weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np

from handcraft.core.gpt2 import Array, Weights
from handcraft.language.affine import Affine, Lane, Map
from handcraft.language.meanings import Meaning
from handcraft.language.rules import EVERYWHERE, Block, Head
from handcraft.language.slots import Slot
from handcraft.program.check_lanes import written_by
from handcraft.program.compiler import compile_program
from handcraft.program.program import Program
from handcraft.program.sharpness import is_weight, position_scores, two_levels
from handcraft.recipes.sums import ANCHOR, ANCHOR_LANE
from handcraft.sequence.expression import Expression
from handcraft.sequence.expression_checks import LARGEST_NUMBER
from handcraft.sequence.words import here, ratio

FAR_APART = 12.0  # a score gap that leaves the others 6e-6 each: attention to one position
MOST_OFFSETS = 4
_Table = dict[str, float]  # token -> number
ANCHORED = Map.of(
    [(ANCHOR_LANE.lanes[0], Affine.of({}, math.log(ANCHOR)))]
)  # the query of `running_sum`


@dataclass(frozen=True)
class KnownMeaning:
    """The meaning of a lane that a head writes, or of one of its value lanes."""

    layer: int
    head: int
    lane: Lane
    meaning: Meaning


def known_meanings(program: Program) -> Iterator[KnownMeaning]:
    """The meanings of the lanes of heads that are known without the author's word."""
    if not program.causal:
        return
    compiled = cache(lambda: compile_program(program, "float64").weights)
    for layer, block in enumerate(program.layers):
        clean = _Clean(program, layer)
        for h, head in enumerate(block.heads):
            means = _means(program, compiled, layer, h, head)
            if means is not None:
                for lane, table in clean.tables(head, h, means.gain):
                    yield KnownMeaning(layer, h, lane, means.of(table))


# ------------------------------------------------------------ what a head does


@dataclass(frozen=True)
class _Means:
    """The values that a head adds up or takes the mean of.

    offsets  how far back; empty for every position
    gain     what the output multiplies the mean by, where that makes it a sum
    """

    offsets: tuple[int, ...] = ()
    gain: float = 1.0

    def of(self, table: _Table) -> Expression:
        """The meaning of a lane that is this function of the tokens attended to."""
        if self.offsets:
            parts = [_at(table, offset) for offset in self.offsets]
            whole = sum(parts[1:], start=parts[0])
            return whole if len(parts) == 1 else ratio(whole, len(parts))
        rows = tuple(((token,), int(table[token])) for token in table)
        whole = Expression(op="total", table=rows)
        return whole if self.gain != 1 else ratio(whole, here + 1)


def _at(table: _Table, offset: int) -> Expression:
    """The function of the token so far back; of a single token, whether it is that one."""
    place = here - offset if offset else here
    token = Expression(op="token_at", args=(place,))
    ones = [name for name, value in table.items() if value]
    if len(ones) == 1 and table[ones[0]] == 1:
        return Expression(op="equal", args=(token, ones[0]))
    rows = tuple(((name,), int(value)) for name, value in table.items())
    return Expression(op="lookup", args=(token,), table=rows)


def _means(
    program: Program,
    compiled: Callable[[], Weights],
    layer: int,
    h: int,
    head: Head,
) -> _Means | None:
    if head.query == EVERYWHERE:
        return _Means()
    if head.query == ANCHORED and head.scores == "exact":
        return _Means(gain=ANCHOR)
    scores = position_scores(compiled(), program.layout.n_head, layer, h)
    offsets = None if scores is None else _offsets(scores)
    return None if offsets is None else _Means(offsets)


def _offsets(scores: Array) -> tuple[int, ...] | None:  # [n_ctx, n_ctx] ->
    """The offsets that every query position attends to equally, if they are the same for all."""
    n_ctx = len(scores)
    seen = np.tri(n_ctx, dtype=bool)
    named = _named(scores, seen)
    if named is None:
        return None
    last = np.flatnonzero(named[-1])
    offsets = n_ctx - 1 - last[::-1]  # the nearest first
    if not 1 <= len(offsets) <= MOST_OFFSETS or len(offsets) == n_ctx:
        return None
    for i in range(int(offsets[-1]), n_ctx):
        if list(np.flatnonzero(named[i])) != list(i - offsets[::-1]):
            return None
    return tuple(map(int, offsets))


def _named(scores: Array, seen: Array) -> Array | None:  # -> [n_ctx, n_ctx]
    """The key positions that each query position names, if it names some clearly."""
    levels = two_levels(scores[seen])
    if levels is not None:
        gap = levels[1] - levels[0]
        return None if is_weight(gap) else (scores > sum(levels) / 2) & seen
    visible = np.where(seen, scores, -np.inf)
    best = visible.max(-1, keepdims=True)  # [n_ctx, 1]
    named = visible == best
    ahead = best - np.where(named, -np.inf, visible)
    return named if (ahead >= FAR_APART).all() else None


# ------------------------------------------------------------ what its lanes hold


class _Clean:
    """The lanes whose content is known before a layer: what the embedding put there."""

    def __init__(self, program: Program, layer: int) -> None:
        self.program = program
        self.block = program.layers[layer]
        earlier = program.layers[:layer]
        self.written = set(chain.from_iterable(map(_written, earlier)))
        shared = {slot.reuse for slot in program.embedding if slot.reuse}
        self.slots = {
            lane: slot
            for slot in program.embedding
            for lane in slot.lanes
            if not slot.reuse and slot.name not in shared
        }
        self.token = {slot.name: _tables(slot) for slot in program.embedding}

    def tables(
        self, head: Head, h: int, gain: float
    ) -> Iterator[tuple[Lane, _Table]]:
        """Each lane that the head fills alone, with its value as a function of the token."""
        values = {lane: self._of_token(x) for lane, x in head.value.rows}
        inside = [lane for lane in values if lane not in head.adds.targets]
        rows = [(lane, lane.expression()) for lane in inside if gain == 1]
        others = [x for j, x in enumerate(self.block.heads) if j != h]
        beside = {lane for x in others for lane in x.adds.targets}
        rows += [
            (lane, x.scaled(1 / gain))
            for lane, x in head.adds.rows
            if self._is_empty(lane)
            and lane not in beside
            and (gain == 1 or not x.constant)
        ]
        for lane, affine in rows:
            if (table := self._through(affine, values)) is not None:
                yield lane, table

    def _is_empty(self, lane: Lane) -> bool:
        slot = self.slots.get(lane)
        empty = slot is not None and not slot.tokens and not slot.positions
        return empty and lane not in self.written

    def _of_token(self, affine: Affine) -> _Table | None:
        """The expression as a function of the token, if it reads nothing else."""
        for lane in affine.lanes_read:
            slot = self.slots.get(lane)
            if slot is None or slot.positions or lane in self.written:
                return None
        return {
            token: affine.constant
            + sum(
                factor * self.token[lane.slot].get((token, lane), 0.0)
                for lane, factor in affine.terms
            )
            for token in self.program.vocabulary
        }

    def _through(
        self, affine: Affine, values: dict[Lane, _Table | None]
    ) -> _Table | None:
        """The output as a function of the token, where it is a whole number of each."""
        found = dict.fromkeys(self.program.vocabulary, affine.constant)
        for lane, factor in affine.terms:
            table = values.get(lane)
            if table is None:
                return None
            for token in found:
                found[token] += factor * table[token]
        whole = all(
            abs(x) <= LARGEST_NUMBER and x == int(x) for x in found.values()
        )
        return found if whole else None


def _written(block: Block) -> Iterator[Lane]:
    for head in block.heads:
        yield from head.adds.targets
    if block.mlp is not None:
        yield from written_by(block.mlp)


def _tables(slot: Slot) -> dict[tuple[str, Lane], float]:
    return {(token, lane): value for token, lane, value in slot.token_cells()}
