"""Each bound of proofs by lanes left out: a model written by hand is then proved, and is wrong.

The models of tests/lane_by_hand.py answer rightly where y is above 0. Each has a y that is above 0
for who leaves out one thing, and not in a run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from lane_by_hand import (
    ASKS,
    FIRST,
    ONE,
    Cells,
    K,
    X,
    Y,
    Z,
    at_the_edge,
    by_hand,
    head,
)
from lane_programs import is_right

from handcraft import each, tag
from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import (
    attention,
    head_choice,
    head_mean,
    head_sum,
    logits,
    numbers,
    of_texts,
    offered,
    stream,
)
from handcraft.proof.lanes.attention import HeadReading
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.numbers import LaneNumbers
from handcraft.proof.lanes.pair_table import PairTable
from handcraft.proof.lanes.scores import HeadScores
from handcraft.sequence.words import length, lookup

SHARE = exp(-20.8)  # of a key whose score is 20.8 behind the first token's
REAL_LEVELS = attention.levels_of
REAL_SHARE = head_sum.key_share
REAL_UNITS = head_sum.units_of
REAL_SIMPLER = numbers.simpler


def reads(by: float = 1.0, bias: float = 0.0, **cells: Cells) -> dict[str, Any]:
    """A head whose scores are what the keys hold, and that adds what it reads of x to y."""
    parts: dict[str, Cells] = {
        "query": ASKS,
        "key": {(K, 0): 1.0},
        "value": {(X, 0): 1.0},
        "out": {(0, Y): by},
    }
    return head(**(parts | cells), bias=bias)


def counts(bias: float) -> dict[str, Any]:
    """The same where a key has the share of 20.8."""
    return reads(1 / SHARE, bias)


# ------------------------------------------------------------ the models


def leaks() -> Model:
    """Another key has e^-13 of the attention, and a great value."""
    return by_hand([-200, 13, 0], [0, 1, -(2.0**20)], reads())


def rounds() -> Model:
    """The mean of equal values is a little less than they are."""
    for n, v in ((n, 1 + i / 16) for n in (3, 5, 6, 7) for i in range(16)):
        model = at_the_edge([-200] + [0] * n, [0] + [v] * n, reads())
        bias = model.weights["blocks"][0]["attn"]["c_proj"]["b"][Y]
        if -bias < v:
            return model
    raise AssertionError("no mean is rounded down")


def differs_a_little() -> Model:
    """Of two keys at one level one has a value that is less by 2^-13, which counts 2^14 times."""
    block = reads(2.0**14, 1 - 2.0**14)
    return by_hand([-200, 0, 0], [0, 1, 1 - 2.0**-13], block)


def differs_much() -> Model:
    """The mean of two keys at one level is below 0, and the first of them is not."""
    return by_hand([-200, 0, 0], [0, 1, -2], reads())


def beside() -> Model:
    """The first token has half of the attention, or less."""
    return by_hand([0, -2, -2], [1, -5, -5], reads())


def nearly_whole() -> Model:
    """What is summed is less than 1 by 2^-10."""
    return by_hand([20.8, 0], [0, 1 - 2.0**-10], counts(2.0**-11 - 1))


def farther() -> Model:
    """A key that is 2 farther behind still has e^-2 of the share, and a great value."""
    return by_hand([20.8, -2, 0], [0, -100, 1], counts(1.0))


def of_other_shares() -> Model:
    """A key that is nearer by 0.4 has half as much again as another one."""
    return by_hand([20.8, 0.4, 0], [0, -1, 0], counts(1.35))


def of_uneven_shares() -> Model:
    """Of two keys at one level the worse one is nearer by 0.4: it is no mean."""
    return by_hand([-200, 0, 0.4], [0, 1.125, -1], reads())


def nearly_a_mean() -> Model:
    """The mean of 1 and a little less than -1 is below 0."""
    return by_hand([-200, 0, 0], [0, 1, -1 - 2.0**-11], reads(bias=1e-4))


def leaks_into_a_mean() -> Model:
    """Beside the mean of 1 and 1/2 there is e^-12 of a great value."""
    k = [-200, 12.25, 12.25, 0]
    return by_hand(k, [0, 1, 0.5, -500000], reads())


def not_always_there() -> Model:
    """A text of one token has no second one, whose value is the better."""
    return by_hand([-20, 0, 20], [0, -5, 1], reads(), causal=False)


def nearly_one() -> Model:
    """Two values of x are nearly the same, and the difference counts 2^28 times."""
    block = reads(2.0**28, -1)
    return by_hand([-200, 0, 40], [0, 2.0**-26, 0], block)


def first_that_sees() -> Model:
    """The first token reads -5 from the text, which is then read from it."""
    asks = {(ONE, 0): 2.0, (FIRST, 0): 2.0}
    one = reads(query=asks, out={(0, Z): 1.0})
    two = reads(key={(FIRST, 0): 40.0}, value={(Z, 0): 1.0}, bias=1)
    return by_hand([-40, 0, 0], [0, -5, -5], one, two, causal=False)


def infinite() -> Model:
    """Two scores are infinite, and so is their difference no number."""
    block = reads(query={(ONE, 0): 2.0**70}, key={(K, 0): 2.0**70})
    return by_hand([-1, 1, 1], [0, 1, 1], block)


def normalised() -> Model:
    """A layer norm turns all around."""
    model = by_hand([-200, 0], [0, 1], reads())
    d = model.weights["wte"].shape[1]
    one = np.ones(d, dtype=np.float32)
    norm = {"ln_f": {"g": -one, "b": 0 * one}}
    return replace(model, weights=model.weights | norm)


def of_the_whole_text() -> Model:
    """How many tokens there are, held to a claim on how many there are up to each."""
    e = lookup({1: "a", 2: "b"}, length)
    model = tag(e, tokens="ab", n=2, causal=False).build()
    claim = each(e, causal=True, begin="^", alphabet="ab")
    assert model.program is not None
    program = model.program.model_copy(update={"claim": claim})
    return replace(model, program=program)


# ------------------------------------------------------------ without


def one_position(_: Any, __: Any, ___: Any, ____: Any, v: Any) -> Any:
    return [0.0] * len(v), True


def no_distance(_: Any, __: Any, ___: Any, ____: Any, v: Any) -> Any:
    return [0.0] * len(v), False


def behind(scores: Any) -> tuple[Array, Array]:
    levels, gaps = REAL_LEVELS(scores)
    return np.where(levels == -2, -1, levels), gaps


def as_whole(lane: LaneNumbers) -> tuple[float, Array, Array]:
    unit, whole, far = REAL_UNITS(lane)
    return unit, whole, 0 * far


def one_share(*given: Any) -> tuple[float, float, float]:
    share, _, rest = REAL_SHARE(*given)
    return share, 0.0, rest


def no_rest(*given: Any) -> tuple[float, float, float]:
    share, off, _ = REAL_SHARE(*given)
    return share, off, 0.0


def there(pairs: PairTable, levels: Array) -> Array:
    return np.array(np.where(pairs.mask, levels, -1).max(axis=1))


def all_seen(pairs: PairTable) -> Array:
    return np.full(len(pairs.mask), pairs.symbols.n)


def merged(
    symbols: Any, lane: LaneNumbers, small: float = 2.0**-26
) -> LaneNumbers:
    found = REAL_SIMPLER(symbols, lane, small)
    r = np.broadcast_to(lane.r.max(), found.c.shape)
    return LaneNumbers(found.labels, found.c, r, found.g)


def as_before(_: Any, begin: Any, __: Any, ___: Any) -> Any:
    return begin.v


def without_error(logits: Any, right: Array) -> tuple[float, float]:
    rows = np.arange(len(right))
    apart = logits.c[rows, right][:, None] - logits.c
    apart[rows, right] = np.inf
    return float(apart.min()), 0.0


def any_claim(model: Model) -> Any:
    return model.program.claim  # type: ignore[union-attr]


LEFT_OUT: dict[str, tuple[Callable[[], Model], Any, str, Any]] = {
    "what other keys leak": (leaks, head_choice, "left_of", lambda *_: 0.0),
    "what a mean rounds": (rounds, HeadScores, "rounding", lambda *_: 0.0),
    "how far values at a level are apart": (
        differs_a_little,
        head_choice,
        "spread_at",
        no_distance,
    ),
    "that there is one at a level": (
        differs_much,
        head_choice,
        "spread_at",
        one_position,
    ),
    "one at a level, of pairs": (
        differs_much,
        PairTable,
        "at_most_one",
        lambda *_: True,
    ),
    "that the first token stands beside": (
        beside,
        attention,
        "levels_of",
        behind,
    ),
    "how far what is summed is from whole": (
        nearly_whole,
        head_sum,
        "units_of",
        as_whole,
    ),
    "what keys farther behind have": (farther, head_sum, "key_share", no_rest),
    "how far shares are apart": (
        of_other_shares,
        head_sum,
        "key_share",
        one_share,
    ),
    "how far shares of a mean are apart": (
        of_uneven_shares,
        head_mean,
        "_width",
        lambda *_: 0.0,
    ),
    "how far what a mean is of is from whole": (
        nearly_a_mean,
        head_mean,
        "units_of",
        as_whole,
    ),
    "what other keys leak into a mean": (
        leaks_into_a_mean,
        head_mean,
        "_apart",
        lambda *_: 0.0,
    ),
    "that a level is surely there": (
        not_always_there,
        PairTable,
        "sure",
        there,
    ),
    "how many positions are seen": (
        not_always_there,
        PairTable,
        "fewest_seen",
        all_seen,
    ),
    "how far merged rows are apart": (nearly_one, stream, "simpler", merged),
    "what the first token reads": (
        first_that_sees,
        HeadReading,
        "begun",
        as_before,
    ),
    "that a score fits": (
        infinite,
        offered,
        "check_scores",
        lambda *_: None,
    ),
    "that nothing normalises": (
        normalised,
        stream,
        "check_model",
        lambda *_: None,
    ),
    "that the claim sees what the model sees": (
        of_the_whole_text,
        of_texts,
        "claim_of_tag",
        any_claim,
    ),
    "the radius of a margin": (nearly_whole, logits, "_margin", without_error),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", LEFT_OUT)
def test_left_out_it_lets_a_wrong_model_through(name: str) -> None:
    make, owner, bound, instead = LEFT_OUT[name]
    model = make()
    assert not is_right(model)
    with pytest.raises(Rejected):
        measured_lanes(model, ())
    with patch.object(owner, bound, instead):
        assert measured_lanes(model, ()).margin > 0
