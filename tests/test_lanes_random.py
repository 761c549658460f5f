"""Programs that nobody chose, compiled from random expressions, as they are and with numbers
changed: no number leaves its table, and what is proved is right.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from conftest import FULL
from hypothesis import settings
from lane_programs import changed, is_right
from test_lanes_contained import escapes

from handcraft import tag
from handcraft.core.errors import HandcraftError
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.check import measured_lanes
from handcraft.results.suites.drawing import KINDS, drawn

WANTED = int(os.environ.get("LANE_PROGRAMS", "300"))
MANY = max(1, WANTED // len(KINDS))
if settings.default.max_examples < FULL:
    MANY = 1


def drawn_model(random: Random, kind: str) -> Model | None:
    """A compiled program of a random expression; None where it cannot be compiled."""
    letters = random.choice(("ab", "abc"))
    n, causal = random.choice((2, 3, 4)), random.random() < 0.5
    try:
        expression = drawn(random, letters, kind, random.choice((1, 2, 3)))
        return tag(expression, tokens=letters, n=n, causal=causal).build()
    except HandcraftError:
        return None


def models_of(kind: str) -> list[Model]:
    """Compiled programs of a kind of expression, each followed by one with numbers changed."""
    random, found = Random(kind), []
    while len(found) < 2 * MANY:
        model = drawn_model(random, kind)
        if model is not None:
            found += [model, changed(model, random)]
    return found


@pytest.mark.hypothesis
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_proved_is_right(kind: str) -> None:
    for model in models_of(kind):
        try:
            measured_lanes(model, ())
        except Rejected:
            continue
        assert is_right(model)


@pytest.mark.hypothesis
@pytest.mark.parametrize("kind", KINDS)
def test_no_number_leaves_its_table(kind: str) -> None:
    random = Random(kind)
    for model in models_of(kind):
        letters = model.program.claim.alphabet  # type: ignore[union-attr]
        texts = [
            "".join(random.choices(letters, k=n))  # type: ignore[arg-type]
            for n in range(1, model.n_ctx)
        ]
        assert escapes(model, texts) == []
