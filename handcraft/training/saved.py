"""Writes and reads the file from which a run of training goes on.

    line 1   JSON: the format, the SHA-256 of the rest, what the run is (`identity`), where it
             stands (`state`)
    rest     the arrays, as safetensors

It is written whole or not at all. A file of another run, with other settings, data or versions
of the libraries, is refused, since from it the weights would be others.

Rules of this file: files are untrusted; what is damaged is a CheckpointError that names the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.errors import CheckpointError, WeightsError, printable
from handcraft.core.gpt2 import Array
from handcraft.core.paths import VACANT, kind_at
from handcraft.core.weights import (
    parse_json,
    read_bytes,
    read_safetensors,
    sha256,
    to_safetensors,
)
from handcraft.core.writing import write_atomically

TRAINING_FILE = "training.checkpoint"
_FORMAT = "training 1"
_MOST = 2**32  # bytes
_MOST_LINE = 2**22  # of them the JSON


def save_run(
    path: Path,
    identity: Mapping[str, Any],
    state: Mapping[str, Any],
    arrays: Mapping[str, Array],
) -> None:
    """Write the file whole, or change nothing. Raises OSError."""
    data = to_safetensors({name: _as_float(a) for name, a in arrays.items()})
    head = {
        "handcraft": _FORMAT,
        "sha256": sha256(data),
        "identity": dict(identity),
        "state": dict(state),
    }
    write_atomically(
        path, json.dumps(head, allow_nan=False).encode() + b"\n" + data
    )


def _as_float(array: Array) -> Array:
    """Counts as float64, which holds them exactly and is read here."""
    return array if array.dtype.kind == "f" else array.astype("float64")


def saved_run(
    path: Path, identity: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Array]] | None:
    """The state and the arrays of a run that was stopped; None where there is none.

    Raises CheckpointError for a file that is damaged, or of another run.
    """
    if kind_at(path) == VACANT:
        return None
    shown = printable(str(path))
    try:
        line, _, data = read_bytes(path, _MOST).partition(b"\n")
        head = parse_json(line, _MOST_LINE)
        if head.get("handcraft") != _FORMAT or head.get("sha256") != sha256(
            data
        ):
            raise WeightsError("it was not written whole by this handcraft")
        arrays = read_safetensors(data)
    except WeightsError as error:
        said = str(error).removeprefix(f"{path}: ")
        raise CheckpointError(
            f"{shown} is no checkpoint of a training: {said}; remove it to begin anew"
        ) from None
    other = _differing(head.get("identity"), identity)
    if other is not None:
        raise CheckpointError(
            f"{shown} is of another run: {other}; name another --out, or remove it"
        )
    state: dict[str, Any] = head["state"]
    return state, arrays


def _differing(found: Any, wanted: Mapping[str, Any]) -> str | None:
    """What differs between two runs, as a text; None where nothing does."""
    own = json.loads(json.dumps(dict(wanted)))
    if found == own:
        return None
    if not isinstance(found, dict):
        return "it does not say of which"
    for name in dict.fromkeys((*own, *found)):
        if found.get(name) != own.get(name):
            there, here = (
                printable(str(x.get(name)))[:40] for x in (found, own)
            )
            return f"its {printable(name)[:40]} is {there}, not {here}"
    return "it differs"


def restored(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays whose names begin so, without that."""
    return {
        name.removeprefix(prefix): np.array(array)
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def finite_json(value: Any) -> Any:
    """The data as JSON holds it: None for a number that is not finite."""
    if isinstance(value, dict):
        return {key: finite_json(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(child) for child in value]
    return (
        None if isinstance(value, float) and not math.isfinite(value) else value
    )
