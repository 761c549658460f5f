"""Programs in RASP beside plain Python functions that say what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from hypothesis import strategies as st

from handcraft import rasp
from handcraft.rasp import causal_eval

MANY = [  # inputs of the greatest length that is tried as a whole, at most
    100,
    pytest.param(800, marks=pytest.mark.slow),
]


@dataclass(frozen=True)
class Program:
    """A function that makes a program, what it means, and the tokens it is asked about."""

    make: Callable[[], rasp.RASPExpr]
    plain: Callable[[list[Any]], list[Any]]
    over: tuple[Any, ...]
    causal: bool
    shortest: int
    longest: int

    def __str__(self) -> str:
        return self.make.__name__

    def holds_on_every_short_input(self, many: int) -> None:
        """Asserts that the program says what it means on every input of a few tokens."""
        program = self.make()
        for n in range(self.shortest, self.longest + 1):
            if n > self.shortest and len(self.over) ** n > many:
                break
            for xs in product(self.over, repeat=n):
                self.holds(program, list(xs))

    def holds(self, program: rasp.RASPExpr, xs: list[Any]) -> None:
        """Asserts that the program says what it means on this input."""
        value = causal_eval.evaluate if self.causal else rasp.evaluate
        assert value(program, xs) == self.plain(xs), xs

    def inputs(self) -> st.SearchStrategy[list[Any]]:
        """Longer inputs, drawn."""
        most = min(20, self.longest)
        return st.lists(
            st.sampled_from(self.over), min_size=self.shortest, max_size=most
        )


class Programs(list[Program]):
    """A list of programs, each with its meaning written above it."""

    def against(
        self,
        plain: Callable[[list[Any]], list[Any]],
        over: Sequence[Any],
        *,
        causal: bool = False,
        shortest: int = 0,
        longest: int = 99,
    ) -> Callable[[Callable[[], rasp.RASPExpr]], Callable[[], rasp.RASPExpr]]:
        """Adds the function below it, which makes a program, with its meaning and its tokens."""

        def add(
            make: Callable[[], rasp.RASPExpr],
        ) -> Callable[[], rasp.RASPExpr]:
            self.append(
                Program(make, plain, tuple(over), causal, shortest, longest)
            )
            return make

        return add


def each(
    f: Callable[[list[Any], int], Any],
) -> Callable[[list[Any]], list[Any]]:
    """The plain function that asks another one for every position."""
    return lambda xs: [f(xs, i) for i in range(len(xs))]


def share(flags: Sequence[Any]) -> float | int | bool:
    """The mean, as an aggregate gives it: of one value the value itself, of none 0."""
    if len(flags) <= 1:
        return flags[0] if flags else 0
    return sum(flags) / len(flags)
