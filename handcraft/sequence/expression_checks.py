"""What makes no expression: the rules that each node of a claim's language is held to when it
is made.

Expressions are written by hand, or read from a file that may be anyone's: the number of values,
the fields that an operation takes, the shape of its table, and bounds on depth, size and
numbers. Rules of this file: one node at a time, for what it is made of was accepted before; a
message says what would work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from handcraft.core.errors import ProgramError, printable

# how far expressions may be nested: what is deeper comes from nobody's hand
DEEPEST = 40
MOST_PARTS = 5_000  # nodes of an expression, each counted as often as it stands in it
LARGEST_NUMBER = 10**9  # of the numbers that are written in it
ARITY: Mapping[str, int] = {
    "here": 0,
    "end": 0,
    "step": 0,
    "token_at": 1,
    "first": 0,
    "latest": 0,
    "count": 0,
    "total": 0,
    "lowest": 0,
    "state": 0,
    "add": 2,
    "subtract": 2,
    "multiply": 2,
    "divide": 2,
    "modulo": 2,
    "ratio": 2,
    "equal": 2,
    "below": 2,
    "otherwise": 2,
}
TAKES: Mapping[str, tuple[str, ...]] = {  # beside `args`
    "first": ("where", "before", "every"),
    "latest": ("where", "before", "every"),
    "count": ("where", "before", "every"),
    "total": ("table", "before", "every"),
    "lowest": ("table", "before"),
    "state": ("table",),
    "lookup": ("table",),
    "most": ("table",),
}
NUMERIC = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "modulo",
    "ratio",
    "below",
    "token_at",
    "most",
)  # of numbers only


class Node(Protocol):
    """What is looked at."""

    @property
    def op(self) -> str: ...
    @property
    def args(self) -> tuple[Any, ...]: ...
    @property
    def where(self) -> tuple[tuple[int, Any], ...]: ...
    @property
    def before(self) -> Any: ...
    @property
    def every(self) -> tuple[int, int]: ...
    @property
    def table(self) -> tuple[tuple[tuple[Any, ...], Any], ...]: ...
    @property
    def rows(self) -> Mapping[Any, Any]: ...
    @property
    def depth(self) -> int: ...
    @property
    def size(self) -> int: ...


def listed(value: Any) -> Any:
    """The value, if it is a list or a tuple. Raises ProgramError."""
    if not isinstance(value, list | tuple):
        raise ProgramError(f"takes several values, found {printable(repr(value))[:60]}")
    return value


def problem_of(e: Node) -> str | None:
    """What is wrong with a node, or None."""
    if e.op in ARITY and len(e.args) != ARITY[e.op]:
        return f"{e.op} takes {ARITY[e.op]} values, found {len(e.args)}"
    for name, unset in (
        ("where", not e.where),
        ("before", e.before is None),
        ("every", e.every == (0, 1)),
        ("table", not e.table),
    ):
        if not unset and name not in TAKES.get(e.op, ()):
            return f"{e.op} takes no {name}"
    if e.depth > DEEPEST:
        return f"an expression may be nested {DEEPEST} deep"
    if e.size > MOST_PARTS:
        return f"an expression may have {MOST_PARTS} parts, found {e.size}"
    return _wrong_number(e) or _wrong_table(e)


def _wrong_number(e: Node) -> str | None:
    if e.every[0] < 0 or e.every[1] < 1:
        return f"every=(start, step) needs a start from 0 and a step from 1, found {e.every}"
    if e.op in ("divide", "modulo", "ratio") and e.args[1] == 0:
        return f"{e.op} by zero"
    if e.op in NUMERIC and (texts := [arg for arg in e.args if isinstance(arg, str)]):
        return f"{e.op} takes numbers, found {printable(repr(texts[0]))}"
    in_table = (x for key, value in e.table for x in (*key, value))
    written = (
        *e.args,
        *(offset for offset, _ in e.where),
        e.before,
        *e.every,
        *in_table,
    )
    if any(isinstance(x, int) and abs(x) > LARGEST_NUMBER for x in written):
        return f"a number in an expression may be {LARGEST_NUMBER} at most"
    return None


def _wrong_table(e: Node) -> str | None:
    keys = [key for key, _ in e.table]
    named = len(e.args) == len(keys) > 0 and all(_text(key, 1) for key in keys)
    fitting = all(len(key) == len(e.args) for key in keys)
    wrong = {
        "cases": (not e.args, "(condition, value) pairs and a default"),
        "lookup": (
            not fitting,
            f"a table whose keys are {len(e.args)} values, as many as are looked up",
        ),
        "most": (not named, "{token: number} with at least one token"),
        "state": (
            not _automaton(e),
            "{state: {token: next state}} and a start, all of them texts",
        ),
        "total": (not _numbers(e), "{token: whole number}"),
        "lowest": (not _numbers(e), "{token: whole number}"),
    }
    if e.op in wrong and wrong[e.op][0]:
        return f"{e.op} takes {wrong[e.op][1]}"
    return (
        f"a key stands twice in the table of {e.op}"
        if len(e.rows) < len(e.table)
        else None
    )


def _automaton(e: Node) -> bool:
    """The start, () -> state, and then the rows (state, token) -> state."""
    return bool(e.table) and all(
        _text((*key, value), 1 if i == 0 else 3)
        for i, (key, value) in enumerate(e.table)
    )


def _numbers(e: Node) -> bool:
    return all(_text(key, 1) and isinstance(value, int) for key, value in e.table)


def _text(key: tuple[Any, ...], length: int) -> bool:
    return len(key) == length and all(isinstance(part, str) for part in key)
