"""The steps of a case at one position: what every group of tokens leads to and ends in, each
computed once.

Tokens of one role (case.py) lead a state to the same state, so one of them is asked for all.
Rules of this file: what is kept depends on one case and one position only.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from handcraft.proof.prover.case import OUT, Case


class Steps:
    """The steps of a case at one position: what each group of tokens reaches and ends in,
    each computed once.
    """

    def __init__(
        self, case: Case, k: int, ends: bool, last: bool, level: int
    ) -> None:
        self.case = case
        self.k = k
        self.ends = ends
        self.last = last
        self.level = level
        self.known: dict[
            tuple[Hashable, tuple[int, ...]], tuple[list[Any], list[Any]]
        ] = {}
        self.after: dict[tuple[Hashable, int], Any] = {}
        self.answers: dict[Any, tuple[Any, int]] = {}
        self.roles: dict[tuple[int, ...], list[list[int]]] = {}

    def __call__(
        self, state: Any, tokens: tuple[int, ...]
    ) -> tuple[list[Any], list[Any]]:
        key = (state, tokens)
        found = self.known.get(key)
        if found is None:
            if tokens not in self.roles:
                self.roles[tokens] = self._roles(tokens)
            found = self.known[key] = self._read(state, self.roles[tokens])
        return found

    def _roles(self, tokens: Sequence[int]) -> list[list[int]]:
        """Return the tokens of each role."""
        together: dict[Hashable, list[int]] = {}
        for token in tokens:
            together.setdefault(self.case.role(self.k, token), []).append(token)
        return list(together.values())

    def _read(
        self, state: Any, roles: list[list[int]]
    ) -> tuple[list[Any], list[Any]]:
        nexts: dict[Any, list[int]] = {}
        ends: dict[Any, list[int]] = {}
        for alike in roles:
            token = alike[0]
            n = len(alike)
            if (state, token) not in self.after:
                self.after[state, token] = self.case.step(state, self.k, token)
            after = self.after[state, token]
            if after is None:
                continue
            if not self.last:
                nexts[after] = (
                    [*nexts[after], *alike] if after in nexts else alike
                )
            if not self.ends:
                continue
            expected, counts = self._answer(after, token)
            if expected is not OUT:
                row = ends.setdefault(expected, [0, 0, token])
                row[0] += n
                row[1] += n * counts
        return list(nexts.items()), [(x, *row) for x, row in ends.items()]

    def _answer(self, state: Any, token: int) -> tuple[Any, int]:
        """Return what must follow a context that ends in this state, by this token, and 1 if it
        is counted.
        """
        name = (state, token) if self.case.reads_own else state
        found = self.answers.get(name)
        if found is None:
            found = self.answers[name] = (
                self.case.expected(state, self.level, token),
                int(self.case.counts(state, self.level)),
            )
        return found
