"""The names of a stock GPT-2's weights: our keys, and what checkpoints of torch call them.

Rules of this file: names and orientation only; nothing here reads or writes.
"""

from __future__ import annotations

from handcraft.core.gpt2 import Array

ACTIVATION_NAMES = {
    "gelu": "gelu_new",
    "relu": "relu",
}  # ours -> in the configs of Hugging Face and TransformerLens
LINEAR, NORMS = (
    ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"),
    ("ln_1", "ln_2"),
)
SUFFIXES = {"w": "weight", "g": "weight", "b": "bias"}


def keys(n_layer: int) -> list[str]:
    """Every key of a GPT-2 with layer norms."""
    linear = [
        f"blocks.{i}.{part}.{kind}"
        for i in range(n_layer)
        for part in LINEAR
        for kind in "wb"
    ]
    norms = ["ln_f", *(f"blocks.{i}.{part}" for i in range(n_layer) for part in NORMS)]
    return [
        "wte",
        "wpe",
        *linear,
        *(f"{norm}.{kind}" for norm in norms for kind in "gb"),
    ]


def checkpoint_name(key: str) -> str:
    """Of a weight: blocks.0.attn.c_attn.w is h.0.attn.c_attn.weight, wte is wte.weight."""
    path, _, kind = key.rpartition(".")
    return (
        f"{path.replace('blocks.', 'h.')}.{SUFFIXES[kind]}" if path else f"{key}.weight"
    )


def turned(key: str, array: Array) -> Array:  # [n_in, n_out] <-> [n_out, n_in]
    """A weight as torch's Linear and llama.cpp hold it, or back: their matrices multiply from
    the left.
    """
    return array.T if key.endswith(".w") else array
