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

from handcraft.core.arguments import checked_call
from handcraft.core.errors import printable
from handcraft.sequence.computing import below, equal, otherwise
from handcraft.sequence.conditions import (
    Condition,
    There,
    at_key,
    bare,
    condition,
    there,
)
from handcraft.sequence.expression import Argument, Expression
from handcraft.sequence.mistakes import items, misused
from handcraft.sequence.notation import written
from handcraft.sequence.operations import Op, is_own
from handcraft.sequence.value_kinds import kinds_of

Wanted: TypeAlias = Mapping[int, Expression | str | Iterable[str]]
Selecting: TypeAlias = Condition | There | Expression
_HERE = Expression(op="here")


@checked_call()
def first(
    where: Wanted | Selecting,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The least selected position, None if there is none."""
    return _selection("first", where, before, every)


@checked_call()
def latest(
    where: Wanted | Selecting,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The greatest selected position, None if there is none."""
    return _selection("latest", where, before, every)


@checked_call()
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
            _distance(op, distance),
            what if isinstance(what, Expression | str) else _tokens(op, what),
        )
        for distance, what in where.items()
    )
    return Expression(op=op, where=rows, before=_limit(before), every=every)


def _distance(op: Op, distance: object) -> object:
    if type(distance) is not int:
        found = printable(repr(distance))[:60]
        raise misused(
            op, f"{{distance: token}} with whole numbers, found {found}"
        )
    return distance


def _limit(before: Argument | None) -> Argument | None:
    """The position before which a short selection chooses, None without one."""
    return None if before is None else bare(before)


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
    if isinstance(what, Condition | There):
        bare(what)
    tokens = tuple(what) if isinstance(what, Iterable) else (what,)
    if not all(isinstance(token, str) for token in tokens):
        raise misused(
            op, "a token, an expression or several tokens at each distance"
        )
    # a set has no fixed order
    return tuple(sorted(tokens)) if isinstance(what, Set) else tokens


@checked_call()
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
        return Expression(
            op="total", table=table, before=_limit(before), every=every
        )
    _no_limits("total", before, every)
    return _of_values("total_where", values, where)


@checked_call()
def mean(
    values: Argument | There, where: Selecting | None = None
) -> Expression:
    """The exact mean of a number over the selected positions; without a condition, over all."""
    return _of_values("mean", values, where)


@checked_call()
def best(score: Argument | There, where: Selecting | None = None) -> Expression:
    """The selected position with the greatest score; of equals, the first."""
    return _of_values("best", score, where)


def _of_values(
    op: Op, values: Argument | There, where: Selecting | None
) -> Expression:
    chosen = 1 if where is None else condition(where)
    found = Expression(op=op, args=(at_key(values), chosen))
    kinds_of(found)  # of tokens there is no sum, mean or greatest
    return found


@checked_call()
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
    if not isinstance(place, Condition | There):
        found = _at(at_key(value), place)
        if default is None:
            return found
        if found.op == "token_at":  # undefined outside the text only
            return otherwise(found, bare(default))
        place = equal(there(_HERE), place)
    node = condition(place)
    if isinstance(place, There) and _counts(node):
        raise misused(
            "fetch",
            f"a condition, or a position that is not in there(...), found {place!r};"
            f" write there(indices) == position, or the position itself",
        )
    rest = () if default is None else (bare(default),)
    return Expression(op="fetch", args=(at_key(value), node, *rest))


_FLAGS = ("equal", "below", "precedes", "both", "either", "negate")


def _counts(e: object) -> bool:
    """True for a position, such as there(indices) - 1, that stands where a condition is meant."""
    if not isinstance(e, Expression):
        return False
    computed = e.op in ("there", "add", "subtract", "multiply", "divide")
    places = e.op in ("here", "length")
    return places or (computed and any(map(_counts, e.args)))


def _at(value: Argument, place: Expression | int) -> Expression:
    if isinstance(place, bool):
        condition(place)
    if isinstance(place, Expression) and place.op in _FLAGS:
        raise misused(
            "fetch",
            f"a position, found {written(place)}, which is 1 or 0; a condition has"
            " there(...) in it, such as there(tokens) == 'a'",
        )
    if is_own(value):
        return Expression(op="token_at", args=(bare(place),))
    return Expression(op="value_at", args=(value, bare(place)))


@checked_call()
def any_(where: Selecting) -> Expression:
    """1 if a position is selected, else 0."""
    return below(0, count(where))


@checked_call()
def distinct(value: Argument) -> Expression:
    """1 if the value is another at every position, else 0."""
    again = (there(value) == value) & (there(_HERE) != _HERE)
    return Expression(op="equal", args=(total(any_(again)), 0))


@checked_call()
def lowest(
    values: Mapping[str, int], *, before: Argument | None = None
) -> Expression:
    """The least `total` over all beginnings of the text, the empty one included."""
    rows = _rows("lowest", values)
    return Expression(op="lowest", table=rows, before=_limit(before))


@checked_call()
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
    if not all(type(value) is int for _, value in rows):
        raise misused(op, expected)
    return tuple(((token,), value) for token, value in rows)
