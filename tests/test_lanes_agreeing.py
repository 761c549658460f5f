"""The real runs beside a proof: many drawn texts are judged at once, and say what each says."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any
from unittest.mock import Mock, patch

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


@pytest.mark.parametrize("name", ["hist", "shift", "induction", "dyck2"])
def test_as_many_texts_are_judged_at_once_and_each_as_by_itself(
    name: str,
) -> None:
    once, each = judged(tagged(name, 12))  # some texts are drawn twice
    assert once.contexts > 40
    assert each.contexts > 40
    for tally in (once, each):
        assert tally.checked == tally.correct == tally.contexts
    assert once.worst is each.worst is None
    assert once.min_margin == pytest.approx(each.min_margin, rel=0.2)


def test_texts_are_of_all_lengths_and_begin_with_the_first_token() -> None:
    model = tagged("dyck2", 12)
    judge = Judge(model, model.program.claim)  # type: ignore[union-attr]
    seen: list[list[str]] = []
    with patch.object(judge, "texts") as texts:
        draw_agreeing(judge, 1_000, Mock())
    for call in texts.call_args_list:
        seen += [model.vocabulary.decode(row) for row in call.args[1].tolist()]
    assert {len(text) for text in seen} == set(range(2, 14))
    assert {text[0] for text in seen} == {"^"}
    assert {c for text in seen for c in text[1:]} == set("(){}")


def test_a_wrong_text_is_found_and_shrunk() -> None:
    model = tagged("hist", 12)
    weights = deepcopy(model.weights)
    weights["wpe"][9] += 2.0**14  # a text of nine tokens or more
    once, each = judged(replace(model, weights=weights))
    assert each.worst is not None
    assert once == each


def test_a_wrong_text_that_is_not_drawn_again_is_kept() -> None:
    model = tagged("hist", 12)
    weights = deepcopy(model.weights)
    weights["wpe"][9] += 2.0**14
    claim: Any = model.program.claim  # type: ignore[union-attr]
    judge = Judge(replace(model, weights=weights), claim)
    with patch("handcraft.proof.sample.draw_contexts", return_value=Tally()):
        assert draw_agreeing(judge, 60, Mock()).worst is not None
