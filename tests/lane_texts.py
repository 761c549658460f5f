"""Symbols of a proof by lanes, on a text: what they stand for, computed by the plain definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AT_LENGTH,
    AT_TOKEN,
    AxisLabel,
    Labels,
    Nowhere,
    Symbols,
)


class OnText:
    """The values of symbols at each position of one text."""

    def __init__(self, symbols: Symbols, text: str) -> None:
        self.symbols = symbols
        self.text = text
        self._known: dict[int, list[Any]] = {
            AT_TOKEN: list(text),
            AT_INDEX: list(range(len(text))),
        }
        if not symbols.causal:
            self._known[AT_LENGTH] = [len(text)] * len(text)

    def of(self, symbol: int) -> list[Any]:
        """The values of a symbol."""
        if symbol not in self._known:
            self._known[symbol] = self._computed(symbol)
        return self._known[symbol]

    def seen(self, q: int) -> range:
        """The positions that one sees."""
        return range(q + 1 if self.symbols.causal else len(self.text))

    def _computed(self, symbol: int) -> list[Any]:
        known = self.symbols.all[symbol]
        if known.choice is None:
            labels, weights = self._weights(symbol)
            return [
                sum(self._entry(labels, weights, q, k) for k in self.seen(q))
                for q in range(len(self.text))
            ]
        number, read = known.choice
        levels = self.symbols.known["levels", number]
        table = levels.levels.reshape(self.symbols.shape(levels.labels))
        found: list[Any] = []
        for q in range(len(self.text)):
            best, at = -1, None
            for k in self.seen(q):
                level = self._entry(levels.labels, table, q, k)
                if level > best:
                    best, at = level, k
            none = Nowhere(number, read)
            found.append(none if at is None else self.of(read)[at])
        return found

    def _weights(self, symbol: int) -> tuple[Labels, Array]:
        for labels, weights, form in self.symbols.known["totals"]:
            if form.labels == ((0, symbol),):
                return labels, weights
        raise AssertionError(symbol)

    def _entry(self, labels: Labels, table: Array, q: int, k: int) -> int:
        return int(table[tuple(self.place(x, q, k) for x in labels)])

    def place(self, label: AxisLabel, q: int, k: int = 0) -> int:
        """The place of a label's value in the tables."""
        side, symbol = label
        value = self.of(symbol)[q if side == 0 else k]
        return self.symbols.all[symbol].values.index(value)

    def row(self, labels: Labels, q: int) -> tuple[int, ...]:
        """The row of a table at a position."""
        return tuple(self.place(label, q) for label in labels)


def off(found: Any, wanted: Any, radius: Any) -> bool:
    """True if a number is farther from another one than a radius, and a little."""
    return bool(np.abs(found - wanted) > radius * (1 + 1e-9) + 1e-12)
