"""Expressions of a claim: what handcraft.sequence.words writes, as frozen data with a plain
meaning.

`Expression` is one node, `evaluate` what it says after a context: plain Python over the tokens,
which proofs are compared with. None is "nothing to say" and spreads: what is computed from it
is None. Two things stop it: `otherwise`, and a selection, which holds None for a token that
stands nowhere and for a `before` that nothing lies before.

Rules of this file: a node that was accepted has a value after every context, or a ProgramError
where a token stands where a number is needed; it may come from anyone's file, so depth, size
and numbers are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate
from math import ceil
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
from handcraft.sequence.expression_checks import LARGEST_NUMBER, listed, problem_of

Value: TypeAlias = int | str | Fraction | None
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


class Expression(Frozen):
    """One node. `args` are what it is computed from; the other fields belong to selections and
    tables.
    """

    __array_ufunc__ = None  # np.array * expression is an error, not an array of objects

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
        """JSON within becomes nodes here, once: a union would try each of them several times,
        and so on down.
        """
        if isinstance(value, Mapping):
            return cls(**{str(name): field for name, field in value.items()})
        if info.field_name == "where":
            return [
                [_node(x) for x in row] if isinstance(row, list | tuple) else row
                for row in listed(value)
            ]
        return (
            value
            if info.field_name == "before"
            else [_checked(_node(x)) for x in listed(value)]
        )

    @model_validator(mode="after")
    def _sound(self) -> Expression:
        if (problem := problem_of(self)) is not None:
            raise ProgramError(problem)
        return self

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is not as usual."""
        usual = {name: field.default for name, field in type(self).model_fields.items()}
        return {
            name: value
            for name, value in handler(self).items()
            if getattr(self, name) != usual[name]
        }

    @cached_property
    def parts(self) -> tuple[Expression, ...]:
        """The expressions it is made of."""
        among = (*self.args, *(what for _, what in self.where), self.before)
        return tuple(part for part in among if isinstance(part, Expression))

    @cached_property
    def depth(self) -> int:
        """How deep it is nested."""
        return 1 + max((part.depth for part in self.parts), default=0)

    @cached_property
    def size(self) -> int:
        """How many nodes it has, each counted as often as it stands in it."""
        return 1 + sum(part.size for part in self.parts)

    @cached_property
    def rows(self) -> dict[tuple[int | str, ...], int | str]:
        """Its table as a dictionary."""
        return dict(self.table)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that it can answer beside those that it reads from the context."""
        if self.op in ("lookup", "state"):
            return tuple(
                dict.fromkeys(
                    value for value in self.rows.values() if isinstance(value, str)
                )
            )
        if self.op == "most":
            return tuple(str(key) for (key,), _ in self.table)
        answers = (
            self.args
            if self.op == "otherwise"
            else (*self.args[1::2], *self.args[-1:])
            if self.op == "cases"
            else ()
        )
        named = (
            answer.tokens if isinstance(answer, Expression) else (answer,)
            for answer in answers
        )
        return tuple(
            dict.fromkeys(
                token for tokens in named for token in tokens if isinstance(token, str)
            )
        )

    def uses(self, *ops: str) -> bool:
        """Whether any of these stands in it."""
        return self.op in ops or any(part.uses(*ops) for part in self.parts)

    def __eq__(self, other: object) -> bool:
        """Equal by its fields, each compared once: what is kept beside them holds the same
        nodes again.
        """
        return isinstance(other, Expression) and all(
            getattr(self, x) == getattr(other, x) for x in type(self).model_fields
        )

    def __hash__(self) -> int:
        return hash(
            (self.op, self.args, self.where, self.before, self.every, self.table)
        )

    def __call__(self, context: Sequence[str]) -> Value:
        """The value on a context: a text where every token is one character, else its tokens."""
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
    return (
        Expression(**{str(name): field for name, field in value.items()})
        if isinstance(value, Mapping)
        else value
    )


def _checked(value: Any) -> Any:
    if not isinstance(value, Expression | int | str) or isinstance(value, bool):
        found = (
            f"found {printable(repr(value))[:60]}; == compares expressions themselves,"
            " equal(a, b) what they say"
        )
        raise ProgramError(
            f"an expression is made of expressions, whole numbers and texts, {found}"
        )
    return value


# ------------------------------------------------------------ the meaning

PLACES = 4096  # at which what depends on the place alone is kept
LAZY = ("cases", "otherwise")  # what is not chosen is not asked
Scope: TypeAlias = Mapping[str, int]  # here, end, step
Ask: TypeAlias = Callable[[Sequence[str], Scope], Value]


def evaluate(
    expression: Expression,
    tokens: Sequence[str],
    *,
    end: int | None = None,
    step: int | None = None,
) -> Value:
    """The value of an expression on a context. `end` is the prompt's last index, `step` the
    number of an aligned step.
    """
    scope = {"here": len(tokens) - 1}
    scope |= {
        name: value
        for name, value in (("end", end), ("step", step))
        if value is not None
    }
    return asking(expression)(tokens, scope)


@dataclass(frozen=True, eq=False)
class _Same:
    """An expression by its identity: hashing what it is made of takes longer than asking it."""

    e: Expression | int | str

    def __hash__(self) -> int:
        return id(self.e)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.e is other.e


def asking(e: Expression | int | str) -> Ask:
    """The same as `compiled`, kept for when it is asked again."""
    return _kept(_Same(e))


@lru_cache(maxsize=256)
def _kept(same: _Same) -> Ask:
    return compiled(same.e)


def compiled(e: Expression | int | str) -> Ask:
    """The expression as nested functions, which are asked much faster than the nodes are walked."""
    if not isinstance(e, Expression):
        return lambda _, __: e
    if (select := _SELECTIONS.get(e.op)) is not None:
        return lambda tokens, scope: select(e, tokens, scope)
    if e.op in ("here", "end", "step"):
        return lambda _, scope: scope.get(e.op)
    if e.args and not e.uses(*_SELECTIONS, "token_at"):
        return _by_place(
            _computed(e), [name for name in ("here", "end", "step") if e.uses(name)]
        )
    return _computed(e)


def _by_place(ask: Ask, names: Sequence[str]) -> Ask:
    """What depends on the place alone, kept for each place: the same addresses are asked for in
    every text.
    """
    known: dict[Any, Value] = {}
    where: Callable[[Scope], Any] = _named(*names)

    def asked(tokens: Sequence[str], scope: Scope) -> Value:
        place = where(scope)
        if place not in known:
            if len(known) >= PLACES:
                known.clear()
            known[place] = ask(tokens, scope)
        return known[place]

    return asked


def _named(*names: str) -> Callable[[Scope], Any]:
    """Of a scope the value of a name, or those of several; None where it has none."""
    if len(names) == 1:
        (name,) = names
        return lambda scope: scope.get(name)
    return lambda scope: tuple([scope.get(name) for name in names])


def _computed(e: Expression) -> Ask:
    asks = [compiled(arg) for arg in e.args]
    if e.op in LAZY:
        return _choosing(asks) if e.op == "cases" else _preferring(*asks)
    if (operation := _OPERATIONS.get(e.op)) is not None:
        return _operating(e, operation, *asks)
    if e.op in ("token_at", "lookup"):
        return _reading(e, *asks) if e.op == "token_at" else _looking(e, asks)
    return lambda tokens, scope: combine(
        e, [ask(tokens, scope) for ask in asks], tokens
    )


def _preferring(first: Ask, second: Ask) -> Ask:
    return lambda tokens, scope: (
        second(tokens, scope) if (found := first(tokens, scope)) is None else found
    )


def _choosing(asks: Sequence[Ask]) -> Ask:
    pairs, default = (
        list(zip(asks[0::2], asks[1::2], strict=False)),
        asks[-1] if len(asks) % 2 else None,
    )

    def choose(tokens: Sequence[str], scope: Scope) -> Value:
        for when, then in pairs:  # what is not chosen is not asked
            if when(tokens, scope) not in (0, None):
                return then(tokens, scope)
        return None if default is None else default(tokens, scope)

    return choose


def _operating(
    e: Expression, operation: Callable[[Any, Any], Value], left: Ask, right: Ask
) -> Ask:
    def operate(tokens: Sequence[str], scope: Scope) -> Value:
        a, b = left(tokens, scope), right(tokens, scope)
        return (
            operation(a, b) if type(a) is type(b) is int else combine(e, (a, b), tokens)
        )

    return operate


def _reading(e: Expression, ask: Ask) -> Ask:
    def read(tokens: Sequence[str], scope: Scope) -> Value:
        place = ask(tokens, scope)
        if type(place) is int:
            return tokens[place] if 0 <= place < len(tokens) else None
        return combine(e, (place,), tokens)

    return read


def _looking(e: Expression, asks: Sequence[Ask]) -> Ask:
    rows: Mapping[Any, Value] = e.rows

    def look(tokens: Sequence[str], scope: Scope) -> Value:
        values = tuple([ask(tokens, scope) for ask in asks])
        return None if None in values else rows.get(values)

    return look


def chosen(e: Expression, ask: Callable[[Expression | int | str], Value]) -> Value:
    """The value of a node that chooses, asking for no more of its arguments than `evaluate`
    does.
    """
    if e.op == "otherwise":
        first = ask(e.args[0])
        return ask(e.args[1]) if first is None else first
    default = e.args[-1] if len(e.args) % 2 else None
    for when, then in zip(e.args[0::2], e.args[1::2], strict=False):
        if ask(when) not in (0, None):
            return ask(then)
    return None if default is None else ask(default)


def combine(
    e: Expression, values: Sequence[Value], tokens: Sequence[str] = ()
) -> Value:
    """The value of a node that selects nothing, from those of its arguments."""
    if None in values:
        return None
    if (operation := _OPERATIONS.get(e.op)) is not None:
        return operation(*(_number(e, value) for value in values))
    return _LOOKUPS[e.op](e, values, tokens)


_OPERATIONS: Mapping[str, Callable[[Any, Any], Value]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a // b if b else None,
    "modulo": lambda a, b: a % b if b else None,
    "ratio": lambda a, b: Fraction(a) / b if b else None,
    "below": lambda a, b: int(a < b),
}


def _number(e: Expression, value: Value) -> int | Fraction:
    if isinstance(value, str) or value is None:
        raise ProgramError(
            f"{e.op} takes numbers, found {printable(repr(value))}", ("claim",)
        )
    return value


def shown(value: object) -> str:
    """A value for a message: a number that a product has made too long for a text is named only."""
    long = (
        isinstance(value, int | Fraction)
        and not -(LARGEST_NUMBER**3) < value < LARGEST_NUMBER**3
    )
    return (
        "a number of more than 27 digits"
        if long
        else str(value)
        if isinstance(value, Fraction)
        else printable(repr(value))
    )


def _token_at(e: Expression, values: Sequence[Value], tokens: Sequence[str]) -> Value:
    position = values[0] if type(values[0]) is int else _number(e, values[0])
    return (
        tokens[int(position)]
        if 0 <= position < len(tokens) and position == int(position)
        else None
    )


def _most(e: Expression, values: Sequence[Value], _: Sequence[str]) -> Value:
    return e.table[max(range(len(values)), key=lambda i: (_number(e, values[i]), -i))][
        0
    ][0]


_LOOKUPS: Mapping[
    str, Callable[[Expression, Sequence[Value], Sequence[str]], Value]
] = {
    "token_at": _token_at,
    "equal": lambda _, values, __: int(values[0] == values[1]),
    "lookup": lambda e, values, _: e.rows.get(tuple(values)),  # type: ignore[arg-type]
    "most": _most,
}


def _positions(e: Expression, tokens: Sequence[str], scope: Scope) -> range:
    """The positions a selection looks at."""
    before = asking(e.before)(tokens, scope) if e.before is not None else len(tokens)
    stop = 0 if before is None else min(ceil(_number(e, before)), len(tokens))
    return range(e.every[0], stop, e.every[1])


def _matches(e: Expression, tokens: Sequence[str], scope: Scope) -> Sequence[int]:
    wanted = [
        (offset, asking(w)(tokens, scope) if isinstance(w, Expression) else w)
        for offset, w in e.where
    ]
    found: Sequence[int] = _positions(e, tokens, scope)
    for offset, what in wanted:
        inside = [j for j in found if 0 <= j + offset < len(tokens)]
        if isinstance(what, tuple):
            found = [j for j in inside if tokens[j + offset] in what]
        else:
            found = [j for j in inside if tokens[j + offset] == what]
    return found


def _sums(e: Expression, tokens: Sequence[str], scope: Scope) -> list[int]:
    return [
        0,
        *accumulate(
            int(e.rows.get((tokens[j],), 0)) for j in _positions(e, tokens, scope)
        ),
    ]


def _run(e: Expression, tokens: Sequence[str], _: Scope) -> Value:
    at = e.rows[()]
    for token in tokens:
        at = e.rows.get((at, token), at)
    return at


_SELECTIONS: Mapping[str, Callable[[Expression, Sequence[str], Scope], Value]] = {
    "first": lambda e, tokens, scope: min(_matches(e, tokens, scope), default=None),
    "latest": lambda e, tokens, scope: max(_matches(e, tokens, scope), default=None),
    "count": lambda e, tokens, scope: len(_matches(e, tokens, scope)),
    "total": lambda e, tokens, scope: _sums(e, tokens, scope)[-1],
    "lowest": lambda e, tokens, scope: min(_sums(e, tokens, scope)),
    "state": _run,
}
