"""The prover's side: the list of invariants that a program brings, for the checker to judge.

    proposed(program)   what its rules say that lanes hold, after the sublayer that writes it

It searches for nothing and shows nothing. Rules of this file: it reads the rules alone, and what is
not a lane of the stream is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from handcraft.language.affine import Lane
from handcraft.language.meanings import Meaning
from handcraft.language.rules import Block
from handcraft.program.program import Program
from handcraft.proof.lanes.certificate import Invariant
from handcraft.sequence.expression import Expression

_WELL = 0.25  # a lane that is farther from what is said does not say it


def proposed(program: Program) -> tuple[Invariant, ...]:
    """The invariants that a program brings."""
    columns = program.layout.column
    found = {
        (after, lane): meaning
        for i, block in enumerate(program.layers)
        for after, lane, meaning in _said(i, block)
        if lane in columns
    }
    return tuple(
        Invariant(after, str(lane), meaning, _WELL)
        for (after, lane), meaning in found.items()
        if isinstance(meaning, Expression)
    )


def _said(i: int, block: Block) -> Iterator[tuple[str, Lane, Meaning]]:
    for head in block.heads:
        for lane, meaning in head.means:
            yield f"{i}.attn", lane, meaning
    if block.mlp is not None:
        for lane, meaning in block.mlp.means:
            yield f"{i}.mlp", lane, meaning
        for neuron in block.mlp.neurons:
            for lane, meaning in neuron.means:
                yield f"{i}.mlp", lane, meaning
