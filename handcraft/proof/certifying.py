"""A proof as a file, and a file as a proof: what `handcraft verify` does with --certificate and --check.

Rules of this file: it connects the prover, the checker and the report; neither of the two knows the other's bounds.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

from handcraft.claims import Distribution, Residual
from handcraft.errors import ProgramError
from handcraft.model import Model
from handcraft.proof.certificate.network import Undecided
from handcraft.proof.certificate.recording import Recorder
from handcraft.proof.certified import SECONDS, too_large
from handcraft.proof.checker import ASSUMPTIONS, Certificate, Rejected, check, read_certificate, write_certificate
from handcraft.proof.report import Report
from handcraft.proof.task import Progress


def certify(model: Model, path: Path, progress: Progress, seconds: float = math.inf) -> Report:
    """Prove the claim and write the certificate. Where there is none, the verdict is `unknown` and nothing is written."""
    claim = model.program.claim if model.program else None
    if claim is None:
        raise ProgramError("has no claim to verify; pass claim= to Program", (model.name,))
    start = time.monotonic()
    try:
        limit = start + (SECONDS if math.isinf(seconds) else seconds)
        certificate = Recorder(model, claim, limit, progress).recorded()
    except Undecided as why:
        return _report(model, "certificate", start, reason=f"no certificate was written: {why}")
    except (MemoryError, RecursionError) as error:
        return _report(model, "certificate", start, reason=f"no certificate was written: {too_large(error)}")
    write_certificate(path, replace(certificate, seconds=round(time.monotonic() - start, 3)))
    return _report(model, "certificate", start, certificate)


def check_certificate(model: Model, path: Path) -> Report:
    """Whether a certificate holds of a model, as a report. Raises ProgramError for a file that is no certificate."""
    start, certificate = time.monotonic(), read_certificate(path)
    try:
        check(model, certificate)
    except Rejected as why:
        found = _report(model, "checked certificate", start, reason=f"the certificate is rejected: {why}")
        return replace(found, verdict="rejected")
    except (MemoryError, RecursionError) as error:
        return _report(model, "checked certificate", start, reason=f"it is not decided: {too_large(error)}")
    return _report(model, "checked certificate", start, certificate)


def _report(model: Model, method: str, start: float, found: Certificate | None = None, reason: str | None = None) -> Report:
    claim = model.program.claim if model.program else None
    by_tokens = not isinstance(claim, Distribution | Residual)
    return Report(
        program=model.name,
        verdict="proved" if found else "unknown",
        method=method,
        contexts=found.contexts if found else 0,
        checked=found.checked if found else 0,
        accuracy=1.0 if found and by_tokens else None,
        min_margin=found.margin if found else None,
        min_margin_at=found.margin_at if found and by_tokens else None,
        max_probability_error=found.error if found and isinstance(claim, Distribution) else None,
        max_lane_error=found.error if found and isinstance(claim, Residual) else None,
        counterexample=None,
        dtype=model.dtype,
        seconds=round(time.monotonic() - start, 3),
        reason=reason,
        error_bound=found.error if found else None,
        assumptions=list(ASSUMPTIONS) if found else None,
    )
