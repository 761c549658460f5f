"""Refuses the operators that no expression of a claim has, each with the word that is meant.

An expression has a value on a context only, so Python cannot compare it, ask for its truth or
find it in a list while a claim is written. Most of these would be a sentence of Python's own;
`if expression:` and `for token in expression:` would silently mean something else.

Rules of this file: every operator that expressions lack is named here, once. What Python asks of
the other side (`x in "ab"`, `{"a": 1}[x]`) cannot be refused here.
"""

from __future__ import annotations

from typing import Any, NoReturn

from handcraft.core.errors import ProgramError
from handcraft.core.source import caller


def _refused(what: str, instead: str) -> ProgramError:
    return ProgramError(
        f"an expression has no value before there is a context, so {what}; write"
        f" {instead}",
        ("claim",),
        caller(),
    )


def _unknown(operator: str, instead: str) -> ProgramError:
    return ProgramError(
        "expressions are computed with +, -, *, // and %, and not with"
        f" {operator}: write {instead}",
        ("claim",),
        caller(),
    )


class Unvalued:
    """The base of claims' expressions: raises ProgramError for what needs a value at once."""

    def __bool__(self) -> NoReturn:
        raise _refused(
            "`if`, `and`, `or` and `not` cannot ask for its truth",
            "cases((condition, value), default)",
        )

    def __contains__(self, item: object) -> bool:
        raise _refused(
            "`in` cannot search it",
            "lookup({token: 1, ...}, x) or count({0: token})",
        )

    def __iter__(self) -> Any:
        raise _refused(
            "it cannot be gone through",
            "token_at(i) for a token of the context",
        )

    def __getitem__(self, key: object) -> Any:
        raise _refused(
            "it has no items",
            "token_at(i) for a token, lookup(table, x) for an entry",
        )

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise _refused(
            "it has no items to set",
            "lookup({token: 1, ...}, x) with the whole table",
        )

    __delitem__ = __setitem__

    def __len__(self) -> int:
        raise _refused(
            "it has no length",
            "end + 1 for the number of tokens, count({0: token}) for those of a kind",
        )

    def __format__(self, form: str) -> str:
        if form:
            raise _refused(
                "it cannot be formatted", "claim(context) for a value"
            )
        return str(self)

    def __lt__(self, other: object) -> Any:
        raise _refused("it cannot be compared", "below(a, b), equal(a, b)")

    __gt__ = __le__ = __ge__ = __lt__

    def __truediv__(self, other: object) -> Any:
        raise _unknown("/", "a // b, or ratio(a, b) for a lane")

    __rtruediv__ = __truediv__

    def __pow__(self, other: object) -> Any:
        raise _unknown("**", "a * a")

    def __neg__(self) -> Any:
        raise _unknown("a sign alone", "0 - a")

    def __pos__(self) -> Any:
        raise _unknown("a sign alone", "a")

    def __abs__(self) -> Any:
        raise _unknown("abs", "cases((below(a, 0), 0 - a), a)")

    def __round__(self, digits: int = 0) -> Any:
        raise _unknown("round", "(a + b // 2) // b for a / b")

    def __and__(self, other: object) -> Any:
        raise _unknown("&", "a * b where both are 0 or 1")

    def __or__(self, other: object) -> Any:
        raise _unknown("|", "cases((a, 1), b) where both are 0 or 1")

    def __invert__(self) -> Any:
        raise _unknown("~", "1 - a where it is 0 or 1")

    def __xor__(self, other: object) -> Any:
        raise _unknown("^", "1 - equal(a, b)")

    def __matmul__(self, other: object) -> Any:
        raise _unknown("@", "a * b")

    def __lshift__(self, other: object) -> Any:
        raise _unknown("<<", "a * 2")

    def __rshift__(self, other: object) -> Any:
        raise _unknown(">>", "a // 2")

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__
    __rmatmul__, __rlshift__, __rrshift__ = __matmul__, __lshift__, __rshift__
    __rpow__ = __pow__

    def __int__(self) -> int:
        raise _refused("it is no number", "token_at(i), or lookup(table, x)")

    __index__ = __int__
