"""Heads that take a mean of several positions: what is proved of them, and what is not."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import is_right
from test_lanes_wrong import cells, held_to, refused

from handcraft import tag
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import head_mean
from handcraft.proof.lanes.check import measured_lanes
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    below,
    indices,
    lookup,
    mean,
    otherwise,
    there,
    tokens,
)

SCORE = lookup({"a": 2, "b": 0, "c": 1}, tokens)
BEFORE = there(indices) < indices
MEANS = {
    "all": mean(SCORE),
    "equal or lesser": mean(SCORE, there(tokens) <= tokens),
    "others": mean(SCORE, there(tokens) != tokens),
    "before": mean(SCORE, BEFORE),
    "the first alone": mean(SCORE, there(indices) < 1),
    "equal, or an a": mean(
        SCORE, (there(tokens) == tokens) | (there(tokens) == "a")
    ),
}


def says(e: Expression) -> Expression:
    """Whether a mean is less than 1, as a token; c where there is none."""
    return otherwise(lookup({1: "a", 0: "b"}, below(e, 1)), "c")


def compiled(name: str, causal: bool) -> Model:
    """A program of a mean."""
    return tag(says(MEANS[name]), tokens="abc", n=4, causal=causal).build()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MEANS)
def test_a_mean_is_proved_and_right(name: str, causal: bool) -> None:
    model = compiled(name, causal)
    assert measured_lanes(model, ()).margin > 1
    assert is_right(model)


@pytest.mark.parametrize("name", MEANS)
def test_another_mean_is_not_proved(name: str) -> None:
    model = compiled(name, causal=False)
    for other, e in MEANS.items():
        if other != name:
            refused(held_to(model, says(e)))


def test_a_value_of_twice_the_size() -> None:
    model, w = cells(compiled("all", causal=False), "c_attn")
    w[:, 2 * len(w) :] *= 2
    refused(model, "the margin may be")


def uneven(more: float) -> Model:
    """A mean over all in which a token has the score of the others and more."""
    model = compiled("all", causal=False)
    weights = deepcopy(model.weights)
    d = weights["wte"].shape[1]
    # one more lane, which holds 1 at an `a`, and is a score by itself
    assert model.program is not None
    size = d // model.config["n_head"]
    ids = model.vocabulary.ids
    w = weights["blocks"][0]["attn"]["c_attn"]["w"]
    b = weights["blocks"][0]["attn"]["c_attn"]["b"]
    column = next(
        i for i in range(d) if len({*weights["wte"][list(ids.values()), i]}) > 2
    )
    free = next(
        i
        for i in range(size)
        if not w[:, i].any() and not w[:, d + i].any() and not b[i]
    )
    b[free] = more * np.sqrt(size)
    w[column, d + free] = 1.0
    return replace(model, weights=weights)


@pytest.mark.parametrize("more", [0.4, -0.4, 3.0])
def test_shares_that_are_not_equal(more: float) -> None:
    refused(uneven(more))


def test_left_out_that_scores_are_equal_it_lets_a_wrong_model_through() -> None:
    model = uneven(0.4)
    assert not is_right(model)
    with patch.object(head_mean, "_width", lambda *_: 0.0):
        assert measured_lanes(model, ()).margin > 0


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_a_first_token_of_another_score(part: float) -> None:
    """Where the first token stands beside what is selected, it is one more in the mean."""
    wrong = 0
    model = compiled("others", causal=False)
    d = len(model.weights["blocks"][0]["attn"]["c_attn"]["w"])
    for at in range(d):
        changed, w = cells(model, "c_attn")
        if not w[0, d + at]:
            continue
        w[0, d + at] *= 1 - part
        try:
            measured_lanes(changed, ())
        except Rejected:
            wrong += not is_right(changed)
        else:
            assert is_right(changed)
    assert wrong


def test_a_mean_of_no_position_is_undefined() -> None:
    silent = lookup({1: "a", 0: "b"}, below(MEANS["before"], 1))
    model = compiled("before", causal=False)
    shown = measured_lanes(held_to(model, silent), ())
    assert shown.silent
    texts = ["".join(x) for x in product("abc", repeat=2)]
    assert all(silent.all(text)[0] is None for text in texts)
