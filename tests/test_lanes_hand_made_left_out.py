"""Each check that proofs of hand-made programs rest on left out: a wrong model or claim is then
proved, and is not with it.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import answers_rightly
from test_lanes_hand_made import FOLDER, SMALL, of_size

from handcraft import Head, Program, answers, scratch, token
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes import (
    by_end,
    climbs,
    of_prompts,
    scores,
    stream,
    totals,
    widened,
)
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.walks import TokenWalk
from handcraft.recipes import addresses, attend_where, running_sum, square
from handcraft.sequence import (
    count,
    equal,
    fetch,
    indices,
    latest,
    lookup,
    otherwise,
    there,
    tokens,
    total,
    where,
)
from handcraft.sequence.expression import Expression

REAL_SUMS = TokenWalk.sums
REAL_SHARED = scores.shared_in
REAL_WEIGHTS = climbs._weights
OPENS, CLOSES = dict.fromkeys("({[", 1), dict.fromkeys(")}]", -1)


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
    with patch.object(of_prompts, "check_stop", lambda *_: None):
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


def latest_to_my_height(heights: dict[str, int]) -> Model:
    """It answers a prompt of brackets with the latest token that rose to the height at its end, and
    with $ where there is none; like `brackets`, it looks for the nearest height.
    """
    ups = [x for x, height in heights.items() if height > 0]
    at, t = addresses(9), token("^=$" + "".join(heights))
    height, squared = scratch("height squared")
    raised = sum((by * t[x] for x, by in heights.items()), 0 * t["^"])
    nearest = Head(
        query={
            height: 8192 * height,
            squared: -4096,
            at["p"]: 24,
            t["^"]: 4096,
        },
        key={
            height: height,
            squared: squared,
            at["p"]: at["p"],
            t["^"]: t["^"] + t.sum(ups),
        },
        value=t,
        adds={t[x]: 50 * t[x] for x in ups} | {t["$"]: 50 * t["^"]},
        scores="exact",
    )
    rises = lookup(heights, tokens, default=0)
    high = total(rises, there(indices) <= indices)
    mine = latest((there(rises) > 0) & (there(high) == high))
    opened: Any = runpy.run_path(str(FOLDER / "brackets.py"))["opened"]
    return Program(
        embedding=(at, t, height, squared),
        layers=(
            (
                running_sum(t["^"], {height: raised}),
                square(height, 9, {squared: 1}),
            ),
            nearest,
        ),
        claim=answers(
            rf"\^{opened(2, 1)}=",
            otherwise(fetch(tokens, mine), "$"),
            length=1,
        ),
    ).build()


def test_a_model_whose_sum_climbs_by_two() -> None:
    """After `[]`, where [ rises by 2 and ] falls by 1, no token has risen to 1: the claim says $,
    and the model takes the nearest height.
    """
    assert proved(latest_to_my_height(OPENS | CLOSES))
    wrong = latest_to_my_height(OPENS | CLOSES | {"[": 2})

    def by_one(symbols: Any, symbol: int) -> Any:
        weights = REAL_WEIGHTS(symbols, symbol)
        return None if weights is None else np.minimum(weights, 1)

    assert not answers_rightly(wrong)
    assert not proved(wrong)
    with patch.object(climbs, "_weights", by_one):
        assert proved(wrong)


def test_a_sum_with_weights_below_0_that_is_0_says_nothing_of_choices() -> None:
    """The claim asks for the partner of the latest bracket that ever opened, where as many are
    closed as opened: there is one, and the model knows of none.
    """
    model = brackets()
    partner = lookup(dict(zip("({[", ")}]", strict=True)), tokens)
    step = lookup(OPENS | CLOSES, tokens, default=0)
    deep = total(step, there(indices) <= indices)
    ever = fetch(partner, latest(there(step) == 1))
    said = where(
        equal(deep, 0),
        otherwise(ever, "$"),
        model.program.claim.answer,  # type: ignore[union-attr]
    )
    wrong = changed_claim(model, answer=said)

    def may_be_zero(symbols: Any, _: Any, new: int) -> bool:
        return bool(symbols.all[new].values[0] == 0)

    assert not proved(wrong)
    with patch.object(totals, "_from_zero", may_be_zero):
        assert proved(wrong)


def test_a_sum_that_is_never_0_is_compared_with_no_other_by_its_place() -> None:
    """Each prompt has an a, so their number begins at 1. The claim says b where it is 1 and the
    weights add up to 3, which is so of ab; the model says a of all.
    """
    at, t = addresses(6), token("^ab=")
    many = count(there(tokens) == "a")
    weight = total(lookup({"a": 2, "b": 1}, tokens, default=0))
    said = lookup({13: "b"}, 10 * many + weight, default="a")
    wrong = Program(
        embedding=(at, t),
        layers=({t["a"]: 50},),
        claim=answers(r"\^(ab|ba|aab)=", said, length=1),
    ).build()

    def of_no_debt(_: Any, weights: Any, __: int) -> bool:
        return int(weights.min()) >= 0

    assert not answers_rightly(wrong)
    assert not proved(wrong)
    with patch.object(totals, "_from_zero", of_no_debt):
        assert proved(wrong)


def is_odd(letter: str, asked: str) -> Model:
    """It says b where the latest of a letter stands at an odd place, else a; the claim asks for
    that of a letter that may be another one.
    """
    at, t = addresses(5, odd=lambda i: i % 2), token("ab=")
    head = attend_where(
        {t[letter]: 1},
        value=at["odd"],
        adds={t["b"]: 100 * at["odd"]},
        at=at,
        prefer="latest",
    )
    said = fetch(
        lookup({0: "a", 1: "b", 2: "a", 3: "b"}, indices),
        latest(there(tokens) == asked),
    )
    return Program(
        embedding=(at, t),
        layers=((head, {t["a"]: 50}),),
        claim=answers("(ab|ba)[ab]=", otherwise(said, "a"), length=1),
    ).build()


def test_what_a_key_is_where_the_end_does_not_tell() -> None:
    """A table of keys is without their tokens only where the end and the index say which these are:
    else the latest a is the latest b.
    """
    wrong = is_odd("b", "a")

    def whatever(numbers: Any, mask: Any, axis: int) -> Any:
        return np.where(mask, numbers, -1).max(axis=axis), mask.any(axis=axis)

    assert not answers_rightly(wrong)
    with patch.object(widened, "MOST_TABLE_ROWS", 10):
        assert not proved(wrong)
        with patch.object(by_end, "less_axis", whatever):
            assert proved(wrong)


@pytest.mark.parametrize("name", SMALL)
def test_heads_that_are_not_followed_bring_what_nobody_knows(name: str) -> None:
    """Which heads matter where nobody asks is no more than advice: where it leaves one out, less is
    known, and nothing else.
    """
    model = of_size(name, SMALL[name][0])
    with patch.object(stream, "needed_heads", lambda x, _: [set() for _ in x]):
        assert not proved(model)


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
