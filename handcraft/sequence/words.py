"""The words of claims: functions that build expressions, which are data and can be proved.

    here, end                    the index of the last token; of the last token of the prompt
    own, token_at(i)             the token there, None outside the context
    first(where), latest(where)  the least or greatest matching position, None if none matches
    count(where)                 the number of matching positions
    total(values)                the sum of one number a token
    lowest(values)               the least such sum over all beginnings of the context
    state(delta, start)          the state of a finite automaton after every token
    + - * // %                   of whole numbers; a division by zero is None
    equal(a, b), below(a, b)     1 or 0
    lookup(table, a, ...)        an entry of a table, None if it has none
    cases((if, then), ..., default)
                                 the first whose condition is neither 0 nor None
    otherwise(a, default)        a, or the default where a is None
    most({token: number})        the token of the greatest number; of equals, the first
    ratio(a, b)                  the exact quotient, for a claim on a lane
    step                         the number of a transducer's step

`where` says which token must stand at a distance from the position: {0: "a", -1: own} matches
every a that comes right after a copy of the last token; a tuple of tokens matches each of them.
Every selection but `state` takes `before=`: only positions below it count. All but `lowest` and
`state` take `every=(start, step)`.

Rules of this file: one function a word; handcraft.sequence.evaluate says what each means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import chain
from typing import Any, TypeAlias

from handcraft.core.errors import ProgramError
from handcraft.core.source import caller as line
from handcraft.sequence.evaluate import combine, evaluate
from handcraft.sequence.expression import Argument, Expression, Op

__all__ = [
    "Expression",
    "below",
    "cases",
    "combine",
    "count",
    "end",
    "equal",
    "evaluate",
    "first",
    "here",
    "latest",
    "lookup",
    "lowest",
    "most",
    "otherwise",
    "own",
    "ratio",
    "state",
    "step",
    "token_at",
    "total",
]

_Where: TypeAlias = Mapping[int, Expression | str | Iterable[str]]

here = Expression(op="here")
end = Expression(op="end")
step = Expression(op="step")


def token_at(position: Argument) -> Expression:
    """The token at a position, None outside the context."""
    return Expression(op="token_at", args=(position,))


own = token_at(here)


def _selection(
    op: Op,
    where: _Where,
    before: Argument | None,
    every: tuple[int, int],
) -> Expression:
    wanted = _items(
        op, where, "{distance: what must stand there}, such as {-1: own}"
    )
    rows = tuple(
        (
            offset,
            what if isinstance(what, Expression | str) else _tokens(op, what),
        )
        for offset, what in wanted
    )
    return Expression(op=op, where=rows, before=before, every=every)


def _tokens(op: Op, what: object) -> tuple[str, ...]:
    tokens = tuple(what) if isinstance(what, Iterable) else (what,)
    if not all(isinstance(token, str) for token in tokens):
        raise _wrong(
            op, "a token, an expression or several tokens at each distance"
        )
    # a set has no fixed order
    return tuple(sorted(tokens)) if isinstance(what, Set) else tokens


def _items(
    op: Op,
    table: Mapping[Any, Any],
    expected: str,
) -> tuple[tuple[Any, Any], ...]:
    if not isinstance(table, Mapping):
        raise _wrong(op, expected)
    return tuple(table.items())


def _wrong(op: Op, expected: str) -> ProgramError:
    return ProgramError(f"{op} takes {expected}", ("claim",), line())


def first(
    where: _Where,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The least matching position, None if none matches."""
    return _selection("first", where, before, every)


def latest(
    where: _Where,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The greatest matching position, None if none matches."""
    return _selection("latest", where, before, every)


def count(
    where: _Where,
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The number of matching positions."""
    return _selection("count", where, before, every)


def total(
    values: Mapping[str, int],
    *,
    before: Argument | None = None,
    every: tuple[int, int] = (0, 1),
) -> Expression:
    """The sum of one number a token; a token without a number counts 0."""
    table = _rows("total", values)
    return Expression(op="total", table=table, before=before, every=every)


def lowest(
    values: Mapping[str, int], *, before: Argument | None = None
) -> Expression:
    """The least `total` over all beginnings of the context, the empty one included."""
    return Expression(op="lowest", table=_rows("lowest", values), before=before)


def state(delta: Mapping[str, Mapping[str, str]], start: str) -> Expression:
    """The state of a finite automaton after the context.

    `delta` is {state: {token: next state}}; a token without an entry does not change the state.
    """
    expected = "{state: {token: next state}} and a start"
    rows = [
        ((at, token), to)
        for at, row in _items("state", delta, expected)
        for token, to in _items("state", row, expected)
    ]
    return Expression(op="state", table=(((), start), *rows))


def ratio(a: Argument, b: Argument) -> Expression:
    """The exact quotient a / b, for claims on a lane; None where b is 0."""
    return Expression(op="ratio", args=(a, b))


def equal(a: Argument, b: Argument) -> Expression:
    """1 where the two are equal, else 0."""
    return Expression(op="equal", args=(a, b))


def below(a: Argument, b: Argument) -> Expression:
    """1 where the number a is less than the number b, else 0."""
    return Expression(op="below", args=(a, b))


def lookup(table: Mapping[Any, int | str], *args: Argument) -> Expression:
    """The table's entry for the arguments, None if it has none.

    The keys are values for one argument, tuples of values for several.
    """
    rows = _items(
        "lookup", table, "a table {value: value} and what is looked up"
    )
    entries = tuple(
        (key if isinstance(key, tuple) else (key,), value)
        for key, value in rows
    )
    return Expression(op="lookup", args=args, table=entries)


def otherwise(value: Argument, default: Argument) -> Expression:
    """The value, or the default where the value is None."""
    return Expression(op="otherwise", args=(value, default))


def cases(*rows: tuple[Argument, Argument] | Argument) -> Expression:
    """The value of the first (condition, value) pair whose condition is neither 0 nor None.

    A last argument that is no pair is the default; without one it is None.
    """
    pairs = all(isinstance(row, tuple) and len(row) == 2 for row in rows[:-1])
    if not rows or not pairs:
        raise _wrong(
            "cases",
            "(condition, value) pairs, and one value at the end as the default",
        )
    parts = (row if isinstance(row, tuple) else (row,) for row in rows)
    return Expression(op="cases", args=tuple(chain.from_iterable(parts)))


def most(numbers: Mapping[str, Argument]) -> Expression:
    """The token with the greatest number; of equals, the first named."""
    rows = _items("most", numbers, "{token: number} with at least one token")
    return Expression(
        op="most",
        args=tuple(number for _, number in rows),
        table=tuple(((token,), 0) for token, _ in rows),
    )


def _rows(
    op: Op, values: Mapping[str, int]
) -> tuple[tuple[tuple[str], int], ...]:
    expected = "{token: whole number}"
    rows = _items(op, values, expected)
    if not all(isinstance(value, int) for _, value in rows):
        raise _wrong(op, expected)
    return tuple(((token,), value) for token, value in rows)
