"""Sorting by how often a token occurs: a rank of a count, which heads add up in parts."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from conftest import slow_from
from lane_programs import is_right, tagged
from test_lanes_wrong import held_to

from handcraft import tag
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.check import measured_lanes
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    count,
    fetch,
    indices,
    there,
    tokens,
)


def ranked_by(
    key: Expression | Any, *, rarest: bool = False, latest: bool = False
) -> Expression:
    """The tokens by a number of theirs, of equals those that stand first, or last."""
    before = indices < there(indices) if latest else there(indices) < indices
    more = there(key) < key if rarest else key < there(key)
    rank = count(more | (there(key) == key) & before)
    return fetch(tokens, there(rank) == indices)


HIST = count(there(tokens) == tokens)
LETTERS = count(there(tokens) < tokens)
CLAIMS = {
    "often": ranked_by(HIST),
    "seldom": ranked_by(HIST, rarest=True),
    "often, latest": ranked_by(HIST, latest=True),
    "by letters": ranked_by(LETTERS),
}


@pytest.mark.parametrize("said", CLAIMS)
def test_each_of_these_ranks_is_proved(said: str) -> None:
    model = tag(CLAIMS[said], tokens="abc", n=4).build()
    assert measured_lanes(model, ()).margin > 1
    assert is_right(model)


@pytest.mark.parametrize(
    "said", slow_from(1, [x for x in CLAIMS if x != "often"])
)
def test_a_rank_by_another_key_or_with_other_ties_is_not(said: str) -> None:
    """Of ten tokens the heads add up the rank in parts."""
    with pytest.raises(Rejected):
        measured_lanes(
            held_to(tagged("sort_by_frequency", 10), CLAIMS[said]), ()
        )
    other = tag(CLAIMS[said], tokens="abc", n=4).build()
    with pytest.raises(Rejected):
        measured_lanes(held_to(other, CLAIMS["often"]), ())


def test_no_rank_where_equals_are_not_told_apart() -> None:
    """Two positions may have the same count, so a fetch by it may find several."""
    wrong = fetch(tokens, there(count(there(HIST) > HIST)) == indices)
    model = held_to(tagged("sort_by_frequency", 10), wrong)
    with pytest.raises(Rejected, match="may select several"):
        measured_lanes(model, ())


@pytest.mark.parametrize("head", range(4))
def test_a_part_of_the_rank_that_is_left_out(head: int) -> None:
    """Blocks 2 and 3 have two heads each; without one of them the rank is another one."""
    model = tagged("sort_by_frequency", 10)
    weights = deepcopy(model.weights)
    attn = weights["blocks"][2 + head // 2]["attn"]
    n = len(attn["c_proj"]["w"]) // 2
    attn["c_proj"]["w"][n * (head % 2) : n * (head % 2 + 1)] = 0
    with pytest.raises(Rejected):
        measured_lanes(replace(model, weights=weights), ())
