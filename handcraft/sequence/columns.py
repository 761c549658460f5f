"""Evaluates an expression at every position of a text, each of its nodes once.

    at_every_position(e, tokens)   its value at each position
    at_last_position(e, tokens)    its value at the last one, asking the others only where needed

The values of one node are a column: one value for each query position. What stands inside a
`there` has a column over the key positions; the conditions that compare the two are matrices
(handcraft.sequence.pairs), and a selection reads its rows (handcraft.sequence.selecting).

Rules of this file: what a single value means is said in handcraft.sequence.evaluate alone.
Columns are kept by the identity of their node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from math import ceil
from typing import TYPE_CHECKING, Any, TypeAlias

from handcraft.core.errors import ProgramError
from handcraft.sequence.expression_checks import BY_CONDITION, Node
from handcraft.sequence.values import (
    OPERATIONS,
    Scope,
    Value,
    as_number,
    combine,
    shown,
)

if TYPE_CHECKING:
    from handcraft.sequence.pairs import PairTruths

Column: TypeAlias = Sequence[Value]


def at_every_position(
    e: Node, tokens: Sequence[str], *, causal: bool = False
) -> list[Value]:
    """The value of an expression at each position of a text; see `Expression.all`."""
    return list(Columns(tokens, causal=causal).of(e))


def at_last_position(e: Node, tokens: Sequence[str], scope: Scope) -> Value:
    """The value of an expression at the last position, where all tokens are seen."""
    return Columns(tokens).last(scope).of(e)[0]


class Columns:
    """The values of nodes at some positions of a text.

    tokens   the text
    queries  the positions; by default all
    scope    the values of `end` and `step`, None where they are not known
    causal   True if a position sees the tokens up to itself only
    keys     the same over all positions, for what is read at the key position
    """

    def __init__(
        self,
        tokens: Sequence[str],
        queries: Sequence[int] | None = None,
        *,
        scope: Mapping[str, int] | None = None,
        causal: bool = False,
        keys: Columns | None = None,
    ) -> None:
        self.tokens = tokens
        self.queries = range(len(tokens)) if queries is None else queries
        self.scope = scope or {}
        self.causal = causal
        self.keys = keys or self
        self._known: dict[int, tuple[Any, Column]] = {}  # by identity
        self._reading: Mapping[str, Callable[[Node], Column]] = {
            "token_at": self._token_at,
            "value_at": self._value_at,
            "total": self._total,
            "lowest": self._lowest,
            "state": self._state,
        }

    @cached_property
    def pairs(self) -> PairTruths:
        """The conditions of these positions."""
        # NumPy, which takes long to import, is not needed to write a program
        from handcraft.sequence.pairs import PairTruths

        return PairTruths(self)

    def last(self, scope: Scope) -> Columns:
        """The same at the last position alone; of an empty text at -1, where nothing is."""
        here = scope.get("here", len(self.tokens) - 1)
        keys = Columns(self.tokens, scope=scope, causal=self.causal)
        return Columns(
            self.tokens, [here], scope=scope, causal=self.causal, keys=keys
        )

    def seen(self, query: int) -> int:
        """The number of tokens that a position sees."""
        return query + 1 if self.causal else len(self.tokens)

    def of(self, e: Node | int | str) -> Column:
        """The value of a node at each of the positions."""
        if isinstance(e, int | str):
            return [e] * len(self.queries)
        if id(e) not in self._known:
            self._known[id(e)] = e, self._column(e)
        return self._known[id(e)][1]

    def _column(self, e: Node) -> Column:
        if e.paired:
            raise ProgramError(
                "there(...) has a value in the condition of a selection only",
                ("claim",),
            )
        if e.op == "here":
            return list(self.queries)
        if e.op in ("end", "step"):
            return [self.scope.get(e.op)] * len(self.queries)
        if e.op == "length":
            return [self.seen(query) for query in self.queries]
        if e.op in (*BY_CONDITION, "count", "first", "latest"):
            from handcraft.sequence.selecting import selected

            return selected(e, self)
        if (read := self._reading.get(e.op)) is not None:
            return read(e)
        return self.computed(e, [self.of(arg) for arg in e.args])

    def computed(self, e: Node, args: Sequence[Column]) -> Column:
        """The column of a node from those of its arguments."""
        if e.op == "otherwise":
            return [b if a is None else a for a, b in zip(*args, strict=True)]
        if e.op == "cases":
            return [_chosen(row) for row in zip(*args, strict=True)]
        if (operation := OPERATIONS.get(e.op)) is not None:
            return [
                operation(a, b)
                if type(a) is type(b) is int  # most are
                else combine(e, (a, b))
                for a, b in zip(*args, strict=True)
            ]
        if e.op == "lookup" and len(args) == 1:
            return _looked_up(e, args[0])
        return [combine(e, row) for row in zip(*args, strict=True)]

    def positions(self, e: Node) -> list[int]:
        """The position before which a short selection may choose, for each query."""
        ends = [self.seen(query) for query in self.queries]
        if e.before is None:
            return ends
        before = self.of(e.before)
        return [
            0 if b is None else max(0, min(ceil(as_number(e, b)), end))
            for b, end in zip(before, ends, strict=True)
        ]

    def _token_at(self, e: Node) -> Column:
        places = self.of(e.args[0])
        if places == list(self.queries):  # the token of the position itself
            return [self.tokens[q] if q >= 0 else None for q in self.queries]
        return [
            self.tokens[at]
            if (at := self.inside(q, place)) is not None
            else None
            for q, place in zip(self.queries, places, strict=True)
        ]

    def inside(self, query: int, place: Value) -> int | None:
        """A position as an index, None where the query sees no such position."""
        if isinstance(place, str):
            raise ProgramError(
                f"a position is a number, found {shown(place)}", ("claim",)
            )
        if place is None or place != int(place):
            return None
        return int(place) if 0 <= place < self.seen(query) else None

    def _value_at(self, e: Node) -> Column:
        values = self.keys.of(e.args[0])
        places = self.of(e.args[1])
        return [
            values[at] if (at := self.inside(q, place)) is not None else None
            for q, place in zip(self.queries, places, strict=True)
        ]

    def _total(self, e: Node) -> Column:
        sums = self._sums(e)
        return [sums[stop] for stop in self.positions(e)]

    def _lowest(self, e: Node) -> Column:
        least = list(accumulate(self._sums(e), min))
        return [least[stop] for stop in self.positions(e)]

    def _sums(self, e: Node) -> list[int]:
        """The sum of the table's numbers before each position, from 0 on."""
        start, step = e.every
        numbers = [
            int(e.rows.get((token,), 0))
            if j >= start and (j - start) % step == 0
            else 0
            for j, token in enumerate(self.tokens)
        ]
        return list(accumulate(numbers, initial=0))

    def _state(self, e: Node) -> Column:
        states = [e.rows[()]]
        for token in self.tokens:
            states.append(e.rows.get((states[-1], token), states[-1]))
        return [states[self.seen(query)] for query in self.queries]


def _looked_up(e: Node, column: Column) -> Column:
    rows = {key: value for (key,), value in e.rows.items()}
    return [None if x is None else rows.get(x) for x in column]


def _chosen(row: Sequence[Value]) -> Value:
    """The value of a `cases` from those of its arguments."""
    pairs = zip(row[0::2], row[1::2], strict=False)
    default = row[-1] if len(row) % 2 else None
    return next(
        (then for when, then in pairs if when not in (0, None)), default
    )
