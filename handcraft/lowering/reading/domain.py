"""The values that a part of an expression can have: a list, or numbers between two bounds.

    Domain                   the values
    of_values(values)        the domain of a list
    interval(low, high)      the numbers between two bounds, by steps or any of them

A number stands for itself; None, where it can be, stands beside the others. Small domains are lists
of values, larger ones of numbers are a lattice between two bounds, and what is a mean is any real
number between two bounds. Rules of this file: numbers are exact fractions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import gcd
from typing import Any, TypeAlias

from handcraft.sequence.values import Value

Rational: TypeAlias = int | Fraction
MOST_VALUES = 4_096  # values of a domain that are listed


@dataclass(frozen=True)
class Domain:
    """The values of a node.

    low, high  the least and the greatest number
    step       all numbers are low plus a multiple of it; None for any real number
    listed     the values themselves, where they are few or no numbers; each once
    none       True if it may be undefined
    apart      the least difference of two numbers that are not equal; 0 if that is not known
    """

    low: Rational = 0
    high: Rational = 0
    step: Rational | None = 1
    listed: tuple[Value, ...] | None = None
    none: bool = False
    apart: Rational = 1

    @cached_property
    def numeric(self) -> bool:
        """True if all values but None are numbers."""
        return self.listed is None or all(
            not isinstance(x, str) for x in self.listed
        )

    @property
    def exact(self) -> bool:
        """True if the numbers stand on a lattice."""
        return self.step is not None

    @property
    def size(self) -> int | None:
        """How many values there are besides None; None for real numbers."""
        if self.listed is not None:
            return len(self.listed)
        if self.step is None:
            return None
        return int((self.high - self.low) / self.step) + 1

    @cached_property
    def values(self) -> tuple[Value, ...] | None:
        """Its values, None last; None where there are too many to list."""
        none = (None,) if self.none else ()
        if self.listed is not None:
            return (*self.listed, *none)
        if self.step is None or (self.size or 0) > MOST_VALUES:
            return None
        count = self.size or 0
        return (
            *(as_plain(self.low + i * self.step) for i in range(count)),
            *none,
        )

    def maybe(self) -> Domain:
        """The same, or None."""
        return Domain(
            self.low, self.high, self.step, self.listed, True, self.apart
        )


def as_plain(x: Rational) -> Rational:
    """The same number, whole where it can be."""
    return int(x) if x == int(x) else x


def of_values(values: Iterable[Value]) -> Domain:
    """The domain of these values, in order."""
    found = set(values)
    none = None in found
    numbers = sorted(x for x in found if not isinstance(x, str | None))
    texts = sorted(x for x in found if isinstance(x, str))
    step, apart = _lattice(numbers)
    return Domain(
        low=numbers[0] if numbers else 0,
        high=numbers[-1] if numbers else 0,
        step=step,
        listed=(*map(as_plain, numbers), *texts),
        none=none,
        apart=apart,
    )


def _lattice(numbers: list[Any]) -> tuple[Rational, Rational]:
    """The step of the least lattice with these numbers, and their least distance."""
    gaps = [b - a for a, b in pairwise(numbers)]
    if not gaps:
        return 1, 1
    step = Fraction(gaps[0])
    for other in gaps[1:]:
        step = common_step(step, Fraction(other))
    return as_plain(step), min(gaps)


def common_step(a: Fraction, b: Fraction) -> Fraction:
    """The greatest number of which both are multiples."""
    bottom = a.denominator * b.denominator
    top = gcd(a.numerator * b.denominator, b.numerator * a.denominator)
    return Fraction(top, bottom)


def interval(
    low: Rational,
    high: Rational,
    step: Rational | None = 1,
    *,
    none: bool = False,
    apart: Rational | None = None,
) -> Domain:
    """The numbers between two bounds."""
    found = 1 if step is None else step
    return Domain(
        as_plain(Fraction(low)),
        as_plain(Fraction(high)),
        step,
        None,
        none,
        found if apart is None else apart,
    )
