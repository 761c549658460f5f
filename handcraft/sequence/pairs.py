"""Evaluates conditions for many pairs of a query and a key position at once.

    PairTruths(columns).truth(condition, start, stop)   which keys each of these queries selects

A condition is true, false or undefined for a pair: two matrices, of which at most one holds. A
comparison with an undefined value is undefined; `&` is false where one side is, `|` true where
one side is, and `~` leaves undefined what is.

A comparison whose sides each read one position needs no Python per pair: its values are
numbered in their order, and the numbers compared. One that mixes both, such as
there(indices) - indices == 1, is computed in whole numbers where they are small. Anything else is
asked once for each pair of different values.

Rules of this file: matrices have shapes [n_text, n_query or 1, n_key or 1] and are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handcraft.sequence.operations import Fields
from handcraft.sequence.values import Value, as_number, combine, token_of

Grid: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
TruthPair: TypeAlias = tuple[Grid, Grid]  # where it is true, where it is false
WholeParts: TypeAlias = tuple[Ints, Grid, int]
COMPARED = ("equal", "below", "precedes")
_FITS = 2**62  # whole numbers below this are added and multiplied as int64


class Readings(Protocol):
    """The columns of some query positions (handcraft.sequence.columns), without importing them."""

    @property
    def texts(self) -> Sequence[Sequence[str]]: ...
    @property
    def n(self) -> int: ...
    @property
    def queries(self) -> Sequence[int]: ...
    @property
    def keys(self) -> Readings: ...
    @property
    def pairs(self) -> PairTruths: ...
    def seen(self, query: int) -> int: ...
    def of(self, e: Any) -> Sequence[Value]: ...
    def computed(
        self, e: Fields, args: Sequence[Sequence[Value]]
    ) -> Sequence[Value]: ...
    def positions(self, e: Fields) -> list[int]: ...


class PairTruths:
    """The conditions of one set of query positions, with all positions as keys."""

    def __init__(self, columns: Readings) -> None:
        self.columns = columns
        self._ranks: dict[int, tuple[Ints, Ints]] = {}
        self._classes: dict[int, tuple[Ints, Ints, Grid, Grid]] = {}
        self._keyed: dict[int, tuple[Any, Sequence[Value]]] = {}
        self._block: tuple[int, int] = (0, 0)
        self._shared: dict[Any, Any] = {}  # of this block of queries

    def truth(self, e: Any, start: int, stop: int) -> TruthPair:
        """Where a condition is true and where it is false, for the queries [start, stop)."""
        found: TruthPair = self._once(self._truth, e, start, stop)
        return found

    def _once(
        self, find: Callable[..., Any], e: Any, start: int, stop: int
    ) -> Any:
        """What is found of a part, kept where it holds what stands in several places."""
        if isinstance(e, int | str) or e.spread == e.size:
            return find(e, start, stop)
        if self._block != (start, stop):
            self._block, self._shared = (start, stop), {}
        shared, key = self._shared, (find.__name__, id(e))
        if key not in shared:
            shared[key] = find(e, start, stop)
        return shared[key]

    def _truth(self, e: Any, start: int, stop: int) -> TruthPair:
        if not isinstance(e, int) and e.op in _JOINED:
            sides = [self.truth(arg, start, stop) for arg in e.args]
            return _JOINED[e.op](*sides)
        if not isinstance(e, int) and e.op in COMPARED:
            return self._comparison(e, start, stop)
        return self._flag(e, start, stop)

    # ------------------------------------------------- sides of a comparison

    def _reads(self, e: Any) -> frozenset[str]:
        """The positions that a part of a condition reads: query, key or both."""
        if isinstance(e, int | str):
            return frozenset()
        if not e.paired:
            return frozenset(["query"])
        if e.op == "there":
            return frozenset(["key"])
        if "reads" not in e.kept:
            sides = map(self._reads, e.args)
            e.kept["reads"] = frozenset[str]().union(*sides)
        found: frozenset[str] = e.kept["reads"]
        return found

    def _column(self, e: Any) -> tuple[Sequence[Value], bool]:
        """The values of a part that reads one position, and True if that is the key's."""
        if "key" in self._reads(e):
            return self._key_column(e), True
        return self.columns.of(e), False

    def _key_column(self, e: Any) -> Sequence[Value]:
        """The values of a part that reads the key position, at every key."""
        keys = self.columns.keys
        if isinstance(e, int | str):
            return keys.of(e)
        if e.op == "there":
            return keys.of(e.args[0])
        if id(e) not in self._keyed:
            args = [self._key_column(arg) for arg in e.args]
            self._keyed[id(e)] = e, keys.computed(e, args)
        return self._keyed[id(e)][1]

    def _comparison(self, e: Fields, start: int, stop: int) -> TruthPair:
        if any(len(self._reads(arg)) > 1 for arg in e.args):
            return self._mixed(e, start, stop)
        a, b = self._ranked(e)
        a = a[:, start:stop] if a.shape[2] == 1 else a
        b = b[:, start:stop] if b.shape[2] == 1 else b
        return _compared(e.op, a, b, (a >= 0) & (b >= 0))

    def _ranked(self, e: Fields) -> tuple[Ints, Ints]:
        """The values of both sides as numbers in their order, -1 where undefined."""
        if id(e) not in self._ranks:
            (a, a_keys), (b, b_keys) = map(self._column, e.args)
            rank = _ranks(e, {*a, *b} - {None})
            self._ranks[id(e)] = (
                self._shaped([rank.get(x, -1) for x in a], a_keys),
                self._shaped([rank.get(x, -1) for x in b], b_keys),
            )
        return self._ranks[id(e)]

    def _mixed(self, e: Fields, start: int, stop: int) -> TruthPair:
        sides = [self._number(arg, start, stop) for arg in e.args]
        if e.op == "precedes" or None in [side and 1 for side in sides]:
            return self._by_classes(e, start, stop)
        (a, a_known, _), (b, b_known, _) = (side for side in sides if side)
        return _compared(e.op, a, b, a_known & b_known)

    def _number(self, e: Any, start: int, stop: int) -> WholeParts | None:
        """A part in whole numbers, where it is defined, and a bound on its size; None if not."""
        found: WholeParts | None = self._once(self._numbers, e, start, stop)
        return found

    def _numbers(self, e: Any, start: int, stop: int) -> WholeParts | None:
        if len(self._reads(e)) < 2:
            return self._whole(e, start, stop)
        if e.op not in _WHOLE:
            return None
        sides = [self._number(arg, start, stop) for arg in e.args]
        found = [side for side in sides if side is not None]
        if len(found) < len(sides):
            return None
        whole = found[0]
        for side in found[1:]:
            whole = _combined(e.op, whole, side)
        return whole if whole[2] < _FITS else None

    # ------------------------------------------------- anything else

    def _flag(self, e: Any, start: int, stop: int) -> TruthPair:
        if len(self._reads(e)) > 1:
            return self._by_classes(e, start, stop)
        column, keys = self._column(e)
        true = self._shaped([x not in (0, None) for x in column], keys)
        false = self._shaped([x == 0 for x in column], keys)
        if not keys:
            true, false = true[:, start:stop], false[:, start:stop]
        return true.astype(bool), false.astype(bool)

    def _shaped(self, values: Sequence[Any], keys: bool) -> Ints:
        """A column as [n_text, 1, n_key] or [n_text, n_query, 1]."""
        array = np.array(values, dtype=np.int64)
        n_text = len(self.columns.texts)
        if keys:
            return array.reshape(n_text, 1, self.columns.n)
        return array.reshape(n_text, len(self.columns.queries), 1)

    def _whole(self, e: Any, start: int, stop: int) -> WholeParts | None:
        """A part that reads one position in whole numbers; None where it has others."""
        column, keys = self._column(e)
        if not all(x is None or isinstance(x, int) for x in column):
            return None
        size = max((abs(x) for x in column if isinstance(x, int)), default=0)
        if size >= _FITS:
            return None
        known = self._shaped([x is not None for x in column], keys).astype(bool)
        numbers = self._shaped([x or 0 for x in column], keys)
        if not keys:
            known, numbers = known[:, start:stop], numbers[:, start:stop]
        return numbers, known, size

    def _by_classes(self, e: Fields, start: int, stop: int) -> TruthPair:
        """The truth of a part, asked once for each pair of different values."""
        if id(e) not in self._classes:
            self._classes[id(e)] = self._asked(e)
        query, key, true, false = self._classes[id(e)]
        rows, columns = query[:, start:stop, None], key[:, None]
        return true[rows, columns], false[rows, columns]

    def _asked(self, e: Fields) -> tuple[Ints, Ints, Grid, Grid]:
        here = _leaves(e, "query")
        there = _leaves(e, "key")
        n_text, n_query = len(self.columns.texts), len(self.columns.queries)
        queries, query = _classes(
            [self.columns.of(x) for x in here], (n_text, n_query)
        )
        keys, key = _classes(
            [self._key_column(x) for x in there], (n_text, self.columns.n)
        )
        found = np.array(
            [
                [
                    _as_truth(_value(e, _known(here, q) | _known(there, k)))
                    for k in keys
                ]
                for q in queries
            ],
            dtype=np.int8,
        ).reshape(len(queries), len(keys))
        return query, key, found == 1, found == 0


def _leaves(e: Any, side: str) -> list[Any]:
    """The largest parts of a condition that read the query position, or the key position."""
    found: dict[int, Any] = {}
    done = set[int]()
    waiting = [e]
    while waiting:
        part = waiting.pop()
        if isinstance(part, int | str) or id(part) in done:
            continue
        done.add(id(part))
        if not part.paired or part.op == "there":
            if (side == "key") == part.paired:
                found[id(part)] = part
        else:
            waiting.extend(part.args)
    return [*found.values()]


def _known(leaves: Sequence[Any], values: Sequence[Value]) -> dict[int, Value]:
    return {id(leaf): value for leaf, value in zip(leaves, values, strict=True)}


def _value(e: Any, known: dict[int, Value]) -> Value:
    """The value of a part of a condition where the values of its leaves are known."""
    if isinstance(e, int | str):
        return e
    if id(e) not in known:
        known[id(e)] = combine(e, [_value(arg, known) for arg in e.args])
    return known[id(e)]


def _as_truth(value: Value) -> int:
    return -1 if value is None else int(value != 0)


def _classes(
    columns: Sequence[Sequence[Value]], shape: tuple[int, int]
) -> tuple[list[tuple[Value, ...]], Ints]:
    """The different rows of some columns, and which of them each position of a text has."""
    n = shape[0] * shape[1]
    rows = list(zip(*columns, strict=True)) if columns else [()] * n
    numbers: dict[tuple[Value, ...], int] = {}
    which = [numbers.setdefault(row, len(numbers)) for row in rows]
    return list(numbers), np.array(which, dtype=np.int64).reshape(shape)


def _ranks(e: Fields, values: set[Any]) -> dict[Any, int]:
    """A number for each value; of `below` and `precedes` in their order."""
    ordered: Iterable[Any] = values
    if e.op != "equal":
        kind = as_number if e.op == "below" else token_of
        ordered = sorted(kind(e, value) for value in values)
    return {value: rank for rank, value in enumerate(ordered)}


def _combined(op: str, a: WholeParts, b: WholeParts) -> WholeParts:
    """Two parts in whole numbers as one; from _FITS on its numbers are not to be used."""
    size = a[2] * b[2] if op == "multiply" else a[2] + b[2]
    known, other = a[1] & b[1], b[0]
    if op in ("divide", "modulo"):
        known, other = known & (other != 0), np.where(other == 0, 1, other)
    return _WHOLE[op](a[0], other), known, size


def _compared(op: str, a: Ints, b: Ints, known: Grid) -> TruthPair:
    holds = a == b if op == "equal" else a < b
    return holds & known, ~holds & known


_WHOLE: Mapping[str, Callable[[Ints, Ints], Ints]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.floor_divide,
    "modulo": np.mod,
    "least": np.minimum,
    "greatest": np.maximum,
}
_JOINED: Mapping[str, Callable[..., TruthPair]] = {
    "both": lambda a, b: (a[0] & b[0], a[1] | b[1]),
    "either": lambda a, b: (a[0] | b[0], a[1] & b[1]),
    "negate": lambda a: (a[1], a[0]),
}
