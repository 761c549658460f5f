"""The checker's endings: what a head without a query of its own is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from handcraft.proof.checker.endings import EndingsJudge
from handcraft.proof.checker.zonotope import Rejected, Zonotope


def test_a_known_mean_of_one_state_is_not_that_of_several() -> None:
    """Where a head takes any query, its mean is known for one state of earlier positions: for
    several it is rejected, also after the first of them was asked alone.
    """
    judge = EndingsJudge.__new__(EndingsJudge)
    judge.means = {}
    slot = SimpleNamespace(query=None, gap=1.0)
    view = SimpleNamespace(slot=slot, blind=lambda _q, _level, state: state)
    named = {(1, 0): (0, view)}
    row: Any = SimpleNamespace(walk=SimpleNamespace(named=named), place=(3, 0))
    query = Zonotope.of(np.zeros((1, 2)), np.zeros((1, 2)))
    assert judge._seen((1, 0), query, 0, row, [5]) == 5
    with pytest.raises(Rejected, match="too many states of earlier positions"):
        judge._seen((1, 0), query, 0, row, [5, 7])
