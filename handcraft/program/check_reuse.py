"""Lanes that are used twice: a scratch slot may take over the columns of one that is dead.

`scratch("x", reuse=y)` puts x into y's columns. That is sound only if an MLP erases y in
between (recipes.erase: each lane is added its own opposite), nothing reads or writes y
afterwards, and nothing touches x before. Sublayers run in the order of the layers, the heads of
a block before its MLP.

Rules of this file: the erasing rule is the author's and stands in the program; here it is only
looked for.
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
    """A sublayer's use of a lane: when it runs and what it does; an erasing neuron has the sign
    that it erases.
    """

    when: int
    kind: _Kind
    sign: float = 0.0


def reuse_problems(
    embedding: Sequence[Slot], blocks: Sequence[Block]
) -> Iterator[tuple[int, str]]:
    """For each slot that cannot take over the lanes it asks for: its place in the embedding,
    and why.
    """
    slots = {slot.name: slot for slot in embedding}
    names, uses = list(slots), _uses(blocks)
    owners: dict[
        str, list[Slot]
    ] = {}  # for each slot those that had its columns before, the first one first
    for i, slot in enumerate(embedding):
        owners[slot.name] = [slot]
        if slot.reuse is None:
            continue
        old = slots.get(slot.reuse)
        if old is None or names.index(old.name) >= i:
            yield (
                i,
                (
                    f"{slot.name} takes over {slot.reuse}, which must be a slot"
                    " declared before it"
                ),
            )
        elif old.tokens or old.positions:
            yield (
                i,
                (
                    f"{slot.name} takes over {old.name}, which a table fills: only"
                    " scratch lanes can be used again"
                ),
            )
        elif len(slot.lanes) > len(old.lanes):
            yield (
                i,
                (
                    f"{slot.name} has {len(slot.lanes)} lanes, {old.name} only"
                    f" {len(old.lanes)}"
                ),
            )
        else:
            yield from (
                (i, text)
                for earlier in owners[old.name]
                for text in _overlaps(slot, earlier, uses)
            )
            owners[slot.name] = owners[old.name]
            owners[slot.name].append(slot)


def _overlaps(slot: Slot, old: Slot, uses: dict[Lane, list[Use]]) -> Iterator[str]:
    first = min(
        (use.when for lane in slot.lanes for use in uses.get(lane, ())), default=None
    )
    if first is None:
        return  # never used: nothing to overlap
    for lane in old.lanes[: len(slot.lanes)]:
        old_uses = uses.get(lane, [])
        erased = max(
            (use.when for use in old_uses if use.kind == "erase"), default=None
        )
        if old_uses and erased is None:
            missing = (
                f"nothing erases {lane}: add recipes.erase({old.name}) to an MLP in"
                " between"
            )
            yield f"{slot.name} takes over {old.name}, but {missing}"
            return
        if erased is not None and not (_empties(old_uses, erased) and erased < first):
            yield (
                f"{slot.name} takes over {old.name}, but {lane} is still in use when it"
                f" is erased, or {slot.name} already is"
            )
            return


def _empties(uses: Sequence[Use], erased: int) -> bool:
    """Whether the lane is empty for good after that sublayer: written before, read at the
    latest in it, erased once.
    """
    reads = all(use.when <= erased for use in uses if use.kind == "read")
    writes = all(use.when < erased for use in uses if use.kind == "write")
    signs = [use.sign for use in uses if use.kind == "erase" and use.when == erased]
    return reads and writes and len(signs) == len(set(signs))


def _uses(blocks: Sequence[Block]) -> dict[Lane, list[Use]]:
    """Every use of every lane of the stream."""
    found: dict[Lane, list[Use]] = {}

    def note(lanes: Sequence[Lane], when: int, kind: _Kind, sign: float = 0.0) -> None:
        for lane in lanes:
            found.setdefault(lane, []).append(Use(when, kind, sign))

    for i, block in enumerate(blocks):
        for head in block.heads:
            for part in (head.query, head.key, head.value):
                note(part.lanes_read, 2 * i, "read")
            note(head.output.targets, 2 * i, "write")
        for neuron in block.mlp.neurons if block.mlp else ():
            if erased_lane(neuron):
                note(
                    neuron.adds.lanes_read,
                    2 * i + 1,
                    "erase",
                    1.0 if neuron.when.terms[0][1] > 0 else -1.0,
                )
            else:
                note(neuron.when.lanes_read, 2 * i + 1, "read")
                note(neuron.adds.lanes_read, 2 * i + 1, "write")
        note(block.mlp.adds.lanes_read if block.mlp else (), 2 * i + 1, "write")
    return found


def erased_lane(neuron: Neuron) -> Lane | None:
    """The lane that a neuron takes back where it is positive (or negative), and nothing else;
    None of other neurons.
    """
    when, adds = neuron.when, neuron.adds
    if len(when.terms) != 1 or len(adds.terms) != 1 or when.constant:
        return None
    (lane, slope), (target, amount) = when.terms[0], adds.terms[0]
    return lane if lane == target and slope * amount == -1 else None
