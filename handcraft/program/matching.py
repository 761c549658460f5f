"""Compares weights, and the settings they run with, with those of a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Differences:
    """The cells in which weights are not what the rules say: how many, and the largest."""

    cells: int
    first: str
    largest: float
    largest_at: str

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return dict(vars(self))

    def __str__(self) -> str:
        if self.cells == 1:
            return f"at {self.first} by {self.largest:.6g}"
        return (
            f"at {self.first} and {self.cells - 1} more, at most by"
            f" {self.largest:.6g}, at {self.largest_at}"
        )


def differences(weights: Weights, program: Program) -> Differences | None:
    """How far the weights are from the program's rules in float32; None where they are the same."""
    found = list(_differing(weights, program))
    if not found:
        return None
    at, by = max(found, key=lambda cell: cell[1])
    return Differences(len(found), found[0][0], by, at)


def differing_cells(weights: Weights, program: Program) -> list[str]:
    """The cells whose weights differ from the program's rules in float32, such as "wte[0, 3]"."""
    return [cell for cell, _ in _differing(weights, program)]


def _differing(
    weights: Weights, program: Program
) -> Iterator[tuple[str, float]]:
    """The cells that differ in float32, and by how much; an array that one of the two lacks, or
    that has another shape, as one cell.
    """
    rules = flatten(compile_program(program).weights)
    found = flatten(weights)
    for name in dict.fromkeys((*found, *rules)):
        both = [arrays[name] for arrays in (found, rules) if name in arrays]
        if len(both) < 2 or both[0].shape != both[1].shape:
            yield name, max(float(np.abs(x).max(initial=0.0)) for x in both)
            continue
        own, wanted = found[name].astype("float32"), rules[name]
        for at in np.argwhere(own != wanted).tolist():
            by = abs(float(own[*at]) - float(wanted[*at]))
            yield f"{name}{at}", by
