"""The meanings that are known of heads without the author's word, against plain Python."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from conftest import EVERY_PROGRAM, bundled_model, bundled_program

from handcraft import Block, Head, Program, attend_to, position, scratch, token
from handcraft.analysis.blame import pass_over
from handcraft.analysis.known_meanings import known_meanings
from handcraft.analysis.meanings import departures
from handcraft.claims.prompt_claim import Answers
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.slots import Slot
from handcraft.recipes import (
    addresses,
    attend_where,
    kernel,
    mean,
    mean_where,
    running_sum,
)
from handcraft.sequence.evaluate import evaluate

N = 6
at, one_hot, t = addresses(N, name="at"), position(N), token("^ab")
v, w = scratch("v"), scratch("w", "^ab")
Oracle = Callable[[list[str], int], Any]


def known(*layers: Any, extra: tuple[Slot, ...] = ()) -> dict[str, Any]:
    """The known meaning of each lane of a program with these layers."""
    slots = (at, one_hot, t, v, w, *extra)
    program = Program(embedding=slots, layers=layers)
    return {str(x.lane): x.meaning for x in known_meanings(program)}


def _share(tokens: list[str], i: int) -> Fraction:
    return Fraction(tokens[: i + 1].count("a"), i + 1)


def _two(tokens: list[str], i: int) -> Fraction | None:
    number = {"a": 1, "b": -1, "^": 0}
    return Fraction(number[tokens[i]] + number[tokens[i - 1]], 2) if i else None


@pytest.mark.parametrize(
    ("head", "lane", "oracle"),
    [
        pytest.param(
            attend_to(at, at["p"] - 1, value={w: t}),
            "w:a",
            lambda tokens, i: int(tokens[i - 1] == "a") if i else None,
            id="the token before",
        ),
        pytest.param(
            attend_to(at, at["p"], value={v: 3 * t["a"] + 1}),
            "v",
            lambda tokens, i: 4 if tokens[i] == "a" else 1,
            id="the token itself",
        ),
        pytest.param(
            kernel(one_hot, {2: 1}, value={v: t["a"] - t["b"]}),
            "v",
            lambda tokens, i: (
                {"a": 1, "b": -1, "^": 0}[tokens[i - 2]] if i > 1 else None
            ),
            id="two back",
        ),
        pytest.param(
            Head(
                query=9 * (one_hot + one_hot.previous),
                key=one_hot,
                value={v: t["a"] - t["b"]},
                adds={w["a"]: v},
            ),
            "v",
            _two,
            id="the mean of a pair, inside the head",
        ),
        pytest.param(mean({v: t["a"]}), "v", _share, id="the mean of a flag"),
        pytest.param(
            running_sum(t["^"], {v: t["a"] - 2 * t["b"]}),
            "v",
            lambda tokens, i: (
                tokens[: i + 1].count("a") - 2 * tokens[: i + 1].count("b")
            ),
            id="a running sum",
        ),
    ],
)
def test_what_is_known_is_what_plain_python_says(
    head: Head, lane: str, oracle: Oracle
) -> None:
    """The meaning of the lane is that of plain Python at every position of drawn texts."""
    meaning = known(head)[lane]
    draw = Random(1)
    for _ in range(30):
        tokens = draw.choices("^ab", k=N)
        for i in range(N):
            assert evaluate(meaning, tokens[: i + 1]) == oracle(tokens, i)


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param(
            (attend_to(at, at["pp"] - 2, value={w: t}),),
            id="a computed position",
        ),
        pytest.param(
            (kernel(one_hot, {0: 2, 1: 1}, value={v: t["a"]}),), id="weights"
        ),
        pytest.param(
            (
                Head(
                    query={at["p"]: 0.5},
                    key={at["p"]: at["p"]},
                    value={v: t["a"]},
                ),
            ),
            id="a slow decay with distance",
        ),
        pytest.param(
            (mean_where(t["a"], {v: t["b"]}),), id="attention by content"
        ),
        pytest.param((attend_where({t: t}, value={v: t["b"]}),), id="a match"),
        pytest.param(
            (mean({v: 0.5 * t["a"]}),), id="no whole number of each token"
        ),
        pytest.param((mean({v: at["p"]}),), id="a value of the position"),
        pytest.param(
            (mean({v: 2.0**40 * t["a"]}),), id="numbers that no expression has"
        ),
        pytest.param(
            (mean({v: t["a"]}, adds={t["b"]: v, w["a"]: 0.5 * v}),),
            id="a lane that has a table, and one of halves",
        ),
    ],
)
def test_what_is_not_certain_is_not_known(layers: tuple[Head, ...]) -> None:
    """No lane of the stream has a meaning that the rules do not force."""
    stream = {str(lane) for head in layers for lane in head.adds.targets}
    assert not stream & set(known(*layers))


def test_a_lane_that_another_rule_fills_is_not_known() -> None:
    """Beside a second head, or after an earlier layer that wrote to it or to what it reads, a lane
    has no certain meaning.
    """
    back = attend_to(at, at["p"] - 1, value={v: t["a"]})
    assert set(known(back)) == {"v"}
    beside = Block(heads=(back, mean({v: t["b"]})))
    assert known(beside) == {}
    assert set(known(mean({v: t["a"]}), back)) == {"v"}  # of the first layer
    assert "v" not in known(mean({t: t}), back)


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_no_lane_of_a_right_program_leaves_what_is_known(name: str) -> None:
    """On contexts and prompts that its claim speaks of, every lane of a bundled program holds what
    is known of it.
    """
    program, model = bundled_program(name), bundled_model(name)
    draw = Random(5)
    for _ in range(8):
        if isinstance(program.claim, Answers):
            vocabulary = Vocabulary(program.vocabulary)
            language = program.claim.language(program.n_ctx, vocabulary)
            tokens = vocabulary.split(language.draw(draw))
        else:
            size = draw.randint(1, min(program.n_ctx, 40))
            tokens = draw.choices(program.vocabulary, k=size)
        ids = model.ids(list(tokens))
        assert departures(model, pass_over(model, ids), ids) == []


def test_much_is_known_of_the_bundled_programs() -> None:
    """The lanes that are followed: of the induction programs the letter before, of those that
    count the sums.
    """
    for name, lanes in {
        "aab": {"v"},
        "induction": {f"before:{x}" for x in "abcdefghijklmnopqrstuvwxyz"},
        "parity": {"ones"},
        "dyck1": {"depth"},
        "flip_flop": {"written"},
        "causal_mean": {"mean"},
    }.items():
        found = known_meanings(bundled_program(name))
        assert {str(x.lane) for x in found} >= lanes
