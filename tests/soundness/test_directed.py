"""Wrong models of every family are never called right, and each family finds a bug that random
models do not.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from adversary import adversaries
from directed.catalogue import FAMILIES, Family
from directed.patching import broken
from directed.wrong import said
from models import draw_model
from recording import check

DIRECTED = int(os.environ.get("SOUNDNESS_DIRECTED", "200"))  # of each family
SEED = int(os.environ.get("SOUNDNESS_SEED", "0"))
SHARDS = max(1, DIRECTED // 100)
FEW = 30  # models, some of which must find a bug
QUIET = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # where a check is left out, numbers overflow
RANDOM = int(
    os.environ.get("SOUNDNESS_UNFOUND", "20")
)  # random models, none of which may


def models(family: Family, shard: int) -> range:
    """The seeds of a shard."""
    n = -(-DIRECTED // SHARDS)
    return range(SEED + shard * n, SEED + (shard + 1) * n)


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("name", FAMILIES)
def test_no_wrong_model_is_called_right(name: str, shard: int) -> None:
    """What is wrong by construction is refuted, an error or unknown, never proved or checked,
    and never a traceback.
    """
    family = FAMILIES[name]
    for seed in models(family, shard):
        found = family.said(family.draw(seed))
        assert found in ("refuted", "unknown", "error"), (
            f"{name} {seed}: {found}"
        )


@QUIET
@pytest.mark.parametrize(
    "name", [name for name, family in FAMILIES.items() if family.bug]
)
def test_each_family_finds_its_bug(name: str) -> None:
    """With a bug in one stage, that stage calls some models right: so the family asks what it
    says that it asks.
    """
    family = FAMILIES[name]
    drawn = [family.draw(SEED + i) for i in range(FEW)]
    assert not any(map(family.misses, drawn))
    with broken(*family.bug.patches):  # type: ignore[union-attr]
        assert any(map(family.misses, drawn))


@QUIET
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, family in FAMILIES.items()
        if family.bug and family.bug.of_prover
    ],
)
def test_the_checker_stops_a_broken_prover(name: str) -> None:
    """A certificate that was found because of the bug is not accepted."""
    family = FAMILIES[name]
    drawn = [family.draw(SEED + i) for i in range(FEW)]
    with broken(*family.bug.patches):  # type: ignore[union-attr]
        for wrong in filter(family.misses, drawn):
            assert said(wrong, "checker") != "proved"


@QUIET
@pytest.mark.parametrize(
    "name", [name for name, family in FAMILIES.items() if family.bug]
)
def test_random_models_do_not_find_it(name: str) -> None:
    """The same bug goes unnoticed where models are random: that is why the family is there."""
    family = FAMILIES[name]
    with broken(*family.bug.patches), np.errstate(all="ignore"):  # type: ignore[union-attr]
        for seed in range(SEED, SEED + RANDOM):
            rng = np.random.default_rng([seed, 1])
            assert not check(draw_model(seed), adversaries(rng, 2), rng).outside
