"""Reads the config.json of a GPT-2 as Hugging Face writes it: sizes, activation, epsilon.

Rules of this file: what our forward pass does not compute is refused by its key, never ignored;
every size is bounded.

Source: GPT2Config of Hugging Face's transformers.
"""

from __future__ import annotations

import sys
from typing import Any

from handcraft.core.errors import WeightsError, printable
from handcraft.core.gpt2 import EPSILON, Activation
from handcraft.core.weights import MAX_LAYERS

CONFIG_JSON = "config.json"
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
SIZES = ("n_embd", "n_head", "n_layer", "n_positions", "vocab_size")


def checked_config(config: dict[str, Any]) -> dict[str, Any]:
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
        "tie_word_embeddings": True,
        **config,
    }
    if "n_ctx" in config:
        config.setdefault("n_positions", config["n_ctx"])
    _check_sizes(config)
    if config["n_inner"] is None:
        config["n_inner"] = 4 * config["n_embd"]
    _check_numbers(config)
    return config


def _check_sizes(config: dict[str, Any]) -> None:
    if missing := [key for key in SIZES if key not in config]:
        raise WeightsError(
            f"it has no {missing[0]}; a GPT-2 has {', '.join(SIZES)}"
        )
    for key in SIZES:
        least = 0 if key == "n_layer" else 1
        if type(size := config[key]) is not int or size < least:
            raise WeightsError(
                f"{key} must be a whole number of at least {least}, found"
                f" {_shown(size)}"
            )
    if config.get("n_ctx", config["n_positions"]) != config["n_positions"]:
        raise WeightsError(
            f"n_ctx is {_shown(config['n_ctx'])}, but n_positions is"
            f" {_shown(config['n_positions'])}"
        )
    if config["n_embd"] % config["n_head"]:
        raise WeightsError(
            f"n_embd is {_shown(config['n_embd'])}, which {_shown(config['n_head'])}"
            " heads cannot share equally"
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
    if type(tied := config["tie_word_embeddings"]) is not bool:
        raise WeightsError(
            f"tie_word_embeddings must be true or false, found {_shown(tied)}"
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
