"""The prover against random models, wrong mutants of bundled programs, and enumeration."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pytest
from adversary import adversaries
from models import cast, draw_model, mutant
from recording import check
from reduced import EDITS, asked, enumerated, reduced

from handcraft.claims.kinds import Distribution, Residual
from handcraft.claims.prompt_claim import Answers
from handcraft.model import Model
from handcraft.program.contexts import count_contexts
from handcraft.proof.prover.endings import Proof
from handcraft.proof.prover.network import Undecided
from handcraft.proof.prover.pairwise import Pairs, wanted
from handcraft.proof.prover.prover import Prover

MODELS = int(os.environ.get("SOUNDNESS_MODELS", "10000"))
WRONG = int(
    os.environ.get("SOUNDNESS_WRONG", "3200")
)  # wrong mutants, of all programs together
SEED = int(os.environ.get("SOUNDNESS_SEED", "0"))
SHARDS = max(1, MODELS // 250)
FINITE = 0.5  # at least this share of the models has finite bounds


def proof_of(model: Model, seconds: float = 30.0) -> Proof | None:
    """The proof of a model's claim, or None."""
    claim: Any = model.program.claim if model.program else None
    prover = Pairs if wanted(claim) else Prover
    try:
        return prover(
            model, claim, time.monotonic() + seconds, lambda *_: None
        ).run()
    except Undecided:
        return None


def certified(model: Model, proof: Proof) -> float:
    """What a proof says of the worst context: the margin, or the error with its sign turned."""
    claim = model.program.claim if model.program else None
    return (
        -proof.error
        if isinstance(claim, Distribution | Residual)
        else proof.margin
    )


# ---------------------------------------------------------------- agreement


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EDITS)
def test_a_proof_agrees_with_enumeration(name: str, dtype: str) -> None:
    """What is proved is right in every context, with at least the certified margin, and every
    context is counted.
    """
    model = Model.of(reduced(name), dtype)
    right, worst, n = enumerated(model, asked(name))
    proof = proof_of(model)
    assert right
    assert proof is not None
    assert certified(model, proof) <= worst
    claim = reduced(name).claim
    if isinstance(claim, Answers):
        assert (
            proof.contexts == claim.language(model.n_ctx, model.vocabulary).size
        )
    else:
        assert (proof.checked, proof.contexts) == (
            n,
            count_contexts(len(model.vocabulary), model.n_ctx),
        ) or wanted(claim)


# ---------------------------------------------------------------- mutants


@pytest.mark.parametrize("name", EDITS)
def test_no_wrong_mutant_is_proved(name: str) -> None:
    """A bundled program with changed weights that errs somewhere is never proved; one that does
    not, at most truly.
    """
    rng = np.random.default_rng([SEED, *name.encode()])
    models = {
        dtype: Model.of(reduced(name), dtype)
        for dtype in ("float32", "float64")
    }
    wrong = proved = 0
    while wrong < WRONG / len(EDITS):
        dtype = "float64" if rng.random() < 0.2 else "float32"
        changed = mutant(models["float64"].weights, rng)
        model = models[dtype].replace(weights=cast(changed, dtype))
        right, worst, _ = enumerated(model, asked(name))
        if right and rng.random() < 0.7:  # few of these are needed
            continue
        wrong += not right
        if (proof := proof_of(model)) is not None:
            proved += 1
            assert right, f"a wrong mutant of {name} was proved"
            assert certified(model, proof) <= worst
    assert proved or wrong < 100


# ---------------------------------------------------------------- containment


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_float_is_within_its_bounds(shard: int) -> None:
    """Random models, every context, unkind roundings: no logit, margin, stream or mean lies
    outside its ball.
    """
    n = -(-MODELS // SHARDS)
    seeds = range(SEED + shard * n, SEED + (shard + 1) * n)
    finite = 0
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        with np.errstate(all="ignore"):
            found = check(draw_model(seed), adversaries(rng, 2), rng)
        assert not found.outside, f"model {seed}: {found.outside[0]}"
        finite += found.finite > 0
    assert finite >= FINITE * n
