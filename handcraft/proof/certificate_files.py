"""Writes a proof to a file, and checks a file that holds one: `handcraft verify` with
--certificate and --check.

Either way the checker decides, and the gate is asked, as in a run without a file. Rules of this
file: it connects the prover, the checker and the report; neither of the two knows the other's
bounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from handcraft.model import Model
from handcraft.proof.by_lanes import (
    agreed,
    certificate_of,
    is_for,
)
from handcraft.proof.checker import (
    Certificate,
    Rejected,
    certificate_hash,
    check,
    read_certificate,
    write_certificate,
)
from handcraft.proof.claimed import claim_of
from handcraft.proof.lanes.certificate import (
    LaneCertificate,
    is_lane_certificate,
    lanes_hash,
    read_lanes,
    write_lanes,
)
from handcraft.proof.lanes.check import check_lanes
from handcraft.proof.prove import gated, recorded, too_large, uncollected
from handcraft.proof.prover.network import Undecided
from handcraft.proof.report import Report
from handcraft.proof.tally import Tally
from handcraft.proof.task import Budget, Outcome, Progress, Task
from handcraft.proof.verify import report_of, silent


def certify(
    model: Model, path: Path, progress: Progress, seconds: float = math.inf
) -> Report:
    """Prove the claim, write the certificate, and return the report. Where the claim is not proved
    nothing is written.
    """
    start = time.monotonic()
    task = _task(model, progress, start + seconds)
    reports: list[Report] = []
    for certified in _ways(task):
        reports.append(certified(task, path, start))
        if reports[-1].verdict in ("proved", "refuted"):
            return reports[-1]
    return next((x for x in reports if x.method != "lanes"), reports[0])


def _ways(task: Task) -> Sequence[Callable[[Task, Path, float], Report]]:
    """The ways to prove a claim, in the order in which they are tried."""
    if not is_for(task.model):
        return [_certified_by_states]
    if task.claim.whole_text:
        return [_certified_by_lanes]
    return [_certified_by_lanes, _certified_by_states]


def _certified_by_states(task: Task, path: Path, start: float) -> Report:
    """The report on a proof that follows contexts."""
    try:
        certificate, found = recorded(task)
    except Undecided as why:
        outcome = _undecided(f"no certificate was written: {why}")
    except (MemoryError, RecursionError) as error:
        outcome = _undecided(f"no certificate was written: {too_large(error)}")
    else:
        outcome = gated(task, found)
    if outcome.proved:
        seconds = round(time.monotonic() - start, 3)
        write_certificate(path, replace(certificate, seconds=seconds))
    return report_of(task, "certificate", outcome, time.monotonic() - start)


def check_certificate(
    model: Model, path: Path, progress: Progress = silent
) -> Report:
    """Check a certificate of a model and return the report. Raises ProgramError for a file that is
    not a certificate.
    """
    start = time.monotonic()
    method = "checked certificate"
    task = _task(model, progress, math.inf)
    try:
        outcome = _accepted(task, path)
    except Rejected as why:
        rejected = _undecided(f"the certificate is rejected: {why}")
        report = report_of(task, method, rejected, time.monotonic() - start)
        return replace(report, verdict="rejected")
    except (MemoryError, RecursionError) as error:
        outcome = _undecided(f"it is not decided: {too_large(error)}")
    return report_of(task, method, outcome, time.monotonic() - start)


def _certified_by_lanes(task: Task, path: Path, start: float) -> Report:
    """The same for a claim that is proved lane by lane."""
    try:
        certificate = certificate_of(task.model)
        outcome = agreed(task, check_lanes(task.model, certificate))
    except Rejected as why:
        outcome = _undecided(f"no certificate was written: {why}")
    except (MemoryError, RecursionError) as error:
        outcome = _undecided(f"no certificate was written: {too_large(error)}")
    seconds = round(time.monotonic() - start, 3)
    if outcome.proved:
        write_lanes(path, certificate, seconds)
    return report_of(task, "lanes", outcome, seconds)


def _accepted(task: Task, path: Path) -> Outcome:
    """What a certificate of either kind shows. Raises Rejected if it does not hold, ProgramError if
    it is none.
    """
    if is_lane_certificate(path):
        return agreed(task, check_lanes(task.model, read_lanes(path)))
    certificate = read_certificate(path)
    with uncollected():
        found = check(task.model, certificate)
    return gated(task, found)


def proof_hash(certificate: Certificate | LaneCertificate) -> str:
    """The SHA-256 of a certificate, as it is written to a file but for the seconds it took."""
    if isinstance(certificate, LaneCertificate):
        return lanes_hash(certificate)
    return certificate_hash(certificate)


def _undecided(reason: str) -> Outcome:
    return Outcome(Tally(), decided=False, reason=reason)


def _task(model: Model, progress: Progress, deadline: float) -> Task:
    """The task of proving the claim. Raises ProgramError where there is no claim."""
    return Task(model, claim_of(model), Budget(), deadline, progress)
