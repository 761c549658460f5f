"""An expression that a claim on prompts asks, as a form: at the positions that are asked.

    AskedMeaning(symbols, contexts).of(e)   the form of an expression at a position that is asked
        .keys                               the same at any position, as it is read by another one

The position that asks sees the whole text up to itself, and so does what it reads at a key. What a
position of the text finds before it is the same only where nothing behind it counts: this is
checked. The first token of all texts has no index; it is a key that is asked about apart.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.behind import Behind, labels_used, rows_used
from handcraft.proof.lanes.contexts import PromptContexts
from handcraft.proof.lanes.derived import applied_to_few, smaller_form
from handcraft.proof.lanes.echoed import (
    MOST_ECHOES,
    in_echo,
    is_of_prompt,
    nodes_of,
    of_element,
    own_parts,
    places_of_echo,
    read_at_keys,
)
from handcraft.proof.lanes.first_token import BegunTexts, FirstToken, OfFirst
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
    TooManyRows,
)
from handcraft.proof.lanes.written import written_out
from handcraft.sequence.expression import Expression
from handcraft.sequence.operations import (
    BY_CONDITION,
    SHORT,
    branches_of,
    is_here,
    selection_of,
)
from handcraft.sequence.value_kinds import kinds_of
from handcraft.sequence.values import combine

_PLACES = ("first_where", "latest_where", "best")


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
        used: Array | None = None,
        keys: AskedMeaning | None = None,
    ) -> None:
        super().__init__(symbols)
        self.contexts = contexts
        self.at_key = at_key
        self.skipped = contexts.skipped
        # [n_end, n_index] where it is asked for, if that is said
        self.prompts = (
            contexts if isinstance(contexts, PromptContexts) else None
        )
        own = None if self.prompts is None else self.prompts.asked
        self.used = used if at_key else own
        if keys is None and (used is not None or not at_key):
            # what is asked for at some places alone reads keys anywhere
            keys = type(self)(symbols, contexts, at_key=True)
        self.keys: AskedMeaning = self if keys is None else keys
        self.first = FirstToken(self)
        self._echoes: dict[int, AskedMeaning] = {}
        self._placed: list[Expression] = []  # what was found in one
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

    def take_read(self, e: Expression, form: Form) -> None:
        """Take a form as that of an expression at positions that are read. It is not asked for at
        the first token.
        """
        self.keys.take(e, form)
        self.first.take(e, constant_form(None))

    def _form(self, e: Expression) -> Form:
        if e.op in (*SHORT, "total"):
            return self.of(self.written_out(e))
        if e.op == "cases":
            return self._cases(e)
        if self._found_at_echo(e):
            with suppress(TooManyRows):
                if (found := self._at_echoes(e)) is not None:
                    return found
        try:
            return self.node(e)
        except Rejected:
            if (found := self._at_echoes(e)) is None:
                raise
            return found

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

    def node(self, e: Expression) -> Form:
        """The form of a node whose keys are where it says."""
        return super()._form(e)

    # ------------------------------------------------------------ selections at echoes

    def _found_at_echo(self, e: Expression) -> bool:
        """True if what it looks for is a position that was found in an echo."""
        if e.op not in BY_CONDITION or not is_of_prompt(e):
            return False
        for part in own_parts(selection_of(e).condition):
            self.of(part)
        return bool(self._placed) and any(
            map(self._is_placed, own_parts(selection_of(e).condition))
        )

    def _is_placed(self, e: Expression) -> bool:
        """True if a part of it is a position that was found in an echo."""
        return e in self._placed or any(
            isinstance(x, Expression) and self._is_placed(x) for x in e.args
        )

    def _at_echoes(self, e: Expression) -> Form | None:
        """A selection of the prompt that asks what keys have found there, as one of later positions
        that have found it; None for any other, or where no such positions are seen.
        """
        if e.op not in BY_CONDITION or not is_of_prompt(e):
            return None
        if self.prompts is None:
            return None
        kinds_of(e)  # Rejected if it has no value at some position
        large: TooManyRows | None = None
        for region in range(1, MOST_ECHOES + 1):
            if self.used is None or not self._sees(region):
                break
            try:
                found = _AtEchoes(self, region).selection(e)
            except TooManyRows as why:  # of fewer prompts it may not be
                large = why
                continue
            except Rejected:
                continue
            if e.op in _PLACES:
                self._placed.append(e)
            return found
        if large is not None:
            raise large
        return None

    def _sees(self, region: int) -> bool:
        """True if where it is asked all positions of an echo stand up to there."""
        if self.prompts is None:
            return False
        _, last = places_of_echo(self.prompts, region)
        at = np.arange(self.symbols.n)[None]
        return bool((at >= last[:, None])[self.used].all())

    def echoed_keys(self, region: int) -> AskedMeaning:
        """What stands for the elements of the prompt in an echo: the first one behind it is 1."""
        if self.prompts is None:
            raise Rejected("there is no prompt that is said again")
        if region not in self._echoes:
            first, last = places_of_echo(self.prompts, region)
            at = np.arange(self.symbols.n)[None]
            used = (at >= first[:, None]) & (at <= last[:, None])
            self._echoes[region] = AskedMeaning(
                self.symbols, self.prompts, at_key=True, used=used
            )
        return self._echoes[region]

    def name_found(self, e: Expression) -> None:
        """Give symbols to what keys find in an echo, also where a claim does not ask for it: what
        a model computes there is said in these symbols.
        """
        for part in nodes_of(e):
            if part.op not in BY_CONDITION or not is_of_prompt(part):
                continue
            for found in read_at_keys(part):
                for region in range(1, MOST_ECHOES + 1):
                    try:
                        self.echoed_keys(region).of(of_element(found))
                    except Rejected:
                        continue
                    break

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
        labels = labels_used(self, ahead.labels)
        read = over(self.symbols, ahead, labels)
        if True in read[rows_used(self, labels)].tolist():
            raise Rejected("a key may read a place behind it")

    # ------------------------------------------------------------ selections

    def _condition(self, e: Any) -> Form:
        if self.at_key:  # a number alone, too, selects what stands behind
            Behind(self).check(e)
        return super()._condition(e)

    def _at_first(self, e: Any) -> Form:
        """1 where a condition selects the first token, else 0."""
        if not self.skipped:
            return constant_form(0)
        return OfFirst(self).condition(e)

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


class _AtEchoes(AskedMeaning):
    """One selection, of positions in an echo that stand for the elements of the prompt.

    That with the index i + by stands for the element i: for those that the condition can select,
    0 < i < end, these are the positions of the echo, each once, and all of them are seen. What is
    asked of the position that selects is asked as before.
    """

    def __init__(self, origin: AskedMeaning, region: int) -> None:
        super().__init__(
            origin.symbols,
            origin.contexts,
            at_key=origin.at_key,
            used=origin.used,
            keys=origin.echoed_keys(region),
        )
        self.origin = origin
        self.region = region
        end = Expression(op="end")
        self.by = end * region - 1

    def selection(self, e: Expression) -> Form:
        """The form of a selection."""
        with self.symbols.of_asked(not self.at_key):
            found = self.node(in_echo(e, self.region))
            if e.op not in _PLACES:
                return found
            return applied(
                self.symbols,
                lambda at, by: None if at is None else at - by,
                found,
                self.origin.of(self.by),
            )

    def _form(self, e: Expression) -> Form:
        return self.node(e) if e.paired else self.origin.of(e)
