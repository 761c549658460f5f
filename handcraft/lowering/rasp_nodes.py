"""Turns s-ops and selectors of RASP into nodes: every function of an author's is asked for each
combination of values that its arguments can have.

    Translation(core, domains, book, tokens).sop(program)

A function that raises says nothing about that combination: where one occurs for some text, that is
an error, and else none of the rules cares (handcraft.lowering.rasp_witness). Rules of this file:
each expression is translated once, what it is made of before it, from a list and not by recursion.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from handcraft.core.errors import printable
from handcraft.lowering.averages import average
from handcraft.lowering.domains import (
    Domains,
    bases_of,
    function_of,
)
from handcraft.lowering.matches import at_query, sides_of
from handcraft.lowering.nodes import NEVER, Core, Node
from handcraft.lowering.rasp_shapes import (
    condition_of,
    is_number,
    multiples,
    node_of,
)
from handcraft.lowering.rasp_values import Glossary, Translated, Unusual, noted
from handcraft.lowering.fetching import known_to_be_one
from handcraft.rasp import (
    Aggregate,
    Comparison,
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

_MOST_ASKED = 2**18  # combinations of values that a function is asked for
_FEW = 1_000  # combinations of numbers of which also sums are asked for
_TOO_FAR = (
    2**18
)  # how many times the least distance of two numbers the greatest may be


class Uncompilable(Exception):  # noqa: N818  # it becomes a NotImplementedError
    """An expression that cannot be compiled, and why."""

    def __init__(self, expr: RASPExpr, why: str) -> None:
        super().__init__(why)
        self.expr, self.why = expr, why


class Raised(Uncompilable):
    """A function that raises for values that its arguments can have together.

    parts  the s-ops that are its arguments; `apart` if they are read at different positions
    rows   {the values: what was raised}
    """

    def __init__(
        self,
        expr: RASPExpr,
        parts: Sequence[SOp],
        rows: Mapping[tuple[Value, ...], Exception],
        *,
        apart: bool,
    ) -> None:
        super().__init__(expr, "raises")
        self.parts, self.rows, self.apart = parts, rows, apart


class Translation:
    """The nodes of one program.

    names    {token: its object}
    exact    True if counts are read off anew before a condition compares them
    raised   what functions raised, to be looked for among real texts
    """

    def __init__(
        self,
        core: Core,
        domains: Domains,
        book: Glossary,
        names: Mapping[str, Any],
        *,
        exact: bool = False,
    ) -> None:
        self.core, self.domains, self.book = core, domains, book
        self.exact = exact
        self.causal = core.causal
        self.names = names
        self.raised: list[Raised] = []
        self.labels: dict[int, str] = {}
        self.mixed: list[Value] = []  # numbers that stand beside texts
        self._sops: dict[int, Translated] = {}
        self._conditions: dict[int, Node] = {}

    def sop(self, program: SOp) -> Translated:
        """The node of an s-op, and of all that it is made of. Raises Uncompilable."""
        for expr in parts_in_order(program):
            if isinstance(expr, Selector):
                self._conditions[id(expr)] = _rule(_SELECTORS, expr)(self, expr)
            else:
                self._sops[id(expr)] = self._kept(
                    expr, _rule(_SOPS, expr)(self, expr)
                )
        return self._sops[id(program)]

    def _kept(self, expr: RASPExpr, told: Translated) -> Translated:
        self.labels.setdefault(id(told.node), expr.label)
        domain = self.domains.of(told.node)
        values = domain.values or (domain.low, domain.high)
        numbers = [x for x in values if not isinstance(x, str | None)]
        reach = max(map(abs, numbers), default=0)
        if domain.apart and reach > _TOO_FAR * domain.apart:
            raise Uncompilable(
                expr,
                f"has numbers up to {float(reach):.3g} that differ by"
                f" {float(domain.apart):.3g}, which float32 cannot tell apart",
            )
        if len(numbers) < len([x for x in values if x is not None]):
            self.mixed += numbers
        return told

    def told(self, expr: RASPExpr) -> Translated:
        """What a part of the program became."""
        return self._sops[id(expr)]

    # ------------------------------------------------------------ functions

    def mapped(
        self, expr: SOp, parts: Sequence[SOp], f: Callable[..., Any]
    ) -> Translated:
        """A function of s-ops at the same position; None where one of them is."""
        told = [self.told(part) for part in parts]
        objects: dict[Value, tuple[Any, ...]] = {}
        table: dict[tuple[Value, ...], Value] = {}
        raised: dict[tuple[Value, ...], Exception] = {}
        for row in self.together(expr, told):
            if None in row:
                table[row] = None
                continue
            try:
                table[row] = self._asked(expr, f, told, row, objects)
            except _Raises as found:
                raised[row] = found.error
        self._note(expr, parts, raised, table, apart=False)
        nodes = [one.node for one in told]
        numbers = all(map(self._no_text, nodes))
        return Translated(
            node_of(self.core, table, nodes, numbers=numbers), objects
        )

    def _no_text(self, node: Node) -> bool:
        return self.domains.of(node).numeric

    def _note(
        self,
        expr: RASPExpr,
        parts: Sequence[SOp],
        raised: Mapping[tuple[Value, ...], Exception],
        table: Mapping[Any, Any],
        *,
        apart: bool,
    ) -> None:
        if raised:
            self.raised.append(Raised(expr, parts, raised, apart=apart))
        if not table:
            row, error = next(iter(raised.items()))
            told = [self.told(part) for part in parts]
            raise Uncompilable(
                expr, raises(told, row, error, "and for all others")
            )

    def _asked(
        self,
        expr: RASPExpr,
        f: Callable[..., Any],
        told: Sequence[Translated],
        row: tuple[Value, ...],
        objects: dict[Value, tuple[Any, ...]],
    ) -> Value:
        """The value of a function, asked of all objects that these values can be."""
        found: dict[Value, tuple[Any, ...]] = {}
        for given in product(
            *(one.of(x) for one, x in zip(told, row, strict=True))
        ):
            try:
                result = f(*given)
            except Exception as error:  # the author's function
                raise _Raises(error) from None
            try:
                value = self.book.value(result)
            except Unusual as unusual:
                raise Uncompilable(
                    expr,
                    f"gives {unusual} for {_listed(given)}; None, a number, a text or"
                    " another value that can be hashed would do",
                ) from None
            found.setdefault(value, given)
            noted(objects, value, result)
        if len(found) > 1:
            raise Uncompilable(expr, _unequal(found))
        return next(iter(found))

    def together(
        self, expr: RASPExpr, told: Sequence[Translated]
    ) -> Iterator[tuple[Value, ...]]:
        """The values that some s-ops can have at one position."""
        nodes = [one.node for one in told]
        bases = list(dict.fromkeys(b for node in nodes for b in bases_of(node)))
        lists = self.lists(bases)
        if lists is not None:
            asks = [function_of(node, bases_of(node)) for node in nodes]
            places = [[bases.index(b) for b in bases_of(n)] for n in nodes]
            rows = (
                tuple(
                    ask([row[i] for i in at])
                    for ask, at in zip(asks, places, strict=True)
                )
                for row in product(*lists)
            )
            found = dict.fromkeys(row for row in rows if NEVER not in row)
            yield from found
            return
        lists = self.lists(nodes)
        if lists is None:
            raise Uncompilable(
                expr,
                f"is computed from more than {_MOST_ASKED:,} combinations of values;"
                " a smaller max_seq_len or vocab would do",
            )
        yield from product(*lists)

    def lists(self, nodes: Iterable[Node]) -> list[Sequence[Value]] | None:
        """The values of each node; None where their combinations are too many."""
        lists = [self.domains.of(node).values for node in nodes]
        if any(values is None for values in lists):
            return None
        few = prod(len(values or ()) for values in lists) <= _MOST_ASKED
        return [values or () for values in lists] if few else None

    # ------------------------------------------------------------ selectors

    def condition(self, selector: RASPExpr) -> Node:
        """What a selector became."""
        return self._conditions[id(selector)]

    def compared(self, condition: Node) -> Node:
        """A condition as it is lowered."""
        return self._read_off(condition) if self.exact else condition

    def _read_off(self, node: Node) -> Node:
        """The same with every count of it exact."""
        own = node.args[0] if node.op == "there" else node
        if own.op == "select":
            return (
                self.core.make("exact", node) if own.data == "count" else node
            )
        if not node.args or node.op == "there":
            return node
        args = map(self._read_off, node.args)
        return self.core.make(node.op, *args, data=node.data)

    def at_least_one(self, condition: Node) -> bool:
        """True if a condition is known to hold where the key is the query."""
        own = at_query(condition, self)  # type: ignore[arg-type]  # asks core
        bases = bases_of(own)
        lists = self.lists(bases)
        if lists is None:
            return False
        ask = function_of(own, bases)
        return all(ask(row) not in (0, None) for row in product(*lists))

    def one_at_most(self, condition: Node) -> bool:
        """True if a condition is known to hold for one key at most."""
        if known_to_be_one(self, condition):  # type: ignore[arg-type]  # asks core, causal
            return True
        keys, queries = sides_of(condition)
        if not all(key.op == "index" for key in keys):
            return False
        there = [self.core.there(key) for key in keys]
        lists = self.lists([*keys, *queries])
        if lists is None or not keys:
            return False
        ask = function_of(condition, [*there, *queries])
        return all(
            sum(ask((k, *row)) not in (0, None, NEVER) for k in lists[0]) < 2
            for row in product(*lists[1:])
        )

    def selected(self, expr: Select) -> Node:
        """The condition of a predicate, asked of each key's value and each query's."""
        parts = [expr.keys, expr.queries]
        told = [self.told(part) for part in parts]
        lists = self.lists([one.node for one in told])
        if lists is None:
            return self._by_form(expr, *told)
        table: dict[tuple[Value, ...], Value] = {}
        raised: dict[tuple[Value, ...], Exception] = {}

        def holds(key: Any, query: Any) -> int:
            return int(bool(expr.predicate(key, query)))

        for row in product(*lists):
            try:
                table[row] = self._asked(expr, holds, told, row, {})
            except _Raises as found:
                raised[row] = found.error
        self._note(expr, parts, raised, table, apart=True)
        key, query = (one.node for one in told)
        numbers = self._no_text(key) and self._no_text(query)
        return condition_of(self.core, table, key, query, numbers=numbers)

    def _by_form(
        self, expr: Select, key: Translated, query: Translated
    ) -> Node:
        """A comparison of numbers that are too many to be asked one by one."""
        core, there, own = self.core, self.core.there(key.node), query.node
        domains = [self.domains.of(one.node) for one in (key, query)]
        plain = all(d.numeric and not d.none for d in domains)
        form = _COMPARED.get(expr.predicate) if plain else None  # type: ignore[call-overload]
        if form is None:
            raise Uncompilable(
                expr,
                f"compares more than {_MOST_ASKED:,} combinations of values; a smaller"
                " max_seq_len or vocab would do",
            )
        found: Node = form(core, there, own)
        return found


class _Raises(Exception):  # noqa: N818  # it is caught in this file
    """What an author's function raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error


_COMPARED: Mapping[Any, Callable[[Core, Node, Node], Node]] = {
    Comparison.EQ: lambda core, k, q: core.make("equal", k, q),
    Comparison.NEQ: lambda core, k, q: core.make(
        "negate", core.make("equal", k, q)
    ),
    Comparison.LT: lambda core, k, q: core.make("below", k, q),
    Comparison.GT: lambda core, k, q: core.make("below", q, k),
    Comparison.LEQ: lambda core, k, q: core.make(
        "negate", core.make("below", q, k)
    ),
    Comparison.GEQ: lambda core, k, q: core.make(
        "negate", core.make("below", k, q)
    ),
    Comparison.TRUE: lambda core, _, __: core.constant(1),
    Comparison.FALSE: lambda core, _, __: core.constant(0),
}


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


def raises(
    told: Sequence[Translated],
    row: tuple[Value, ...],
    error: Exception,
    when: str,
) -> str:
    """What an author's function raises, in words."""
    given = [one.of(x)[0] for one, x in zip(told, row, strict=True)]
    kind, message = type(error).__name__, printable(str(error))[:80]
    said = f"{kind}: {message}" if message else kind
    return f"raises {said} for {_listed(given)}, {when}"


def _unequal(found: Mapping[Value, Sequence[Any]]) -> str:
    (a, one), (b, other), *_ = found.items()
    return (
        f"gives {shown_value(a)} for {_listed(one)} and {shown_value(b)} for"
        f" {_listed(other)}, which are equal and so one value in a model"
    )


def shown_value(value: Any) -> str:
    """A value as a message shows it."""
    return printable(repr(value))[:60]


def _listed(given: Iterable[Any]) -> str:
    return " and ".join(map(shown_value, given))


# ---------------------------------------------------------------- the classes


def _tokens(here: Translation, _: Any) -> Translated:
    core, book = here.core, here.book
    values = {name: book.value(token) for name, token in here.names.items()}
    objects = {values[name]: (token,) for name, token in here.names.items()}
    if all(value == name for name, value in values.items()):
        return Translated(core.token, objects)
    table = {(name,): value for name, value in values.items()}
    return Translated(node_of(core, table, [core.token]), objects)


def _constant(here: Translation, expr: ConstantSOp) -> Translated:
    objects: dict[Value, tuple[Any, ...]] = {}
    table = {}
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
    few = prod(d.size or _MOST_ASKED for d in domains) <= _FEW
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
    objects = dict(told.objects)
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
                noted(objects, mean, float(mean))
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


def has_rule(expr: RASPExpr) -> bool:
    """True for an expression of a class that is known here."""
    table = _SELECTORS if isinstance(expr, Selector) else _SOPS
    return any(vars(kind).get("kind") in table for kind in type(expr).__mro__)


def _rule(table: Mapping[str, Any], expr: RASPExpr) -> Any:
    kinds = (vars(kind).get("kind") for kind in type(expr).__mro__)
    return next(table[kind] for kind in kinds if kind in table)
