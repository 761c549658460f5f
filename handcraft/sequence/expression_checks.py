"""Validates expressions: arity, allowed fields, table shapes, limits on depth, size and numbers.

Expressions are written by hand, or read from a file that anyone may have written. Rules of this
file: one node at a time, since the nodes below it were checked when they were made; a message
says what would work.
"""

from __future__ import annotations

from typing import Any

from handcraft.core.errors import ProgramError, printable
from handcraft.sequence.operations import (
    OPERATIONS,
    Fields,
    selection_of,
    word_of,
)

DEEPEST = 40  # levels of nesting; nobody writes more by hand
MOST_PARTS = 5_000  # nodes of an expression, each counted once
LARGEST_NUMBER = 10**9  # the largest size of a number written in an expression
PAIRS = 2**22  # of positions that conditions are asked about at once


def listed(value: Any) -> Any:
    """The value itself. Raises ProgramError unless it is a list or a tuple."""
    if not isinstance(value, list | tuple):
        raise ProgramError(
            f"takes several values, found {printable(repr(value))[:60]}"
        )
    return value


def problem_of(e: Fields) -> str | None:
    """The first problem of a node, in words; None where it is well formed."""
    word, row = word_of(e.op), OPERATIONS[e.op]
    if row.arity is not None and len(e.args) != row.arity:
        return f"{word} takes {row.arity} values, found {len(e.args)}"
    given = {
        "where": bool(e.where),
        "before": e.before is not None,
        "every": e.every != (0, 1),
        "table": bool(e.table),
    }
    for name, is_given in given.items():
        if is_given and name not in row.takes:
            return f"{word} takes no {name}"
    if e.depth > DEEPEST:
        return f"an expression may be nested {DEEPEST} deep"
    if e.spread > MOST_PARTS < e.size:
        return f"an expression may have {MOST_PARTS} parts, found {e.size}"
    return _wrong_number(e) or _wrong_table(e) or _wrong_place(e)


def _wrong_place(e: Fields) -> str | None:
    """The problem of a `there` that stands where there is no key position."""
    if e.op == "fetch" and len(e.args) not in (2, 3):
        return f"fetch takes 2 or 3 values, found {len(e.args)}"
    if e.op in ("least", "greatest") and not e.args:
        return f"{word_of(e.op)} takes numbers, found none"
    within: tuple[Any, ...] = (e.before, *(what for _, what in e.where))
    if OPERATIONS[e.op].selects:
        found = selection_of(e)
        within = (*within, found.value, found.default)
    elif e.op in ("there", "value_at", "token_at"):
        within = (*within, *e.args)
    if any(getattr(x, "paired", False) for x in within):
        return (
            "there(...) stands in the condition of a selection only; here it is in"
            f" another place of {word_of(e.op)}"
        )
    return None


def _wrong_number(e: Fields) -> str | None:
    if e.every[0] < 0 or e.every[1] < 1:
        return f"every=(start, step) needs a start from 0 and a step from 1, found {e.every}"
    if e.op in ("divide", "modulo", "ratio") and e.args[1] == 0:
        return f"{e.op} by zero"
    word = word_of(e.op)
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


def _numbers_of(e: Fields) -> tuple[Any, ...]:
    """The arguments that are numbers."""
    if e.op in ("fetch", "value_at", "given"):
        return e.args[1:2]  # a condition, or a position
    return e.args if OPERATIONS[e.op].numbers else ()


def _wrong_table(e: Fields) -> str | None:
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


def _automaton(e: Fields) -> bool:
    """True for a table of () -> start, then rows (state, token) -> state."""
    if not e.table:
        return False
    start, *rows = [(*key, value) for key, value in e.table]
    return _text(start, 1) and all(_text(row, 3) for row in rows)


def _numbers(e: Fields) -> bool:
    return all(
        _text(key, 1) and isinstance(value, int) for key, value in e.table
    )


def _text(key: tuple[Any, ...], length: int) -> bool:
    return len(key) == length and all(isinstance(part, str) for part in key)
