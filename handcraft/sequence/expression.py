"""Expressions as frozen data: what the words of handcraft.sequence build.

An `Expression` is made of nodes. Each node has an operation `op` and the arguments `args` that
it is computed from; the short selections also have `where`, `before` and `every`, tables
`table`. A node may stand in several places of an expression: it is evaluated and counted once
(handcraft.sequence.shared). Calling an expression with a context gives its value at the last
position, `all` its value at every one.

Rules of this file: every node is checked when it is made (handcraft.sequence.expression_checks),
since it may come from a file that anyone wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, TypeAlias

from pydantic import (
    Field,
    StrictInt,
    StrictStr,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, hint, printable
from handcraft.core.frozen import Frozen
from handcraft.sequence.columns import at_every_position
from handcraft.sequence.evaluate import evaluate
from handcraft.sequence.expression_checks import (
    MOST_PARTS,
    listed,
    problem_of,
)
from handcraft.sequence.mistakes import (
    AtKey,
    Unvalued,
    no_value,
    text_of,
    uncompared,
    unfitting,
)
from handcraft.sequence.notation import example_html, notation
from handcraft.sequence.operations import (
    BY_CONDITION,
    OPERATIONS,
    Op,
    branches_of,
    selection_of,
)
from handcraft.sequence.shared import (
    NodeRow,
    check_levels,
    data_of,
    number_nodes,
    resolved,
)
from handcraft.sequence.values import Value

_BELOW = ("args", "where", "before")
Plain = Annotated[StrictInt | StrictStr, Field(union_mode="left_to_right")]


class Expression(Unvalued, Frozen):
    """One node of an expression, and with it the whole expression below it.

    args    the values it is computed from
    where   (distance, what must stand there), of a selection; `before` and `every` limit its
            positions
    table   rows (key, value), of a lookup, an automaton, or numbers by token
    Raises ProgramError for a node that is not well formed.
    """

    op: Op
    args: tuple[Expression | Plain, ...] = ()
    where: tuple[
        tuple[StrictInt, Expression | StrictStr | tuple[StrictStr, ...]], ...
    ] = ()
    before: Expression | StrictInt | None = None
    every: tuple[StrictInt, StrictInt] = (0, 1)
    table: tuple[tuple[tuple[Plain, ...], Plain], ...] = ()

    @field_validator("args", "where", "before", mode="before")
    @classmethod
    def _nodes(cls, value: Any, info: ValidationInfo) -> Any:
        """Builds nodes from JSON once; a pydantic union would try each level several times."""
        if isinstance(value, Mapping):
            return _node(value)
        if info.field_name == "where":
            return [
                [_node(x) for x in row]
                if isinstance(row, list | tuple)
                else row
                for row in listed(value)
            ]
        if info.field_name == "before":
            return value
        return [_checked(_node(x)) for x in listed(value)]

    @model_validator(mode="before")
    @classmethod
    def _root(cls, data: Any) -> Any:
        """The fields of the last of `nodes`, whose earlier nodes are built first."""
        if not isinstance(data, Mapping):
            return data
        check_levels([data.get(name) for name in ("nodes", *_BELOW)])
        if set(data) != {"nodes"}:
            return _operated(data)
        rows = listed(data["nodes"])
        if not 0 < len(rows) <= MOST_PARTS:
            raise ProgramError(
                f"takes 1 to {MOST_PARTS} nodes, found {len(rows)}"
            )
        nodes: list[Expression] = []
        for row in rows[:-1]:
            nodes.append(_node(resolved(_mapping(row), nodes)))
        return _operated(resolved(_mapping(rows[-1]), nodes))

    @model_validator(mode="after")
    def _sound(self) -> Expression:
        if (problem := problem_of(self)) is not None:
            raise ProgramError(problem)
        return self

    @model_serializer(mode="plain")
    def _data(self) -> dict[str, Any]:
        """Its JSON: nested nodes, or a list of nodes where one of them stands in several places."""
        return data_of(self)

    @cached_property
    def parts(self) -> tuple[Expression, ...]:
        """The nodes directly below this one."""
        wanted = (what for _, what in self.where)
        below = (*self.args, *wanted, self.before)
        return tuple(part for part in below if isinstance(part, Expression))

    @cached_property
    def depth(self) -> int:
        """The depth of its nesting, 1 for a node without parts."""
        return 1 + max((part.depth for part in self.parts), default=0)

    @cached_property
    def spread(self) -> int:
        """The number of its nodes, each counted as often as it occurs."""
        return 1 + sum(part.spread for part in self.parts)

    @cached_property
    def numbered(self) -> tuple[NodeRow, ...]:
        """Its nodes, each once and after those below it, which it refers to by number."""
        return number_nodes(self)

    @property
    def size(self) -> int:
        """The number of its nodes, each counted once."""
        return len(self.numbered)

    @cached_property
    def ops(self) -> frozenset[str]:
        """Every operation that occurs in it."""
        return frozenset((self.op,)).union(*(part.ops for part in self.parts))

    @cached_property
    def paired(self) -> bool:
        """True if it reads the key position with `there`, so that it is part of a condition."""
        return self.op == "there" or (
            self.op not in BY_CONDITION
            and any(part.paired for part in self.parts)
        )

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What others find about this node, once: its kinds, its function."""
        return {}

    @cached_property
    def rows(self) -> dict[tuple[int | str, ...], int | str]:
        """The table as a dictionary."""
        return dict(self.table)

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The tokens it can give that are not read from the context, each once."""
        return tuple(dict.fromkeys(self._tokens()))

    def _tokens(self) -> Iterator[str]:
        values: Iterable[Expression | int | str | None] = ()
        if self.op in ("lookup", "state"):
            values = self.rows.values()
        elif self.op == "most":
            values = (key for (key,), _ in self.table)
        elif self.op == "otherwise":
            values = self.args
        elif self.op in ("given", "value_at", "there"):
            values = self.args[:1]
        elif self.op == "fetch":
            found = selection_of(self)
            values = (found.value, found.default)
        elif self.op == "cases":
            pairs, default = branches_of(self.args)
            values = (*(then for _, then in pairs), default)
        for value in values:
            if isinstance(value, Expression):
                yield from value.tokens
            elif isinstance(value, str):
                yield value

    @property
    def texts(self) -> Iterator[str]:
        """All texts in it: the tokens it can give, those it compares with, names of states."""
        for row in self.numbered:
            cells = (x for key, value in row.table for x in (*key, value))
            wanted = (
                x
                for _, what in row.where
                for x in (what if isinstance(what, tuple) else (what,))
            )
            for value in (*row.args, *wanted, *cells):
                if isinstance(value, str):
                    yield value

    def uses(self, *ops: str) -> bool:
        """True if any of these operations occurs in it."""
        return not self.ops.isdisjoint(ops)

    def __eq__(self, other: object) -> bool:
        """Compares the nodes, however often each of them stands there."""
        if not isinstance(other, Expression):
            return NotImplemented
        return self is other or self.numbered == other.numbered

    @cached_property
    def _hash(self) -> int:
        return hash(self.numbered)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return notation(self)

    def _repr_html_(self) -> str:
        return example_html(self)

    def __lt__(self, other: Any) -> Any:
        return self._compared("<", other)

    def __le__(self, other: Any) -> Any:
        return self._compared("<=", other)

    def __gt__(self, other: Any) -> Any:
        return self._compared(">", other)

    def __ge__(self, other: Any) -> Any:
        return self._compared(">=", other)

    def _compared(self, sign: str, other: object) -> Any:
        """Leaves the comparison to what stands at the key position; alone it has no value yet."""
        if isinstance(other, AtKey):
            return NotImplemented
        raise uncompared(sign)

    def __call__(self, context: Sequence[str]) -> Value:
        """The value at the last position of a context.

        context  a sequence of tokens, or a text of one-character tokens; all of it is seen
        """
        return evaluate(self, text_of(context))

    @checked_call("all")
    def all(self, text: Sequence[str], *, causal: bool = False) -> list[Value]:
        """The value at every position of a text, whose tokens are seen by each position.

        text    a sequence of tokens, or a text of one-character tokens
        causal  True if a position sees only the tokens up to itself
        Raises ProgramError for an expression that computes with a token, or compares one with
        a number.
        """
        if not isinstance(causal, bool):
            raise ProgramError(
                f"must be True or False, found {printable(repr(causal))[:60]}",
                ("causal",),
            )
        return at_every_position(self, text_of(text), causal=causal)

    def _with(self, op: Op, other: object, *, turned: bool = False) -> Any:
        """This value computed with another one, which stands first if `turned`."""
        if isinstance(other, AtKey):
            return NotImplemented
        if not _is_value(other):
            raise no_value(other)
        args = (other, self) if turned else (self, other)
        return Expression(op=op, args=args)

    def __add__(self, other: Argument) -> Expression:
        return self._with("add", other)

    __radd__ = __add__

    def __sub__(self, other: Argument) -> Expression:
        return self._with("subtract", other)

    def __rsub__(self, other: Argument) -> Expression:
        return self._with("subtract", other, turned=True)

    def __mul__(self, other: Argument) -> Expression:
        return self._with("multiply", other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Argument) -> Expression:
        return self._with("divide", other)

    def __rfloordiv__(self, other: Argument) -> Expression:
        return self._with("divide", other, turned=True)

    def __mod__(self, other: Argument) -> Expression:
        return self._with("modulo", other)

    def __rmod__(self, other: Argument) -> Expression:
        return self._with("modulo", other, turned=True)


Argument: TypeAlias = Expression | int | str


def _operated(data: Any) -> Any:
    """The fields of a node. Raises ProgramError for an operation that there is not."""
    op = data.get("op")
    if "op" in data and not (isinstance(op, str) and op in OPERATIONS):
        raise ProgramError(
            f"there is no operation {printable(repr(op))[:60]}"
            + (hint(op, OPERATIONS) if isinstance(op, str) else "")
        )
    return data


def _mapping(value: Any) -> Any:
    if not isinstance(value, Mapping) or set(value) <= {"node", "nodes"}:
        raise ProgramError(
            "a node of an expression is a table with its op, found"
            f" {printable(repr(value))[:60]}"
        )
    return value


def _node(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return Expression(**{str(name): field for name, field in value.items()})


def _is_value(value: object) -> bool:
    """True for an expression, a whole number or a token."""
    fits = isinstance(value, Expression | int | str)
    return fits and not isinstance(value, bool)


def _checked(value: Any) -> Any:
    if not _is_value(value):
        raise ProgramError(unfitting(value))
    return value
