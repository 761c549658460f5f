"""Computes a value from others at the same position, by neurons.

    mapped(stream, held, images, name)      a function of one value: a neuron a change of slope
    stepped(stream, held, images, name)     the same by steps, which forgets the error of its input
    joined(stream, parts, images, name)     a function of several: of one direction in which they
                                            can be told apart, plus their sum

A neuron adds relu(when). With gelu it does so to the last bit only away from 0, so kinks stand on
the numbers that the input takes, or half way between two of them, and the sharpness is chosen by
their distance. Rules of this file: what is read is 0 at BOS, and so is what is written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from handcraft.language.affine import Affine
from handcraft.lowering.stream import LEAK, Held, Stream, constant, gated

UNIT = 2.0**-24  # the rounding of float32
GELU_EXACT = 8.0  # gelu(x) is x or 0 in float32 from this size on, with room
SHARPEST = 2.0**20
SNAPPED = 2e-3  # an input less exact than that is taken by steps
EXACT = 1e-6  # where the output must be exact
ROUNDED = 1e-9  # what float64 may make of one number, of its size
FORGOTTEN = 2**10 * LEAK  # float32 does not add so little to a whole number
STRAIGHT = 1e-11  # float64 rounds fractions by less
RADIX = 4  # how far directions are searched


@dataclass(frozen=True)
class Images:
    """What a function gives: for each number of its input the number of its output."""

    points: tuple[tuple[float, float], ...]  # in the order of the inputs

    @property
    def gaps(self) -> list[float]:
        """The distances of neighbouring inputs."""
        xs = [x for x, _ in self.points]
        return [b - a for a, b in pairwise(xs)]

    @property
    def slopes(self) -> list[float]:
        """The slope between neighbouring inputs."""
        rise = [
            b - a
            for (_, a), (_, b) in zip(
                self.points, self.points[1:], strict=False
            )
        ]
        return [y / x for y, x in zip(rise, self.gaps, strict=True)]


def images(pairs: Iterable[tuple[float, float]]) -> Images | None:
    """The function with these values; None where one input has two. Inputs that only the rounding
    of float64 tells apart are one.
    """
    found: dict[float, float] = {}
    for x, y in pairs:
        if found.setdefault(x, y) != y:
            return None
    points: list[tuple[float, float]] = []
    for x, y in sorted(found.items()):
        if points and _same(points[-1][0], x):
            if not _same(points[-1][1], y):
                return None
        else:
            points.append((x, y))
    return Images(tuple(points))


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= ROUNDED * max(1.0, abs(a), abs(b))


def mapped(
    stream: Stream,
    z: Affine,
    radius: float,
    f: Images,
    name: str,
    says: str = "",
    *,
    flag: bool = False,
    blurred: float = 1 / 64,
) -> tuple[Affine, float]:
    """The function of an expression of lanes, and its radius; as a flag it forgets the error of
    what it reads. Where hinges give more error than `blurred` of the distance of the outputs,
    steps are taken.
    """
    slopes = f.slopes
    if not slopes:
        return constant(f.points[0][1]), 0.0
    if (line := _line_of(f)) is not None:  # no neuron is needed
        a, b, off = line
        return z.scaled(a).plus(constant(b)), abs(a) * radius + off
    gap = min(f.gaps)
    if radius > gap / 8:
        raise Inexact(radius, gap)
    if radius > (EXACT if flag else SNAPPED) * gap or _blurs(
        f, radius, blurred
    ):
        return stepped(stream, z, radius, f, name, says)
    return _bent(stream, z, radius, f, name, says)


def _line_of(f: Images) -> tuple[float, float, float] | None:
    """(a, b, off) of the line a x + b, where all values are at most `off` from it, which is what
    fractions are rounded by; None where there is no such line.
    """
    (x, y), (x2, y2) = f.points[0], f.points[-1]
    a = (y2 - y) / (x2 - x)
    if len(set(f.slopes)) == 1:
        return f.slopes[0], y - f.slopes[0] * x, 0.0
    a = round(a) if abs(a - round(a)) < STRAIGHT else a
    b = y - a * x
    off = max(abs(a * x + b - y) for x, y in f.points)
    return (a, b, off) if off < STRAIGHT * max(1.0, abs(y), abs(y2)) else None


def _blurs(f: Images, radius: float, blurred: float) -> bool:
    """True if hinges would make the error of the input great beside the distance of the outputs."""
    outputs = sorted({y for _, y in f.points})
    apart = min(b - a for a, b in zip(outputs, outputs[1:], strict=False))
    slopes = f.slopes
    bends = (abs(b - a) for a, b in pairwise(slopes))
    bend = max(bends, default=0.0)  # an input is near to one kink only
    return radius * (bend + max(map(abs, slopes))) > apart * blurred


class Inexact(Exception):  # noqa: N818  # the caller says it in words
    """An input that is not known well enough to be told from its neighbours."""

    def __init__(self, radius: float, gap: float) -> None:
        self.radius = radius
        self.gap = gap


def _sharp(distance: float) -> float:
    """The sharpness with which gelu is exact at this distance from a kink."""
    found = 1.0
    while found * distance < GELU_EXACT and found < SHARPEST:
        found *= 2
    return found


def _bent(
    stream: Stream, z: Affine, radius: float, f: Images, name: str, says: str
) -> tuple[Affine, float]:
    """By hinges on the inputs: flat before the first, or going on with the last slope."""
    slopes = f.slopes
    sharp = _sharp(min(f.gaps) - radius)
    hinges: list[tuple[Affine, float, float]] = []
    before = slopes[0]
    for (x, _), slope in zip(f.points[1:-1], slopes[1:], strict=True):
        if slope != before:
            hinges.append((z.plus(constant(-x)), slope - before, sharp))
        before = slope
    lane = stream.neurons(name, hinges, says)
    x, y = f.points[0]
    rest = z.scaled(slopes[0]).plus(constant(y - slopes[0] * x))
    most = max(abs(y) for _, y in f.points)
    bend = sum(abs(amount) for _, amount, _ in hinges)
    reach = max(abs(x) for x, _ in f.points)
    # an input is near to one kink only, and where it is not, the neuron is exact
    kink = max((abs(amount) for _, amount, _ in hinges), default=0.0)
    error = (max(map(abs, slopes)) + kink) * radius
    rounding = 4 * UNIT * (most + (bend + abs(slopes[0])) * reach * 2)
    amounts = [x for _, amount, _ in hinges for x in (amount, amount * reach)]
    if (
        radius < FORGOTTEN
        and whole(z)
        and all_whole([*amounts, reach, most, x, slopes[0]])
    ):
        rounding = 0.0  # float32 holds all of them, and their sums
    found = (
        rest.plus(lane.expression()) if rest.terms or rest.constant else lane
    )
    return as_affine(found), stream.may_follow(lane, error + rounding)


def stepped(
    stream: Stream,
    z: Affine,
    radius: float,
    f: Images,
    name: str,
    says: str = "",
) -> tuple[Affine, float]:
    """By two neurons for each change of the value, half way between two inputs."""
    slope = _common_slope(f)
    hinges: list[tuple[Affine, float, float]] = []
    rises = 0.0
    most = max(abs(x) for x, _ in f.points)
    error = 0.0
    for (x, y), (x2, y2) in zip(f.points, f.points[1:], strict=False):
        rise = y2 - y - slope * (x2 - x)
        if not rise:
            continue
        width, middle = (x2 - x) / 4, (x + x2) / 2
        scaled = z.scaled(1 / width).plus(constant(-middle / width))
        sharp = _sharp(1 - radius / width)
        hinges.append((scaled.plus(constant(1.0)), rise / 2, sharp))
        hinges.append((scaled.plus(constant(-1.0)), -rise / 2, sharp))
        rises += abs(rise)
        error = max(error, abs(rise) * 8 * UNIT * (most / width + 2))
    lane = stream.neurons(name, hinges, says)
    x, y = f.points[0]
    start = y - slope * x
    found = lane.expression().plus(constant(start)).plus(z.scaled(slope))
    rounding = 4 * UNIT * (abs(start) + rises + abs(slope) * most)
    off = error * len(hinges) + abs(slope) * radius + rounding
    return found, stream.may_follow(lane, off)


def _common_slope(f: Images) -> float:
    """The slope that most neighbouring inputs have, where it is not 0 that saves the most steps."""
    slopes = f.slopes
    best = max(dict.fromkeys(slopes), key=slopes.count)
    return best if slopes.count(best) > 2 * slopes.count(0.0) else 0.0


def all_whole(numbers: Iterable[float]) -> bool:
    """True for whole numbers, which float32 adds without an error."""
    return all(x == int(x) and abs(x) < 2**20 for x in numbers)


def whole(z: Affine) -> bool:
    """True for whole multiples of lanes."""
    return all_whole([x for _, x in z.terms]) and all_whole([z.constant])


def as_affine(x: Any) -> Affine:
    """A lane or an expression as an expression."""
    return x if isinstance(x, Affine) else x.expression()


# ---------------------------------------------------------------- several inputs


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
    told apart, if any; there is always one in which all inputs differ.
    """
    found = list(_directions(inputs, table))
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
    if len(small) > RADIX:
        return
    for steps in product(*small):
        first = next((s for s in steps if s), 0)
        if first > 0 or not any(steps):
            yield steps


def _radix(inputs: Sequence[Sequence[float]]) -> Iterator[float]:
    """The direction in which all combinations differ: each step of an input is more than all of
    those before it make together.
    """
    reach = 0.0
    for xs in inputs:
        factor = math.floor(reach) + 1.0
        yield factor
        reach += factor * (max(xs) - min(xs)) / _unit(xs)


def _unit(xs: Sequence[float]) -> float:
    """The least distance of two of them."""
    kept = sorted(set(xs))
    return min((b - a for a, b in pairwise(kept)), default=1.0)


def _dot(weights: Sequence[float], row: Sequence[float]) -> float:
    return sum(w * x for w, x in zip(weights, row, strict=True))


def joined(
    stream: Stream,
    parts: Sequence[Held],
    table: Mapping[tuple[float, ...], float],
    name: str,
    says: str = "",
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
        stream, z, radius, best.f, name, says, flag=flag and not plain.terms
    )
    return found.plus(plain), error + more


def gate(x: Affine) -> Affine:
    """The expression, 0 at BOS."""
    return gated(x)
