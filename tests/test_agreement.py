"""The check of an export notices whatever differs from the model."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import bundled_model, every

from handcraft.core.gpt2 import Array
from handcraft.runtimes.agreement import (
    MOST_COMPARED,
    Agreement,
    compare_runtime,
    compared_texts,
)


@pytest.mark.slow
def test_a_model_agrees_with_itself() -> None:
    """Every context of aab, each once; and prompts of the adder with all eleven digits of their
    sums, 20,000 contexts.
    """
    assert compare_runtime(
        bundled_model("aab"), bundled_model("aab")
    ) == Agreement(62, 0, 0.0, 2048.0)
    assert compare_runtime(
        bundled_model("adder"), bundled_model("adder")
    ) == Agreement(20_009, 0, 0.0, 524_388.0)


def test_every_context_is_compared_where_they_are_few() -> None:
    """The shorter first, and of each the logits after its last token."""
    assert [
        (tuple(ids), first)
        for ids, first in compared_texts(bundled_model("aab"), 1000)
    ] == [(ids, len(ids) - 1) for ids in every(2, 5)]


def test_contexts_are_drawn_where_they_are_many() -> None:
    """The same ones each time, of every length, and as many as were asked for."""
    drawn = list(compared_texts(bundled_model("induction")))
    assert drawn == list(compared_texts(bundled_model("induction")))
    assert sum(len(ids) - first for ids, first in drawn) == MOST_COMPARED
    assert {
        n for ids, first in drawn for n in range(first + 1, len(ids) + 1)
    } == set(range(1, 65))


def test_prompts_are_compared_from_their_end_on() -> None:
    """A prompt of the adder has 24 tokens; the last of the sum's eleven digits is predicted,
    never read.
    """
    assert {
        (len(ids), first)
        for ids, first in compared_texts(bundled_model("adder"), 20)
    } == {(34, 23)}


def broken(at: tuple[int, ...], token: int, value: float) -> object:
    """aab, with another logit after one context."""
    model = bundled_model("aab")

    def run(ids: Array) -> Array:
        logits = np.array(model(ids))
        logits[
            (ids == at).all(-1)
            if ids.shape[1] == len(at)
            else [False] * len(ids),
            -1,
            token,
        ] = value
        return logits

    return run


@pytest.mark.parametrize(
    ("value", "wrong", "error", "holds"),
    [
        (4096.0, 1, 4096.0, False),
        (2.0, 0, 2.0, True),
        (3.0, 0, 3.0, False),
        (np.nan, 1, None, False),
        (np.inf, 1, None, False),
    ],
)
def test_one_wrong_logit_of_all_is_found(
    value: float, wrong: int, error: float | None, holds: bool
) -> None:
    """After aaba comes a, whose logit is 2,048 and b's 0: a higher b is a disagreement, one
    that is far off no agreement.
    """
    found = compare_runtime(
        bundled_model("aab"), broken((0, 0, 1, 0), 1, value)
    )  # type: ignore[arg-type]
    assert (found, found.holds) == (Agreement(62, wrong, error, 2048.0), holds)


def test_nothing_compared_is_no_agreement() -> None:
    """A check that saw no context did not hold."""
    assert not Agreement(0, 0, 0.0).holds


def test_any_of_tied_tokens_is_right() -> None:
    """After bb abc leaves open what comes: whatever a runtime chooses there, it does not
    disagree.
    """
    model = bundled_model("abc")
    tied = model("bb")[-1]
    assert (tied == tied.max()).sum() > 1

    def other(ids: Array) -> Array:
        logits = model(ids)
        return logits - np.arange(3) * 1e-3 * (
            logits == logits.max(-1, keepdims=True)
        )

    assert compare_runtime(model, other).argmax_disagreements == 0
