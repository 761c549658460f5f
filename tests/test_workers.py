"""Enumeration in several processes, which may die: what they say together is what one says."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from cli_runner import handcraft
from conftest import Refused, bundled_model
from enumerated import latest, same, verify

from handcraft import Model, after
from handcraft.core.errors import ClusterError, MissingExtraError, ProgramError
from handcraft.proof import Budget, Spread


@pytest.mark.slow
@pytest.mark.usefixtures("small_units")
def test_several_processes_say_what_one_says() -> None:
    """Two processes give the same report as one, to the last digit, for a table and for a
    function of the author's.
    """
    for model in (
        latest(9),
        latest(9, after({"a": "b", "abba": "a"})),
        bundled_model("baby_gpt"),
    ):
        assert same(verify(model, spread=Spread(jobs=2))) == same(verify(model))


def dying(marker: Path, times: int) -> Model:
    """A claim that kills the process that asks it about one context, so many times."""

    def claim(context: str) -> str:
        if (
            context == "abbab"
            and len(list(marker.parent.glob(f"{marker.name}*"))) < times
        ):
            marker.with_name(f"{marker.name}{time.monotonic_ns()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return context[-1]

    return latest(9, claim)


@pytest.mark.slow
@pytest.mark.usefixtures("small_units")
def test_a_process_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    """A worker dies in the middle of a unit, twice: every context is counted, and once."""
    report = verify(dying(tmp_path / "died", 2), spread=Spread(jobs=2))
    assert len(list(tmp_path.iterdir())) == 2
    assert same(report) == same(verify(latest(9), spread=Spread(jobs=1)))
    assert (report.contexts, report.checked, report.verdict) == (
        2**10 - 2,
        2**10 - 2,
        "checked",
    )


@pytest.mark.slow
@pytest.mark.usefixtures("small_units")
def test_processes_that_always_die_are_an_error(tmp_path: Path) -> None:
    """Where no unit comes back between one death and the next, that is said."""
    model = dying(tmp_path / "died", 10**6)
    with pytest.raises(
        ClusterError,
        match=(
            r"^3 times a process died before it had counted anything"
            r" \(TerminatedWorkerError\)$"
        ),
    ):
        verify(model, spread=Spread(jobs=2))


@pytest.mark.slow
@pytest.mark.usefixtures("small_units")
def test_an_error_in_a_worker_is_the_authors() -> None:
    """What a claim raises in another process reaches the author as from this one."""
    model = latest(
        9, lambda context: context[-1] if len(context) < 8 else 1 // 0
    )
    with pytest.raises(ProgramError, match="raised ZeroDivisionError"):
        verify(model, spread=Spread(jobs=2))


@pytest.mark.usefixtures("small_units")
def test_the_time_ends_work_in_several_processes() -> None:
    """After its seconds a run is undecided, and what was counted is not more than there is."""
    report = verify(
        latest(9), budget=Budget(seconds=0.0), spread=Spread(jobs=2)
    )
    assert (report.verdict, report.contexts < 2**10 - 2) == ("unknown", True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--backend", "daks"],
            (
                "there is no backend 'daks'; there are loky, dask, ray; did you mean"
                " 'dask'?"
            ),
        ),
        (
            ["--address", "tcp://x:1"],
            "an address goes with the backend dask or ray",
        ),
    ],
)
def test_options_that_do_not_fit(options: list[str], message: str) -> None:
    """A backend that does not exist, and an address for this machine's own processes."""
    result = handcraft("verify", "aab", *options)
    assert (result.code, result.out, result.err) == (
        2,
        "",
        f"error: {message}\n",
    )


@pytest.mark.parametrize(
    ("options", "hidden", "message"),
    [
        (
            ["--jobs", "2"],
            "joblib",
            "several processes need the extra `fast`: pip install 'handcraft[fast]'",
        ),
        (
            ["--backend", "dask"],
            "distributed",
            (
                "the backend dask needs the extra `cluster`: pip install"
                " 'handcraft[cluster]'"
            ),
        ),
        (
            ["--backend", "ray"],
            "ray",
            (
                "the backend ray needs the extra `cluster`: pip install"
                " 'handcraft[cluster]'"
            ),
        ),
    ],
)
def test_a_missing_package_names_its_extra(
    options: list[str],
    hidden: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without joblib, distributed or ray the error says what to install."""
    if hidden != "joblib":
        pytest.importorskip("joblib")
    monkeypatch.setitem(sys.modules, hidden, None)
    result = handcraft("verify", "aab", "--method", "exhaustive", *options)
    assert (result.code, result.err) == (2, f"error: {message}\n")
    with Refused(MissingExtraError, message):
        verify(
            bundled_model("aab"),
            spread=Spread(
                2, options[1] if options[0] == "--backend" else "loky"
            ),
        )
