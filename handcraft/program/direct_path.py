"""Bounds the direct path from the embedding to the logits, which exists in every program.

The logits are the stream times `wte` transposed. So a slot with a token table T adds
T[current] * T[v] to the logit of v, wanted or not. The leak is the largest difference between
two logits that this causes; the amounts that rules write into token lanes must exceed it.

Rules of this file: a token table is meant to be read if some rule writes into its slot; one that
neurons erase after all writing (recipes.erase) leaves nothing to read; every other one leaks, and
so does a table of numbers that is erased too early. The gain is the least, over the token lanes
that rules write into, of the largest amount written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from handcraft.language.affine import Lane
from handcraft.language.rules import Block
from handcraft.language.slot_tables import ONE_HOT
from handcraft.language.slots import Slot
from handcraft.program.check_reuse import Use, uses_of


def leak(slots: Sequence[Slot], vocabulary: Sequence[str]) -> float:
    """The greatest difference of two logits due to these tables: max T[u] . (T[v] - T[w])."""
    import numpy as np  # here, so that a program without leaking tables starts faster

    ids = {token: i for i, token in enumerate(vocabulary)}
    lanes = [lane for slot in slots for lane in slot.lanes]
    column = {lane: i for i, lane in enumerate(lanes)}
    table = np.zeros((len(vocabulary), len(column)))  # [n_vocab, n_lanes]
    for slot in slots:
        for token, lane, value in slot.token_cells():
            table[ids[token], column[lane]] = value
    logits = table @ table.T  # [n_vocab, n_vocab]: current token x logit
    differences = logits.max(axis=1) - logits.min(axis=1)  # [n_vocab]
    return float(differences.max(initial=0.0))


def amounts_written(blocks: Sequence[Block]) -> Iterator[tuple[Lane, float]]:
    """The sizes of all amounts that rules write into lanes of the stream, with the lane."""
    for block in blocks:
        for head in block.heads:
            for lane, affine in head.adds.rows:
                values = (
                    *(value for _, value in affine.terms),
                    affine.constant,
                )
                yield from ((lane, abs(value)) for value in values if value)
        if block.mlp:
            added = [neuron.adds for neuron in block.mlp.neurons]
            for adds in (block.mlp.adds, *added):
                yield from ((lane, abs(amount)) for lane, amount in adds.terms)


def _erased(uses: Mapping[Lane, Sequence[Use]]) -> set[tuple[Lane, float]]:
    """The lanes that neurons erase after all that is written, with the sign of the values that they
    erase.
    """
    return {
        (lane, use.sign)
        for lane, found in uses.items()
        for use in found
        if use.kind == "erase"
        and all(w.when < use.when for w in found if w.kind == "write")
    }


def _erased_in_vain(slot: Slot, uses: Mapping[Lane, Sequence[Use]]) -> bool:
    """True for a table of numbers that neurons erase: nobody means it to be read.

    One of all tokens is erased so that the logits alone stand there.
    """
    used = (use for lane in slot.lanes for use in uses.get(lane, ()))
    return slot.tokens != ONE_HOT and any(use.kind == "erase" for use in used)


def _is_erased(slot: Slot, erased: set[tuple[Lane, float]]) -> bool:
    """True if every value that its tables put into its lanes is erased again."""
    cells = (*slot.token_cells(), *slot.position_cells())
    return all(
        (lane, math.copysign(1.0, value)) in erased for _, lane, value in cells
    )


def leak_problem(
    embedding: Sequence[Slot],
    blocks: Sequence[Block],
    vocabulary: Sequence[str],
) -> str | None:
    """The problem, in words, where the gain does not exceed the leak; else None."""
    uses = uses_of(embedding, blocks)
    erased = _erased(uses)
    tables = [
        slot
        for slot in embedding
        if slot.tokens and not _is_erased(slot, erased)
    ]
    amounts = list(amounts_written(blocks))
    lanes = {lane for lane, _ in amounts}
    meant = [
        slot
        for slot in tables
        if lanes & set(slot.lanes) and not _erased_in_vain(slot, uses)
    ]
    leaking = [slot for slot in tables if slot not in meant]
    if not meant or not leaking:
        return None
    read = {lane for slot in meant for lane in slot.lanes}
    gain = min(
        max(amount for lane, amount in amounts if lane == target)
        for target in lanes & read
    )
    found = leak(leaking, vocabulary)
    if gain > found:
        return None
    names = ", ".join(slot.name for slot in leaking)
    return (
        f"the table of {names} leaks up to {found:g} into the logits, since the"
        f" unembedding is wte itself, but the least that is written to {meant[0].name}"
        f" is {gain:g}: raise that gain above the leak, or take the table away with"
        f" recipes.erase({leaking[0].name}) after its last use"
    )
