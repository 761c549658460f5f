"""Finite machines that heads can follow: what decides their state after a text.

    machine_of(start, steps, symbols)   a Reset or a Cycle that has the same states, or None

A Reset keeps its state on some symbols, and each other symbol leads to one state from wherever
the machine was: its state is that of the latest such symbol. A Cycle goes round a ring of m
states, each symbol by so many steps: its state is the sum of them modulo m. A machine that stays
for ever in one state, once it is there, and is a Reset till then, is a Trap. Rules of this file:
only states that can be reached are looked at, and no machine is given that does not fit them all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from handcraft.sequence.expression import Plain

Symbol: TypeAlias = Hashable
_Step: TypeAlias = Callable[[Plain, Any], Plain]


@dataclass(frozen=True)
class Reset:
    """The state is what the latest symbol of `leads` leads to, else `start`."""

    start: Plain
    leads: Mapping[Any, Plain]


@dataclass(frozen=True)
class Cycle:
    """The state is that at the sum of `turns` modulo the number of states."""

    states: Sequence[Plain]
    turns: Mapping[Any, int]


@dataclass(frozen=True)
class Trap:
    """The state is `trap` once a symbol came in one of the states of `falls`; till then, that of
    `outside`.
    """

    outside: Reset
    trap: Plain
    falls: Mapping[tuple[Plain, Any], int] = field(default_factory=dict)


def machine_of(
    start: Plain, step: _Step, symbols: Iterable[Symbol]
) -> Reset | Cycle | Trap | None:
    """The machine with these states, if it is of one of the kinds."""
    read = tuple(symbols)
    states = _reachable(start, step, read)
    return (
        _as_reset(start, step, read, states)
        or _as_cycle(start, step, read, states)
        or _as_trap(start, step, read, states)
    )


def _reachable(
    start: Plain, step: _Step, symbols: Sequence[Symbol]
) -> tuple[Plain, ...]:
    found, waiting = {start: None}, [start]
    while waiting:
        state = waiting.pop()
        for symbol in symbols:
            target = step(state, symbol)
            if target not in found:
                found[target] = None
                waiting.append(target)
    return tuple(found)


def _as_reset(
    start: Plain,
    step: _Step,
    symbols: Sequence[Symbol],
    states: Sequence[Plain],
) -> Reset | None:
    leads = dict[Any, Plain]()
    for symbol in symbols:
        targets = [step(state, symbol) for state in states]
        if len(set(targets)) == 1 and len(states) > 1:
            leads[symbol] = targets[0]
        elif targets != list(states):
            return None
    return Reset(start, leads)


def _as_cycle(
    start: Plain,
    step: _Step,
    symbols: Sequence[Symbol],
    states: Sequence[Plain],
) -> Cycle | None:
    for symbol in symbols:
        ring = _ring(start, step, symbol)
        if len(ring) != len(states):
            continue
        at = {state: i for i, state in enumerate(ring)}
        turns = dict[Any, int]()
        for other in symbols:
            by = {
                (at[step(state, other)] - at[state]) % len(ring)
                for state in ring
            }
            if len(by) > 1:
                return None
            turns[other] = by.pop()
        return Cycle(ring, turns)
    return None


def _ring(start: Plain, step: _Step, symbol: Symbol) -> tuple[Plain, ...]:
    """The states that one symbol goes through, if it comes back to the first; else none."""
    found = [start]
    while (state := step(found[-1], symbol)) not in found:
        found.append(state)
    return tuple(found) if state == start else ()


def _as_trap(
    start: Plain,
    step: _Step,
    symbols: Sequence[Symbol],
    states: Sequence[Plain],
) -> Trap | None:
    for trap in states:
        if trap == start or any(step(trap, x) != trap for x in symbols):
            continue
        outside = [state for state in states if state != trap]
        falls = {
            (state, x): 1
            for state in outside
            for x in symbols
            if step(state, x) == trap
        }
        found = _outside(start, step, symbols, outside, falls)
        if found is not None:
            return Trap(found, trap, falls)
    return None


def _outside(
    start: Plain,
    step: _Step,
    symbols: Sequence[Symbol],
    states: Sequence[Plain],
    falls: Mapping[tuple[Plain, Any], int],
) -> Reset | None:
    """The machine outside its trap, where a symbol that falls may lead anywhere."""
    leads = dict[Any, Plain]()
    for symbol in symbols:
        kept = [s for s in states if (s, symbol) not in falls]
        targets = [step(state, symbol) for state in kept]
        if targets == kept:
            continue
        if len(set(targets)) > 1:
            return None
        leads[symbol] = targets[0]
    return Reset(start, leads)
