"""Words that select positions: by a condition, or in short by the tokens at some distances.

    count(condition)              the number of positions that it selects
    total(e, condition)           the sum of e over them; without a condition, over all
    mean(e, condition)            the mean, exactly; None where nothing is selected
    first(condition)              the least of the positions, None if there is none
    latest(condition)             the greatest
    best(e, condition)            the position with the greatest e; of equals, the first
    fetch(e, condition)           e at the only selected position: None at several, `default=` at
                                  none, or None
    fetch(e, position)            e at a position, None outside the text
    any_(condition)               1 if a position is selected, else 0
    distinct(e)                   1 if e is another at every position, else 0

e is read at the key position, as if it stood in `there`. What is undefined is never selected;
a sum with an undefined value is undefined, and `best` passes over an undefined one.

In short, where tokens are asked for: count({0: "a", -1: own}) selects every a that comes right
after a copy of the last token. A tuple of tokens matches each of them. `before=` keeps the
positions below it, `every=(start, step)` those from start in steps.

    count(where), first(where), latest(where)
    total({token: number})        the sum of one number a token
    lowest({token: number})       the least such sum over all beginnings of the text
    state(delta, start)           the state of a finite automaton after every token

Rules of this file: one function a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeAlias

from handcraft.sequence.computing import below, items, misused
from handcraft.sequence.conditions import (
    Condition,
    There,
    at_key,
    condition,
    there,
)
from handcraft.sequence.expression import Argument, Expression, Op

__all__ = [
    "any_",
    "best",
    "count",
    "distinct",
    "fetch",
    "first",
    "latest",
    "lowest",
    "mean",
    "state",
    "total",
]

Wanted: TypeAlias = Mapping[int, Expression | str | Iterable[str]]
Selecting: TypeAlias = Condition | There | Expression
_HERE = Expression(op="here")


def first(
    where: Wanted | Selecting,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The least selected position, None if there is none."""
    return _selection("first", where, before, every)


def latest(
    where: Wanted | Selecting,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The greatest selected position, None if there is none."""
    return _selection("latest", where, before, every)


def count(
    where: Wanted | Selecting,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The number of selected positions."""
    return _selection("count", where, before, every)


_BY_CONDITION: Mapping[str, Op] = {
    "first": "first_where",
    "latest": "latest_where",
    "count": "count_where",
}


def _selection(
    op: Op,
    where: Any,
    before: Argument | None,
    every: tuple[int, int],
) -> Expression:
    if not isinstance(where, Mapping):
        _no_limits(op, before, every)
        return Expression(op=_BY_CONDITION[op], args=(condition(where),))
    rows = tuple(
        (
            offset,
            what if isinstance(what, Expression | str) else _tokens(op, what),
        )
        for offset, what in where.items()
    )
    return Expression(op=op, where=rows, before=before, every=every)


def _no_limits(
    op: str, before: Argument | None, every: tuple[int, int]
) -> None:
    if before is not None or every != (0, 1):
        raise misused(
            op,
            "before= and every= with {distance: token} only; beside a condition write"
            " & (there(here) < position)",
        )


def _tokens(op: Op, what: object) -> tuple[str, ...]:
    tokens = tuple(what) if isinstance(what, Iterable) else (what,)
    if not all(isinstance(token, str) for token in tokens):
        raise misused(
            op, "a token, an expression or several tokens at each distance"
        )
    # a set has no fixed order
    return tuple(sorted(tokens)) if isinstance(what, Set) else tokens


def total(
    values: Mapping[str, int] | Argument | There,
    where: Selecting | None = None,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The sum of a number over the selected positions; without a condition, over all.

    In short, of {token: number}: a token without a number counts 0.
    """
    if isinstance(values, Mapping):
        if where is not None:
            raise misused(
                "total", "a condition beside an expression, not beside a table"
            )
        table = _rows("total", values)
        return Expression(op="total", table=table, before=before, every=every)
    _no_limits("total", before, every)
    return _of_values("total_where", values, where)


def mean(
    values: Argument | There, where: Selecting | None = None
) -> Expression:
    """The exact mean of a number over the selected positions; without a condition, over all."""
    return _of_values("mean", values, where)


def best(score: Argument | There, where: Selecting | None = None) -> Expression:
    """The selected position with the greatest score; of equals, the first."""
    return _of_values("best", score, where)


def _of_values(
    op: Op, values: Argument | There, where: Selecting | None
) -> Expression:
    node = 1 if where is None else condition(where)
    return Expression(op=op, args=(at_key(values), node))


def fetch(
    value: Argument | There,
    place: Selecting | int,
    *,
    default: Argument | None = None,
) -> Expression:
    """The value at a position, or at the only position that a condition selects.

    default  the value where no position is selected; None without it. At several positions the
             value is undefined
    """
    if isinstance(place, Condition | There):
        args = (at_key(value), condition(place))
        return Expression(
            op="fetch", args=args if default is None else (*args, default)
        )
    found = _at(at_key(value), place)
    return (
        found
        if default is None
        else Expression(op="otherwise", args=(found, default))
    )


def _at(value: Argument, place: Expression | int) -> Expression:
    if isinstance(place, bool):
        condition(place)
    own = isinstance(value, Expression) and value.op == "token_at"
    if own and isinstance(value, Expression) and value.args[0] == _HERE:
        return Expression(op="token_at", args=(place,))
    return Expression(op="value_at", args=(value, place))


def any_(where: Selecting) -> Expression:
    """1 if a position is selected, else 0."""
    return below(0, count(where))


def distinct(value: Argument) -> Expression:
    """1 if the value is another at every position, else 0."""
    again = (there(value) == value) & (there(_HERE) != _HERE)
    return Expression(op="equal", args=(total(any_(again)), 0))


def lowest(
    values: Mapping[str, int], *, before: Argument | None = None
) -> Expression:
    """The least `total` over all beginnings of the text, the empty one included."""
    return Expression(op="lowest", table=_rows("lowest", values), before=before)


def state(delta: Mapping[str, Mapping[str, str]], start: str) -> Expression:
    """The state of a finite automaton after the text.

    `delta` is {state: {token: next state}}; a token without an entry does not change the state.
    """
    expected = "{state: {token: next state}} and a start"
    rows = [
        ((at, token), to)
        for at, row in items("state", delta, expected)
        for token, to in items("state", row, expected)
    ]
    return Expression(op="state", table=(((), start), *rows))


def _rows(
    op: Op, values: Mapping[str, int]
) -> tuple[tuple[tuple[str], int], ...]:
    expected = "{token: whole number}"
    rows = items(op, values, expected)
    if not all(isinstance(value, int) for _, value in rows):
        raise misused(op, expected)
    return tuple(((token,), value) for token, value in rows)
