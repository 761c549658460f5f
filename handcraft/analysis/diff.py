"""Compares two programs: the cells that differ, by the names of their lanes, the rules, the sizes.

Rules of this file: lanes are matched by name, not by index, so that a wider slot does not make
every cell differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handcraft.analysis.explain import explain
from handcraft.model import Model

MOST_LISTED = 2**20  # cells of a model that no rule wrote
_Place = tuple[str, str, str, str]  # part, matrix, row, column


@dataclass(frozen=True)
class Difference:
    """The difference of two programs.

    cells       those that differ, each with its part, matrix, row, column, and both values
    rules       those of one program only
    parameters  the sizes of both
    """

    names: tuple[str, str]
    cells: list[dict[str, Any]]
    rules: dict[str, list[str]]
    parameters: dict[str, dict[str, int]]

    def to_json(self) -> dict[str, Any]:
        """The difference as plain data."""
        return {
            "cells": self.cells,
            "rules": self.rules,
            "parameters": self.parameters,
        }


def diff_models(a: Model, b: Model) -> Difference:
    """The difference of model b from model a. A cell that one of them lacks counts as 0 there."""
    cells_a = _cells(a)
    cells_b = _cells(b)
    cells: list[dict[str, Any]] = []
    for place in {**cells_a, **cells_b}:
        value_a = cells_a.get(place, 0.0)
        value_b = cells_b.get(place, 0.0)
        if value_a != value_b:
            named = dict(
                zip(("part", "matrix", "row", "column"), place, strict=True)
            )
            cells.append({**named, "a": value_a, "b": value_b})
    rules_a = _rules(a)
    rules_b = _rules(b)
    rules = {
        "only_a": [rule for rule in rules_a if rule not in rules_b],
        "only_b": [rule for rule in rules_b if rule not in rules_a],
    }
    return Difference(
        (a.name, b.name), cells, rules, {"a": _sizes(a), "b": _sizes(b)}
    )


def _cells(model: Model) -> dict[_Place, float]:
    return {
        (cell.part, cell.matrix, cell.row, cell.column): cell.value
        for cell in explain(model, most=MOST_LISTED).cells
    }


def _rules(model: Model) -> dict[str, None]:
    return dict.fromkeys(
        f"{entry.reason.rule}: {entry.reason.text}" for entry in model.entries
    )


def _sizes(model: Model) -> dict[str, int]:
    return {
        "n_layer": model.n_layer,
        "n_head": model.n_head,
        "n_embd": model.n_embd,
        "n_vocab": len(model.vocabulary),
        "n_ctx": model.n_ctx,
    } | model.parameters
