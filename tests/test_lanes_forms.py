"""An expression as a form, of symbols and what is known of them, is what the evaluator says."""

from __future__ import annotations

from random import Random

import pytest
from conftest import FULL
from hypothesis import settings
from test_lanes_wrong import said_wrongly

from handcraft.core.errors import HandcraftError
from handcraft.results.suites.drawing import KINDS, drawn
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import count, indices, there, tokens, total

MANY = 40 if settings.default.max_examples >= FULL else 3
BEFORE = there(indices) < indices
SAME = there(tokens) == tokens


@pytest.mark.hypothesis
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_form_is_what_the_evaluator_says(kind: str, causal: bool) -> None:
    random, compared = Random(kind), 0
    while compared < MANY:
        try:
            e = drawn(random, "ab", kind, random.choice((1, 2, 3)))
            found = said_wrongly(e, causal)
        except HandcraftError:
            continue
        compared += found is not None
        assert not found, e


SUMS = {
    "the others": count(SAME & (there(indices) != indices)) - count(SAME),
    "all others": count(there(indices) != indices),
    "before and after": count(SAME & BEFORE) + count(SAME & ~BEFORE),
    "or": count(SAME | BEFORE) + count(SAME & BEFORE) - count(SAME),
    "for a": count((there(tokens) < tokens) | (there(tokens) == "b")),
    "by position": count(there(indices) == 0) + total(there(indices), BEFORE),
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("e", SUMS.values(), ids=list(SUMS))
def test_a_sum_of_sums_is_what_the_evaluator_says(
    e: Expression, causal: bool
) -> None:
    assert said_wrongly(e, causal) == []
