"""Tables of pairs that are too large to be widened at once, looked at end by end.

    by_end(symbols, form)           a form with the end of the prompt beside its labels, without the
                                    symbols of keys that this and the index of the key decide
    key_values(symbols, keys, s)    which values of a symbol a key can have, by the end

Where a prompt ends says which token a key at some index has: that `?` is the last but one, and is
nowhere else. So a table that asks keys whether they are `?` asks for their index.
Rules of this file: more pairs may be looked at than there can be, never fewer.
"""

from __future__ import annotations

from math import prod

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.lanes.forms import Form, less_axis
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    MOST_TABLE_ROWS,
    Labels,
    Symbols,
    spread,
)

_ENDS, _PLACES = (0, AT_END), (1, AT_INDEX)


def by_end(symbols: Symbols, form: Form) -> Form:
    """The same form of whole numbers over fewer symbols of keys; the form itself where no symbol of
    keys is decided so, or a table would be too large.
    """
    for label in sorted(form.labels, reverse=True):
        if label[0] == 1 and label != _PLACES and _PLACES in form.labels:
            found = _without(symbols, form, label)
            form = form if found is None else found
    return form


def _without(
    symbols: Symbols, form: Form, label: tuple[int, int]
) -> Form | None:
    """The form without a symbol of keys, if it depends on it in no text."""
    labels = tuple(x for x in form.labels if x not in (label, _ENDS))
    keys = tuple(x for x in form.labels if x[0] == 1)
    wide = tuple(sorted({*labels, _ENDS}))
    known = tuple(sorted({_ENDS, *keys}))
    sizes = [len(symbols.all[s].values) for _, s in wide]
    if max(prod(sizes), _rows(symbols, known)) > MOST_TABLE_ROWS:
        return None
    mask = np.moveaxis(symbols.possible(known), known.index(_ENDS), 0)
    found = []
    for end, can in enumerate(mask):
        table, own = np.asarray(form.table), form.labels
        if _ENDS in own:
            table = table.take(end, axis=own.index(_ENDS))
            own = tuple(x for x in own if x != _ENDS)
        there = np.broadcast_to(spread(can, keys, own), table.shape)
        fewer = less_axis(
            np.asarray(table, dtype=np.int64), there, own.index(label)
        )
        if fewer is None:
            return None
        found.append(fewer[0])
    return Form(wide, np.stack(found, axis=wide.index(_ENDS)))


def key_values(symbols: Symbols, keys: Labels, symbol: int) -> Array | None:
    """[n_end, n_key, n_value] True for what a key can have; None where that is too much."""
    if (1, symbol) in keys:
        return None
    wide = tuple(sorted({_ENDS, *keys, (1, symbol)}))
    if symbols.texts is None or _rows(symbols, wide) > MOST_TABLE_ROWS:
        return None
    mask = symbols.possible(wide)
    order = [wide.index(x) for x in (_ENDS, *keys, (1, symbol))]
    mask = np.transpose(mask, order)
    return mask.reshape(len(mask), -1, mask.shape[-1])


def _rows(symbols: Symbols, labels: Labels) -> int:
    return prod(len(symbols.all[s].values) for _, s in labels)
