"""What each class of RASP becomes: a rule each, which makes a node of what its parts became.

    translated(here, program)   the node of an s-op
    has_rule(expr)              True for an expression of a class that is known here

Rules of this file: each expression is translated once, what it is made of before it, from a list
and not by recursion.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from handcraft.lowering.rasp.averages import average
from handcraft.lowering.rasp.shapes import (
    condition_of,
    is_number,
    multiples,
    node_of,
)
from handcraft.lowering.rasp.translation import (
    MOST_CALLS,
    Translation,
    Uncompilable,
)
from handcraft.lowering.rasp.values import Translated, Unusual, noted
from handcraft.lowering.reading.nodes import Node
from handcraft.rasp import (
    Aggregate,
    ConstantSelector,
    ConstantSOp,
    Full,
    LinearSequenceMap,
    Map,
    RASPExpr,
    Select,
    Selector,
    SelectorAnd,
    SelectorNot,
    SelectorOr,
    SelectorWidth,
    SequenceMap,
    SOp,
)
from handcraft.sequence.values import Value

_FEW = 1_000  # combinations of numbers of which also sums are asked for
_TOO_FAR = 2**18  # times the least distance of two numbers: the greatest


def _tokens(here: Translation, _: Any) -> Translated:
    core, book = here.core, here.book
    values = {name: book.value(token) for name, token in here.names.items()}
    objects = {values[name]: (token,) for name, token in here.names.items()}
    if all(value == name for name, value in values.items()):
        return Translated(core.token, objects)
    table: dict[tuple[Value, ...], Value] = {
        (name,): value for name, value in values.items()
    }
    return Translated(node_of(core, table, [core.token]), objects)


def _constant(here: Translation, expr: ConstantSOp) -> Translated:
    objects: dict[Value, tuple[Any, ...]] = {}
    table: dict[tuple[Value, ...], Value] = {}
    for i, found in enumerate(expr.value):
        table[(i,)] = _value(here, expr, found)
        noted(objects, table[(i,)], found)
    return Translated(node_of(here.core, table, [here.core.index]), objects)


def _value(here: Translation, expr: SOp, found: Any) -> Value:
    try:
        return here.book.value(found)
    except Unusual as unusual:
        raise Uncompilable(expr, f"has the value {unusual}") from None


def _full(here: Translation, expr: Full) -> Translated:
    value = _value(here, expr, expr.fill)
    return Translated(here.core.constant(value), {value: (expr.fill,)})


def _pairs(here: Translation, expr: SequenceMap) -> Translated:
    """By its factors where its values are many."""
    parts = [expr.fst, expr.snd]
    nodes = [here.told(part).node for part in parts]
    domains = [here.domains.of(node) for node in nodes]
    given = _factors(expr)
    plain = all(d.numeric and not d.none for d in domains)
    few = prod(d.size or MOST_CALLS for d in domains) <= _FEW
    if few or given is None or not plain:
        return here.mapped(expr, parts, expr.f)
    factors: list[Any] = [_value(here, expr, x) for x in given]
    node = multiples(here.core, factors, nodes, _ZERO)
    objects: dict[Value, tuple[Any, ...]] = {}
    for x in here.domains.of(node).values or ():
        noted(objects, x, x if isinstance(x, int) else float(x))  # type: ignore[arg-type]
        noted(objects, x, float(x))  # type: ignore[arg-type]
    return Translated(node, objects)


def _factors(expr: SequenceMap) -> tuple[Any, Any] | None:
    """By what each side is multiplied before they are added, where that is known."""
    if isinstance(expr, LinearSequenceMap):
        return expr.fst_fac, expr.snd_fac
    return _SUMS.get(expr.f)


def _aggregate(here: Translation, expr: Aggregate) -> Translated:
    core, condition = here.core, here.condition(expr.selector)
    told = here.told(expr.sop)
    default = _value(here, expr, expr.default)
    domain = here.domains.of(told.node)
    values = domain.values or (domain.low,)
    objects = {x: told.of(x) for x in values}
    noted(objects, default, expr.default)
    unique = here.one_at_most(condition)
    if here.at_least_one(condition) and values[0] is not None:
        default = values[0]  # which is not needed
    condition = here.compared(condition)
    given = core.constant(default)
    if unique or not any(map(is_number, values)):  # several texts have no mean
        node = core.select("fetch", condition, told.node, given)
    else:
        node = average(core, condition, told.node, default)
        for mean in here.domains.of(node).values or ():
            if is_number(mean):
                noted(objects, mean, float(mean))  # type: ignore[arg-type]
    return Translated(node, objects)


def _rows_of(here: Translation, expr: ConstantSelector) -> Node:
    table: dict[tuple[Value, ...], Value] = {
        (k, q): int(bool(flag))
        for q, row in enumerate(expr.value)
        for k, flag in enumerate(row)
    }
    index = here.core.index
    return condition_of(here.core, table, index, index, numbers=True)


def _paired(op: str) -> Callable[[Translation, Any], Node]:
    def made(here: Translation, expr: Any) -> Node:
        a, b = here.condition(expr.fst), here.condition(expr.snd)
        for known, other in (a, b), (b, a):
            if known.op == "constant":
                decided = bool(known.data) is (op == "either")
                return known if decided else other
        return here.core.make(op, a, b)

    return made


_ZERO: Any = 0
_SUMS: Mapping[Any, tuple[int, int]] = {
    operator.add: (1, 1),
    operator.sub: (1, -1),
}
_SOPS: Mapping[str, Callable[[Translation, Any], Translated]] = {
    "tokens": _tokens,
    "indices": lambda here, _: Translated(here.core.index),
    "length": lambda here, _: Translated(here.core.length),
    Map.kind: lambda here, e: here.mapped(e, [e.inner], e.f),
    SequenceMap.kind: _pairs,
    Full.kind: _full,
    ConstantSOp.kind: _constant,
    SelectorWidth.kind: lambda here, e: Translated(
        here.core.select("count", here.compared(here.condition(e.selector)))
    ),
    Aggregate.kind: _aggregate,
}
_SELECTORS: Mapping[str, Callable[[Translation, Any], Node]] = {
    Select.kind: lambda here, e: here.selected(e),
    ConstantSelector.kind: _rows_of,
    SelectorAnd.kind: _paired("both"),
    SelectorOr.kind: _paired("either"),
    SelectorNot.kind: lambda here, e: here.core.make(
        "negate", here.condition(e.inner)
    ),
}


def translated(here: Translation, program: SOp) -> Translated:
    """The node of an s-op, and of all that it is made of. Raises Uncompilable."""
    for expr in parts_in_order(program):
        if isinstance(expr, Selector):
            rule = _rule(_SELECTORS, expr)
            here.conditions[id(expr)] = rule(here, expr)
        else:
            here.sops[id(expr)] = _kept(
                here, expr, _rule(_SOPS, expr)(here, expr)
            )
    return here.sops[id(program)]


def _kept(here: Translation, expr: RASPExpr, told: Translated) -> Translated:
    """The node of an s-op, with its label noted. Raises Uncompilable for numbers too far apart."""
    here.labels.setdefault(id(told.node), expr.label)
    domain = here.domains.of(told.node)
    values = domain.values or (domain.low, domain.high)
    numbers: list[Any] = [x for x in values if is_number(x)]
    reach = max(map(abs, numbers), default=0)
    if domain.apart and reach > _TOO_FAR * domain.apart:
        raise Uncompilable(
            expr,
            f"has numbers up to {float(reach):.3g} that differ by"
            f" {float(domain.apart):.3g}, which float32 cannot tell apart",
        )
    if len(numbers) < len([x for x in values if x is not None]):
        here.mixed += numbers
    return told


def parts_in_order(program: RASPExpr) -> list[RASPExpr]:
    """All parts of a program, each once, children before what holds them."""
    found: dict[int, RASPExpr] = {}
    waiting: list[tuple[RASPExpr, bool]] = [(program, False)]
    while waiting:
        expr, ready = waiting.pop()
        if id(expr) in found:
            continue
        if ready:
            found[id(expr)] = expr
        else:
            waiting.append((expr, True))
            waiting.extend((child, False) for child in reversed(expr.children))
    return list(found.values())


def has_rule(expr: RASPExpr) -> bool:
    """True for an expression of a class that is known here."""
    table = _SELECTORS if isinstance(expr, Selector) else _SOPS
    return any(vars(kind).get("kind") in table for kind in type(expr).__mro__)


def _rule(table: Mapping[str, Any], expr: RASPExpr) -> Any:
    kinds = (str(vars(kind).get("kind")) for kind in type(expr).__mro__)
    return next(table[kind] for kind in kinds if kind in table)
