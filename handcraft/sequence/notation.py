"""Writes expressions as their author does: for `repr`, for messages and for notebooks.

    notation(value)   the whole, at most some thousand characters
    written(value)    at most MOST_SHOWN characters, for a message
    example_html(e)   the notation, and its value at each position of a short text

Rules of this file: what is written is read again by Python as the same expression, unless it is
cut. It is made piece by piece and cut on the way, since a node that stands in many places is
written in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import chain, cycle, islice
from typing import Any, TypeAlias

from handcraft.core.errors import ProgramError, printable
from handcraft.sequence.columns import at_every_position
from handcraft.sequence.expression_checks import BY_CONDITION, Node
from handcraft.sequence.values import shown

Pieces: TypeAlias = Iterator[str]
OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "//",
    "modulo": "%",
}
COMPARISONS = {"equal": "==", "below": "<", "precedes": "<"}
NEGATED = {"==": "!=", "<": ">="}
JOINTS = {"both": "&", "either": "|"}
WORDS = {
    "count_where": "count",
    "total_where": "total",
    "first_where": "first",
    "latest_where": "latest",
    "value_at": "fetch",
    "least": "min_",
    "greatest": "max_",
    "precedes": "below",
}  # where the word is not the operation's name
LONGEST = 4_000  # characters of a notation
MOST_SHOWN = 60  # characters of an expression in a message
MOST_ROWS = 4  # of a table in it
_EXAMPLE = 6  # tokens of an example


def notation(value: Any) -> str:
    """A value as its author writes it, at most LONGEST characters."""
    return _cut(_pieces(value, 10**9), LONGEST)


def written(value: Any) -> str:
    """A value as its author writes it, at most MOST_SHOWN characters."""
    return _cut(_pieces(value, MOST_ROWS), MOST_SHOWN)


def _cut(pieces: Pieces, most: int) -> str:
    text = ""
    for piece in pieces:
        text = text + piece
        if len(text) > most:
            return text[: most - 3] + "..."
    return text


def _is_node(value: object) -> bool:
    return hasattr(value, "op")


def _pieces(value: Any, rows: int) -> Pieces:
    if not _is_node(value):
        yield printable(repr(value))
    elif value.op in OPERATORS:
        yield from _between(value, OPERATORS[value.op], rows)
    elif value.op in ("here", "end", "step", "length"):
        yield value.op
    elif value.op == "token_at" and getattr(value.args[0], "op", "") == "here":
        yield "own"
    elif value.paired and (value.op in COMPARISONS or value.op in JOINTS):
        sign = {**COMPARISONS, **JOINTS}[value.op]
        yield from _between(value, sign, rows)
    elif value.op == "negate":
        yield from _negated(value.args[0], rows)
    else:
        yield WORDS.get(value.op, value.op)
        yield "("
        yield from _joined(_arguments(value, rows))
        yield ")"


def _between(e: Node, sign: str, rows: int) -> Pieces:
    left, right = e.args
    yield from _operand(left, rows)
    yield f" {sign} "
    yield from _operand(right, rows)


def _negated(e: Any, rows: int) -> Pieces:
    if _is_node(e) and e.paired and e.op in COMPARISONS:
        yield from _between(e, NEGATED[COMPARISONS[e.op]], rows)
        return
    yield "~("
    yield from _pieces(e, rows)
    yield ")"


def _operand(value: Any, rows: int) -> Pieces:
    if _is_node(value) and (value.op in OPERATORS or _is_condition(value)):
        yield "("
        yield from _pieces(value, rows)
        yield ")"
    else:
        yield from _pieces(value, rows)


def _is_condition(e: Node) -> bool:
    return e.op == "negate" or (
        e.paired and (e.op in COMPARISONS or e.op in JOINTS)
    )


def _joined(parts: Iterable[Pieces]) -> Pieces:
    for i, part in enumerate(parts):
        yield ", " * (i > 0)
        yield from part


def _arguments(e: Node, rows: int) -> Iterator[Pieces]:
    keys = [key[0] if len(key) == 1 else key for key, _ in e.table]
    if e.op == "most":
        yield _dictionary(list(zip(keys, e.args, strict=True)), 10**9)
        return
    if e.op in ("first", "latest", "count"):
        yield _dictionary(e.where, 10**9)
    if e.op == "state":
        yield from _automaton(e, rows)
    elif e.table:
        values = (value for _, value in e.table)
        yield _dictionary(list(zip(keys, values, strict=True)), rows)
    yield from _positional(e, rows)
    if e.before is not None:
        yield chain(["before="], _pieces(e.before, rows))
    if e.every != (0, 1):
        yield iter([f"every={e.every!r}"])


def _positional(e: Node, rows: int) -> Iterator[Pieces]:
    args = e.args
    if e.op in BY_CONDITION and len(args) > 1 and args[1] == 1:
        args = (args[0], *args[2:])  # every position
    if e.op == "cases":
        pairs = zip(args[0::2], args[1::2], strict=False)
        for pair in pairs:
            yield chain(["("], _joined(_pieces(x, rows) for x in pair), [")"])
        args = args[-1:] if len(args) % 2 else ()
    for i, arg in enumerate(args):
        named = "default=" if e.op == "fetch" and i == 2 else ""
        yield chain([named], _pieces(arg, rows))


def _automaton(e: Node, most: int) -> Iterator[Pieces]:
    """The arguments of `state`: {state: {token: next state}} and the start."""
    delta: dict[str, dict[str, Any]] = {}
    (_, start), *rows = e.table
    for (at, token), to in rows[:most]:
        delta.setdefault(at, {})[token] = to
    more = "" if len(rows) <= most else f", ... ({len(rows)} rows)}}"
    text = printable(repr(delta))
    yield iter([text[:-1] + more if more else text])
    yield iter([printable(repr(start))])


def _dictionary(items: Sequence[tuple[Any, Any]], most: int) -> Pieces:
    """The rows as a dictionary; the first `most` of them, and how many there are."""
    yield "{"
    for i, (key, x) in enumerate(items[:most]):
        yield ", " * (i > 0)
        yield from _pieces(key, most)
        yield ": "
        yield from _pieces(x, most)
    yield f", ... ({len(items)} rows)" if len(items) > most else ""
    yield "}"


# ------------------------------------------------------------ in a notebook


def example_html(e: Node) -> str:
    """The notation and, for an expression of the text alone, its value on an example."""
    said = f"<code>{escape(notation(e))}</code>"
    if e.paired or e.uses("end", "step"):
        return said
    text = _example(e)
    try:
        values = at_every_position(e, text)
    except ProgramError:
        return said
    cells = (
        "".join(f"<td>{escape(x)}</td>" for x in row)
        for row in (text, ["–" if x is None else shown(x) for x in values])
    )
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"{said}<table>{rows}</table>"


def _example(e: Node) -> list[str]:
    """A text of the tokens that are named in it, or of a and b."""
    named = dict.fromkeys(
        x
        for op, args, where, *_, table in e.numbered
        for x in chain(
            args, (what for _, what in where), (k for key, _ in table for k in key)
        )
        if isinstance(x, str)
    )
    letters = [*named, "a", "b"][: max(2, min(3, len(named)))]
    order = cycle([0, 1, 0, 0, -1, 1])
    return [letters[i] for i in islice(order, _EXAMPLE)]
