"""Meanings: what a lane that a rule writes is to hold, as an expression of the claims' language.

    Head(..., means={v: count({0: "a"})})             a number at each position
    attend_to(..., means={before: token_at(here - 1)})  a token: lane a is 1 where it is a, else 0

`here` is the position, the tokens are those up to it (in a model that is not causal, the whole
text), and None says nothing. A lane of the stream has its meaning after the rule's own sublayer:
after the heads of the block, or after its MLP. A value lane that the head does not write has it
inside the head, as the mean over the positions attended to.

Rules of this file: a meaning explains. It never changes a weight, and no verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

from pydantic import PlainSerializer, PlainValidator, StrictInt

from handcraft.core.errors import ProgramError, printable
from handcraft.language.affine import Lane, Named, kind_of
from handcraft.language.notation import shortened
from handcraft.sequence.expression import Argument, Expression
from handcraft.sequence.expression_checks import LARGEST_NUMBER
from handcraft.sequence.notation import written
from handcraft.sequence.value_kinds import (
    FRACTION,
    NOTHING,
    NUMBER,
    TOKEN,
    kinds_of,
    only,
)

Meaning: TypeAlias = Expression | StrictInt
Meanings: TypeAlias = tuple[tuple[Lane, Meaning], ...]
MeaningsLike: TypeAlias = Mapping[Any, Argument] | Meanings


def as_meanings(value: object) -> Meanings:
    """The meaning of each lane of {lane or slot: expression}.

    Raises ProgramError for anything else, and for an expression that is no number, or for several
    lanes no token.
    """
    if _is_done(value):
        return _once(cast(Meanings, value))
    if not isinstance(value, Mapping):
        plain = not isinstance(value, Expression)
        raise ProgramError(
            "takes {lane: expression}, such as {v: count({0: 'a'})}, found"
            f" {kind_of(value) if plain else written(value)}"
        )
    return _once(
        tuple(
            row
            for target, meaning in value.items()
            for row in _rows(target, _meaning(meaning))
        )
    )


def _is_done(value: object) -> bool:
    """True for the meanings of rules that are copied or merged."""
    return isinstance(value, tuple) and all(map(_is_row, value))


def _is_row(row: object) -> bool:
    return (
        isinstance(row, tuple)
        and len(row) == 2
        and isinstance(row[0], Lane)
        and isinstance(row[1], Expression | int)
        and not isinstance(row[1], bool)
    )


def _once(rows: Meanings) -> Meanings:
    lanes = [row[0] for row in rows]
    for lane in lanes:
        if lanes.count(lane) > 1:
            raise ProgramError(f"{_name(lane)} has two meanings")
    return rows


def _rows(target: object, meaning: Meaning) -> Iterator[tuple[Lane, Meaning]]:
    """The meaning of each lane: of labelled ones, whether the token is the label."""
    if isinstance(target, str):
        target = Lane.parse(target)
    if not isinstance(target, Named):
        raise ProgramError(
            "the left side of a meaning is a lane or a slot, found"
            f" {kind_of(target)}"
        )
    lanes = target.lanes
    labels = [lane.label for lane in lanes if lane.label is not None]
    if len(labels) == len(lanes) and kinds_of(meaning) - NOTHING == TOKEN:
        for lane, label in zip(lanes, labels, strict=True):
            yield lane, Expression(op="equal", args=(meaning, label))
    elif len(lanes) == 1:
        _check_number(meaning, _name(target))
        yield lanes[0], meaning
    else:
        raise ProgramError(
            f"{_name(target)} has {len(lanes)} lanes, so it means a token; say which"
            f" lane {written(meaning)} is for"
        )


def _check_number(meaning: Meaning, name: str) -> None:
    if isinstance(meaning, Expression):
        only(meaning, NUMBER | FRACTION | NOTHING, f"{name} holds a number")


def _meaning(value: object) -> Meaning:
    """The meaning that an author or JSON wrote."""
    if isinstance(value, Mapping):
        value = Expression(
            **{str(name): field for name, field in value.items()}
        )
    if isinstance(value, bool) or not isinstance(value, Expression | int):
        found = "a function" if callable(value) else kind_of(value)
        raise ProgramError(
            "a meaning is a whole number or an expression of handcraft.sequence.words,"
            f" such as token_at(here - 1) or ratio(1, 2), found {found}"
        )
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise ProgramError(f"a number may be {LARGEST_NUMBER} at most")
    if isinstance(value, Expression) and value.uses("end", "step"):
        raise ProgramError(
            "a meaning holds at every position: it can use here, but not end or step"
        )
    return value


def _name(target: Named) -> str:
    return printable(str(getattr(target, "name", target)))


def meanings_json(rows: Meanings) -> dict[str, Any]:
    """The meanings as plain data."""
    return {
        str(lane): x.model_dump(mode="json") if isinstance(x, Expression) else x
        for lane, x in rows
    }


def short_meanings(rows: Meanings) -> str:
    """The meanings as `{lane: expression}`, those after the first few counted."""
    texts = (f"{_name(lane)}: {written(meaning)}" for lane, meaning in rows)
    return (rows and f"{{{shortened(texts, len(rows), 'lanes')}}}") or ""


if TYPE_CHECKING:
    AsMeanings: TypeAlias = Meanings
else:  # as_meanings checks all; what pydantic builds for expressions most programs never need
    AsMeanings = Annotated[
        Any, PlainValidator(as_meanings), PlainSerializer(meanings_json)
    ]
