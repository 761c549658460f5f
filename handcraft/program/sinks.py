"""Finds heads whose sink has another score than they were written for.

A head over a selector (handcraft.recipes.selecting) gives its sink, the beginning of a sequence,
the one score of its match lane `sink`: all its other keys are to be 0 there. A lane that is
not, such as the first of a one-hot slot of positions, adds to that score, and the sink takes what
it should not, or nothing.

Rules of this file: it runs the weights on each token alone, at the first position; what is found
is advice, and never an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array, Weights, trace
from handcraft.language.affine import Affine, Lane
from handcraft.language.rules import Head
from handcraft.language.sink_lanes import SINK
from handcraft.program.program import Program

NOT_EMPTY = 1e-3  # what is nearer to 0 than this is 0 there
MOST_TOKENS = 4096


@dataclass(frozen=True)
class Filled:
    """A lane that a head reads at its sink, where it is not 0."""

    layer: int
    head: int
    token: str
    lane: Lane
    value: float
    part: str  # of the head: key or value


def filled_sinks(program: Program, weights: Weights) -> Iterator[Filled]:
    """For each head with a sink, the first lane that should be 0 there and is not."""
    heads = [
        (i, h, head)
        for i, block in enumerate(program.layers)
        for h, head in enumerate(block.heads)
        if SINK in head.key.targets
    ]
    if not heads or len(program.vocabulary) > MOST_TOKENS:
        return
    ids = np.arange(len(program.vocabulary))[:, None]
    config: dict[str, Any] = {
        "n_head": program.layout.n_head,
        "activation": program.activation,
        "causal": program.causal,
    }
    traced = trace(ids, weights, **config)
    for i, h, head in heads:
        stream = traced[f"blocks.{i}.resid_pre"][:, 0]  # [n_vocab, n_embd]
        yield from _of_head(program, stream, i, h, head)


def _of_head(
    program: Program, stream: Array, layer: int, h: int, head: Head
) -> Iterator[Filled]:
    sink = dict(head.key.rows)[SINK]
    column = program.layout.column
    for token, row in zip(program.vocabulary, stream, strict=True):
        held = {lane: float(row[column[lane]]) for lane in column}
        if abs(_value(sink, held) - 1) > NOT_EMPTY:
            continue
        for part, affine in _parts(head):
            known = {lane: held[lane] for lane in sink.lanes_read}
            if abs(_value(affine, held) - _value(affine, known)) > NOT_EMPTY:
                lane = next(
                    lane
                    for lane in affine.lanes_read
                    if lane not in known and abs(held[lane]) > NOT_EMPTY / 2
                )
                yield Filled(layer, h, token, lane, held[lane], part)
                return


def _parts(head: Head) -> Iterator[tuple[str, Affine]]:
    """The expressions that are to be 0 at the sink: the keys, and the values of a sum."""
    yield from (("key", affine) for _, affine in head.key.rows)
    if dict(head.query.rows)[SINK].constant > 0:
        yield from (("value", affine) for _, affine in head.value.rows)


def _value(affine: Affine, held: dict[Lane, float]) -> float:
    """The expression where the lanes hold this, and others 0."""
    terms = (factor * held.get(lane, 0.0) for lane, factor in affine.terms)
    return sum(terms) + affine.constant
