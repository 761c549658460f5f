"""Proofs of what answers a prompt, at full size."""

from __future__ import annotations

from lane_programs import answering

from handcraft.proof.lanes.check import measured_lanes


def test_answers_that_are_sorted_by_frequency_are_proved_for_twenty_tokens() -> (
    None
):
    """Its tables are the largest of all answers to texts of 20 tokens."""
    model = answering("sort_by_frequency", 20)
    assert measured_lanes(model, ()).margin > 793
