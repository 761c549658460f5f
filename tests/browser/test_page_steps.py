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
    assert neurons[0] == ["neuron", "before", "gelu", "rule"]
    assert [row[0] for row in neurons[1:]] == [
        "n0  layers[1] > neurons[0]",
        "n1  layers[1] > neurons[1]",
    ]
    for i, row in enumerate(neurons[1:]):
        pre, post = (
            arrays[f"blocks.1.mlp.{part}"][-1, i] for part in ("pre", "post")
        )
        assert numbers_in(row[1:3]) == pytest.approx(
            [pre, post], rel=1e-4, abs=1e-4
        )
    assert neurons[2][3] == (
        "when -digit - 99, times 8 for gelu; adds 1.1 digit, divided by 8 for gelu"
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


@pytest.mark.parametrize("name", ["aab", "sort"])
def test_a_head_the_others_and_the_bias_make_the_stream_after_the_layer(
    opened: Opened, name: str
) -> None:
    opened(name).type(text_for(name))
    opened.click(".steps .on")
    (table,) = opened.rows(".steps")
    after = model_of(name).trace(text_for(name)).arrays
    lanes = list(model_of(name).names.stream)
    for lane, *values in table[1:]:
        *parts, whole = numbers_in(values)
        assert sum(parts) == pytest.approx(whole, abs=1e-3)
        stream = after["blocks.0.resid_mid"][-1, lanes.index(lane)]
        assert whole == pytest.approx(stream, abs=1e-3)


def test_a_rule_a_head_and_a_step_lead_to_each_other(opened: Opened) -> None:
    """What is chosen in one panel is shown in the others."""
    opened("induction").type("abcab")
    opened.click(opened.all(".heads input")[1])
    assert opened.texts(".steps :checked + bdi") == ["head 1.h0"]
    opened.click("[data-key='cells layers[0] > query']")
    assert opened.texts(".steps :checked + bdi") == ["head 0.h0"]
    assert opened.texts(".heads :checked + bdi") == ["0.h0"]
    opened.click("[data-key='cells embedding[1]']")
    assert opened.texts(".steps :checked + bdi") == ["embedding"]
    opened.click("[data-key=adds]")
    assert opened.texts(".steps :checked + bdi") == ["head 0.h0"]


def test_a_link_above_leads_to_each_panel(opened: Opened) -> None:
    """The panel is opened, and the focus is on it."""
    opened("aab")
    assert opened.texts(".jumps button") == opened.texts(
        ".panel:not([hidden]) > summary"
    )
    matrices = opened.one(".panel.matrices > summary")
    opened.click(matrices)
    assert not opened.one(".panel.matrices").get_property("open")
    words = opened.texts(".jumps button").index("Matrices")
    opened.click(opened.all(".jumps button")[words])
    assert opened.one(".panel.matrices").get_property("open")
    assert opened.driver.switch_to.active_element == matrices


def test_the_lead_of_the_next_token_is_the_distance_of_two_logits(
    opened: Opened,
) -> None:
    opened("aab").type("baa")
    a, b = model_of("aab")("baa")[-1]
    assert opened.text(".next .lead") == f"b is ahead of a by {b - a:g}."
