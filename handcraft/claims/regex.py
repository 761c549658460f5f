r"""Parses regular expressions into automata without empty moves.

Each character class of the expression is a position. The positions that may come first, last and
after each other form the automaton (Glushkov, "The Abstract Theory of Automata", 1961).

Rules of this file: a set of positions is an int, one bit a position. The syntax is common to all
dialects: characters, `\d`, escapes, `[a-z0-9]`, `( )`, `|`, `?`, `*`, `+`, `{m}`, `{m,n}`. What
would need an alphabet (`.`, `[^a]`) is refused: write the characters out. Sizes are limited,
because a pattern may come from a file that anyone wrote.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from handcraft.core.errors import ProgramError, printable

MAX_POSITIONS = 2_000  # characters of the expression, repetitions written out
MAX_NESTING = 50


@dataclass(frozen=True)
class Piece:
    """Part of an expression.

    nullable     True if it matches the empty text
    first, last  the sets of positions that a match may begin and end with
    """

    nullable: bool
    first: int
    last: int


def bits(state: int) -> Iterator[int]:
    """The positions of a set, the lowest first."""
    while state:
        low = state & -state
        yield low.bit_length() - 1
        state ^= low


def pattern_error(pattern: str, message: str) -> ProgramError:
    """The error with this message for a pattern."""
    return ProgramError(f"'{printable(pattern[:60])}': {message}")


def parse(pattern: str) -> tuple[Piece, list[int], list[frozenset[str]]]:
    """The whole piece, and for each position the positions that may follow, and its characters.

    Position 0 is the start. Raises ProgramError for what is not in the syntax above.
    """
    parser = _Parser(pattern)
    piece = parser.either()
    if parser.at < len(pattern):
        raise parser.error("this ) closes nothing")
    return piece, parser.follow, parser.classes


class _Parser:
    """A recursive descent: either = then | then ...; then = repeated repeated ...; repeated = atom
    with a repetition.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0
        self.follow: list[int] = [0]
        self.classes: list[frozenset[str]] = [frozenset()]

    def either(self) -> Piece:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.error(f"it is nested deeper than {MAX_NESTING}")
        piece = self.then()
        while self.take("|"):
            other = self.then()
            piece = Piece(
                piece.nullable or other.nullable,
                piece.first | other.first,
                piece.last | other.last,
            )
        self.depth -= 1
        return piece

    def then(self) -> Piece:
        piece = Piece(nullable=True, first=0, last=0)
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            piece = self.joined(piece, self.repeated())
        return piece

    def joined(self, a: Piece, b: Piece) -> Piece:
        self.link(a.last, b.first)
        first = a.first | b.first if a.nullable else a.first
        last = a.last | b.last if b.nullable else b.last
        return Piece(a.nullable and b.nullable, first, last)

    def link(self, last: int, first: int) -> None:
        for i in bits(last):
            self.follow[i] |= first

    def repeated(self) -> Piece:
        start = self.at
        piece = self.atom()
        if self.take("?"):
            return Piece(nullable=True, first=piece.first, last=piece.last)
        if self.take("*") or self.take("+"):
            self.link(piece.last, piece.first)
            star = self.pattern[self.at - 1] == "*"
            return Piece(piece.nullable or star, piece.first, piece.last)
        return self.counted(piece, start) if self.take("{") else piece

    def counted(self, piece: Piece, start: int) -> Piece:
        """The piece for {m,n}: n copies in a row, of which the m-th and later may be the last."""
        least, comma, most = self.until("}").partition(",")
        digits = least + most
        missing = not least or (comma and not most)
        number = digits.isdecimal() and digits.isascii() and len(digits) <= 9
        if missing or not number:
            raise self.error("a repetition is written {m} or {m,n}")
        low = int(least)
        high = int(most or least)
        end = self.at
        if low > high:
            raise self.error("a repetition {m,n} needs m <= n")
        if not piece.first:
            return piece
        if high == 0:
            return Piece(nullable=True, first=0, last=0)
        copies = [piece, *(self.again(start) for _ in range(high - 1))]
        self.at = end
        for a, b in pairwise(copies):
            self.link(a.last, b.first)
        low = 0 if piece.nullable else low
        last = 0
        for copy in copies[max(low - 1, 0) :]:
            last |= copy.last
        return Piece(low == 0, copies[0].first, last)

    def again(self, start: int) -> Piece:
        """A copy of the atom that begins there, with positions of its own."""
        self.at = start
        return self.atom()

    def atom(self) -> Piece:
        char = self.next()
        if char == "(":
            self.take("?:")
            piece = self.either()
            if not self.take(")"):
                raise self.error("this ( is never closed")
            return piece
        if char == "[":
            return self.position(self.char_class())
        if char in ".^$*+?{":
            raise self.error(
                f"{char!r} has no meaning here; write the characters out, or escape it as \\{char}"
            )
        return self.position(self.escape() if char == "\\" else frozenset(char))

    def position(self, chars: frozenset[str]) -> Piece:
        if len(self.classes) > MAX_POSITIONS:
            raise self.error(
                f"it has more than {MAX_POSITIONS} characters, repetitions written out"
            )
        self.classes.append(chars)
        self.follow.append(0)
        bit = 1 << (len(self.classes) - 1)
        return Piece(nullable=False, first=bit, last=bit)

    def escape(self) -> frozenset[str]:
        char = self.next()
        if char == "d":
            return frozenset(string.digits)
        if char.isalnum():
            raise self.error(
                f"the escape \\{char} is not known; only \\d and escaped punctuation are"
            )
        return frozenset(char)

    def char_class(self) -> frozenset[str]:
        if self.take("^"):
            raise self.error(
                "a class [^...] needs an alphabet; write the characters out"
            )
        chars: set[str] = set()
        while not self.take("]"):
            found = self.one()
            ahead = self.pattern[self.at : self.at + 2]
            if len(ahead) == 2 and ahead[0] == "-" and ahead[1] != "]":
                self.at += 1
                found = self.span(found, self.one())
            chars |= found
        if not chars:
            raise self.error("a class [] of no character matches nothing")
        return frozenset(chars)

    def one(self) -> frozenset[str]:
        """One character of a class, or an escape."""
        char = self.next()
        return self.escape() if char == "\\" else frozenset(char)

    def span(
        self, start: frozenset[str], end: frozenset[str]
    ) -> frozenset[str]:
        if len(start) > 1 or len(end) > 1:
            raise self.error("a span goes from one character to another")
        first = min(start)
        last = min(end)
        if not ord(first) <= ord(last) < ord(first) + 10_000:
            raise self.error(f"the span {first}-{last} is empty or too wide")
        return frozenset(map(chr, range(ord(first), ord(last) + 1)))

    def take(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) * found
        return found

    def until(self, end: str) -> str:
        start = self.at
        stop = self.pattern.find(end, self.at)
        if stop < 0:
            raise self.error(f"a {end} is missing")
        self.at = stop + 1
        return self.pattern[start:stop]

    def next(self) -> str:
        if self.at >= len(self.pattern):
            raise self.error("it ends too early")
        self.at += 1
        return self.pattern[self.at - 1]

    def error(self, message: str) -> ProgramError:
        return pattern_error(self.pattern, f"at character {self.at}: {message}")
