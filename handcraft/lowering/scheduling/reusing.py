"""Lets lanes take over the columns of lanes that nothing reads any more.

    reused(stream)   streams in which more and more lanes do so

Two neurons add the opposite of what a lane holds, after its last reader and before the first rule
that writes the other one. Rules of this file: a lane with a table keeps its column; what gelu
leaves of a lane is part of the radius of those that may follow it (`Stream.spare`).
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.scheduling.rewriting import rules_of
from handcraft.lowering.stream import BOS, ERASED, Hinge, Stream


@dataclass(frozen=True)
class Life:
    """When a lane is first written, and the neurons that can erase it."""

    lane: Lane
    born: int
    empty: int


def reused(stream: Stream) -> Iterator[Stream]:
    """The stream, then the same with one lane more that takes over another's column."""
    yield stream
    lives = sorted(_lives(stream), key=lambda life: life.born)
    for new in lives:
        old = _free(stream, new, lives)
        if new.lane in stream.spare and old is not None:
            stream = _taken_over(stream, old, new.lane)
            yield stream


def _free(stream: Stream, new: Life, lives: list[Life]) -> Life | None:
    """The lane whose column is the last to be empty in time."""
    taken = set(stream.reuse.values())
    found = [
        old for old in lives if old.empty < new.born and old.lane not in taken
    ]
    return max(found, key=lambda old: old.empty, default=None)


def _lives(stream: Stream) -> Iterator[Life]:
    """The lives of the lanes that only rules fill, and that are no answer."""
    fixed = {BOS, *stream.tables, *(lane for _, lane, _ in stream.constants)}
    written: dict[Lane, list[int]] = {}
    used: dict[Lane, list[int]] = {}
    for rule in rules_of(stream):
        fixed |= set(rule.writes) if rule.final else set()
        for lane in rule.writes:
            written.setdefault(lane, []).append(rule.time)
        for lane in rule.read:
            used.setdefault(lane, []).append(rule.time)
    for lane, times in written.items():
        if lane not in fixed:
            last = max(used.get(lane, times))
            empty = max(last + last % 2, _neurons_past(max(times)))
            yield Life(lane, min(times), empty)


def _neurons_past(time: int) -> int:
    """The first neurons behind a sublayer."""
    return time + 2 - time % 2


def _taken_over(stream: Stream, old: Life, new: Lane) -> Stream:
    found = copy(stream)
    erasing = [
        Hinge(
            Affine.of({old.lane: sign}),
            {old.lane: -sign},
            old.empty,
            ERASED,
        )
        for sign in (1.0, -1.0)
    ]
    found.hinges = [*stream.hinges, *erasing]
    found.reuse = {**stream.reuse, new: old.lane}
    return found
