"""Breaks a line of Python so that it fits into 100 columns, as programs/ are laid out by hand.

    a call with keywords      one argument a line
    other brackets            as many items a line as fit
    a comprehension           its element, then its loop
    a long sum                before an operator
    a long text               in several pieces, which Python joins

Rules of this file: it reads brackets, commas, spaces and texts only; without the new line breaks,
the pieces of texts and commas before closing brackets, the code is what it was.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from handcraft.files.writer.literals import in_python

WIDTH = 100
STEP = 4
_ATOM = re.compile(
    r"""r?"(?:[^"\\]|\\.)*"|r?'(?:[^'\\]|\\.)*'|[()\[\]{}]|,|[ ]|[^\s()\[\]{},"']+"""
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_LOOPS = ("for", "if")
_OPERATORS = (
    ("==", "!=", "<", ">", "<=", ">="),
    "|",
    "&",
    "+-",
    ("*", "//", "%"),
)
_MOSTLY = 0.6  # of a line that one bracket takes


@dataclass(frozen=True)
class Bracket:
    """A bracket and its items; `ended` if a comma stands after the last one."""

    opening: str
    items: tuple[tuple[CodePart, ...], ...]
    ended: bool = False

    @cached_property
    def flat(self) -> str:
        """The bracket on one line."""
        inner = ", ".join(map(flat_text, self.items))
        return (
            f"{self.opening}{inner}{',' * self.ended}{_CLOSING[self.opening]}"
        )


CodePart: TypeAlias = str | Bracket
Parts: TypeAlias = Sequence[CodePart]


def flat_text(parts: Parts) -> str:
    """The parts on one line."""
    return "".join(
        part if isinstance(part, str) else part.flat for part in parts
    )


def laid_out(code: str) -> str:
    """A statement on as many lines as it needs; a comment as it is."""
    if len(code) <= WIDTH or code.startswith("#"):
        return code
    parts, _ = _parsed([*_ATOM.findall(code)], 0, "")
    lines = _broken(parts[0], 0, 0)
    if all(len(line) <= WIDTH for line in lines.split("\n")) or "(" not in code:
        return lines
    variable, equals, value = code.partition(" = ")
    if not equals or value.startswith("("):
        return lines
    return laid_out(f"{variable} = ({value})")


def _parsed(
    atoms: Sequence[str], at: int, closing: str
) -> tuple[tuple[tuple[CodePart, ...], ...], int]:
    """The items up to the closing bracket, and where the text goes on after it."""
    items: list[tuple[CodePart, ...]] = []
    item: list[CodePart] = []
    while at < len(atoms) and atoms[at] != closing:
        atom = atoms[at]
        at += 1
        if atom in _CLOSING:
            inner, at = _parsed(atoms, at, _CLOSING[atom])
            ended = bool(inner) and not inner[-1]
            item.append(Bracket(atom, inner[:-1] if ended else inner, ended))
        elif atom == "," and closing and not _binds(item):
            items.append(tuple(item))
            item = []
        elif atom != " " or item:
            item.append(atom)
    if item or items:
        items.append(tuple(item))
    return tuple(items), at + 1


def _binds(item: Parts) -> bool:
    """True between `for` and `in`, where a comma parts variables."""
    loops = [i for i, part in enumerate(item) if part == "for"]
    return bool(loops) and "in" not in item[loops[-1] :]


def _broken(parts: Parts, column: int, indent: int, tail: int = 0) -> str:
    """The parts from a column on; later lines begin at `indent` or right of it.

    tail  the characters that follow on the last line
    """
    flat = flat_text(parts)
    if column + len(flat) + tail <= WIDTH:
        return flat
    if (loops := _segments(parts, _LOOPS)) is not None:
        return _stacked(loops, column, indent, tail)
    brackets = [i for i, part in enumerate(parts) if isinstance(part, Bracket)]
    if brackets:
        most = max(brackets, key=lambda i: len(flat_text([parts[i]])))
        pieces = _summands(parts) if indent else None
        large = len(flat_text([parts[most]])) >= _MOSTLY * len(flat)
        if large or pieces is None:
            return _opened(parts, most, column, indent, tail)
    pieces = _summands(parts)
    if pieces is not None and indent:
        return _filled_sum(pieces, column, indent, tail)
    return _long_text(parts, column, indent)


def _summands(parts: Parts) -> list[Parts] | None:
    """The parts cut before the operators that bind least; None without any."""
    cuts = (_segments(parts, words) for words in _OPERATORS)
    return next((found for found in cuts if found is not None), None)


def _segments(parts: Parts, words: Sequence[str]) -> list[Parts] | None:
    """The parts cut before each of these words that stands between spaces; None for no cut."""
    found: list[list[CodePart]] = [[]]
    for i, part in enumerate(parts):
        between = 0 < i < len(parts) - 1 and parts[i - 1] == parts[i + 1] == " "
        if (
            between
            and isinstance(part, str)
            and part in words
            and found[-1][:-1]
        ):
            found[-1].pop()  # the space before
            found.append([])
        found[-1].append(part)
    return list(found) if len(found) > 1 else None


def _stacked(pieces: list[Parts], column: int, indent: int, tail: int) -> str:
    """Each piece on a line of its own."""
    lines = []
    for i, piece in enumerate(pieces):
        last = i == len(pieces) - 1
        at = column if i == 0 else indent
        lines.append(_broken(piece, at, indent, tail if last else 0))
    return ("\n" + " " * indent).join(lines)


def _filled_sum(
    pieces: list[Parts], column: int, indent: int, tail: int
) -> str:
    """As many pieces of a sum on a line as fit."""
    text, inner = "", indent + STEP
    for i, piece in enumerate(pieces):
        rest = tail if i == len(pieces) - 1 else 0
        size = len(flat_text(piece))
        if i and column + 1 + size + rest > WIDTH:
            text += "\n" + " " * inner
            column = inner
        elif i:
            text += " "
            column += 1
        new = _broken(piece, column, inner, rest)
        text += new
        column = _end(new, column)
    return text


def _end(text: str, column: int) -> int:
    """The column after a text that begins at one."""
    last = text.rpartition("\n")[2]
    return len(last) if "\n" in text else column + len(text)


def _opened(parts: Parts, at: int, column: int, indent: int, tail: int) -> str:
    """The parts with one bracket on lines of its own."""
    bracket = parts[at]
    if isinstance(bracket, str):
        return flat_text(parts)
    before, after = flat_text(parts[:at]), flat_text(parts[at + 1 :])
    inner = indent + STEP
    called = bool(before) and (before[-1].isalnum() or before[-1] in "_)]")
    *stars, last = bracket.items[0] if len(bracket.items) == 1 else ("",)
    if called and isinstance(last, Bracket) and stars in ([], ["**"]):
        opening = f"{before}{bracket.opening}{''.join(map(str, stars))}"
        close = f"{_CLOSING[bracket.opening]}{after}"
        whole: list[CodePart] = [opening, last]
        return _opened(whole, 1, column, indent, tail + len(close)) + close
    lines = [*_items(bracket, inner, called=called)]
    body = "".join(f"\n{' ' * inner}{line}" for line in lines)
    return f"{before}{bracket.opening}{body}\n{' ' * indent}{_CLOSING[bracket.opening]}{after}"


def _items(bracket: Bracket, indent: int, *, called: bool) -> Iterator[str]:
    """The lines inside a bracket."""
    items = bracket.items
    single = len(items) == 1
    loop = single and _segments(items[0], _LOOPS) is not None
    grouped = single and bracket.opening == "(" and not bracket.ended
    comma = not loop and not (grouped and not called)
    named = called and any(_is_named(item) for item in items)
    if single or named or any(map(_is_code, items)):
        for item in items:
            yield _broken(item, indent, indent, 1) + "," * comma
        return
    line = ""
    for item in items:
        size = len(flat_text(item)) + 1
        if line and indent + len(line.rpartition("\n")[2]) + 1 + size > WIDTH:
            yield line
            line = ""
        space = " " if line else ""
        new = _broken(item, indent + len(line + space), indent, 1)
        line += f"{space}{new},"
        if "\n" in new:
            yield line
            line = ""
    if line:
        yield line


def _is_code(item: Parts) -> bool:
    """True for a call of keywords, and for a bracket with names in it: a line of its own."""
    last = item[-1] if item else ""
    if isinstance(last, str):
        return False
    if len(item) > 1:
        return any(map(_is_named, last.items))
    return re.match(r"[(\[]+[A-Za-z_]", last.flat) is not None


def _is_named(item: Parts) -> bool:
    """True for an argument with a keyword."""
    first = item[0] if item else ""
    return isinstance(first, str) and re.match(r"\w+=", first) is not None


def _long_text(parts: Parts, column: int, indent: int) -> str:
    """The parts, the longest text among them in pieces inside brackets."""
    texts = [
        i
        for i, part in enumerate(parts)
        if isinstance(part, str) and part[-1:] in "\"'" and len(part) > STEP
    ]
    if not texts:
        return flat_text(parts)
    most = max(texts, key=lambda i: len(str(parts[i])))
    before, after = flat_text(parts[:most]), flat_text(parts[most + 1 :])
    inner = indent + STEP
    pieces = _pieces_of(str(parts[most]), WIDTH - inner)
    if len(pieces) == 1 and column + len(before) <= inner:
        return flat_text(parts)
    body = "".join(f"\n{' ' * inner}{piece}" for piece in pieces)
    return f"{before}({body}\n{' ' * indent}){after}"


def _pieces_of(literal: str, most: int) -> list[str]:
    """A text as several literals of at most so many characters."""
    text = ast.literal_eval(literal)
    write = _raw if literal.startswith("r") else in_python
    pieces: list[str] = []
    start = 0
    while start < len(text):
        size = most - 2
        while size > 1 and len(write(text[start : start + size])) > most:
            size -= 1
        pieces.append(write(text[start : start + size]))
        start += size
    return pieces


def _raw(text: str) -> str:
    return in_python(text) if text.endswith("\\") else f'r"{text}"'
