"""Writes an affine expression as an author does: `2 * v + t.sum("0123456789", int) - 3`.

Rules of this file: terms keep their order; a short form stands only where the real words give the
same expression.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from handcraft.core.errors import ProgramError
from handcraft.files.writer.formulas import formula
from handcraft.files.writer.literals import (
    in_python,
    is_whole,
    labels_text,
    list_text,
    number_text,
    table_text,
)
from handcraft.files.writer.names import Variables
from handcraft.language.affine import Affine, Lane
from handcraft.language.slots import Slot

_FEWEST = 3  # terms of one slot that are added up by a word
_FEWEST_NAMED = 5  # terms without a formula
Signed = tuple[bool, str]  # True for minus


def sum_text(affine: Affine, names: Variables) -> str:
    """The expression as an author writes it."""
    return summed_up(sum_parts(affine.terms, names), affine.constant)


def sum_parts(
    terms: Sequence[tuple[Lane, float]], names: Variables
) -> list[Signed]:
    """The parts of a sum, terms of one slot together where a word adds them up."""
    parts: list[Signed] = []
    for _, run in groupby(terms, key=lambda term: names.key(term[0])):
        same = tuple(run)
        if same not in names.sums:
            names.sums[same] = _run(same, names)
        parts += names.sums[same]
    return parts


def summed_up(
    parts: Iterable[Signed], constant: float = 0.0, last: str = ""
) -> str:
    """The sum of parts with their signs; a constant before them where all are subtracted.

    last  what is added in place of a constant: a sum of whole numbers, which needs no brackets
    """
    found = list(parts)
    if last:
        minus = last.startswith("-")
        first = not minus and all(negative for negative, _ in found)
        found.insert(0 if first else len(found), (minus, last.lstrip("-")))
    elif constant or not found:
        part = constant < 0, number_text(abs(constant))
        first = constant > 0 and all(minus for minus, _ in found)
        found.insert(0 if first else len(found), part)
    (minus, text), *rest = found
    signs = (f" {'-' if minus else '+'} {text}" for minus, text in rest)
    return f"{'-' if minus else ''}{text}{''.join(signs)}"


def times(factor: float, text: str) -> Signed:
    """A term with its sign; a factor of 1 is left out."""
    size = abs(factor)
    return factor < 0, text if size == 1 else f"{number_text(size)} * {text}"


def _run(terms: Sequence[tuple[Lane, float]], names: Variables) -> list[Signed]:
    """The parts for terms of one slot."""
    key = names.key(terms[0][0])
    slot = names.known.get(key)
    if slot is not None and slot.labels is not None and len(terms) >= _FEWEST:
        wanted = Affine(terms=tuple(terms))
        variable = names.slots[key]
        for part, make in _short(terms, slot, variable):
            if _is_same(make, wanted):
                return [part]
            if (few := _few_factors(terms, slot, variable, names)) is not None:
                return few
    return [times(factor, names.lane(lane)) for lane, factor in terms]


def _few_factors(
    terms: Sequence[tuple[Lane, float]],
    slot: Slot,
    variable: str,
    names: Variables,
) -> list[Signed] | None:
    """A part for each factor, where neighbours have the same one; else None."""
    runs = [list(run) for _, run in groupby(terms, key=lambda term: term[1])]
    if len(terms) < _FEWEST * len(runs):
        return None
    parts = []
    for run in runs:
        labels = [str(lane.label) for lane, _ in run]
        text = f"{variable}.sum({labels_in_sum(labels, slot)})"
        one = names.lane(run[0][0])
        parts.append(times(run[0][1], text if len(run) > 1 else one))
    return parts


def _is_same(make: Callable[[], Affine], wanted: Affine) -> bool:
    try:
        return make() == wanted
    except ProgramError:
        return False


def _short(
    terms: Sequence[tuple[Lane, float]], slot: Slot, variable: str
) -> Iterator[tuple[Signed, Callable[[], Affine]]]:
    """The short forms for terms of a slot, with what they give."""
    labels = [str(lane.label) for lane, _ in terms]
    factors = [factor for _, factor in terms]
    every = tuple(labels) == slot.labels
    listed = "" if every else labels_in_sum(labels, slot)
    size = factors[0]
    if len(set(factors)) == 1:
        yield (
            times(size, f"{variable}.sum({listed})"),
            lambda: slot.sum(labels).scaled(size),
        )
    if not all(map(is_whole, labels)) or len(terms) < _FEWEST + 1:
        yield from _by_label(labels, factors, slot, variable)
        return
    shown = labels_in_sum(labels, slot)
    unit = factors[-1] / int(labels[-1]) if int(labels[-1]) else 1.0
    yield (
        times(unit, f"{variable}.sum({shown}, int)"),
        lambda: slot.sum(labels, int).scaled(unit),
    )
    x = "int(c)"
    if (text := formula(x, [*map(int, labels)], factors)) is not None:
        amounts = dict(zip(labels, factors, strict=True))
        yield (
            (False, f"{variable}.sum({shown}, lambda c: {text})"),
            lambda: slot.sum(labels, lambda label: amounts[label]),
        )
    yield from _by_label(labels, factors, slot, variable)


def _by_label(
    labels: Sequence[str], factors: Sequence[float], slot: Slot, variable: str
) -> Iterator[tuple[Signed, Callable[[], Affine]]]:
    """The sum with a table of the factor of each label."""
    if len(labels) < _FEWEST_NAMED:
        return
    amounts = dict(zip(labels, factors, strict=True))
    usual, count = Counter(factors).most_common(1)[0]
    rows = [
        (in_python(label), number_text(x))
        for label, x in amounts.items()
        if x != usual or 3 * count < 2 * len(labels)
    ]
    if len(rows) < len(labels):
        every = tuple(labels) == slot.labels
        shown = f"{variable}.labels" if every else labels_in_sum(labels, slot)
        get = f"{table_text(rows)}.get(c, {number_text(usual)})"
        yield (
            (False, f"{variable}.sum({shown}, lambda c: {get})"),
            lambda: slot.sum(labels, lambda label: amounts[label]),
        )
        return
    yield (
        (False, f"{variable}.sum({table_text(rows)})"),
        lambda: slot.sum(amounts),
    )


def labels_in_sum(labels: Sequence[str], slot: Slot) -> str:
    """Labels for `sum`, which takes no text that is a label itself."""
    text = labels_text(labels)
    return list_text(labels) if "".join(labels) in (slot.labels or ()) else text
