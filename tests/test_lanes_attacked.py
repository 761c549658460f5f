"""What a reader of the checker who wished it ill found, each with the input that it let through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lane_programs import tagged

from handcraft.core.errors import ProgramError, WeightsError
from handcraft.proof.by_lanes import certificate_of
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.certificate import (
    Invariant,
    LaneCertificate,
    lanes_from_json,
    to_json,
)
from handcraft.proof.lanes.check import check_lanes, measured_lanes
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.symbols import Symbols
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import ratio

# ------------------------------------------------------------ what is stated


def stated(holds: Any, radius: float, lane: str = "bos") -> LaneCertificate:
    """A certificate of a right model with one invariant: what this lane holds, which is 0."""
    model = tagged("double_hist", 3)
    said = Invariant("0.attn", lane, holds, radius)
    return replace(certificate_of(model), invariants=(said,))


def tiny() -> Expression:
    """10^-360, which as a float is 0."""
    found: Any = ratio(1, 10**9)
    for _ in range(39):
        found = ratio(found, 10**9)
    return found  # type: ignore[no-any-return]


def test_what_a_lane_holds_is_not_rounded_before_it_is_compared() -> None:
    """A lane that is 0 holds no other number, however small, within a radius of 0."""
    model, nothing = tagged("double_hist", 3), ratio(0, 1)
    assert check_lanes(model, stated(nothing, 0.0)).invariants[0].radius == 0
    with pytest.raises(Rejected, match="is farther from it"):
        check_lanes(model, stated(tiny(), 0.0))
    (measured,) = measured_lanes(
        model, stated(tiny(), 1.0).invariants
    ).invariants
    assert 0 < measured.radius < 1e-300


def test_a_radius_that_is_no_number_allows_nothing() -> None:
    with pytest.raises(Rejected, match="is farther from it"):
        check_lanes(tagged("double_hist", 3), stated(ratio(0, 1), float("nan")))


LONG = {"long": 10**400, "below": -(10**400), "great": 2**200}
TOO_LONG = [
    (key, x)
    for key in ("margin", "n_ctx", "seconds", "radius")
    for x in LONG.values()
]


@pytest.mark.parametrize(
    ("key", "number"),
    # there may be many contexts
    [*TOO_LONG, ("contexts", 2**14_001), ("contexts", -(10**400))],
)
def test_a_number_that_is_too_long_is_no_number(key: str, number: int) -> None:
    data = to_json(stated(ratio(0, 1), 1.0))
    data = data | {"invariants": [dict(data["invariants"][0])]}
    (data["invariants"][0] if key == "radius" else data)[key] = number
    with pytest.raises(WeightsError, match="is no"):
        lanes_from_json(data)


# ------------------------------------------------------------ what has no value


TOKEN = {"op": "token_at", "args": [{"op": "here"}]}
ITSELF = {
    "op": "equal",
    "args": [{"op": "there", "args": [{"op": "here"}]}, {"op": "here"}],
}


@pytest.mark.parametrize(
    ("op", "where"),
    [("total_where", 0), ("total_where", ITSELF), ("mean", ITSELF)],
    ids=["a sum of none", "a sum of one", "a mean of one"],
)
def test_a_sum_of_texts_has_no_value(op: str, where: Any) -> None:
    """The evaluator refuses it, whatever is selected; so it has no form."""
    e = Expression.model_validate({"op": op, "args": [TOKEN, where]})
    with pytest.raises(ProgramError, match="takes numbers, found 'a'"):
        e.all("ab", causal=True)
    with pytest.raises(Rejected, match="a sum of what may be a text"):
        MeaningForms(Symbols(("a", "b"), 2, causal=True)).of(e)
