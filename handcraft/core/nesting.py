"""Walks what an author nests: lists of lists of rules or of slots, of any depth but one that ends.

Rules of this file: an order that is by chance, as a set has it, is refused: rules and slots would
change places from run to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from handcraft.core.errors import ProgramError

_DEEPEST = 100  # lists in lists; Python's own stack ends at some hundreds


def refuse_set(value: object) -> None:
    """Raises ProgramError for a set."""
    if isinstance(value, set | frozenset):
        raise ProgramError(
            "a set has no order: the parts would change places from run to run; pass"
            " a list"
        )


def flat(
    nested: Iterable[Any],
    enters: Callable[[Any], bool],
    outer: tuple[int, ...] = (),
) -> Iterator[Any]:
    """The leaves of a nesting in their order; `enters` is true of the parts that are no leaf.

    Raises ProgramError for a set, and for a list that holds itself or is nested without end.
    """
    refuse_set(nested)
    if id(nested) in outer:
        raise ProgramError("the list holds itself, so it has no end")
    if len(outer) == _DEEPEST:
        raise ProgramError(f"lists may be nested {_DEEPEST} deep, not deeper")
    for part in nested:
        if enters(part):
            yield from flat(part, enters, (*outer, id(nested)))
        else:
            yield part
