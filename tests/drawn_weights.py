"""Random weights of a small GPT-2."""

from __future__ import annotations

import numpy as np

from handcraft.core.gpt2 import Array, Weights


def random_weights(
    seed: int,
    *,
    n_vocab: int = 3,
    n_ctx: int = 6,
    n_embd: int = 8,
    n_layer: int = 2,
    n_inner: int = 5,
    norms: bool = True,
    dtype: str = "float64",
) -> Weights:
    """Weights of a small GPT-2 with everything in it."""
    rng = np.random.default_rng(seed)

    def array(*shape: int) -> Array:
        return rng.normal(0, 0.7, shape).astype(dtype)

    def norm() -> Weights:
        return {"g": array(n_embd), "b": array(n_embd)}

    blocks = [
        {
            "attn": {
                "c_attn": {
                    "w": array(n_embd, 3 * n_embd),
                    "b": array(3 * n_embd),
                },
                "c_proj": {"w": array(n_embd, n_embd), "b": array(n_embd)},
            },
            "mlp": {
                "c_fc": {"w": array(n_embd, n_inner), "b": array(n_inner)},
                "c_proj": {"w": array(n_inner, n_embd), "b": array(n_embd)},
            },
            **({"ln_1": norm(), "ln_2": norm()} if norms else {}),
        }
        for _ in range(n_layer)
    ]
    return {
        "wte": array(n_vocab, n_embd),
        "wpe": array(n_ctx, n_embd),
        "blocks": blocks,
        **({"ln_f": norm()} if norms else {}),
    }
