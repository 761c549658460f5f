"""Reads a GPT-2 of Hugging Face as a Model: real weights through our forward pass, without torch.

    load_gpt2("path/to/gpt2").generate("The meaning of life is", 20)

    config.json          sizes, activation, epsilon; what our pass cannot compute is refused
    model.safetensors    the arrays, with or without the prefix `transformer.`; Conv1D's are
                         [n_in, n_out], as here
    tokenizer.json       or vocab.json with merges.txt: see byte_pairs.py

Rules of this file: the files come from others, so nothing is executed, every size is bounded, and
the config, the arrays and the tokens must agree; the masks in older files are not weights and are
skipped; an untied unembedding is refused.

Sources: Radford et al., GPT-2, 2019; the checkpoint format of Hugging Face's transformers
(GPT2LMHeadModel).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.core.errors import WeightsError, printable
from handcraft.core.gpt2 import EPSILON, Activation, Array
from handcraft.core.weights import (
    MAX_JSON,
    MAX_LAYERS,
    nest,
    parse_json,
    read_bytes,
    read_safetensors,
)
from handcraft.model import Model
from handcraft.runtimes.byte_pairs import read_vocabulary
from handcraft.runtimes.names import LINEAR, checkpoint_name, keys

CONFIG_JSON, SAFETENSORS = "config.json", "model.safetensors"
# bytes of the weights: the largest GPT-2 has 6 GB, and it takes three times that to read it
MAX_GPT2_BYTES = 2**33
_DTYPES = {
    "F32": "float32",
    "F64": "float64",
    "F16": "float16",
    "BF16": "bfloat16",
}
ACTIVATION: dict[Any, Activation] = {
    "gelu_new": "gelu",
    "gelu_pytorch_tanh": "gelu",  # the same formula
    "relu": "relu",
}
# the only values that our pass can compute; the first is the default
FIXED: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "is_encoder_decoder": (False,),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
}
_MASK = re.compile(
    r"(transformer\.)?h\.\d+\.(attn|crossattention)\.(bias|masked_bias)"
)
UNEMBEDDING_KEY = "lm_head.weight"
SIZES = ("n_embd", "n_head", "n_layer", "n_positions", "vocab_size")


def load_gpt2(directory: str | Path) -> Model:
    """The model of a checkpoint of Hugging Face's GPT-2; float16 and bfloat16 are widened to
    float32.

    Raises WeightsError, with the file's name, for a checkpoint that is incomplete or not a GPT-2,
    and MissingExtraError where its tokens need the extra `gpt2`.
    """
    directory = Path(directory)
    with _naming(directory / CONFIG_JSON):
        config = _checked(
            parse_json(read_bytes(directory / CONFIG_JSON, MAX_JSON))
        )
    with _naming(directory / SAFETENSORS):
        arrays = _arrays(
            read_bytes(directory / SAFETENSORS, MAX_GPT2_BYTES), config
        )
    vocabulary = read_vocabulary(directory)
    with _naming(directory):
        return Model(
            directory.resolve().name,
            nest(arrays),
            vocabulary,
            config["n_head"],
            ACTIVATION[config["activation_function"]],
            epsilon=float(config["layer_norm_epsilon"]),
        )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name in front of a WeightsError that does not begin with it."""
    try:
        yield
    except WeightsError as error:
        raise error.of(path) from None


# ---------------------------------------------------------------- config.json


def _checked(config: dict[str, Any]) -> dict[str, Any]:
    """The config, with defaults filled in. Raises WeightsError for wrong sizes, and for what our
    pass cannot compute.
    """
    for key, allowed in FIXED.items():
        if (found := config.get(key, allowed[0])) not in allowed:
            raise WeightsError(
                f"{key} is {_shown(found)}, and our forward pass computes only"
                f" {allowed[0]!r}"
            )
    config = {
        "activation_function": "gelu_new",
        "layer_norm_epsilon": EPSILON,
        "n_inner": None,
        **config,
    }
    config["n_positions"] = config.get("n_positions", config.get("n_ctx"))
    _check_sizes(config)
    if config["n_inner"] is None:
        config["n_inner"] = 4 * config["n_embd"]
    _check_numbers(config)
    return config


def _check_sizes(config: dict[str, Any]) -> None:
    if config.get("n_ctx", config["n_positions"]) != config["n_positions"]:
        raise WeightsError(
            f"n_ctx is {_shown(config['n_ctx'])}, but n_positions is"
            f" {_shown(config['n_positions'])}"
        )
    for key in SIZES:
        least = 0 if key == "n_layer" else 1
        if type(size := config.get(key)) is not int or size < least:
            raise WeightsError(
                f"{key} must be a whole number of at least {least}, found"
                f" {_shown(size)}"
            )


def _check_numbers(config: dict[str, Any]) -> None:
    if type(inner := config["n_inner"]) is not int or inner < 1:
        raise WeightsError(
            "n_inner must be null or a whole number of at least 1, found"
            f" {_shown(inner)}"
        )
    if config["n_layer"] > MAX_LAYERS:
        raise WeightsError(
            f"n_layer must be at most {MAX_LAYERS}, found {_shown(config['n_layer'])}"
        )
    if (name := config["activation_function"]) not in list(ACTIVATION):
        raise WeightsError(
            f"activation_function is {_shown(name)}, and our forward pass computes only"
            f" {', '.join(ACTIVATION)}"
        )
    epsilon = config["layer_norm_epsilon"]
    number = type(epsilon) in (int, float)
    if not number or not 0 <= epsilon <= sys.float_info.max:
        raise WeightsError(
            "layer_norm_epsilon must be finite and not negative, found"
            f" {_shown(epsilon)}"
        )


def _shown(value: Any) -> str:
    return printable(repr(value))[:60]


# ---------------------------------------------------------------- model.safetensors


def _arrays(data: bytes, config: dict[str, Any]) -> dict[str, Array]:
    """The arrays under our names, each of the shape that the config says."""
    found = _short_named(data)
    _check_unembedding(found, config)
    expected = {
        checkpoint_name(key): (key, shape)
        for key, shape in _shapes(config).items()
    }
    if missing := [name for name in expected if name not in found]:
        raise WeightsError(f"{missing[0]} is missing")
    if extra := [name for name in found if name not in expected]:
        raise WeightsError(
            f"{printable(extra[0])[:60]} is no weight of a GPT-2 of {config['n_layer']}"
            " layers"
        )
    for name, (_, shape) in expected.items():
        if found[name].shape != shape:
            raise WeightsError(
                f"{name} has shape {found[name].shape}, but {CONFIG_JSON} says {shape}"
            )
    return {own: found[name] for name, (own, _) in expected.items()}


def _short_named(data: bytes) -> dict[str, Array]:
    """The arrays of a file without masks, by their names without `transformer.`, widened."""
    found: dict[str, Array] = {}
    arrays = read_safetensors(
        data, _DTYPES, lambda name: not _MASK.fullmatch(name)
    )
    for name, array in arrays.items():
        short = name.removeprefix("transformer.")
        if short in found:
            raise WeightsError(
                f"{printable(short)} stands twice, with and without the prefix"
                " transformer."
            )
        found[short] = (
            array.astype(np.float32) if array.dtype == np.float16 else array
        )
    return found


def _check_unembedding(found: dict[str, Array], config: dict[str, Any]) -> None:
    """Remove an unembedding that equals the embedding. Raises WeightsError for any other, and for
    one that is missing but not tied.
    """
    head = found.pop(UNEMBEDDING_KEY, None)
    if head is None and config.get("tie_word_embeddings", True) is not True:
        raise WeightsError(
            f"tie_word_embeddings is {_shown(config['tie_word_embeddings'])}, but there"
            f" is no {UNEMBEDDING_KEY}"
        )
    if head is not None and not np.array_equal(
        head, found.get("wte.weight", head[:0])
    ):
        raise WeightsError(
            f"{UNEMBEDDING_KEY} is not wte.weight: our forward pass ties the two, as GPT-2 does"
        )


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
