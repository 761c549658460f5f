"""Computes single values: what an operation gives where the values of its arguments are known.

    combine(node, values)   the value of any operation that is no selection
    chosen(node, ask)       the same of an `otherwise` or a `cases`, which ask for what they need
    shown(value)            a value as a text for messages

None means undefined and propagates like NaN: what is computed from it is None. The exceptions
are conditions, where `&` is 0 where one side is and `|` is 1 where one side is, whatever the other
is, and the two operations that choose.

Rules of this file: this is the meaning that proofs are compared with, so it stays plain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from handcraft.core.errors import ProgramError, printable
from handcraft.sequence.expression_checks import LARGEST_NUMBER
from handcraft.sequence.operations import Fields, branches_of, word_of

Value: TypeAlias = int | str | Fraction | None
Scope: TypeAlias = Mapping[str, int]  # the values of here, end and step
LONGEST_NUMBER = 66_439  # bits of a number, 20,000 digits
LAZY = (
    "cases",
    "otherwise",
)  # operations that evaluate only the argument they choose


def chosen(e: Fields, ask: Callable[[Any], Value]) -> Value:
    """The value of an `otherwise` or a `cases`, where `ask` gives the value of an argument.

    It is called for the same arguments that `evaluate` looks at, and for no others.
    """
    if e.op == "otherwise":
        first = ask(e.args[0])
        return ask(e.args[1]) if first is None else first
    pairs, default = branches_of(e.args)
    for when, then in pairs:
        if ask(when) not in (0, None):
            return ask(then)
    return None if default is None else ask(default)


def combine(
    e: Fields, values: Sequence[Value], tokens: Sequence[str] = ()
) -> Value:
    """The value of a node that is not a selection, from the values of its arguments."""
    if (known := DESPITE_NONE.get(e.op)) is not None:
        return known(*values)
    if None in values:
        return None
    if (operation := ARITHMETIC.get(e.op)) is not None:
        return operation(*(as_number(e, value) for value in values))
    return _LOOKUPS[e.op](e, values, tokens)


def bounded(value: int | Fraction) -> int | Fraction:
    """The number itself. Raises ProgramError for one that is too long to be computed with."""
    if type(value) is int and -(2**64) < value < 2**64:
        return value
    bits = value.numerator.bit_length() + value.denominator.bit_length()
    if bits > LONGEST_NUMBER:
        raise ProgramError(
            "a number grows beyond 20000 digits, which is more than anything can say",
            ("claim",),
        )
    return value


def _no_longer(value: int | Fraction) -> int | Fraction:
    """A sum, which is too long only where it is a fraction."""
    return value if type(value) is int else bounded(value)


ARITHMETIC: Mapping[str, Callable[[Any, Any], Value]] = {
    "add": lambda a, b: _no_longer(a + b),
    "subtract": lambda a, b: _no_longer(a - b),
    "multiply": lambda a, b: bounded(a * b),
    "divide": lambda a, b: a // b if b else None,
    "modulo": lambda a, b: a % b if b else None,
    "ratio": lambda a, b: bounded(Fraction(a) / b) if b else None,
    "below": lambda a, b: int(a < b),
}


def _either(a: Value, b: Value) -> Value:
    if any(x not in (0, None) for x in (a, b)):
        return 1
    return None if None in (a, b) else 0


def _case(*args: Value) -> Value:
    """The value beside the first condition that holds, else the default."""
    pairs, default = branches_of(args)
    return next((x for when, x in pairs if when not in (0, None)), default)


# operations that can have a value where an argument has none
DESPITE_NONE: Mapping[str, Callable[..., Value]] = {
    "both": lambda a, b: 0 if 0 in (a, b) else None if None in (a, b) else 1,
    "either": _either,
    "negate": lambda a: None if a is None else int(a == 0),
    "otherwise": lambda a, b: b if a is None else a,
    "cases": _case,
}


def as_number(e: Fields, value: Value) -> int | Fraction:
    if isinstance(value, str) or value is None:
        raise _wrong(e, "takes numbers", value)
    return value


def token_of(e: Fields, value: Value) -> str:
    if not isinstance(value, str):
        raise _wrong(e, "compares tokens", value)
    return value


def _wrong(e: Fields, takes: str, found: Value) -> ProgramError:
    message = f"{word_of(e.op)} {takes}, found {shown(found)}"
    return ProgramError(message, ("claim",))


def shown(value: object) -> str:
    """A value as a text for a message; a number too long to be read is only named."""
    limit = LARGEST_NUMBER**3
    if isinstance(value, int | Fraction) and not -limit < value < limit:
        return "a number of more than 27 digits"
    if isinstance(value, Fraction):
        return str(value)
    return printable(repr(value))


def _token_at(
    e: Fields, values: Sequence[Value], tokens: Sequence[str]
) -> Value:
    position = as_number(e, values[0])
    inside = 0 <= position < len(tokens)
    if not inside or position != int(position):
        return None
    return tokens[int(position)]


def _most(e: Fields, values: Sequence[Value], _: Sequence[str]) -> Value:
    numbers = [as_number(e, value) for value in values]
    best = numbers.index(max(numbers))  # of equals, the first
    (token,), _ = e.table[best]
    return token


_Combine: TypeAlias = Callable[[Fields, Sequence[Value], Sequence[str]], Value]
_LOOKUPS: Mapping[str, _Combine] = {
    "token_at": _token_at,
    "equal": lambda _, values, __: int(values[0] == values[1]),
    "lookup": lambda e, values, _: e.rows.get(tuple(values)),
    "most": _most,
    "precedes": lambda e, values, _: int(
        token_of(e, values[0]) < token_of(e, values[1])
    ),
    "least": lambda e, values, _: min(as_number(e, x) for x in values),
    "greatest": lambda e, values, _: max(as_number(e, x) for x in values),
    "given": lambda _, values, __: None if values[1] == 0 else values[0],
}
