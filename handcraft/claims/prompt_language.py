"""The language of a claim's prompts: matches, counts, lists and draws the texts of a regex.

A claim on prompts must know how many there are and draw them evenly, which Python's `re` cannot.
The sets of the expression's positions (handcraft.claims.regex) form a deterministic automaton.
The number of texts of each length is a sum over its edges, computed from the end, and texts are
drawn by these numbers.

Rules of this file: text in, text out; exact integers; a state is a set of positions, held in the
bits of an int.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from random import Random

from handcraft.claims.regex import Piece, bits, parse, pattern_error

_MAX_STATES = 10_000  # of the deterministic automaton
SEED = 2025  # of every sample, so that its findings can be repeated
START = 1  # the state before any character; positions have the bits from 1 on


@dataclass(frozen=True)
class Language:
    """The texts of 1 to `max_length` characters that a regular expression fully matches.

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
        """For each character the set of its positions, in the order of the characters."""
        _, _, classes = self._parsed
        masks = dict.fromkeys(sorted(frozenset().union(*classes)), 0)
        for i, chars in enumerate(classes):
            for char in chars:
                masks[char] |= 1 << i
        return masks

    @cached_property
    def characters(self) -> frozenset[str]:
        """The characters of the expression, and so of all texts."""
        return frozenset(self._masks)

    def _reached(self, state: int) -> int:
        """The positions that can follow those of a state."""
        known = self._behind.get(state)
        if known is not None:
            return known
        piece, follow, _ = self._parsed
        reached = piece.first if state & START else 0
        for i in bits(state & ~START):
            reached |= follow[i]
        self._behind[state] = reached
        return reached

    @cached_property
    def _behind(self) -> dict[int, int]:
        return {}

    def _accepts(self, state: int) -> bool:
        piece = self._parsed[0]
        return bool(state & piece.last) or (
            bool(state & START) and piece.nullable
        )

    @cached_property
    def _edges(self) -> dict[int, dict[int, str]]:
        """For each reachable state its next states, each with the characters that lead there."""
        edges: dict[int, dict[int, str]] = {}
        level = {START}
        for _ in range(self.max_length + 1):
            for state in level:
                edges[state] = self._targets(state)
            level = {
                target for state in level for target in edges[state]
            } - edges.keys()
            if len(edges) + len(level) > _MAX_STATES:
                raise pattern_error(
                    self.pattern,
                    f"it needs an automaton of more than {_MAX_STATES} states",
                )
        return edges

    def _targets(self, state: int) -> dict[int, str]:
        reached = self._reached(state)
        targets = dict[int, str]()
        for char, mask in self._masks.items():
            if target := reached & mask:
                targets[target] = targets.get(target, "") + char
        return targets

    @cached_property
    def _ways(self) -> list[dict[int, int]]:
        """_ways[n][state]: the number of n-character texts from the state to an accepting one.

        States without such a text are left out.
        """
        ways = [{state: 1 for state in self._edges if self._accepts(state)}]
        for _ in range(self.max_length):
            last = ways[-1]
            counts = {
                q: sum(
                    len(chars) * last.get(r, 0) for r, chars in targets.items()
                )
                for q, targets in self._edges.items()
            }
            ways.append(
                {state: count for state, count in counts.items() if count}
            )
        return ways

    # ------------------------------------------------------------ character by character

    def step(self, state: int, text: str) -> int:
        """The state after more characters; 0 if no text continues so."""
        for char in text:
            state = self._reached(state) & self._masks.get(char, 0)
        return state

    def after(self, state: int) -> dict[int, str]:
        """The states after one more character, each with the characters that lead there."""
        return self._targets(state)

    def role(self, text: str) -> object:
        """A key for a text: texts with the same key lead every state to the same state."""
        return self._masks.get(text, 0) if len(text) == 1 else text

    def accepts(self, state: int) -> bool:
        """True if a text that led to the state is in the language, apart from its length."""
        return self._accepts(state)

    def can_end(self, state: int, used: int) -> bool:
        """True if `used` characters that led to the state can be completed to a text."""
        return (
            used + self._least.get(state, self.max_length + 1)
            <= self.max_length
        )

    @cached_property
    def _least(self) -> dict[int, int]:
        """{state: the fewest characters that complete a text}."""
        return {
            state: n
            for n in reversed(range(len(self._ways)))
            for state in self._ways[n]
        }

    def ends_in(self, state: int, n: int) -> bool:
        """True if n more characters can complete a text."""
        return 0 <= n < len(self._ways) and state in self._ways[n]

    def ways(self, state: int, n: int) -> int:
        """The number of texts of n characters that lead from the state to an end."""
        return self._ways[n].get(state, 0) if 0 <= n < len(self._ways) else 0

    # ------------------------------------------------------------ texts

    def __contains__(self, text: str) -> bool:
        state = START
        for char in text:
            state = self._reached(state) & self._masks.get(char, 0)
            if not state:
                return False
        return self._accepts(state) and 1 <= len(text) <= self.max_length

    @cached_property
    def lengths(self) -> dict[int, int]:
        """{length: number of texts}, exactly, for the lengths that occur."""
        return {
            n: ways[START]
            for n, ways in enumerate(self._ways)
            if n and START in ways
        }

    @property
    def size(self) -> int:
        """The number of texts."""
        return sum(self.lengths.values())

    def __iter__(self) -> Iterator[str]:
        """All texts, shorter ones first, those of a length in the order of the characters."""
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
            follows = [
                (char, q)
                for q, chars in self._edges[state].items()
                if q in self._ways[left]
                for char in chars
            ]
            waiting.extend(
                (text + char, q) for char, q in sorted(follows, reverse=True)
            )

    def first(self, length: int) -> str:
        """The first text of this length, which must occur."""
        return next(self._texts(length))

    def draw(self, random: Random) -> str:
        """A random text: uniform over the lengths that occur, then over the texts of the length."""
        length = random.choice(self._occurring)
        number = random.randrange(
            self.lengths[length]
        )  # of the text, among its length
        text = list[str]()
        state = START
        for left in range(length - 1, -1, -1):
            sums, edges = self._choices(state, left)
            i = bisect_right(sums, number)
            chars, state = edges[i]
            number -= sums[i - 1] if i else 0
            which, number = divmod(number, self._ways[left][state])
            text.append(chars[which])
        return "".join(text)

    @cached_property
    def _occurring(self) -> list[int]:
        return list(self.lengths)

    def sample(self, count: int) -> Iterator[str]:
        """`count` texts from `draw`, the same ones each time."""
        random = Random(SEED)
        return (self.draw(random) for _ in range(count))

    def _choices(
        self, state: int, left: int
    ) -> tuple[list[int], list[tuple[str, int]]]:
        """The edges to texts of `left` more characters, with running sums of their numbers."""
        key = (state, left)
        if key not in self._drawn:
            ways = self._ways[left]
            edges = [
                (chars, target)
                for target, chars in self._edges[state].items()
                if target in ways
            ]
            counts = (len(chars) * ways[target] for chars, target in edges)
            self._drawn[key] = list(accumulate(counts)), edges
        return self._drawn[key]

    @cached_property
    def _drawn(
        self,
    ) -> dict[tuple[int, int], tuple[list[int], list[tuple[str, int]]]]:
        return {}
