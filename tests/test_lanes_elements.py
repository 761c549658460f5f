"""Answers of programs that look back: lanes at the elements of a prompt, and what is said of them
where they are asked for. What is left out of it lets wrong models be proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import slow_from
from lane_programs import (
    answering,
    answers_rightly,
    changed,
    proved_mutants,
)
from lane_texts import OnText, off
from test_lanes_prompts_contained import passed, texts_of
from test_lanes_prompts_wrong import claimed

from handcraft import answer, answers
from handcraft.core.gpt2 import ACTIVATIONS
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Floats, Rejected, Zonotope
from handcraft.proof.lanes import elements, lane_arithmetic, of_prompts
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.element_lanes import element_lanes
from handcraft.proof.lanes.element_stream import ElementStream, symbol_said
from handcraft.proof.lanes.elements import ElementClaim, claim_of_elements
from handcraft.proof.lanes.lengths import asked_contexts
from handcraft.proof.lanes.sizes import after_neurons
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import Symbols
from handcraft.sequence import count, indices, lookup, there, tokens
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import cases, end, equal, here, token_at

LOOK_BACK = (
    *("balanced", "carry", "depth", "distinct_so_far", "first_position"),
    *("dyck2", "flip_flop", "induction", "inversions", "leader", "nth"),
    *("parity", "pattern", "run", "running_max", "shift", "since"),
    *("sorted_so_far", "sum_mod_3"),
)


def of_elements(model: Model) -> ElementClaim:
    """The model's claim as one that reads an element."""
    found = claim_of_elements(model.program.claim.answer)  # type: ignore[union-attr]
    assert found is not None
    return found


@pytest.mark.parametrize("name", slow_from(6, LOOK_BACK))
def test_a_claim_that_reads_an_element_says_the_same(name: str) -> None:
    model = answering(name, 3)
    claim, found = model.program.claim, of_elements(model)  # type: ignore[union-attr]
    for prompt, said in texts_of(model, Random(name), 20):
        assert claim.answer is not found.claim  # type: ignore[union-attr]
        for i, token in enumerate(said):
            text = [*prompt, *said[:i]]
            last = len(prompt) - 1
            assert evaluate(found.claim, text, end=last) == token


@pytest.mark.parametrize("name", ["hist", "reverse", "double_hist"])
def test_a_claim_that_looks_ahead_is_none_of_them(name: str) -> None:
    model = answering(name, 3)
    assert claim_of_elements(model.program.claim.answer) is None  # type: ignore[union-attr]


@pytest.mark.parametrize("name", slow_from(3, LOOK_BACK))
def test_it_is_proved_for_ten_tokens_at_the_elements_alone(name: str) -> None:
    model = answering(name, 10)
    claim = model.program.claim  # type: ignore[union-attr]
    with patch.object(
        of_prompts, "narrowed_by_parts", wraps=of_prompts.narrowed_by_parts
    ) as asked:
        shown = measured_lanes(model, ())
    assert asked.call_count == 1  # no other way was tried
    assert shown.contexts == claim.language(model.n_ctx, model.vocabulary).size  # type: ignore[union-attr]


# ------------------------------------------------------------ numbers of real runs


class OnElements(OnText):
    """Symbols on a text, with what is said of an element."""

    said: tuple[int, Expression, str | None]

    def _computed(self, symbol: int, q: int) -> Any:
        number, e, begin = self.said
        if symbol != number:
            return super()._computed(symbol, q)
        if q >= next(iter(self.whole.values())):  # it is no element
            return self.symbols.all[symbol].values[0]
        first = [] if begin is None else [begin]
        return evaluate(e, [*first, *self.text[: q + 1]])


def escapes(model: Model, random: Random) -> Iterator[str]:
    """Each number of a run that lies outside its table, asked or not."""
    claim = model.program.claim  # type: ignore[union-attr]
    contexts, found = asked_contexts(model, claim), of_elements(model)  # type: ignore[arg-type]
    known = element_lanes(model, contexts, found.said, few=False)
    symbols = contexts.symbols()
    said = symbol_said(symbols, known)
    lanes = ElementStream(model, contexts.begin, symbols, known)
    runs = [
        (prompt, answered, passed(model, [*prompt, *answered[:-1]]))
        for prompt, answered in texts_of(model, random, 4)
    ]
    skipped = contexts.skipped
    wrong: list[str] = []

    def compare(after: str, now: LaneStream) -> None:
        for prompt, answered, seen in runs:
            text, last = [*prompt, *answered[:-1]][skipped:], len(prompt) - 1
            on = OnElements(symbols, text, last - skipped)
            on.said = said, found.said, contexts.begin
            for q in range(len(text)):
                sorts = [now.text] if after in known.after else []
                sorts += [now.asked or []] if q >= last - skipped else []
                for j, lane in ((j, x) for s in sorts for j, x in enumerate(s)):
                    row = on.row(lane.labels, q)
                    number = seen[after][q + skipped, j]
                    if off(number, lane.c[row], lane.radius[row]):
                        wrong.append(f"{after} {j} at {q} of {text}")

    lanes.run(compare)
    yield from wrong


@pytest.mark.parametrize("name", slow_from(4, LOOK_BACK))
def test_no_number_leaves_its_table(name: str) -> None:
    random, model = Random(name), answering(name, 3)
    assert list(escapes(model, random)) == []
    for _ in range(2):
        with suppress(Rejected):
            assert list(escapes(changed(model, random), random)) == []


@pytest.mark.parametrize("name", slow_from(4, LOOK_BACK))
def test_what_answers_wrongly_is_not_proved(name: str) -> None:
    proved_mutants(answering(name, 2), Random(name), 4, answers_rightly)


# ------------------------------------------------------------ one thing left out each

SEEN_AS = (there(tokens) == "a") & (there(indices) <= indices)
COUNTED = {0: "n", 1: "a", 2: "b", 3: "c"}


def both(a: Expression, b: Expression) -> Expression:
    """Both of two conditions."""
    return Expression(op="both", args=(a, b))


def either(a: Expression, b: Expression) -> Expression:
    """One of two conditions, or both."""
    return Expression(op="either", args=(a, b))


def equals(a: Expression, b: str) -> Expression:
    """The condition that a value is this token."""
    return Expression(op="equal", args=(a, b))


def test_a_selection_of_what_stands_behind_is_not_followed() -> None:
    """The claim counts the = as well, which stands behind each element."""
    said = lookup(COUNTED, count(SEEN_AS))
    model = answer(said, tokens="abc", n=3, causal=True).build()
    key = Expression(op="there", args=(here,))
    token = Expression(op="there", args=(token_at(here),))
    later = Expression(op="below", args=(here - (end - 1), key))
    counted = either(
        both(equals(token, "a"), Expression(op="negate", args=(later,))),
        equals(token, "="),
    )
    found = Expression(op="count_where", args=(counted,))
    rule = cases((equal(here, end * 2 - 1), "$"), lookup(COUNTED, found))
    said_wrongly = answers(r"\^[abc]{1,3}=", rule, stop="$", length=end)
    wrong = claimed(model, said_wrongly)
    assert not answers_rightly(wrong)
    with pytest.raises(Rejected):
        measured_lanes(wrong, ())
    with patch.object(elements, "_check_looks_back", lambda _: None):
        assert measured_lanes(wrong, ()).margin > 0


def test_a_place_that_is_no_element_is_not_read() -> None:
    """The claim reads one place too far: at the end it is the =, of which it says b."""
    said = lookup({"a": "a", "b": "a", "c": "a"}, tokens)
    model = answer(said, tokens="abc", n=3, causal=True).build()
    read = lookup(
        {"a": "a", "b": "a", "c": "a", "=": "b"}, token_at(here - (end - 2))
    )
    rule = cases((equal(here, end * 2 - 1), "$"), read)
    wrong = claimed(
        model, answers(r"\^[abc]{1,3}=", rule, stop="$", length=end)
    )
    assert not answers_rightly(wrong)
    with pytest.raises(Rejected):
        measured_lanes(wrong, ())
    with patch.object(of_prompts, "check_elements", lambda *_: None):
        assert measured_lanes(wrong, ()).margin > 0


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_what_neurons_bring_is_within_its_size(activation: str) -> None:
    random = np.random.default_rng(3)
    active = ACTIVATIONS[activation]
    for _ in range(40):
        w = np.zeros((3, 8), dtype=np.float32)
        w[0, :4], w[1, 4:7], w[2, 7] = random.normal(size=4) * 64, 8, 3
        w[1, 3] = random.choice([0, 1e-6, 5])
        b = random.normal(size=8).astype(np.float32) * 20
        out = random.normal(size=(8, 3)).astype(np.float32) * 9
        bias = random.normal(size=3).astype(np.float32)
        sizes = np.abs(random.normal(size=3)) * 30
        mlp = {"c_fc": {"w": w, "b": b}, "c_proj": {"w": out, "b": bias}}
        seen, most = after_neurons(sizes, mlp, Floats("float32"))
        x = random.uniform(-1, 1, size=(500, 3)) * sizes
        x = np.concatenate([x, np.sign(x) * sizes]).astype(np.float32)
        before = x @ w + b
        found = x + (active(before) @ out + bias)
        assert (np.abs(before) <= seen).all()
        assert (np.abs(found) <= most).all()


def lifted(by: float) -> Model:
    """A model in which a neuron that reads nothing lifts the scores of all keys, and a key behind
    the prompt is chosen where it is lifted as well.
    """
    model = answering("shift", 2)
    assert model.program is not None
    column = {str(x): at for x, at in model.program.layout.column.items()}
    weights: Any = deepcopy(model.weights)
    first, second = weights["blocks"][0]["mlp"], weights["blocks"][1]["attn"]
    width, value = len(first["c_fc"]["w"]), column["value"]
    for layer, axis in (("c_fc", 1), ("c_proj", 0)):
        w, shape = first[layer]["w"], [width, width]
        shape[axis] = 1
        new = np.zeros(shape, dtype=w.dtype)
        first[layer]["w"] = np.concatenate([w, new], axis=axis)
    first["c_fc"]["b"] = np.append(first["c_fc"]["b"], np.float32(by))
    first["c_proj"]["w"][-1, value] = 1
    keys = second["c_attn"]["w"].shape[1] // 3
    second["c_attn"]["w"][value, keys + 1] = 1
    second["c_proj"]["b"][value] -= by  # nothing is left of it in the answer
    weights["wpe"][4, column["place_squared"]] = -(2.0**8)
    return replace(model, weights=weights)


def test_a_key_behind_is_as_large_as_neurons_that_read_nothing_make_it() -> (
    None
):
    model = lifted(2.0**17)
    assert not answers_rightly(model)
    with pytest.raises(Rejected, match="the margin may be"):
        measured_lanes(model, ())


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_neuron_that_reads_nothing_brings_its_bias(activation: str) -> None:
    b, out = np.array([100.0, -9.0, 70.0]), np.array([[3.0], [5.0], [-1.0]])
    mlp = {
        "c_fc": {"w": np.zeros((1, 3)), "b": b},
        "c_proj": {"w": out, "b": np.zeros(1)},
    }
    (most,) = after_neurons(np.zeros(1), mlp, Floats("float64"))[1]
    brought = float((ACTIVATIONS[activation](b) @ out)[0])
    assert 229 < brought <= most < 240


@pytest.mark.parametrize(
    ("x", "r", "b", "radius"),
    [(1.0, 0.0, -0.3, 0.0), (3.0, 0.0, -0.9, 1e-9), (1.0, 0.1, -0.3, 0.01)],
)
def test_only_a_power_of_two_that_is_known_is_taken_away_exactly(
    x: float, r: float, b: float, radius: float
) -> None:
    w, floats = float(np.float32(0.3)), Floats("float32")
    b = float(np.float32(b)) if x == 1 else -3 * w
    rows = Zonotope.of(np.array([[x]]), np.array([[r]]))
    found = floats.linear(rows, np.array([[w]]), np.array([b]))
    less = lane_arithmetic._less_itself(found, rows, w, b, floats)
    assert float(less.radius[0, 0]) >= radius
    assert bool(less.radius[0, 0] == 0) is (radius == 0)


def test_other_texts_have_the_whole_window() -> None:
    model = answering("leader", 3)
    symbols = Symbols(("a", "b"), 2, causal=True)
    with pytest.raises(Rejected, match="the texts have another window"):
        LaneStream(model, "^", symbols)
    assert len(LaneStream(model, "^", symbols, begins=True).text) > 0
