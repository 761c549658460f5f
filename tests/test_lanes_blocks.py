"""The margin of a claim is the least of all blocks of rows, whatever rows these have."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from lane_by_hand import ASKS, Y, by_hand, head
from lane_programs import answering, is_right

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import logits, numbers
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.numbers import in_blocks


def wrong_in_the_end() -> Model:
    """The second of two positions says no a where it is a b: the last row of four."""
    block = head(query=ASKS, key={}, value={}, out={}, bias=1.0)
    model = by_hand([0, 0, 0], [0, 0, 0], block)
    model.weights["wpe"][2, Y] = -1.5
    return model


def but_the_last(rows: Array, wide: int) -> Iterator[Array]:
    """All blocks but the last one."""
    yield from list(in_blocks(rows, wide))[:-1]


@pytest.mark.parametrize("many", [1, 50, 1000])
def test_the_margin_in_small_blocks_is_that_of_all_rows(many: int) -> None:
    model = answering("hist", 2)
    whole = measured_lanes(model, ())
    with patch.object(numbers, "_MOST_AT_ONCE", many):
        found = measured_lanes(model, ())
    assert found.margin == pytest.approx(whole.margin, rel=1e-12)
    assert found.error == pytest.approx(whole.error, rel=1e-12)


@pytest.mark.parametrize("many", [1, 10**6])
def test_a_row_in_the_last_block_counts(many: int) -> None:
    model = wrong_in_the_end()
    assert not is_right(model)
    with patch.object(numbers, "_MOST_AT_ONCE", many):
        with pytest.raises(Rejected, match="the margin may be -"):
            measured_lanes(model, ())
        if many > 1:
            return
        with patch.object(logits, "in_blocks", but_the_last):
            assert measured_lanes(model, ()).margin > 0
