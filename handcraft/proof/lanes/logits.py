"""The least margin of a claim, from the lanes that the logits are made of.

    LogitRows(symbols, floats, lanes, w, labels)   the logits of each row, some rows at a time
    margin_of(model, logits, form)                 by how much the right token is ahead, at least

A vocabulary times the rows of all symbols is a large table, of which one number is asked for. So a
block of rows is computed, looked at and let go.
Rules of this file: each row that a position can have is in one block; rows that no position can
have are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.proof.checker.zonotope import UP, Floats, Rejected, Zonotope
from handcraft.proof.lanes.derived import count_rows
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.numbers import (
    LaneNumbers,
    at_rows,
    errors_of,
    in_blocks,
)
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    MOST_TABLE_ROWS,
    TOLD_LESS,
    Labels,
    Symbols,
    TooManyRows,
    spread,
)

_MOST_READ = 32 * MOST_TABLE_ROWS  # numbers of all blocks together
_SILENT, _NO_TOKEN = -1, -2


@dataclass(frozen=True, eq=False)
class LogitRows:
    """The logits at a position, a row for each values of the labels.

    lanes  those that are read
    w      [n_lane, n_vocab]
    """

    symbols: Symbols
    floats: Floats
    lanes: Sequence[LaneNumbers]
    w: Array
    labels: Labels

    def blocks(
        self, rows: Array
    ) -> Iterator[tuple[Array, Zonotope]]:  # [n_row] -> [n], [n, n_vocab]
        """Some of these rows, and their logits, until there are none left."""
        errors = errors_of(self.lanes)
        wide = max(self.w.shape) * (len(errors) + 2)
        if len(rows) * wide > _MOST_READ:
            raise TooManyRows("what is read together has too many rows")
        for some in in_blocks(rows, wide):
            read = at_rows(self.symbols, self.lanes, self.labels, some)
            none = np.zeros(self.w.shape[1])
            yield some, self.floats.linear(read, self.w, none)


def margin_of(
    model: Model, logits: LogitRows, form: Form
) -> tuple[float, float, bool]:
    """The least margin of the right token, which the form is, the greatest error of a difference,
    and whether the claim may be silent. Raises Rejected, and TooManyRows where more would be known
    of fewer prompts.
    """
    if 1 in form.sides:
        raise Rejected("the claim reads a key position")
    places_told, possible = _that_can_be(logits.symbols, logits.labels)
    right = _right(model, logits.symbols, form, logits.labels)
    asked = possible & (right != _SILENT)
    if (right[asked] == _NO_TOKEN).any():
        raise Rejected("the claim may ask for what is no token")
    if not asked.any():
        raise Rejected("the claim is silent on every context")
    found = [
        _margin(some, right[rows])
        for rows, some in logits.blocks(np.flatnonzero(asked))
    ]
    least = float(np.min([x for x, _ in found]))  # nor where it is no number
    error = float(np.max([x for _, x in found]))
    if not least > 0:
        why = f"the margin may be {least:.6g}"
        if places_told and TOLD_LESS not in logits.symbols.known:
            raise Rejected(why)
        raise TooManyRows(why)
    return least, error, bool((possible & ~asked).any())


def _that_can_be(symbols: Symbols, labels: Labels) -> tuple[bool, Array]:
    """True for the rows [n_row] that a position can have: at some place of a text, where that is
    little enough, which is said too. Two choices of one place read the same there, though no label
    says which place it is.
    """
    wide = tuple(sorted({*labels, (0, AT_END), (0, AT_INDEX)}))
    if symbols.texts is None:
        return True, symbols.possible(labels).reshape(-1)
    if count_rows(symbols, wide) > MOST_TABLE_ROWS:
        return False, symbols.possible(labels).reshape(-1)
    gone = tuple(i for i, x in enumerate(wide) if x not in labels)
    return True, symbols.possible(wide).any(axis=gone).reshape(-1)


def _right(
    model: Model, symbols: Symbols, form: Form, labels: Labels
) -> Array:  # -> [n_row]
    """The id of the right token by row."""
    ids = model.vocabulary.ids
    numbers, values = form.numbered
    tokens = [
        _SILENT
        if x is None
        else ids.get(x, _NO_TOKEN)
        if isinstance(x, str)
        else _NO_TOKEN
        for x in values
    ]
    right = np.array(tokens, dtype=np.int64)[numbers]
    own = spread(right, form.labels, labels)
    return np.broadcast_to(own, symbols.shape(labels)).reshape(-1)


def _margin(logits: Zonotope, right: Array) -> tuple[float, float]:
    """The least margin over all rows, and the greatest error of it."""
    rows = np.arange(len(right))
    apart = logits.c[rows, right][:, None] - logits.c
    own = logits.r + logits.r[rows, right][:, None]
    shared = np.abs(logits.g[rows, right][:, None] - logits.g).sum(axis=2)
    error = (own + shared) * UP + np.abs(apart) * 2.0**-50
    margin = apart - error - (np.abs(logits.c) + np.abs(apart)) * 2.0**-50
    others = np.ones(margin.shape, dtype=bool)
    others[rows, right] = False
    if not others.any():
        raise Rejected("there is a single token")
    return float(margin[others].min()), float(error[others].max())
