"""An expression of the language as a form: what it is at a position, by the symbols there.

    MeaningForms(symbols).of(e)   the form of an expression

A selection becomes a total or a choice over the table of its condition, so two expressions that
say the same have the same form. Rules of this file: what one value means is said in
handcraft.sequence.values; an operation that is not known here is Rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy as np

from handcraft.core.errors import printable
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.choices import Levels
from handcraft.proof.lanes.derived import applied_to_few
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    at_index,
    composed,
    constant_form,
    moved_to_key,
    over,
    ranked,
    variable,
)
from handcraft.proof.lanes.levels import one_at_most
from handcraft.proof.lanes.symbols import AT_INDEX, AT_TOKEN, Nowhere, Symbols
from handcraft.proof.lanes.totals import total_form
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import is_here, selection_of
from handcraft.sequence.values import combine

_COMPUTED = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "modulo", "ratio"),
        *("equal", "below", "precedes", "both", "either", "negate"),
        *("lookup", "otherwise", "cases", "given", "least", "greatest"),
        "most",
    )
)


class MeaningForms:
    """The forms of expressions, each node once."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self._known: dict[int, tuple[Any, Form]] = {}
        self._asked: dict[str, Callable[[Expression], Form]] = {
            "here": lambda _: variable(symbols, AT_INDEX),
            "length": lambda _: self._length(),
            "token_at": self._token_at,
            "value_at": lambda e: self._read_at(e.args[0], e.args[1]),
            "there": lambda e: moved_to_key(symbols, self.of_key(e.args[0])),
            "count_where": self._count,
            "total_where": self._total,
            "mean": self._mean,
            "first_where": lambda e: self._place(e, -1),
            "latest_where": lambda e: self._place(e, 1),
            "best": self._best,
            "fetch": self._fetch,
        }

    def of(self, e: Any) -> Form:
        """The form of an expression, or of a constant. Raises Rejected."""
        if not isinstance(e, Expression):
            return constant_form(e)
        if id(e) not in self._known:
            self._known[id(e)] = e, self._form(e)
        return self._known[id(e)][1]

    def take(self, e: Expression, form: Form) -> None:
        """Take this as the form of an expression, whatever it would be."""
        self._known[id(e)] = e, form

    def of_key(self, e: Any) -> Form:
        """The form of an expression at a position that another one reads."""
        return self.of(e)

    def _form(self, e: Expression) -> Form:
        if e.op in _COMPUTED:
            args = [self.of(arg) for arg in e.args]
            return applied_to_few(
                self.symbols, lambda *values: combine(e, values), *args
            )
        if e.op not in self._asked:
            raise Rejected(f"'{printable(e.op)}' is not known here")
        return self._asked[e.op](e)

    def _length(self) -> Form:
        seen = variable(self.symbols, self.symbols.seen)
        if not self.symbols.causal:
            return seen
        return applied(self.symbols, lambda i: i + 1, seen)

    def _token_at(self, e: Expression) -> Form:
        if is_here(e.args[0]):
            return variable(self.symbols, AT_TOKEN)
        return self._read(variable(self.symbols, AT_TOKEN), self.of(e.args[0]))

    def _read_at(self, value: Any, place: Any) -> Form:
        return self._read(self.of_key(value), self.of(place))

    def _read(self, value: Form, place: Form) -> Form:
        """A value at the position of this index; None where there is none."""
        index = moved_to_key(self.symbols, variable(self.symbols, AT_INDEX))
        return self._selected(
            value, self._same(place, index), constant_form(None)
        )

    def _same(self, place: Form, index: Form) -> Form:
        if any(isinstance(x, str) for x in place.table.reshape(-1).tolist()):
            raise Rejected("a position is no text")
        return at_index(self.symbols, place, index)

    def _selected(self, value: Form, levels: Form, default: Form) -> Form:
        """A value at the position that is selected, or the default."""
        choice = Levels(self.symbols, levels)
        if 1 in value.sides:
            raise Rejected("a value reads the key of a key")
        if all(self.symbols.all[s].everywhere for _, s in value.labels):
            return applied(
                self.symbols,
                lambda at, x, other: other if isinstance(at, Nowhere) else x,
                choice.picked(AT_INDEX),
                value,
                default,
            )
        read = [choice.picked(s) for _, s in value.labels]
        gone = Nowhere(-1, -1)
        labels, table = composed(
            self.symbols, value.labels, value.table, read, gone
        )
        return applied(
            self.symbols,
            lambda x, other: other if x == gone else x,
            Form(labels, table),
            default,
        )

    def _condition(self, e: Any) -> Form:
        """1 for the pairs that a condition selects, else 0."""

        def truth(x: Any) -> int:
            if isinstance(x, str):
                raise Rejected("a condition is no text")
            return int(x not in (0, None))

        return applied(self.symbols, truth, self.of(e))

    def _count(self, e: Expression) -> Form:
        condition = selection_of(e).condition
        if isinstance(condition, Expression) and condition.op == "either":
            self._count_part(condition.args[0])
        return total_form(self.symbols, self._condition(condition))

    def _count_part(self, e: Any) -> None:
        """Make the count of one part of a condition known: a head may count it by itself."""
        if self.symbols.texts is not None:
            return
        part = self._condition(e)
        if len(part.sides) == 2:
            with suppress(Rejected):
                total_form(self.symbols, part)

    def _total(self, e: Expression) -> Form:
        return total_form(self.symbols, self._weights(e))

    def _weights(self, e: Expression) -> Form:
        """The value where a condition selects, else 0."""
        selection = selection_of(e)
        value = moved_to_key(self.symbols, self._added(selection.value))
        where = self._condition(selection.condition)
        return applied(self.symbols, lambda w, x: x if w else 0, where, value)

    def weights_of(self, e: Expression) -> Form:
        """What a count or a total adds up: a number for each pair of positions."""
        if e.op == "count_where":
            return self._condition(selection_of(e).condition)
        return self._weights(e)

    def at_first(self, _: Expression) -> Form:
        """What the first token adds to a count or a total: nothing, it is not in the text."""
        return constant_form(0)

    def written_out(self, e: Expression) -> Expression:
        """The same without short forms."""
        return e

    def _added(self, value: Any) -> Form:
        """A value that is added up: no text at any position, selected or not."""
        form = self.of_key(value)
        with self.symbols.of_asked(False):
            possible = self.symbols.possible(form.labels)
        if any(isinstance(x, str) for x in form.table[possible].tolist()):
            raise Rejected("a sum of what may be a text")
        return form

    def _mean(self, e: Expression) -> Form:
        """The sum by the number of positions; undefined where nothing is selected."""
        selection = selection_of(e)
        where = self._condition(selection.condition)
        levels = applied(self.symbols, lambda w: w - 1, where)
        if one_at_most(self.symbols, levels):
            value = self._added(selection.value)
            return self._selected(value, levels, constant_form(None))
        return applied(
            self.symbols,
            lambda x, n: Fraction(x) / n if n else None,
            self._total(e),
            total_form(self.symbols, where),  # in whole, as the total is
        )

    def _place(self, e: Expression, sign: int) -> Form:
        """The first or the latest position that is selected."""
        where = self._condition(selection_of(e).condition)
        index = moved_to_key(self.symbols, variable(self.symbols, AT_INDEX))
        most = self.symbols.n
        levels = ranked(
            self.symbols, where, index, lambda i: i if sign > 0 else most - i
        )
        return self._index_of(levels)

    def _index_of(self, levels: Form) -> Form:
        place = Levels(self.symbols, levels).picked(AT_INDEX)
        return applied(
            self.symbols,
            lambda x: None if isinstance(x, Nowhere) else x,
            place,
        )

    def _best(self, e: Expression) -> Form:
        """The first position of the greatest score; an undefined score is passed over."""
        selection = selection_of(e)
        score = moved_to_key(self.symbols, self.of_key(selection.value))
        known = {x for x in score.table.reshape(-1).tolist() if x is not None}
        if not all(isinstance(x, int | Fraction) for x in known):
            raise Rejected("a score is no number")
        rank: dict[Any, int] = {x: i for i, x in enumerate(sorted(known))}
        where = self._condition(selection.condition)
        levels = applied(
            self.symbols,
            lambda w, x: rank[x] if w and x is not None else -1,
            where,
            score,
        )
        return self._index_of(levels)

    def _fetch(self, e: Expression) -> Form:
        """The value at the only position that is selected. Rejected if it could be several."""
        selection = selection_of(e)
        where = self._condition(selection.condition)
        levels = applied(self.symbols, lambda w: w - 1, where)
        if not one_at_most(self.symbols, levels):
            raise Rejected("a fetch may select several positions")
        default = self.of(selection.default)
        return self._selected(self.of_key(selection.value), levels, default)


def as_numbers(
    symbols: Symbols, form: Form, labels: Any
) -> tuple[Any, Any, Any]:
    """The values of a form over wider labels as floats, how far these are from them at most, and
    where they are defined.
    """
    table = form.table.reshape(-1).tolist()  # its own rows: those are few
    if any(isinstance(x, str | Nowhere) for x in table):
        raise Rejected("what a lane holds is no number")
    known = [x is not None for x in table]
    numbers = [0.0 if x is None else float(x) for x in table]
    exact = np.array(
        [
            x is None or Fraction(number) == x
            for x, number in zip(table, numbers, strict=True)
        ]
    )
    rounded = np.abs(numbers) * 2.0**-52 + 2.0**-1000

    def wide(values: Any) -> Any:
        own = np.array(values).reshape(form.table.shape)
        return over(symbols, Form(form.labels, own), labels).reshape(-1)

    return wide(numbers), wide(np.where(exact, 0.0, rounded)), wide(known)
