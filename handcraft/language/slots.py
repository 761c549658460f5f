"""Slots: named groups of lanes of the residual stream, and what the embeddings write into them.

    position(5)                       one-hot: lane i is 1 at position i              wpe
    position(64, p=float)             named functions of the position                 wpe
    token("ab")                       one-hot: lane a is 1 where the token is a       wte
    slot("digit", token={"7": 7})     any function of the token, the position, both   wte + wpe
    scratch("v"), scratch("m", "ab")  one lane, or one a label; starts at zero
    scratch("old new")                two at once
    local("anchor")                   lanes inside one head only: no column of the stream

Rules of this file: columns are in the declared order; a one-hot slot is stored by name, not as a
table; functions are evaluated when the slot is declared, so that a slot is plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

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
from handcraft.language.affine import (
    Affine,
    Lane,
    Map,
    Named,
    Operand,
    kind_of,
    number,
)
from handcraft.language.notation import short_slot

MAX_N_CTX = (
    2**20
)  # positions; a longer window is refused before anything is allocated
MAX_ONE_HOT = 2**13  # positions with a lane each; more would fill a gigabyte
ONE_HOT: Literal["one-hot"] = "one-hot"

_P = ParamSpec("_P")
_Row = tuple[float, ...]  # one value a lane of the slot
_Values: TypeAlias = Callable[[Any], float] | Sequence[float]


def _pairs(value: object) -> object:
    return tuple(value.items()) if isinstance(value, Mapping) else value


def _mapping(value: object) -> object:
    return dict(value) if isinstance(value, tuple) else value


TokenTable = Annotated[
    Literal["one-hot"] | tuple[tuple[str, _Row], ...] | None,
    BeforeValidator(_pairs),
    PlainSerializer(_mapping),
]
PositionTable = Literal["one-hot"] | tuple[_Row, ...] | None


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
        labels = self.labels
        if labels is not None and (
            not labels or len(set(labels)) < len(labels)
        ):
            twice = [label for label in labels if labels.count(label) > 1]
            found = (
                f"{in_quotes(twice[0])} stands twice"
                if twice
                else "there are none"
            )
            raise ProgramError(
                f"the labels of {self.name} must be distinct, and at least one; {found}"
            )
        if amiss := unwritable((*(labels or ()), *self.vocabulary)):
            raise ProgramError(f"in the slot {self.name}, {amiss}")
        if self.labels is None and ONE_HOT in (self.tokens, self.positions):
            raise ProgramError(
                f"{self.name} is one-hot, so its lanes need labels"
            )
        for row in self._rows():
            if len(row) != len(self.lanes):
                lanes = len(self.lanes)
                raise ProgramError(
                    f"{self.name} has {lanes} lane{'s' if lanes > 1 else ''}, but its"
                    f" table has a row of {len(row)}; labels= names one lane a number"
                )
            total = sum(abs(value) for value in row)
            Affine.of({}, total)  # raises unless it is finite
        return self

    def _rows(self) -> Iterator[_Row]:
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
        labels: Iterable[str] | Mapping[str, float] | None = None,
        value: Callable[[str], float] | float = 1.0,
        /,
    ) -> Affine:
        """The sum of the lanes of these labels, each times a number.

            t.sum("({[")             t["("] + t["{"] + t["["]
            t.sum("0123456789", int) t["1"] + 2 t["2"] + ...
            t.sum({"a": 1, "b": -1}) t["a"] - t["b"]

        labels  a text of letters, or a list of labels; all of the slot's by default
        value   one number, or a function of the label

        Raises ProgramError for an unknown label, one that occurs twice, and for no number.
        """
        given = labels.get if isinstance(labels, Mapping) else value
        if given is not value and value != 1.0:
            raise ProgramError(
                f"{self.name}.sum: the table has the number of each label already; leave"
                f" out {kind_of(value)}",
                (),
                caller(),
            )
        keys = self.labels if labels is None else self._once(labels)
        total = Affine()
        for key in keys or ():
            amount = _given(f"{self.name}.sum", given, key)
            weight = number(amount, f"{self.name}.sum takes a number a label")
            total = total.plus(self[key].expression().scaled(weight))
        return total

    def _once(self, labels: Iterable[str]) -> tuple[str, ...]:
        """These labels in their order. Raises ProgramError for one that stands twice."""
        listed = [*labels] if isinstance(labels, Mapping) else labels
        keys = _ordered(self.name, listed, "the labels")
        for key in keys:
            if keys.count(key) > 1:
                raise ProgramError(
                    f"{self.name}.sum: {in_quotes(key)} stands twice; where it counts"
                    " twice, write {label: 2}",
                    (),
                    caller(),
                )
        return keys

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
        yield from _cells(self.vocabulary, self.lanes, self.tokens)

    def position_cells(self) -> Iterator[tuple[int, Lane, float]]:
        """The cells of wpe: position, lane and value, zeros left out."""
        yield from _cells(range(self.n_ctx or 0), self.lanes, self.positions)


def _cells(
    keys: Sequence[Any],
    lanes: tuple[Lane, ...],
    table: object,
) -> Iterator[tuple[Any, Lane, float]]:
    if table == ONE_HOT:
        yield from (
            (key, lane, 1.0) for key, lane in zip(keys, lanes, strict=True)
        )
    elif isinstance(table, tuple):
        rows = (row[1] if isinstance(row[0], str) else row for row in table)
        yield from (
            (key, lane, value)
            for key, row in zip(keys, rows, strict=True)
            for lane, value in zip(lanes, row, strict=True)
            if value
        )


@checked_call()
def position(
    n_ctx: int, /, *, name: str = "position", **lanes: _Values
) -> Slot:
    """A slot of the position: one-hot over `n_ctx`, or one lane for each named function of it.

    n_ctx  the number of positions, which is the context window of the program
    name   of the slot; lanes are named by it in messages and tables, such as position:3
    lanes  {label: function of the position, or one number a position}
    """
    _check_n_ctx(n_ctx)
    if not lanes:
        if n_ctx > MAX_ONE_HOT:
            message = (
                f"a lane for each of {n_ctx} positions is more than {MAX_ONE_HOT}; hold"
                " the position itself: position(n, p=...)"
            )
            raise ProgramError(message, (), caller())
        return Slot(
            name=name, labels=tuple(map(str, range(n_ctx))), positions=ONE_HOT
        )
    columns = [
        _column(f"{name}:{label}", values, range(n_ctx))
        for label, values in lanes.items()
    ]
    return Slot(
        name=name,
        labels=tuple(lanes),
        positions=tuple(zip(*columns, strict=True)),
    )


def _one_list(make: Callable[_P, Slot]) -> Callable[_P, Slot]:
    """A decorator that raises ProgramError for tokens that stand side by side, not in a list."""

    @wraps(make)
    def checked(*args: _P.args, **fields: _P.kwargs) -> Slot:
        if len(args) > 1 and all(isinstance(word, str) for word in args):
            raise ProgramError(
                f"takes the tokens as one list, found {len(args)} arguments: write"
                f" token([{listing(map(repr, args), 4)}])",
                ("token",),
                caller(),
            )
        return make(*args, **fields)

    return checked


def _no_letters(text: str) -> None:
    """Raise ProgramError for a text that is a word: one of its letters stands twice."""
    twice = [letter for letter in text if text.count(letter) > 1]
    if twice:
        raise ProgramError(
            f"a text is one token for each letter, and {in_quotes(twice[0])} stands"
            f" twice in {in_quotes(text[:60])}; words are given as a list:"
            f" token([{printable(repr(text[:60]))}])",
            ("token",),
            caller(),
        )


@_one_list
@checked_call()
def token(
    tokens: Iterable[str], /, *, name: str = "token", **lanes: _Values
) -> Slot:
    """A slot of the token: one-hot over `tokens`, or one lane for each named function of it.

    tokens  a text, each letter of which is a token; or a list of texts, for tokens that are
            words, such as ["^", " Anna"]. A space belongs to the token that it stands in
    name    of the slot; lanes are named by it in messages and tables, such as token:a
    lanes   {label: function of the token, or one number a token}
    """
    if isinstance(tokens, str):
        _no_letters(tokens)
    if isinstance(tokens, Mapping):
        raise ProgramError(
            'the tokens are a table; a table of numbers is slot("name", token={...})',
            ("token",),
            caller(),
        )
    known = _ordered("token", tokens, "the tokens")
    if not lanes:
        return Slot(name=name, labels=known, tokens=ONE_HOT)
    columns = [
        _column(f"{name}:{label}", values, known)
        for label, values in lanes.items()
    ]
    return Slot(
        name=name,
        labels=tuple(lanes),
        tokens=tuple(zip(known, zip(*columns, strict=True), strict=True)),
    )


@checked_call()
def slot(
    name: str,
    /,
    *,
    token: Mapping[str, float | Sequence[float]] | None = None,
    position: Sequence[float | Sequence[float]] | None = None,
    labels: Iterable[str] | None = None,
) -> Slot:
    """A slot of any function of the token, of the position, or the sum of both, as tables.

    An entry is one number, or with `labels` one number a label. Raises ProgramError for others.
    """
    if token is None and position is None:
        raise ProgramError(
            "has neither token= nor position=; lanes that start at zero are"
            f' scratch("{printable(str(name))}")',
            (name,),
            caller(),
        )
    if not isinstance(token, Mapping | None):
        raise ProgramError(
            f"token= takes a table {{token: number}}, found {type(token).__name__}",
            (name,),
            caller(),
        )
    if position is not None and (
        not isinstance(position, Sequence) or isinstance(position, str)
    ):
        raise ProgramError(
            "position= takes a list of one number a position, found"
            f" {type(position).__name__}",
            (name,),
            caller(),
        )
    _check_n_ctx(1 if position is None else len(position))
    tokens = positions = None
    if token is not None:
        tokens = tuple((key, _row(name, value)) for key, value in token.items())
    if position is not None:
        positions = tuple(_row(name, value) for value in position)
    return Slot(
        name=name,
        labels=None if labels is None else _ordered(name, labels, "the labels"),
        tokens=tokens,
        positions=positions,
    )


@checked_call()
def scratch(
    names: str,
    labels: Iterable[str] | None = None,
    /,
    *,
    reuse: Slot | None = None,
) -> Any:
    """A slot that starts at zero, for heads and neurons to write into: one lane, or one a label.

        v = scratch("v")
        middle, after = scratch("middle after")

    names   the name, or several names with spaces between: then a tuple of slots
    labels  of the lanes of each: a text, each letter of which is a label, or a list
    reuse   an earlier scratch slot whose columns it takes over after a rule has erased them
            (recipes.erase)

    Raises ProgramError for a name that is no identifier, and for several that reuse one slot.
    """
    if reuse is not None and not isinstance(reuse, Slot):
        raise ProgramError(
            f"reuse= takes an earlier scratch slot, found {kind_of(reuse)}",
            (),
            caller(),
        )
    return _named_slots(
        names, labels, reuse=None if reuse is None else reuse.name
    )


@checked_call()
def local(names: str, labels: Iterable[str] | None = None, /) -> Any:
    """A slot of lanes inside one head: columns of its query, key and value, none of the stream.

    Several names with spaces between give a tuple of slots.
    """
    return _named_slots(names, labels, local=True)


def _named_slots(
    names: object, labels: Iterable[str] | None, **fields: Any
) -> Slot | tuple[Slot, ...]:
    """The slot of a name, or one for each of several names."""
    if not isinstance(names, str):
        raise ProgramError(
            f'takes a name, or several in one text: "a b c"; found {kind_of(names)}',
            ("scratch",),
            caller(),
        )
    kept = None if labels is None else _ordered("scratch", labels, "the labels")
    _no_name(names, labels)
    several = names.split()
    if fields.get("reuse") and len(several) > 1:
        raise ProgramError(
            f"{len(several)} slots cannot all take over one: reuse= takes one name",
            ("scratch",),
            caller(),
        )
    slots = tuple(
        Slot(name=name, labels=kept, **fields) for name in several or [names]
    )
    return slots if len(several) > 1 else slots[0]


def _no_name(names: str, labels: object) -> None:
    """Raise ProgramError for labels that are the name of another slot: a letter stands twice."""
    word = labels if isinstance(labels, str) and labels.isidentifier() else ""
    if len(set(word)) not in (1, len(word)):
        raise ProgramError(
            f"the second text is one label for each letter, and a letter stands twice in"
            f" '{word[:60]}'; two slots are written in one text: \"{names} {word}\"",
            ("scratch",),
            caller(),
        )


def _ordered(where: str, labels: object, what: str) -> tuple[str, ...]:
    """The labels in their order. Raises ProgramError for a set, whose order is by chance."""
    if isinstance(labels, set | frozenset):
        raise ProgramError(
            f"{what} are a set, which has no order: lanes would change places from run"
            " to run; pass a text or a list",
            (where,),
            caller(),
        )
    if not isinstance(labels, Iterable) or isinstance(labels, Operand | bytes):
        raise ProgramError(
            f'{what} must be a text of letters or a list of texts, such as "ab" or'
            f' ["a", "b"]; found {kind_of(labels)}',
            (where,),
            caller(),
        )
    found = tuple(labels)
    for label in found:
        if not isinstance(label, str):
            raise ProgramError(
                f"{what} must be texts, found {kind_of(label)}",
                (where,),
                caller(),
            )
    return found


def _check_n_ctx(n_ctx: object) -> None:
    whole = isinstance(n_ctx, int) and not isinstance(n_ctx, bool)
    if not (whole and n_ctx in range(1, MAX_N_CTX + 1)):
        raise ProgramError(
            f"n_ctx must be a whole number from 1 to {MAX_N_CTX}, found {n_ctx!r}",
            (),
            caller(),
        )


def _column(lane: str, values: _Values, keys: Sequence[Any]) -> list[float]:
    if callable(values):
        found = [_given(lane, values, key) for key in keys]
    elif is_nest(values) and not isinstance(values, set | frozenset):
        found = list(values)
    else:
        raise ProgramError(
            f"{lane} takes a function of the key, or a list of numbers; found"
            f" {kind_of(values)}",
            (),
            caller(),
        )
    if len(found) != len(keys):
        raise ProgramError(
            f"{lane} has {len(found)} values for {len(keys)} rows of the table",
            (),
            caller(),
        )
    return [number(value, f"{lane} takes a number") for value in found]


def _given(lane: str, amount: Any, key: object) -> Any:
    """The author's amount; of a function what it gives for a position, a token or a label."""
    try:
        return amount(key) if callable(amount) else amount
    except Exception as error:
        raise ProgramError(
            f"{lane}: the function raises {type(error).__name__} for"
            f" {key!r}: {printable(str(error))[:200]}",
            (),
            caller(),
        ) from error


def _row(name: str, value: float | Sequence[float]) -> _Row:
    values = value if isinstance(value, Sequence) else (value,)
    return tuple(number(item, f"{name} takes a number") for item in values)
