"""Finds endings whose right token cannot win: so little is written that the direct path ties.

A one-hot token slot gives the current token u the logit 1 before any rule writes. If the rules
write at most h to the right token t, and at least l to u, then t is never ahead after u where
h <= 1 + l. It is told where l < h: the rules favour t, but too little. Both are bounded by
intervals: a head's value is a mean, so it lies between the least and the greatest of what its
value lanes can read.

Quiet on purpose: only of claims by endings, with one slot that depends on the token, and where
all that is written to it are constants and heads that read what the embedding put there.

Rules of this file: a bound is never too narrow, so what is found is certain; it is advice, and
never an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from handcraft.claims.kinds import After
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import Affine, Lane
from handcraft.language.rules import Block, Head
from handcraft.language.slot_tables import ONE_HOT
from handcraft.language.slots import Slot
from handcraft.program.program import Program

_Interval = tuple[float, float]
_Bounds = dict[Lane, _Interval]


@dataclass(frozen=True)
class Tie:
    """An ending after which the right token is never ahead of the current one.

    most, least  the greatest logit of the right token, the least of the current one
    factor       more than so many times as much would have to be written
    """

    ending: tuple[str, ...]
    right: str
    current: str
    most: float
    least: float
    factor: float


def find_tie(program: Program) -> Tie | None:
    """The first ending of the claim whose right token can at best tie with the current one."""
    slot = _read_out(program)
    claim = program.claim
    if slot is None or not isinstance(claim, After):
        return None
    written = _written(program, slot)
    if written is None:
        return None
    for ending, right in claim.endings(Vocabulary(program.vocabulary)).items():
        if isinstance(right, str) and right != ending[-1]:
            most = written[slot[right]][1]
            least = written[slot[ending[-1]]][0]
            if least < most <= 1 + least:
                factor = 1 / (most - least)
                return Tie(ending, right, ending[-1], most, 1 + least, factor)
    return None


def _read_out(program: Program) -> Slot | None:
    """The slot of the logits, where it is one-hot and no other slot depends on the token."""
    tables = [slot for slot in program.embedding if slot.tokens]
    if len(tables) != 1 or tables[0].tokens != ONE_HOT:
        return None
    slot = tables[0]
    alone = not any(other.reuse for other in program.embedding)
    whole = set(program.vocabulary) == set(slot.labels or ())
    return slot if alone and whole and not slot.positions else None


def _written(program: Program, slot: Slot) -> _Bounds | None:
    """The bounds of what the rules write to each lane of the slot; None where they are unknown."""
    embedded = _embedded(program)
    found = dict.fromkeys(slot.lanes, (0.0, 0.0))
    for block in program.layers:
        for lane, added in _adds(block, embedded):
            if lane in found and added is None:
                return None
            if lane in found and added is not None:
                low, high = found[lane]
                found[lane] = low + added[0], high + added[1]
        for lane, _ in list(_adds(block, {})):
            embedded.pop(lane, None)
    return found


def _adds(
    block: Block, embedded: _Bounds
) -> Iterator[tuple[Lane, _Interval | None]]:
    """The bounds of each amount that a block writes; None where they are unknown."""
    for head in block.heads:
        values = _values(head, embedded)
        for lane, affine in head.adds.rows:
            yield lane, None if values is None else _of(affine, values)
    if block.mlp is not None:
        for lane, amount in block.mlp.adds.terms:
            yield lane, (amount, amount)
        for neuron in block.mlp.neurons:
            yield from ((lane, None) for lane in neuron.adds.lanes_read)


def _embedded(program: Program) -> _Bounds:
    """The bounds of what the embedding puts into each lane."""
    found: _Bounds = {}
    for slot in program.embedding:
        for cells in (slot.token_cells(), slot.position_cells()):
            table = {lane: [0.0] for lane in slot.lanes}
            for _, lane, value in cells:
                table[lane].append(value)
            for lane, values in table.items():
                low, high = found.get(lane, (0.0, 0.0))
                found[lane] = low + min(values), high + max(values)
    return found


def _values(head: Head, embedded: _Bounds) -> _Bounds | None:
    """The bounds of a head's values, where it reads the embedding alone."""
    if not set(head.value.lanes_read) <= set(embedded):
        return None
    return {lane: _of(affine, embedded) for lane, affine in head.value.rows}


def _of(affine: Affine, bounds: Mapping[Lane, _Interval]) -> _Interval:
    low = high = affine.constant
    for lane, factor in affine.terms:
        ends = [factor * end for end in bounds[lane]]
        low += min(ends)
        high += max(ends)
    return low, high
