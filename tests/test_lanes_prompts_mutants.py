"""No model that answers a prompt wrongly is proved, whatever number of it was changed."""

from __future__ import annotations

import os
from random import Random

import pytest
from conftest import FULL
from hypothesis import settings
from lane_programs import (
    NAMES,
    answering,
    answers_rightly,
    proved_mutants,
)

MANY = max(2, int(os.environ.get("LANE_MUTANTS", "330")) // len(NAMES))
if settings.default.max_examples < FULL:
    MANY = 2


@pytest.mark.hypothesis
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_is_not_proved(name: str) -> None:
    proved_mutants(answering(name, 2), Random(name), MANY, answers_rightly)
