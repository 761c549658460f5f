"""The pass is gone through step by step, and the program rule by rule."""

from __future__ import annotations

import pytest
from opened import Opened, numbers_in
from pages import SOME, ids_of, model_of, text_for


@pytest.mark.parametrize("name", SOME)
def test_the_steps_are_the_embedding_each_head_the_neurons_and_the_logits(
    opened: Opened, name: str
) -> None:
    model = model_of(name)
    opened(name).type(text_for(name))
    expected = ["embedding"]
    for layer, block in enumerate(model.weights["blocks"]):
        heads = range(len(model.names.heads[layer]))
        expected += [f"head {layer}.h{h}" for h in heads]
        if "mlp" in block:
            expected.append(f"{layer}.mlp")
    assert opened.texts(".steps .choice label") == [*expected, "logits"]


def test_the_arrow_keys_go_through_the_steps(opened: Opened) -> None:
    opened("adder").type(text_for("adder"))
    opened.focus(".steps .choice input:checked")
    opened.press("ARROW_RIGHT", "ARROW_RIGHT")
    assert opened.texts(".steps :checked + bdi") == ["1.mlp"]
    assert "what 1.mlp adds" in opened.texts(".steps caption")
    opened.press("ARROW_LEFT")
    assert opened.text(".steps .looks").startswith(
        f"{len(ids_of('adder')) - 1} = looks at "
    )


def test_buttons_go_through_the_steps_and_choose_the_head(
    opened: Opened,
) -> None:
    opened("induction").type("abcab")
    for _ in range(2):
        opened.click(".steps .on")
    assert opened.texts(".heads :checked + bdi") == ["1.h0"]
    assert opened.text(".steps .looks") == (
        "4 b looks at 2 c (1); of their values it reads token:c = 1."
    )
    opened.click(".steps .back")
    assert opened.texts(".heads :checked + bdi") == ["0.h0"]


def test_the_last_step_sums_lanes_to_the_logits(opened: Opened) -> None:
    opened("sort").type("^cab=")
    for _ in range(9):
        opened.click(".steps .on")
    (table,) = opened.rows(".steps")
    sums = [
        sum(numbers_in(row[i] for row in table[1:]))
        for i in range(2, len(table[0]))
    ]
    model = model_of("sort")
    logits = dict(zip(model.vocabulary.tokens, model("^cab=")[-1], strict=True))
    expected = [float(logits[token]) for token in table[0][2:]]
    assert sums == pytest.approx(expected, abs=1e-3)


def test_the_neurons_are_shown_before_and_after_their_activation(
    opened: Opened,
) -> None:
    opened("adder").type(text_for("adder"))
    for _ in range(2):
        opened.click(".steps .on")
    neurons, _ = opened.rows(".steps")
    arrays = model_of("adder").trace(text_for("adder")).arrays
    assert neurons[0] == ["neuron", "before", "gelu"]
    assert [row[0] for row in neurons[1:]] == [
        "n0  layers[1] > neurons[0]",
        "n1  layers[1] > neurons[1]",
    ]
    for i, row in enumerate(neurons[1:]):
        pre, post = (
            arrays[f"blocks.1.mlp.{part}"][-1, i] for part in ("pre", "post")
        )
        assert numbers_in(row[1:]) == pytest.approx(
            [pre, post], rel=1e-4, abs=1e-4
        )


def test_a_tour_tells_what_the_author_says_then_each_rule(
    opened: Opened,
) -> None:
    opened("aab")
    assert opened.text(".tour .count") == "1 of 7"
    assert opened.text(".tour .words") == (
        "Continues aabaabaab...: b follows aa, a follows everything else."
    )
    stops = []
    for _ in range(6):
        opened.click(".tour .on")
        stops.append(opened.text(".tour .words p"))
    assert stops[2:] == [
        f"layers[0] > {part} programs/aab.py:11"
        for part in ("query", "key", "value", "adds")
    ]
    assert opened.one(".matrices .part").get_property("value") == "0.h0.o"
    assert opened.texts(".matrices td.told") == ["-1024", "1024", "1024"]
