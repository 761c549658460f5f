"""No model that answers a text wrongly is proved, whatever number of it was changed."""

from __future__ import annotations

import os
from random import Random

import pytest
from conftest import FULL
from hypothesis import settings
from lane_programs import NAMES, is_right, proved_mutants, tagged

WANTED = int(os.environ.get("LANE_MUTANTS", "1650"))
MANY = max(2, WANTED // len(NAMES))
if settings.default.max_examples < FULL:
    MANY = 4


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_is_not_proved(name: str) -> None:
    proved_mutants(tagged(name, 3), Random(name), MANY, is_right)
