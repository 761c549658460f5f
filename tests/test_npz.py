"""npz files: read as NumPy writes them, and refused in our own words whatever else they hold."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Refused, random_weights
from fuzzing import fuzzed_npz, read_or_refused

from handcraft.core.errors import WeightsError
from handcraft.core.gpt2 import Array
from handcraft.core.npz import read_npz
from handcraft.core.weights import to_npz

MOST = 2**20
SMALL = random_weights(
    0, n_layer=1, n_embd=2, n_inner=1, n_vocab=2, n_ctx=2, dtype="float32"
)
HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"


def saved(array: Array, **options: Any) -> bytes:
    """An array as NumPy saves it."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def archive(members: dict[str, bytes], method: int = 0) -> bytes:
    """A zip archive of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def npy(header: str, body: bytes = b"\0" * 8, version: int = 1) -> bytes:
    """An npy file with this header."""
    text = header.encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes((version, 0)) + size + text + body


def one(member: bytes) -> Array:
    """The array of an npz file with this member alone."""
    return read_npz(archive({"wte.npy": member}), MOST)["wte"]


# ---------------------------------------------------------------- what NumPy writes


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", ">f2"])
@pytest.mark.parametrize(
    "shape", [(), (0,), (3,), (2, 3), (2, 0, 3), (1, 2, 3)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_numpy_writes_them(
    dtype: str, shape: tuple[int, ...], order: Any
) -> None:
    """Floats of every size, byte order, shape and order of storage, in every version of the
    format: the numbers are the same, in the machine's own byte order.
    """
    count = int(np.prod(shape))
    array = np.arange(count, dtype=dtype).reshape(shape, order=order)
    for version in ((1, 0), (2, 0), (3, 0)):
        found = one(saved(array, version=version))
        assert found.dtype == array.dtype.newbyteorder("=")
        assert found.dtype.isnative
        assert found.shape == shape
        assert found.tolist() == array.tolist()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_both_ways_of_numpy_are_read(save: Any) -> None:
    """Stored as it is, and compressed."""
    buffer = io.BytesIO()
    save(buffer, a=np.ones(3), b=np.zeros((2, 2), dtype="float32"))
    found = read_npz(buffer.getvalue(), MOST)
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [1.0, 1.0, 1.0],
        "b": [[0.0, 0.0], [0.0, 0.0]],
    }


@pytest.mark.parametrize(
    "header",
    [
        "{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}",
        '{"descr":"<f4","fortran_order":False,"shape":(2,)}',
        "{ 'descr' : '<f4' , 'fortran_order' : True , 'shape' : ( 2 , ) , }   \n",
        "{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '=f4', 'fortran_order': False, 'shape': (2,)}",
    ],
)
def test_headers_of_other_writers(header: str) -> None:
    """The order of the entries, the quotes and the spaces do not matter."""
    assert one(npy(header, struct.pack("<2f", 1, 2))).tolist() == [1.0, 2.0]


# ---------------------------------------------------------------- what is refused

NO_HEADER = (
    "not an array: its header does not say descr, fortran_order and shape"
)
BEGINS = "not an array: it does not begin as an npy file does"
CUT = "not an array: its header is cut off or too long"
FLOATS = "expected float32 or float64 or float16"


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (b"", BEGINS),
        (b"\x80\x04cos\nsystem\n(S'false'\ntR.", BEGINS),
        (b"\x93NUMPY\x01\x00", BEGINS),
        (npy(HEADER, version=4), BEGINS),
        (npy(HEADER)[:40], CUT),
        (b"\x93NUMPY\x02\x00" + b"\xff" * 4 + b" " * 99, CUT),
        (npy(HEADER + " " * 20000, version=2), CUT),
        (npy(""), NO_HEADER),
        (npy("{}"), NO_HEADER),
        (npy("__import__('os').system('false')"), NO_HEADER),
        (npy("(" * 900 + ")" * 900), NO_HEADER),
        (npy("'\\d'"), NO_HEADER),
        (npy(HEADER.replace("shape", "shapes")), NO_HEADER),
        (npy(HEADER.replace("'shape'", "'descr'")), NO_HEADER),
        (npy(HEADER.replace("False", "0")), NO_HEADER),
        (npy(HEADER.replace("(2,)", "(-2,)")), NO_HEADER),
        (npy(HEADER.replace("(2,)", "(2.0,)")), NO_HEADER),
        (npy(HEADER.replace("(2,)", "(" + "9" * 5000 + ",)")), NO_HEADER),
        (npy(HEADER.replace("(2,)", "(\u0662,)")), NO_HEADER),
        (npy(HEADER.replace("(2,)", "'(2,)'")), NO_HEADER),
        (npy(HEADER + "x"), NO_HEADER),
        (npy(HEADER.replace("<f4", "|O")), f"an array of '|O'; {FLOATS}"),
        (npy(HEADER.replace("<f4", "<U3")), f"an array of '<U3'; {FLOATS}"),
        (npy(HEADER.replace("<f4", "<i4")), f"an array of '<i4'; {FLOATS}"),
        (npy(HEADER.replace("<f4", "<f16")), f"an array of '<f16'; {FLOATS}"),
        (npy(HEADER.replace("<f4", "")), f"an array of ''; {FLOATS}"),
        (
            npy(HEADER.replace("'<f4'", "[('a', '<f4')]")),
            f"an array of [('a', '<f4')]; {FLOATS}",
        ),
        (
            npy(HEADER.replace("<f4", "\x1b[31m")),
            rf"an array of '\x1b[31m'; {FLOATS}",
        ),
        (
            npy(HEADER.replace("(2,)", f"({2**60},)")),
            "an array says it has shape (1152921504606846976,), but holds 8 bytes",
        ),
        (
            npy(HEADER.replace("(2,)", f"({2**60}, 0)"), b"x"),
            "an array says it has shape (1152921504606846976, 0), but holds 1 bytes",
        ),
        (
            npy(HEADER.replace("(2,)", f"({2**62}, {2**62}, 0)"), b""),
            f"an array cannot have the shape {(2**62, 2**62, 0)}",
        ),
        (
            npy(HEADER.replace("(2,)", "(2" + ", 1" * 99 + ")")),
            f"an array cannot have the shape {str((2,) + (1,) * 99)[:60]}...",
        ),
        (
            npy(HEADER, b"\0" * 9),
            "an array says it has shape (2,), but holds 9 bytes",
        ),
    ],
)
def test_a_member_that_is_no_array_of_floats(
    member: bytes, message: str
) -> None:
    """Each is refused in one line that says why; nothing is evaluated or allocated for it."""
    with Refused(WeightsError, message):
        one(member)


WRITTEN = "only what numpy.savez and savez_compressed write is read"
DAMAGED = "not a whole npz file: its zip archive is damaged"


def encrypted() -> bytes:
    """An archive whose member says that it is encrypted."""
    data = archive({"wte.npy": npy(HEADER)})
    at = data.rindex(b"PK\x01\x02") + 8
    return data[:at] + b"\1" + data[at + 1 :]


def claiming(size: int) -> bytes:
    """An archive whose member says that it has so many bytes."""
    data = archive({"wte.npy": npy(HEADER)})
    at = data.rindex(b"PK\x01\x02") + 24
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", DAMAGED),
        (b"PK\x05\x06", DAMAGED),
        (
            archive({"wte.npy": npy(HEADER)})[:-9],
            DAMAGED,
        ),
        (
            archive({"wte.npy": npy(HEADER)}).replace(b"(2,)", b"(3,)"),
            DAMAGED,
        ),
        (claiming(7), DAMAGED),
        (claiming(MOST), DAMAGED),
        (claiming(MOST + 1), f"its arrays would need more than {MOST} bytes"),
        (claiming(2**32 - 2), f"its arrays would need more than {MOST} bytes"),
        (encrypted(), "wte.npy is encrypted; save it without that"),
        (
            archive({"wte.npy": npy(HEADER)}, zipfile.ZIP_BZIP2),
            f"wte.npy is compressed by method 12; {WRITTEN}",
        ),
        (
            archive({"wte.npy": npy(HEADER)}, zipfile.ZIP_LZMA),
            f"wte.npy is compressed by method 14; {WRITTEN}",
        ),
        (
            archive({"wte.npy": npy(HEADER), "wte": npy(HEADER)}),
            "an array stands twice",
        ),
        (
            archive({"wte.npy": b"", "wpe.npy": b""}).replace(b"wpe", b"wte"),
            "an array stands twice",
        ),
        (archive({"inner.npz": archive({"wte.npy": npy(HEADER)})}), BEGINS),
    ],
)
def test_an_archive_that_is_refused(data: bytes, message: str) -> None:
    """What the archive itself says is checked before a byte of a member is read."""
    with Refused(WeightsError, message):
        read_npz(data, MOST)


# ---------------------------------------------------------------- any bytes


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_any_bytes_are_read_or_refused(tmp_path: Path) -> None:
    """Damaged files raise no other error than ours, and nothing is read but what NumPy reads."""
    path = tmp_path / "model.npz"
    whole = to_npz(SMALL)
    read = [
        read_or_refused(path, fuzzed_npz(whole, seed)) for seed in range(60)
    ]
    assert 0 < sum(read) < 30
