"""Conditions on positions: `there(e)` is e at the key position, comparing it gives a condition.

    there(tokens) == tokens                        the key's token is the query's
    (there(tokens) == "a") & (there(indices) < indices)
    there(flag), there(flag) & (there(tokens) == "a")   a number alone: not 0

A selection (handcraft.sequence.selections) asks its condition for each pair of a query and a key
position. What stands bare is read at the query position.

`there(e)` and conditions are no values of the language: they cannot be compared by content, have
no truth and no hash, so that a slip in Python's operators (`and`, `a < b < c`, a missing
parenthesis) is an error where it stands, instead of half of what was meant.

Rules of this file: each object holds the one node that a selection takes out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError, printable
from handcraft.core.frozen import UnknownAttributeError
from handcraft.core.source import caller
from handcraft.sequence.expression import Argument, Expression
from handcraft.sequence.mistakes import AtKey, no_value, unjoined
from handcraft.sequence.notation import notation, written
from handcraft.sequence.operations import Op
from handcraft.sequence.value_kinds import NOTHING, TOKEN, Kinds, kinds_of

# beside which `tokens` and `indices` are written, and not `own` and `here`
_BESIDE = Expression(op="length")


class _Paired(AtKey):
    """A node that reads the key position, in a wrapper that has no value."""

    __slots__ = ("node",)
    _CALLED = "there(...)"
    node: Expression

    def __init__(self, node: Expression) -> None:
        object.__setattr__(self, "node", node)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise _mistaken(
            f"{name} of {self._CALLED} cannot be changed", "another one"
        )

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __reduce__(self) -> Any:
        return type(self), (self.node,)

    if not TYPE_CHECKING:  # a type checker knows the attributes

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or name in ("node", "op"):
                raise AttributeError(name)
            raise UnknownAttributeError(
                f"{printable(repr(self))[:60]} has no {name!r}: it is asked in a selection;"
                " write count(condition) or fetch(value, condition), or, of one position"
                " alone, e for there(e) and equal(a, b) for there(a) == b",
                ("claim",),
                caller(),
            )

    def __repr__(self) -> str:
        return notation(self.node)

    def __bool__(self) -> NoReturn:
        raise _mistaken(
            f"{self._CALLED} has no truth: it is asked for each pair of positions",
            "(a) & (b) for `and`, (a) | (b) for `or`, ~(a) for `not`,"
            " (a < b) & (b < c) for a chain a < b < c, where(a, b, c) for `b if a else c`,"
            " min_ and max_ for `min` and `max`",
        )

    def __hash__(self) -> int:
        raise _mistaken(
            f"{self._CALLED} is no key of a table or member of a set",
            "cases((condition, value), ...), with equal(a, b) as the condition",
        )

    def __iter__(self) -> NoReturn:
        raise _mistaken(
            f"{self._CALLED} cannot be gone through",
            "count(condition) for how many positions it selects, total(e, condition)"
            " for a sum over them",
        )

    def __contains__(self, item: object) -> NoReturn:
        raise _mistaken(
            f"`in` cannot search {self._CALLED}",
            "any_(there(e) == value), or (there(e) == a) | (there(e) == b) for one of"
            " several values",
        )

    def __len__(self) -> NoReturn:
        raise _mistaken(
            f"len() cannot count {self._CALLED}",
            "count(condition) for the number of positions that it selects",
        )

    def __and__(self, other: object) -> Condition:
        return _joined("both", "&", self, other)

    def __rand__(self, other: object) -> Condition:
        return _joined("both", "&", other, self)

    def __or__(self, other: object) -> Condition:
        return _joined("either", "|", self, other)

    def __ror__(self, other: object) -> Condition:
        return _joined("either", "|", other, self)

    def __invert__(self) -> Condition:
        return Condition(_negated(condition(self)))

    def __xor__(self, other: object) -> NoReturn:
        raise _mistaken("^ joins no conditions", "(a & ~b) | (~a & b)")

    __rxor__ = __xor__


class Condition(_Paired):
    """What a pair of a query and a key position can fulfil."""

    __slots__ = ()
    _CALLED = "a condition"

    def __eq__(self, other: object) -> Any:
        raise _compared_condition()

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = _Paired.__hash__

    def _no_number(self, *_: object) -> NoReturn:
        raise no_number()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _no_number
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _no_number
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _no_number
    __neg__ = __pos__ = __abs__ = __round__ = __int__ = __index__ = _no_number
    __float__ = __complex__ = _no_number


class There(_Paired):
    """A value that is read at the key position."""

    __slots__ = ()

    def __eq__(self, other: object) -> Any:
        return comparison("equal", "==", self, other)

    def __ne__(self, other: object) -> Any:
        return ~comparison("equal", "!=", self, other)

    def __lt__(self, other: object) -> Condition:
        return comparison("below", "<", self, other)

    def __gt__(self, other: object) -> Condition:
        return comparison("below", ">", other, self)

    def __le__(self, other: object) -> Condition:
        return ~comparison("below", "<=", other, self)

    def __ge__(self, other: object) -> Condition:
        return ~comparison("below", ">=", self, other)

    __hash__ = _Paired.__hash__

    def __add__(self, other: object) -> There:
        return _computed("add", self, other)

    def __radd__(self, other: object) -> There:
        return _computed("add", other, self)

    def __sub__(self, other: object) -> There:
        return _computed("subtract", self, other)

    def __rsub__(self, other: object) -> There:
        return _computed("subtract", other, self)

    def __mul__(self, other: object) -> There:
        return _computed("multiply", self, other)

    def __rmul__(self, other: object) -> There:
        return _computed("multiply", other, self)

    def __floordiv__(self, other: object) -> There:
        return _computed("divide", self, other)

    def __rfloordiv__(self, other: object) -> There:
        return _computed("divide", other, self)

    def __mod__(self, other: object) -> There:
        return _computed("modulo", self, other)

    def __rmod__(self, other: object) -> There:
        return _computed("modulo", other, self)


@checked_call()
def there(value: Argument) -> There:
    """The value at the key position, for the condition of a selection.

    Raises ProgramError for a condition, and for what is `there` already.
    """
    if isinstance(value, _Paired):
        raise _mistaken(
            f"there({value!r}) is read at the key position already",
            "there(...) around each value that is read at the key, once",
        )
    return There(Expression(op="there", args=(operand(value),)))


def condition(value: object) -> Expression | int:
    """The node of a condition, for a selection.

    Raises ProgramError for anything else: above all for a comparison that Python made at once.
    """
    if isinstance(value, _Paired):
        node: Expression | int = value.node
    elif isinstance(value, Expression):
        node = value
    else:
        raise _constant(value)
    if (kinds_of(node) - NOTHING) == TOKEN:
        raise _mistaken(
            f"{written(node, beside=_BESIDE)} is a token, not a condition",
            "there(tokens) == 'a'",
        )
    return node


def bare(value: object) -> Any:
    """A value that is read at the query position. Raises ProgramError for anything else."""
    if isinstance(value, _Paired):
        raise no_value(value)
    return operand(value)


def at_key(value: object) -> Argument:
    """A value that a selection reads at its key positions, with or without a `there` around it."""
    if isinstance(value, There):
        if value.node.op != "there":
            raise _mistaken(
                "the value of a selection is read at the key position as a whole",
                f"it without there(...), found {value!r}",
            )
        inside: Argument = value.node.args[0]
        return inside
    if isinstance(value, Condition):
        raise _mistaken(
            "a selection reads a value at the key position, not a condition",
            "equal(a, b) or below(a, b), without there(...)",
        )
    return operand(value)


def _constant(value: object) -> ProgramError:
    found = printable(repr(value))[:60]
    if _compared_at_once(value):
        return _mistaken(
            f"a condition was expected, found {found}: Python compared (or inverted) at"
            " once, since nothing in it is read at the key position",
            "there(tokens) == 'a' for the key's token, equal(tokens, 'a') for the query's",
        )
    several = isinstance(value, list | tuple | set)
    return _mistaken(
        f"a condition was expected, found {found}",
        "(a) & (b) for several" if several else "there(tokens) == 'a'",
    )


def _compared_at_once(value: object) -> bool:
    """True for what Python makes of `tokens == "a"`, or of `~(tokens == "a")`."""
    return isinstance(value, bool) or (type(value) is int and value in (-1, -2))


def operand(value: object) -> Any:
    """The node of a value, or of what is read at the key position; a number or a token itself.

    Raises ProgramError for anything else.
    """
    if isinstance(value, _Paired):
        return value.node
    if isinstance(value, bool) or not isinstance(value, Expression | int | str):
        raise no_value(value)
    return value


def comparison(op: Op, sign: str, left: object, right: object) -> Condition:
    """The comparison of two values, one of which is read at the key position.

    Raises ProgramError for a condition, and for a token beside a number.
    """
    for side in (left, right):
        if isinstance(side, Condition):
            raise _compared_condition()
    args = (operand(left), operand(right))
    kinds = same_kind(sign, *args)
    tokens = op == "below" and TOKEN in kinds
    return Condition(Expression(op="precedes" if tokens else op, args=args))


def same_kind(sign: str, a: Any, b: Any) -> list[Kinds]:
    """The kinds of two values that are compared. Raises ProgramError for a token and a number."""
    kinds = [kinds_of(x) - NOTHING for x in (a, b)]
    if all(kinds) and _apart(*kinds):
        shown = [written(x, beside=_BESIDE) for x in (a, b)]
        found = f" {sign} ".join(shown)
        if sign.isalpha():
            found = f"{sign}({', '.join(shown)})"
        raise _mistaken(
            f"{sign} compares a token with a number: {found}",
            "lookup({token: number}, tokens) for the number of a token",
        )
    return kinds


def _apart(a: Kinds, b: Kinds) -> bool:
    """True if values of these kinds are never equal: tokens on one side, numbers on the other."""
    return not {kind == "token" for kind in a} & {kind == "token" for kind in b}


def _computed(op: Op, left: object, right: object) -> There:
    for side in (left, right):
        if isinstance(side, Condition):
            raise no_number()
    return There(Expression(op=op, args=(operand(left), operand(right))))


def _joined(op: Op, sign: str, left: object, right: object) -> Condition:
    for side in (left, right):
        if _compared_at_once(side) or side is None:
            raise _constant(side)
        if not isinstance(side, _Paired | Expression):
            raise unjoined(sign)
        if (kinds_of(operand(side)) - NOTHING) == TOKEN:
            raise unjoined(sign)
    return Condition(
        Expression(op=op, args=(condition(left), condition(right)))
    )


def _negated(node: Expression | int) -> Expression:
    if isinstance(node, Expression) and node.op == "negate":
        (inner,) = node.args
        if isinstance(inner, Expression):
            return inner
    return Expression(op="negate", args=(node,))


def no_number() -> ProgramError:
    return _mistaken(
        "a condition is no number",
        "count(condition), or equal(a, b) and below(a, b), which are 1 or 0",
    )


def _compared_condition() -> ProgramError:
    return _mistaken(
        "a condition is compared with nothing",
        "each comparison in parentheses: (a == b) & (c < d)",
    )


def _mistaken(what: str, instead: str) -> ProgramError:
    return ProgramError(f"{what}; write {instead}", ("claim",), caller())
