"""Writes numbers, texts and labels so that Python reads the same value again.

Rules of this file: a text is always inside quotes, whatever stands in it, so that no name of a
slot, a token or a rule is ever read as code.
"""

from __future__ import annotations

from collections.abc import Sequence

_FIRST_POWER = 2**16  # powers of two from here on are written as such
_FIRST_LONG = 10_000  # numbers from here on have underscores
_FEWEST = 4  # rows that are written as a loop
_EXACT = 2**53  # whole numbers up to here are written without a point


def number_text(value: float) -> str:
    """The number as a literal: whole ones without a point, others with all their digits."""
    if value != int(value) or abs(value) > _EXACT or _is_negative_zero(value):
        return repr(float(value))
    whole = int(value)
    size = abs(whole)
    if size >= _FIRST_POWER and size & (size - 1) == 0:
        return f"{'-' * (whole < 0)}2**{size.bit_length() - 1}"
    return f"{whole:_}" if abs(whole) >= _FIRST_LONG else str(whole)


def _is_negative_zero(value: float) -> bool:
    return value == 0 and repr(float(value)).startswith("-")


def in_python(text: str) -> str:
    """The text in double quotes, or in single ones where it holds double ones."""
    literal = repr(text)
    if literal.startswith('"') or '"' in text:
        return literal
    return f'"{literal[1:-1]}"'


def raw_quoted(text: str) -> str:
    """The text in quotes, raw where it holds backslashes and can be."""
    raw = "\\" in text and text.isprintable() and not text.endswith("\\")
    return f'r"{text}"' if raw and '"' not in text else in_python(text)


def value_text(value: object) -> str:
    """A text, a whole number, or a tuple, a list or a dictionary of them, as a literal."""
    if isinstance(value, dict):
        rows = [(value_text(key), value_text(x)) for key, x in value.items()]
        return _numbered(value) or table_text(rows)
    if isinstance(value, tuple):
        inner = ", ".join(map(value_text, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    return in_python(value) if isinstance(value, str) else repr(value)


def _numbered(table: dict[object, object]) -> str | None:
    """A table of the number of each digit, or of the digit of each number, as a loop."""
    keys = list(table)
    if len(keys) < _FEWEST:
        return None
    if all(
        isinstance(k, str) and is_whole(k) and table[k] == int(k) for k in keys
    ):
        return f"{{c: int(c) for c in {labels_text([*map(str, keys)])}}}"
    if keys == [*range(len(keys))] and all(table[k] == str(k) for k in keys):
        return f"{{i: str(i) for i in range({len(keys)})}}"
    return None


def labels_text(labels: Sequence[str]) -> str:
    """Labels as an author writes them: one text of letters, numbers by a range, else a list."""
    if all(len(label) == 1 for label in labels):
        return in_python("".join(labels))
    if list(labels) == [str(i) for i in range(len(labels))]:
        return f"map(str, range({len(labels)}))"
    return list_text(labels)


def list_text(labels: Sequence[str]) -> str:
    """The labels as a list."""
    return f"[{', '.join(map(in_python, labels))}]"


def table_text(rows: Sequence[tuple[str, str]]) -> str:
    """A dictionary of keys and values that are written already."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in rows) + "}"


def is_whole(label: str) -> bool:
    """True for a label that is a whole number from 0 on, as Python writes it."""
    return label.isascii() and label.isdecimal() and str(int(label)) == label
