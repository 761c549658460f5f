"""What is found at the keys of a table, as another symbol that is the same wherever it counts.

    alike(symbols, labels, table, counts, nothing)   a table of pairs, with the oldest such symbols

A claim keeps what it counts to a part of the text, a model may go on behind it. Two such symbols
differ where nobody looks: a table that does not depend on them there can be read with either.
Rules of this file: that they are the same at all other places is checked on what defines them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    MOST_TABLE_ROWS,
    Labels,
    Nowhere,
    Symbols,
    spread,
)


def alike(
    symbols: Symbols, labels: Labels, table: Array, counts: Array, nothing: int
) -> tuple[Labels, Array]:
    """The same table with the oldest symbols of keys that are the same where `counts` is True.

    counts  [n_end, n_index] at which places of keys the table depends on what is found there
    """
    for side, symbol in labels:
        if side == 0 or symbol <= AT_END:
            continue
        for other in range(AT_END + 1, symbol):
            if symbols.all[other].asked or (1, other) in labels:
                continue
            if _same(symbols, symbol, other, counts):
                labels, table = _replaced(
                    symbols, labels, table, (symbol, other), nothing
                )
                break
    return labels, table


def older_of(symbols: Symbols, symbol: int, counts: Array) -> int | None:
    """The oldest symbol that is the same at places where `counts` is True; None without one."""
    for other in range(AT_END + 1, symbol):
        if not symbols.all[other].asked and _same(
            symbols, symbol, other, counts
        ):
            return other
    return None


def as_value_of(symbols: Symbols, symbol: int) -> dict[Any, Any]:
    """The values of a symbol, by what those of one that is the same have in common with them."""
    return {value_key(x): x for x in symbols.all[symbol].values}


def _replaced(
    symbols: Symbols,
    labels: Labels,
    table: Array,
    pair: tuple[int, int],
    nothing: int,
) -> tuple[Labels, Array]:
    symbol, other = pair
    axis = labels.index((1, symbol))
    place = {value_key(x): i for i, x in enumerate(symbols.all[symbol].values)}
    found = [place.get(value_key(x), -1) for x in symbols.all[other].values]
    rows = np.moveaxis(table, axis, 0)
    new = np.stack(
        [rows[i] if i >= 0 else np.full(rows.shape[1:], nothing) for i in found]
    )
    kept = [x for x in labels if x != (1, symbol)]
    old = ((1, other), *kept)
    wide = tuple(sorted(old))
    return wide, np.transpose(new, [old.index(x) for x in wide])


def value_key(value: Any) -> Any:
    """A value, as those of two symbols are compared."""
    if isinstance(value, Nowhere):
        return "nowhere", value.read
    return type(value) is str, value


def _same(symbols: Symbols, a: int, b: int, counts: Array) -> bool:
    """True if two symbols are the same at all of these places."""
    key = "same", a, b, counts.tobytes()
    if key not in symbols.known:
        symbols.known[key] = _compared(symbols, a, b, counts)
    return bool(symbols.known[key])


def _compared(symbols: Symbols, a: int, b: int, counts: Array) -> bool:
    one, other = _definition(symbols, a), _definition(symbols, b)
    if one is None or other is None or one[0] != other[0]:
        return False
    (_, labels, table), (_, others, second) = one, other
    place = ((0, AT_END), (0, AT_INDEX))
    wide = tuple(sorted({*labels, *others, *place, (1, AT_INDEX)}))
    shape = tuple(len(symbols.all[s].values) for _, s in wide)
    if np.prod(shape, dtype=np.float64) > MOST_TABLE_ROWS:
        return False
    with symbols.of_asked(False):
        mask = symbols.possible(wide) & spread(counts, place, wide)
    x, y = spread(table, labels, wide), spread(second, others, wide)
    return bool((np.broadcast_to(x == y, shape) | ~mask).all())


def _definition(
    symbols: Symbols, symbol: int
) -> tuple[Any, Labels, Array] | None:
    """What a total or a choice is made of at any position; None for any other symbol."""
    if (weights := symbols.known.get(("weights", symbol))) is not None:
        return "total", *weights
    if (chosen := symbols.all[symbol].choice) is not None:
        levels: Any = symbols.known["levels", chosen[0]]
        return ("choice", chosen[1]), *levels.kept[:2]
    return None
