"""Symbols of a proof by lanes, on a text: what they stand for, computed by the plain definition.

A text of a claim on prompts is what stands behind its first token, if all begin with the same one,
and `end` is the index of the last token of its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.symbols import (
    AT_END,
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

    def __init__(
        self, symbols: Symbols, text: Sequence[str], end: int | None = None
    ) -> None:
        self.symbols = symbols
        self.text = text
        self.whole = {AT_LENGTH: len(text)} if end is None else {AT_END: end}
        self._known: dict[tuple[int, int], Any] = {}

    def at(self, symbol: int, q: int) -> Any:
        """The value of a symbol at a position."""
        if symbol in (AT_TOKEN, AT_INDEX):
            return self.text[q] if symbol == AT_TOKEN else q
        if self.symbols.all[symbol].everywhere and symbol in self.whole:
            return self.whole[symbol]
        if (symbol, q) not in self._known:
            self._known[symbol, q] = self._computed(symbol, q)
        return self._known[symbol, q]

    def seen(self, q: int) -> range:
        """The positions that one sees."""
        return range(q + 1 if self.symbols.causal else len(self.text))

    def _computed(self, symbol: int, q: int) -> Any:
        known = self.symbols.all[symbol]
        if ("classes", symbol) in self.symbols.known:
            labels, classes = self.symbols.known["classes", symbol]
            return self._entry(labels, classes, q, q)
        if (placed := self.symbols.known.get(("reads", symbol))) is not None:
            ends = self.symbols.texts.ends  # type: ignore[union-attr]
            at = int(placed.places[ends.index(self.whole[AT_END]), q])
            return Nowhere(placed.number, 0) if at < 0 else self.text[at]
        if known.choice is None:
            labels, weights = self.symbols.known["weights", symbol]
            return sum(self._entry(labels, weights, q, k) for k in self.seen(q))
        number, read = known.choice
        levels = self.symbols.known["levels", number]
        table = levels.levels.reshape(self.symbols.shape(levels.labels))
        best, at = -1, None
        for k in self.seen(q):
            level = self._entry(levels.labels, table, q, k)
            if level > best:
                best, at = level, k
        return Nowhere(number, read) if at is None else self.at(read, at)

    def _entry(self, labels: Labels, table: Array, q: int, k: int) -> int:
        return int(table[tuple(self.place(x, q, k) for x in labels)])

    def place(self, label: AxisLabel, q: int, k: int = 0) -> int:
        """The place of a label's value in the tables."""
        side, symbol = label
        if (compared := self.symbols.all[symbol].compares) is not None:
            mine, other = self.at(compared, q), self.at(compared, k)
            value = (mine < other) - (other < mine)
        else:
            value = self.at(symbol, q if side == 0 else k)
        return self.symbols.all[symbol].values.index(value)

    def row(self, labels: Labels, q: int) -> tuple[int, ...]:
        """The row of a table at a position."""
        return tuple(self.place(label, q) for label in labels)

    def table(self, form: Form, q: int) -> Any:
        """The value of a form at a position."""
        return form.table[self.row(form.labels, q)]


def off(found: Any, wanted: Any, radius: Any) -> bool:
    """True if a number is farther from another one than a radius, and a little."""
    return bool(np.abs(found - wanted) > radius * (1 + 1e-9) + 1e-12)
