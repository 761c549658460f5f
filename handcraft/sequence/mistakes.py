"""Refuses the operators that no expression of a claim has, each with the word that is meant.

An expression has a value on a context only, so Python cannot compare it, ask for its truth or
find it in a list while a claim is written. Most of these would be a sentence of Python's own;
`if expression:` and `for token in expression:` would silently mean something else.

Rules of this file: every operator that expressions lack is named here, once; the same holds for
what is read at the key position, which handcraft.sequence.conditions refuses more of. What Python
asks of the other side (`x in "ab"`, `{"a": 1}[x]`) cannot be refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, NoReturn

from handcraft.core.errors import ProgramError, printable
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


def uncompared(sign: str) -> ProgramError:
    """The error of a comparison of two values that are both read at the query position."""
    return _refused(
        f"{sign} cannot compare it",
        f"there(a) {sign} b for a condition on positions, below(a, b) or equal(a, b)"
        " for 1 or 0, min_(a, b) or max_(a, b) for one of them",
    )


def unjoined(sign: str) -> ProgramError:
    """The error of `&` and `|` beside what is no condition: a comparison binds less tightly."""
    return ProgramError(
        f"{sign} joins conditions: put each comparison in parentheses, such as"
        f" (there(tokens) == 'a') {sign} (there(indices) < indices); of two values that are"
        f" 1 or 0 write {'a * b' if sign == '&' else 'cases((a, 1), b)'}",
        ("claim",),
        caller(),
    )


def no_value(value: object) -> ProgramError:
    """The error of what is no value of the language, where one is expected."""
    return ProgramError(unfitting(value), ("claim",), caller())


def unfitting(value: object) -> str:
    """The message for what is no value of the language, and what may have been meant."""
    found = printable(repr(value))[:60]
    hint = next((hint for is_it, hint in _HINTS if is_it(value)), "")
    return f"a value is an expression, a whole number or a token, found {found}{hint}"


def misused(word: str, expected: str) -> ProgramError:
    """The error of a word that is given something else than it takes."""
    return ProgramError(f"{word} takes {expected}", ("claim",), caller())


def items(
    word: str, table: Mapping[Any, Any], expected: str
) -> tuple[tuple[Any, Any], ...]:
    """The rows of a table. Raises ProgramError for what is none."""
    if not isinstance(table, Mapping):
        raise misused(word, expected)
    return tuple(table.items())


def text_of(text: object) -> tuple[str, ...]:
    """The tokens of a text. Raises ProgramError for what is none."""
    unordered = isinstance(text, Mapping | Set)
    tokens = tuple(text) if isinstance(text, Iterable) else (text,)
    if unordered or not all(isinstance(token, str) for token in tokens):
        raise ProgramError(
            "an expression is asked about a text, 'abc' or ['ab', 'c'], found"
            f" {printable(repr(text))[:60]}",
            ("claim",),
            caller(),
        )
    return tokens


_HINTS: list[tuple[Callable[[Any], bool], str]] = [
    (
        lambda x: isinstance(x, AtKey),
        "; there(...) stands in a selection, as in count(there(tokens) == tokens)",
    ),
    (
        lambda x: isinstance(x, bool),
        "; == compares expressions themselves, equal(a, b) what they say",
    ),
    (
        lambda x: isinstance(x, float),
        "; write whole numbers, or ratio(a, b)",
    ),
    (
        lambda x: isinstance(x, list | tuple | Set),
        (
            "; for one of several tokens write lookup({'a': 1, 'b': 1}, x, default=0),"
            " which is 1 or 0"
        ),
    ),
    (
        lambda x: x is None,
        "; given(condition, value) leaves a value undefined",
    ),
    (
        lambda x: hasattr(x, "dtype") and getattr(x, "ndim", None) == 0,
        "; write int(...) around a number of numpy's",
    ),
    (
        lambda x: getattr(x, "ndim", 0) > 0,
        "; write lookup({...}, indices) for a number at each position",
    ),
]


class Uncomputed:
    """The base of all that stands for values: raises ProgramError for what none is computed by."""

    __slots__ = ()

    def __truediv__(self, other: object) -> Any:
        raise _unknown("/", "a // b, or the exact ratio(a, b)")

    def __pow__(self, other: object) -> Any:
        raise _unknown("**", "a * a")

    def __neg__(self) -> Any:
        raise _unknown("a sign alone", "0 - a")

    def __pos__(self) -> Any:
        raise _unknown("a sign alone", "a")

    def __abs__(self) -> Any:
        raise _unknown("abs", "max_(a, 0 - a)")

    def __round__(self, *_: object) -> Any:
        raise _unknown("round", "round_(a)")

    def __divmod__(self, other: object) -> Any:
        raise _unknown("divmod", "a // b and a % b")

    def __matmul__(self, other: object) -> Any:
        raise _unknown("@", "a * b")

    def __lshift__(self, other: object) -> Any:
        raise _unknown("<<", "a * 2")

    def __rshift__(self, other: object) -> Any:
        raise _unknown(">>", "a // 2")

    def __xor__(self, other: object) -> Any:
        raise _unknown("^", "1 - equal(a, b)")

    __rtruediv__, __rpow__, __rdivmod__ = __truediv__, __pow__, __divmod__
    __rmatmul__, __rlshift__, __rxor__ = __matmul__, __lshift__, __xor__
    __rrshift__ = __rshift__

    def __len__(self) -> int:
        raise _refused(
            "it has no length",
            "length for the number of tokens, count(condition) for that of positions",
        )

    def __reversed__(self) -> Any:
        raise _refused(
            "it cannot be turned round",
            "fetch(a, length - 1 - indices) for what stands as far from the end",
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

    def __int__(self) -> int:
        raise _refused("it is no number", "token_at(i), or lookup(table, x)")

    __index__ = __float__ = __complex__ = __int__

    def __array__(self, *_: object, **__: object) -> Any:
        raise _refused(
            "numpy makes no array of it",
            "count, total, where, ... of handcraft.sequence",
        )

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: object, **_: object
    ) -> Any:
        """Raises ProgramError for what numpy would compute value by value, also beside an array."""
        for value in inputs:
            if not isinstance(value, Uncomputed):
                raise no_value(value)
        raise _refused(
            f"numpy's {ufunc.__name__} cannot compute it",
            "the words of handcraft.sequence",
        )

    def __format__(self, form: str) -> str:
        if form:
            raise _refused(
                "it cannot be formatted", "claim(context) for a value"
            )
        return str(self)


class AtKey(Uncomputed):
    """The base of what is read at the key position, which Expression leaves operators to."""

    __slots__ = ()


class Unvalued(Uncomputed):
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
            "token_at(i) for a token of the context, count(condition) and total(e) for"
            " all of them",
        )

    def __and__(self, other: object) -> Any:
        return self._joined("&", other)

    def __or__(self, other: object) -> Any:
        return self._joined("|", other)

    __rand__ = __and__
    __ror__ = __or__

    def _joined(self, sign: str, other: object) -> Any:
        if isinstance(other, AtKey):
            return NotImplemented
        raise unjoined(sign)

    def __invert__(self) -> Any:
        raise _unknown("~", "equal(a, 0)")
