"""Each check of proofs by lanes left out: then a wrong model is proved, so that it is needed.

    left out                                        wrong models proved, of 900 changed ones
    what the first token brings to a sum            12
    what its score says of the share of a key       38
    one position at a level, or equal values        2
    a greater level surely there                    30
    a count that is a rank                          16
    what is summed is a multiple of one number      1

Without another one none of the 900 was proved: the leak, the gap between levels, the rounding of
shares and of lanes, the share of keys that are far, the first token beside a key or ahead of all,
what it brings to a choice and gets itself. They bound what is small in these programs, or stand
behind another check: the margin is compared with all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import is_right, tagged
from test_lanes_wrong import cells, held_to

from handcraft import tag
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import attention, head_sum, meaning
from handcraft.proof.lanes.check import measured_lanes
from handcraft.sequence.words import fetch, latest, otherwise, there, tokens

REAL_SHARE = head_sum.key_share


def anchored() -> Model:
    """A count that is twice as great: the first token's score is less by ln 2."""
    model, w = cells(tagged("hist", 4), "c_attn")
    n = len(w)
    at = int(np.argmax(w[0, n : 2 * n]))
    w[0, n + at] *= 1 - np.log(2) / np.log(2**30)
    return model


def brings_a_value() -> Model:
    """A count to which the first token adds a little: some of it in the rounding of a logit."""
    model, w = cells(tagged("hist", 4), "c_attn")
    n = len(w)
    w[0, 2 * n :] += np.where(w[:, 2 * n :].any(axis=0), 2.0**-24, 0)
    return model


def one_of_several() -> Model:
    """The latest of equal tokens, for a fetch of the only one, which else is undefined."""
    same = there(tokens) == tokens
    model = tag(
        fetch(tokens, latest(same)), tokens="ab", n=3, causal=True
    ).build()
    says = otherwise(fetch(tokens, same), "b")
    return held_to(model, says)


def share_of_a_count(*given: Any) -> tuple[float, float, float]:
    """The share that a count should have, whatever the scores say."""
    _, off, rest = REAL_SHARE(*given)
    return 2.0**-30, off, rest


def without_first(scores: Any, _: Any) -> bool:
    """True for a sum, whatever the first token brings."""
    behind = scores.first_low[:, None] - scores.high
    return bool((behind[scores.pairs.mask] >= 0).all())


CASES: dict[str, tuple[Callable[[], Model], Any, str, Any]] = {
    "the anchor's score": (
        anchored,
        head_sum,
        "key_share",
        share_of_a_count,
    ),
    "what the first token brings": (
        brings_a_value,
        attention,
        "is_sum",
        without_first,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_left_out_it_lets_a_wrong_model_through(name: str) -> None:
    make, owner, check, instead = CASES[name]
    model = make()
    assert not is_right(model)
    with pytest.raises(Rejected):
        measured_lanes(model, ())
    with patch.object(owner, check, instead):
        assert measured_lanes(model, ()).margin > 0


def test_left_out_exactly_one_lets_a_wrong_claim_through() -> None:
    model = one_of_several()
    assert not is_right(model)
    with pytest.raises(Rejected, match="several positions"):
        measured_lanes(model, ())
    with patch.object(meaning, "one_at_most", lambda *_: True):
        assert measured_lanes(model, ()).margin > 0
