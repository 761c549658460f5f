"""Returns the names of a stock GPT-2's weights: our keys, and their names in torch's checkpoints.

Rules of this file: names and orientation only; nothing here reads or writes.
"""

from __future__ import annotations

from handcraft.core.gpt2 import Array

# ours -> in the configs of Hugging Face and TransformerLens
ACTIVATION_NAMES = {"gelu": "gelu_new", "relu": "relu"}
LINEAR = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
NORMS = ("ln_1", "ln_2")
SUFFIXES = {"w": "weight", "g": "weight", "b": "bias"}


def keys(n_layer: int) -> list[str]:
    """Every key of a GPT-2 with layer norms."""
    blocks = [f"blocks.{i}" for i in range(n_layer)]
    linear = [f"{block}.{part}" for block in blocks for part in LINEAR]
    norms = ["ln_f", *(f"{block}.{part}" for block in blocks for part in NORMS)]
    found = ["wte", "wpe"]
    found += [f"{part}.{kind}" for part in linear for kind in "wb"]
    return found + [f"{norm}.{kind}" for norm in norms for kind in "gb"]


def checkpoint_name(key: str) -> str:
    """The name of a weight in a checkpoint: h.0.attn.c_attn.weight of blocks.0.attn.c_attn.w,
    wte.weight of wte.
    """
    path, _, kind = key.rpartition(".")
    if not path:
        return f"{key}.weight"
    return f"{path.replace('blocks.', 'h.')}.{SUFFIXES[kind]}"


def turned(key: str, array: Array) -> Array:  # [n_in, n_out] <-> [n_out, n_in]
    """A weight as torch's Linear and llama.cpp hold it, or back: their matrices are transposed."""
    return array.T if key.endswith(".w") else array
