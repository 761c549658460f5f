"""Reads and writes weight files: the picoGPT dict with dotted names, as safetensors or npz.

Files are untrusted. Reading one executes nothing, and names, shapes and sizes are checked against
limits before any array is allocated; values must be finite. How files are written: writing.py.

Rules of this file: every failure is a WeightsError that names the file; the dict's keys are
GPT-2's own.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.errors import WeightsError, printable
from handcraft.core.gpt2 import Array, Weights
from handcraft.core.npz import read_npz, shaped
from handcraft.core.paths import FILE, VACANT, kind_at

MAX_WEIGHTS_BYTES = 2**30  # a larger weight file is refused unread
MAX_JSON = 2**20  # bytes of one JSON document
MAX_DEPTH = 128  # levels of nesting in a JSON document
MAX_LAYERS = 1024

_NAME = re.compile(
    r"wte|wpe|lm_head|ln_f\.[gb]"
    r"|blocks\.(0|[1-9][0-9]{0,3})\."
    r"(ln_[12]\.[gb]|attn\.(c_attn|c_proj)\.[wb]|mlp\.(c_fc|c_proj)\.[wb])"
)
_DTYPES = {"F32": "float32", "F64": "float64", "F16": "float16"}


def flatten(weights: Weights) -> dict[str, Array]:
    """The nested dict as {"blocks.0.attn.c_attn.w": array}, in the order of the nesting."""
    flat: dict[str, Array] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, np.ndarray):
            flat[prefix] = value
        elif value is not None:
            items = (
                value.items()
                if isinstance(value, Mapping)
                else enumerate(value)
            )
            for key, child in items:
                walk(f"{prefix}.{key}" if prefix else str(key), child)

    walk("", weights)
    return flat


def nest(arrays: Mapping[str, Array], n_layer: int | None = None) -> Weights:
    """The flat dict as picoGPT's nested one; every array is made read-only.

    Raises WeightsError for a name that no GPT-2 weight has, for a missing one, and for blocks
    that are not numbered from 0 without a gap.
    """
    for name in arrays:
        if not _NAME.fullmatch(name):
            raise WeightsError(
                f"'{printable(name)[:60]}' is not the name of a GPT-2 weight, such as"
                " blocks.0.attn.c_attn.w"
            )
    layers = {
        int(name.split(".")[1]) for name in arrays if name.startswith("blocks.")
    }
    count = max(layers, default=-1) + 1 if n_layer is None else n_layer
    gap = n_layer is None and len(layers) < count
    if count > MAX_LAYERS or gap or layers - set(range(count)):
        raise WeightsError(
            "the blocks must be numbered from 0 without a gap, found"
            f" {sorted(layers)[:12]}"
        )
    weights: Weights = {"blocks": [{} for _ in range(count)]}
    for name, array in arrays.items():
        array.flags.writeable = False
        _put(weights, name, array)
    _check_complete(weights)
    return weights


def _put(weights: Weights, name: str, array: Array) -> None:
    *parents, leaf = name.split(".")
    place: Any = weights
    for key in parents:
        in_list = isinstance(place, list)
        place = place[int(key)] if in_list else place.setdefault(key, {})
    place[leaf] = array


def _check_complete(weights: Weights) -> None:
    """Raise WeightsError where an embedding or half of a pair is missing."""
    missing = [name for name in ("wte", "wpe") if name not in weights]
    for name, pair, keys in _pairs(weights):
        missing += [f"{name}.{key}" for key in keys if key not in pair]
    if missing:
        raise WeightsError(f"{missing[0]} is missing")


def _pairs(weights: Weights) -> Iterator[tuple[str, Weights, str]]:
    """Each layer norm and linear map: its name, its arrays and the keys that they need."""
    if "ln_f" in weights:
        yield "ln_f", weights["ln_f"], "gb"
    for i, block in enumerate(weights["blocks"]):
        for key in ("ln_1", "ln_2"):
            if key in block:
                yield f"blocks.{i}.{key}", block[key], "gb"
        for part, first in (("attn", "c_attn"), ("mlp", "c_fc")):
            if part in block:
                for key in (first, "c_proj"):
                    pair = block[part].get(key, {})
                    yield f"blocks.{i}.{part}.{key}", pair, "wb"


# ---------------------------------------------------------------- writing


def to_safetensors(
    weights: Weights, metadata: dict[str, str] | None = None
) -> bytes:
    """The bytes of a safetensors file with these weights, or with arrays of any names."""
    from safetensors.numpy import save

    flat = flatten(weights)
    arrays = {name: np.ascontiguousarray(array) for name, array in flat.items()}
    return save(arrays, metadata)


def to_npz(weights: Weights) -> bytes:
    """The bytes of an npz file with these weights."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = flatten(weights)
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    """The SHA-256 of the bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- reading


def read_bytes(path: Path, most: int) -> bytes:
    """The bytes of a file. Raises WeightsError if it is missing, no plain file, or over `most`."""
    try:
        os.fsencode(path)
        if (kind := kind_at(path)) == VACANT:
            raise WeightsError(f"{path} does not exist", path)
        if kind != FILE:
            raise WeightsError(f"{path} is {kind}, not a file", path)
        if (size := path.stat().st_size) > most:
            raise WeightsError(
                f"{path} has {size} bytes; at most {most} are read", path
            )
        return path.read_bytes()
    except WeightsError:  # a ValueError too
        raise
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read: {error.strerror}", path
        ) from None
    except ValueError:  # of Python, for what the system has no bytes for
        raise WeightsError(
            f"{printable(str(path))} is not the name of a file", path
        ) from None


def load_weights(path: Path, sha: str | None = None) -> Weights:
    """The nested weights of a `.safetensors` or `.npz` file, read-only.

    Raises WeightsError for a file that is damaged, too large, differs from the given SHA-256,
    or holds names, shapes or values that no GPT-2 has.
    """
    data = read_bytes(path, MAX_WEIGHTS_BYTES)
    if sha is not None and sha256(data) != sha:
        raise WeightsError(
            f"{path} is not the file that was built: its SHA-256 is"
            f" {sha256(data)[:12]}..., expected {printable(sha[:12])}...",
            path,
        )
    try:
        arrays = (
            read_npz(data, MAX_WEIGHTS_BYTES)
            if path.suffix == ".npz"
            else read_safetensors(data)
        )
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise WeightsError(
                    f"{printable(name)} holds a value that is not finite"
                )
        return nest(arrays)
    except WeightsError as error:
        raise error.of(path) from None


def read_safetensors(
    data: bytes,
    kinds: Mapping[str, str] = _DTYPES,
    keep: Callable[[str], bool] = lambda _: True,
) -> dict[str, Array]:
    """The arrays of a safetensors file whose names `keep` accepts; bfloat16 becomes float32.

    `kinds` are the dtypes allowed. Raises WeightsError for others, and for a damaged file.
    """
    from safetensors import SafetensorError, deserialize

    header = _safetensors_header(data)
    kept = {
        name: entry
        for name, entry in header.items()
        if name != "__metadata__" and keep(name)
    }
    for name, entry in kept.items():
        if not isinstance(entry, dict) or str(entry.get("dtype")) not in kinds:
            raise WeightsError(
                f"{printable(name)} is not an array of {' or '.join(kinds.values())}"
            )
    split: Callable[[bytes], Any] = deserialize
    try:
        parts = dict(split(data))
        return {name: _array(kept[name]["dtype"], parts[name]) for name in kept}
    except SafetensorError:
        raise WeightsError(
            "not a whole safetensors file: its arrays are not what its header says"
        ) from None


def _array(kind: str, part: Mapping[str, Any]) -> Array:
    if kind == "BF16":  # the upper half of a float32
        bits = np.frombuffer(part["data"], "<u2").astype("<u4") << 16
        return shaped(bits.view("<f4"), part["shape"])
    return shaped(np.frombuffer(part["data"], _DTYPES[kind]), part["shape"])


def _safetensors_header(data: bytes) -> dict[str, Any]:
    size = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0
    if not 2 <= size <= min(len(data) - 8, MAX_JSON):
        raise WeightsError(
            "not a whole safetensors file: its header is cut off or too long"
        )
    return parse_json(data[8 : 8 + size])


def parse_json(data: bytes | str, most: int = MAX_JSON) -> dict[str, Any]:
    """The object of a JSON text. Raises WeightsError for any other text.

    Size and depth are bounded; a key that stands twice and NaN are refused.
    """
    if len(data) > most:
        raise WeightsError(
            f"the JSON has {len(data)} bytes; at most {most} are read"
        )
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        _check_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
        )
    except WeightsError:
        raise
    except UnicodeDecodeError as error:
        raise WeightsError(
            f"not valid JSON: byte {error.start} is no UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise WeightsError(f"not valid JSON: it goes wrong at {at}") from None
    except RecursionError:
        raise WeightsError("not valid JSON: it is nested too deeply") from None
    except ValueError:
        raise WeightsError(
            "not valid JSON: a number has too many digits"
        ) from None
    if not isinstance(value, dict):
        raise WeightsError(
            f"the JSON must be an object, found {type(value).__name__}"
        )
    return value


def _check_depth(text: str) -> None:
    depth = 0
    in_string = False
    for found in re.finditer(r'\\.|["\[\]{}]', text, re.DOTALL):
        mark = found[0]
        if mark == '"':
            in_string = not in_string
        elif not in_string and mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise WeightsError(
                    f"the JSON is nested deeper than {MAX_DEPTH}"
                )
        elif not in_string and mark in "]}":
            depth -= 1


def _no_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise WeightsError(
                f"the key '{printable(key)}' stands twice in the JSON"
            )
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise WeightsError(f"{name} is not a number of JSON")
