"""The table of README.md: what directed and random models find of the bugs of the catalogue,
and how long that takes.

    python tests/soundness/figures.py [--models 200] [--random 300] [family ...]

`directed` is how many models of the family its bug's stage calls right; `random` how many of
the random models of models.py show the bug: by a number outside its bounds, or by a claim with
one wrong entry that is called right.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
from adversary import adversaries
from directed.catalogue import FAMILIES, Family
from directed.patching import broken
from directed.wrong import proved
from models import draw_model
from recording import bare_program, check, every_context

from handcraft.claims.words import after
from handcraft.core.gpt2 import gpt2
from handcraft.model import Model
from handcraft.proof import verify


def claimed(model: Model, rng: np.random.Generator) -> Model:
    """A random model with a claim on every context, one of which is wrong."""
    table, tokens = {}, model.vocabulary.tokens
    contexts = every_context(model)
    odd = contexts[int(rng.integers(len(contexts)))]
    for context in contexts:
        logits = gpt2(np.array(context), **model.weights, **model.config)[-1]
        best = int(logits.argmax()) if context != odd else int(logits.argmin())
        table[tuple(tokens[i] for i in context)] = tokens[best]
    claim = after(table)
    return model.replace(program=bare_program(claim, {}))


def found_by(seed: int, stage: str) -> bool:
    """Whether a random model shows what is broken."""
    rng, model = np.random.default_rng([seed, 1]), draw_model(seed)
    with np.errstate(all="ignore"):
        if check(model, adversaries(rng, 2), rng).outside:
            return True
        wrong: Any = claimed(model, rng)
        if stage == "prover":
            return proved(wrong) == "proved"
        return stage in ("exhaustive", "certificate") and verify(
            wrong, methods=(stage,)
        ).verdict in ("proved", "checked")


def row(family: Family, models: int, drawn: int) -> str:
    """One line of the table."""
    start = time.process_time()
    wrong = [family.draw(i) for i in range(models)]
    said = [family.said(one) for one in wrong]
    seconds = time.process_time() - start
    right = sum(found not in ("refuted", "unknown", "error") for found in said)
    if family.bug is None:
        return f"| {family.name} | {models} | {right} | {seconds:.0f} | - | - |"
    with broken(*family.bug.patches):
        found = sum(map(family.misses, wrong))
        by_chance = sum(
            found_by(seed, family.bug.stage) for seed in range(drawn)
        )
    return (
        f"| {family.name} | {models} | {right} | {seconds:.0f} | {found} | {by_chance}"
        f" of {drawn} |"
    )


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--random", type=int, default=300)
    options = parser.parse_args()
    print(
        "| family | models | called right | seconds | its bug: found by directed | by"
        " random |"
    )
    print("|---|---|---|---|---|---|")
    for name in options.families:
        print(row(FAMILIES[name], options.models, options.random), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
