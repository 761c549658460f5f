"""Records which rule wrote each cell of each matrix, with the rule's text, file and line.

Rules of this file: a cell may have several entries (two heads may add to one bias); their values
sum to the weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reason:
    """The rule that wrote a cell: its path in the program, its text, and its file and line."""

    rule: str
    text: str
    source: str


@dataclass(frozen=True)
class Entry:
    """The value one rule wrote into one cell. A bias [n] counts as a matrix [1, n]."""

    matrix: str
    row: int
    column: int
    value: float
    reason: Reason


def provenance_json(entries: Iterable[Entry]) -> dict[str, Any]:
    """The entries as plain data: each rule once, and the cells of each matrix.

    A cell is [row, column, value, index of the rule].
    """
    entries = tuple(entries)
    reasons = list(dict.fromkeys(entry.reason for entry in entries))
    index = {reason: i for i, reason in enumerate(reasons)}
    cells: dict[str, list[list[float]]] = {}
    for entry in entries:
        cell = [entry.row, entry.column, entry.value, index[entry.reason]]
        cells.setdefault(entry.matrix, []).append(cell)
    return {"rules": [vars(reason) for reason in reasons], "cells": cells}
