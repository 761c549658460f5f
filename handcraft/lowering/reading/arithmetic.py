"""Domains of what is computed from numbers, from the domains of those.

    DOMAIN_OF[op]           the domain of a sum, a product, a comparison, ...
    union_of, either_of      the values of both
    means_of_values          the means of some values of one domain

Rules of this file: no domain is too small, as if each number could stand beside any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from handcraft.lowering.reading.domain import (
    MOST_VALUES,
    Domain,
    Rational,
    as_plain,
    common_step,
    interval,
    of_values,
)
from handcraft.sequence.values import Value

_MOST_SUMS = 40_000  # of so many values, each for each number of them


def step_of(value: Domain) -> Rational | None:
    """The step of the lattice through 0 on which all values stand."""
    if value.step is None:
        return None
    return as_plain(
        common_step(
            Fraction(value.step),
            abs(Fraction(value.low)) or Fraction(value.step),
        )
    )


def either_of(a: Domain, b: Domain) -> Domain:
    """The values of both."""
    if not a.size or not b.size:  # None alone
        return (b if a.none and not a.size else a).maybe()
    return union_of(a, b)


def union_of(a: Domain, b: Domain) -> Domain:
    """The values of both; None only where the first has none of its own."""
    one, other = a.values, b.values
    if one is not None and other is not None:
        found = of_values({*one, *other})
        if a.none:  # the default is for places where nothing is selected
            return found.maybe()
        return found
    step = (
        None
        if None in (a.step, b.step)
        else common_step(Fraction(step_of(a) or 1), Fraction(step_of(b) or 1))
    )
    return interval(
        min(a.low, b.low), max(a.high, b.high), step, none=a.none or b.none
    )


def means_of_values(value: Domain, n: int) -> set[Value] | None:
    """The means of 1 to n values of a lattice; None where they are many."""
    if value.step is None or not value.numeric:
        return None
    low, step = Fraction(value.low), Fraction(value.step)
    steps = int((value.high - value.low) / step)
    if steps * n * (n + 1) // 2 > _MOST_SUMS:
        return None
    found: set[Value] = {
        as_plain(low + step * Fraction(i, count))
        for count in range(1, n + 1)
        for i in range(steps * count + 1)
    }
    return found if len(found) <= MOST_VALUES else None


def _sum(a: Domain, b: Domain) -> Domain:
    step = (
        None
        if None in (a.step, b.step)
        else as_plain(common_step(Fraction(a.step or 1), Fraction(b.step or 1)))
    )
    apart = min(a.apart, b.apart) if step is None else step
    if step is None and a.step is None and b.step is None:
        apart = 0
    return interval(a.low + b.low, a.high + b.high, step, apart=apart)


def _opposite(a: Domain) -> Domain:
    return interval(-a.high, -a.low, a.step, apart=a.apart)


def _product(a: Domain, b: Domain) -> Domain:
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    if (a.size == 1 or b.size == 1) and None in (a.step, b.step):
        factor, other = (a, b) if a.size == 1 else (b, a)
        apart = abs(Fraction(factor.low)) * other.apart
        return interval(min(corners), max(corners), None, apart=apart)
    one, other_step = step_of(a), step_of(b)
    if one is None or other_step is None:
        return interval(min(corners), max(corners), None, apart=0)
    step = as_plain(Fraction(one) * other_step)
    return interval(min(corners), max(corners), step)


def _flag(*_: Domain) -> Domain:
    return of_values([0, 1])


DOMAIN_OF: Mapping[str, Callable[..., Domain]] = {
    "add": _sum,
    "subtract": lambda a, b: _sum(a, _opposite(b)),
    "multiply": _product,
    **dict.fromkeys(("equal", "below", "both", "either", "negate"), _flag),
    "least": lambda *xs: interval(
        min(x.low for x in xs), min(x.high for x in xs), _steps(xs)
    ),
    "greatest": lambda *xs: interval(
        max(x.low for x in xs), max(x.high for x in xs), _steps(xs)
    ),
}


def _steps(domains: Iterable[Domain]) -> Rational | None:
    step: Rational | None = None
    for domain in domains:
        own = step_of(domain)
        if own is None:
            return None
        step = (
            own
            if step is None
            else as_plain(common_step(Fraction(step), Fraction(own)))
        )
    return step
