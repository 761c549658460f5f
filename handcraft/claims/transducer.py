"""Transducers: finite machines that write an answer while reading aligned prompt positions.

    transducer(inputs, table, start)    step k reads the tokens at the positions `inputs`, each
                                        computed from `step` and `end`; the row (state, token,
                                        token, ...) of the table gives the token to write and
                                        the next state

Column addition is an example: its inputs are the digits of one place, its state is the carry.
Rules of this file: a transducer is data, and `run` says in plain Python what it means; a missing
row is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from pydantic import model_validator

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.core.frozen import Frozen
from handcraft.core.source import caller
from handcraft.language.affine import kind_of
from handcraft.sequence.evaluate import Ask, compiled
from handcraft.sequence.expression import Expression, Plain
from handcraft.sequence.values import shown

# (state, token, ...) -> (token to write, next state)
_Row = tuple[tuple[Plain, ...], tuple[str, Plain]]
# the operations that an input may consist of
POSITIONAL = ("step", "end", "add", "subtract", "multiply", "divide", "modulo")


class Transducer(Frozen):
    """A finite transducer over aligned positions of a prompt. Raises ProgramError if malformed."""

    CALLED: ClassVar[str] = "transducer"
    inputs: tuple[Expression, ...]
    table: tuple[_Row, ...]
    start: Plain

    @model_validator(mode="after")
    def _sound(self) -> Transducer:
        if not self.inputs or not all(map(_positional, self.inputs)):
            raise ProgramError(
                "each input of a transducer is a position, computed from `step` and"
                " `end` by + - * // %"
            )
        if not self.table or len(self.rows) < len(self.table):
            raise ProgramError(
                "a transducer needs a table in which no row stands twice"
            )
        for key in self.rows:
            if len(key) != 1 + len(self.inputs) or not all(
                isinstance(token, str) for token in key[1:]
            ):
                found = printable(repr(key))[:60]
                raise ProgramError(
                    f"a row of the table is (state, token, ...) with {len(self.inputs)}"
                    f" tokens, found {found}"
                )
        return self

    @cached_property
    def rows(self) -> dict[tuple[int | str, ...], tuple[str, int | str]]:
        """The table as a dictionary: {(state, token, ...): (token to write, next state)}."""
        return dict(self.table)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that it can write."""
        return tuple(dict.fromkeys(written for _, (written, _) in self.table))

    def run(self, prompt: Sequence[str], steps: int) -> tuple[str, ...]:
        """The tokens that it writes in so many steps.

        Raises ProgramError for a position outside the prompt and for a missing row.
        """
        state = self.start
        written = list[str]()
        for k in range(steps):
            if (problem := self.outside(len(prompt), k)) is not None:
                raise ProgramError(problem, ("claim",))
            places = self._places(len(prompt), k)
            read = (state, *(prompt[at] for at in places))
            if read not in self.rows:
                raise ProgramError(
                    f"the transducer has no row for {printable(repr(read))} at"
                    f" step {k}",
                    ("claim",),
                )
            token, state = self.rows[read]
            written.append(token)
        return tuple(written)

    def outside(self, n: int, k: int) -> str | None:
        """A message if it reads a position outside a prompt of n tokens at step k, else None."""
        for at in self._places(n, k):
            if not isinstance(at, int) or not 0 <= at < n:
                return (
                    f"the transducer reads position {shown(at)} at step {k}, but the"
                    f" prompt has {n} tokens"
                )
        return None

    def _places(self, n: int, k: int) -> list[Any]:
        scope = {"here": n - 1, "end": n - 1, "step": k}
        return [ask((), scope) for ask in self._asks]

    @cached_property
    def _asks(self) -> list[Ask]:
        return [compiled(place) for place in self.inputs]


def _positional(place: Expression) -> bool:
    return place.ops <= set(POSITIONAL)


@checked_call()
def transducer(
    inputs: Expression | Sequence[Expression],
    table: Mapping[Any, tuple[str, int | str]],
    start: int | str,
) -> Transducer:
    """The transducer of a table {(state, token, ...): (token to write, next state)}."""
    if not isinstance(inputs, Expression | list | tuple):
        raise ProgramError(
            "the inputs of a transducer are positions in order, found"
            f" {kind_of(inputs)}",
            ("claim",),
            caller(),
        )
    places = (inputs,) if isinstance(inputs, Expression) else tuple(inputs)
    if not isinstance(table, Mapping) or not all(
        isinstance(key, tuple) and isinstance(row, tuple)
        for key, row in table.items()
    ):
        raise ProgramError(
            "a transducer takes {(state, token, ...): (token to write, next state)}",
            ("claim",),
            caller(),
        )
    return Transducer(inputs=places, table=tuple(table.items()), start=start)
