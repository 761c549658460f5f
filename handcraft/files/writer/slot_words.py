"""Writes the declarations of slots in the words of handcraft.language.words.

    at = position(42, p=lambda i: i, pp=lambda i: i * i)
    t = token("^=01")
    ones, twos = scratch("ones twos")

A slot that the words do not make, as there may be one in a file, is written as a Slot.

Rules of this file: a declaration stands only where the words give the same slot.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from handcraft.core.errors import ProgramError
from handcraft.files.writer.formulas import formula, token_formula
from handcraft.files.writer.lines import WIDTH
from handcraft.files.writer.literals import (
    in_python,
    labels_text,
    number_text,
    table_text,
    value_text,
)
from handcraft.files.writer.names import Variables
from handcraft.language import words
from handcraft.language.notation import call_text
from handcraft.language.slot_tables import ONE_HOT, SlotRow
from handcraft.language.slots import Slot

_LONG = 24  # characters of labels that are written once
_Candidate = tuple[str, Callable[[], Any]]
_REMARKS = {"position": "where am I?", "token": "which token is here?"}


def slot_statements(names: Variables) -> Iterator[str]:
    """The statements that declare all slots, in their order."""
    for key, group in groupby(names.known, key=lambda key: _alike(names, key)):
        keys = list(group)
        if key is None:
            yield from (_statement(names, one) for one in keys)
        else:
            yield from _together(names, keys)


def _alike(names: Variables, key: str) -> object:
    """What slots have in common that can be declared together; None for others."""
    slot = names.known[key]
    empty = slot.tokens is None and slot.positions is None
    return (slot.local, slot.labels) if empty and not slot.reuse else None


def _together(names: Variables, keys: Sequence[str]) -> Iterator[str]:
    """Slots without tables, as many in one statement as fit on a line."""
    line: list[str] = []
    for key in keys:
        longer = _declared(names, [*line, key])
        if line and len(longer) > WIDTH:
            yield _declared(names, line)
            line = []
        line.append(key)
    yield _declared(names, line)


def _declared(names: Variables, keys: Sequence[str]) -> str:
    slot = names.known[keys[0]]
    word = "local" if slot.local else "scratch"
    called = in_python(" ".join(names.known[key].name for key in keys))
    labels = "" if slot.labels is None else _labels(names, keys[0])
    text = call_text(word, called, *([labels] if labels else []))
    return f"{', '.join(names.slots[key] for key in keys)} = {text}"


def _labels(names: Variables, key: str) -> str:
    """The labels of a slot; those of an earlier slot by its variable, where they are long."""
    labels = names.known[key].labels or ()
    text = labels_text(labels)
    if len(text) <= _LONG:
        return text
    for earlier, slot in names.known.items():
        if earlier == key:
            return text
        if slot.labels == labels:
            return f"{names.slots[earlier]}.labels"
    return text


def _statement(names: Variables, key: str) -> str:
    slot = names.known[key]
    statement = f"{names.slots[key]} = {slot_text(slot, names)}"
    tables = {"position": slot.positions, "token": slot.tokens}
    one_hot = [name for name, table in tables.items() if table == ONE_HOT]
    remark = f"  # one-hot: {_REMARKS[one_hot[0]]}" if one_hot else ""
    fits = len(statement + remark) <= WIDTH
    return statement + remark if fits else statement


def slot_text(slot: Slot, names: Variables) -> str:
    """The call that makes the slot."""
    for text, make in _candidates(slot, names):
        try:
            if make() == slot:
                return text
        except ProgramError:
            continue
    return _plain(slot)


def _candidates(slot: Slot, names: Variables) -> Iterator[_Candidate]:
    labels = slot.labels or ()
    if slot.reuse is not None and slot.reuse in names.slots:
        earlier = names.known[slot.reuse]
        listed = [labels_text(labels)] if labels else []
        reuse = names.slots[slot.reuse]
        yield (
            call_text("scratch", in_python(slot.name), *listed, reuse=reuse),
            lambda: words.scratch(slot.name, slot.labels, reuse=earlier),
        )
    elif slot.positions == ONE_HOT:
        named = "" if slot.name == "position" else in_python(slot.name)
        yield (
            call_text("position", str(len(labels)), name=named),
            lambda: words.position(len(labels), name=slot.name),
        )
    elif slot.tokens == ONE_HOT:
        named = "" if slot.name == "token" else in_python(slot.name)
        yield (
            call_text("token", labels_text(labels), name=named),
            lambda: words.token(labels, name=slot.name),
        )
    else:
        yield from _of_tables(slot)


def _of_tables(slot: Slot) -> Iterator[_Candidate]:
    labels, tokens, rows = slot.labels or (), slot.tokens, slot.positions
    named = "name" not in labels  # else the word takes it for the slot's
    if labels and named and not tokens and isinstance(rows, tuple) and rows:
        columns = dict(zip(labels, zip(*rows, strict=True), strict=True))
        texts = {key: _column(column) for key, column in columns.items()}
        yield (
            _by_lanes("position", str(len(rows)), slot.name, texts),
            lambda: words.position(len(rows), name=slot.name, **columns),
        )
    if labels and named and not rows and isinstance(tokens, tuple) and tokens:
        known = [token for token, _ in tokens]
        table = [row for _, row in tokens]
        columns = dict(zip(labels, zip(*table, strict=True), strict=True))
        texts = {key: _by_token(known, x) for key, x in columns.items()}
        yield (
            _by_lanes("token", labels_text(known), slot.name, texts),
            lambda: words.token(known, name=slot.name, **columns),
        )
    yield _sum_of_tables(slot)


def _by_lanes(word: str, keys: str, name: str, texts: dict[str, str]) -> str:
    """The call of a word with a function or a list for each lane."""
    plain = {
        key: text
        for key, text in texts.items()
        if key.isidentifier() and not keyword.iskeyword(key) and key.isascii()
    }
    parts = [keys, *([] if name == word else [f"name={in_python(name)}"])]
    if len(plain) == len(texts):
        parts += [f"{key}={text}" for key, text in plain.items()]
    else:
        rows = [(in_python(key), text) for key, text in texts.items()]
        parts.append(f"**{table_text(rows)}")
    return call_text(word, *parts)


def _column(values: Sequence[float]) -> str:
    """A lane of positions: a function, or the list of its numbers."""
    text = formula("i", range(len(values)), values)
    return _list(values) if text is None else f"lambda i: {text}"


def _list(values: Sequence[float]) -> str:
    if len(values) > 1 and len(set(values)) == 1:
        return f"[{number_text(values[0])}] * {len(values)}"
    return f"[{', '.join(map(number_text, values))}]"


def _by_token(tokens: Sequence[str], values: Sequence[float]) -> str:
    """A lane of tokens: a function, or a table."""
    text = token_formula("c", tokens, values)
    if text is not None:
        return "int" if text == "int(c)" else f"lambda c: {text}"
    if len(set(values)) == 1:
        return f"lambda _: {number_text(values[0])}"
    rows = zip(map(in_python, tokens), map(number_text, values), strict=True)
    return f"{table_text(list(rows))}.get"


def _sum_of_tables(slot: Slot) -> _Candidate:
    """The word `slot`, with a table of tokens, of positions or both."""
    single = slot.labels is None
    token = position = None
    given: dict[str, str] = {}
    if isinstance(slot.tokens, tuple):
        token = {key: row[0] if single else row for key, row in slot.tokens}
        given["token"] = _token_rows(slot.tokens, single)
    if isinstance(slot.positions, tuple):
        position = [row[0] if single else row for row in slot.positions]
        given["position"] = _position_rows(slot.positions, single)
    if slot.labels is not None:
        given["labels"] = labels_text(slot.labels)
    return (
        call_text("slot", in_python(slot.name), **given),
        lambda: words.slot(
            slot.name, token=token, position=position, labels=slot.labels
        ),
    )


def _token_rows(table: Sequence[tuple[str, SlotRow]], single: bool) -> str:
    tokens = [token for token, _ in table]
    if single:
        text = token_formula("c", tokens, [row[0] for _, row in table])
        if text is not None:
            return f"{{c: {text} for c in {labels_text(tokens)}}}"
    rows = [(in_python(token), _row(row, single)) for token, row in table]
    return table_text(rows)


def _position_rows(table: Sequence[SlotRow], single: bool) -> str:
    if not single:
        return f"[{', '.join(_row(row, single) for row in table)}]"
    values = [row[0] for row in table]
    text = formula("i", range(len(values)), values)
    if text is None:
        return _list(values)
    return f"[{text} for i in range({len(values)})]"


def _row(row: SlotRow, single: bool) -> str:
    if single:
        return number_text(row[0])
    inner = ", ".join(map(number_text, row))
    return f"({inner},)" if len(row) == 1 else f"({inner})"


def _plain(slot: Slot) -> str:
    """The Slot itself, where no word makes it."""
    tokens = slot.tokens
    if isinstance(tokens, tuple):
        tokens_text = _by_token_rows(dict(tokens))
    else:
        tokens_text = "" if tokens is None else in_python(tokens)
    rows = slot.positions
    if isinstance(rows, tuple):
        inner = "".join(f"{_row(row, False)}, " for row in rows)
        rows_text = f"({inner.strip()})"
    else:
        rows_text = "" if rows is None else in_python(rows)
    return call_text(
        "Slot",
        name=in_python(slot.name),
        labels=None if slot.labels is None else value_text(slot.labels),
        tokens=tokens_text,
        positions=rows_text,
        local=slot.local and "True",
        reuse=slot.reuse and in_python(slot.reuse),
    )


def _by_token_rows(table: dict[str, SlotRow]) -> str:
    """The rows of a table by token."""
    return table_text(
        [(in_python(key), _row(row, False)) for key, row in table.items()]
    )
