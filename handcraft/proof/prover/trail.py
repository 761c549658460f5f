"""The graph of one search, built from the edges that the search reports, with its lists of tokens
numbered.

Rules of this file: it stores what it is given; whether that is a proof is for the checker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

# tokens, the state after them, tokens, the state after them, ...
_Row: TypeAlias = tuple[Any, ...]


class Groups:
    """Lists of tokens, each stored once under a number."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self._numbers: dict[tuple[int, ...], int] = {}
        self._kept: dict[tuple[int, ...], tuple[int, ...]] = {}

    def number(self, tokens: Sequence[int]) -> int:
        """Return the number of a list."""
        found = self._numbers.setdefault(tuple(tokens), len(self.rows))
        if found == len(self.rows):
            self.rows.append(list(tokens))
        return found

    def kept(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Return the same tokens, kept once however often they are asked for."""
        return self._kept.setdefault(tokens, tokens)


class Trail:
    """The graph of one search, built from the edges that the search reports, position by
    position. What is complete is kept as it is written.
    """

    def __init__(self, groups: Groups) -> None:
        self.groups = groups
        self.forget()

    def forget(self) -> None:
        """Forget the graph: it is written, or never will be."""
        self.k = 0  # tokens read before the edges that are told now
        # of each state before the k-th token the tokens that lead to each state after it
        self.edges: list[dict[int, list[int]]] = []
        # of each token before, of each state: tokens, the state after them, tokens, ...
        self.complete: list[list[_Row]] = []

    def begin(self, k: int, states: int) -> None:
        """Go on to the edges of the k-th token, before which there are so many states."""
        while self.k < k:
            self.complete.append(self._rows())
            self.edges = []
            self.k += 1
        self.edges = [{} for _ in range(states)]

    def read(self, number: int, tokens: Sequence[int], target: int) -> None:
        """Record that these tokens lead from a state to another; both are numbered in the
        order in which they were first reached.
        """
        self.edges[number].setdefault(target, []).extend(tokens)

    def _rows(self) -> list[_Row]:
        kept = self.groups.kept
        return [
            tuple(
                x
                for target, tokens in edges.items()
                for x in (kept(tuple(sorted(tokens))), target)
            )
            for edges in self.edges
        ]

    def graph(self) -> list[list[list[int]]]:
        """Return the graph: [k][state] is a list of group of tokens, state after it, group,
        state, ...
        """
        levels = [*self.complete, self._rows()]
        while levels and not any(levels[-1]):  # no context goes on there
            levels.pop()
        return [[self._numbered(row) for row in rows] for rows in levels]

    def _numbered(self, row: _Row) -> list[int]:
        number = self.groups.number
        return [number(x) if i % 2 == 0 else x for i, x in enumerate(row)]
