"""Validates expressions: arity, allowed fields, table shapes, limits on depth, size and numbers.

Expressions are written by hand, or read from a file that anyone may have written. Rules of this
file: one node at a time, since the nodes below it were checked when they were made; a message
says what would work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from handcraft.core.errors import ProgramError, printable

DEEPEST = 40  # levels of nesting; nobody writes more by hand
MOST_PARTS = 5_000  # nodes of an expression, each counted once
LARGEST_NUMBER = 10**9  # the largest size of a number written in an expression
PAIRS = 2**22  # of positions that conditions are asked about at once
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
    "length": 0,
    "given": 2,
    "there": 1,
    "precedes": 2,
    "both": 2,
    "either": 2,
    "negate": 1,
    "count_where": 1,
    "total_where": 2,
    "mean": 2,
    "value_at": 2,
    "first_where": 1,
    "latest_where": 1,
    "best": 2,
}
BY_CONDITION = (  # selections whose condition is their argument, the second where there are two
    *("count_where", "first_where", "latest_where"),
    *("total_where", "mean", "best", "fetch"),
)
NEWER = (  # operations that proofs do not follow yet
    *BY_CONDITION,
    *("length", "given", "there", "precedes", "both", "either", "negate"),
    *("value_at", "least", "greatest"),
)
WORDS: Mapping[str, str] = {  # where the word is not the operation's name
    "count_where": "count",
    "total_where": "total",
    "first_where": "first",
    "latest_where": "latest",
    "value_at": "fetch",
    "least": "min_",
    "greatest": "max_",
    "precedes": "below",
    "both": "&",
    "either": "|",
    "negate": "~",
}
TAKES: Mapping[
    str, tuple[str, ...]
] = {  # the fields that an operation takes besides `args`
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
    "least",
    "greatest",
    "both",
    "either",
    "negate",
    "count_where",
    "total_where",
    "mean",
    "first_where",
    "latest_where",
    "best",
)  # operations whose arguments are all numbers


class Node(Protocol):
    """The fields of an Expression, without importing it."""

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
    @property
    def spread(self) -> int: ...
    @property
    def parts(self) -> tuple[Any, ...]: ...
    @property
    def paired(self) -> bool: ...
    @property
    def numbered(self) -> tuple[tuple[Any, ...], ...]: ...
    def uses(self, *ops: str) -> bool: ...


def listed(value: Any) -> Any:
    """The value itself. Raises ProgramError unless it is a list or a tuple."""
    if not isinstance(value, list | tuple):
        raise ProgramError(
            f"takes several values, found {printable(repr(value))[:60]}"
        )
    return value


def problem_of(e: Node) -> str | None:
    """The first problem of a node, in words; None where it is well formed."""
    word = WORDS.get(e.op, e.op)
    if e.op in ARITY and len(e.args) != ARITY[e.op]:
        return f"{word} takes {ARITY[e.op]} values, found {len(e.args)}"
    given = {
        "where": bool(e.where),
        "before": e.before is not None,
        "every": e.every != (0, 1),
        "table": bool(e.table),
    }
    for name, is_given in given.items():
        if is_given and name not in TAKES.get(e.op, ()):
            return f"{word} takes no {name}"
    if e.depth > DEEPEST:
        return f"an expression may be nested {DEEPEST} deep"
    if e.spread > MOST_PARTS < e.size:
        return f"an expression may have {MOST_PARTS} parts, found {e.size}"
    return _wrong_number(e) or _wrong_table(e) or _wrong_place(e)


def condition_of(e: Node) -> Any:
    """The condition of a selection that has one: its only argument, or its second."""
    return e.args[_condition(e)]


def _condition(e: Node) -> int:
    return min(1, len(e.args) - 1)


def _wrong_place(e: Node) -> str | None:
    """The problem of a `there` that stands where there is no key position."""
    if e.op == "fetch" and len(e.args) not in (2, 3):
        return f"fetch takes 2 or 3 values, found {len(e.args)}"
    if e.op in ("least", "greatest") and not e.args:
        return f"{WORDS[e.op]} takes numbers, found none"
    within: tuple[Any, ...] = (e.before, *(what for _, what in e.where))
    if e.op in BY_CONDITION:
        at = _condition(e)
        within = (*within, *e.args[:at], *e.args[at + 1 :])
    elif e.op in ("there", "value_at", "token_at"):
        within = (*within, *e.args)
    if any(getattr(x, "paired", False) for x in within):
        return (
            "there(...) stands in the condition of a selection only; here it is in"
            f" another place of {WORDS.get(e.op, e.op)}"
        )
    return None


def _wrong_number(e: Node) -> str | None:
    if e.every[0] < 0 or e.every[1] < 1:
        return f"every=(start, step) needs a start from 0 and a step from 1, found {e.every}"
    if e.op in ("divide", "modulo", "ratio") and e.args[1] == 0:
        return f"{e.op} by zero"
    word = WORDS.get(e.op, e.op)
    texts = [arg for arg in _numbers_of(e) if isinstance(arg, str)]
    if texts:
        return f"{word} takes numbers, found {printable(repr(texts[0]))}"
    numbers = [arg for arg in e.args if isinstance(arg, int)]
    if e.op == "precedes" and numbers:
        return f"{word} compares tokens, found {numbers[0]}"
    distances = (distance for distance, _ in e.where)
    in_table = (x for key, value in e.table for x in (*key, value))
    written = (*e.args, *distances, e.before, *e.every, *in_table)
    if any(isinstance(x, int) and abs(x) > LARGEST_NUMBER for x in written):
        return f"a number in an expression may be {LARGEST_NUMBER} at most"
    return None


def _numbers_of(e: Node) -> tuple[Any, ...]:
    """The arguments that are numbers."""
    if e.op in ("fetch", "value_at", "given"):
        return e.args[1:2]  # a condition, or a position
    return e.args if e.op in NUMERIC else ()


def _wrong_table(e: Node) -> str | None:
    keys = [key for key, _ in e.table]
    each_named = len(e.args) == len(keys) > 0
    named = each_named and all(_text(key, 1) for key in keys)
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
    if len(e.rows) < len(e.table):
        return f"a key stands twice in the table of {e.op}"
    return None


def _automaton(e: Node) -> bool:
    """True for a table of () -> start, then rows (state, token) -> state."""
    if not e.table:
        return False
    start, *rows = [(*key, value) for key, value in e.table]
    return _text(start, 1) and all(_text(row, 3) for row in rows)


def _numbers(e: Node) -> bool:
    return all(
        _text(key, 1) and isinstance(value, int) for key, value in e.table
    )


def _text(key: tuple[Any, ...], length: int) -> bool:
    return len(key) == length and all(isinstance(part, str) for part in key)
