"""Numbers as bytes: what is packed is read back, by a reader of the test's own."""

from __future__ import annotations

import base64
import json
import struct
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handcraft.viewer.packing import (
    deflated,
    deltas,
    packed,
    planes,
    signed,
    varints,
)


def read(data: bytes) -> list[int]:
    """Whole numbers of seven bits a byte."""
    found, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(number)
            number, shift = 0, 0
    return found


def unsigned(number: int) -> int:
    return -(number + 1) // 2 if number % 2 else number // 2


@given(st.lists(st.integers(0, 2**40)))
def test_whole_numbers_come_back(numbers: list[int]) -> None:
    """Small ones in a byte each, and large ones in as many as they need."""
    assert read(varints(numbers)) == numbers
    assert varints([127]) == b"\x7f"
    assert varints([128]) == b"\x80\x01"


@given(st.lists(st.integers(-(2**40), 2**40)))
def test_signs_and_distances_come_back(numbers: list[int]) -> None:
    """Numbers near 0, and near the one before, take a byte."""
    assert [unsigned(n) for n in read(signed(numbers))] == numbers
    steps = [unsigned(n) for n in read(deltas(numbers))]
    assert list(np.cumsum(steps)) == numbers
    assert len(deltas([1000, 1001, 1002])) == 4


def test_planes_hold_the_bytes_of_all_floats_side_by_side() -> None:
    """The first bytes of all numbers, then the second ones: little-endian, of no number too."""
    values = np.array([1.5, -2.0, 0.0], np.float32)
    found = planes(values)
    assert found == bytes(
        value for plane in range(4) for value in values.tobytes()[plane::4]
    )
    assert planes(values.astype(np.float64))[:3] == bytes(
        values.astype(np.float64).tobytes()[::8]
    )
    assert planes(np.array([], np.float64)) == b""


def test_header_and_bytes_stand_in_one_stream() -> None:
    """The length of the JSON, the JSON, the bytes; deflated without a frame, in base64."""
    text = packed({"name": "é</script>"}, b"\0\1")
    data = zlib.decompress(base64.b64decode(text), -15)
    (size,) = struct.unpack("<I", data[:4])
    assert json.loads(data[4 : 4 + size]) == {"name": "é</script>"}
    assert data[4 + size :] == b"\0\1"
    assert zlib.decompress(base64.b64decode(deflated(b"abc")), -15) == b"abc"


def test_half_a_character_is_kept() -> None:
    """Names of files have some, and docstrings can."""
    text = packed({"source": "b\udcff.py:1"}, b"")
    data = zlib.decompress(base64.b64decode(text), -zlib.MAX_WBITS)
    (size,) = struct.unpack("<I", data[:4])
    assert json.loads(data[4 : 4 + size]) == {"source": "b\udcff.py:1"}
