"""Models whose floats are bounded by proofs lane by lane.

    check_model(model)   raises Rejected for others

What is bounded is a model that normalises nothing, whose unembedding is its embedding, and whose
weights are normal numbers of a known type.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Floats, Rejected

_MOST_LANES = 4096


def check_model(model: Model) -> None:
    """Raise Rejected for a model whose floats are not bounded here."""
    weights = model.weights
    if weights.get("ln_f") is not None or any(
        "ln_1" in b or "ln_2" in b for b in weights["blocks"]
    ):
        raise Rejected("a model that normalises cannot be checked")
    if weights.get("lm_head") is not None:
        raise Rejected("the unembedding is not wte")
    if model.dtype not in ("float32", "float64"):
        raise Rejected(f"the rounding of {model.dtype} is not bounded")
    if model.activation not in ("relu", "gelu"):
        raise Rejected(f"the activation {model.activation} is not bounded")
    least = Floats(model.dtype).least
    for array in _arrays(weights):
        size = np.abs(array)
        if not np.isfinite(array).all():
            raise Rejected("a weight is not finite")
        if ((size > 0) & (size < least)).any():
            raise Rejected("a weight is below the least normal number")
    if max(weights["wte"].shape) > _MOST_LANES:
        raise Rejected("the model has too many lanes")


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, dict):
        return [x for part in value.values() for x in _arrays(part)]
    if isinstance(value, list):
        return [x for part in value for x in _arrays(part)]
    return [] if value is None else [value]
