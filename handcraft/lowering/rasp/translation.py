"""Turns s-ops and selectors of RASP into nodes: every function of an author's is asked for each
combination of values that its arguments can have.

    Translation(core, domains, book, tokens)    the nodes so far; `mapped` and `selected` ask

What each class becomes is said by handcraft.lowering.rasp.classes. A function that raises says
nothing about that combination: where one occurs for some text, that is an error, and else none of
the rules cares (handcraft.lowering.rasp.witness). Rules of this file: a function is asked of every
object that a value can be, and all must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from handcraft.core.errors import printable
from handcraft.lowering.heads.fetching import known_to_be_one
from handcraft.lowering.heads.matches import at_query, sides_of
from handcraft.lowering.rasp.shapes import (
    condition_of,
    node_of,
)
from handcraft.lowering.rasp.values import Glossary, Translated, Unusual, noted
from handcraft.lowering.reading.bases import bases_of, function_of
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domains import Domains
from handcraft.lowering.reading.nodes import NO_ROW, Node
from handcraft.rasp import (
    Comparison,
    RASPExpr,
    Select,
    SOp,
)
from handcraft.sequence.values import Value

MOST_CALLS = 2**18  # combinations of values that a function is asked for


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
        self.sops: dict[int, Translated] = {}
        self.conditions: dict[int, Node] = {}

    def told(self, expr: RASPExpr) -> Translated:
        """The node of an s-op, with the objects that it stands for."""
        return self.sops[id(expr)]

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
            found = dict.fromkeys(row for row in rows if NO_ROW not in row)
            yield from found
            return
        lists = self.lists(nodes)
        if lists is None:
            raise Uncompilable(
                expr,
                f"is computed from more than {MOST_CALLS:,} combinations of values;"
                " a smaller max_seq_len or vocab would do",
            )
        yield from product(*lists)

    def lists(self, nodes: Iterable[Node]) -> list[Sequence[Value]] | None:
        """The values of each node; None where their combinations are too many."""
        lists = [self.domains.of(node).values for node in nodes]
        if any(values is None for values in lists):
            return None
        few = prod(len(values or ()) for values in lists) <= MOST_CALLS
        return [values or () for values in lists] if few else None

    # ------------------------------------------------------------ selectors

    def condition(self, selector: RASPExpr) -> Node:
        """The condition of a selector."""
        return self.conditions[id(selector)]

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
            sum(ask((k, *row)) not in (0, None, NO_ROW) for k in lists[0]) < 2
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
        form = _COMPARED.get(expr.predicate) if plain else None
        if form is None:
            raise Uncompilable(
                expr,
                f"compares more than {MOST_CALLS:,} combinations of values; a smaller"
                " max_seq_len or vocab would do",
            )
        found: Node = form(core, there, own)
        return found


class _Raises(Exception):  # noqa: N818  # it is caught in this file
    """An error of an author's function."""

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


def raises(
    told: Sequence[Translated],
    row: tuple[Value, ...],
    error: Exception,
    when: str,
) -> str:
    """The error of an author's function, in words."""
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
