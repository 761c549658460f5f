"""The words with which an author declares slots: each returns a Slot of handcraft.language.slots.

    position(5)                       one-hot: lane i is 1 at position i              wpe
    position(64, p=float)             named functions of the position                 wpe
    token("ab")                       one-hot: lane a is 1 where the token is a       wte
    slot("digit", token={"7": 7})     any function of the token, the position, both   wte + wpe
    scratch("v"), scratch("m", "ab")  one lane, or one a label; starts at zero
    scratch("old new")                two at once
    local("anchor")                   lanes inside one head only: no column of the stream

Rules of this file: columns are in the declared order; functions are evaluated when the slot is
declared, so that a slot is plain data; what is refused is said with the author's line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, in_quotes, listing, printable
from handcraft.core.source import caller
from handcraft.language.affine import kind_of
from handcraft.language.slot_tables import (
    MAX_ONE_HOT,
    ONE_HOT,
    SlotColumn,
    check_n_ctx,
    ordered_labels,
    row_of,
    rows_of,
)
from handcraft.language.slots import Slot

_P = ParamSpec("_P")


@checked_call()
def position(
    n_ctx: int, /, *, name: str = "position", **lanes: SlotColumn
) -> Slot:
    """A slot of the position: one-hot over `n_ctx`, or one lane for each named function of it.

    n_ctx  the number of positions, which is the context window of the program
    name   of the slot; lanes are named by it in messages and tables, such as position:3
    lanes  {label: function of the position, or one number a position}
    """
    check_n_ctx(n_ctx)
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
    rows = rows_of(name, lanes, range(n_ctx))
    return Slot(name=name, labels=tuple(lanes), positions=rows)


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
    tokens: Iterable[str], /, *, name: str = "token", **lanes: SlotColumn
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
    known = ordered_labels("token", tokens, "the tokens")
    if not lanes:
        return Slot(name=name, labels=known, tokens=ONE_HOT)
    rows = zip(known, rows_of(name, lanes, known), strict=True)
    return Slot(name=name, labels=tuple(lanes), tokens=tuple(rows))


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
    _check_tables(name, token, position)
    check_n_ctx(1 if position is None else len(position))
    tokens = positions = None
    if token is not None:
        tokens = tuple(
            (key, row_of(name, value)) for key, value in token.items()
        )
    if position is not None:
        positions = tuple(row_of(name, value) for value in position)
    return Slot(
        name=name,
        labels=None
        if labels is None
        else ordered_labels(name, labels, "the labels"),
        tokens=tokens,
        positions=positions,
    )


def _check_tables(name: str, token: object, position: object) -> None:
    """Raise ProgramError for no table at all, and for what is none."""
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
    kept = (
        None
        if labels is None
        else ordered_labels("scratch", labels, "the labels")
    )
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
