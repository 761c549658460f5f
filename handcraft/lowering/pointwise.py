"""Computes a value from others at the same position, by neurons.

    mapped(stream, z, radius, f, name)         a function of one value: a neuron a change of slope
    stepped(stream, z, radius, f, name)        the same by steps, which forgets the input's error

A neuron adds relu(when). With gelu it does so to the last bit only away from 0, so kinks stand on
the numbers that the input takes, or half way between two of them, and the sharpness is chosen by
their distance. Rules of this file: what is read is 0 at BOS, and so is what is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from handcraft.language.affine import Affine
from handcraft.lowering.refusals import Inexact
from handcraft.lowering.stream import FLOAT32, LEAK, Stream, constant

GELU_EXACT = 8.0  # gelu(x) is x or 0 in float32 from this size on, with room
SHARPEST = 2.0**20
_EXACT = 1e-6  # where the output must be exact
SAME_NUMBER = 1e-9  # two numbers so near to each other, of their size, are one that float64 rounded
FORGOTTEN = 2**10 * LEAK  # float32 does not add so little to a whole number
STRAIGHT = 1e-11  # float64 rounds fractions by less


_Neuron: TypeAlias = tuple[Affine, float, float]  # when, amount, sharpness


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
        rise = [b - a for (_, a), (_, b) in pairwise(self.points)]
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


def sure_images(pairs: Iterable[tuple[float, float]]) -> Images:
    """The function with these values. Raises Inexact where one input has two."""
    found = images(pairs)
    if found is None:
        raise Inexact(SAME_NUMBER, 0.0)
    return found


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= SAME_NUMBER * max(1.0, abs(a), abs(b))


def mapped(
    stream: Stream,
    z: Affine,
    radius: float,
    f: Images,
    name: str,
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
    if radius > (_EXACT if flag else stream.snapped) * gap or _blurs(
        f, radius, blurred
    ):
        return stepped(stream, z, radius, f, name)
    return _bent(stream, z, radius, f, name)


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
    apart = min(b - a for a, b in pairwise(outputs))
    slopes = f.slopes
    bends = (abs(b - a) for a, b in pairwise(slopes))
    bend = max(bends, default=0.0)  # an input is near to one kink only
    return radius * (bend + max(map(abs, slopes))) > apart * blurred


def _sharp(distance: float) -> float:
    """The sharpness with which gelu is exact at this distance from a kink."""
    found = 1.0
    while found * distance < GELU_EXACT and found < SHARPEST:
        found *= 2
    return found


def _bent(
    stream: Stream, z: Affine, radius: float, f: Images, name: str
) -> tuple[Affine, float]:
    """By hinges on the inputs: flat before the first, or going on with the last slope."""
    hinges = list(_kinks(z, f, _sharp(min(f.gaps) - radius)))
    lane = stream.neurons(name, hinges)
    (x, y), slope = f.points[0], f.slopes[0]
    rest = z.scaled(slope).plus(constant(y - slope * x))
    off = _bent_error(z, radius, f, [amount for _, amount, _ in hinges])
    return rest.plus(lane.expression()), stream.may_follow(lane, off)


def _kinks(z: Affine, f: Images, sharp: float) -> Iterator[_Neuron]:
    """A neuron on each input where the slope changes."""
    for (x, _), (before, slope) in zip(
        f.points[1:-1], pairwise(f.slopes), strict=True
    ):
        if slope != before:
            yield z.plus(constant(-x)), slope - before, sharp


def _bent_error(
    z: Affine, radius: float, f: Images, amounts: Sequence[float]
) -> float:
    """How far the sum of hinges can be from the function."""
    slopes, start = f.slopes, f.points[0][0]
    most = max(abs(y) for _, y in f.points)
    reach = max(abs(x) for x, _ in f.points)
    # an input is near to one kink only, and where it is not, the neuron is exact
    kink = max(map(abs, amounts), default=0.0)
    error = (max(map(abs, slopes)) + kink) * radius
    products = [amount * reach for amount in amounts]
    numbers = [*amounts, *products, reach, most, start, slopes[0]]
    if radius < FORGOTTEN and whole_multiples(z) and all_whole(numbers):
        return error  # float32 holds all of them, and their sums
    bend = sum(map(abs, amounts))
    return error + 4 * FLOAT32 * (most + (bend + abs(slopes[0])) * reach * 2)


def stepped(
    stream: Stream, z: Affine, radius: float, f: Images, name: str
) -> tuple[Affine, float]:
    """By two neurons for each change of the value, half way between two inputs."""
    slope = _common_slope(f)
    jumps = list(_jumps(f, slope))
    hinges = [hinge for jump in jumps for hinge in _step_of(z, radius, *jump)]
    lane = stream.neurons(name, hinges)
    x, y = f.points[0]
    start = y - slope * x
    found = lane.expression().plus(constant(start)).plus(z.scaled(slope))
    most = max(abs(x) for x, _ in f.points)
    rises = sum(abs(rise) for _, _, rise in jumps)
    rounding = 4 * FLOAT32 * (abs(start) + rises + abs(slope) * most)
    off = _step_error(jumps, most) * len(hinges) + abs(slope) * radius
    return found, stream.may_follow(lane, off + rounding)


def _jumps(f: Images, slope: float) -> Iterator[tuple[float, float, float]]:
    """(input, next input, rise) wherever the function leaves a slope."""
    for (x, y), (x2, y2) in pairwise(f.points):
        rise = y2 - y - slope * (x2 - x)
        if rise:
            yield x, x2, rise


def _step_of(
    z: Affine, radius: float, x: float, x2: float, rise: float
) -> Iterator[_Neuron]:
    """The two neurons of one jump, which goes up over half the way from input to input."""
    width, middle = (x2 - x) / 4, (x + x2) / 2
    scaled = z.scaled(1 / width).plus(constant(-middle / width))
    sharp = _sharp(1 - radius / width)
    yield scaled.plus(constant(1.0)), rise / 2, sharp
    yield scaled.plus(constant(-1.0)), -rise / 2, sharp


def _step_error(
    jumps: Sequence[tuple[float, float, float]], most: float
) -> float:
    """What float32 makes of one neuron of a jump, at most."""
    errors = (
        abs(rise) * 8 * FLOAT32 * (4 * most / (x2 - x) + 2)
        for x, x2, rise in jumps
    )
    return max(errors, default=0.0)


def _common_slope(f: Images) -> float:
    """The slope that most neighbouring inputs have, where it is not 0 that saves the most steps."""
    slopes = f.slopes
    best = max(dict.fromkeys(slopes), key=slopes.count)
    return best if slopes.count(best) > 2 * slopes.count(0.0) else 0.0


def all_whole(numbers: Iterable[float]) -> bool:
    """True for whole numbers, which float32 adds without an error."""
    return all(x == int(x) and abs(x) < 2**20 for x in numbers)


def whole_multiples(z: Affine) -> bool:
    """True for whole multiples of lanes."""
    return all_whole([x for _, x in z.terms]) and all_whole([z.constant])
