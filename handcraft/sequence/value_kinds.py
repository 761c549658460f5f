"""The kinds of value that an expression can have, found without evaluating it.

The kinds are number, fraction, token and nothing (None). Each operation takes some kinds and
gives some, so an expression that uses a token as a number, or a number as a token, is refused
when its claim is made, not on the first context that shows it.

Rules of this file: the kinds found are never too few (every value is of one of them) and may be
too many; `nothing` is allowed everywhere, and whoever uses the value says what it means: nothing
claimed after a context, no answer to a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from handcraft.core.errors import ProgramError, printable
from handcraft.sequence.expression import Expression

Kind: TypeAlias = Literal["number", "fraction", "token", "nothing"]
Kinds: TypeAlias = frozenset[Kind]

NUMBER, TOKEN = frozenset[Kind](["number"]), frozenset[Kind](["token"])
FRACTION, NOTHING = frozenset[Kind](["fraction"]), frozenset[Kind](["nothing"])
GIVES = {
    "here": NUMBER,
    "end": NUMBER,
    "step": NUMBER,
    "count": NUMBER,
    "total": NUMBER,
    "lowest": NUMBER,
    "state": TOKEN,
}
ARITHMETIC = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "//",
    "modulo": "%",
}
MOST_SHOWN = 60  # characters of an expression in a message
MOST_ROWS = 4  # of a table in it


def kinds_of(value: Expression | int | str) -> Kinds:
    """The kinds that the value can have.

    Raises ProgramError, with the part in question, where an operation can be given a kind that
    it does not take.
    """
    if not isinstance(value, Expression):
        return TOKEN if isinstance(value, str) else NUMBER
    for _, what in value.where:
        if isinstance(what, Expression):
            _only(value, what, TOKEN, "compares with tokens")
    if value.before is not None:
        _only(
            value,
            value.before,
            NUMBER | FRACTION,
            "takes a position in before=",
        )
    if value.op in GIVES:
        return GIVES[value.op]
    if value.op in ("first", "latest"):
        return NUMBER | NOTHING
    return _computed(value)


def only(value: Expression, wanted: Kinds, role: str) -> None:
    """Raise ProgramError, with the value in question, unless its kinds are wanted or nothing."""
    if found := _wrong(kinds_of(value), wanted):
        raise ProgramError(f"{role}, but {written(value)} can be a {found}")


def _wrong(found: Kinds, wanted: Kinds) -> str:
    return " or a ".join(
        kind
        for kind in ("token", "fraction", "number")
        if kind in found - wanted
    )


def _only(
    e: Expression,
    part: Expression | int | str,
    wanted: Kinds,
    takes: str,
) -> Kinds:
    kinds = kinds_of(part)
    if found := _wrong(kinds, wanted):
        raise ProgramError(
            f"{e.op} {takes}, but in {written(e)} its {written(part)} can be a {found}"
        )
    return kinds


def _computed(e: Expression) -> Kinds:
    """The kinds of a node that is computed from other values."""
    if e.op in ("equal", "lookup", "otherwise", "cases"):
        return _chosen(e, [kinds_of(arg) for arg in e.args])
    args = [_only(e, arg, NUMBER | FRACTION, "takes numbers") for arg in e.args]
    silent = NOTHING & _all(args)
    if e.op == "token_at":
        return TOKEN | (silent if is_here(e.args[0]) else NOTHING)
    if e.op == "most":
        return TOKEN | silent
    if e.op == "below":
        return NUMBER | silent
    if e.op in ("divide", "modulo", "ratio") and isinstance(
        e.args[1], Expression
    ):
        silent = NOTHING  # by zero
    exact = e.op == "ratio" or (e.op != "divide" and "fraction" in _all(args))
    return (FRACTION if exact else NUMBER) | silent


def _chosen(e: Expression, args: list[Kinds]) -> Kinds:
    """The kinds of a node that compares, looks up or chooses: its arguments may be of any kind."""
    if e.op == "equal":
        return NUMBER | (NOTHING & _all(args))
    if e.op == "lookup":
        return NOTHING | _all(kinds_of(value) for value in e.rows.values())
    if e.op == "otherwise":
        first, default = args
        return (first - NOTHING) | default if "nothing" in first else first
    default = args[-1] if len(args) % 2 else NOTHING
    return _all(args[1::2]) | default


def _all(kinds: Iterable[Kinds]) -> Kinds:
    return frozenset[Kind]().union(*kinds)


# ------------------------------------------------------------ for messages


def is_here(value: object) -> bool:
    """True for the position itself."""
    return isinstance(value, Expression) and value.op == "here"


def written(value: Any) -> str:
    """A value as its author writes it, at most MOST_SHOWN characters."""
    text = _text(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."


def _text(value: Any) -> str:
    if not isinstance(value, Expression):
        return printable(repr(value))
    if value.op in ARITHMETIC:
        left, right = map(_operand, value.args)
        return f"{left} {ARITHMETIC[value.op]} {right}"
    if value.op in ("here", "end", "step"):
        return value.op
    if value.op == "token_at" and is_here(value.args[0]):
        return "own"
    return f"{value.op}({', '.join(_arguments(value))})"


def _operand(value: Any) -> str:
    nested = isinstance(value, Expression) and value.op in ARITHMETIC
    return f"({_text(value)})" if nested else _text(value)


def _dictionary(
    items: Iterable[tuple[Any, Any]], count: int | None = None
) -> str:
    """The rows as a dictionary; `count` is that of all rows where some are left out."""
    rows = [f"{_text(key)}: {_text(x)}" for key, x in items]
    more = [] if count is None else [f"... ({count} rows)"]
    return "{" + ", ".join([*rows, *more]) + "}"


def _arguments(e: Expression) -> Iterable[str]:
    keys = [key[0] if len(key) == 1 else key for key, _ in e.table]
    if e.op == "most":
        yield _dictionary(zip(keys, e.args, strict=True))
        return
    if e.op in ("first", "latest", "count"):
        yield _dictionary(e.where)
    if e.table:
        values = (value for _, value in e.table)
        rows = list(zip(keys, values, strict=True))
        left_out = len(rows) > MOST_ROWS
        yield _dictionary(rows[:MOST_ROWS], len(rows) if left_out else None)
    yield from map(_text, e.args)
    if e.before is not None:
        yield f"before={_text(e.before)}"
