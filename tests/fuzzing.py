"""Damages files at random, the same way for the same seed: bytes, zip entries and npy headers."""

from __future__ import annotations

import copy
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from handcraft.core.errors import WeightsError
from handcraft.core.weights import flatten, load_weights

Mutation = Callable[[Random, bytearray], bytearray]
Members = list[tuple[str, bytes]]

# numbers that a length, an offset or a size could be
LENGTHS = (0, 1, 7, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
VAST = (2**40, 2**60, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
KINDS = (
    *("<f4", ">f4", "|f4", "=f8", "<f2", ">f8", "|O", "<U3", "|S5", "<i4"),
    *("|V8", "<M8[ns]", "<c8", "|b1", "<f16", "f", "float32", "(2,3)<f4", ""),
    *("<f4,<f4", "<f4'", "\ud7ff", "é", "x" * 3000, "O4", "3<f4", "<f99999"),
)
SHAPES = (
    *("()", "(2,)", "(2, 2)", "(4,)", "(-2, -2)", "(2L, 2L)", "(2, 2", "2"),
    *("(0, 1152921504606846976)", "(1152921504606846976,)", "(2.0, 2)"),
    *("(1, " * 40 + ")" * 40, "(" + "1, " * 70 + ")", "(" + "0, " * 33 + ")"),
    *("(True, 4)", "(9" + "9" * 4999 + ",)", "(0x2, 2)", "(2_2,)", "(' ',)"),
    *("(0, 9223372036854775807, 9223372036854775807)", "[2, 2]", "(\u0662,)"),
)
HEADERS = (
    *("{}", "", "{'descr': '<f4'}", "[" * 300, "(" * 900 + ")" * 900, "\0" * 9),
    *(
        "{'descr': '<f4', 'fortran_order': 1, 'shape': (2, 2)}",
        "f'{x}'",
        "'\\N",
    ),
    *("{'descr': '<f4', 'descr': '<f4', 'shape': (2, 2)}", "lambda: 0", "\x0c"),
    *(
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
        "1e9",
    ),
    *("{'descr': {'a': 1}, 'fortran_order': False, 'shape': (2,)}", "-" * 5000),
    *(
        "{**{}}",
        "{'descr': '\\d', 'fortran_order': 0, 'shape': ()}",
        "'''",
        "\\",
    ),
    *("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}   ", "{1: 2}"),
)


def flipped(random: Random, data: bytearray) -> bytearray:
    """Some bytes are others."""
    for _ in range(random.choice((1, 1, 1, 2, 4, 16, 64)) if data else 0):
        data[random.randrange(len(data))] = random.randrange(256)
    return data


def cut(random: Random, data: bytearray) -> bytearray:
    """The end is missing, or the beginning, or a piece between."""
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return random.choice((data[:a], data[b:], data[:a] + data[b:]))


def moved(random: Random, data: bytearray) -> bytearray:
    """A piece stands twice, or at another place."""
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    at = random.randrange(len(data) + 1)
    return data[:at] + data[a:b] + data[at:]


def resized(random: Random, data: bytearray) -> bytearray:
    """A number of 2, 4 or 8 bytes is another one."""
    size, code = random.choice(((2, "<H"), (4, "<I"), (8, "<Q")))
    if len(data) < size:
        return data
    at = random.randrange(len(data) - size + 1)
    number = random.choice(LENGTHS + VAST) & (2 ** (8 * size) - 1)
    data[at : at + size] = struct.pack(code, number)
    return data


MARKS = {  # zip's own records, and the length of each
    b"PK\x03\x04": 30,
    b"PK\x01\x02": 46,
    b"PK\x05\x06": 22,
    b"PK\x06\x06": 56,
    b"PK\x06\x07": 20,
}


def in_a_record(random: Random, data: bytearray) -> bytearray:
    """A field of a record of the zip archive is another one: flags, method, sizes, offsets."""
    mark = random.choice(tuple(MARKS))
    places = [found.start() for found in re.finditer(re.escape(mark), data)]
    if not places:
        return data
    at = random.choice(places) + random.randrange(4, MARKS[mark])
    size = random.choice((1, 2, 4, 8))
    number = random.choice((random.getrandbits(64), *LENGTHS, *VAST))
    data[at : at + size] = (number % 2 ** (8 * size)).to_bytes(size, "little")
    return data


ANYWHERE: tuple[Mutation, ...] = (flipped, cut, moved, resized)


def npy(random: Random, body: bytes) -> bytes:
    """An npy file of these bytes with some header, which is right or is not."""
    kind = random.choice((*KINDS, *["<f4"] * 30))
    shape = random.choice((*SHAPES, *["(2, 2)"] * 20))
    order = random.choice(("False", "False", "True", "0", "None", "'x'"))
    text = (
        f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}"
    )
    if random.random() < 0.3:
        text = random.choice(HEADERS)
    header = text.encode(random.choice(("utf-8", "latin-1")), "replace") + b"\n"
    version = random.choice((1, 1, 1, 2, 3, 0, 255))
    length = len(header)
    if random.random() < 0.1:
        length = random.choice(LENGTHS)
    packed = struct.pack("<H", length % 2**16)
    if version in (2, 3):
        packed = struct.pack("<I", length)
    magic = random.choice(
        (*[b"\x93NUMPY"] * 20, b"\x93NUMPX", b"\x80\x04cos\n")
    )
    return (
        magic
        + bytes((version, random.choice((0, 0, 0, 1))))
        + packed
        + header
        + body
    )


NAMES = (
    *("wte.npy", "wpe.npy", "wte", "blocks.0.ln_1.g.npy", "blocks.9999.x.npy"),
    *("../wte.npy", "/wte.npy", "wte.npy\0x", "é.npy", "\u202e.npy", "a/", ""),
    *(
        "x" * 5000,
        "wte.NPY",
        "blocks.1\u0663.ln_1.g.npy",
        "blocks.00.ln_1.g.npy",
    ),
)
METHODS = (
    *(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
    *(zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA),
)

EXTRAS = (b"\1\0\0\0", b"\1\0\xff\xff", b"x")


def archived(random: Random, members: Members) -> bytes:
    """The members in a zip archive, each packed in some way."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = random.choice((*METHODS, *METHODS[:2] * 50))
            info.extra = random.choice((*[b""] * 40, *EXTRAS))
            long = random.random() < 0.2
            with archive.open(info, "w", force_zip64=long) as file:
                file.write(data)
        if random.random() < 0.05:
            archive.comment = b"PK\5\6" + b"\0" * 18
    return buffer.getvalue()


def remade(random: Random, members: Members) -> Members:
    """Some members have another header, another name, other bytes, or are there twice."""
    found = list(members)
    for _ in range(random.choice((0, 1, 1, 2))):
        at = random.randrange(len(found))
        name, data = found[at]
        what = random.randrange(6)
        if what < 3:
            found[at] = name, npy(random, data[-16:])
        elif what == 3:
            found[at] = random.choice(NAMES), data
        elif what == 4:
            change = random.choice(ANYWHERE)
            found[at] = name, bytes(change(random, bytearray(data)))
        else:
            found.append((random.choice((name, "wte.npy")), data))
    if random.random() < 0.05:
        found.append(("inner.npz", archived(random, members)))
    return found


def fuzzed_npz(whole: bytes, seed: int) -> bytes:
    """The npz file, damaged in one or several ways that the seed decides."""
    random = Random(seed)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    data = bytearray(whole)
    if in_parts := random.random() < 0.6:
        data = bytearray(archived(random, remade(random, members)))
    for _ in range(random.choice((0, 0, 0, 1) if in_parts else (1, 1, 2, 3))):
        data = random.choice((*ANYWHERE, *[in_a_record] * 4))(random, data)
    return bytes(data)


def read_or_refused(path: Path, data: bytes) -> bool:
    """True if a weight file of these bytes is read, in which case NumPy must read the same from an
    npz; it must else be refused in one line that names it.
    """
    path.write_bytes(data)
    refusal = None
    try:
        found = flatten(load_weights(path))
    except WeightsError as error:
        refusal = str(error)
    if refusal is not None:
        assert refusal.startswith(f"{path}: ")
        assert "\n" not in refusal
        return False
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as whole:
            for name, array in found.items():
                assert whole[name].shape == array.shape
                assert np.array_equal(whole[name], array)
    return True


# ---------------------------------------------------------------- JSON and safetensors

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 2**31, 2**63, -(2**63), 10**30, 0.5),
    *(-0.0, 1e300, -1e308, 1e-320, "", "a", "aab", "0", "\ud800", "\udfff"),
    *("\0", "\x1b[31m", "\u202e", "token:a", "x" * 300, "../x", "one-hot"),
    *([], {}, [[]], [0], [0, 1], ["a"], {"a": 1}, [None], {"kind": "after"}),
    *([[0, 0]] * 3, [2**64], "1e5", "NaN", [1e300, 1e300], "(" * 50, "[ab]*"),
)


def places_of(value: Any) -> list[tuple[Any, Any]]:
    """Each place in a JSON value: the list or the object, and the index or the key."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        node = waiting.pop()
        keys: Any = ()
        if isinstance(node, list):
            keys = range(len(node))
        elif isinstance(node, dict):
            keys = tuple(node)
        found += [(node, key) for key in keys]
        waiting += [node[key] for key in keys]
    return found


def changed(random: Random, value: Any) -> None:
    """One place of a JSON value holds something else, or is gone, or is there twice."""
    places = places_of(value)
    if not places:
        return
    node, key = random.choice(places)
    what = random.randrange(8)
    if what < 4:
        node[key] = copy.deepcopy(random.choice(VALUES))
    elif what == 4:
        del node[key]
    elif what == 5:
        other, place = random.choice(places)
        node[key] = copy.deepcopy(other[place])
    elif what == 6 and isinstance(node, dict):
        node[random.choice(("", "a", "\ud800", "kind", "x" * 100))] = node.pop(
            key
        )
    elif isinstance(node[key], int | float):
        node[key] = random.choice((-node[key], node[key] * 2, node[key] + 1))
    elif isinstance(node, list):
        node.insert(key, copy.deepcopy(node[key]))


def fuzzed_json(value: Any, seed: int) -> bytes:
    """The JSON of a value, damaged in one or several ways that the seed decides."""
    random = Random(seed)
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        changed(random, value)
    data = bytearray(json.dumps(value).encode())
    if random.random() < 0.2:
        data = random.choice(ANYWHERE)(random, data)
    return bytes(data)


def fuzzed_safetensors(whole: bytes, seed: int) -> bytes:
    """The safetensors file, damaged in one or several ways that the seed decides."""
    random = Random(seed)
    size = int.from_bytes(whole[:8], "little")
    header, body = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    if random.random() < 0.7:
        for _ in range(random.choice((1, 1, 2))):
            name = random.choice(list(header))
            part = header[name]
            what = random.randrange(4)
            if what == 0:
                part["shape"] = some_shape(random)
            elif what == 1:
                part["dtype"] = random.choice(
                    ("F64", "BF16", "I8", "F32", "x", 3)
                )
            elif what == 2:
                part["data_offsets"] = [
                    random.choice((0, 8, 16, *LENGTHS, *VAST)) for _ in range(2)
                ]
            else:
                changed(random, header)
                break
    text = json.dumps(header).encode()
    data = bytearray(len(text).to_bytes(8, "little") + text + body)
    for _ in range(random.choice((0, 0, 1, 2))):
        data = random.choice(ANYWHERE)(random, data)
    return bytes(data)


def some_shape(random: Random) -> list[int]:
    """A shape, which may hold as many numbers as the right one."""
    sizes = random.choice(((2, 2), (4,), (1, 4), (0,), (0, 2**60), (2**60,)))
    ones = random.choice((0, 0, 1, 5, 31, 33, 63, 65, 300))
    return [*sizes, *[1] * ones]
