"""The real runs beside a proof: many drawn texts are judged at once, and say what each says."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from lane_programs import tagged

from handcraft.model import Model
from handcraft.proof.judge import Judge
from handcraft.proof.sample import draw_agreeing, draw_contexts
from handcraft.proof.tally import Tally


def judged(model: Model) -> tuple[Tally, Tally]:
    """What is said of drawn texts at once, and of one after the other."""
    claim: Any = model.program.claim  # type: ignore[union-attr]
    judge = Judge(model, claim)
    return draw_agreeing(judge, 60, Mock()), draw_contexts(
        judge, 60, math.inf, Mock()
    )


@pytest.mark.parametrize("name", ["hist", "shift", "induction", "sort"])
def test_texts_that_are_judged_at_once_are_those_that_are_drawn(
    name: str,
) -> None:
    once, each = judged(tagged(name, 12))
    assert once.contexts == each.contexts > 40
    assert (once.checked, once.correct) == (each.checked, each.correct)
    assert once.worst is each.worst is None
    assert once.min_margin == pytest.approx(each.min_margin)


def test_a_wrong_text_is_found_and_is_the_same() -> None:
    model = tagged("hist", 12)
    weights = deepcopy(model.weights)
    weights["wpe"][9] += 2.0**14  # a text of nine tokens or more
    once, each = judged(replace(model, weights=weights))
    assert each.worst is not None
    assert once == each
