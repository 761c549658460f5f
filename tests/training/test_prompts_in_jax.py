"""Prompts are counted in JAX with the counts that NumPy and the judge have."""

from __future__ import annotations

import numpy as np
import pytest
from ranked import greatest, noisy
from test_prompts_together import assert_the_same, counts, together

from handcraft.core.gpt2 import convert
from handcraft.proof.enumerate.together import library_of
from handcraft.proof.judge import Judge


@pytest.mark.parametrize("seed", range(6))
def test_the_counts_are_those_of_the_judge(seed: int) -> None:
    """Right, wrong, within rounding: each prompt is what it is one by one."""
    model, claim = noisy(seed, n=9, k=4), greatest(9, 4)
    found = assert_the_same(Judge(model, claim), "jax")
    assert counts(found) == counts(together(Judge(model, claim)))


def test_float64_keeps_its_digits() -> None:
    """JAX computes in the dtype of the weights, whatever it does elsewhere."""
    made = noisy(2, n=9, k=4)
    wide = convert(made.weights, lambda x: x.astype(np.float64) * (1 + 1e-9))
    model = made.replace(weights=wide)
    found = assert_the_same(Judge(model, greatest(9, 4)), "jax")
    own = together(Judge(model, greatest(9, 4)))
    assert found.min_margin == pytest.approx(own.min_margin, rel=1e-9, abs=1e-9)


def test_jax_computes_where_it_is_installed() -> None:
    """Without being asked for, from a million prompts on."""
    assert library_of() == "jax"
