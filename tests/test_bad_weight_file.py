"""Weight files of a built directory that are refused, and in which words."""

from __future__ import annotations

import re
import struct

import pytest
from damaging import JSON, WEIGHTS, Built, Damage, refused_directory

pytestmark = pytest.mark.usefixtures("beside_ok")


DAMAGED = [
    # the weight file
    Damage(
        "weights missing",
        lambda b: b.weights.unlink(),
        f"{WEIGHTS} does not exist",
    ),
    Damage(
        "weights truncated",
        lambda b: b.weights.write_bytes(b.weights.read_bytes()[:-4]),
        re.compile(
            rf"{WEIGHTS} is not the file that was built: its SHA-256 is"
            r" [0-9a-f]{12}\.\.\., expected [0-9a-f]{12}\.\.\."
        ),
    ),
    Damage(
        "weights altered",
        lambda b: b.weights.write_bytes(
            b.weights.read_bytes()[:-4] + b"\0\0\0\1"
        ),
        re.compile(rf"{WEIGHTS} is not the file that was built: .*"),
    ),
    Damage(
        "weights a folder",
        lambda b: (b.weights.unlink(), b.weights.mkdir()),
        f"{WEIGHTS} is a directory, not a file",
    ),
    Damage(
        "weights truncated and signed",
        lambda b: b.sign(b.weights.read_bytes()[:-4]),
        re.compile(rf"{WEIGHTS}: not a whole safetensors file: .*"),
    ),
    Damage(
        "weights empty and signed",
        lambda b: b.sign(b""),
        f"{WEIGHTS}: not a whole safetensors file: its header is cut off or too long",
    ),
    Damage(
        "weights with a tail",
        lambda b: b.sign(b.weights.read_bytes() + b"tail"),
        re.compile(rf"{WEIGHTS}: not a whole safetensors file: .*"),
    ),
    Damage(
        "a header of 2**63 bytes",
        lambda b: b.sign(struct.pack("<Q", 2**63) + b"{}"),
        f"{WEIGHTS}: not a whole safetensors file: its header is cut off or too long",
    ),
    Damage(
        "a weight of NaN",
        lambda b: b.arrays(lambda a: a["wte"].fill(float("nan"))),
        f"{WEIGHTS}: wte holds a value that is not finite",
    ),
    Damage(
        "a weight of infinity",
        lambda b: b.arrays(lambda a: a["wpe"].fill(float("inf"))),
        f"{WEIGHTS}: wpe holds a value that is not finite",
    ),
    Damage(
        "weights past float32",
        lambda b: b.arrays(
            lambda a: a.update(
                {k: v.astype("float64") * 1e300 for k, v in a.items()}
            )
        ),
        re.compile(r"built/.*(finite|float32).*"),
    ),
    Damage(
        "weights of whole numbers",
        lambda b: b.arrays(lambda a: a.update(wte=a["wte"].astype("int32"))),
        f"{WEIGHTS}: wte is not an array of float32 or float64 or float16",
    ),
    Damage(
        "a weight of another name",
        lambda b: b.arrays(lambda a: a.update({"../../x": a["wte"]})),
        f"{WEIGHTS}: '../../x' is not the name of a GPT-2 weight, such as"
        " blocks.0.attn.c_attn.w",
    ),
    Damage(
        "a weight missing",
        lambda b: b.arrays(lambda a: a.pop("wpe")),
        f"{WEIGHTS}: wpe is missing",
    ),
    Damage(
        "a bias missing",
        lambda b: b.arrays(lambda a: a.pop("blocks.0.attn.c_proj.b")),
        f"{WEIGHTS}: blocks.0.attn.c_proj.b is missing",
    ),
    Damage(
        "a weight of another shape",
        lambda b: b.arrays(
            lambda a: a.update(
                {"blocks.0.attn.c_proj.b": a["wte"][0, :4].copy()}
            )
        ),
        f"{JSON}: blocks.0.attn.c_proj.b has the shape (4,), but the program's has"
        " (8,)",
    ),
    Damage(
        "fewer positions than n_ctx",
        lambda b: b.arrays(lambda a: a.update(wpe=a["wpe"][:4].copy())),
        f"{JSON}: n_ctx is 5, but wpe has 4 rows",
    ),
    Damage(
        "weights of 4 TiB",
        lambda b: b.header(
            lambda h: h["wte"].update(shape=[2**40], data_offsets=[0, 2**42])
        ),
        re.compile(rf"{WEIGHTS}: not a whole safetensors file: .*"),
    ),
    Damage(
        "weights that overlap",
        lambda b: b.header(
            lambda h: h["wpe"].update(data_offsets=h["wte"]["data_offsets"])
        ),
        re.compile(rf"{WEIGHTS}: not a whole safetensors file: .*"),
    ),
]


@pytest.mark.parametrize("damage", DAMAGED, ids=lambda damage: damage.name)
def test_a_built_directory_that_is_refused(
    damage: Damage, built: Built
) -> None:
    """Whatever is amiss with the weights, they are refused, and the same for every command."""
    refused_directory(damage, built)
