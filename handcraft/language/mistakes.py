"""Refuses the operators that no expression has, each with what an author could write instead.

An expression is a sum of lanes times numbers, since that is what one column of a matrix holds.
Squares, comparisons, remainders and truth values take neurons, which recipes write. Python would
answer `v ** 2` with a sentence of its own, and `v and w` or `if v:` not at all.

Rules of this file: every operator of Python that expressions lack is named here, once.
"""

from __future__ import annotations

from typing import Any, NoReturn

from handcraft.core.errors import ProgramError, printable
from handcraft.core.source import caller

_RECIPES = {  # operator -> what it would be, and the recipe that writes it as neurons
    "**": ("a power", "recipes.square(x, most, {lane: 1})"),
    "%": ("a remainder", "recipes.modulo(x, modulus, most, {lane: 1})"),
    "@": ("a product", "recipes.product(x, flag, most, {lane: 1})"),
    "^": ("the XOR of flags", "recipes.equals(x + y, 1, {lane: 1})"),
    "//": ("a quotient", "recipes.quotient(x, divisor, most, {lane: 1})"),
    "abs": ("a size", "recipes.absolute(x, {lane: 1})"),
    "&": ("the AND of flags", "recipes.conjunction([x, y], {lane: 1})"),
    "|": ("the OR of flags", "recipes.disjunction([x, y], {lane: 1})"),
    "~": ("the NOT of a flag", "1 - x, or recipes.negation(x, {lane: 1})"),
    ">": ("a comparison", "recipes.threshold(x, {lane: 1}, above=0.5)"),
}


def _shown(value: object) -> str:
    """The expression, or the name of the slot, at most 60 characters of it."""
    return printable(str(getattr(value, "name", value)))[:60]


def _refused(value: object, operator: str) -> ProgramError:
    what, recipe = _RECIPES[operator]
    return ProgramError(
        f"an expression is a sum of lanes times numbers, and {what} of"
        f" {_shown(value)} is none: neurons make it,"
        f" {recipe}",
        (),
        caller(),
    )


class Linear:
    """The base of all expressions: refuses what is not linear.

    Raises ProgramError for powers, remainders, comparisons, logic, and for a truth value.
    """

    def __pow__(self, other: object) -> Any:
        raise _refused(self, "**")

    def __mod__(self, other: object) -> Any:
        raise _refused(self, "%")

    def __floordiv__(self, other: object) -> Any:
        raise _refused(self, "//")

    def __abs__(self) -> Any:
        raise _refused(self, "abs")

    def __and__(self, other: object) -> Any:
        raise _refused(self, "&")

    def __or__(self, other: object) -> Any:
        raise _refused(self, "|")

    def __invert__(self) -> Any:
        raise _refused(self, "~")

    def __matmul__(self, other: object) -> Any:
        raise _refused(self, "@")

    def __xor__(self, other: object) -> Any:
        raise _refused(self, "^")

    def __lt__(self, other: object) -> Any:
        raise _refused(self, ">")

    __gt__ = __le__ = __ge__ = __lt__
    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__
    __rmatmul__, __divmod__ = __matmul__, __floordiv__

    def __lshift__(self, other: object) -> Any:
        raise self._not_linear(f"a shift by {other!r:.20} of")

    __rshift__ = __lshift__

    def __rlshift__(self, other: object) -> Any:
        raise self._not_linear(f"{other!r:.20} shifted by")

    __rrshift__ = __rlshift__

    def __rmod__(self, other: object) -> Any:
        raise self._not_linear(f"the remainder of {other!r:.20} by")

    def __rfloordiv__(self, other: object) -> Any:
        raise self._not_linear(f"{other!r:.20} divided by")

    __rdivmod__ = __rtruediv__ = __rfloordiv__

    def __rpow__(self, other: object) -> Any:
        raise self._not_linear(f"{other!r:.20} to the power of")

    def __int__(self) -> int:
        raise self._no_number()

    def __float__(self) -> float:
        raise self._no_number()

    def __index__(self) -> int:
        raise self._no_number()

    def __trunc__(self) -> int:
        raise self._no_number()

    def __round__(self, digits: int = 0) -> Any:
        raise self._no_number()

    def __getitem__(self, label: object) -> Any:
        raise ProgramError(
            f"{_shown(self)} has no lanes to choose from; those of a slot are"
            " written slot['label']",
            (),
            caller(),
        )

    def __setitem__(self, label: object, value: object) -> NoReturn:
        raise ProgramError(
            f"{_shown(self)} cannot be set: rules write into lanes, such as {{lane: 1}}"
            " in a layer, and tables fill them: slot(name, token={...})",
            (),
            caller(),
        )

    def __delitem__(self, label: object) -> NoReturn:
        self[label] = None

    def __format__(self, form: str) -> str:
        if form:
            raise self._no_number()
        return str(self)

    def __reversed__(self) -> Any:
        return iter(self)

    def __iter__(self) -> Any:
        raise ProgramError(
            f"{_shown(self)} is one expression; where a list of them is taken, write"
            " [x]",
            (),
            caller(),
        )

    def _no_number(self) -> ProgramError:
        return ProgramError(
            f"{_shown(self)} has no value before the model runs: see it with"
            " model.trace(context)",
            (),
            caller(),
        )

    def __bool__(self) -> NoReturn:
        raise ProgramError(
            f"{_shown(self)} has no truth value before the model runs: for"
            " `and`, `or`, `not` and `if` write neurons, such as"
            " recipes.conjunction([x, y], {lane: 1})",
            (),
            caller(),
        )

    def _not_linear(self, what: str) -> ProgramError:
        return ProgramError(
            "an expression is a sum of lanes times numbers;"
            f" {what} {_shown(self)} is none",
            (),
            caller(),
        )
