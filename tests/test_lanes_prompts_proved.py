"""Programs that answer prompts, and are proved by what their lanes hold."""

from __future__ import annotations

import pytest
from conftest import slow_from
from lane_programs import NAMES, answering

from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.verify import verify

OF_TWENTY = (
    *("balanced", "carry", "depth", "distinct_so_far", "double_hist"),
    *("dyck2", "first_position", "flip_flop", "hist", "induction"),
    *("inversions", "leader", "least", "median", "mirror", "most_frequent"),
    *("nth", "palindrome", "parity", "pattern", "reverse", "rotate"),
    *("rule110", "run", "running_max"),
    *("shift", "shuffle", "since", "sort", "sorted_so_far", "sum_mod_3"),
    "swap",
)
QUICK = ("hist", "reverse", "least", "depth", "shift", "running_max")
PROVED = [*QUICK, *(x for x in NAMES if x not in QUICK)]


@pytest.mark.parametrize("name", slow_from(len(QUICK), PROVED))
def test_its_answers_are_proved_for_texts_of_three_tokens(name: str) -> None:
    model = answering(name, 3)
    claim = model.program.claim  # type: ignore[union-attr]
    shown = measured_lanes(model, ())
    assert shown.margin > 0
    assert shown.contexts == claim.language(model.n_ctx, model.vocabulary).size  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_TWENTY)
def test_its_answers_are_proved_for_texts_of_twenty_tokens(name: str) -> None:
    """All but sort_by_frequency, which takes two minutes."""
    assert measured_lanes(answering(name, 20), ()).margin > 0


def test_the_report_says_that_it_is_proved() -> None:
    """Contexts are followed first: this claim reads an index that they do not follow."""
    model = answering("hist", 4)
    report = verify(model)
    assert (report.verdict, report.method) == ("proved", "lanes")
    assert report.contexts == 3 + 9 + 27 + 81
