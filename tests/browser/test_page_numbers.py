"""The numbers in the panels are those of a trace in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from opened import Opened, numbers_in, shown
from pages import EVERY, SOME, ids_of, model_of, text_for

from handcraft.core.tracing import Trace

NEAR = 2e-5  # of the largest number beside it: another exp, another order


def trace_of(name: str) -> Trace:
    """The trace in Python of the text that is typed."""
    return model_of(name).trace(list(ids_of(name)), checked=False)


def near(found: Sequence[str], expected: Sequence[float], size: float) -> bool:
    """True where cells show these numbers, as far as float32 tells them apart."""
    return np.allclose(numbers_in(found), expected, rtol=1e-5, atol=NEAR * size)


@pytest.mark.parametrize("name", EVERY)
def test_stream_and_attention_are_those_of_the_trace(
    opened: Opened, name: str
) -> None:
    opened(name).type(text_for(name))
    trace = trace_of(name)
    opened.click(".stream .zeros")
    for i, sublayer in enumerate(trace.residual):
        opened.enter(".after", str(i))
        _stream(opened, sublayer)
    for i, head in enumerate(trace.heads):
        opened.click(opened.all(".heads input")[i])
        _weights(opened, head.weights)


def _stream(opened: Opened, sublayer: Mapping[str, Any]) -> None:
    """The table has each lane at each position."""
    positions = sublayer["positions"]
    (table,) = opened.rows(".stream")
    found = {row[0]: row[1:] for row in table[1:]}
    assert list(found) == [shown(lane) for lane in positions[0]]
    assert f"after {sublayer['after']}" in opened.text(".stream caption")
    size = max(abs(x) for lanes in positions for x in lanes.values())
    for lane in positions[0]:
        expected = [lanes[lane] for lanes in positions]
        assert near(found[shown(lane)], expected, size), lane


def _weights(opened: Opened, weights: Sequence[Sequence[float]]) -> None:
    """The heat map has each weight to three digits; what is in the future is empty."""
    table, _ = opened.rows(".attention")
    for q, row in enumerate(table[1:]):
        seen = [cell or "0" for cell in row[1:]]
        assert np.allclose(numbers_in(seen), weights[q], atol=6e-4)


@pytest.mark.parametrize("name", SOME)
def test_a_cell_shows_score_weight_and_value_and_the_pairs_sum_to_the_score(
    opened: Opened, name: str
) -> None:
    opened(name).type(text_for(name))
    for i, head in enumerate(trace_of(name).heads):
        opened.click(opened.all(".heads input")[i])
        last = len(ids_of(name)) - 1
        for q, k in ((last, 0), (last, last), (1, 1)):
            opened.click(f"[data-key$='of head {head.name} {q} {k}']")
            _cell(opened, head.scores[q][k] or 0.0, head.weights[q][k])
            named = {x: v for x, v in head.value[k].items() if abs(v) > 1e-6}
            said = opened.text(".attention .looks")
            for lane, value in named.items():
                at = said.index(f" {lane} ") + len(lane) + 2
                shown_value = float(said[at:].split()[0].rstrip("."))
                assert shown_value == pytest.approx(value, rel=1e-4)


def _cell(opened: Opened, score: float, weight: float) -> None:
    said = opened.text(".attention .looks").split(": score ")[1]
    numbers = [part.split()[-1] for part in said.split(",")[:2]]
    size = max(1.0, abs(score))
    assert near([numbers[0]], [score], size)
    assert float(numbers[1]) == pytest.approx(weight, abs=1e-4)
    _, (_, *parts, total) = opened.rows(".attention")
    amounts = numbers_in(row[2] for row in parts)
    assert near([total[2]], [score], size)
    largest = max(map(abs, [size, *amounts]))
    assert sum(amounts) == pytest.approx(score, abs=1e-5 * largest)


@pytest.mark.parametrize("name", EVERY)
def test_what_the_rules_gave_sums_to_the_logits_as_in_the_trace(
    opened: Opened, name: str
) -> None:
    opened(name).type(text_for(name))
    trace = trace_of(name)
    (table,) = opened.rows(".given")
    columns = [cell.removeprefix("▸ ") for cell in table[0][1:]]
    found = {row[0]: row[1:] for row in table[1:]}
    logits = {shown(token): x for token, x in trace.logits[-1].items()}
    size = max(
        abs(x) for one in trace.contributions for x in one["logits"].values()
    )
    assert near(
        found.pop("together"), [logits[token] for token in columns], size
    )
    for one in trace.contributions:
        row = {shown(token): x for token, x in one["logits"].items()}
        expected = [row[token] for token in columns]
        assert near(found.pop(one["rule"]), expected, size), one["rule"]
    assert all(near(row, [0.0] * len(row), size) for row in found.values())


def test_the_arrow_keys_move_through_the_heat_map(opened: Opened) -> None:
    opened("induction").type("abcab")
    opened.focus("[data-key='attention weights of head 0.h0 4 3']")
    opened.press("ARROW_UP")
    assert opened.text(".attention .looks").startswith("3 a looks at 3 a")
    opened.press("ARROW_LEFT", "ARROW_LEFT")
    assert opened.text(".attention .looks").startswith("3 a looks at 1 b")
    assert opened.text(".next .place") == "after 3 a"
    opened.press("HOME", "ARROW_UP", "ARROW_UP")
    assert opened.text(".attention .looks").startswith("1 b looks at 0 a")
    opened.press("END")
    assert "lies in the future" in opened.text(".attention .why")


def test_one_position_is_shown_after_every_sublayer(opened: Opened) -> None:
    opened("induction").type("abcab")
    opened.enter(".after", "-1")
    (table,) = opened.rows(".stream")
    assert table[0] == ["lane", "embedding", "0.attention", "1.attention"]
    trace = model_of("induction").trace("abcab", checked=False)
    found = {row[0]: row[1:] for row in table[1:]}
    expected = [after["positions"][4]["before:a"] for after in trace.residual]
    assert near(found["before:a"], expected, 1.0)
