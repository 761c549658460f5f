"""Words that compute one value from others that are read at the same position.

    ratio(a, b)                   the exact quotient; + - * // % are written as operators
    min_(a, b, ...), max_(...)    the least, the greatest
    clip(a, low, high)            a, but low or high where it is beyond them
    round_(a)                     the nearest whole number; of two as near, the greater
    equal(a, b), below(a, b)      1 or 0
    lookup(table, a, ...)         an entry of a table; `default=` where it has none, else None
    map_(function, a, over=...)   the table of a function over the values that a can have
    where(condition, a, b)        a where the condition is neither 0 nor None, else b
    cases((condition, value), ..., default)
                                  the value of the first condition that is neither 0 nor None
    otherwise(a, default)         a, or the default where a is None
    given(condition, a)           a, and nothing said where the condition does not hold
    most({token: number})         the token of the greatest number; of equals, the first

With a `there(e)` among what they are computed from, they give a part of a condition.

Rules of this file: one function a word; handcraft.sequence.values says what each means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from itertools import chain, islice
from typing import Any, TypeAlias

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.core.source import caller
from handcraft.sequence.conditions import (
    Condition,
    There,
    bare,
    comparison,
    condition,
    no_number,
    operand,
    same_kind,
)
from handcraft.sequence.expression import Argument, Expression
from handcraft.sequence.mistakes import items, misused
from handcraft.sequence.operations import Op
from handcraft.sequence.value_kinds import NOTHING, TOKEN, kinds_of

Argued: TypeAlias = Argument | There
_MOST_VALUES = 10_000  # of a table made from a function


def _made(op: Op, *args: object, table: Any = (), flag: bool = False) -> Any:
    """The node of these values; part of a condition where one of them is."""
    paired = any(isinstance(arg, There | Condition) for arg in args)
    node = Expression(op=op, args=tuple(map(operand, args)), table=table)
    if not paired:
        return node
    return Condition(node) if flag else There(node)


@checked_call()
def ratio(a: Argued, b: Argued) -> Expression:
    """The exact quotient a / b; None where b is 0."""
    return _made("ratio", a, b)


@checked_call()
def equal(a: Argued, b: Argued) -> Expression:
    """1 where the two are equal, else 0."""
    if isinstance(a, There) or isinstance(b, There):
        return comparison("equal", "==", a, b)  # type: ignore[return-value]
    if isinstance(a, int | str) or isinstance(b, int | str):
        same_kind("equal", operand(a), operand(b))
    return _made("equal", a, b, flag=True)


@checked_call()
def below(a: Argued, b: Argued) -> Expression:
    """1 where the number a is less than the number b, or a token comes before one; else 0."""
    if isinstance(a, There) or isinstance(b, There):
        return comparison("below", "<", a, b)  # type: ignore[return-value]
    tokens = [
        isinstance(x, Expression | str) and kinds_of(x) - NOTHING == TOKEN
        for x in (a, b)
    ]
    return _made("precedes" if all(tokens) else "below", a, b, flag=True)


@checked_call()
def min_(*values: Argued) -> Expression:
    """The least of some numbers at one position."""
    _several_values("min_", "0 - e", values)
    return _made("least", *values)


@checked_call()
def max_(*values: Argued) -> Expression:
    """The greatest of some numbers at one position."""
    _several_values("max_", "e", values)
    return _made("greatest", *values)


def _several_values(word: str, score: str, values: tuple[Argued, ...]) -> None:
    """Checks that it is not one alone, whose least or greatest would be meant among positions."""
    if len(values) == 1:
        raise misused(
            word,
            "two values or more, all at one position; among all positions write"
            f" fetch(e, best({score}))",
        )


@checked_call()
def clip(value: Argued, low: Argued, high: Argued) -> Expression:
    """The value, or `low` where it is less, or `high` where it is more."""
    return max_(low, min_(value, high))


@checked_call()
def round_(value: Argued) -> Expression:
    """The nearest whole number; of two that are as near, the greater."""
    if isinstance(value, Condition):
        raise no_number()
    return _made("divide", _made("add", _made("multiply", value, 2), 1), 2)


@checked_call()
def lookup(
    table: Mapping[Any, int | str],
    *args: Argued,
    default: Argued | None = None,
) -> Expression:
    """The table's entry for the arguments; the default, or None, if it has none.

    The keys are values for one argument, tuples of values for several. An undefined argument has
    no entry.
    """
    rows = items(
        "lookup", table, "a table {value: value} and what is looked up"
    )
    _plain(
        (x for key, value in rows for x in (*_several(key), value)),
        "lookup",
        "a table of whole numbers and tokens",
        "; for a value that is computed write cases((condition, value), ...), and leave"
        " out what is undefined",
    )
    entries = tuple((_several(key), value) for key, value in rows)
    found = _made("lookup", *args, table=entries)
    return found if default is None else otherwise(found, default)


def _several(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _plain(
    values: Iterable[object], word: str, expected: str, instead: str = ""
) -> None:
    """Checks that all are numbers or tokens. Raises ProgramError if not."""
    for x in values:
        if isinstance(x, bool) or not isinstance(x, int | str):
            found = printable(repr(x))[:60]
            raise misused(word, f"{expected}, found {found}{instead}")


@checked_call()
def map_(
    function: Callable[..., int | str | None],
    *args: Argued,
    over: Iterable[Any] | None = None,
) -> Expression:
    """The table of a function, asked once for each of the values that it will be given.

    over  the values of one argument, or tuples for several
    Raises ProgramError where the function raises, or gives no whole number, token or None.
    """
    if not callable(function):
        raise misused("map_", "a function first, then what it is asked for")
    keys = _keys(over, len(args))
    _plain(chain(*keys), "map_", "whole numbers and tokens in over=")
    table = {key: _asked(function, key) for key in keys}
    return lookup({k: x for k, x in table.items() if x is not None}, *args)


def _keys(over: Any, many: int) -> list[tuple[Any, ...]]:
    """The values that a function of so many arguments is asked for, a tuple each."""
    if not isinstance(over, Iterable):
        raise misused(
            "map_",
            "over=, the values that it is asked for, such as 'abc' or range(9)",
        )
    values = [*islice(over, _MOST_VALUES + 1)]
    if len(values) > _MOST_VALUES:
        raise misused("map_", f"at most {_MOST_VALUES} values in over=")
    keys = [_several(key) for key in values]
    if any(len(key) != many for key in keys):
        each = "a value" if many == 1 else f"a tuple of {many} values"
        raise misused("map_", f"{each} for each row of over=")
    # a set has no fixed order
    return sorted(keys, key=repr) if isinstance(over, Set) else keys


def _asked(function: Callable[..., Any], key: tuple[Any, ...]) -> Any:
    shown = f"map_: the function of {printable(repr(key if len(key) > 1 else key[0]))}"
    try:
        value = function(*key)
    except Exception as error:  # whatever an author's function raises
        name = type(error).__name__
        message = f"{shown} raises {name}: {printable(str(error))[:80]}"
        raise ProgramError(message, ("claim",), caller()) from None
    if isinstance(value, bool):
        return int(value)
    if value is not None and not isinstance(value, int | str):
        found = printable(repr(value))[:60]
        message = (
            f"{shown} gives a whole number, a token or None; found {found}"
        )
        raise ProgramError(message, ("claim",), caller())
    return value


@checked_call()
def otherwise(value: Argued, default: Argued) -> Expression:
    """The value, or the default where the value is None."""
    return _made("otherwise", value, default)


@checked_call()
def where(
    when: Expression | Condition | There, then: Argued, default: Argued
) -> Expression:
    """`then` where the condition is neither 0 nor None, else the default."""
    if not isinstance(when, int) or isinstance(when, bool):
        condition(when)
    return cases((when, then), default)


@checked_call()
def given(when: Expression | Condition | There, value: Argued) -> Expression:
    """The value where the condition holds: a precondition, without which nothing is said."""
    condition(when)
    return _made("given", value, when)


@checked_call()
def cases(
    *rows: tuple[Argued | Condition, Argued] | Argued,
) -> Expression:
    """The value of the first (condition, value) pair whose condition is neither 0 nor None.

    A last argument that is no pair is the default; without one it is None.
    """
    pairs = [row for row in rows if isinstance(row, tuple) and len(row) == 2]
    default = rows[-1:] if len(pairs) == len(rows) - 1 else rows[:0]
    misplaced = not rows or (*pairs, *default) != rows
    if misplaced or any(_is_nest(row) for row in default):
        raise misused(
            "cases",
            "(condition, value) pairs, and one value at the end as the default",
        )
    for when, _ in pairs:
        if isinstance(when, bool | str):
            condition(when)
    parts = (row if isinstance(row, tuple) else (row,) for row in rows)
    return _made("cases", *chain.from_iterable(parts))


def _is_nest(value: object) -> bool:
    return isinstance(value, tuple | list | Set | Mapping)


@checked_call()
def most(numbers: Mapping[str, Argument]) -> Expression:
    """The token with the greatest number; of equals, the first named."""
    rows = items("most", numbers, "{token: number} with at least one token")
    return Expression(
        op="most",
        args=tuple(bare(number) for _, number in rows),
        table=tuple(((token,), 0) for token, _ in rows),
    )
