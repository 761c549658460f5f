"""Random models against the prover, as many as there is time for, from where the last run
stopped; or directed ones.

    python tests/soundness/campaign.py --models 1000000 --jobs 2 [--state build/soundness.json]
    python tests/soundness/campaign.py --directed 10000 --jobs 2

The state is a JSON file: how many models are done, how many were finite, and every model of
which a number lay outside its bounds. A model is its seed, so that any of them can be drawn
again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from adversary import adversaries
from directed.catalogue import FAMILIES
from models import draw_model
from recording import check

CHUNK = 500  # models between two writes of the state


def chunk(seeds: range) -> dict[str, Any]:
    """What is found of some models."""
    found: dict[str, Any] = {
        "models": 0,
        "undecided": 0,
        "finite": 0,
        "contexts": 0,
        "outside": [],
    }
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


def directed(name: str, models: int) -> tuple[str, float, Counter[str]]:
    """What is said of so many models of a family, each of which is wrong, and the seconds of
    CPU that it took.
    """
    family, start = FAMILIES[name], time.process_time()
    said = Counter(family.said(family.draw(seed)) for seed in range(models))
    return name, time.process_time() - start, said


def run_directed(models: int, jobs: int) -> int:
    """So many directed models of all families together; 1 where any is called right, or ends in
    a traceback.
    """
    each, start, total = (
        -(-models // len(FAMILIES)),
        time.monotonic(),
        Counter[str](),
    )
    with ProcessPoolExecutor(jobs) as pool:
        for name, seconds, said in pool.map(
            directed, FAMILIES, [each] * len(FAMILIES)
        ):
            total += said
            print(f"{name}: {dict(said)}, {seconds:.0f}s of CPU", flush=True)
    amiss = sum(
        n
        for word, n in total.items()
        if word not in ("refuted", "unknown", "error")
    )
    print(
        f"{total.total()} models: {dict(total)}, {amiss} amiss,"
        f" {time.monotonic() - start:.0f}s"
    )
    return int(amiss > 0)


def main() -> int:
    """Runs what is left, writing the state after every chunk."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--directed", type=int, default=0)
    parser.add_argument(
        "--state", type=Path, default=Path("build/soundness.json")
    )
    options = parser.parse_args()
    if options.directed:
        return run_directed(options.directed, options.jobs)
    done: dict[str, Any] = {
        "models": 0,
        "undecided": 0,
        "finite": 0,
        "contexts": 0,
        "outside": [],
    }
    if options.state.exists():
        done = json.loads(options.state.read_text())
    options.state.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(chunk, chunks(done["models"], options.models)):
            done = {key: done[key] + value for key, value in found.items()}
            options.state.write_text(json.dumps(done, indent=1))
            rate = f"{time.monotonic() - start:.0f}s"
            print(
                f"{done['models']} models, {done['finite']} finite,"
                f" {len(done['outside'])} outside, {rate}",
                flush=True,
            )
    return bool(done["outside"]) or done["finite"] < done["models"] / 2


if __name__ == "__main__":
    sys.exit(main())
