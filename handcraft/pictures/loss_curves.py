"""Draws curves of a loss: steps to the right, nats upwards, a line for each seed.

Lines of what is held out are dashed. Rules of this file: the same numbers give the same bytes; a
number that is not finite is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from handcraft.pictures.svg import (
    NEGATIVE,
    POSITIVE,
    Drawing,
    element,
    kind,
    pixels,
    text,
    tip,
    whole_svg,
)

_WIDTH, _HEIGHT = 480.0, 240.0  # of the field with the lines
_LEFT, _BELOW, _ABOVE = 56.0, 40.0, 24.0  # room for numbers and words
_TICKS = 6  # numbers at an axis, or somewhat fewer


@dataclass(frozen=True)
class LossCurve:
    """One line: what it is of, its points (step, nats), and whether that is held out."""

    name: str
    points: Sequence[tuple[int, float]]
    held_out: bool = False


def loss_svg(title: str, curves: Sequence[LossCurve]) -> str:
    """The curves as a whole SVG."""
    seen = [p for c in curves for p in c.points if math.isfinite(p[1])]
    last = max((step for step, _ in seen), default=1) or 1
    low = min((nats for _, nats in seen), default=0.0)
    high = max((nats for _, nats in seen), default=1.0)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    place = _Place(last, low, high)
    field = element(
        "rect", x=_LEFT, y=_ABOVE, width=_WIDTH, height=_HEIGHT, **kind("field")
    )
    parts = (field, *_axes(place), *_lines(curves, place), *_legend(curves))
    size = (_LEFT + _WIDTH + 12, _ABOVE + _HEIGHT + _BELOW)
    return whole_svg(Drawing(*size, parts), title)


@dataclass(frozen=True)
class _Place:
    """Where a step and a number of nats stand."""

    last: int
    low: float
    high: float

    def x(self, step: float) -> float:
        return _LEFT + _WIDTH * step / self.last

    def y(self, nats: float) -> float:
        share = (nats - self.low) / (self.high - self.low)
        return _ABOVE + _HEIGHT * (1 - share)


def _axes(place: _Place) -> Iterator[str]:
    """Lines and numbers for a few losses and steps, all of them round."""
    for nats in round_ticks(place.low, place.high):
        y = place.y(nats)
        line = f"M{pixels(_LEFT)} {pixels(y)}H{pixels(_LEFT + _WIDTH)}"
        yield element("path", d=line, **kind("line"))
        yield text(_LEFT - 6, y + 4, f"{nats:.10g}", "faint", anchor="end")
    for step in round_ticks(0, place.last, least=1):
        below = _ABOVE + _HEIGHT + 16
        words = f"{step:,.0f}"
        yield text(place.x(step), below, words, "faint", anchor="middle")
    middle = _LEFT + _WIDTH / 2
    yield text(middle, _ABOVE + _HEIGHT + 34, "steps", anchor="middle")
    yield text(
        10, _ABOVE + _HEIGHT / 2, "nats a token", anchor="middle", turned=True
    )


def round_ticks(low: float, high: float, least: float = 1e-300) -> list[float]:
    """A few multiples of 1, 2 or 5 times a power of ten, from `low` to `high`."""
    size = max((high - low) / _TICKS, least)
    power = 10.0 ** math.floor(math.log10(size))
    whole = next(n for n in (1, 2, 5, 10) if n * power >= size * (1 - 1e-9))
    by = whole * power
    first, last = math.ceil(low / by - 1e-9), math.floor(high / by + 1e-9)
    return [n * by for n in range(first, last + 1)]


def _lines(curves: Iterable[LossCurve], place: _Place) -> Iterator[str]:
    for curve in curves:
        points = [
            f"{pixels(place.x(step))} {pixels(place.y(nats))}"
            for step, nats in curve.points
            if math.isfinite(nats)
        ]
        if points:
            yield element(
                "path",
                tip(curve.name),
                d="M" + "L".join(points),
                fill="none",
                **_look(held_out=curve.held_out),
            )


def _look(*, held_out: bool) -> dict[str, str]:
    return {
        "stroke": NEGATIVE if held_out else POSITIVE,
        "stroke_width": "1.5",
    } | ({"stroke_dasharray": "5 3"} if held_out else {})


def _legend(curves: Sequence[LossCurve]) -> Iterator[str]:
    """A short line with its word for each kind of curve that there is."""
    x = _LEFT
    for held_out in sorted({curve.held_out for curve in curves}):
        line = f"M{pixels(x)} 10H{pixels(x + 24)}"
        yield element("path", d=line, fill="none", **_look(held_out=held_out))
        yield text(x + 30, 14, "held out" if held_out else "trained on")
        x += 120
