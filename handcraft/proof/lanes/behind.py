"""That a key finds nothing which stands behind it: the position that asks sees more than the key.

Behind(at_key).check(condition)   raises Rejected unless it is false for all keys behind
labels_used(asked, labels)        labels with those that say where something is asked for
rows_used(asked, labels)          True for the rows that can be there
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.first_token import Asking
from handcraft.proof.lanes.forms import Form, moved_to_key, over
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.symbols import AT_END, AT_INDEX, Labels, spread
from handcraft.sequence.expression import Expression


class Behind(MeaningForms):
    """What a condition is where the key stands behind the position that has it."""

    def __init__(self, at_key: Asking) -> None:
        super().__init__(at_key.symbols)
        self.at_key = at_key
        self._asked = {
            "there": lambda e: moved_to_key(
                at_key.symbols, at_key.of_key(e.args[0])
            )
        }

    def _form(self, e: Expression) -> Form:
        return super()._form(e) if e.paired else self.at_key.of(e)

    def check(self, e: Any) -> None:
        """Raise Rejected unless a condition is false for all keys behind."""
        with self.symbols.behind():
            form = self._condition(e)
            index = ((0, AT_INDEX), (1, AT_INDEX))
            labels = labels_used(self.at_key, (*form.labels, *index))
            possible = rows_used(self.at_key, labels)
            if over(self.symbols, form, labels)[possible].any():
                raise Rejected("a key may find what stands behind it")


def labels_used(asked: Asking, labels: Labels) -> Labels:
    """Labels with those that say where something is asked for, if that is said."""
    more = () if asked.used is None else ((0, AT_INDEX), (0, AT_END))
    return tuple(sorted({*labels, *more}))


def rows_used(asked: Asking, labels: Labels) -> Array:
    """True for the rows that can be where something is asked for."""
    possible = asked.symbols.possible(labels)
    if asked.used is None:
        return possible
    used = spread(asked.used, ((0, AT_END), (0, AT_INDEX)), labels)
    return np.array(possible & used)
