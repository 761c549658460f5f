"""Functions of several values at one position, by neurons on one sum of them.

    of_several(stream, parts, table, name)   a function of several values as a table
    direction_of(inputs, table)              the sum of them in which it takes the fewest neurons

A direction is a sum in which all inputs that give different outputs differ; what is still told by a
plain sum of the inputs needs no neuron. Rules of this file: small whole numbers are tried before
the direction in which all combinations differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from handcraft.language.affine import Affine
from handcraft.lowering.pointwise import SAME_NUMBER, Images, images, mapped
from handcraft.lowering.refusals import Inexact
from handcraft.lowering.stream import Held, Stream

_MOST_SEARCHED = 4  # inputs of which all small directions are tried


@dataclass(frozen=True)
class Direction:
    """A function of several inputs as `plain` plus a function of one sum of them."""

    weights: tuple[float, ...]
    plain: tuple[float, ...]
    f: Images

    @property
    def cost(self) -> int:
        """How many neurons it takes."""
        slopes = self.f.slopes
        return sum(a != b for a, b in pairwise(slopes))


def direction_of(
    inputs: Sequence[Sequence[float]],
    table: Mapping[tuple[float, ...], float],
    radii: Sequence[float] = (),
) -> Direction:
    """The cheapest direction found in which inputs that are only known within these radii can be
    told apart, if any. Raises Inexact where there is none in which all inputs differ.
    """
    found = list(_directions(inputs, table))
    if not found:  # two inputs are nearer to each other than float64 rounds
        raise Inexact(SAME_NUMBER, 0.0)
    return min(
        found,
        key=lambda d: (_blurred(d, radii), d.cost, sum(map(abs, d.weights))),
    )


def _blurred(d: Direction, radii: Sequence[float]) -> bool:
    radius = sum(abs(w) * r for w, r in zip(d.weights, radii, strict=False))
    return radius > min(d.f.gaps, default=math.inf) / 8


def _directions(
    inputs: Sequence[Sequence[float]], table: Mapping[tuple[float, ...], float]
) -> Iterator[Direction]:
    units = [_unit(xs) for xs in inputs]
    small = [[0.0, 1.0, -1.0, 2.0, -2.0] for _ in inputs]
    plains = list(product((0.0, 1.0), repeat=len(inputs)))
    for steps in (*_signs(small), tuple(_radix(inputs))):
        weights = tuple(s / u for s, u in zip(steps, units, strict=True))
        for plain in plains:
            rest = images(
                (_dot(weights, row), y - _dot(plain, row))
                for row, y in table.items()
            )
            if rest is not None:
                yield Direction(weights, plain, rest)


def _signs(small: Sequence[Sequence[float]]) -> Iterator[tuple[float, ...]]:
    """Directions of small whole numbers, each up to its sign."""
    if len(small) > _MOST_SEARCHED:
        return
    for steps in product(*small):
        first = next((s for s in steps if s), 0)
        if first > 0 or not any(steps):
            yield steps


def _radix(inputs: Sequence[Sequence[float]]) -> Iterator[float]:
    """The direction in which all combinations differ."""
    factor = 1.0
    for xs in inputs:
        yield factor
        factor *= round((max(xs) - min(xs)) / _unit(xs)) + 1


def _unit(xs: Sequence[float]) -> float:
    """The least distance of two of them."""
    kept = sorted(set(xs))
    return min((b - a for a, b in pairwise(kept)), default=1.0)


def _dot(weights: Sequence[float], row: Sequence[float]) -> float:
    return sum(w * x for w, x in zip(weights, row, strict=True))


def of_several(
    stream: Stream,
    parts: Sequence[Held],
    table: Mapping[tuple[float, ...], float],
    name: str,
    *,
    flag: bool = False,
) -> tuple[Affine, float]:
    """A function of several values, as a table of the numbers that stand for them."""
    inputs = [sorted({row[i] for row in table}) for i in range(len(parts))]
    best = direction_of(inputs, table, [part.radius for part in parts])
    z, plain = Affine.of({}), Affine.of({})
    radius = error = 0.0
    for part, w, p in zip(parts, best.weights, best.plain, strict=True):
        z, plain = z.plus(part.z.scaled(w)), plain.plus(part.z.scaled(p))
        radius += abs(w) * part.radius
        error += abs(p) * part.radius
    found, more = mapped(
        stream, z, radius, best.f, name, flag=flag and not plain.terms
    )
    return found.plus(plain), error + more
