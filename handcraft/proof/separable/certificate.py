"""What the prover found of one attention layer, as data and as a file: JSON, gzipped if the name
ends in .gz.

    lengths   for each length of the texts {length, by, limits}: see classes.py
    covered   the number of texts that these classes have
    margin    where they are all texts, a lead that every right logit has

Rules of this file: the author of a certificate is not trusted; anything but a whole number where
one must stand is an error with the file's name. Whether it is true is not decided here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handcraft.core.errors import WeightsError
from handcraft.core.weights import sha256
from handcraft.proof.checker.certificate import (
    _keys,
    _list,
    _number,
    _text,
    _whole,
    _wholes,
    write_json,
)
from handcraft.proof.separable.classes import By, Limits

FORMAT_OF_LAYERS = "handcraft layer certificate 1"
_TEXTS = ("program", "weights", "claim", "dtype")
_KEYS = (
    *("format", *_TEXTS, "n_ctx", "contexts", "covered", "margin"),
    *("assumptions", "seconds", "lengths"),
)


@dataclass(frozen=True)
class OfLength:
    """The classes of the texts of one length."""

    length: int
    by: By
    limits: Limits


@dataclass(frozen=True)
class LayerCertificate:
    """The numbers that it states, and the classes that are evidence for them."""

    program: str
    weights: str
    claim: str
    dtype: str
    n_ctx: int
    contexts: int
    covered: int
    margin: float | None
    assumptions: list[str]
    seconds: float
    lengths: list[OfLength]


def write_layer_certificate(path: Path, certificate: LayerCertificate) -> None:
    """Write it to a file, completely or not at all. Raises ProgramError if it is too large to be
    read again.
    """
    write_json(path, _written(certificate))


def layer_certificate_hash(certificate: LayerCertificate) -> str:
    """The SHA-256 of the certificate as it is written, but for its seconds, which are 0."""
    return sha256(_written(replace(certificate, seconds=0.0)))


def _written(certificate: LayerCertificate) -> bytes:
    fields = vars(certificate) | {
        "lengths": [vars(part) for part in certificate.lengths]
    }
    data = json.dumps(
        {"format": FORMAT_OF_LAYERS, **fields},
        allow_nan=False,
        separators=(",", ":"),
    )
    return data.encode()


def layer_certificate_of(data: dict[str, Any]) -> LayerCertificate:
    """The certificate of plain data. Raises WeightsError if it is not one."""
    _keys(data, _KEYS)
    margin = data["margin"]
    fields: dict[str, Any] = {key: _text(data[key], key) for key in _TEXTS}
    fields |= {
        key: _whole(data[key], key) for key in ("n_ctx", "contexts", "covered")
    }
    return LayerCertificate(
        **fields,
        margin=None if margin is None else _number(margin, "margin"),
        assumptions=[
            _text(x, "assumptions")
            for x in _list(data["assumptions"], "assumptions")
        ],
        seconds=_number(data["seconds"], "seconds"),
        lengths=[_of_length(x) for x in _list(data["lengths"], "lengths")],
    )


def _of_length(value: Any) -> OfLength:
    part = _keys(value, ("length", "by", "limits"))
    if part["by"] not in ("places", "number"):
        raise WeightsError("'by' must be 'places' or 'number'")
    limits = [
        [_wholes(numbers, "limits") for numbers in _list(row, "limits")]
        for row in _list(part["limits"], "limits")
    ]
    return OfLength(_whole(part["length"], "length"), part["by"], limits)
