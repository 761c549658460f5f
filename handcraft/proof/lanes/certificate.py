"""Certificates of proofs lane by lane, as files: JSON, a list of what lanes hold.

    invariants   {after: the sublayer, lane: its name, holds: an expression, radius: at most so far}

Rules of this file: the author of a certificate is not trusted. Its size is bounded, every part must
be of its kind, and anything else is a ProgramError. Whether it is true is not decided here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handcraft.core.errors import ProgramError, WeightsError
from handcraft.core.weights import sha256
from handcraft.core.writing import write_atomically
from handcraft.sequence.expression import Expression

LANE_FORMAT = "handcraft lane certificate 1"
MOST_LANE_BYTES = 2**24
_MOST_INVARIANTS = 4096
_MOST_NUMBER = 2**200
_MOST_CONTEXTS = 2**14_000  # which can still be written in decimals
_KEYS = {
    "format": str,
    "program": str,
    "weights": str,
    "claim": str,
    "dtype": str,
    "n_ctx": int,
    "contexts": int,
    "margin": float,
    "assumptions": list,
    "seconds": float,
    "invariants": list,
}


@dataclass(frozen=True)
class Invariant:
    """What a lane holds after a sublayer, at every position of every text.

    radius  how far the lane can be from it; where the expression is undefined nothing is said
    """

    after: str
    lane: str
    holds: Expression
    radius: float


@dataclass(frozen=True)
class LaneCertificate:
    """A certificate: the numbers that it states, and the list of invariants."""

    program: str
    weights: str
    claim: str
    dtype: str
    n_ctx: int
    contexts: int
    margin: float
    assumptions: list[str]
    invariants: tuple[Invariant, ...]
    seconds: float = 0.0


def to_json(c: LaneCertificate) -> dict[str, Any]:
    """The certificate as plain data."""
    rows = [
        {
            "after": x.after,
            "lane": x.lane,
            "holds": x.holds.model_dump(mode="json"),
            "radius": x.radius,
        }
        for x in c.invariants
    ]
    return {"format": LANE_FORMAT} | vars(c) | {"invariants": rows}


def lanes_from_json(data: Any) -> LaneCertificate:
    """The certificate of plain data. Raises WeightsError where it is none."""
    if not isinstance(data, dict) or set(data) != set(_KEYS):
        raise WeightsError("it is no certificate of a proof lane by lane")
    for key, kind in _KEYS.items():
        value = data[key]
        fits = type(value) is kind or (kind is float and type(value) is int)
        limit = _MOST_CONTEXTS if key == "contexts" else _MOST_NUMBER
        if not fits or (
            kind is not list and kind is not str and not 0 <= value < limit
        ):
            raise WeightsError(f"'{key}' is no {kind.__name__}")
    if data["format"] != LANE_FORMAT:
        raise WeightsError(f"its format must be '{LANE_FORMAT}'")
    if not all(type(x) is str for x in data["assumptions"]):
        raise WeightsError("'assumptions' is no list of texts")
    if len(data["invariants"]) > _MOST_INVARIANTS:
        raise WeightsError("it has too many invariants")
    fields = {
        k: v for k, v in data.items() if k not in ("format", "invariants")
    }
    rows = tuple(_invariant(x) for x in data["invariants"])
    return LaneCertificate(**fields, invariants=rows)


def _finite(value: float) -> bool:
    # compared first: a whole number may be too long to be a float; NaN is not at least 0
    return 0 <= value < _MOST_NUMBER


def _invariant(row: Any) -> Invariant:
    if not isinstance(row, dict) or set(row) != {
        "after",
        "lane",
        "holds",
        "radius",
    }:
        raise WeightsError("an invariant has other parts")
    texts = type(row["after"]) is type(row["lane"]) is str
    if not texts or type(row["radius"]) not in (int, float):
        raise WeightsError("an invariant has parts of another kind")
    if not _finite(row["radius"]):
        raise WeightsError("a radius is no number from 0 on")
    try:
        holds = Expression.model_validate(row["holds"])
    except (ProgramError, ValueError, TypeError, RecursionError):
        raise WeightsError("what a lane holds is no expression") from None
    return Invariant(row["after"], row["lane"], holds, float(row["radius"]))


def write_lanes(path: Path, certificate: LaneCertificate) -> None:
    """Write the certificate to a file, completely or not at all."""
    write_atomically(path, _written(certificate))


def lanes_hash(certificate: LaneCertificate) -> str:
    """The SHA-256 of the certificate as it is written, but for the seconds it took, which are 0:
    the same proof has the same hash.
    """
    return sha256(_written(replace(certificate, seconds=0.0)))


def _written(certificate: LaneCertificate) -> bytes:
    data = to_json(certificate)
    return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()
