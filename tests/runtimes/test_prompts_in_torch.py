"""Prompts are counted in torch with the counts that the judge has."""

from __future__ import annotations

import pytest
from ranked import greatest, noisy
from test_prompts_together import assert_the_same

from handcraft.proof.judge import Judge


@pytest.mark.parametrize("seed", range(4))
def test_the_counts_are_those_of_the_judge(seed: int) -> None:
    """Right, wrong, within rounding: each prompt is what it is one by one."""
    judge = Judge(noisy(seed, n=9, k=4), greatest(9, 4))
    assert_the_same(judge, "torch")
