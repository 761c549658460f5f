r"""Reads npz files: zip archives of arrays, each with a header that says what its bytes are.

    magic   b"\x93NUMPY", two bytes of version, the length of the header
    header  {'descr': '<f4', 'fortran_order': False, 'shape': (2, 8), }
    body    the numbers, row by row or column by column

NumPy's own reader evaluates the header as Python, and raises whatever that comes to. Here it is
matched, so that nothing but these three entries is understood.

Rules of this file: the bytes are untrusted; nothing is allocated because a header says so, and
every failure is a WeightsError in our own words.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from handcraft.core.errors import WeightsError, printable
from handcraft.core.gpt2 import Array

FLOATS = ("float32", "float64", "float16")
_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_ENCRYPTED = 1  # the bit of a member's flags
_MAGIC = re.compile(
    rb"\x93NUMPY(?:\x01\x00(..)|[\x02\x03]\x00(....))", re.DOTALL
)
_MAX_HEADER = 10_000  # bytes
_SHAPE = r"\(\s*(?:[0-9]{1,20}\s*,\s*)*(?:[0-9]{1,20}\s*)?\)"
_ENTRY = (
    r"['\"](descr|fortran_order|shape)['\"]\s*:\s*"
    rf"('[^']*'|\"[^\"]*\"|\[[^\]]*\]|True|False|{_SHAPE})\s*"
)
_HEADER = re.compile(rf"\{{\s*(?:{_ENTRY},\s*){{2}}{_ENTRY}(?:,\s*)?\}}\s*")
_Order = Literal["C", "F"]
_Header = tuple["np.dtype[Any]", _Order, tuple[int, ...]]
_ORDERS: dict[str, _Order] = {"False": "C", "True": "F"}
_FLOAT = re.compile(r"['\"]([<>=|]?f[248])['\"]")


def read_npz(data: bytes, most: int) -> dict[str, Array]:
    """The arrays of an npz file by name.

    Raises WeightsError for a file that is damaged, holds more than `most` bytes of arrays, or
    something else than arrays of floats.
    """
    members = _members(data, most)
    return {name: _read_npy(member) for name, member in members.items()}


def _members(data: bytes, most: int) -> dict[str, bytes]:
    """The bytes of each member of a zip archive, by its name without the ending."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = [_name(member) for member in members]
            _check(members, names, most)
            return {
                name: _unpacked(archive, member)
                for name, member in zip(names, members, strict=True)
            }
    except (WeightsError, MemoryError):
        raise
    except Exception:  # zipfile has no base of all that damaged bytes raise
        raise WeightsError(
            "not a whole npz file: its zip archive is damaged"
        ) from None


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _check(
    members: Sequence[zipfile.ZipInfo], names: Sequence[str], most: int
) -> None:
    """Raise WeightsError for members that are not to be read."""
    if sum(member.file_size for member in members) > most:
        raise WeightsError(f"its arrays would need more than {most} bytes")
    if len(set(names)) < len(names):
        raise WeightsError("an array stands twice")
    for member in members:
        shown = printable(member.filename[:60])
        if member.flag_bits & _ENCRYPTED:
            raise WeightsError(f"{shown} is encrypted; save it without that")
        if member.compress_type not in (_STORED, _DEFLATED):
            raise WeightsError(
                f"{shown} is compressed by method {member.compress_type}; only what"
                " numpy.savez and savez_compressed write is read"
            )


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member: as many as the archive says that it has, and no more are unpacked."""
    with archive.open(member) as file:
        data = file.read(member.file_size + 1)
    if len(data) != member.file_size:
        raise zipfile.BadZipFile
    return data


def _read_npy(data: bytes) -> Array:
    """One array, of the machine's byte order."""
    magic = _MAGIC.match(data)
    if magic is None:
        raise WeightsError(
            "not an array: it does not begin as an npy file does"
        )
    size = int.from_bytes(magic[1] or magic[2], "little")
    start = magic.end() + size
    if size > _MAX_HEADER or start > len(data):
        raise WeightsError("not an array: its header is cut off or too long")
    kind, order, shape = _header(data[magic.end() : start].decode("latin-1"))
    left = len(data) - start
    if math.prod(shape) * kind.itemsize != left:
        raise WeightsError(
            f"an array says it has shape {_shown(shape)}, but holds {left} bytes"
        )
    numbers = np.frombuffer(memoryview(data)[start:], kind)
    native = kind.newbyteorder("=")
    return shaped(numbers, shape, order).astype(native, order="C")


def _header(text: str) -> _Header:
    """The dtype, the order (C or F) and the shape."""
    whole = _HEADER.fullmatch(text)
    entries = dict(re.findall(_ENTRY, text)) if whole else {}
    order = _ORDERS.get(entries.get("fortran_order", ""))
    shape = entries.get("shape", "")
    if order is None or "descr" not in entries or not shape.startswith("("):
        raise WeightsError(
            "not an array: its header does not say descr, fortran_order and shape"
        )
    kind = _FLOAT.fullmatch(entries["descr"])
    if kind is None:
        raise WeightsError(
            f"an array of {printable(entries['descr'][:60])}; expected"
            f" {' or '.join(FLOATS)}"
        )
    sizes = tuple(map(int, re.findall("[0-9]+", shape)))
    return np.dtype(kind[1]), order, sizes


def shaped(numbers: Array, shape: Sequence[int], order: _Order = "C") -> Array:
    """The numbers [n] in a shape of n. Raises WeightsError for one that no array has."""
    try:
        return numbers.reshape(tuple(shape), order=order)
    except ValueError:
        raise WeightsError(
            f"an array cannot have the shape {_shown(shape)}"
        ) from None


def _shown(shape: Sequence[int]) -> str:
    text = str(tuple(shape))
    return text if len(text) <= 60 else f"{text[:60]}..."
