"""Programs of a suite are proved: those that nobody chose, with longer texts than can be tried."""

from __future__ import annotations

import pytest

from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.check import measured_lanes
from handcraft.results.suites.choosing import Candidate, Choice, Settings
from handcraft.results.suites.member import _compiled


def chosen(count: int) -> list[tuple[Candidate, Model]]:
    """The programs that stand at the first places of a suite."""
    choice = Choice(Settings(seed=0, n=10))
    found = []
    for place in range(count):
        for candidate, says in choice.candidates(place):
            if (model := _compiled(candidate)) is not None:
                choice.take(candidate, says)
                found.append((candidate, model))
                break
    return found


@pytest.mark.slow
def test_of_a_hundred_programs_for_ten_tokens_one_is_not_proved() -> None:
    """It asks for a mean over positions that are told apart by a count."""
    refused = set()
    for candidate, model in chosen(100):
        try:
            assert measured_lanes(model, ()).margin > 0
        except Rejected:
            refused.add(candidate.name)
    assert refused == {"0092_mean"}
