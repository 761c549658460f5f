"""Weight files and JSON from someone else: believed in nothing."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Refused, random_weights
from hypothesis import given
from hypothesis import strategies as st

from handcraft.core import weights as module
from handcraft.core.errors import WeightsError
from handcraft.core.weights import (
    MAX_DEPTH,
    MAX_JSON,
    flatten,
    load_weights,
    parse_json,
    sha256,
    to_npz,
    to_safetensors,
)

SMALL = random_weights(
    0, n_layer=1, n_embd=2, n_inner=1, n_vocab=2, n_ctx=2, dtype="float32"
)


# ---------------------------------------------------------------- hostile files


def safetensors(header: object, body: bytes = b"") -> bytes:
    """A safetensors file with this header, text or object."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(
    name: str, shape: list[int], dtype: str = "F32", size: int | None = None
) -> dict[str, Any]:
    """A header with one array that starts at 0."""
    count = 4 * int(np.prod(shape)) if size is None else size
    return {name: {"dtype": dtype, "shape": shape, "data_offsets": [0, count]}}


def npz(
    members: dict[str, bytes], compression: int = zipfile.ZIP_STORED
) -> bytes:
    """A zip file with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def npy(header: str, body: bytes = b"") -> bytes:
    """An npy file with this header."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def arrays(**changes: Any) -> bytes:
    """A whole safetensors file with some arrays changed; __ stands for a dot."""
    from safetensors.numpy import save

    found = flatten(SMALL) | {
        name.replace("__", "."): np.asarray(value)
        for name, value in changes.items()
    }
    return save(
        {name: np.ascontiguousarray(array) for name, array in found.items()}
    )


def to_member(array: Any) -> bytes:
    """An array as the bytes of an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def broken_deflate() -> bytes:
    """A compressed npz whose compressed bytes are not."""
    data = bytearray(
        npz({"wte.npy": to_member(np.arange(2000.0))}, zipfile.ZIP_DEFLATED)
    )
    data[40:200] = b"\xff" * 160
    return bytes(data)


FLOAT = np.zeros((2, 2), dtype=np.float32)
HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': %s}"
BOMB = npz(
    {"wte.npy": npy(HEADER % "(4194304,)", b"\0" * 2**24)}, zipfile.ZIP_DEFLATED
)
HOSTILE: dict[str, tuple[str, bytes | Callable[[], bytes], str]] = {
    "an empty file": (
        ".safetensors",
        b"",
        "not a whole safetensors file: its header is cut off or too long",
    ),
    "a header past the file": (
        ".safetensors",
        struct.pack("<Q", 2**60),
        "not a whole safetensors file: its header is cut off or too long",
    ),
    "a header that is no JSON": (
        ".safetensors",
        safetensors("{x}"),
        "not valid JSON: it goes wrong at line 1, column 2",
    ),
    "a header that is a list": (
        ".safetensors",
        safetensors("[]"),
        "the JSON must be an object, found list",
    ),
    "no arrays": (".safetensors", safetensors({}), "wte is missing"),
    "duplicate keys": (
        ".safetensors",
        safetensors('{"wte": 1, "wte": 2}'),
        "the key 'wte' stands twice in the JSON",
    ),
    "a strange dtype": (
        ".safetensors",
        safetensors(entry("wte", [1], "I64", 8), b"\0" * 8),
        "wte is not an array of float32",
    ),
    "a dtype that is a list": (
        ".safetensors",
        safetensors(
            {"wte": {"dtype": [], "shape": [0], "data_offsets": [0, 0]}}
        ),
        "wte is not an array of",
    ),
    "an entry that is a number": (
        ".safetensors",
        safetensors({"wte": 3}),
        "wte is not an array of float32",
    ),
    "a shape beyond the data": (
        ".safetensors",
        safetensors(entry("wte", [10**9, 10**9], size=4), b"\0" * 4),
        "not a whole safetensors file: ",
    ),
    "a shape past 64 bits": (
        ".safetensors",
        safetensors(entry("wte", [2**62, 2**62], size=4), b"\0" * 4),
        "not a whole safetensors file: ",
    ),
    "trailing bytes": (
        ".safetensors",
        lambda: arrays() + b"x",
        "not a whole safetensors file: ",
    ),
    "a truncated file": (
        ".safetensors",
        lambda: arrays()[:-1],
        "not a whole safetensors file: ",
    ),
    "a path for a name": (
        ".safetensors",
        lambda: arrays(**{"../../x": FLOAT}),
        "'../../x' is not the name of a GPT-2 weight",
    ),
    "a name with an escape": (
        ".safetensors",
        lambda: arrays(**{"\x1b[2J": FLOAT}),
        r"'\x1b[2J' is not the name of a GPT-2 weight",
    ),
    "a block out of order": (
        ".safetensors",
        lambda: arrays(blocks__7__ln_1__g=FLOAT[0]),
        "the blocks must be numbered from 0 without a gap",
    ),
    "half of a pair": (
        ".safetensors",
        lambda: arrays(blocks__1__ln_1__g=FLOAT[0]),
        "blocks.1.ln_1.b is missing",
    ),
    "half of a part": (
        ".safetensors",
        lambda: arrays(blocks__1__mlp__c_fc__w=FLOAT),
        "blocks.1.mlp.c_fc.b is missing",
    ),
    "NaN": (
        ".safetensors",
        lambda: arrays(wte=FLOAT * np.nan),
        "wte holds a value that is not finite",
    ),
    "infinity": (
        ".npz",
        lambda: to_npz(SMALL | {"wpe": FLOAT + np.float32("inf")}),
        "wpe holds a value that is not finite",
    ),
    "no zip": (".npz", b"PK", "not a whole npz file: "),
    "a truncated zip": (
        ".npz",
        lambda: to_npz(SMALL)[:-30],
        "not a whole npz file: ",
    ),
    "a text for an array": (
        ".npz",
        npz({"wte.npy": b"hello"}),
        "not an array: ",
    ),
    "4 TiB in a few bytes": (
        ".npz",
        npz({"wte.npy": npy(HEADER % "(1048576, 1048576)")}),
        "an array says it has shape (1048576, 1048576), but holds 0 bytes",
    ),
    "a negative shape": (
        ".npz",
        npz({"wte.npy": npy(HEADER % "(-2, -2)", b"\0" * 16)}),
        "not an array: ",
    ),
    "an object array": (
        ".npz",
        npz(
            {
                "wte.npy": npy(
                    "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
                    b"\0" * 8,
                )
            }
        ),
        "an array of '|O'; expected float32",
    ),
    "a header that is code": (
        ".npz",
        npz({"wte.npy": npy("__import__('os').system('false')")}),
        "not an array: ",
    ),
    "a header of 1 MB": (
        ".npz",
        npz(
            {
                "wte.npy": b"\x93NUMPY\x02\x00"
                + struct.pack("<I", 2**20)
                + b" " * 2**20
            }
        ),
        "not an array: ",
    ),
    "an array twice": (
        ".npz",
        lambda: npz({"wte.npy": b"", "wpe.npy": b""}).replace(b"wpe", b"wte"),
        "an array stands twice",
    ),
    "a path in a zip": (
        ".npz",
        lambda: npz({"../../x.npy": to_member(FLOAT)}),
        "'../../x' is not the name of a GPT-2 weight",
    ),
    "pickle": (
        ".npz",
        npz({"wte.npy": b"\x80\x04cos\nsystem\n(S'false'\ntR."}),
        "not an array: ",
    ),
    "a zip bomb": (
        ".npz",
        BOMB,
        "its arrays would need more than 1048576 bytes",
    ),
    "broken compression": (".npz", broken_deflate, "not a whole npz file: "),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """A damaged or malicious file is a WeightsError that names it and says why; nothing is
    allocated or executed for it.
    """
    if case == "a zip bomb":
        monkeypatch.setattr(module, "MAX_WEIGHTS_BYTES", 2**20)
    ending, data, message = HOSTILE[case]
    path = tmp_path / f"model{ending}"
    path.write_bytes(data if isinstance(data, bytes) else data())
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    assert str(caught.value).startswith(f"{path}: {message}")


@given(
    st.integers(0, 10**6),
    st.integers(0, 255),
    st.sampled_from([".safetensors", ".npz"]),
)
def test_an_altered_byte_is_no_crash(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, ending: str
) -> None:
    """Whatever byte of a file is altered, it is read, or refused with a WeightsError; with its
    hash it is always refused.
    """
    data = bytearray(
        to_npz(SMALL) if ending == ".npz" else to_safetensors(SMALL)
    )
    sha = sha256(bytes(data))
    data[at % len(data)] ^= byte or 1
    path = tmp_path_factory.mktemp("altered") / f"model{ending}"
    path.write_bytes(data)
    try:
        load_weights(path)
    except WeightsError as error:
        named = str(error).startswith(f"{path}: ")
    else:
        named = True
    assert named
    with Refused(
        WeightsError,
        f"{path} is not the file that was built: its SHA-256 is"
        f" {sha256(bytes(data))[:12]}..., expected {sha[:12]}...",
    ):
        load_weights(path, sha)


def test_a_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing file, a folder and a file past the bound are refused by name, unread."""
    path = tmp_path / "model.safetensors"
    with Refused(WeightsError, f"{path} does not exist"):
        load_weights(path)
    with Refused(WeightsError, f"{tmp_path} is not a file"):
        load_weights(tmp_path)
    path.write_bytes(b"12345")
    monkeypatch.setattr(module, "MAX_WEIGHTS_BYTES", 4)
    with Refused(WeightsError, f"{path} has 5 bytes; at most 4 are read"):
        load_weights(path)


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "NaN is not a number of JSON"),
        ('{"a": -Infinity}', "-Infinity is not a number of JSON"),
        ('{"a": {"b": 1, "b": 1}}', "the key 'b' stands twice in the JSON"),
        ("3", "the JSON must be an object, found int"),
        (
            "{" * 3,
            "not valid JSON: it goes wrong at line 1, column 2",
        ),
        (
            '{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}",
            f"the JSON is nested deeper than {MAX_DEPTH}",
        ),
        ("[" * 10**5, f"the JSON is nested deeper than {MAX_DEPTH}"),
        (
            " " * (MAX_JSON + 1),
            f"the JSON has {MAX_JSON + 1} bytes; at most {MAX_JSON} are read",
        ),
    ],
)
def test_json_is_bounded(text: str, message: str) -> None:
    """JSON is bounded in size and depth; NaN and duplicate keys are refused."""
    with Refused(WeightsError, message):
        parse_json(text)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\x01"}',
        b'\xef\xbb\xbf{"a": 1}',
    ],
)
def test_json_that_is_none_is_refused(data: bytes) -> None:
    """Bytes that are no UTF-8, or no JSON, are refused and never crash."""
    with pytest.raises(WeightsError, match="not valid JSON: "):
        parse_json(data)


def test_brackets_in_texts_are_no_nesting() -> None:
    """Brackets inside a text do not count as depth, escaped quotes included."""
    value = {"a": "[" * 1000 + '"' + "{" * 1000, "b": "\\"}
    assert parse_json(json.dumps(value)) == value
