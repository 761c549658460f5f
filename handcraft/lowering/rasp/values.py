"""The values of RASP as those that are lowered: numbers exactly, anything else as a text, also
numbers that float32 could not tell from their neighbours.

    book = Glossary("^")
    book.value(0.5)       Fraction(1, 2); a bool is 0 or 1
    book.value((1, 2))    "(1, 2)", a text of its own
    book.name(value)      the token of a value

Rules of this file: two values of Python that are equal are one value here, and two that are not
are two. A float is the simple fraction that it is nearest to, where it is as near as computing with
floats can tell.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

from handcraft.core.errors import printable, unwritable
from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.values import Value

_FAR = (
    2**18
)  # numbers up to here, and of no smaller part, are numbers in a model
_SIMPLEST = (
    10_000  # the greatest denominator of a fraction that a float is taken for
)
_NEAR = 1e-12  # of its size: how near it must be


@dataclass(frozen=True)
class Translated:
    """An s-op, lowered.

    node     what it became
    objects  {value: the objects of Python that it can be}, all equal
    """

    node: Node
    objects: Mapping[Value, tuple[Any, ...]] = field(default_factory=dict)

    def of(self, value: Value) -> tuple[Any, ...]:
        """The objects that a value stands for."""
        if value in self.objects:
            return self.objects[value]
        return (float(value) if isinstance(value, Fraction) else value,)


class Unusual(Exception):  # noqa: N818  # the caller names the expression
    """An object that no value can stand for, in words."""


class Glossary:
    """The texts and the tokens of one program, each given once.

    begin  a token that is taken
    """

    def __init__(self, begin: str) -> None:
        self._texts: dict[Any, str] = {}
        self._owners: dict[str, Any] = {}
        self._names: dict[Value, str] = {}
        self._taken = {begin}

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts so far, in the order in which they came."""
        return tuple(self._owners)

    def value(self, found: Any) -> Value:
        """The value of an object. Raises Unusual for one that has none."""
        if found is None:
            return None
        plain = found.item() if _is_scalar(found) else found
        if not isinstance(plain, Real):
            return self._text(plain)
        number: Any = (
            int(plain) if isinstance(plain, Integral) else _number(plain)
        )
        far = abs(number) > _FAR or Fraction(number).denominator > _FAR
        return self._text(Fraction(number)) if far else number

    def _text(self, found: Any) -> str:
        if not isinstance(found, Hashable):
            raise Unusual(
                f"{printable(repr(found))[:60]}, a {type(found).__name__}, which can change"
            )
        try:
            key = (isinstance(found, str), found)
            if key not in self._texts:
                self._texts[key] = self._own(found)
        except TypeError:  # a tuple with a list in it
            raise Unusual(
                f"{printable(repr(found))[:60]}, which can change"
            ) from None
        return self._texts[key]

    def _own(self, found: Any) -> str:
        text = str(found) if isinstance(found, str | Fraction) else repr(found)
        while text in self._owners:
            text += "'"
        self._owners[text] = found
        return text

    def name(self, value: Value) -> str:
        """The token of a value; no two values have the same."""
        if value not in self._names:
            name = str(value)
            if not name or unwritable([name]):
                name = printable(repr(value))
            while name in self._taken:
                name += "'"
            self._taken.add(name)
            self._names[value] = name
        return self._names[value]


def _is_scalar(found: Any) -> bool:
    """True for a number of NumPy, an array of no dimension."""
    return hasattr(found, "item") and getattr(found, "ndim", None) == 0


def _number(found: Any) -> int | Fraction:
    """The exact number of a float. Raises Unusual for one that is not finite."""
    if isinstance(found, Fraction):
        return _plain(found)
    if not math.isfinite(found):
        raise Unusual(f"{found}, which is no number")
    exact = Fraction(found)
    simple = exact.limit_denominator(_SIMPLEST)
    near = abs(simple - exact) <= _NEAR * max(1.0, abs(float(exact)))
    return _plain(simple if near else exact)


def _plain(x: Fraction) -> int | Fraction:
    return int(x) if x.denominator == 1 else x


def noted(
    objects: dict[Value, tuple[Any, ...]], value: Value, found: Any
) -> None:
    """Notes that a value can be this object, once for each type and spelling of it."""
    known = objects.get(value, ())
    if not any(
        type(x) is type(found) and repr(x) == repr(found) for x in known
    ):
        objects[value] = (*known, found)
