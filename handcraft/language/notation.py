"""Writes rules and slots as an author would: the `repr` of a value is its notation.

    Head(query={position:0: 1024 position:0, ... (5 rows)}, value={v: token:a - token:b})

Long tables, maps and sums are shortened; `explain` shows them whole.

Rules of this file: text only; nothing here is read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from handcraft.core.errors import printable
from handcraft.language.affine import Affine, Lane, Map, format_number

_MOST_ROWS = 3  # of a map, a table or a list of rules
_MOST_TERMS = 4  # of a sum
_MOST_LABELS = 12  # of a slot, written as one text


def call_text(called: str, *parts: str, **named: object) -> str:
    """The text of a call; arguments that are empty or None are left out."""
    shown = [*parts, *(f"{key}={text}" for key, text in named.items() if text)]
    return f"{called}({', '.join(shown)})"


def short_affine(affine: Affine) -> str:
    """The expression, its terms after the first few counted."""
    if len(affine.terms) <= _MOST_TERMS + 1:
        return repr(affine)
    first = Affine.of(dict(affine.terms[:_MOST_TERMS]))
    return f"{first!r} + ... ({len(affine.terms)} lanes)"


def short_map(rows: Map) -> str:
    """The map as `{lane: expression}`, its rows after the first few counted."""
    texts = (
        f"{printable(str(lane))}: {short_affine(affine)}"
        for lane, affine in rows.rows
    )
    return "{" + shortened(texts, len(rows.rows), "rows") + "}"


def short_amounts(adds: Affine) -> str:
    """The amounts as `{lane: number}`, those after the first few counted."""
    texts = (
        f"{printable(str(lane))}: {format_number(amount)}"
        for lane, amount in adds.terms
    )
    return "{" + shortened(texts, len(adds.terms), "lanes") + "}"


def short_list(rules: Sequence[object]) -> str:
    """The rules as a list, those after the first few counted."""
    return "[" + shortened(map(repr, rules), len(rules), "rules") + "]"


def shortened(texts: Iterable[str], count: int, what: str) -> str:
    """The texts with commas between them: all, or the first few and how many there are."""
    most = _MOST_ROWS if count > _MOST_ROWS + 1 else count
    shown = [text for text, _ in zip(texts, range(most), strict=False)]
    if most < count:
        shown.append(f"... ({count} {what})")
    return ", ".join(shown)


def short_labels(labels: Sequence[str]) -> str:
    """Labels as an author writes them: one text where each is a letter, else a list."""
    if all(len(label) == 1 for label in labels):
        more = "..." if len(labels) > _MOST_LABELS else ""
        return printable(repr("".join(labels[:_MOST_LABELS]) + more))
    texts = (printable(repr(label)) for label in labels)
    return "[" + shortened(texts, len(labels), "labels") + "]"


def short_slot(slot: Any) -> str:
    """The Slot as an author writes it, its tables shortened."""
    labels = short_labels(slot.labels) if slot.labels else ""
    called = [repr(slot.name), labels] if labels else [repr(slot.name)]
    if slot.local:
        return call_text("local", *called)
    if slot.positions == "one-hot" and slot.tokens is None:
        name = None if slot.name == "position" else repr(slot.name)
        return call_text("position", str(len(slot.lanes)), name=name)
    if slot.tokens == "one-hot" and slot.positions is None:
        name = None if slot.name == "token" else repr(slot.name)
        return call_text("token", labels, name=name)
    if slot.tokens is None and slot.positions is None:
        return call_text("scratch", *called, reuse=slot.reuse)
    tables = {"token": slot.token_cells(), "position": slot.position_cells()}
    return call_text(
        "slot",
        repr(slot.name),
        labels=labels,
        **{name: _short_table(cells) for name, cells in tables.items()},
    )


def _short_table(cells: Iterable[tuple[Any, Lane, float]]) -> str:
    """The rows of a table that are not zero, the first few of them."""
    rows: dict[Any, list[str]] = {}
    for key, _, value in cells:
        rows.setdefault(key, []).append(format_number(value))
    texts = (f"{key!r}: {' '.join(row)}" for key, row in rows.items())
    return (rows and "{" + shortened(texts, len(rows), "rows") + "}") or ""
