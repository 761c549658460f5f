"""Random models against the prover, as many as there is time for, from where the last run stopped.

    python tests/soundness/campaign.py --models 1000000 --jobs 2 [--state build/soundness.json]

The state is a JSON file: how many models are done, how many were finite, and every model of which a number lay outside
its bounds. A model is its seed, so that any of them can be drawn again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from adversary import adversaries
from models import draw_model
from recording import check

CHUNK = 500  # models between two writes of the state


def chunk(seeds: range) -> dict[str, Any]:
    """What is found of some models."""
    found: dict[str, Any] = {"models": 0, "undecided": 0, "finite": 0, "contexts": 0, "outside": []}
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        with np.errstate(all="ignore"):
            one = check(draw_model(seed), adversaries(rng, 2), rng)
        found["models"] += 1
        found["undecided"] += one.undecided is not None
        found["finite"] += one.finite > 0
        found["contexts"] += one.contexts
        found["outside"] += [[seed, one.outside[0]]] if one.outside else []
    return found


def chunks(start: int, stop: int) -> Iterator[range]:
    """The seeds in pieces."""
    for first in range(start, stop, CHUNK):
        yield range(first, min(first + CHUNK, stop))


def main() -> int:
    """Runs what is left, writing the state after every chunk."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--state", type=Path, default=Path("build/soundness.json"))
    options = parser.parse_args()
    done: dict[str, Any] = {"models": 0, "undecided": 0, "finite": 0, "contexts": 0, "outside": []}
    if options.state.exists():
        done = json.loads(options.state.read_text())
    options.state.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(chunk, chunks(done["models"], options.models)):
            done = {key: done[key] + value for key, value in found.items()}
            options.state.write_text(json.dumps(done, indent=1))
            rate = f"{time.monotonic() - start:.0f}s"
            print(f"{done['models']} models, {done['finite']} finite, {len(done['outside'])} outside, {rate}", flush=True)
    return bool(done["outside"]) or done["finite"] < done["models"] / 2


if __name__ == "__main__":
    sys.exit(main())
