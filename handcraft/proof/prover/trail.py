"""The graph of one search, built from the edges that the search reports, with its lists of tokens
numbered.

Rules of this file: it stores what it is given; whether that is a proof is for the checker.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any


class Groups:
    """Lists of tokens, each stored once under a number."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self._numbers: dict[tuple[int, ...], int] = {}

    def number(self, tokens: Sequence[int]) -> int:
        """Return the number of a list."""
        found = self._numbers.setdefault(tuple(tokens), len(self.rows))
        if found == len(self.rows):
            self.rows.append(list(tokens))
        return found


class Trail:
    """The graph of one search, built from the edges that the search reports."""

    def __init__(self, groups: Groups) -> None:
        self.groups = groups
        # before the k-th token, the number of each state
        self.numbers: list[dict[Hashable, int]] = [{}]
        # of each state the tokens that lead to each state
        self.edges: list[dict[int, dict[int, list[int]]]] = []

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
        while len(self.edges) <= k:
            self.edges.append({})
            self.numbers.append({})
        row = self.edges[k].setdefault(
            self.numbers[k].setdefault(before, len(self.numbers[k])), {}
        )
        after = self.numbers[k + 1]
        for reached, tokens in nexts:
            row.setdefault(
                after.setdefault((reached, *rest), len(after)), []
            ).extend(tokens)

    def forget(self) -> None:
        """Forget the graph: it is written, or never will be."""
        self.numbers = [{}]
        self.edges = []

    def graph(self) -> list[list[list[int]]]:
        """Return the graph: [k][state] is a list of group of tokens, state after it, group,
        state, ...
        """
        found = []
        for edges, numbers in zip(self.edges, self.numbers, strict=False):
            rows = [edges.get(i, {}) for i in range(len(numbers))]
            found.append(
                [
                    [
                        x
                        for target, tokens in row.items()
                        for x in (self.groups.number(sorted(tokens)), target)
                    ]
                    for row in rows
                ]
            )
        return found
