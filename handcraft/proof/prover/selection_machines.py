"""Automata that follow the selections of a claim token by token.

A selection of `handcraft.sequence.words` looks at a whole context. Read from the left, each
needs little memory:

    first, latest    a position, or the token found there
    count, total     a number
    lowest           a sum, and the least sum so far
    state            where the automaton stands
    token_at(i)      the token, once position i has passed

A condition at a distance, {-1: "a"}, remembers only which of the last tokens matched. Rules of
this file: what a condition compares with, and where a selection ends, must be known beforehand.
The meaning is that of `sequence.expression.evaluate`; tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any

from handcraft.proof.prover.network import Undecided
from handcraft.sequence.expression import Expression

MOST_BACK = 1_000  # tokens that a condition may look back
_Known = Callable[
    [Any], Any
]  # the value of an expression that is known beforehand


@dataclass(frozen=True)
class Tracker:
    """An automaton for one selection: a memory, how a token at a position changes it, the
    value it gives.

    Tokens of one role at a position change every memory in the same way; `placed` is true if
    the role depends on the position.
    """

    start: Hashable
    step: Callable[[Any, int, str], Any]
    value: Callable[[Any], Any]
    role: Callable[[int, str], Hashable]
    placed: bool = False


def _same(state: Any) -> Any:
    return state


def track(e: Expression, known: _Known) -> Tracker:
    """Return the tracker of a selection, or of the token at a known, first or latest position."""
    if e.op == "token_at":
        return _token(e, known)
    if e.op in ("count", "first", "latest"):
        return _matching(e, known)
    if e.op in ("total", "lowest"):
        return _summing(e, known)
    if e.op == "state":
        table = dict(e.table)
        states = {table[()], *table.values()}
        columns = {
            token: tuple(table.get((at, token), at) for at in states)
            for _, token in filter(None, table)
        }
        return Tracker(
            table[()],
            lambda at, _, x: table.get((at, x), at),
            _same,
            lambda _, x: columns.get(x),
        )
    raise Undecided(f"the claim's {e.op} cannot be followed")


def _token(e: Expression, known: _Known) -> Tracker:
    place = e.args[0]
    if isinstance(place, Expression) and place.op in ("first", "latest"):
        return _matching(place, known, token=True)
    target = known(place)
    return Tracker(
        None,
        lambda state, j, x: x if j == target else state,
        _same,
        lambda j, x: x if j == target else None,
        placed=True,
    )


def _within(e: Expression, known: _Known) -> Callable[[int], bool]:
    start, every = e.every
    if e.before is None:
        return lambda j: j >= start and (j - start) % every == 0
    stop = known(e.before)
    return lambda j: (
        stop is not None and start <= j < stop and (j - start) % every == 0
    )


def _matching(e: Expression, known: _Known, *, token: bool = False) -> Tracker:
    """Return the tracker of count, first or latest. Its memory is the value so far, and
    whether each of the last tokens matched each condition.
    """
    within = _within(e, known)
    rows = [
        (offset, known(what) if isinstance(what, Expression) else what)
        for offset, what in e.where
    ]
    if any(offset > 0 for offset, _ in rows):
        raise Undecided("the claim selects a position by what stands behind it")
    if any(-offset > MOST_BACK for offset, _ in rows):
        raise Undecided(f"the claim looks back by more than {MOST_BACK} tokens")

    @cache
    def fits(x: str) -> tuple[bool, ...]:
        return tuple(
            [
                x in what if isinstance(what, tuple) else x == what
                for _, what in rows
            ]
        )

    def step(state: Any, j: int, x: str) -> Any:
        value, history = state
        met = within(j) and all(
            past[0] if past else fit
            for fit, past in zip(fits(x), history, strict=True)
        )
        if met:
            value = _taken(e.op, value, x if token else j)
        return value, tuple(
            [
                (*past, fit)[1:] if past else past
                for fit, past in zip(fits(x), history, strict=True)
            ]
        )

    matches = cache(lambda x: all(fits(x)))

    def step_here(state: Any, j: int, x: str) -> Any:
        if not (matches(x) and within(j)):
            return state
        return _taken(e.op, state[0], x if token else j), state[1]

    def role(_: int, x: str) -> Hashable:
        return fits(x), x if token else None

    start = 0 if e.op == "count" else None
    return Tracker(
        (start, tuple((False,) * -offset for offset, _ in rows)),
        step if any(offset for offset, _ in rows) else step_here,
        lambda state: state[0],
        role,
    )


def _taken(op: str, value: Any, found: Any) -> Any:
    if op == "count":
        return value + 1
    return value if op == "first" and value is not None else found


def _summing(e: Expression, known: _Known) -> Tracker:
    within = _within(e, known)
    values = {key[0]: int(value) for key, value in e.table}
    if e.op == "total":
        return Tracker(
            0,
            lambda s, j, x: s + values.get(x, 0) if within(j) else s,
            _same,
            lambda _, x: values.get(x, 0),
        )

    def step(state: tuple[int, int], j: int, x: str) -> tuple[int, int]:
        total = state[0] + (values.get(x, 0) if within(j) else 0)
        return total, min(state[1], total)

    return Tracker(
        (0, 0), step, lambda state: state[1], lambda _, x: values.get(x, 0)
    )


def values_of(e: Any, tokens: tuple[str, ...], n_ctx: int) -> list[Any]:
    """Return every value that an expression which must be guessed can have. Raises
    Undecided if there are too many to try.
    """
    if not isinstance(e, Expression):
        return [e]
    simple = {
        "first": [None, *range(n_ctx)],
        "latest": [None, *range(n_ctx)],
        "count": list(range(n_ctx + 1)),
        "token_at": [None, *tokens],
        "lookup": [None, *e.rows.values()],
        "most": [None, *e.tokens],
    }
    if e.op in simple:
        return list(dict.fromkeys(simple[e.op]))
    if e.op == "otherwise":
        return _united(
            [
                [
                    x
                    for x in values_of(e.args[0], tokens, n_ctx)
                    if x is not None
                ],
                values_of(e.args[1], tokens, n_ctx),
            ]
        )
    if e.op == "cases":
        answers = (
            *e.args[1::2],
            *(e.args[-1:] if len(e.args) % 2 else (None,)),
        )
        return _united([values_of(answer, tokens, n_ctx) for answer in answers])
    raise Undecided(
        f"the claim compares with {e.op}, which has too many values to try"
    )


def _united(lists: list[list[Any]]) -> list[Any]:
    """Return each value once, in the order in which they come."""
    return list(dict.fromkeys(value for values in lists for value in values))
