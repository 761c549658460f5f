"""An expression that a claim on prompts asks, as a form: at the positions that are asked.

    AskedMeaning(symbols, contexts).of(e)   the form of an expression at a position that is asked
        .keys                               the same at any position, as it is read by another one

The position that asks sees the whole text up to itself, and so does what it reads at a key. What a
position of the text finds before it is the same only where nothing behind it counts: this is
checked. The first token of all texts has no index; it is a key that is asked about apart.
"""

from __future__ import annotations

from typing import Any, Protocol

from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.derived import applied_to_few, smaller_form
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    constant_form,
    moved_to_key,
    over,
    variable,
)
from handcraft.proof.lanes.meaning import MeaningForms
from handcraft.proof.lanes.placed import (
    PlacedChoice,
    index_of_place,
    read_there,
)
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    AT_TOKEN,
    Symbols,
)
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import (
    SHORT,
    branches_of,
    is_here,
    selection_of,
)
from handcraft.sequence.values import combine


class BegunTexts(Protocol):
    """The token that all texts begin with, and how many have no index for that: 1 or 0."""

    @property
    def begin(self) -> str | None: ...

    @property
    def skipped(self) -> int: ...


class AskedMeaning(MeaningForms):
    """The forms of expressions at positions that are asked, or, with `at_key`, at any that is read
    by one.
    """

    def __init__(
        self,
        symbols: Symbols,
        contexts: BegunTexts,
        *,
        at_key: bool = False,
    ) -> None:
        super().__init__(symbols)
        self.contexts = contexts
        self.at_key = at_key
        self.skipped = contexts.skipped
        self.keys: AskedMeaning = (
            self if at_key else type(self)(symbols, contexts, at_key=True)
        )
        self.first = _FirstToken(self)
        self._long: dict[int, tuple[Expression, Expression]] = {}
        self._asked |= {
            "here": lambda _: self.placed(AT_INDEX),
            "end": lambda _: self.placed(AT_END),
        }

    def of(self, e: Any) -> Form:
        """The form of an expression, or of a constant. Raises Rejected."""
        with self.symbols.of_asked(not self.at_key):
            return self.plainly(e)

    def plainly(self, e: Any) -> Form:
        """The same of the positions that are looked at already."""
        return super().of(e)

    def of_key(self, e: Any) -> Form:
        """The form of an expression at a position that another one reads."""
        return self.keys.of(e)

    def _form(self, e: Expression) -> Form:
        if e.op in (*SHORT, "total"):
            return self.of(self.written_out(e))
        return self._cases(e) if e.op == "cases" else super()._form(e)

    def _cases(self, e: Expression) -> Form:
        """Without the cases that never hold; what behind one always holds is not looked at."""
        pairs, default = branches_of(e.args)
        kept: list[Any] = []
        for when, then in pairs:
            form = self.of(when)
            if not form.labels and form.table[()] in (0, None):
                continue
            if not form.labels:
                default = then
                break
            kept += (when, then)
        if not kept:
            return self.of(default)
        last = () if default is None else (default,)
        args = [self.of(x) for x in (*kept, *last)]
        return applied_to_few(
            self.symbols, lambda *values: combine(e, values), *args
        )

    def placed(self, symbol: int) -> Form:
        at = variable(self.symbols, symbol)
        return applied(self.symbols, lambda i: i + self.skipped, at)

    def _length(self) -> Form:
        if self.at_key:
            raise Rejected("a length is read at a key position")
        return applied(self.symbols, lambda i: i + 1, self.placed(AT_INDEX))

    # ------------------------------------------------------------ short selections

    def written_out(self, e: Expression) -> Expression:
        """The selection by a condition that says the same; what is no short one is that itself."""
        if e.op not in (*SHORT, "total"):
            return e
        if id(e) not in self._long:
            self._long[id(e)] = e, written_out(e)
        return self._long[id(e)][1]

    # ------------------------------------------------------------ reading a place

    def _token_at(self, e: Expression) -> Form:
        if is_here(e.args[0]):
            return variable(self.symbols, AT_TOKEN)
        token = variable(self.symbols, AT_TOKEN)
        begin = constant_form(self.contexts.begin)
        return self._read_from(token, begin, self.of(e.args[0]))

    def _read_at(self, value: Any, place: Any) -> Form:
        at, first = self.keys.of(value), constant_form(None)
        form = self.of(place)
        if self.skipped and 0 in form.table.reshape(-1).tolist():
            first = self.first.of(value)
        return self._read_from(at, first, form)

    def _read_from(self, value: Form, first: Form, place: Form) -> Form:
        """A value at the position of this index, or at the first token; None where neither is."""
        self._not_behind(place)
        if (known := self._read_placed(value, first, place)) is not None:
            return known
        if self.symbols.few:
            with self.symbols.of_asked(False):
                value = smaller_form(self.symbols, value)
        with self.symbols.of_asked(False):  # a key stands anywhere
            index = moved_to_key(self.symbols, self.placed(AT_INDEX))
        same = self._same(place, index)
        return self._selected(value, same, self._begun(place, first))

    def _read_placed(
        self, value: Form, first: Form, place: Form
    ) -> Form | None:
        """The same, where positions are chosen by their places and this one is known."""
        if not self.symbols.placed or self.at_key:
            return None
        places = index_of_place(self.symbols, place, self.skipped)
        if places is None:
            return None
        return read_there(
            value,
            PlacedChoice(self.symbols, places),
            self._begun(place, first),
        )

    def _begun(self, place: Form, first: Form) -> Form:
        """What is read where a place is that of the first token, else None."""
        return applied(
            self.symbols,
            lambda at, x: x if self.skipped and at == 0 else None,
            place,
            first,
        )

    def _not_behind(self, place: Form) -> None:
        """Check that a key reads no place behind it, which it does not see itself."""
        if not self.at_key:
            return
        ahead = applied(
            self.symbols,
            lambda at, i: at is not None and at > i,
            place,
            self.placed(AT_INDEX),
        )
        if True in ahead.table[self.symbols.possible(ahead.labels)].tolist():
            raise Rejected("a key may read a place behind it")

    # ------------------------------------------------------------ selections

    def _condition(self, e: Any) -> Form:
        if self.at_key:  # a number alone, too, selects what stands behind
            _Behind(self).check(e)
        return super()._condition(e)

    def _at_first(self, e: Any) -> Form:
        """1 where a condition selects the first token, else 0."""
        if not self.skipped:
            return constant_form(0)
        return _OfFirst(self).condition(e)

    def _count(self, e: Expression) -> Form:
        return self._with_first(super()._count(e), e)

    def _total(self, e: Expression) -> Form:
        return self._with_first(super()._total(e), e)

    def _with_first(self, found: Form, e: Expression) -> Form:
        first = self.at_first(e)
        return applied(self.symbols, lambda a, b: a + b, found, first)

    def at_first(self, e: Expression) -> Form:
        """What the first token adds to a count or a total."""
        selection = selection_of(e)
        first = self._at_first(selection.condition)
        if e.op == "count_where" or not self._may(first):
            return first
        value = self.first.of(selection.value)
        return applied(self.symbols, lambda w, x: x if w else 0, first, value)

    def _may(self, flag: Form) -> bool:
        """True if a flag may be 1."""
        possible = self.symbols.possible(flag.labels)
        return 1 in flag.table[possible].tolist()

    def _index_of(self, levels: Form) -> Form:
        found = super()._index_of(levels)
        by = self.skipped
        return applied(
            self.symbols, lambda x: None if x is None else x + by, found
        )

    def _place(self, e: Expression, sign: int) -> Form:
        found = super()._place(e, sign)
        first = self._at_first(selection_of(e).condition)

        def placed(at: Any, is_first: int) -> Any:
            return 0 if is_first and (sign < 0 or at is None) else at

        return applied(self.symbols, placed, found, first)

    def _best(self, e: Expression) -> Form:
        if self._may(self._at_first(selection_of(e).condition)):
            raise Rejected("the first token may be the best")
        return super()._best(e)

    def _mean(self, e: Expression) -> Form:
        if self._may(self._at_first(selection_of(e).condition)):
            raise Rejected("the first token may be in a mean")
        return super()._mean(e)

    def _fetch(self, e: Expression) -> Form:
        if self._may(self._at_first(selection_of(e).condition)):
            raise Rejected("the first token may be fetched")
        return super()._fetch(e)


class _FirstToken(MeaningForms):
    """What an expression is at the first token, as the position that asks sees it."""

    def __init__(self, asked: AskedMeaning) -> None:
        super().__init__(asked.symbols)
        refused = "what the first token finds in the text is not known here"

        def unknown(_: Any) -> Form:
            raise Rejected(refused)

        self._asked = dict.fromkeys(self._asked, unknown)
        self._asked["here"] = lambda _: constant_form(0)
        self._asked["end"] = lambda _: asked.placed(AT_END)
        self._asked["token_at"] = self._token_at
        self.begin = asked.contexts.begin

    def _token_at(self, e: Expression) -> Form:
        place = self.of(e.args[0])
        known = set(place.table.reshape(-1).tolist())
        if any(x is not None and x > 0 for x in known):
            raise Rejected("the first token reads another one")
        return applied(
            self.symbols, lambda x: self.begin if x == 0 else None, place
        )


class _OfFirst(MeaningForms):
    """What a condition is where the key is the first token."""

    def __init__(self, asked: AskedMeaning) -> None:
        super().__init__(asked.symbols)
        self.asked = asked
        self._asked = {"there": lambda e: asked.first.of(e.args[0])}

    def condition(self, e: Any) -> Form:
        """1 where it selects the first token, else 0."""
        return self._condition(e)

    def _form(self, e: Expression) -> Form:
        if not e.paired:
            return self.asked.of(e)
        return self._both(e) if e.op == "both" else super()._form(e)

    def _both(self, e: Expression) -> Form:
        """False where one side is, whatever the other one is."""
        sides: list[Form] = []
        for arg in e.args[::-1]:
            try:
                form = self.of(arg)
            except Rejected:
                if not sides:
                    sides.append(self.of(e.args[0]))
                    if _is_never(sides[0]):
                        return constant_form(0)
                raise
            if _is_never(form):
                return constant_form(0)
            sides.append(form)
        return super()._form(e)


def _is_never(form: Form) -> bool:
    return not form.labels and form.table[()] == 0


class _Behind(MeaningForms):
    """What a condition is where the key stands behind the position that has it."""

    def __init__(self, at_key: AskedMeaning) -> None:
        super().__init__(at_key.symbols)
        self.at_key = at_key
        self._asked = {
            "there": lambda e: moved_to_key(
                at_key.symbols, at_key.of(e.args[0])
            )
        }

    def _form(self, e: Expression) -> Form:
        return super()._form(e) if e.paired else self.at_key.of(e)

    def check(self, e: Any) -> None:
        """Raise Rejected unless a condition is false for all keys behind."""
        with self.symbols.behind():
            form = self._condition(e)
            index = ((0, AT_INDEX), (1, AT_INDEX))
            labels = tuple(sorted({*form.labels, *index}))
            possible = self.symbols.possible(labels)
            if over(self.symbols, form, labels)[possible].any():
                raise Rejected("a key may find what stands behind it")


def written_out(e: Expression) -> Expression:
    """A short selection as the selection by a condition that says the same."""
    here = Expression(op="here")
    place = Expression(op="there", args=(here,))
    if e.op not in ("first", "latest", "count", "total"):
        raise Rejected(f"'{e.op}' is not known here")
    parts: list[Any] = [_token_there(at, what) for at, what in e.where]
    start, step = e.every
    if start:
        parts.append(
            Expression(
                op="negate", args=(Expression(op="below", args=(place, start)),)
            )
        )
    if step != 1:
        apart = Expression(op="modulo", args=(place - start, step))
        parts.append(Expression(op="equal", args=(apart, 0)))
    if e.before is not None:
        parts.append(Expression(op="below", args=(place, e.before)))
    condition: Any = 1
    for part in parts:
        both = Expression(op="both", args=(condition, part))
        condition = part if condition == 1 else both
    if e.op != "total":
        return Expression(op=f"{e.op}_where", args=(condition,))
    own = Expression(op="token_at", args=(here,))
    number = Expression(op="lookup", args=(own,), table=e.table)
    value = Expression(op="otherwise", args=(number, 0))
    return Expression(op="total_where", args=(value, condition))


def _token_there(distance: int, what: Any) -> Expression:
    """The condition that a token stands at a distance from the key, or one of several."""
    here = Expression(op="here")
    at = here if distance == 0 else here + distance
    token = Expression(op="token_at", args=(at,))
    there = Expression(op="there", args=(token,))
    if not isinstance(what, tuple):
        return Expression(op="equal", args=(there, what))
    rows = tuple(((t,), 1) for t in what)
    found = Expression(op="lookup", args=(token,), table=rows)
    return Expression(
        op="there", args=(Expression(op="otherwise", args=(found, 0)),)
    )
