"""Packs numbers as bytes, and header and bytes as one text that a page can hold.

    varints    whole numbers from 0 on: seven bits a byte, the lowest first, the highest bit set in
               every byte but the last
    signed     the same of 2n, or of -2n - 1 where n is negative
    deltas     each number less the one before it, signed
    planes     floats: the first bytes of all of them, then all second bytes, ...; bytes of one
               plane are alike, and deflate finds that
    packed     the length of the header (4 bytes), the header as JSON, the bytes; all of it
               deflated without a frame, as base64

Rules of this file: little-endian; parts/unpack.js reads what is written here.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array


def varints(numbers: Iterable[int]) -> bytes:
    """Whole numbers from 0 on, seven bits a byte."""
    found = bytearray()
    for number in numbers:
        left = number
        while left > 127:
            found.append(left & 127 | 128)
            left >>= 7
        found.append(left)
    return bytes(found)


def signed(numbers: Iterable[int]) -> bytes:
    """Whole numbers, those near 0 in one byte."""
    return varints(2 * n if n >= 0 else -2 * n - 1 for n in numbers)


def deltas(numbers: Iterable[int]) -> bytes:
    """Whole numbers, each as its distance from the one before it; the first from 0."""
    steps = []
    before = 0
    for number in numbers:
        steps.append(number - before)
        before = number
    return signed(steps)


def planes(values: Array) -> bytes:  # [n] floats
    """The first bytes of all floats, then all second bytes, and so on."""
    kind = f"<f{values.dtype.itemsize}"
    parts = values.astype(kind, copy=False).view(np.uint8)
    return parts.reshape(-1, values.dtype.itemsize).T.tobytes()


def packed(header: Mapping[str, Any], blob: bytes) -> str:
    """The header and the bytes as base64 of a raw deflate stream."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    # half a character, of a file's name for example, is written as JSON's escape
    head = text.encode("utf-8", "backslashreplace")
    return deflated(struct.pack("<I", len(head)) + head + blob)


def deflated(data: bytes) -> str:
    """Bytes as base64 of a raw deflate stream."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    return base64.b64encode(squeeze.compress(data) + squeeze.flush()).decode()
