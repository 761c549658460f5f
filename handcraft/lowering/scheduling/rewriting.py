"""Rewrites the rules of a stream so that they take fewer lanes and do the same.

    pruned(stream)   without rules and tables that nothing reads
    fused(stream)    one lane for those that are only read as one sum
    spelled(stream)  without tables that are sums of others

Rules of this file: what a rule computes stays the same number, also in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.stream import BOS, Attention, Hinge, Stream

Rule = Attention | Hinge


def read_by(rule: Rule) -> Iterator[Affine]:
    """The expressions that a rule reads."""
    if isinstance(rule, Hinge):
        yield rule.when
        return
    for row in rule.rows:
        yield from row
    for what, _ in rule.adds.values():
        yield what


def reading(rule: Rule, change: Callable[[Affine], Affine]) -> Rule:
    """The same rule with each expression that it reads changed."""
    if isinstance(rule, Hinge):
        return replace(rule, when=change(rule.when))
    rows = tuple((change(q), change(k)) for q, k in rule.rows)
    adds = {
        lane: (change(what), gain) for lane, (what, gain) in rule.adds.items()
    }
    return replace(rule, rows=rows, adds=adds)


def changed(stream: Stream, change: Callable[[Affine], Affine]) -> Stream:
    """The stream with each expression that a rule reads changed."""
    found = copy(stream)
    found.heads = [reading(x, change) for x in stream.heads]  # type: ignore[misc]
    found.hinges = [reading(x, change) for x in stream.hinges]  # type: ignore[misc]
    return found


def rules_of(stream: Stream) -> Iterator[Rule]:
    """All rules."""
    yield from stream.heads
    yield from stream.hinges


# ---------------------------------------------------------------- what nothing reads


def pruned(stream: Stream) -> Stream:
    """The stream without what is written and never read; the answer stays."""
    while (dead := _dead(stream)) and dead:
        stream = _without(stream, dead)
    return stream


def _dead(stream: Stream) -> set[Lane]:
    used = {BOS, *(lane for _, lane, _ in stream.constants)}
    for rule in rules_of(stream):
        used |= rule.read
        if rule.final:
            used |= set(rule.writes)
    return stream.times.keys() - used


def _without(stream: Stream, dead: set[Lane]) -> Stream:
    found = copy(stream)
    found.times = {x: t for x, t in stream.times.items() if x not in dead}
    found.tables = {x: t for x, t in stream.tables.items() if x not in dead}
    found.hinges = [x for x in stream.hinges if dead.isdisjoint(x.adds)]
    heads = [
        replace(x, adds={k: v for k, v in x.adds.items() if k not in dead})
        for x in stream.heads
    ]
    found.heads = [head for head in heads if head.adds]
    return found


# ---------------------------------------------------------------- sums


def fused(stream: Stream) -> Stream:
    """The stream with one lane for lanes that are read in one proportion only: their sum."""
    sums = _sums(stream)
    if not sums:
        return stream
    stream = copy(stream)
    stream.sums = [*stream.sums, *sums]
    found = changed(stream, stream.as_sums)
    into = {part: (lane, by) for lane, parts in sums for part, by in parts}
    found.heads = [_head_into(head, into) for head in found.heads]
    found.hinges = [_hinge_into(hinge, into) for hinge in found.hinges]
    found.times = {
        lane: time for lane, time in stream.times.items() if lane not in into
    }
    for lane, parts in sums:
        if all(part in stream.spare for part, _ in parts):
            found.spare = {*found.spare, lane}
        found.times[lane] = max(stream.times[part] for part, _ in parts)
    return found


Sum = tuple[Lane, tuple[tuple[Lane, float], ...]]


def _sums(stream: Stream) -> list[Sum]:
    """The new lanes, each with the lanes that it is the sum of, and by how much."""
    groups: dict[object, list[tuple[Lane, float]]] = {}
    for lane, places in _places(stream).items():
        first = places[0][1]
        name = tuple((where, x / first) for where, x in places)
        groups.setdefault(name, []).append((lane, first))
    found = []
    for members in groups.values():
        parts = [(lane, x / members[0][1]) for lane, x in members]
        kept = _apart(stream, [p for p in parts if _is_plain(p[1])])
        if len(kept) > 1:
            found.append((_named(stream, dict(kept)), tuple(kept)))
    return found


def _places(stream: Stream) -> Mapping[Lane, list[tuple[int, float]]]:
    """Where each scratch lane is read, and how many times over."""
    found: dict[Lane, list[tuple[int, float]]] = {}
    fixed = {*stream.tables, *(lane for _, lane, _ in stream.constants)}
    for rule in rules_of(stream):
        if rule.final:
            fixed |= set(rule.writes)
    where = 0
    for rule in rules_of(stream):
        for x in read_by(rule):
            where += 1
            for lane, by in x.terms:
                if lane not in fixed:
                    found.setdefault(lane, []).append((where, by))
    return found


def _is_plain(x: float) -> bool:
    return abs(x) == 1


def _apart(
    stream: Stream, parts: list[tuple[Lane, float]]
) -> list[tuple[Lane, float]]:
    """Those of them that no head writes together with one before."""
    kept: list[tuple[Lane, float]] = []
    for lane, by in parts:
        together = any(
            lane in head.adds and any(x in head.adds for x, _ in kept)
            for head in stream.heads
        )
        if not together:
            kept.append((lane, by))
    return kept


def _named(stream: Stream, parts: Mapping[Lane, float]) -> Lane:
    """A lane with the name of the value that is this sum."""
    for terms, name in stream.names.items():
        if {lane for lane, _ in terms} == parts.keys():
            return stream.lane(name)
    return stream.lane(next(iter(parts)).slot)


def _head_into(
    head: Attention, into: Mapping[Lane, tuple[Lane, float]]
) -> Attention:
    adds = {}
    for lane, (what, gain) in head.adds.items():
        target, by = into.get(lane, (lane, 1.0))
        adds[target] = (what, gain * by)
    return replace(head, adds=adds)


def _hinge_into(hinge: Hinge, into: Mapping[Lane, tuple[Lane, float]]) -> Hinge:
    adds: dict[Lane, float] = {}
    for lane, amount in hinge.adds.items():
        target, by = into.get(lane, (lane, 1.0))
        adds[target] = adds.get(target, 0.0) + amount * by
    return replace(hinge, adds=adds)
