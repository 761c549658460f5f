"""Leaves out what nobody reads: lanes, and the heads and neurons that write nothing else.

Rules of this file: what is written over the embedding's own lanes, which is the answer, is kept.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from handcraft.language.affine import Lane
from handcraft.lowering.stream import BOS, Attention, Stream


def pruned(stream: Stream) -> Stream:
    """The same rules without the lanes that nobody reads."""
    before = -1
    while before != len(stream.times):
        before = len(stream.times)
        stream = _once(stream)
    return stream


def _once(stream: Stream) -> Stream:
    kept = stream.read_after(-1) | {BOS} | _answered(stream)
    found = copy(stream)
    found.times = {x: t for x, t in stream.times.items() if x in kept}
    found.tables = {x: t for x, t in stream.tables.items() if x in kept}
    heads = (_head(head, kept) for head in stream.heads)
    found.heads = [head for head in heads if head.adds or head.bias]
    found.hinges = [
        hinge for hinge in stream.hinges if not kept.isdisjoint(hinge.adds)
    ]
    return found


def _head(head: Attention, kept: set[Lane]) -> Attention:
    return replace(head, adds={x: v for x, v in head.adds.items() if x in kept})


def _answered(stream: Stream) -> set[Lane]:
    rules = [*stream.heads, *stream.hinges]
    found = {lane for rule in rules if rule.final for lane in rule.writes}
    return found | {lane for _, lane, _ in stream.constants}
