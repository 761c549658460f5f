r"""A countable language of prompts: a regular expression that can be matched, counted, listed and drawn from.

A claim on prompts must say how many there are and check them evenly, which a plain `re` cannot. The expression is
kept as a tree; its derivative by a character is what may still follow that character (Brzozowski, "Derivatives of
Regular Expressions", 1964). The distinct derivatives are the states of a finite automaton, and counting words of
length n is a sum over its edges.

Rules of this file: text in, text out; exact integers. The syntax is the common part of all dialects: characters,
`\d`, escapes, `[a-z0-9]`, `( )`, `|`, `?`, `*`, `+`, `{m}`, `{m,n}`. What would need an alphabet (`.`, `[^a]`) is
refused: write the characters out.
"""

from __future__ import annotations

import string
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from random import Random
from typing import TypeAlias

from handcraft.errors import ProgramError, printable

MAX_REPEAT = 4096


@dataclass(frozen=True)
class Chars:
    """One of these characters. No character at all: the empty language."""

    any_of: frozenset[str]


@dataclass(frozen=True)
class Then:
    """These expressions one after the other. None at all: the empty text."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Either:
    """One of these expressions."""

    options: frozenset[Tree]


@dataclass(frozen=True)
class Star:
    """Any number of this expression."""

    body: Tree


Tree: TypeAlias = Chars | Then | Either | Star
NOTHING, EMPTY = Chars(frozenset()), Then(())


def then(*parts: Tree) -> Tree:
    """The expressions in sequence, flattened."""
    if NOTHING in parts:
        return NOTHING
    flat = [piece for part in parts for piece in (part.parts if isinstance(part, Then) else (part,))]
    return flat[0] if len(flat) == 1 else Then(tuple(flat))


def either(*options: Tree) -> Tree:
    """One of the expressions, flattened and without repetitions."""
    flat = {piece for one in options for piece in (one.options if isinstance(one, Either) else (one,))} - {NOTHING}
    return next(iter(flat)) if len(flat) == 1 else Either(frozenset(flat)) if flat else NOTHING


@cache
def nullable(tree: Tree) -> bool:
    """Whether the empty text belongs to the language."""
    match tree:
        case Chars():
            return False
        case Then(parts):
            return all(map(nullable, parts))
        case Either(options):
            return any(map(nullable, options))
        case Star():
            return True


@lru_cache(maxsize=65536)
def derivative(tree: Tree, char: str) -> Tree:
    """What may follow after this character."""
    match tree:
        case Chars(any_of):
            return EMPTY if char in any_of else NOTHING
        case Either(options):
            return either(*(derivative(option, char) for option in options))
        case Star(body):
            return then(derivative(body, char), tree)
        case Then(()):
            return NOTHING
        case Then((head, *rest)):
            first = then(derivative(head, char), *rest)
            return either(first, derivative(then(*rest), char)) if nullable(head) else first
    raise AssertionError(tree)


def alphabet(tree: Tree) -> frozenset[str]:
    """The characters that occur in the expression."""
    match tree:
        case Chars(any_of):
            return any_of
        case Then(parts):
            return frozenset().union(*map(alphabet, parts))
        case Either(options):
            return frozenset().union(*map(alphabet, options))
        case Star(body):
            return alphabet(body)


@dataclass(frozen=True)
class Language:
    """The texts that a regular expression matches whole, up to a length. Raises ProgramError for bad syntax."""

    pattern: str
    max_length: int
    _counts: dict[tuple[Tree, int], int] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def tree(self) -> Tree:
        """The parsed expression."""
        return _Parser(self.pattern).whole()

    @cached_property
    def _alphabet(self) -> tuple[str, ...]:
        return tuple(sorted(alphabet(self.tree)))

    def __contains__(self, text: str) -> bool:
        tree = self.tree
        for char in text:
            tree = derivative(tree, char)
        return nullable(tree) and len(text) <= self.max_length

    def count(self, length: int) -> int:
        """How many texts of this length belong to the language: an exact integer."""
        for n in range(length):  # from short to long, so that the recursion is shallow
            self._count(self.tree, n)
        return self._count(self.tree, length)

    def _count(self, tree: Tree, length: int) -> int:
        if length == 0:
            return int(nullable(tree))
        key = (tree, length)
        if key not in self._counts:
            self._counts[key] = sum(self._count(follow, length - 1) for _, follow in self._edges(tree))
        return self._counts[key]

    def _edges(self, tree: Tree) -> Iterator[tuple[str, Tree]]:
        follows = ((char, derivative(tree, char)) for char in self._alphabet)
        return ((char, follow) for char, follow in follows if follow != NOTHING)

    @cached_property
    def lengths(self) -> dict[int, int]:
        """Length -> how many texts of that length there are, for the lengths that occur. The empty text is no prompt."""
        counts = {n: self.count(n) for n in range(1, self.max_length + 1)}
        return {n: count for n, count in counts.items() if count}

    @property
    def size(self) -> int:
        """How many texts there are in all."""
        return sum(self.lengths.values())

    def __iter__(self) -> Iterator[str]:
        """Every text, the shorter first, each length in the order of the characters."""
        for length in self.lengths:
            yield from self._texts(self.tree, length)

    def _texts(self, tree: Tree, length: int) -> Iterator[str]:
        if length == 0:
            yield ""
            return
        for char, follow in self._edges(tree):
            if self._count(follow, length - 1):
                yield from (char + rest for rest in self._texts(follow, length - 1))

    def draw(self, random: Random) -> str:
        """One text: the length evenly among those that occur, then evenly among the texts of that length."""
        length = random.choice(list(self.lengths))
        text, tree = "", self.tree
        for left in range(length - 1, -1, -1):
            edges = self._choices(tree, left)
            char, tree = edges[1][bisect_right(edges[0], random.randrange(edges[0][-1]))]
            text += char
        return text

    def _choices(self, tree: Tree, left: int) -> tuple[list[int], list[tuple[str, Tree]]]:
        """The edges that lead to a text of the given rest, with the running sum of how many texts each leads to."""
        key = (tree, left)
        if key not in self._drawn:
            edges = [(edge, self._count(edge[1], left)) for edge in self._edges(tree)]
            sums = [sum(count for _, count in edges[: i + 1]) for i in range(len(edges))]
            self._drawn[key] = sums, [edge for edge, _ in edges]
        return self._drawn[key]

    @cached_property
    def _drawn(self) -> dict[tuple[Tree, int], tuple[list[int], list[tuple[str, Tree]]]]:
        return {}


class _Parser:
    """Recursive descent: either = then | then ...; then = piece piece ...; piece = atom with a repetition."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0

    def whole(self) -> Tree:
        tree = self.either()
        if self.at < len(self.pattern):
            raise self.error("this ) closes nothing")
        return tree

    def either(self) -> Tree:
        options = [self.then()]
        while self.take("|"):
            options.append(self.then())
        return either(*options)

    def then(self) -> Tree:
        parts: list[Tree] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            parts.append(self.repeated(self.atom()))
        return then(*parts)

    def repeated(self, body: Tree) -> Tree:
        if self.take("?"):
            return either(body, EMPTY)
        if self.take("*"):
            return Star(body)
        if self.take("+"):
            return then(body, Star(body))
        return self.counted(body) if self.take("{") else body

    def counted(self, body: Tree) -> Tree:
        least, comma, most = self.until("}").partition(",")
        if not least.isdecimal() or (comma and not most.isdecimal()):
            raise self.error("a repetition is written {m} or {m,n}")
        low, high = int(least), int(most or least)
        if not low <= high <= MAX_REPEAT:
            raise self.error(f"a repetition needs m <= n <= {MAX_REPEAT}")
        tail: Tree = EMPTY
        for _ in range(high - low):
            tail = either(then(body, tail), EMPTY)
        return then(*[body] * low, tail)

    def atom(self) -> Tree:
        char = self.next()
        if char == "(":
            self.take("?:")
            tree = self.either()
            if not self.take(")"):
                raise self.error("this ( is never closed")
            return tree
        if char == "[":
            return self.char_class()
        if char in ".^$*+?{":
            raise self.error(f"{char!r} has no meaning here; write the characters out, or escape it as \\{char}")
        return Chars(self.escape() if char == "\\" else frozenset(char))

    def escape(self) -> frozenset[str]:
        char = self.next()
        if char == "d":
            return frozenset(string.digits)
        if char.isalnum():
            raise self.error(f"the escape \\{char} is not known; only \\d and escaped punctuation are")
        return frozenset(char)

    def char_class(self) -> Tree:
        if self.take("^"):
            raise self.error("a class [^...] needs an alphabet; write the characters out")
        chars: set[str] = set()
        while not self.take("]"):
            char = self.next()
            found = self.escape() if char == "\\" else frozenset(char)
            if len(found) == 1 and self.pattern[self.at : self.at + 1] == "-" and self.pattern[self.at + 1 :][:1] not in ("", "]"):
                self.at += 1
                end = self.next()
                found = frozenset(map(chr, range(ord(min(found)), ord(end) + 1)))
            chars |= found
        return Chars(frozenset(chars))

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
        return ProgramError(f"prompts: {printable(self.pattern)!r} at character {self.at}: {message}")
