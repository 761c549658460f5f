r"""A countable language of prompts: a regular expression that can be matched, counted, listed and drawn from.

A claim on prompts must say how many there are and check them evenly, which a plain `re` cannot. Each character class
of the expression is a position; which positions may come first, last and after each other makes a small automaton
without empty moves (Glushkov, 1961), and its subsets a deterministic one. Words of a length are then counted by a sum
over its edges, from the end.

Rules of this file: text in, text out; exact integers; sets of positions are the bits of an int. The syntax is the
common part of all dialects: characters, `\d`, escapes, `[a-z0-9]`, `( )`, `|`, `?`, `*`, `+`, `{m}`, `{m,n}`. What would
need an alphabet (`.`, `[^a]`) is refused. Sizes are bounded: a pattern may come from someone else's file.
"""

from __future__ import annotations

import string
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from random import Random

from handcraft.errors import ProgramError, printable

MAX_POSITIONS = 2_000  # characters of the expression, repetitions written out
MAX_STATES = 10_000  # of the deterministic automaton
MAX_NESTING = 50
START = 1  # the bit of the state before any character; positions have the bits from 1 on


@dataclass(frozen=True)
class Piece:
    """Part of an expression: whether it may be empty, and the positions that may come first and last in it."""

    nullable: bool
    first: int
    last: int


@dataclass(frozen=True)
class Language:
    """The texts of 1 to `max_length` characters that a regular expression matches whole.

    Raises ProgramError for bad syntax and for an expression that is too large.
    """

    pattern: str
    max_length: int

    # ------------------------------------------------------------ the automaton

    @cached_property
    def _parsed(self) -> tuple[Piece, list[int], list[frozenset[str]]]:
        return parse(self.pattern)

    @cached_property
    def _masks(self) -> dict[str, int]:
        """For each character the positions it can stand at, in the order of the characters."""
        _, _, classes = self._parsed
        masks = dict.fromkeys(sorted(frozenset().union(*classes)), 0)
        for i, chars in enumerate(classes):
            for char in chars:
                masks[char] |= 1 << i
        return masks

    def _reached(self, state: int) -> int:
        piece, follow, _ = self._parsed
        reached = piece.first if state & START else 0
        for i in _bits(state & ~START):
            reached |= follow[i]
        return reached

    def _accepts(self, state: int) -> bool:
        piece = self._parsed[0]
        return bool(state & piece.last) or (bool(state & START) and piece.nullable)

    @cached_property
    def _edges(self) -> dict[int, dict[int, str]]:
        """For each state within reach the states it leads to, each with the characters that lead there."""
        edges: dict[int, dict[int, str]] = {}
        level = {START}
        for _ in range(self.max_length + 1):
            for state in level:
                edges[state] = self._targets(state)
            level = {target for state in level for target in edges[state]} - edges.keys()
            if len(edges) + len(level) > MAX_STATES:
                raise _error(self.pattern, f"it needs an automaton of more than {MAX_STATES} states")
        return edges

    def _targets(self, state: int) -> dict[int, str]:
        reached, targets = self._reached(state), dict[int, str]()
        for char, mask in self._masks.items():
            if target := reached & mask:
                targets[target] = targets.get(target, "") + char
        return targets

    @cached_property
    def _ways(self) -> list[dict[int, int]]:
        """_ways[n][state]: how many texts of n characters lead from the state to an accepting one; only where some do."""
        ways = [{state: 1 for state in self._edges if self._accepts(state)}]
        for _ in range(self.max_length):
            last = ways[-1]
            counts = {q: sum(len(chars) * last.get(r, 0) for r, chars in targets.items()) for q, targets in self._edges.items()}
            ways.append({state: count for state, count in counts.items() if count})
        return ways

    # ------------------------------------------------------------ what it is for

    def __contains__(self, text: str) -> bool:
        state = START
        for char in text:
            state = self._reached(state) & self._masks.get(char, 0)
            if not state:
                return False
        return self._accepts(state) and 1 <= len(text) <= self.max_length

    @cached_property
    def lengths(self) -> dict[int, int]:
        """Length -> how many texts of that length there are, for the lengths that occur: exact integers."""
        return {n: ways[START] for n, ways in enumerate(self._ways) if n and START in ways}

    @property
    def size(self) -> int:
        """How many texts there are in all."""
        return sum(self.lengths.values())

    def __iter__(self) -> Iterator[str]:
        """Every text, the shorter first, each length in the order of the characters."""
        for length in self.lengths:
            yield from self._texts(length)

    def _texts(self, length: int) -> Iterator[str]:
        waiting = [("", START)]
        while waiting:
            text, state = waiting.pop()
            left = length - len(text) - 1
            if left < 0:
                yield text
                continue
            follows = [(char, q) for q, chars in self._edges[state].items() if q in self._ways[left] for char in chars]
            waiting.extend((text + char, q) for char, q in sorted(follows, reverse=True))

    def draw(self, random: Random) -> str:
        """One text: the length evenly among those that occur, then evenly among the texts of that length."""
        length = random.choice(list(self.lengths))
        text, state = "", START
        for left in range(length - 1, -1, -1):
            sums, edges = self._choices(state, left)
            chars, state = edges[bisect_right(sums, random.randrange(sums[-1]))]
            text += random.choice(chars)
        return text

    def _choices(self, state: int, left: int) -> tuple[list[int], list[tuple[str, int]]]:
        """The edges that lead on to a text, with the running sum of how many texts each leads to."""
        key = (state, left)
        if key not in self._drawn:
            ways = self._ways[left]
            edges = [(chars, target) for target, chars in self._edges[state].items() if target in ways]
            self._drawn[key] = list(accumulate(len(chars) * ways[target] for chars, target in edges)), edges
        return self._drawn[key]

    @cached_property
    def _drawn(self) -> dict[tuple[int, int], tuple[list[int], list[tuple[str, int]]]]:
        return {}


def _bits(state: int) -> Iterator[int]:
    while state:
        low = state & -state
        yield low.bit_length() - 1
        state ^= low


def _error(pattern: str, message: str) -> ProgramError:
    return ProgramError(f"'{printable(pattern[:60])}': {message}")


def parse(pattern: str) -> tuple[Piece, list[int], list[frozenset[str]]]:
    """The whole piece, and for each position what may follow it and its characters; position 0 is the start."""
    parser = _Parser(pattern)
    piece = parser.either()
    if parser.at < len(pattern):
        raise parser.error("this ) closes nothing")
    return piece, parser.follow, parser.classes


class _Parser:
    """Recursive descent: either = then | then ...; then = piece piece ...; piece = atom with a repetition."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at, self.depth = pattern, 0, 0
        self.follow: list[int] = [0]
        self.classes: list[frozenset[str]] = [frozenset()]

    def either(self) -> Piece:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.error(f"it is nested deeper than {MAX_NESTING}")
        piece = self.then()
        while self.take("|"):
            other = self.then()
            piece = Piece(piece.nullable or other.nullable, piece.first | other.first, piece.last | other.last)
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
        return Piece(a.nullable and b.nullable, first, a.last | b.last if b.nullable else b.last)

    def link(self, last: int, first: int) -> None:
        for i in _bits(last):
            self.follow[i] |= first

    def repeated(self) -> Piece:
        start = self.at
        piece = self.atom()
        if self.take("?"):
            return Piece(nullable=True, first=piece.first, last=piece.last)
        if self.take("*") or self.take("+"):
            self.link(piece.last, piece.first)
            return Piece(piece.nullable or self.pattern[self.at - 1] == "*", piece.first, piece.last)
        return self.counted(piece, start) if self.take("{") else piece

    def counted(self, piece: Piece, start: int) -> Piece:
        """{m,n}: n copies in a row, of which those from the m-th on may be the last."""
        least, comma, most = self.until("}").partition(",")
        digits = least + most
        if not least or (comma and not most) or not (digits.isdecimal() and digits.isascii()) or len(digits) > 9:
            raise self.error("a repetition is written {m} or {m,n}")
        low, high, end = int(least), int(most or least), self.at
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
            raise self.error(f"{char!r} has no meaning here; write the characters out, or escape it as \\{char}")
        return self.position(self.escape() if char == "\\" else frozenset(char))

    def position(self, chars: frozenset[str]) -> Piece:
        if len(self.classes) > MAX_POSITIONS:
            raise self.error(f"it has more than {MAX_POSITIONS} characters, repetitions written out")
        self.classes.append(chars)
        self.follow.append(0)
        bit = 1 << (len(self.classes) - 1)
        return Piece(nullable=False, first=bit, last=bit)

    def escape(self) -> frozenset[str]:
        char = self.next()
        if char == "d":
            return frozenset(string.digits)
        if char.isalnum():
            raise self.error(f"the escape \\{char} is not known; only \\d and escaped punctuation are")
        return frozenset(char)

    def char_class(self) -> frozenset[str]:
        if self.take("^"):
            raise self.error("a class [^...] needs an alphabet; write the characters out")
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

    def span(self, start: frozenset[str], end: frozenset[str]) -> frozenset[str]:
        if len(start) > 1 or len(end) > 1:
            raise self.error("a span goes from one character to another")
        first, last = min(start), min(end)
        if not ord(first) <= ord(last) < ord(first) + 10_000:
            raise self.error(f"the span {first}-{last} is empty or too wide")
        return frozenset(map(chr, range(ord(first), ord(last) + 1)))

    def take(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) * found
        return found

    def until(self, end: str) -> str:
        start, stop = self.at, self.pattern.find(end, self.at)
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
        return _error(self.pattern, f"at character {self.at}: {message}")
