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
from typing import Any

from handcraft.claims.kinds import Claim
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.model import Model
from handcraft.proof.by_lanes import agreed, by_lanes, is_for
from handcraft.proof.checker import (
    Rejected,
    certificate_hash,
    check,
    write_certificate,
)
from handcraft.proof.checker.certificate import (
    from_json,
    read_certificate_json,
)
from handcraft.proof.claimed import claim_of
from handcraft.proof.lanes.certificate import (
    LANE_FORMAT,
    LaneCertificate,
    lanes_from_json,
    lanes_hash,
    write_lanes,
)
from handcraft.proof.lanes.check import check_lanes
from handcraft.proof.prove import certified, gated, too_large, uncollected
from handcraft.proof.report import Report
from handcraft.proof.separable.certificate import (
    FORMAT_OF_LAYERS,
    LayerCertificate,
    layer_certificate_hash,
    layer_certificate_of,
    write_layer_certificate,
)
from handcraft.proof.separable.check import check_layer
from handcraft.proof.separable.method import layer_outcome
from handcraft.proof.tally import Tally
from handcraft.proof.task import AnyCertificate, Budget, Outcome, Progress, Task
from handcraft.proof.verify import report_of, silent


def certify(
    model: Model,
    path: Path,
    progress: Progress,
    seconds: float = math.inf,
    claim: Claim | None = None,
) -> Report:
    """Prove or bound the claim, write the certificate, and return the report. Where it is neither
    proved nor bounded nothing is written. `claim` is one that stands in no program of the model.
    """
    start = time.monotonic()
    task = _task(model, claim, progress, start + seconds)
    method, outcome = _first_certified(task)
    if outcome.certificate is None:
        outcome = replace(outcome, reason=_unwritten(outcome))
        return report_of(task, method, outcome, time.monotonic() - start)
    seconds = round(time.monotonic() - start, 3)
    _write(path, replace(outcome.certificate, seconds=seconds))
    return report_of(task, method, outcome, time.monotonic() - start)


def _first_certified(task: Task) -> tuple[str, Outcome]:
    """The first way that decides, or the last one, and its outcome."""
    tried: list[tuple[str, Outcome]] = []
    for method, ask in _ways(task):
        tried.append((method, ask(task)))
        if not tried[-1][1].declined:
            break
    method, outcome = tried[-1]
    return method, replace(outcome, declined=False)


def _ways(task: Task) -> Sequence[tuple[str, Callable[[Task], Outcome]]]:
    """The ways to prove a claim, in the order in which they are tried."""
    lanes, states = ("lanes", by_lanes), ("certificate", certified)
    program = task.model.program
    own = program is not None and program.claim is task.claim
    if not (own and is_for(task.model)):
        return [states]
    return [lanes] if task.claim.whole_text else [lanes, states]


def _unwritten(outcome: Outcome) -> str:
    """Why there is no certificate."""
    why = outcome.reason or ""
    for prefix in ("not proved: ", "not proved by lanes: "):
        why = why.removeprefix(prefix)
    return f"no certificate was written: {why}"


def _write(path: Path, proof: AnyCertificate) -> None:
    """Write a certificate of any kind."""
    if isinstance(proof, LayerCertificate):
        write_layer_certificate(path, proof)
    elif isinstance(proof, LaneCertificate):
        write_lanes(path, proof)
    else:
        write_certificate(path, proof)


def proof_hash(proof: AnyCertificate) -> str:
    """The SHA-256 of a certificate, as it is written to a file but for the seconds it took."""
    if isinstance(proof, LayerCertificate):
        return layer_certificate_hash(proof)
    if isinstance(proof, LaneCertificate):
        return lanes_hash(proof)
    return certificate_hash(proof)


def check_certificate(
    model: Model,
    path: Path,
    progress: Progress = silent,
    claim: Claim | None = None,
) -> Report:
    """Check a certificate of a model and return the report. Raises ProgramError for a file that is
    not a certificate.
    """
    start = time.monotonic()
    method = "checked certificate"
    task = _task(model, claim, progress, math.inf)
    data = read_certificate_json(path)
    try:
        with uncollected():
            outcome = _accepted(task, data, path)
    except Rejected as why:
        rejected = _undecided(f"the certificate is rejected: {why}")
        report = report_of(task, method, rejected, time.monotonic() - start)
        return replace(report, verdict="rejected")
    except (MemoryError, RecursionError) as error:
        outcome = _undecided(f"it is not decided: {too_large(error)}")
    return report_of(task, method, outcome, time.monotonic() - start)


def _accepted(task: Task, data: dict[str, Any], path: Path) -> Outcome:
    """What a certificate of any kind shows. Raises Rejected if it does not hold, ProgramError
    if it is none.
    """
    try:
        if data.get("format") == FORMAT_OF_LAYERS:
            layer = layer_certificate_of(data)
            shown = check_layer(task.model, task.claim, layer)
            return replace(layer_outcome(task, layer, shown), declined=False)
        if data.get("format") == LANE_FORMAT:
            lanes = lanes_from_json(data)
            _has_rules(task)
            return agreed(task, check_lanes(task.model, lanes))
        certificate = from_json(data)
    except WeightsError as error:
        raise ProgramError(str(error.of(path))) from None
    _has_rules(task)
    return gated(task, check(task.model, certificate))


def _has_rules(task: Task) -> None:
    """Raise ProgramError for weights without a program: only one layer of them has a proof. Raises
    Rejected where the claim is not that of the program, which alone is read there.
    """
    program = task.model.program
    if program is not None and program.claim is not task.claim:
        raise Rejected("it is a certificate of another claim")
    if program is None:
        raise ProgramError(
            "the model has no rules, and so no proof of this kind",
            (task.model.name,),
        )


def _undecided(reason: str) -> Outcome:
    return Outcome(Tally(), decided=False, reason=reason)


def _task(
    model: Model, claim: Claim | None, progress: Progress, deadline: float
) -> Task:
    """The task of proving the claim. Raises ProgramError where there is no claim."""
    held = claim_of(model) if claim is None else claim
    return Task(model, held, Budget(), deadline, progress)
