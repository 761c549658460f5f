"""Expressions as frozen data: what the words of handcraft.sequence.words build.

An `Expression` is a tree of nodes. Each node has an operation `op` and the arguments `args`
that it is computed from; selections also have `where`, `before` and `every`, tables `table`.
Calling one with a context gives its value (handcraft.sequence.evaluate).

Rules of this file: every node is checked when it is made (handcraft.sequence.expression_checks),
since it may come from a file that anyone wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StrictInt,
    StrictStr,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from handcraft.core.errors import ProgramError, printable
from handcraft.core.frozen import Frozen
from handcraft.sequence.evaluate import Value, evaluate
from handcraft.sequence.expression_checks import listed, problem_of
from handcraft.sequence.mistakes import Unvalued

Op = Literal[
    "here",
    "end",
    "step",
    "token_at",
    "first",
    "latest",
    "count",
    "total",
    "lowest",
    "state",
    "add",
    "subtract",
    "multiply",
    "divide",
    "modulo",
    "ratio",
    "equal",
    "below",
    "lookup",
    "otherwise",
    "cases",
    "most",
]
Plain = Annotated[StrictInt | StrictStr, Field(union_mode="left_to_right")]


class Expression(Unvalued, Frozen):
    """One node of an expression, and with it the whole expression below it.

    args    the values it is computed from
    where   (distance, what must stand there), of a selection; `before` and `every` limit its
            positions
    table   rows (key, value), of a lookup, an automaton, or numbers by token
    Raises ProgramError for a node that is not well formed.
    """

    __array_ufunc__ = (
        None  # np.array * expression is an error, not an array of objects
    )

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

    @model_validator(mode="after")
    def _sound(self) -> Expression:
        if (problem := problem_of(self)) is not None:
            raise ProgramError(problem)
        return self

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if getattr(self, name) != fields[name].default
        }

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
    def size(self) -> int:
        """The number of its nodes, each counted as often as it occurs."""
        return 1 + sum(part.size for part in self.parts)

    @cached_property
    def rows(self) -> dict[tuple[int | str, ...], int | str]:
        """The table as a dictionary."""
        return dict(self.table)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens it can give that are not read from the context, each once."""
        return tuple(dict.fromkeys(self._tokens()))

    def _tokens(self) -> Iterator[str]:
        values: Iterable[Expression | int | str] = ()
        if self.op in ("lookup", "state"):
            values = self.rows.values()
        elif self.op == "most":
            values = (key for (key,), _ in self.table)
        elif self.op == "otherwise":
            values = self.args
        elif self.op == "cases":
            values = (*self.args[1::2], *self.args[-1:])
        for value in values:
            if isinstance(value, Expression):
                yield from value.tokens
            elif isinstance(value, str):
                yield value

    @property
    def texts(self) -> Iterator[str]:
        """All texts in it: the tokens it can give, those it compares with, names of states."""
        cells = (x for key, value in self.table for x in (*key, value))
        wanted = (
            x
            for _, what in self.where
            for x in (what if isinstance(what, tuple) else (what,))
        )
        for value in (*self.args, *wanted, *cells):
            if isinstance(value, str):
                yield value
        for part in self.parts:
            yield from part.texts

    def uses(self, *ops: str) -> bool:
        """True if any of these operations occurs in it."""
        return self.op in ops or any(part.uses(*ops) for part in self.parts)

    def __eq__(self, other: object) -> bool:
        """Compares the fields only: cached properties hold the same nodes again."""
        return isinstance(other, Expression) and all(
            getattr(self, x) == getattr(other, x)
            for x in type(self).model_fields
        )

    def __hash__(self) -> int:
        selection = (self.where, self.before, self.every)
        return hash((self.op, self.args, *selection, self.table))

    def __call__(self, context: Sequence[str]) -> Value:
        """The value on a context: a sequence of tokens, or a text of one-character tokens."""
        return evaluate(self, tuple(context))

    def __add__(self, other: Argument) -> Expression:
        return Expression(op="add", args=(self, other))

    __radd__ = __add__

    def __sub__(self, other: Argument) -> Expression:
        return Expression(op="subtract", args=(self, other))

    def __rsub__(self, other: Argument) -> Expression:
        return Expression(op="subtract", args=(other, self))

    def __mul__(self, other: Argument) -> Expression:
        return Expression(op="multiply", args=(self, other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Argument) -> Expression:
        return Expression(op="divide", args=(self, other))

    def __mod__(self, other: Argument) -> Expression:
        return Expression(op="modulo", args=(self, other))


Argument: TypeAlias = Expression | int | str


def _node(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return Expression(**{str(name): field for name, field in value.items()})


def _checked(value: Any) -> Any:
    if not isinstance(value, Expression | int | str) or isinstance(value, bool):
        raise ProgramError(
            "an expression is made of expressions, whole numbers and texts, found"
            f" {printable(repr(value))[:60]}; == compares expressions themselves,"
            " equal(a, b) what they say"
        )
    return value
