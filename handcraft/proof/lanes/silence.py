"""After how many contexts a claim says something, counted without listing them.

    spoken_contexts(symbols, form)   that number; None where it is not counted here

Contexts begin with any token and end at any index. A claim may be silent by the index and the last
token, and because one choice selects no position. That choice is counted where each position is
selected by one token of the context: then none is selected if each place has one of the tokens
that are left to it, and the number of such contexts is a product.
Rules of this file: the number is exact, or there is none.
"""

from __future__ import annotations

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.forms import Form, as_objects, collapsed
from handcraft.proof.lanes.levels import LevelTable
from handcraft.proof.lanes.symbols import (
    AT_INDEX,
    AT_TOKEN,
    Labels,
    Nowhere,
    Symbols,
    spread,
)

_OWN: Labels = ((0, AT_TOKEN), (0, AT_INDEX))
_MOST_COUNTED = 20_000_000  # steps of one count


def spoken_contexts(symbols: Symbols, form: Form) -> int | None:
    """After how many contexts the form is not None."""
    says = collapsed(
        symbols,
        Form(
            form.labels,
            as_objects([x is not None for x in form.table.reshape(-1)]).reshape(
                form.table.shape
            ),
        ),
    )
    others = tuple(x for x in says.labels if x not in _OWN)
    choices = {symbols.all[s].choice for _, s in others}
    if not others:
        found = _by_own(symbols, says.labels, says.table)
        return int((found * _ways(symbols)).sum())
    if None in choices or len({x[0] for x in choices if x is not None}) > 1:
        return None
    there, gone = (_with(symbols, says, others, nowhere=x) for x in (0, 1))
    if there is None or gone is None:
        return None
    choice = symbols.known["levels", symbols.all[others[0][1]].choice[0]]  # type: ignore[index]
    none = contexts_without(choice)
    if none is None:
        return None
    whole = _ways(symbols)
    return int((there * (whole - none) + gone * none).sum())


def _ways(symbols: Symbols) -> Array:  # -> [n_index, n_token] of objects
    """How many contexts end at each index with each token."""
    size = len(symbols.alphabet)
    return np.array(
        [[size**i] * size for i in range(symbols.n)], dtype=object
    ).reshape(symbols.n, size)


def _by_own(symbols: Symbols, labels: Labels, table: Array) -> Array:
    """[n_index, n_token] a table over some of the last token and its index, as 0 and 1."""
    shape = symbols.shape(_OWN)
    whole = np.broadcast_to(spread(table, labels, _OWN), shape)
    return np.array(whole.astype(bool).T.astype(int), dtype=object)


def _with(
    symbols: Symbols, says: Form, others: Labels, *, nowhere: int
) -> Array | None:
    """[n_index, n_token] where something is said, if the choice selects none, or else one; None
    where that depends on what it selects.
    """
    mask = symbols.possible(says.labels)
    table: Array = says.table.astype(bool)
    labels = says.labels
    for label in others:
        axis = labels.index(label)
        symbol = symbols.all[label[1]]
        none = Nowhere(*symbol.choice) if symbol.choice else None
        kept = [
            i for i, x in enumerate(symbol.values) if (x == none) == nowhere
        ]
        table, mask = table.take(kept, axis), mask.take(kept, axis)
        some: Array = np.array((table & mask).any(axis))
        if (some & ~(table | ~mask).all(axis)).any():
            return None
        table, mask = some, np.array(mask.any(axis))
        labels = (*labels[:axis], *labels[axis + 1 :])
    return _by_own(symbols, labels, table)


def contexts_without(choice: LevelTable) -> Array | None:
    """[n_index, n_token] of objects: how many contexts that end at an index with a token have no
    position that the choice selects; None where that is not counted here.
    """
    symbols = choice.symbols
    read = [x for x in choice.keys if x[1] != AT_INDEX]
    if not set(choice.queries) <= set(_OWN) or len(read) > 1:
        return None
    if not read:
        return _without_any(choice)
    places = _places(choice, read)
    if places is None:
        return None
    chosen = _chosen(choice, read)  # [n_token, n_index or 1, n_key, n_value]
    n, size = symbols.n, len(symbols.alphabet)
    if chosen.shape[1] > 1 and n * chosen.size > _MOST_COUNTED:
        return None
    found = [
        _without(symbols, chosen[t], places, t) for t in range(len(chosen))
    ]
    if len(found) < size:
        return None
    return np.array(found, dtype=object).reshape(size, n).T


def _without_any(choice: LevelTable) -> Array:
    """The same where a key is selected by its index alone."""
    symbols = choice.symbols
    wide = (*_OWN, (1, AT_INDEX))
    levels = choice.levels.reshape(symbols.shape(choice.labels))
    shape = symbols.shape(_OWN)
    table = spread(levels >= 0, choice.labels, wide)
    index = np.arange(symbols.n)
    seen = table & (index[None, None] <= index[None, :, None])
    none = np.broadcast_to(~seen.any(axis=2), shape)
    return _by_own(symbols, _OWN, none) * _ways(symbols)


def _places(choice: LevelTable, read: list[tuple[int, int]]) -> Array | None:
    """[n_index] the place of the context whose token decides on a key, -1 for none; None where
    there is no such place.
    """
    symbols = choice.symbols
    index = np.arange(symbols.n)
    if read[0][1] == AT_TOKEN:
        return index
    reads = symbols.all[read[0][1]].choice
    if reads is None or reads[1] != AT_TOKEN:
        return None
    place = symbols.known["levels", reads[0]].certain(AT_INDEX)
    if place is None or not set(place.labels) <= {(0, AT_INDEX)}:
        return None
    own = np.broadcast_to(place.table, (symbols.n,)).tolist()
    return np.array([-1 if isinstance(x, Nowhere) else x for x in own])


def _chosen(choice: LevelTable, read: list[tuple[int, int]]) -> Array:
    """[n_token, n_index or 1, n_key, n_token + 1] True where a query with this token and index
    selects a key with this index, if the token that decides is that one, or last if there is none.
    """
    symbols = choice.symbols
    n, size = symbols.n, len(symbols.alphabet)
    wide = (*_OWN, (1, AT_INDEX), *read)
    levels = choice.levels.reshape(symbols.shape(choice.labels))
    table = spread(levels >= 0, choice.labels, wide)
    values = symbols.all[read[0][1]].values
    steps = table.shape[1]
    shape = size, steps, n, table.shape[3]
    whole = np.broadcast_to(table, shape)
    out = np.zeros((size, steps, n, size + 1), dtype=bool)
    numbers = {x: i for i, x in enumerate(symbols.alphabet)}
    for i, x in enumerate(values):
        at = size if isinstance(x, Nowhere) else numbers[x]
        out[..., at] = whole[..., i]
    return out


def _without(
    symbols: Symbols, chosen: Array, places: Array, token: int
) -> list[int]:
    """[n_index] how many contexts that end with this token have no position that is selected."""
    found = []
    left = _Left(symbols, token)
    for i in range(symbols.n):
        if len(chosen) > 1:  # another condition at each index
            left = _Left(symbols, token)
            for k in range(i + 1):
                left.without(places[k], chosen[i, k])
        else:
            left.without(places[i], chosen[0, i])
        found.append(left.contexts(i))
    return found


class _Left:
    """The tokens that are left to each place of a context."""

    def __init__(self, symbols: Symbols, token: int) -> None:
        self.size = len(symbols.alphabet)
        self.token = token
        self.left: dict[int, Array] = {}
        self.never = False
        self.last = -1  # of these places
        self.product = 1  # of the places that have fewer tokens left

    def without(self, place: int, selected: Array) -> None:
        """Leave out the tokens by which a key is selected: `selected`, last if there is none."""
        if place < 0:
            self.never |= bool(selected[-1])
            return
        after = ~selected[:-1]
        if (before := self.left.get(place)) is not None:
            after = after & before
            # 0 stays 0: a place that has none left never gets one
            self.product //= max(1, int(before.sum()))
        self.product *= int(after.sum())
        self.left[place] = after
        self.last = max(self.last, place)

    def contexts(self, index: int) -> int:
        """How many contexts that end at this index with the token there are."""
        if self.never:
            return 0
        if self.last > index:
            raise Rejected("a context is decided by what stands behind it")
        own = self.left.get(index)
        if own is not None and not own[self.token]:
            return 0
        last = 1 if own is None else int(own.sum())
        free = self.size ** (index - len(self.left) + (own is not None))
        return self.product // last * free
