"""Checks that a scratch slot may reuse the columns of another one.

`scratch("x", reuse=y)` puts x into y's columns. That is sound only if an MLP erases y in between
(recipes.erase adds to each lane its own opposite), nothing reads or writes y afterwards, and
nothing touches x before. Sublayers run in the order of the layers, in each block the heads before
the MLP.

Rules of this file: it only looks for the erasing rule, which the author writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from handcraft.language.affine import Affine, Lane
from handcraft.language.rules import MLP, Block, Head, Neuron
from handcraft.language.slots import Slot

_Kind = Literal["read", "write", "erase"]


@dataclass(frozen=True)
class Use:
    """A sublayer's use of a lane.

    when  the index of the sublayer
    sign  1 or -1: of the values that a neuron erases, or of those that are written; 0 where that
          is not known
    """

    when: int
    kind: _Kind
    sign: float = 0.0


def reuse_problems(
    embedding: Sequence[Slot], blocks: Sequence[Block]
) -> Iterator[tuple[int, str]]:
    """For each slot that cannot reuse the lanes it asks for, its index in the embedding and why."""
    if all(slot.reuse is None for slot in embedding):
        return
    slots = {slot.name: slot for slot in embedding}
    names = list(slots)
    uses = uses_of(embedding, blocks)
    # for each slot all slots that have had its columns, the first one first
    owners: dict[str, list[Slot]] = {}
    for i, slot in enumerate(embedding):
        owners[slot.name] = [slot]
        if slot.reuse is None:
            continue
        old = slots.get(slot.reuse)
        if old is None or names.index(old.name) >= i:
            must = "which must be a slot declared before it"
            yield i, f"{slot.name} takes over {slot.reuse}, {must}"
        elif (problem := _unfit(slot, old)) is not None:
            yield i, problem
        else:
            for earlier in owners[old.name]:
                for text in _overlaps(slot, earlier, uses):
                    yield i, text
            owners[slot.name] = owners[old.name]
            owners[slot.name].append(slot)


def _unfit(slot: Slot, old: Slot) -> str | None:
    if old.tokens or old.positions:
        return (
            f"{slot.name} takes over {old.name}, which a table fills: only scratch"
            " lanes can be used again"
        )
    if len(slot.lanes) > len(old.lanes):
        n = len(slot.lanes)
        most = len(old.lanes)
        return f"{slot.name} has {n} lanes, {old.name} only {most}"
    return None


def _overlaps(
    slot: Slot, old: Slot, uses: dict[Lane, list[Use]]
) -> Iterator[str]:
    used = (use.when for lane in slot.lanes for use in uses.get(lane, ()))
    first = min(used, default=None)
    if first is None:
        return  # never used
    for lane in old.lanes[: len(slot.lanes)]:
        if why := _overlap(lane, slot, old, uses.get(lane, []), first):
            yield f"{slot.name} takes over {old.name}, but {why}"
            return


def _overlap(
    lane: Lane, slot: Slot, old: Slot, uses: Sequence[Use], first: int
) -> str | None:
    """The reason why a lane of the old slot is not free for the new one's first use."""
    erased = max(
        (use.when for use in uses if use.kind == "erase"), default=None
    )
    if erased is None:
        add = f"add recipes.erase({old.name}) to an MLP in between"
        return f"nothing erases {lane}: {add}" if uses else None
    if not (_empties(uses, erased) and erased < first):
        return f"{lane} is still in use when it is erased, or {slot.name} already is"
    if sign := _missed(uses, erased):
        return (
            f"what is written to {lane} is {_SIGNS[sign]}, and only the opposite is"
            f" erased: add recipes.erase({old.name})"
        )
    return None


_SIGNS = {1.0: "never negative", -1.0: "never positive"}


def _missed(uses: Sequence[Use], erased: int) -> float:
    """The sign of all that is written to the lane, if that sublayer erases only the opposite; else
    0.
    """
    written = {use.sign for use in uses if use.kind == "write"}
    gone = {
        use.sign for use in uses if use.kind == "erase" and use.when == erased
    }
    sign = written.pop() if len(written) == 1 else 0.0
    return sign if gone == {-sign} else 0.0


def _empties(uses: Sequence[Use], erased: int) -> bool:
    """True if the lane is written before that sublayer, erased in it once, and not used after."""
    reads = all(use.when <= erased for use in uses if use.kind == "read")
    writes = all(use.when < erased for use in uses if use.kind == "write")
    signs = [
        use.sign for use in uses if use.kind == "erase" and use.when == erased
    ]
    return reads and writes and len(signs) == len(set(signs))


def uses_of(
    embedding: Sequence[Slot], blocks: Sequence[Block]
) -> dict[Lane, list[Use]]:
    """The uses of every lane of the stream."""
    tables = _table_signs(embedding, blocks)
    found: dict[Lane, list[Use]] = {}
    for i, block in enumerate(blocks):
        used = [*_attention_uses(block, 2 * i, tables)]
        if block.mlp is not None:
            used.extend(_mlp_uses(block.mlp, 2 * i + 1))
        for lane, use in used:
            found.setdefault(lane, []).append(use)
    return found


def _attention_uses(
    block: Block, when: int, tables: dict[Lane, float]
) -> Iterator[tuple[Lane, Use]]:
    for head in block.heads:
        for part in (head.query, head.key, head.value):
            yield from ((lane, Use(when, "read")) for lane in part.lanes_read)
        for lane, sign in _head_signs(head, tables).items():
            yield lane, Use(when, "write", sign)


def _mlp_uses(mlp: MLP, when: int) -> Iterator[tuple[Lane, Use]]:
    for neuron in mlp.neurons:
        erased = erased_lane(neuron)
        if erased is not None:
            sign = math.copysign(1.0, neuron.when.terms[0][1])
            yield erased, Use(when, "erase", sign)
            continue
        yield from (
            (lane, Use(when, "read")) for lane in neuron.when.lanes_read
        )
        yield from _added(neuron.adds, when)
    yield from _added(mlp.adds, when)


def _added(adds: Affine, when: int) -> Iterator[tuple[Lane, Use]]:
    if not adds.terms:
        return
    more, less = Use(when, "write", 1.0), Use(when, "write", -1.0)
    for lane, amount in adds.terms:
        yield lane, more if math.copysign(1.0, amount) > 0 else less


def _table_signs(
    embedding: Sequence[Slot], blocks: Sequence[Block]
) -> dict[Lane, float]:
    """The sign of each lane that only tables fill, where all that they hold has the same one."""
    changed = {lane for block in blocks for lane in _written(block)}
    signs: dict[Lane, set[float]] = {}
    for slot in embedding:
        for _, lane, value in (*slot.token_cells(), *slot.position_cells()):
            signs.setdefault(lane, set()).add(math.copysign(1.0, value))
    return {
        lane: min(found)
        for lane, found in signs.items()
        if len(found) == 1 and lane not in changed
    }


def _written(block: Block) -> Iterator[Lane]:
    """The lanes that the rules of a block add to."""
    for head in block.heads:
        yield from head.adds.targets
    for neuron in block.mlp.neurons if block.mlp else ():
        yield from neuron.adds.lanes_read
    yield from block.mlp.adds.lanes_read if block.mlp else ()


def _head_signs(head: Head, tables: dict[Lane, float]) -> dict[Lane, float]:
    """The sign of what a head writes to each lane, a mean of its values times a number."""
    values = {lane: _sign(affine, tables) for lane, affine in head.value.rows}
    return {lane: _sign(affine, values) for lane, affine in head.adds.rows}


def _sign(affine: Affine, signs: dict[Lane, float]) -> float:
    """The sign that an expression has wherever it is not zero; 0 where that is not known."""
    found = {
        math.copysign(1.0, value) * signs.get(lane, 0.0)
        for lane, value in affine.terms
    }
    if affine.constant:
        found.add(math.copysign(1.0, affine.constant))
    return found.pop() if len(found) == 1 else 0.0


def erased_lane(neuron: Neuron) -> Lane | None:
    """The lane whose positive (or negative) values a neuron erases; None for any other neuron."""
    when = neuron.when
    adds = neuron.adds
    if len(when.terms) != 1 or len(adds.terms) != 1 or when.constant:
        return None
    (lane, slope), (target, amount) = when.terms[0], adds.terms[0]
    return lane if lane == target and slope * amount == -1 else None
