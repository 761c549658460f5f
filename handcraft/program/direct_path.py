"""What the tied unembedding reads by accident.

The logits are the stream times `wte` transposed, so every slot with a table of the token is
read out, whether it was meant to be or not: a slot with the numbers T[v] adds T[current] T[v]
to the logit of v. The leak is how far that can pull two logits apart; what the rules write into
token lanes must beat it.

Rules of this file: a slot that rules write into is meant to be read out; any other slot with a
table of tokens leaks. The gain is what the token lane that gets the least gets at most from any
rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handcraft.language.affine import Lane
from handcraft.language.rules import Block
from handcraft.language.slots import Slot


def leak(slots: Sequence[Slot], vocabulary: Sequence[str]) -> float:
    """How far the tables of these slots can pull two logits apart: max over u, v, w of T[u] .
    (T[v] - T[w]).
    """
    import numpy as np  # only where a table leaks: a program without one starts faster

    ids = {token: i for i, token in enumerate(vocabulary)}
    column = {
        lane: i for i, lane in enumerate(lane for slot in slots for lane in slot.lanes)
    }
    table = np.zeros((len(vocabulary), len(column)))  # [n_vocab, n_lanes]
    for slot in slots:
        for token, lane, value in slot.token_cells():
            table[ids[token], column[lane]] = value
    logits = table @ table.T  # [n_vocab, n_vocab]: current token x logit
    return float((logits.max(axis=1) - logits.min(axis=1)).max(initial=0.0))


def amounts_written(blocks: Sequence[Block]) -> Iterator[tuple[Lane, float]]:
    """Every amount that a rule writes into a lane of the stream, by its size."""
    for block in blocks:
        for head in block.heads:
            for lane, affine in head.output.rows:
                yield from (
                    (lane, abs(value))
                    for value in (*(v for _, v in affine.terms), affine.constant)
                    if value
                )
        if block.mlp:
            for adds in (
                block.mlp.adds,
                *(neuron.adds for neuron in block.mlp.neurons),
            ):
                yield from ((lane, abs(amount)) for lane, amount in adds.terms)


def leak_problem(
    embedding: Sequence[Slot], blocks: Sequence[Block], vocabulary: Sequence[str]
) -> str | None:
    """What is wrong where the output gain does not beat the leak, else None."""
    tables = [slot for slot in embedding if slot.tokens]
    amounts = list(amounts_written(blocks))
    lanes = {lane for lane, _ in amounts}
    meant = [slot for slot in tables if lanes & set(slot.lanes)]
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
        f" is {gain:g}: raise that gain above the leak, or fill {names} with a neuron"
    )
