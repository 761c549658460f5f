"""Provenance: for each cell of each matrix the rule that wrote it, its text, and the author's
file and line.

Rules of this file: a cell may have several entries (two heads may add to one bias); their
values sum to the weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reason:
    """Why a cell is what it is: the rule, its text, and where its author wrote it."""

    rule: str
    text: str
    source: str


@dataclass(frozen=True)
class Entry:
    """What one rule wrote into one cell. A bias [n] counts as the one row 0 of a matrix [1, n]."""

    matrix: str
    row: int
    column: int
    value: float
    reason: Reason


def provenance_json(entries: Iterable[Entry]) -> dict[str, Any]:
    """The rules once each, and for each matrix its cells as [row, column, value, index of the
    rule].
    """
    entries = tuple(entries)
    reasons = {
        reason: i
        for i, reason in enumerate(dict.fromkeys(entry.reason for entry in entries))
    }
    cells: dict[str, list[list[float]]] = {}
    for entry in entries:
        cells.setdefault(entry.matrix, []).append(
            [entry.row, entry.column, entry.value, reasons[entry.reason]]
        )
    return {"rules": [vars(reason) for reason in reasons], "cells": cells}
