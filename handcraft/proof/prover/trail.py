"""The graph of one search, built from the edges that the search reports, with its lists of tokens
numbered.

Rules of this file: it stores what it is given; whether that is a proof is for the checker.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
    position. What is complete is kept as it is written; only two positions know their states.
    """

    def __init__(self, groups: Groups) -> None:
        self.groups = groups
        self.forget()

    def forget(self) -> None:
        """Forget the graph: it is written, or never will be."""
        self.k = 0  # tokens read before the edges that are told now
        # the number of each state before and after the k-th token
        self.before: dict[Hashable, int] = {}
        self.after: dict[Hashable, int] = {}
        # of each state the tokens that lead to each state
        self.edges: dict[int, dict[int, list[int]]] = {}
        # of each token before, of each state: tokens, the state after them, tokens, ...
        self.complete: list[list[_Row]] = []

    def read(
        self,
        k: int,
        before: Hashable,
        nexts: Sequence[tuple[Any, list[int]]],
        rest: tuple[Any, ...],
    ) -> None:
        """Record that after that state each list of tokens leads to what the case says,
        with the same rest.
        """
        while self.k < k:
            self._next()
        number = self.before.setdefault(before, len(self.before))
        row = self.edges.setdefault(number, {})
        for reached, tokens in nexts:
            target = self.after.setdefault((reached, *rest), len(self.after))
            row.setdefault(target, []).extend(tokens)

    def _next(self) -> None:
        """Go on to the next token: all edges of this one are told."""
        self.complete.append(self._rows())
        self.before, self.after, self.edges = self.after, {}, {}
        self.k += 1

    def _rows(self) -> list[_Row]:
        kept = self.groups.kept
        return [
            tuple(
                x
                for target, tokens in self.edges.get(number, {}).items()
                for x in (kept(tuple(sorted(tokens))), target)
            )
            for number in range(len(self.before))
        ]

    def graph(self) -> list[list[list[int]]]:
        """Return the graph: [k][state] is a list of group of tokens, state after it, group,
        state, ...
        """
        last = [self._rows()] if self.edges else []
        return [
            [
                [
                    self.groups.number(x) if i % 2 == 0 else x
                    for i, x in enumerate(row)
                ]
                for row in rows
            ]
            for rows in [*self.complete, *last]
        ]
