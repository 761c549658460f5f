"""Evaluates an expression at every position of a text, each of its nodes once.

    at_every_position(e, tokens)      its value at each position
    at_last_position(e, tokens, scope)
                                      its value at the last one, asking the others where needed
    at_last_positions(e, texts, scope)
                                      the same of many texts of one length, at once
    at_each_position(e, texts)        its values at every position of many

The values of one node are a column: one value for each query position, one text after the
other. What stands inside a `there` has a column over the key positions; the conditions that
compare the two are matrices, one a text (handcraft.sequence.pairs), and a selection reads their
rows (handcraft.sequence.selecting).

Rules of this file: what a single value means is said in handcraft.sequence.evaluate alone.
Columns are kept by the identity of their node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from math import ceil
from typing import TYPE_CHECKING, Any, TypeAlias

from handcraft.core.errors import ProgramError
from handcraft.sequence.expression_checks import PAIRS
from handcraft.sequence.operations import BY_CONDITION, SHORT, Fields, is_here
from handcraft.sequence.values import (
    ARITHMETIC,
    DESPITE_NONE,
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
    e: Fields, tokens: Sequence[str], *, causal: bool = False
) -> list[Value]:
    """The value of an expression at each position of a text; see `Expression.all`."""
    return list(Columns([tokens], causal=causal).of(e))


def at_last_position(
    e: Fields, tokens: Sequence[str], scope: Scope, *, causal: bool = False
) -> Value:
    """The value of an expression at the last position, where all tokens are seen; if `causal`, the
    positions that it reads saw the tokens up to themselves.
    """
    return Columns([tokens], causal=causal).last(scope).of(e)[0]


def at_last_positions(
    e: Fields, texts: Sequence[Sequence[str]], scope: Scope
) -> list[Value]:
    """The value of an expression at the last position of each of some texts of one length."""
    return [x for part in _parts(texts) for x in _at_last(e, part, scope)]


def _at_last(e: Fields, texts: Sequence[Sequence[str]], scope: Scope) -> Column:
    """The same of few texts; what is known of their columns is let go, since columns and what they
    know refer to each other.
    """
    whole = Columns(texts)
    asked = whole.last(scope)
    try:
        return asked.of(e)
    finally:
        for columns in (asked.keys, asked, whole):
            vars(columns).clear()


def at_each_position(
    e: Fields, texts: Sequence[Sequence[str]], *, causal: bool = False
) -> Iterator[list[Value]]:
    """The values of an expression at every position of each of some texts of one length."""
    n = len(texts[0]) if texts else 0
    for part in _parts(texts):
        column = Columns(part, causal=causal).of(e)
        yield from (list(column[i * n : i * n + n]) for i in range(len(part)))


def _parts(
    texts: Sequence[Sequence[str]],
) -> Iterator[Sequence[Sequence[str]]]:
    """The texts, so many at a time that memory stays small."""
    n = max(1, len(texts[0])) if texts else 1
    size = max(1, PAIRS // (n * n))
    return (texts[i : i + size] for i in range(0, len(texts), size))


class Columns:
    """The values of nodes at some positions of some texts of one length.

    texts    the texts; columns have their values one text after the other
    queries  the positions, the same in each text; by default all
    scope    the values of `end` and `step`, None where they are not known
    causal   True if a position sees the tokens up to itself only
    keys     the same over all positions, for what is read at the key position
    """

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        queries: Sequence[int] | None = None,
        *,
        scope: Mapping[str, int] | None = None,
        causal: bool = False,
        keys: Columns | None = None,
    ) -> None:
        self.texts = texts
        self.n = len(texts[0]) if texts else 0
        self.queries = range(self.n) if queries is None else queries
        # of each value of a column: its text, by number, and its position
        self.asked = [(b, q) for b in range(len(texts)) for q in self.queries]
        self.scope = scope or {}
        self.causal = causal
        self.keys = keys or self
        self._known: dict[int, tuple[Any, Column]] = {}  # by identity
        self._reading: Mapping[str, Callable[[Fields], Column]] = {
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
        here = scope.get("here", self.n - 1)
        keys = Columns(self.texts, scope=scope, causal=self.causal)
        return Columns(
            self.texts, [here], scope=scope, causal=self.causal, keys=keys
        )

    def seen(self, query: int) -> int:
        """The number of tokens that a position sees."""
        return query + 1 if self.causal else self.n

    def of(self, e: Fields | int | str) -> Column:
        """The value of a node at each of the positions."""
        if isinstance(e, int | str):
            return [e] * len(self.asked)
        if id(e) not in self._known:
            self._known[id(e)] = e, self._column(e)
        return self._known[id(e)][1]

    def _column(self, e: Fields) -> Column:
        if e.paired:
            raise ProgramError(
                "there(...) has a value in the condition of a selection only",
                ("claim",),
            )
        if e.op == "here":
            return [q for _, q in self.asked]
        if e.op in ("end", "step"):
            return [self.scope.get(e.op)] * len(self.asked)
        if e.op == "length":
            return [self.seen(q) for _, q in self.asked]
        if e.op in (*BY_CONDITION, *SHORT):
            from handcraft.sequence.selecting import selected

            return selected(e, self)
        if (read := self._reading.get(e.op)) is not None:
            return read(e)
        return self.computed(e, [self.of(arg) for arg in e.args])

    def computed(self, e: Fields, args: Sequence[Column]) -> Column:
        """The column of a node from those of its arguments."""
        if (known := DESPITE_NONE.get(e.op)) is not None:
            return [known(*row) for row in zip(*args, strict=True)]
        if (operation := ARITHMETIC.get(e.op)) is not None:
            return [
                operation(a, b)
                if type(a) is type(b) is int  # most are
                else combine(e, (a, b))
                for a, b in zip(*args, strict=True)
            ]
        if e.op == "lookup" and len(args) == 1:
            return _looked_up(e, args[0])
        return [combine(e, row) for row in zip(*args, strict=True)]

    def positions(self, e: Fields) -> list[int]:
        """The position before which a short selection may choose, for each query."""
        ends = [self.seen(q) for _, q in self.asked]
        if e.before is None:
            return ends
        before = self.of(e.before)
        return [
            0 if b is None else max(0, min(ceil(as_number(e, b)), end))
            for b, end in zip(before, ends, strict=True)
        ]

    def _token_at(self, e: Fields) -> Column:
        place = e.args[0]
        if is_here(place):  # nearly always
            return [self.texts[b][q] if q >= 0 else None for b, q in self.asked]
        return [
            None if at is None else self.texts[b][at]
            for b, at in self._inside(place)
        ]

    def _value_at(self, e: Fields) -> Column:
        values = self.keys.of(e.args[0])
        return [
            None if at is None else values[b * self.n + at]
            for b, at in self._inside(e.args[1])
        ]

    def _inside(self, e: Fields | int) -> Iterator[tuple[int, int | None]]:
        """A position in each text as an index, None where the query sees no such position."""
        for (b, q), place in zip(self.asked, self.of(e), strict=True):
            yield b, _index(place, self.seen(q))

    def _total(self, e: Fields) -> Column:
        return self._summed(e, self._sums(e))

    def _lowest(self, e: Fields) -> Column:
        return self._summed(
            e, [list(accumulate(sums, min)) for sums in self._sums(e)]
        )

    def _summed(self, e: Fields, sums: Sequence[Sequence[int]]) -> Column:
        stops = self.positions(e)
        return [
            sums[b][stop]
            for (b, _), stop in zip(self.asked, stops, strict=True)
        ]

    def _sums(self, e: Fields) -> list[list[int]]:
        """The sum of the table's numbers before each position of each text, from 0 on."""
        start, step = e.every
        numbers = {token: int(value) for (token,), value in e.table}
        counted = [
            j >= start and (j - start) % step == 0 for j in range(self.n)
        ]
        return [
            list(
                accumulate(
                    (
                        numbers.get(token, 0) if counts else 0
                        for token, counts in zip(text, counted, strict=True)
                    ),
                    initial=0,
                )
            )
            for text in self.texts
        ]

    def _state(self, e: Fields) -> Column:
        passed = [_states(e, text) for text in self.texts]
        return [passed[b][self.seen(q)] for b, q in self.asked]


def _states(e: Fields, text: Sequence[str]) -> list[Value]:
    """The state of an automaton before each token, and after the last."""
    states: list[Value] = [e.rows[()]]
    for token in text:
        states.append(e.rows.get((states[-1], token), states[-1]))
    return states


def _index(place: Value, seen: int) -> int | None:
    if isinstance(place, str):
        raise ProgramError(
            f"a position is a number, found {shown(place)}", ("claim",)
        )
    if place is None or place != int(place):
        return None
    return int(place) if 0 <= place < seen else None


def _looked_up(e: Fields, column: Column) -> Column:
    rows = {key: value for (key,), value in e.rows.items()}
    return [None if x is None else rows.get(x) for x in column]
