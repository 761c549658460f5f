"""Checks that a scratch slot may reuse the columns of another one.

`scratch("x", reuse=y)` puts x into y's columns. That is sound only if an MLP erases y in between
(recipes.erase adds to each lane its own opposite), nothing reads or writes y afterwards, and
nothing touches x before. Sublayers run in the order of the layers, in each block the heads before
the MLP.

Rules of this file: it only looks for the erasing rule, which the author writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from handcraft.language.affine import Lane
from handcraft.language.rules import Block, Neuron
from handcraft.language.slots import Slot

_Kind = Literal["read", "write", "erase"]


@dataclass(frozen=True)
class Use:
    """A sublayer's use of a lane.

    when  the index of the sublayer
    sign  of an erasing neuron: 1 if it erases positive values, -1 if negative ones
    """

    when: int
    kind: _Kind
    sign: float = 0.0


def reuse_problems(
    embedding: Sequence[Slot], blocks: Sequence[Block]
) -> Iterator[tuple[int, str]]:
    """For each slot that cannot reuse the lanes it asks for, its index in the embedding and why."""
    slots = {slot.name: slot for slot in embedding}
    names = list(slots)
    uses = _uses(blocks)
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
        old_uses = uses.get(lane, [])
        erasing = [use.when for use in old_uses if use.kind == "erase"]
        erased = max(erasing, default=None)
        if old_uses and erased is None:
            missing = (
                f"nothing erases {lane}: add recipes.erase({old.name}) to an MLP in"
                " between"
            )
            yield f"{slot.name} takes over {old.name}, but {missing}"
            return
        if erased is not None and not (
            _empties(old_uses, erased) and erased < first
        ):
            yield (
                f"{slot.name} takes over {old.name}, but {lane} is still in use when it"
                f" is erased, or {slot.name} already is"
            )
            return


def _empties(uses: Sequence[Use], erased: int) -> bool:
    """True if the lane is written before that sublayer, erased in it once, and not used after."""
    reads = all(use.when <= erased for use in uses if use.kind == "read")
    writes = all(use.when < erased for use in uses if use.kind == "write")
    signs = [
        use.sign for use in uses if use.kind == "erase" and use.when == erased
    ]
    return reads and writes and len(signs) == len(set(signs))


def _uses(blocks: Sequence[Block]) -> dict[Lane, list[Use]]:
    """The uses of every lane of the stream."""
    found: dict[Lane, list[Use]] = {}

    def note(
        lanes: Sequence[Lane], when: int, kind: _Kind, sign: float = 0.0
    ) -> None:
        for lane in lanes:
            found.setdefault(lane, []).append(Use(when, kind, sign))

    for i, block in enumerate(blocks):
        attention = 2 * i
        mlp = 2 * i + 1
        for head in block.heads:
            for part in (head.query, head.key, head.value):
                note(part.lanes_read, attention, "read")
            note(head.adds.targets, attention, "write")
        for neuron in block.mlp.neurons if block.mlp else ():
            if erased_lane(neuron) is not None:
                sign = 1.0 if neuron.when.terms[0][1] > 0 else -1.0
                note(neuron.adds.lanes_read, mlp, "erase", sign)
            else:
                note(neuron.when.lanes_read, mlp, "read")
                note(neuron.adds.lanes_read, mlp, "write")
        if block.mlp:
            note(block.mlp.adds.lanes_read, mlp, "write")
    return found


def erased_lane(neuron: Neuron) -> Lane | None:
    """The lane whose positive (or negative) values a neuron erases; None for any other neuron."""
    when = neuron.when
    adds = neuron.adds
    if len(when.terms) != 1 or len(adds.terms) != 1 or when.constant:
        return None
    (lane, slope), (target, amount) = when.terms[0], adds.terms[0]
    return lane if lane == target and slope * amount == -1 else None
