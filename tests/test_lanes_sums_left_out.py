"""What is known of sums over the tokens of a prompt told a little wrongly: then a wrong model is
proved.

    told wrongly                                wrong claims proved, of 3 and 2
    sums that are never 0 beside other sums     3
    up to where an answer goes on               2

The models here say one token everywhere, and are held to claims that ask for another one after a
few prompts alone: what is known of the sums decides whether there are such prompts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from handcraft import Program, answers, token
from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import totals
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.lasting import Lasting
from handcraft.sequence.words import (
    cases,
    count,
    end,
    equal,
    indices,
    there,
    tokens,
)

TOKENS = "^ab=x"


def always(said: str, claim: Any) -> Model:
    """A model that says one token everywhere, far ahead of all others."""
    t = token(TOKENS)
    one = {t[said]: 200 * t.sum(TOKENS)}
    return Program(
        name="always",
        embedding=(t,),
        layers=(one,),
        n_ctx=9,
        claim=claim,
    ).build()


def is_wrong(model: Model, said: str) -> bool:
    """True if the claim asks for another token after some prompt."""
    claim: Any = model.program.claim  # type: ignore[union-attr]
    v, n = model.vocabulary, model.n_ctx
    return any(
        set(claim.expected(prompt, v, n)) != {said}
        for prompt in claim.language(n, v)
    )


# ------------------------------------------------------------ sums that are never 0


def two_sums(a: int, b: int) -> Model:
    """Asks for b where there are so many a and so many b; the first letter is always an a."""
    both = count({0: "a"}) + 10 * count({0: "b"})
    said = cases((equal(both, a + 10 * b), "b"), "a")
    return always("a", answers("a[ab]{2}", said, length=1))


@pytest.mark.parametrize(("a", "b"), [(1, 2), (2, 1), (3, 0)])
def test_a_sum_that_is_never_0_is_compared_with_no_other(
    a: int, b: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of sums that are compared the number of a value is the value itself: those start from 0."""
    model = two_sums(a, b)
    assert is_wrong(model, "a")
    with pytest.raises(Rejected, match="the margin may be"):
        measured_lanes(model, ())
    monkeypatch.setattr(
        totals, "_from_zero", lambda _, numbers, __: numbers.min() >= 0
    )
    assert measured_lanes(model, ()).margin > 0


# ------------------------------------------------------------ how long an answer is


def at_step(step: int) -> Model:
    """Asks for b at a step behind as many a: the last one of an answer of one token more."""
    a = there(tokens) == "a"
    so_far = count(a & (there(indices) <= indices))
    place = 10 * (indices - end) + count(a)
    said = cases((equal(place, 11 * step), "b"), "x")
    return always("x", answers("[ab]{1,3}=", said, length=so_far + 1))


@pytest.mark.parametrize("step", [1, 2])
def test_the_last_token_of_an_answer_is_asked(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the position that asks for it is told to be in no text, nobody compares it."""
    model = at_step(step)
    assert is_wrong(model, "x")
    with pytest.raises(Rejected, match="the margin may be"):
        measured_lanes(model, ())

    def shorter(self: Lasting, end: int, more: int) -> Array:
        return np.asarray(self.lengths[end] > more + 1)

    monkeypatch.setattr(Lasting, "going", shorter)
    assert measured_lanes(model, ()).margin > 0
