"""Says what decides about the bits of a run, as plain data: a file of another run is refused.

run_identity    by name: versions, settings, the shape, and the hashes of what is trained on
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from handcraft.core.gpt2 import Array
from handcraft.core.weights import sha256, to_safetensors
from handcraft.training.extra import versions
from handcraft.training.settings import TrainingSettings
from handcraft.training.shapes import ModelShape
from handcraft.training.texts import Data


def run_identity(
    data: Data,
    shape: ModelShape,
    settings: TrainingSettings,
    first: Mapping[str, Array],
    frozen: Mapping[str, Array],
) -> dict[str, Any]:
    """What decides about the bits of a run with these first weights and frozen cells."""
    from handcraft import __version__

    parts: dict[str, Any] = {"examples": data.examples.arrays}
    if data.held_out is not None:
        parts["held-out part"] = data.held_out.arrays
    parts |= {"first weights": first, "frozen cells": frozen}
    return {
        "handcraft": __version__,
        **versions(),
        **asdict(settings),
        "seeds": list(settings.seeds),
        "shape": {name: list(size) for name, size in shape.arrays.items()},
        "heads": shape.n_head,
        "activation": shape.activation,
        "causal": shape.causal,
        "still": sorted(shape.still),
        "window": data.examples.n_seq,
        **{name: _hash(arrays) for name, arrays in parts.items()},
    }


def _hash(arrays: Mapping[str, Array]) -> str:
    kept = {
        name: array.astype("float32") if array.dtype.kind != "f" else array
        for name, array in arrays.items()
    }
    return sha256(to_safetensors(kept))[:16]
