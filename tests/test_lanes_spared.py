"""Answers of short prompts, told place by place, and what is spared where nothing depends on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import slow_from
from lane_programs import (
    NAMES,
    answering,
    answers_rightly,
    changed,
    proved_mutants,
)
from test_lanes_prompts_contained import escapes

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import logits, spans, stream
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.dust import LaneFloats
from handcraft.proof.lanes.forms import in_small, less_axis
from handcraft.proof.lanes.lane_arithmetic import LaneArithmetic
from handcraft.proof.lanes.numbers import LaneNumbers, single
from handcraft.proof.lanes.of_prompts import OfPrompts
from handcraft.proof.lanes.symbols import Labels, Symbols, TooManyRows
from handcraft.sequence.words import cases, end, equal, here

# right, and not proved: the tables of what they read are told too roughly
NOT_OF = {
    1: ("dyck2", "flip_flop", "running_max"),
    2: ("dyck2", "induction"),
}
BY_PLACE = (  # proved for two tokens since each place is looked at by itself
    *("sort_by_frequency", "most_frequent", "balanced", "distinct_so_far"),
    *("double_hist", "median", "palindrome", "sort", "sorted_so_far"),
)
# each has a head that counts for later ones alone
SPARED = ("most_frequent", "sort_by_frequency", "median", "sort")
OTHERS = tuple(x for x in NAMES if x not in BY_PLACE)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", slow_from(6, (*BY_PLACE, *OTHERS)))
def test_its_answers_are_proved_for_texts_of_one_or_two_tokens(
    name: str, n: int
) -> None:
    model = answering(name, n)
    assert answers_rightly(model)
    if name in NOT_OF[n]:
        with pytest.raises(Rejected):
            measured_lanes(model, ())
    else:
        assert measured_lanes(model, ()).margin > 0


def anywhere(symbols: Symbols, labels: Labels) -> tuple[bool, Array]:
    """What can be, where nobody asks for the place."""
    return True, symbols.possible(labels).reshape(-1)


def test_without_the_places_they_are_not_proved() -> None:
    """The same token may stand where two answers are asked for: the place tells which."""
    with (
        patch.object(logits, "_that_can_be", anywhere),
        pytest.raises(Rejected, match=r"the margin may be -9305"),
    ):
        measured_lanes(answering("sort_by_frequency", 2), ())


@pytest.mark.parametrize("name", slow_from(1, BY_PLACE[1:]))
def test_changed_models_that_are_proved_place_by_place_are_right(
    name: str,
) -> None:
    model, many = answering(name, 2), 6
    assert proved_mutants(model, Random(name), many, answers_rightly) < many


@pytest.mark.parametrize("name", ["palindrome", "distinct_so_far"])
def test_a_claim_that_is_wrong_at_one_place_alone_is_refused(name: str) -> None:
    """After two tokens it asks for an a as the first of an answer."""
    model = answering(name, 2)
    program: Any = model.program
    first = equal(end, 3) * equal(here, end)
    said = cases((first, "a"), program.claim.answer)
    claim = program.claim.model_copy(update={"answer": said})
    wrong = replace(model, program=program.model_copy(update={"claim": claim}))
    assert not answers_rightly(wrong)
    with pytest.raises(Rejected, match=r"the margin may be"):
        measured_lanes(wrong, ())


# ------------------------------------------------------------ heads that answer nothing


@pytest.mark.parametrize("name", slow_from(1, SPARED))
def test_heads_that_answer_nothing_need_not_be_followed(name: str) -> None:
    """By themselves they bring a mean of what there is: no number leaves its table."""
    model = answering(name, 3)
    with patch.object(stream, "_MOST_UNREAD", 0):
        assert measured_lanes(model, ()).margin > 0
        assert escapes(model, 4, Random(name)) == []


@pytest.mark.parametrize("name", slow_from(1, SPARED))
def test_changed_models_whose_heads_are_spared_are_right(name: str) -> None:
    with patch.object(stream, "_MOST_UNREAD", 0):
        proved_mutants(answering(name, 2), Random(name), 4, answers_rightly)


def test_changed_models_keep_their_numbers_where_heads_are_spared() -> None:
    random, model = Random(4), answering("most_frequent", 2)
    with patch.object(stream, "_MOST_UNREAD", 0):
        for _ in range(2):
            assert escapes(changed(model, random), 4, random) == []


# ------------------------------------------------------------ tables


@pytest.mark.slow
def test_a_count_in_an_echo_that_is_too_large_is_said_to_be() -> None:
    """Not that a key finds what stands behind it, which is so of the prompt itself: what is too
    large for all prompts may not be for some.
    """
    model = answering("sort_by_frequency", 20)
    pass_ = OfPrompts(model, model.program.claim, ())  # type: ignore[arg-type, union-attr]
    with np.errstate(all="ignore"), pytest.raises(TooManyRows):
        pass_.run(few=False)


def test_a_lane_that_is_written_first_has_one_error_where_that_needs_less() -> (
    None
):
    """Of two summands the first is known up to an error that depends on the token."""
    symbols = Symbols(("a", "b"), 2, causal=True)
    arithmetic = LaneArithmetic(symbols, LaneFloats("float32"))
    error = np.array([0.25, 0.5])
    lane = LaneNumbers(((0, 0),), np.ones(2), np.zeros(2), {1: error})
    found = arithmetic.sum(single(0.0), lane)
    assert (found.labels, float(found.c)) == ((), 1.0)
    assert 0.5 <= found.most - 1 < 0.51
    other = LaneNumbers(((0, 0),), np.array([1.0, 2.0]), np.zeros(2))
    assert arithmetic.sum(single(0.0), other).labels == ((0, 0),)


@pytest.mark.parametrize("at_once", [7, 299, 300, 2**19])
@pytest.mark.parametrize("far", [1, 2**20, 2**40])
def test_rows_are_told_apart_column_by_column(
    far: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many rows at once as there are, or parts of them: in order, each once."""
    monkeypatch.setattr(spans, "_ROWS_AT_ONCE", at_once)
    random = np.random.default_rng(far)
    columns = [random.integers(0, 3, 300) * far - i for i in range(4)]
    found = spans._distinct_of([in_small(x) for x in columns])
    wanted = {tuple(x) for x in np.column_stack(columns).tolist()}
    assert [tuple(x) for x in found.tolist()] == sorted(wanted)


def reference(numbers: Array, mask: Array, axis: int) -> bool:
    """True if all that is possible along an axis is the same, row by row."""
    rows = np.moveaxis(numbers, axis, -1).reshape(-1, numbers.shape[axis])
    can = np.moveaxis(mask, axis, -1).reshape(rows.shape)
    return all(
        len(set(r[c].tolist())) < 2 for r, c in zip(rows, can, strict=True)
    )


@pytest.mark.parametrize(("size", "axis"), [*product((1, 2, 5, 9), (0, 1))])
def test_an_axis_is_left_out_if_all_that_can_be_is_the_same(
    size: int, axis: int
) -> None:
    random = np.random.default_rng(size)
    seen = set()
    for _ in range(300):
        numbers = (random.random((size, 3)) < 0.1).astype(np.int64)
        mask = random.random((size, 3)) < random.random()
        same = reference(numbers, mask, axis)
        seen.add(same)
        assert (less_axis(numbers, mask, axis) is not None) == same
    assert True in seen
