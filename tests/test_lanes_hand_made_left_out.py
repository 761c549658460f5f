"""Each check that proofs of hand-made programs rest on left out: a wrong model or claim is then
proved, and is not with it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import answers_rightly
from test_lanes_hand_made import SMALL, of_size

from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import check, climbs, scores, stream
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.walks import TokenWalk
from handcraft.sequence.expression import Expression

REAL_SUMS = TokenWalk.sums
REAL_SHARED = scores.shared_in


def changed_claim(model: Model, **fields: Any) -> Model:
    """The same model with a claim of which some fields are others, though a Program would refuse
    it, as its first prompts show.
    """
    program: Any = copy(model.program)
    program.__dict__["claim"] = program.claim.model_copy(update=fields)
    return replace(model, program=program)


def changed_weights(model: Model, change: Callable[[Any, Any], None]) -> Model:
    """The same program with weights that a function changed, given the columns of its lanes."""
    weights: Any = deepcopy(model.weights)
    assert model.program is not None
    change(weights, {str(x): i for x, i in model.program.layout.column.items()})
    return replace(model, weights=weights)


def proved(model: Model) -> bool:
    """True if the checker accepts it."""
    try:
        measured_lanes(model, ())
    except Rejected:
        return False
    return True


def brackets() -> Model:
    return of_size("brackets", SMALL["brackets"][0])


def test_an_answer_that_is_over_before_its_stop_token() -> None:
    """The claim says that an answer is shorter by one than it is."""
    model = brackets()
    shorter = Expression(
        op="greatest",
        args=(model.program.claim.length - 1, 1),  # type: ignore[union-attr]
    )
    wrong = changed_claim(model, length=shorter)
    assert not proved(wrong)
    with patch.object(check, "check_stop", lambda *_: None):
        assert proved(wrong)


def test_what_no_position_reads_may_overflow_where_it_is_not_bounded() -> None:
    """What is read at a position that nobody asks is no number: real runs end there."""
    model = brackets()

    def grow(weights: Any, column: Any) -> None:
        out = weights["blocks"][1]["attn"]["c_proj"]["w"]
        out[:, column["squared"]] = 2.0**120

    wrong = changed_weights(model, grow)
    with pytest.raises(Rejected, match="overflow"):
        measured_lanes(wrong, ())


def test_a_sum_that_climbs_by_two() -> None:
    """It may pass a number: no position need have raised it to what it is."""
    weights = np.array([2, -1])

    known = {("weights", 3): (((1, 0),), weights)}
    symbols: Any = SimpleNamespace(known=known, causal=True)
    pairs = SimpleNamespace(queries=((0, 3),), keys=((1, 3),))
    assert climbs.climbed(symbols, pairs, np.zeros((1, 1))) == []


def test_a_sum_that_leaves_out_some_prompts() -> None:
    """Where only the least of what prompts add up to is known, a model is proved that answers no
    open bracket at all.
    """
    model = brackets()

    def close(weights: Any, column: Any) -> None:
        # whatever is found, it is answered by $
        weights["blocks"][1]["attn"]["c_proj"]["b"][column["token:$"]] += 1000

    wrong = changed_weights(model, close)

    def least(walk: TokenWalk, weights: Any, ends: Any, n: int) -> Any:
        low, found = REAL_SUMS(walk, weights, ends, n)
        kept = np.zeros_like(found)
        kept[..., -low] = found[..., -low]
        return low, kept

    assert not answers_rightly(wrong)
    assert not proved(wrong)
    with patch.object(TokenWalk, "sums", least):
        assert proved(wrong)


def test_errors_that_no_lanes_share() -> None:
    """What is taken off the error of a score is what lanes of one key share, and no more."""
    model = brackets()
    shown = measured_lanes(model, ())

    def all_of_it(q: Any, k: Any) -> Any:
        return np.abs(k.g).sum(axis=2) @ np.abs(q.c[0])

    with patch.object(scores, "shared_in", all_of_it):
        assert measured_lanes(model, ()).margin >= shown.margin
    q, k = (
        stream.Zonotope.of(np.array([[2.0, -1.0]])),
        stream.Zonotope(
            np.array([[1.0, 1.0]]), np.zeros((1, 2)), np.array([[[0.5], [1.0]]])
        ),
    )
    assert np.allclose(REAL_SHARED(q, k), 2.0)  # they cancel
    apart = stream.Zonotope(k.c, k.r, np.array([[[0.5, 0.0], [0.0, 1.0]]]))
    assert REAL_SHARED(q, apart) == 0
