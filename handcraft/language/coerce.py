"""Converts what authors and JSON write for an expression or a map to an Affine or a Map.

    key=p                              a slot: each of its lanes from itself
    query=1024 * (p + p.previous)      an expression over slots
    {v: t["a"] - t["b"]}               an expression for each lane or slot
    {before: now}                      two slots: their lanes are paired by equal labels
    {"v": {"token:a": 1.0}}            the same in JSON

Rules of this file: anything else is a ProgramError that says what was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, PlainSerializer

from handcraft.core.errors import ProgramError, hint, listing, printable
from handcraft.language.affine import (
    CONSTANT,
    Affine,
    Lane,
    Map,
    Named,
    Operand,
    Term,
    describe,
    kind_of,
    lift,
    number,
)

MapLike: TypeAlias = Operand | Mapping[Any, Term]


def as_map(value: object) -> Map:
    """The map of a slot, of an expression over slots, or of {lane or slot: expression}.

    `{slot: slot}` pairs lanes by equal labels; each label of the left slot must be in the right
    one. A single expression under a slot goes to each of its lanes. Raises ProgramError for
    anything else.
    """
    if isinstance(value, Mapping):
        rows: list[tuple[Lane, Affine]] = []
        for key, term in value.items():
            rows += _rows(_target(key), _row_value(term))
        return Map.of(rows)
    if isinstance(value, Named):
        return Map.identity(value.lanes)
    expression = lift(value)
    if isinstance(expression, Map):
        return expression
    if len(expression.terms) == 1:
        return Map.of([(expression.terms[0][0], expression)])
    raise ProgramError(
        f"say which lane this is for, as {{lane: expression}}; found {expression}"
    )


def _target(key: object) -> tuple[Lane, ...]:
    if isinstance(key, Named):
        return key.lanes
    if isinstance(key, str):
        return (Lane.parse(key),)
    raise ProgramError(
        f"the left side of a map is a lane or a slot, as in {{lane: expression}};"
        f" found {kind_of(key)}"
    )


def _row_value(term: object) -> Affine | Map:
    return as_affine(term) if isinstance(term, Mapping) else lift(term)


def _rows(
    targets: tuple[Lane, ...], value: Affine | Map
) -> Iterator[tuple[Lane, Affine]]:
    if isinstance(value, Affine):
        yield from ((lane, value) for lane in targets)
        return
    if len(targets) == 1 and len(value.rows) == 1:
        yield targets[0], value.rows[0][1]
        return
    if len(targets) == 1 and targets[0].label is None:
        raise ProgramError(
            f"{printable(str(targets[0]))} is one lane, and the expression has"
            f" {describe(value.targets)}: choose one of them, such as"
            f" {_lane_text(value.targets[0])}, or add them up with .sum()"
        )
    by_label: dict[str | None, Affine] = {}
    for (
        lane,
        affine,
    ) in value.rows:  # lanes of two slots with the same label are summed
        known = by_label.get(lane.label)
        by_label[lane.label] = affine if known is None else known.plus(affine)
    for lane in targets:
        if lane.label not in by_label:
            labels = [str(label) for label in by_label]
            raise ProgramError(
                f"{printable(str(lane))} has no partner: lanes pair by equal labels,"
                f" and the expression has {listing(labels)}"
                + hint(str(lane.label), labels)
            )
        yield lane, by_label[lane.label]


def _lane_text(lane: Lane) -> str:
    """The lane as an author writes it."""
    return printable(f"{lane.slot}[{lane.label!r}]")


def as_affine(value: object) -> Affine:
    """The affine expression of a lane, a number, an expression, or its JSON.

    Raises ProgramError for anything else.
    """
    if isinstance(value, Mapping):
        terms = {
            str(key): number(term, "a coefficient is a number")
            for key, term in value.items()
        }
        constant = terms.pop(CONSTANT, 0.0)
        return Affine.of(
            {Lane.parse(key): term for key, term in terms.items()}, constant
        )
    expression = lift(value)
    if isinstance(expression, Map):
        if len(expression.rows) == 1:
            return expression.rows[0][1]
        raise ProgramError(
            f"expected one expression, found {describe(expression.targets)}: choose one"
            f" of them, such as {_lane_text(expression.targets[0])}, or add them up with"
            " .sum()"
        )
    return expression


_VARYING = "; what varies stands in when=, as in Neuron(when=x, adds={lane: 1})"


def as_direction(value: object) -> Affine:
    """The sum of lanes times amounts that {lane or slot: number}, or an expression, stands for.

    Raises ProgramError for anything else.
    """
    if isinstance(value, Mapping):
        total = Affine()
        for key, term in value.items():
            for lane in _target(key):
                amount = number(term, "an amount to add is a number", _VARYING)
                total = total.plus(Affine.of({lane: amount}))
        return total
    return as_affine(value)


AsMap = Annotated[Map, BeforeValidator(as_map), PlainSerializer(Map.to_json)]
AsAffine = Annotated[
    Affine, BeforeValidator(as_affine), PlainSerializer(Affine.to_json)
]
AsDirection = Annotated[
    Affine, BeforeValidator(as_direction), PlainSerializer(Affine.to_json)
]


def value_lanes(value: object) -> Map:
    """The map from each target lane to itself: a head's default key or output."""
    return Map.identity(as_map(value).targets)
