"""Builds neurons for logic, comparison and arithmetic on lanes that hold whole numbers.

    conjunction  all of n flags            relu(2 (sum - n) + 1)                   1 neuron
    disjunction  any of n flags            relu(sum) - relu(sum - 1)               2
    negation     not a flag                relu(1 - x)                             1
    threshold    x above a threshold t     (relu(y + 1) - relu(y - 1)) / 2         2
                 with y = 2 (x - t) / margin
    equals       x is a given number k     relu(x-k+1) - 2 relu(x-k) + relu(x-k-1) 3
    table        a function of flags       one conjunction for each entry
    piecewise_linear, square, modulo, quotient, absolute, maximum, minimum, copy, gated_copy,
    product, erase, move

`adds` is {lane: amount}: what is added to the stream for each unit of the result. Each recipe
returns a tuple of neurons, to be put into an MLP side by side.

With gelu a kink is exact only from some distance: gelu(8 z) / 8 is z or 0 to float32's last bit
where |z| >= 1, and exactly 0 at z = 0. So every recipe here places its kinks where no value comes
nearer than 1, or hits them exactly; the same rules are then exact with relu too.

Sources: "The Transformer Cookbook", Yang et al., 2026 (boolean functions, comparisons,
conditionals, arithmetic, cancelling the residual); Weiss et al., 2021; Lindner et al., "Tracr",
2023.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from handcraft.core.arguments import checked_call
from handcraft.language.affine import Affine, Lane, Named, Term, kind_of
from handcraft.language.coerce import as_affine, as_direction, as_map
from handcraft.language.rules import Amounts, Neuron
from handcraft.language.slots import Slot
from handcraft.recipes.kinds import (
    a_number,
    a_whole_number,
    anything,
    expressions,
    lane_or_slot,
    several,
    table_of,
    takes,
    wrong,
)

Neurons = tuple[Neuron, ...]
MOST_SQUARED = 4096  # its square is 2^24


@checked_call()
@takes(flags=expressions)
def conjunction(
    flags: Sequence[Term], adds: Amounts, *, name: str | None = None
) -> Neurons:
    """Neurons that add where all flags (0 or 1) are 1: relu(2 (sum - n) + 1) is 1 there and 0
    elsewhere.
    """
    when = _total(flags).scaled(2.0).plus(_constant(1 - 2 * len(flags)))
    return (Neuron(when=when, adds=adds, name=name),)


@checked_call()
@takes(flags=expressions)
def disjunction(flags: Sequence[Term], adds: Amounts) -> Neurons:
    """Neurons that add once where any flag (0 or 1) is 1: relu(sum) - relu(sum - 1)."""
    total = _total(flags)
    return (
        Neuron(when=total, adds=adds),
        Neuron(when=total - 1, adds=_times(adds, -1)),
    )


@checked_call()
def negation(flag: Term, adds: Amounts) -> Neurons:
    """Neurons that add where the flag (0 or 1) is 0: relu(1 - x)."""
    return (Neuron(when=1 - as_affine(flag), adds=adds),)


@checked_call()
@takes(above=a_number, margin=a_number)
def threshold(
    x: Term, adds: Amounts, *, above: float, margin: float = 0.5
) -> Neurons:
    """Neurons that add once where x is above the threshold, nothing where it is below.

    margin  x never comes nearer to the threshold than this; 1/2 for whole numbers and a
            threshold between two of them

    With y = 2 (x - above) / margin: (relu(y + 1) - relu(y - 1)) / 2 is 0 below and 1 above.
    Raises ProgramError for a margin that is not positive.
    """
    if not margin > 0:
        raise wrong("threshold", "margin", f"must be positive, found {margin}")
    y = (as_affine(x) - above) * (2 / margin)
    return (
        Neuron(when=y + 1, adds=_times(adds, 0.5)),
        Neuron(when=y - 1, adds=_times(adds, -0.5)),
    )


@checked_call()
def equals(x: Term, number: int, adds: Amounts) -> Neurons:
    """Neurons that add where the whole number x is the given one: a tent of three kinks."""
    shifted = as_affine(x) - number
    hinges = ((shifted + 1, 1.0), (shifted, -2.0), (shifted - 1, 1.0))
    return tuple(
        Neuron(when=when, adds=_times(adds, factor)) for when, factor in hinges
    )


@checked_call()
def one_hot_of(
    x: Term, lanes: Slot | Mapping[Any, float], *, sink: Term | None = None
) -> Neurons:
    """Neurons that write which of some numbers x is: 1 to the lane of that number, 0 to the others.

    lanes  {lane: number}, or a slot whose labels are numbers: scratch("rank", map(str, range(10)))
    sink   a 0/1 expression, 1 where all lanes are to stay 0 (BOS, such as token["^"]), for heads
           with a sink: `compare` then finds no class there

    Two neurons between neighbouring numbers, half way, and one that writes the least: a staircase,
    which forgets the error of x up to a quarter of the distance of two numbers. A number below the
    least counts as the least, one above the greatest as the greatest. Raises ProgramError for
    fewer than two lanes, and for two with one number.
    """
    numbers = _numbers_of(lanes)
    closed = as_affine(0.0 if sink is None else sink)
    far = 2 * max(abs(v) for _, v in numbers) + 1
    inside = as_affine(x) - closed * far
    (least, _), *_ = numbers
    neurons = [Neuron(when=1 - closed, adds={least: 1.0})]
    for (lane, v), (other, w) in pairwise(numbers):
        middle, margin = (v + w) / 2, (w - v) / 4
        step = {lane: -1.0, other: 1.0}
        neurons += threshold(inside, step, above=middle, margin=margin)
    return tuple(neurons)


def _numbers_of(lanes: object) -> list[tuple[Lane, float]]:
    """The lanes and their numbers, the least first."""
    if isinstance(lanes, Slot):
        lanes = {lane: _numeral(lane) for lane in lanes.lanes}
    if not isinstance(lanes, Mapping):
        raise wrong(
            "one_hot_of",
            "lanes",
            f"takes {{lane: number}} or a slot with numbers for labels, found {kind_of(lanes)}",
        )
    rows = as_map(lanes).rows
    for lane, x in rows:
        if x.terms:
            raise wrong(
                "one_hot_of",
                "lanes",
                f"{lane} stands for one number, found {x}",
            )
    found = sorted(((lane, x.constant) for lane, x in rows), key=lambda r: r[1])
    if len(found) < 2:
        raise wrong(
            "one_hot_of",
            "lanes",
            f"takes at least two lanes, found {len(found)}",
        )
    for (a, v), (b, w) in pairwise(found):
        if v == w:
            raise wrong(
                "one_hot_of", "lanes", f"{a} and {b} both stand for {v:g}"
            )
    return found


def _numeral(lane: Lane) -> float:
    try:
        return float(lane.label or "")
    except ValueError:
        raise wrong(
            "one_hot_of",
            "lanes",
            f"the label of {lane} is no number; write {{lane: number}}",
        ) from None


@checked_call()
@takes(entries=table_of("{(x, y): {lane: amount}}", several, anything))
def table(entries: Mapping[Sequence[Named], Amounts]) -> Neurons:
    """Neurons of a function of one-hot lanes, {lanes that are all 1: what is added}: one for each
    entry.
    """
    return tuple(
        neuron
        for lanes, adds in entries.items()
        for neuron in conjunction([as_affine(lane) for lane in lanes], adds)
    )


@checked_call()
@takes(points=table_of("{x: f(x)}", a_number, a_number))
def piecewise_linear(
    x: Term, points: Mapping[int, float], adds: Amounts
) -> Neurons:
    """Neurons that add f(x) - f(least) for whole x, f linear between the given points and flat
    outside.

    The constant f(least) belongs into the `adds` of the MLP. One neuron for each change of
    slope. Raises ProgramError for fewer than two points, or points that are not whole.
    """
    xs = sorted(points)
    if len(xs) < 2 or not all(math.isfinite(x) and x == int(x) for x in xs):
        raise wrong(
            "piecewise_linear",
            "points",
            f"takes at least two whole numbers, found {xs}",
        )
    slopes = [(points[b] - points[a]) / (b - a) for a, b in pairwise(xs)]
    before = [0.0, *slopes]
    after = [*slopes, 0.0]
    expression = as_affine(x)
    neurons = []
    for at, old, new in zip(xs, before, after, strict=True):
        if change := new - old:
            adding = _times(adds, change)
            neurons.append(Neuron(when=expression - at, adds=adding))
    return tuple(neurons)


@checked_call()
@takes(most=a_whole_number)
def square(x: Term, most: int, adds: Amounts) -> Neurons:
    """Neurons that add x^2 for whole x from 0 to `most`: the slope grows by 2 at every whole
    number.

    Raises ProgramError for a range whose squares are past exact float32.
    """
    if not 1 <= most <= MOST_SQUARED:
        raise wrong(
            "square",
            "most",
            f"must be 1 to {MOST_SQUARED}, whose square is exact in float32; found {most}",
        )
    return piecewise_linear(x, {k: k * k for k in range(most + 1)}, adds)


@checked_call()
@takes(modulus=a_whole_number, most=a_whole_number)
def modulo(x: Term, modulus: int, most: int, adds: Amounts) -> Neurons:
    """Neurons that add x mod m for whole x from 0 to `most`: relu(x), less m for every multiple
    reached.

    1 + 2 floor(most / m) neurons. Raises ProgramError for a modulus below 2 or a negative range.
    """
    if modulus < 2 or most < 0:
        raise wrong(
            "modulo",
            "modulus",
            f"needs a modulus of at least 2 and a range from 0, found {modulus} and {most}",
        )
    expression = as_affine(x)
    drop = _times(adds, -modulus)
    drops = (
        neuron
        for multiple in range(modulus, most + 1, modulus)
        for neuron in threshold(expression, drop, above=multiple - 0.5)
    )
    return (Neuron(when=expression, adds=adds), *drops)


@checked_call()
@takes(divisor=a_whole_number, most=a_whole_number)
def quotient(x: Term, divisor: int, most: int, adds: Amounts) -> Neurons:
    """Neurons that add floor(x / d) for whole x from 0 to `most`: one step for every multiple.
    Raises ProgramError for a divisor below 1 or a negative range.
    """
    if divisor < 1 or most < 0:
        raise wrong(
            "quotient",
            "divisor",
            f"needs a divisor of at least 1 and a range from 0, found {divisor} and {most}",
        )
    expression = as_affine(x)
    return tuple(
        n
        for multiple in range(divisor, most + 1, divisor)
        for n in threshold(expression, adds, above=multiple - 0.5)
    )


@checked_call()
def absolute(x: Term, adds: Amounts) -> Neurons:
    """Neurons that add |x| for whole x: relu(x) + relu(-x)."""
    expression = as_affine(x)
    return (
        Neuron(when=expression, adds=adds),
        Neuron(when=-expression, adds=adds),
    )


@checked_call()
def maximum(x: Term, y: Term, adds: Amounts) -> Neurons:
    """Neurons that add max(x, y) for whole x and y: y + relu(x - y)."""
    a = as_affine(x)
    b = as_affine(y)
    return (*copy(b, adds), Neuron(when=a - b, adds=adds))


@checked_call()
def minimum(x: Term, y: Term, adds: Amounts) -> Neurons:
    """Neurons that add min(x, y) for whole x and y: y - relu(y - x)."""
    a = as_affine(x)
    b = as_affine(y)
    return (*copy(b, adds), Neuron(when=b - a, adds=_times(adds, -1)))


@checked_call()
def copy(x: Term, adds: Amounts) -> Neurons:
    """Neurons that add x, a whole number of either sign: relu(x) - relu(-x)."""
    expression = as_affine(x)
    return (
        Neuron(when=expression, adds=adds),
        Neuron(when=-expression, adds=_times(adds, -1)),
    )


@checked_call()
@takes(most=a_number)
def gated_copy(gate: Term, x: Term, most: float, adds: Amounts) -> Neurons:
    """Neurons that add x where the gate (0 or 1) is 1 and nothing where it is 0, for whole x of
    size up to `most`.

    relu(x - B (1 - gate)) - relu(-x - B (1 - gate)) with B = most + 1.
    """
    closed = (1 - as_affine(gate)) * (most + 1)
    expression = as_affine(x)
    return (
        Neuron(when=expression - closed, adds=adds),
        Neuron(when=-expression - closed, adds=_times(adds, -1)),
    )


@checked_call()
@takes(most=a_number)
def product(x: Term, flag: Term, most: float, adds: Amounts) -> Neurons:
    """Neurons that add x times a flag: the only product of two lanes that is piecewise linear."""
    return gated_copy(flag, x, most, adds)


@checked_call()
@takes(lanes=lane_or_slot)
def erase(lanes: Named, *, signed: bool = True) -> Neurons:
    """Neurons that set whole-number lanes back to zero by adding their opposite.

    signed=False needs one neuron a lane instead of two, for lanes that are never negative.
    """
    pairs = [copy(lane, {lane: -1.0}) for lane in lanes.lanes]
    kept = pairs if signed else [pair[:1] for pair in pairs]
    return tuple(neuron for neurons in kept for neuron in neurons)


@checked_call()
@takes(source=lane_or_slot)
def move(source: Named, target: Any) -> Neurons:
    """Neurons that add each lane of `source` to its partner in `target`, {target: source}, and set
    the source back to zero.
    """
    rows = as_map({target: source}).rows
    return tuple(
        neuron for lane, x in rows for neuron in copy(x, _moved(lane, x))
    )


def _moved(target: Lane, x: Affine) -> dict[Lane, float]:
    return {target: 1.0} | dict.fromkeys(x.lanes_read, -1.0)


def _times(adds: Amounts, factor: float) -> Affine:
    return as_direction(adds).scaled(factor)


def _constant(value: float) -> Affine:
    return Affine.of({}, value)


def _total(flags: Iterable[Term]) -> Affine:
    total = Affine()
    for flag in flags:
        total = total.plus(as_affine(flag))
    return total
