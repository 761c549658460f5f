"""A condition on two positions as a table of truth over their classes, and as products.

    TruthTable    for each class of keys and of queries, whether one selects the other
    table_of_two  the table of two tables: of both, or of either

At a position one class is 1 and the others are 0, so a table of truth is a sum of products: of the
classes that a query wants, times those that a key has. Rules of this file: the classes of a side
are all there are; what has none of the others is a class too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from handcraft.language.affine import Affine

# a query and a key, whose product is a part of the score
Product = tuple[Affine, Affine]
ALWAYS = Affine.of({}, 1.0)


@dataclass(frozen=True)
class TruthTable:
    """A table: whether a query of one class selects a key of another.

    keys, queries  expressions, of which one is 1 at a position and the others are 0
    holds          for each key class and each query class
    """

    keys: tuple[Affine, ...]
    queries: tuple[Affine, ...]
    holds: tuple[tuple[bool, ...], ...]  # [n_keys][n_queries]

    def pairs(self) -> tuple[Product, ...]:
        """Products that sum to 1 where it holds, and to 0 elsewhere: as few as either side has
        different rows.
        """
        by_key = _grouped(self.keys, self.holds)
        by_query = _grouped(self.queries, tuple(zip(*self.holds, strict=True)))
        if len(by_key) <= len(by_query):
            return tuple(
                (_sum_of(self.queries, row), key) for row, key in by_key
            )
        return tuple(
            (query, _sum_of(self.keys, row)) for row, query in by_query
        )

    def opposite(self) -> TruthTable:
        """The table that holds where this one does not."""
        return TruthTable(
            self.keys,
            self.queries,
            tuple(tuple(not x for x in row) for row in self.holds),
        )

    def never(self) -> bool:
        """True if it holds nowhere."""
        return not any(map(any, self.holds))


def _grouped(
    classes: tuple[Affine, ...], holds: Iterable[tuple[bool, ...]]
) -> list[tuple[tuple[bool, ...], Affine]]:
    """The classes with equal rows as one, without those that hold nowhere."""
    found: dict[tuple[bool, ...], Affine] = {}
    for lane, row in zip(classes, holds, strict=True):
        if any(row):
            found[row] = found[row].plus(lane) if row in found else lane
    return list(found.items())


def _sum_of(classes: tuple[Affine, ...], row: tuple[bool, ...]) -> Affine:
    total = Affine()
    for lane, wanted in zip(classes, row, strict=True):
        if wanted:
            total = total.plus(lane)
    return total


def table_of_two(
    a: TruthTable | None,
    b: TruthTable | None,
    join: Callable[[bool, bool], bool],
) -> TruthTable | None:
    """The table of two, where each side has the same classes in both, or none in one."""
    if a is None or b is None:
        return None
    keys = _common(a.keys, b.keys)
    queries = _common(a.queries, b.queries)
    if keys is None or queries is None:
        return None

    def held(truth: TruthTable, k: int, q: int) -> bool:
        row = truth.holds[0 if len(truth.keys) == 1 else k]
        return row[0 if len(truth.queries) == 1 else q]

    return TruthTable(
        keys,
        queries,
        tuple(
            tuple(
                join(held(a, k, q), held(b, k, q)) for q in range(len(queries))
            )
            for k in range(len(keys))
        ),
    )


def _common(
    a: tuple[Affine, ...], b: tuple[Affine, ...]
) -> tuple[Affine, ...] | None:
    if a == b or len(b) == 1:
        return a
    return b if len(a) == 1 else None
