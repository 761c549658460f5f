"""Real clusters on this machine, of two workers each, one of which is killed in the middle: the
counts stay exact.

These tests need the extra `cluster` and fail without it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handcraft import Model, Program, position, proof, scratch, token
from handcraft.core.errors import ClusterError
from handcraft.proof import Report, Spread
from handcraft.proof.enumerate import units

TOTAL = 2**15 - 2


def verify(model: Model, **options: Any) -> Report:
    """Verification by enumeration alone: much of what these tests ask could be proved without."""
    return proof.verify(model, methods=["exhaustive"], **options)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of a thousand contexts."""
    monkeypatch.setattr(units, "UNIT", 1000)


def latest() -> Model:
    """A program that repeats the last letter, with a function as its claim, wrong in one
    context and silent on some.
    """

    def claim(context: str) -> str | None:
        return (
            "b"
            if context == "abbabaaabbaba"
            else None
            if context.endswith("aaaa")
            else context[-1]
        )

    return Program(
        name="latest",
        embedding=(position(14), token("ab"), scratch("v")),
        claim=claim,
    ).build()


def killing(pids: Any) -> tuple[Any, list[int]]:
    """A progress that kills one worker when a quarter is done, and whom it has killed."""
    killed: list[int] = []

    def progress(done: int, total: int) -> None:
        for pid in pids()[:1] if not killed and done > total / 4 else ():
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    return progress, killed


def same(report: Report) -> Report:
    """A report without its time."""
    return replace(report, seconds=0.0)


@pytest.fixture(scope="module")
def dask_cluster() -> Iterator[Any]:
    """Two workers, each a process with a nanny that starts it anew when it dies."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        yield cluster


def dask_pids(cluster: Any) -> list[int]:
    """The processes of the workers."""
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_a_dask_cluster_says_what_one_process_says(dask_cluster: Any) -> None:
    """Two workers give the same report as this process, and both have worked."""
    model = latest()
    report = verify(
        model,
        spread=Spread(backend="dask", address=dask_cluster.scheduler_address),
    )
    assert same(report) == same(verify(model))
    assert (report.contexts, report.verdict) == (TOTAL, "refuted")


def test_a_dask_worker_that_is_killed_loses_nothing(
    dask_cluster: Any, tmp_path: Path
) -> None:
    """One of two workers dies in the middle: every context is counted once, and the checkpoint
    is used up.
    """
    progress, killed = killing(lambda: dask_pids(dask_cluster))
    spread = Spread(
        backend="dask",
        address=dask_cluster.scheduler_address,
        checkpoint=tmp_path / "run.json",
    )
    report = verify(latest(), progress=progress, spread=spread)
    assert killed
    assert same(report) == same(verify(latest()))
    assert not list(tmp_path.iterdir())


def test_dask_without_an_address_starts_its_own(tmp_path: Path) -> None:
    """On the command line, with a bundled program; nothing but the report is printed on stdout."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "handcraft",
            "verify",
            "aab",
            "--method",
            "exhaustive",
            "--backend",
            "dask",
            "--jobs",
            "2",
            "--json",
        ],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout)
    assert (found["contexts"], found["verdict"], found["min_margin"]) == (
        62,
        "checked",
        1023.0,
    )


def test_a_cluster_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An address where nobody listens is one clear error."""
    from handcraft.proof.enumerate import workers as spread

    monkeypatch.setattr(spread, "CONNECT", 2)
    with pytest.raises(
        ClusterError,
        match=re.escape("no cluster answers at tcp://127.0.0.1:9: "),
    ):
        verify(
            latest(), spread=Spread(backend="dask", address="tcp://127.0.0.1:9")
        )


def ray_pids() -> list[int]:
    """The processes of ray's pool, below this one: the actors that work."""
    import psutil

    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(
            psutil.NoSuchProcess
        ):  # one that has just ended has no command line
            found += [child.pid] * "".join(child.cmdline()).startswith(
                "ray::PoolActor"
            )
    return found


@pytest.mark.parametrize("deadly", [False, True])
def test_ray_says_what_one_process_says(deadly: bool) -> None:
    """Two processes of a local ray, left alone or one of them killed in the middle: the report
    of this process.
    """
    progress, killed = killing(ray_pids)
    start = time.monotonic()
    report = verify(
        latest(),
        progress=progress if deadly else lambda *_: None,
        spread=Spread(2, "ray"),
    )
    assert bool(killed) == deadly
    assert same(report) == same(verify(latest()))
    assert time.monotonic() - start < 120
