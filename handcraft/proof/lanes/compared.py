"""Comparisons: whether a key has less of a symbol than the position that asks, the same or more.

    by_comparisons(symbols, form)   a form of pairs that depends on two values by their order alone,
                                    with the comparison in place of both
    sign_of(size)                   the number of the comparison, by the query's value and the key's
    follows(one, other)             what two comparisons in a row make of a third
    compares(symbols, many)         True if a sum over more pairs than that could be one of these

A sum of 64 has 65 values, and it is known beside 64 places: there are 17 million pairs of both. A
condition like "more of it, or as much and further on the left" has 64 * 64 * 3 rows.
Rules of this file: a comparison is of numbers, and stands for a table only where that is the same
for all pairs of values in this order that can be.
"""

from __future__ import annotations

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.symbols import (
    AT_END,
    IS_SAME,
    SIGNS,
    LaneSymbol,
    Symbols,
)


def by_comparisons(symbols: Symbols, form: Form) -> Form:
    """The form with a comparison of each symbol of which no more matters; where tables are kept
    small, and each position sees the whole text.
    """
    if not symbols.few or symbols.causal or symbols.texts is not None:
        return form
    for side, s in form.labels:
        if side == 0 and (1, s) in form.labels and is_compared(symbols, s):
            form = _compared(symbols, form, s)
    return form


def is_compared(symbols: Symbols, s: int) -> bool:
    """True for a number of which several positions may have the same: no index and no rank."""
    symbol = symbols.all[s]
    if s <= AT_END or symbol.first is not None or symbol.everywhere:
        return False
    return symbol.values == tuple(range(len(symbol.values)))


def comparison_of(symbols: Symbols, s: int) -> int:
    """The symbol that compares this one."""
    key = "compared", s
    if key not in symbols.known:
        signs = tuple(int(x) for x in SIGNS)
        symbols.known[key] = symbols.add(LaneSymbol(signs, compares=s))
    found: int = symbols.known[key]
    return found


def sign_of(size: int) -> Array:  # -> [n_value, n_value]
    """The number of the comparison, by the value of the query and that of the key."""
    count = np.arange(size)
    return np.sign(count[None, :] - count[:, None]) + IS_SAME


def follows(one: int, other: int) -> tuple[int, ...]:
    """What the comparison of a and c can be, by the numbers of those of a and b, and of b and c."""
    if IS_SAME in (one, other):
        return (one + other - IS_SAME,)
    return (one,) if one == other else tuple(range(len(SIGNS)))


def compares(symbols: Symbols, many: int) -> bool:
    """True if a sum that is known compares more pairs than that by a number that they hold."""
    for labels, table, _ in symbols.totals:
        both = [s for side, s in labels if side == 0 and (1, s) in labels]
        if table.size > many and any(is_compared(symbols, s) for s in both):
            return True
    return False


def _compared(symbols: Symbols, form: Form, s: int) -> Form:
    """The form with the comparison of a symbol; itself, where it depends on more."""
    numbers, values = form.numbered
    axes = [form.labels.index((side, s)) for side in (0, 1)]
    mask = np.moveaxis(symbols.possible(form.labels), axes, (-2, -1))
    rows = np.moveaxis(numbers, axes, (-2, -1))
    if not mask.any():
        return form
    sign, none = sign_of(len(symbols.all[s].values)), int(rows[mask][0])
    table = np.full((*rows.shape[:-2], len(SIGNS)), none)
    for i in range(len(SIGNS)):
        own = mask & (sign == i)
        low = np.where(own, rows, len(values)).min(axis=(-2, -1))
        high = np.where(own, rows, -1).max(axis=(-2, -1))
        some = own.any(axis=(-2, -1))
        if (some & (low != high)).any():
            return form
        table[..., i] = np.where(some, low, none)
    labels = [x for x in form.labels if x not in ((0, s), (1, s))]
    labels.append((1, comparison_of(symbols, s)))
    order = sorted(range(len(labels)), key=lambda i: labels[i])
    table = np.transpose(table, order)
    return Form.of_numbers(tuple(labels[i] for i in order), table, values)
