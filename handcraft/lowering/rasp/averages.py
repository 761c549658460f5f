"""Lowers the mean of what a condition selects, where that may be nothing, or one key only.

    average(core, ...)   the node: a selection of the kind "average", with a constant default
    means_of(domain, n)  the values that it can have
    mean_of_selected(lower, node)  the head

All selected keys share the attention, and BOS stands half way, so that where nothing is selected it
has all of it and brings 0. The values are so moved that 0 then stands for the default alone. None
and texts are numbers below all others: one key that is selected alone brings them, and a mean with
them among several has no value. Rules of this file: every mean of the values is listed, so that
what follows knows each one exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from handcraft.lowering.heads.scores import (
    FETCHED,
    SLACK,
    merged_rows,
    score_of,
    sink,
)
from handcraft.lowering.lower import Lowering
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domain import (
    MOST_VALUES,
    Domain,
    interval,
    of_values,
)
from handcraft.lowering.reading.nodes import Node, TableRows
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import BOS, FLOAT32, Held, constant, zero_at_bos
from handcraft.sequence.values import Value


def average(core: Core, condition: Node, value: Node, default: Value) -> Node:
    """The mean of a number where a condition holds, and the default where it holds nowhere."""
    return core.select("average", condition, value, core.constant(default))


def means_of(value: Domain, n: int, default: Value) -> Domain:
    """All means of 1 to n of some numbers, what one key alone can bring, and the default."""
    numbers = numbers_of(value)
    found = None if numbers is None else _means(numbers, n)
    if found is None:
        return interval(value.low, value.high, None, none=True, apart=0)
    return of_values({*found, *others_of(value), default})


def numbers_of(value: Domain) -> Domain | None:
    """The values that are numbers; None where there are too many to list."""
    if value.values is None:
        return None if value.none or value.step is None else value
    return of_values(x for x in value.values if not isinstance(x, str | None))


def others_of(value: Domain) -> list[Value]:
    """The values that are no numbers, None first."""
    none: list[Value] = [None] if value.none else []
    return none + [x for x in value.listed or () if isinstance(x, str)]


def _means(value: Domain, n: int) -> set[Value] | None:
    """The means of numbers on a lattice; None where they are too many to be listed."""
    if value.step is None:
        return None
    step = Fraction(value.step)
    most = int((value.high - value.low) / step)
    if most > MOST_VALUES:
        return None
    parts: set[Fraction] = set()
    for k in range(1, n + 1):
        parts.update(Fraction(i, k) for i in range(most * k + 1))
        if len(parts) > MOST_VALUES:
            return None
    return {_plain(value.low + step * part) for part in parts}


def _plain(x: Fraction | int) -> Value:
    return int(x) if x == int(x) else Fraction(x)


def mean_of_selected(lower: Lowering, node: Node) -> Held:
    """The head of a mean. Raises Refused."""
    default = None if node.default is None else node.default.data
    numbers, number, codes = _as_numbers(lower, node.value, default)
    by = _move(numbers, codes, default)
    score = score_of(lower, node.condition, FETCHED, counted=True)
    bos = min(score.apart, FETCHED) / 2
    behind = bos - 2 * score.radius
    if behind < SLACK:
        raise Refused(
            node,
            f"would have what is selected ahead by {behind:.3g} only, {SLACK:g} are needed",
            "a shorter window",
        )
    lane = lower.stream.attend(
        merged_rows([*score.rows, (constant(-bos), BOS.expression())]),
        lower.named(node),
        [(zero_at_bos(number.z.plus(constant(-by))), 1.0)],
        sink(lower, bos + score.reach),
    )[0]
    for x in lower.listed(node):
        if not isinstance(x, str | None):
            codes[x] = float(x)
    codes[default] = by
    reach = max(abs(x - by) for x in codes.values())
    uneven = math.expm1(2 * score.radius) + (lower.n + 8) * FLOAT32
    leak = (lower.n + 1) * math.exp(-behind)
    radius = reach * 2 * (uneven + leak) + abs(by) * 2 * FLOAT32
    return Held(
        lane.expression().plus(constant(by)), codes, number.radius + radius
    )


def _as_numbers(
    lower: Lowering, value: Node, default: Value
) -> tuple[Domain, Held, dict[Value, float]]:
    """The domain of the numbers, how they stand, and the numbers that stand for all others."""
    domain = lower.domain(value)
    numbers, others = numbers_of(domain), others_of(domain)
    if numbers is None:
        raise Refused(value, "has too many values", "a shorter window")
    codes: dict[Value, float] = {}
    if others:
        is_text = default is None or isinstance(default, str)
        low: Any = numbers.low
        low = low if is_text else min(low, default)
        codes = {x: math.floor(low) - 1.0 - i for i, x in enumerate(others)}
        rows = (
            (x, int(codes[x]) if x in codes else x) for x in domain.values or ()
        )
        table = TableRows(tuple(((x,), y) for x, y in rows))
        value = lower.core.make("table", value, data=table)
    held = lower.standard(value)
    if held is None:
        raise Refused(value, "is no number", "a map to numbers")
    return numbers, held, codes


def _move(
    numbers: Domain, codes: Mapping[Value, float], default: Value
) -> float:
    """The number that is taken from each one, so that 0 stands for the default alone."""
    if default in codes:
        return codes[default]
    if default is not None and not isinstance(default, str):
        return float(default)
    low = min((float(numbers.low), *codes.values()))
    if low > 0 or (numbers.high < 0 and not codes):
        return 0.0
    return math.floor(low) - 1.0
