"""Any model has a page: a built directory, a checkpoint, weights that nobody wrote rules for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_weights import random_weights
from opened import Opened, numbers_in

from handcraft import Model
from handcraft.core.vocabulary import Vocabulary
from handcraft.results.view import viewed


def test_a_built_directory_has_a_page_with_its_rules(
    opened: Opened, tmp_path: Path
) -> None:
    Model.open("aab").save(tmp_path / "built")
    opened(viewed(str(tmp_path / "built"))).type("ab")
    assert opened.text(".answer b") == Model.open("aab").generate("ab", 20)
    assert opened.text(".badge").startswith("✓ proved")
    assert "layers[0] > query" in opened.texts(".rules bdi")


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_weights_without_rules_have_numbered_lanes_and_parts_to_switch(
    opened: Opened, activation: str
) -> None:
    weights = random_weights(3, dtype="float32")
    model = Model("drawn", weights, Vocabulary(("a", "b", "c")), 2, activation)
    opened(model).type("abcab")
    assert opened.text(".badge") == "not verified"
    assert opened.text(".problem") == "drawn makes no claim"
    (bars,) = opened.rows(".bars")
    logits = numbers_in(row[1] for row in bars[1:])
    assert logits == pytest.approx(list(model("abcab")[-1]), abs=1e-4)
    opened.click("[data-key='rule 1.h0.o']")
    without = random_weights(3, dtype="float32")
    without["blocks"][1]["attn"]["c_proj"]["w"][:4] = 0
    other = Model("drawn", without, model.vocabulary, 2, activation)
    (bars,) = opened.rows(".bars")
    logits = numbers_in(row[1] for row in bars[1:])
    assert logits == pytest.approx(list(other("abcab")[-1]), abs=1e-4)


def test_of_a_wide_matrix_a_part_is_drawn_and_that_is_said(
    opened: Opened,
) -> None:
    weights = random_weights(0, n_embd=240, n_vocab=30, dtype="float32")
    tokens = tuple(chr(ord("A") + i) for i in range(30))
    opened(Model("wide", weights, Vocabulary(tokens), 2)).type("ABC")
    assert "(100 of 240 columns)" in opened.text(".matrices caption")
    (table,) = opened.rows(".matrices")
    shown = np.array([numbers_in(row[1:]) for row in table[1:]])
    assert np.allclose(shown, weights["wte"][:, :100], rtol=1e-5)
    assert opened.complaints() == []
