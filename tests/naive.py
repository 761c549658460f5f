"""A second meaning of sequence expressions, one pair of positions at a time, from their words.

    said(e, text, causal)   the value of an expression at every position

None is undefined. Nothing is shared with the package but the fields of a node.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any


def said(e: Any, text: str, *, causal: bool = False) -> list[Any]:
    """The value at every position of a text."""
    asked = Asked(text, causal)
    return [asked.value(e, q, None) for q in range(len(text))]


class Asked:
    """Values of nodes by position, each found once."""

    def __init__(self, text: str, causal: bool) -> None:
        self.text, self.causal = text, causal
        self.known: dict[Any, Any] = {}

    def seen(self, q: int) -> int:
        """The number of tokens that a position sees."""
        return q + 1 if self.causal else len(self.text)

    def value(self, e: Any, q: int, k: int | None) -> Any:
        """The value at a query position; of part of a condition with a key position k."""
        if isinstance(e, int | str):
            return e
        place = (id(e), q, k if e.paired else None)
        if place not in self.known:
            read = getattr(self, f"_{e.op}", None)
            self.known[place] = (
                self.computed(e, q, k) if read is None else read(e, q, k)
            )
        return self.known[place]

    def computed(self, e: Any, q: int, k: int | None) -> Any:
        """An operation on values, undefined where one of them is."""
        values = [self.value(arg, q, k) for arg in e.args]
        return None if None in values else OPERATIONS[e.op](e, *values)

    # ------------------------------------------------- places

    def _here(self, _: Any, q: int, __: Any) -> Any:
        return q

    def _end(self, _: Any, __: int, ___: Any) -> Any:
        return None

    _step = _end

    def _length(self, _: Any, q: int, __: Any) -> Any:
        return self.seen(q)

    def _token_at(self, e: Any, q: int, k: Any) -> Any:
        at = self.value(e.args[0], q, k)
        return self.text[int(at)] if at in range(self.seen(q)) else None

    def _value_at(self, e: Any, q: int, k: Any) -> Any:
        at = self.value(e.args[1], q, k)
        if at not in range(self.seen(q)):
            return None
        return self.value(e.args[0], int(at), None)

    def _there(self, e: Any, _: int, k: Any) -> Any:
        return self.value(e.args[0], k, None)

    # ------------------------------------------------- choices and conditions

    def _otherwise(self, e: Any, q: int, k: Any) -> Any:
        found = self.value(e.args[0], q, k)
        return self.value(e.args[1], q, k) if found is None else found

    def _cases(self, e: Any, q: int, k: Any) -> Any:
        rest = list(e.args)
        while len(rest) > 1:
            when, then, *rest = rest
            if self.value(when, q, k) not in (0, None):
                return self.value(then, q, k)
        return self.value(rest[0], q, k) if rest else None

    def _given(self, e: Any, q: int, k: Any) -> Any:
        if self.value(e.args[1], q, k) in (0, None):
            return None
        return self.value(e.args[0], q, k)

    def _both(self, e: Any, q: int, k: Any) -> Any:
        sides = [self.value(arg, q, k) for arg in e.args]
        return 0 if 0 in sides else None if None in sides else 1

    def _either(self, e: Any, q: int, k: Any) -> Any:
        sides = [self.value(arg, q, k) for arg in e.args]
        if any(side not in (0, None) for side in sides):
            return 1
        return None if None in sides else 0

    # ------------------------------------------------- selections by a condition

    def selected(self, e: Any, q: int) -> list[int]:
        """The positions that a condition selects: those where it is true."""
        condition = e.args[min(1, len(e.args) - 1)]
        return [
            j
            for j in range(self.seen(q))
            if self.value(condition, q, j) not in (0, None)
        ]

    def at_selected(self, e: Any, q: int) -> list[Any]:
        """The selection's value at each of them."""
        return [self.value(e.args[0], j, None) for j in self.selected(e, q)]

    def _count_where(self, e: Any, q: int, _: Any) -> Any:
        return len(self.selected(e, q))

    def _first_where(self, e: Any, q: int, _: Any) -> Any:
        return min(self.selected(e, q), default=None)

    def _latest_where(self, e: Any, q: int, _: Any) -> Any:
        return max(self.selected(e, q), default=None)

    def _total_where(self, e: Any, q: int, _: Any) -> Any:
        values = self.at_selected(e, q)
        return None if None in values else sum(values)

    def _mean(self, e: Any, q: int, _: Any) -> Any:
        values = self.at_selected(e, q)
        if not values or None in values:
            return None
        return Fraction(sum(values)) / len(values)

    def _best(self, e: Any, q: int, _: Any) -> Any:
        best = None
        for j, score in zip(
            self.selected(e, q), self.at_selected(e, q), strict=True
        ):
            if score is not None and (best is None or score > best[0]):
                best = score, j
        return None if best is None else best[1]

    def _fetch(self, e: Any, q: int, _: Any) -> Any:
        values = self.at_selected(e, q)
        if not values and len(e.args) > 2:
            return self.value(e.args[2], q, None)
        return values[0] if len(values) == 1 else None

    # ------------------------------------------------- short selections

    def limit(self, e: Any, q: int) -> int:
        """The position below which a short selection may choose."""
        if e.before is None:
            return self.seen(q)
        before = self.value(e.before, q, None)
        return 0 if before is None else max(0, min(self.seen(q), ceil(before)))

    def allowed(self, e: Any, q: int) -> list[int]:
        """The positions from which it chooses."""
        start, step = e.every
        return [
            j
            for j in range(self.limit(e, q))
            if j >= start and (j - start) % step == 0
        ]

    def matching(self, e: Any, q: int) -> list[int]:
        """Those with the tokens that it asks for."""
        return [
            j
            for j in self.allowed(e, q)
            if all(
                0 <= j + d < self.seen(q)
                and (
                    self.text[j + d] in what
                    if isinstance(what, tuple)
                    else self.text[j + d] == self.value(what, q, None)
                )
                for d, what in e.where
            )
        ]

    def _count(self, e: Any, q: int, _: Any) -> Any:
        return len(self.matching(e, q))

    def _first(self, e: Any, q: int, _: Any) -> Any:
        return min(self.matching(e, q), default=None)

    def _latest(self, e: Any, q: int, _: Any) -> Any:
        return max(self.matching(e, q), default=None)

    def number(self, e: Any, j: int) -> int:
        """The number of the token at a position."""
        return dict(e.table).get((self.text[j],), 0)  # type: ignore[no-any-return]

    def _total(self, e: Any, q: int, _: Any) -> Any:
        return sum(self.number(e, j) for j in self.allowed(e, q))

    def _lowest(self, e: Any, q: int, _: Any) -> Any:
        numbers = [self.number(e, j) for j in range(self.limit(e, q))]
        return min(sum(numbers[:n]) for n in range(len(numbers) + 1))

    def _state(self, e: Any, q: int, _: Any) -> Any:
        rows = dict(e.table)
        state = rows[()]
        for token in self.text[: self.seen(q)]:
            state = rows.get((state, token), state)
        return state


def _most(e: Any, *numbers: Any) -> Any:
    best = 0
    for i, number in enumerate(numbers):
        best = i if number > numbers[best] else best
    return e.table[best][0][0]


OPERATIONS: dict[str, Any] = {
    "add": lambda _, a, b: a + b,
    "subtract": lambda _, a, b: a - b,
    "multiply": lambda _, a, b: a * b,
    "divide": lambda _, a, b: None if b == 0 else a // b,
    "modulo": lambda _, a, b: None if b == 0 else a % b,
    "ratio": lambda _, a, b: None if b == 0 else Fraction(a) / b,
    "equal": lambda _, a, b: int(a == b),
    "below": lambda _, a, b: int(a < b),
    "precedes": lambda _, a, b: int(a < b),
    "least": lambda _, *values: min(values),
    "greatest": lambda _, *values: max(values),
    "negate": lambda _, a: int(a == 0),
    "lookup": lambda e, *values: dict(e.table).get(values),
    "most": _most,
}
