"""Reads and writes built directories: weights in `model.safetensors`, the rest in `program.json`.

    program.json   format name vocab n_ctx n_head activation program provenance sha256

The format is a number, _FORMAT; a file without one is of format 1. Weights without rules that see
the whole text have `"causal": false` beside these. `sha256` is that of the weight file, which must
be the one that was written with it. Reading executes nothing, and sizes are limited before anything
is allocated. Rules of this file: it knows plain fields and arrays; the Model knows what they mean.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from handcraft.core.errors import WeightsError, printable
from handcraft.core.frozen import NAME
from handcraft.core.gpt2 import Weights
from handcraft.core.paths import DIRECTORY, FILE, VACANT, kind_at
from handcraft.core.weights import (
    MAX_JSON,
    load_weights,
    parse_json,
    read_bytes,
    sha256,
    to_safetensors,
)
from handcraft.files.pair import (
    PROGRAM_JSON,
    WEIGHTS_FILE,
    marks,
    weights_path,
    write_pair,
)
from handcraft.language.slot_tables import MAX_N_CTX

# Older ones are read as well: format 1 lacks this number, and in 1 and 2 what a head adds is
# named `output`; before 4 an expression was nested whole, and `each` had no `causal`.
_FORMAT = 4
FIELDS = {
    "name": str,
    "vocab": list,
    "n_ctx": int,
    "n_head": int,
    "activation": str,
    "sha256": str,
}


SEES_ALL = "causal"  # False of weights without rules; else not there


def write_built(
    directory: Path, fields: dict[str, Any], weights: Weights
) -> list[Path]:
    """Write both files, or change nothing, and return their paths.

    Raises WeightsError, before writing, for fields that could not be read again.
    """
    data = to_safetensors(weights)
    written = {"format": _FORMAT, **fields, "sha256": sha256(data)}
    text = json.dumps(written, allow_nan=False).encode()
    if len(text) > MAX_JSON:
        raise WeightsError(
            f"{PROGRAM_JSON} would have {len(text)} bytes, and at most {MAX_JSON} are"
            " read again"
        )
    if (kind := kind_at(directory)) not in (VACANT, DIRECTORY):
        raise WeightsError(
            f"{directory} is {kind}; name a directory to build into"
        )
    for path in (directory / WEIGHTS_FILE, directory / PROGRAM_JSON):
        if (kind := kind_at(path)) not in (VACANT, FILE):
            raise WeightsError(
                f"{path} is {kind}; remove it, or build elsewhere"
            )
    return write_pair(directory, data, text)


def rebuild_hint(fields: dict[str, Any], directory: Path) -> str:
    """The advice where the rules of an older format are refused; empty for the newest."""
    if fields["format"] == _FORMAT:
        return ""
    return (
        "; it was built by an older handcraft, and `handcraft build PROGRAM --out"
        f" {printable(str(directory))}` builds it anew"
    )


def read_built(directory: Path) -> tuple[dict[str, Any], Weights]:
    """The checked fields and the weights.

    Raises WeightsError, with the file's name, for files that are damaged or do not belong together.
    Files that another process replaces meanwhile are read again.
    """
    while True:
        before = marks(directory)
        try:
            return _read(directory)
        except WeightsError:
            if marks(directory) == before:
                raise


def _read(directory: Path) -> tuple[dict[str, Any], Weights]:
    path = directory / PROGRAM_JSON
    data = read_bytes(path, MAX_JSON)
    try:
        fields = {"format": 1} | parse_json(data)
        _check_format(fields["format"])
        _check(fields)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    weights = load_weights(
        weights_path(directory, fields["sha256"]), fields["sha256"]
    )
    if weights["wpe"].shape[:1] != (fields["n_ctx"],):
        raise WeightsError(
            f"{path}: n_ctx is {fields['n_ctx']}, but wpe has"
            f" {weights['wpe'].shape[0] if weights['wpe'].ndim else 0} rows"
        )
    return fields, weights


def _check_format(found: Any) -> None:
    """Raises WeightsError for a format that is not read here."""
    if type(found) is not int:
        raise WeightsError(
            f"'format' must be a whole number, found {printable(repr(found))[:60]}"
        )
    if found > _FORMAT:
        raise WeightsError(
            f"it is of format {str(found)[:60]}, made by a newer handcraft; this one"
            f" reads formats 1 to {_FORMAT}"
        )
    if found < 1:
        raise WeightsError(
            f"'format' must be 1 to {_FORMAT}, found {str(found)[:60]}"
        )


def _check_mask(fields: dict[str, Any]) -> None:
    """Raise WeightsError for a mask that weights without rules do not have, or that rules say."""
    if SEES_ALL not in fields:
        return
    if fields[SEES_ALL] is not False or fields["program"] is not None:
        raise WeightsError(
            f"{SEES_ALL!r} is false of weights without rules that see the whole text,"
            " and else not there"
        )


def _check(fields: dict[str, Any]) -> None:
    """Raise WeightsError unless every field is there and has its type."""
    for key in (*FIELDS, "program", "provenance"):
        if key not in fields:
            raise WeightsError(f"it has no {key!r}")
    for key in fields:
        if key not in ("format", *FIELDS, "program", "provenance", SEES_ALL):
            raise WeightsError(
                f"it has an unknown field '{printable(key)[:60]}'"
            )
    for key, kind in FIELDS.items():
        if not isinstance(fields[key], kind) or isinstance(fields[key], bool):
            raise WeightsError(
                f"{key!r} must be of type {kind.__name__}, found"
                f" {printable(repr(fields[key]))[:60]}"
            )
    _check_mask(fields)
    if not NAME.fullmatch(fields["name"]):
        raise WeightsError(
            f"'{printable(fields['name'])[:60]}' is no name of a program"
        )
    if not 1 <= fields["n_ctx"] <= MAX_N_CTX:
        raise WeightsError(
            f"n_ctx must be 1 to {MAX_N_CTX}, found {fields['n_ctx']}"
        )
    if fields["activation"] not in ("gelu", "relu"):
        raise WeightsError(
            "the activation must be gelu or relu, found"
            f" '{printable(fields['activation'])[:60]}'"
        )
