"""Slots: named groups of lanes of the residual stream, and what the embeddings write into them.

    t["a"]              the lane of a label
    p.previous          the map that reads lane j from lane j + 1: the position before
    p.back(2)           the position two before
    t.sum("0123", int)  lanes added up, each times a number
    [*t], len(t)        the lanes, in column order

Authors declare them with the words of handcraft.language.words. Rules of this file: columns are in
the declared order; a slot is plain data; its tables are those of handcraft.language.slot_tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from numbers import Integral, Real
from typing import Any

from pydantic import Field, model_validator

from handcraft.core.arguments import checked_call
from handcraft.core.errors import (
    ProgramError,
    hint,
    in_quotes,
    listing,
    printable,
    unwritable,
)
from handcraft.core.frozen import is_nest
from handcraft.core.source import Where, caller
from handcraft.language.affine import Affine, Lane, Map, Named, kind_of, number
from handcraft.language.notation import short_slot
from handcraft.language.slot_tables import (
    ONE_HOT,
    PositionTable,
    SlotRow,
    TokenTable,
    amount_of,
    cells_of,
    ordered_labels,
)


class Slot(Named):
    """A named group of lanes.

    labels     None for a slot of one lane, which has the slot's own name
    tokens     the table of wte: a row of one value a lane for each token, or "one-hot"
    positions  the table of wpe: a row for each position, or "one-hot"
    local      lanes inside one head, without columns in the stream
    reuse      the name of an earlier slot whose columns it takes over
    """

    name: str
    labels: tuple[str, ...] | None = None
    tokens: TokenTable = None
    positions: PositionTable = None
    local: bool = False
    reuse: str | None = None
    source: Where = Field(default_factory=caller)

    @model_validator(mode="after")
    def _check(self) -> Slot:
        if not self.name.isidentifier():
            raise ProgramError(
                f"a slot's name must be an identifier, found '{printable(self.name)}'"
            )
        self._check_labels(self.labels)
        if amiss := unwritable((*(self.labels or ()), *self.vocabulary)):
            raise ProgramError(f"in the slot {self.name}, {amiss}")
        if self.labels is None and ONE_HOT in (self.tokens, self.positions):
            raise ProgramError(
                f"{self.name} is one-hot, so its lanes need labels"
            )
        for row in self._rows():
            self._check_row(row)
        return self

    def _check_labels(self, labels: tuple[str, ...] | None) -> None:
        """Raise ProgramError for no labels, and for one that stands twice."""
        if labels is None or 0 < len(labels) == len(set(labels)):
            return
        twice = [label for label in labels if labels.count(label) > 1]
        found = (
            f"{in_quotes(twice[0])} stands twice" if twice else "there are none"
        )
        raise ProgramError(
            f"the labels of {self.name} must be distinct, and at least one; {found}"
        )

    def _check_row(self, row: SlotRow) -> None:
        """Raise ProgramError unless a row has one number a lane, and they have a sum."""
        if len(row) != len(self.lanes):
            lanes = len(self.lanes)
            raise ProgramError(
                f"{self.name} has {lanes} lane{'s' if lanes > 1 else ''}, but its"
                f" table has a row of {len(row)}; labels= names one lane a number"
            )
        total = sum(abs(value) for value in row)
        Affine.of({}, total)  # raises unless it is finite

    def _rows(self) -> Iterator[SlotRow]:
        if isinstance(self.tokens, tuple):
            yield from (row for _, row in self.tokens)
        if isinstance(self.positions, tuple):
            yield from self.positions

    def __hash__(self) -> int:
        return hash(self.name)

    # pydantic's own iterates over fields
    def __iter__(self) -> Iterator[Lane]:  # type: ignore[override]
        return iter(self.lanes)

    def __repr__(self) -> str:
        return short_slot(self)

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes, in column order."""
        labels: tuple[str | None, ...] = (
            (None,) if self.labels is None else self.labels
        )
        return tuple(
            Lane.model_construct(slot=self.name, label=label, local=self.local)
            for label in labels
        )

    def __reversed__(self) -> Iterator[Lane]:
        return reversed(self.lanes)

    def __len__(self) -> int:
        return len(self.lanes)

    def _instead_of(self, name: str) -> str:
        if name in (self.labels or ()):
            return f"; a lane is written {self.name}[{name!r}]"
        if hint(name, ("back", "previous", "sum", "labels", "lanes")):
            return ""  # the nearest name is told
        looks = ".previous, .back(n) and " if self.positions == ONE_HOT else ""
        return f"; for expressions {self.name} has {looks}.sum(labels)"

    def expression(self) -> Affine | Map:
        if self.labels is None:
            return self.lanes[0].expression()
        return Map.identity(self.lanes)

    def __getitem__(self, label: object) -> Lane:
        """The lane of a label: `t["a"]`, `p[3]`. Raises ProgramError for an unknown label."""
        known = self.labels or ()
        if str(label) not in known:
            has = (
                f"its lanes are {listing(map(in_quotes, known))}"
                if known
                else f"it is one lane, written {self.name}"
            )
            message = (
                f"{self.name} has no lane '{printable(str(label))}'; {has}"
            )
            raise ProgramError(message + hint(str(label), known), (), caller())
        return Lane.model_construct(
            slot=self.name, label=str(label), local=self.local
        )

    @property
    def previous(self) -> Map:
        """The map that reads lane j from lane j + 1: one-hot of the position before.

        It is zero at position 0. Raises ProgramError unless this is a one-hot position slot.
        """
        if self.positions == ONE_HOT and len(self.lanes) == 1:
            return Map.of(())  # the only position has none before it
        return self.back(1)

    @checked_call("back")
    def back(self, steps: int, /) -> Map:
        """The map that reads lane j from lane j + steps: one-hot of the position so far back.

        It is zero at the first positions, which have none. Raises ProgramError unless this is a
        one-hot position slot with more than so many positions, and the steps a whole number from
        0.
        """
        if self.positions != ONE_HOT:
            raise ProgramError(
                f"only a one-hot position slot has positions back, {self.name} is not one;"
                f" where it holds the position as {self.name}['p'], write"
                f" attend_to({self.name}, {self.name}['p'] - {steps}, ...)",
                (),
                caller(),
            )
        known = range(len(self.lanes))
        if type(steps) is not int or steps not in known:
            raise ProgramError(
                f"{self.name} has {len(known)} positions: back takes a whole number from 0"
                f" to {len(known) - 1}, found {steps!r:.40}",
                (),
                caller(),
            )
        return Map.of(
            (lane, later.expression())
            for lane, later in zip(self.lanes, self.lanes[steps:], strict=False)
        )

    @checked_call("sum")
    def sum(
        self,
        labels: Iterable[str | int] | Mapping[str, float] | None = None,
        value: Callable[[str], float] | float = 1.0,
        /,
    ) -> Affine:
        """The sum of the lanes of these labels, each times a number.

            t.sum("({[")             t["("] + t["{"] + t["["]
            t.sum("0123456789", int) t["1"] + 2 t["2"] + ...
            t.sum({"a": 1, "b": -1}) t["a"] - t["b"]

        labels  a text of letters, or a list of labels; all of the slot's by default. Positions
                may be numbers, as in p.sum([0, 1])
        value   one number, or a function of the label

        A slot of one lane is its own sum. Raises ProgramError for an unknown label, one that
        occurs twice, a text that is a label and letters too, and for no number.
        """
        wanted: Any = labels
        given: Any = value
        if isinstance(labels, Mapping):
            self._check_left_out(value)
            amounts = [(_label(key), amount) for key, amount in labels.items()]
            wanted, given = [key for key, _ in amounts], dict(amounts).get
        lanes = (
            dict(zip(self.labels or (self.name,), self, strict=True))
            if wanted is None
            else {key: self[key] for key in self._once(wanted)}
        )
        total = Affine()
        for key, lane in lanes.items():
            amount = amount_of(f"{self.name}.sum", given, key)
            weight = number(amount, f"{self.name}.sum takes a number a label")
            total = total.plus(lane.expression().scaled(weight))
        return total

    def _check_left_out(self, value: object) -> None:
        """Raise ProgramError for a number beside a table of them, but for the default."""
        if not isinstance(value, Real) or value != 1:
            raise ProgramError(
                f"{self.name}.sum: the table has the number of each label already; leave"
                f" out {kind_of(value)}",
                (),
                caller(),
            )

    def _once(self, labels: Iterable[Any]) -> tuple[str, ...]:
        """These labels in their order. Raises ProgramError for one that stands twice, and for a
        text of several letters that is a label itself.
        """
        if isinstance(labels, str):
            self._check_letters(labels)
        elif is_nest(labels) and not isinstance(labels, set | frozenset):
            labels = [*map(_label, labels)]
        keys = ordered_labels(self.name, labels, "the labels")
        for key in keys:
            if keys.count(key) > 1:
                raise ProgramError(
                    f"{self.name}.sum: {in_quotes(key)} stands twice; where it counts"
                    " twice, write {label: 2}",
                    (),
                    caller(),
                )
        return keys

    def _check_letters(self, text: str) -> None:
        """Raise ProgramError for one label where single letters are read."""
        if len(text) > 1 and text in (self.labels or ()):
            one = f"{self.name}[{text!r}]"
            raise ProgramError(
                f"{self.name}.sum: a text is read letter by letter, and {in_quotes(text)} is one"
                f" label; write {printable(one)} for its lane, or a list of labels",
                (),
                caller(),
            )

    @property
    def n_ctx(self) -> int | None:
        """The number of positions in its table, None if it has none."""
        if self.positions is None:
            return None
        return len(self.lanes if self.positions == ONE_HOT else self.positions)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The tokens in its table, in the declared order."""
        if self.tokens == ONE_HOT:
            return self.labels or ()
        return tuple(token for token, _ in self.tokens) if self.tokens else ()

    def token_cells(self) -> Iterator[tuple[str, Lane, float]]:
        """The cells of wte: token, lane and value, zeros left out."""
        yield from cells_of(self.vocabulary, self.lanes, self.tokens)

    def position_cells(self) -> Iterator[tuple[int, Lane, float]]:
        """The cells of wpe: position, lane and value, zeros left out."""
        yield from cells_of(range(self.n_ctx or 0), self.lanes, self.positions)


def _label(key: Any) -> Any:
    """The label that a whole number stands for, as in `p[3]`; anything else itself."""
    whole = isinstance(key, Integral) and not isinstance(key, bool)
    return str(key) if whole else key
