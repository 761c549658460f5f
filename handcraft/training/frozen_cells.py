"""Finds the cells that rules wrote, so that training leaves them as they are.

A rule is named as `explain` names it: `embedding[0]`, `layers[0] > query`, and a shorter name
stands for all that are under it: `layers[0]` for every head and neuron of the first layer.
Rules of this file: a cell counts as a rule's if the rule wrote it, even with the value 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from handcraft.core.errors import ProgramError, hint, listing, printable
from handcraft.core.gpt2 import Array
from handcraft.core.provenance import Entry
from handcraft.core.weights import flatten
from handcraft.model import Model


def frozen_cells(model: Model, rules: Sequence[str]) -> dict[str, Array]:
    """{name of an array: True at each cell that stays}, for the arrays that have such cells.

    Raises ProgramError for a model without rules, and for a rule that it has not.
    """
    if not rules:
        return {}
    if not model.entries:
        raise ProgramError(
            "has no rules to freeze; --freeze is for a program", (model.name,)
        )
    known = list(dict.fromkeys(e.reason.rule for e in model.entries))
    for rule in rules:
        if not any(_under(one, rule) for one in known):
            raise ProgramError(
                f"there is no rule '{printable(rule)[:60]}'{hint(rule, known)}; the rules"
                f" are {listing(known)}",
                (model.name,),
            )
    chosen = [
        entry
        for entry in model.entries
        if any(_under(entry.reason.rule, rule) for rule in rules)
    ]
    return _marked(flatten(model.weights), chosen)


def _under(rule: str, name: str) -> bool:
    """True if a rule is the named one, or a part of it."""
    wanted = [step.strip() for step in name.split(">")]
    return rule.split(" > ")[: len(wanted)] == wanted


def _marked(
    arrays: Mapping[str, Array], entries: Sequence[Entry]
) -> dict[str, Array]:
    marks: dict[str, Array] = {}
    for entry in entries:
        array = arrays[entry.matrix]
        mark = marks.setdefault(entry.matrix, np.zeros(array.shape, bool))
        mark[(entry.row, entry.column) if array.ndim == 2 else entry.column] = (
            True
        )
    return marks
