"""Reads the arrays of a GPT-2 checkpoint under our own names: from model.safetensors, or from the
shards that model.safetensors.index.json names.

A name may stand behind wrappers (`transformer.h.0...`, `module._orig_mod.transformer.h.0...`),
which are taken off; the masks in older files are no weights and are skipped. float16 and bfloat16
are widened to float32. An unembedding of its own becomes `lm_head`; one that equals wte is tied.

Rules of this file: nothing is executed, so a `.bin` is never opened; every size is bounded; each
array has the shape that the config says.

Source: the checkpoint format of Hugging Face's transformers (GPT2LMHeadModel).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.errors import WeightsError, printable
from handcraft.core.gpt2 import Array
from handcraft.core.weights import MAX_JSON, parse_json, read_safetensors
from handcraft.files.checkpoint_config import CONFIG_JSON
from handcraft.files.checkpoint_names import LINEAR, checkpoint_name, keys
from handcraft.files.checkpoint_place import SHARDS_JSON, read_part

SAFETENSORS = "model.safetensors"
# bytes of the weights: the largest GPT-2 has 6 GB, and it takes three times that to read it
MAX_GPT2_BYTES = 2**33
UNEMBEDDING_KEY = "lm_head.weight"
_DTYPES = {
    "F32": "float32",
    "F64": "float64",
    "F16": "float16",
    "BF16": "bfloat16",
}
# what wraps a GPT-2's names: GPT2LMHeadModel, DataParallel, Lightning, torch.compile, peft
_WRAPPER = re.compile(
    r"(transformer|module|model|_orig_mod|base_model\.model)\."
)
_MASK = re.compile(
    rf"({_WRAPPER.pattern})*h\.\d+\.(attn|crossattention)\.(bias|masked_bias)"
)


def read_arrays(directory: Path, config: dict[str, Any]) -> dict[str, Array]:
    """The arrays under our names, each of the shape that the config says.

    Raises WeightsError, with the file's name, for files that are damaged or not of a GPT-2.
    """
    path = directory / SAFETENSORS
    sharded = not path.exists()
    path = directory / SHARDS_JSON if sharded else path
    try:
        found = _short_named(_shards(path) if sharded else _parts(path))
        return _fitting(found, config)
    except WeightsError as error:
        raise error.of(path) from None


# ---------------------------------------------------------------- the files


def _parts(
    path: Path, most: int = MAX_GPT2_BYTES
) -> Iterator[tuple[str, Array]]:
    """The names and arrays of one file, without masks."""
    data = read_part(path, most)
    try:
        yield from read_safetensors(
            data, _DTYPES, lambda name: not _MASK.fullmatch(name)
        ).items()
    except WeightsError as error:
        raise error.of(path) from None


def _shards(path: Path) -> Iterator[tuple[str, Array]]:
    """The names and arrays of all the files that an index names, each from its own."""
    places = parse_json(read_part(path, MAX_JSON)).get("weight_map")
    if not isinstance(places, dict) or not all(
        isinstance(file, str) for file in places.values()
    ):
        raise WeightsError("its weight_map is no table of files by weight")
    files = sorted(set(places.values()))
    if bad := [name for name in files if Path(name).name != name]:
        raise WeightsError(
            f"'{printable(bad[0])[:60]}' is no file of this directory"
        )
    left = MAX_GPT2_BYTES
    for file in files:
        here = dict(_parts(path.parent / file, left))
        left -= sum(array.nbytes for array in here.values())
        for name in (name for name, place in places.items() if place == file):
            if name in here:
                yield name, here[name]
            elif not _MASK.fullmatch(name):
                raise WeightsError(f"{printable(name)[:60]} is not in {file}")


# ---------------------------------------------------------------- names


def _short_named(parts: Iterator[tuple[str, Array]]) -> dict[str, Array]:
    """The arrays by their names without wrappers, widened."""
    found: dict[str, Array] = {}
    origin: dict[str, str] = {}
    for name, array in parts:
        short = name
        while wrapper := _WRAPPER.match(short):
            short = short[wrapper.end() :]
        if short in found:
            both = f"{printable(origin[short])} and {printable(name)}"
            raise WeightsError(
                f"{printable(short)} stands twice, as {both[:200]}"
            )
        half = array.dtype == np.float16
        found[short] = array.astype(np.float32) if half else array
        origin[short] = name
    return found


def _fitting(
    found: dict[str, Array], config: dict[str, Any]
) -> dict[str, Array]:
    """The arrays under our names. Raises WeightsError for missing, strange and misshapen ones."""
    head = _unembedding(found, config)
    shapes = _shapes(config)
    if head is not None:
        found = {**found, UNEMBEDDING_KEY: head}
        shapes["lm_head"] = shapes["wte"]
    expected = {checkpoint_name(key): (key, shapes[key]) for key in shapes}
    if missing := [name for name in expected if name not in found]:
        raise WeightsError(
            f"{missing[0]} is missing{_instead(found, expected)}"
        )
    if extra := [name for name in found if name not in expected]:
        raise WeightsError(
            f"{printable(extra[0])[:60]} is no weight of a GPT-2 of {config['n_layer']}"
            f" layers{_adapters(extra)}"
        )
    for name, (_, shape) in expected.items():
        _check_shape(name, found[name].shape, shape)
    return {own: found[name] for name, (own, _) in expected.items()}


def _instead(found: dict[str, Array], expected: dict[str, Any]) -> str:
    """The names that are there and are no GPT-2's, for a message."""
    extra = [printable(name)[:60] for name in found if name not in expected]
    if not extra:
        return ""
    more = ", ..." if len(extra) > 3 else ""
    there = f"; there are {', '.join(extra[:3])}{more}"
    return there + _adapters(extra)


def _adapters(names: list[str]) -> str:
    """The advice where the names are those of LoRA's adapters."""
    if not any("lora_" in name or ".base_layer." in name for name in names):
        return ""
    return (
        ": LoRA adapters beside the weights; merge_and_unload() of peft merges them"
        " before save_pretrained"
    )


def _check_shape(
    name: str, found: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    if found == shape:
        return
    turned = (
        "; it is transposed, and a GPT-2 of transformers holds [n_in, n_out]"
        if found == shape[::-1]
        else ""
    )
    raise WeightsError(
        f"{name} has shape {found}, but {CONFIG_JSON} says {shape}{turned}"
    )


def _unembedding(
    found: dict[str, Array], config: dict[str, Any]
) -> Array | None:
    """The unembedding, taken out; None where it is wte. Raises WeightsError where it is missing, or
    where config and file disagree.
    """
    tied = config["tie_word_embeddings"]
    head = found.pop(UNEMBEDDING_KEY, None)
    if head is None and not tied:
        raise WeightsError(
            f"tie_word_embeddings is False, but there is no {UNEMBEDDING_KEY}"
        )
    if head is None:
        return None
    if tied:  # a file may hold a tied array under either name
        found.setdefault("wte.weight", head)
    wte = found.get("wte.weight")
    if wte is not None and np.array_equal(head, wte):
        return None
    if tied:
        raise WeightsError(
            f"{UNEMBEDDING_KEY} is not wte.weight, but {CONFIG_JSON} ties the two:"
            " tie_word_embeddings must be false where both count"
        )
    return head


def _shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of each weight, by our own key."""
    n = config["n_embd"]
    inner = config["n_inner"]
    sizes = ((n, 3 * n), (n, n), (n, inner), (inner, n))
    linear = dict(zip(LINEAR, sizes, strict=True))
    # of the norms first, then those of all others
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
        keys(config["n_layer"]), (n,)
    )
    shapes |= {
        "wte": (config["vocab_size"], n),
        "wpe": (config["n_positions"], n),
    }
    for i, (part, shape) in product(range(config["n_layer"]), linear.items()):
        shapes |= {
            f"blocks.{i}.{part}.w": shape,
            f"blocks.{i}.{part}.b": shape[1:],
        }
    return shapes
