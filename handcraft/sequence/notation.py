"""Writes expressions as their author does: for `repr`, for messages and for notebooks.

    notation(value)   the whole, at most some thousand characters
    written(value)    at most MOST_SHOWN characters, for a message
    in_file(value, literal, named)
                      the whole, for a file: texts in its quotes, parts by their variables
    example_html(e)   the notation, and its value at each position of a short text

Rules of this file: what is written is read again by Python as the same expression, unless it is
cut. It is made piece by piece and cut on the way, since a node that stands in many places is
written in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import chain, cycle, islice
from typing import Any, TypeAlias

from handcraft.core.errors import ProgramError, printable
from handcraft.sequence.columns import at_every_position
from handcraft.sequence.operations import (
    BY_CONDITION,
    NEWER,
    SHORT,
    Fields,
    branches_of,
    is_own,
    selection_of,
    word_of,
)
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
RANKS = {"+": 1, "-": 1, "*": 2, "//": 2, "%": 2}  # how much they bind
MOST_RANK = 4
NEGATED = {"==": "!=", "<": ">="}
TURNED = {"<": ">", ">=": "<=", "==": "==", "!=": "!="}
JOINTS = {"both": "&", "either": "|"}
MOST_WRITTEN = 4_000  # characters of a notation
MOST_SHOWN = 60  # characters of an expression in a message
MOST_ROWS = 4  # of a table in it
_EXAMPLE = 6  # tokens of an example


def notation(value: Any) -> str:
    """A value as its author writes it, at most MOST_WRITTEN characters."""
    return _cut(_pieces(value, _style(value, 10**9)), MOST_WRITTEN)


def written(value: Any, *, beside: Any = None) -> str:
    """A value as its author writes it, at most MOST_SHOWN characters.

    beside  what it is a part of, in whose words it is written
    """
    style = _style(value if beside is None else beside, MOST_ROWS)
    return _cut(_pieces(value, style), MOST_SHOWN)


def in_file(
    value: Any, literal: Callable[[Any], str], named: Mapping[Any, str]
) -> str:
    """A value as its author writes it, the whole.

    Sums and products have brackets only where Python needs them.

    literal  writes texts, numbers and tables of them
    named    the parts that stand there by a variable
    """
    style = replace(
        _style(value, 10**9), literal=literal, named=named, spare=True
    )
    return "".join(_pieces(value, style))


def _shown(value: object) -> str:
    return printable(repr(value))


@dataclass(frozen=True, slots=True)
class Style:
    """The words for the token and the position, how many rows of a table are written, how a text
    or a number is, which parts stand there by a variable, and if brackets are spared.
    """

    own: str
    here: str
    most: int
    literal: Callable[[Any], str] = _shown
    named: Mapping[Any, str] = field(default_factory=dict)
    spare: bool = False

    def variable(self, value: Any) -> str | None:
        """The variable of a part, if it has one."""
        return self.named.get(value) if self.named and _is_node(value) else None


def _style(value: Any, most: int) -> Style:
    """Beside conditions on positions `tokens` and `indices`, else the shorter `own` and `here`."""
    newer = _is_node(value) and value.uses(*NEWER)
    return Style(*("tokens", "indices") if newer else ("own", "here"), most)


def _cut(pieces: Pieces, most: int) -> str:
    text = ""
    for piece in pieces:
        text = text + piece
        if len(text) > most:
            return text[: most - 3] + "..."
    return text


def _is_node(value: object) -> bool:
    return hasattr(value, "op")


def _pieces(value: Any, style: Style) -> Pieces:
    if not _is_node(value):
        yield style.literal(value)
    elif (variable := style.variable(value)) is not None:
        yield variable
    elif value.op in OPERATORS:
        yield from _between(value, OPERATORS[value.op], style)
    elif value.op in ("here", "end", "step", "length"):
        yield style.here if value.op == "here" else value.op
    elif is_own(value):
        yield style.own
    elif _is_joined(value):
        sign = {**COMPARISONS, **JOINTS}[value.op]
        yield from _between(value, sign, style)
    elif value.op == "negate":
        yield from _negated(value.args[0], style)
    else:
        yield word_of(value.op)
        yield "("
        yield from _joined(_arguments(value, style))
        yield ")"


def _between(e: Fields, sign: str, style: Style) -> Pieces:
    left, right = e.args
    if (
        sign in TURNED
        and _is_node(right)
        and right.paired
        and not _paired(left)
    ):
        left, right, sign = right, left, TURNED[sign]  # the key's side first
    rank = MOST_RANK if sign in JOINTS.values() else RANKS.get(sign, 0)
    yield from _operand(left, style, rank)
    yield f" {sign} "
    yield from _operand(right, style, rank + (sign in RANKS))


def _paired(value: Any) -> bool:
    return bool(_is_node(value) and value.paired)


def _negated(e: Any, style: Style) -> Pieces:
    if _is_node(e) and e.op in COMPARISONS and _is_joined(e):
        yield from _between(e, NEGATED[COMPARISONS[e.op]], style)
        return
    yield "~("
    yield from _pieces(e, style)
    yield ")"


def _operand(value: Any, style: Style, rank: int = MOST_RANK) -> Pieces:
    """An operand, in brackets where it is a sum, a product or a condition.

    rank  how much an operator in it must bind to need none, where brackets are spared
    """
    joined = _is_node(value) and (value.op in OPERATORS or _is_condition(value))
    if joined and style.spare and value.op in OPERATORS:
        joined = RANKS[OPERATORS[value.op]] < rank
    if joined and style.variable(value) is None:
        yield "("
        yield from _pieces(value, style)
        yield ")"
    else:
        yield from _pieces(value, style)


def _is_condition(e: Fields) -> bool:
    return e.op == "negate" or _is_joined(e)


def _is_joined(e: Fields) -> bool:
    """True for what is written with a sign; a condition is compared by a word."""
    if e.op in COMPARISONS:
        return e.paired and not any(
            _is_node(arg) and arg.paired and _is_condition(arg)
            for arg in e.args
        )
    return e.paired and e.op in JOINTS


def _joined(parts: Iterable[Pieces]) -> Pieces:
    for i, part in enumerate(parts):
        yield ", " * (i > 0)
        yield from part


def _arguments(e: Fields, style: Style) -> Iterator[Pieces]:
    keys = [key[0] if len(key) == 1 else key for key, _ in e.table]
    if e.op == "most":
        yield _dictionary(
            list(zip(keys, e.args, strict=True)), style, whole=True
        )
        return
    if e.op in SHORT:
        if len(dict(e.where)) < len(e.where):  # no dictionary holds one twice
            yield _as_condition(e, style)
            return
        yield _dictionary(e.where, style, whole=True)
    if e.op == "state":
        yield from _automaton(e, style)
    elif e.op in ("lookup", "total", "lowest"):
        values = (value for _, value in e.table)
        yield _dictionary(list(zip(keys, values, strict=True)), style)
    yield from _positional(e, style)
    if e.before is not None:
        yield chain(["before="], _pieces(e.before, style))
    if e.every != (0, 1):
        yield iter([f"every={e.every!r}"])


def _positional(e: Fields, style: Style) -> Iterator[Pieces]:
    args = e.args
    if e.op in BY_CONDITION and selection_of(e).condition == 1:
        args = (args[0], *args[2:])  # every position
    if e.op == "given":
        args = args[::-1]  # the condition first
    if e.op == "cases":
        pairs, default = branches_of(args)
        for pair in pairs:
            yield chain(["("], _joined(_pieces(x, style) for x in pair), [")"])
        args = () if default is None else (default,)
    for i, arg in enumerate(args):
        named = "default=" if e.op == "fetch" and i == 2 else ""
        yield chain([named], _pieces(arg, style))


def _automaton(e: Fields, style: Style) -> Iterator[Pieces]:
    """The arguments of `state`: {state: {token: next state}} and the start."""
    delta: dict[str, dict[str, Any]] = {}
    (_, start), *rows = e.table
    for (at, token), to in rows[: style.most]:
        delta.setdefault(at, {})[token] = to
    more = "" if len(rows) <= style.most else f", ... ({len(rows)} rows)}}"
    text = style.literal(delta)
    yield iter([text[:-1] + more if more else text])
    yield iter([style.literal(start)])


def _as_condition(e: Fields, style: Style) -> Pieces:
    """The condition that a short selection stands for."""
    joint = ""
    for distance, what in e.where:
        place = f"{style.here} {'-' if distance < 0 else '+'} {abs(distance)}"
        token = f"token_at({place})" if distance else style.own
        several = isinstance(what, tuple)
        for i, one in enumerate(what if several else (what,)):
            yield (" | " if i else f"{joint}{'(' * several}")
            yield f"(there({token}) == "
            yield from _pieces(one, style)
            yield ")"
        yield ")" * several
        joint = " & "
    if e.before is not None:
        yield f" & (there({style.here}) < "
        yield from _operand(e.before, style)
        yield ")"


def _dictionary(
    items: Sequence[tuple[Any, Any]], style: Style, *, whole: bool = False
) -> Pieces:
    """The rows as a dictionary; the first of them, and how many there are."""
    most = len(items) if whole else style.most
    plain = not any(_is_node(x) for item in items for x in item)
    if plain and len(dict(items)) == len(items) <= most:
        yield style.literal(dict(items))
        return
    yield "{"
    for i, (key, x) in enumerate(items[:most]):
        yield ", " * (i > 0)
        yield from _pieces(key, style)
        yield ": "
        yield from _pieces(x, style)
    yield f", ... ({len(items)} rows)" if len(items) > most else ""
    yield "}"


# ------------------------------------------------------------ in a notebook


def example_html(e: Fields) -> str:
    """The notation and, for an expression of the text alone, its value on an example."""
    said = f"<code>{escape(notation(e))}</code>"
    if e.paired or e.uses("end", "step"):
        return said
    text = _example(e)
    try:
        values = at_every_position(e, text)
    except ProgramError:
        return said
    found = ["–" if x is None else shown(x) for x in values]
    rows = _row_html("an example", text) + _row_html("its value", found)
    return f"{said}<table>{rows}</table>"


def _row_html(head: str, texts: Iterable[str]) -> str:
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    return f"<tr><th>{head}</th>{cells}</tr>"


def _example(e: Fields) -> list[str]:
    """A text of the tokens that are named in it, or of a and b."""
    named = dict.fromkeys(
        x
        for row in e.numbered
        for x in chain(
            row.args,
            (what for _, what in row.where),
            (k for key, _ in row.table for k in key),
        )
        if isinstance(x, str)
    )
    letters = [*named, "a", "b"][: max(2, min(3, len(named)))]
    order = cycle([0, 1, 0, 0, -1, 1])
    return [letters[i] for i in islice(order, _EXAMPLE)]
