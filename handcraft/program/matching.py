"""Compares weights, and the settings they run with, with those of a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from handcraft.core.errors import WeightsError, printable
from handcraft.core.gpt2 import Weights
from handcraft.core.weights import flatten
from handcraft.program.compiler import compile_program, shapes
from handcraft.program.program import Program


def check_matches(
    fields: Mapping[str, Any],
    weights: Weights,
    program: Program,
) -> None:
    """Raise WeightsError unless the fields and the shapes of the weights are the program's.

    `fields` has vocab, n_ctx, n_head and activation.
    """
    n_layer = len(weights["blocks"])
    if n_layer != len(program.layers):
        raise WeightsError(
            f"n_layer is {n_layer}, but the program's is {len(program.layers)}"
        )
    own = {
        "vocab": list(program.vocabulary),
        "n_ctx": program.n_ctx,
        "n_head": program.layout.n_head,
        "activation": program.activation,
    }
    for key, value in own.items():
        if fields[key] != value:
            raise WeightsError(
                f"{key} is {printable(str(fields[key]))[:60]}, but the program's is"
                f" {printable(str(value))[:60]}"
            )
    found = {name: array.shape for name, array in flatten(weights).items()}
    expected = shapes(program)
    for name in {**expected, **found}:
        if found.get(name) != expected.get(name):
            raise WeightsError(
                f"{name} has the shape {found.get(name)}, but the program's has"
                f" {expected.get(name)}"
            )


def differing_cells(weights: Weights, program: Program) -> list[str]:
    """The cells whose weights differ from the program's rules in float32, such as "wte[0, 3]"."""
    rules = flatten(compile_program(program).weights)
    found = []
    for name, array in flatten(weights).items():
        differ = array.astype("float32") != rules[name]
        found += [f"{name}{list(map(int, at))}" for at in np.argwhere(differ)]
    return found
