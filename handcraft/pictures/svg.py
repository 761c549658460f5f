"""Builds SVG: elements, texts, colours, and drawings that stand beside or below each other.

    element     one element; its attributes and texts are escaped
    Drawing     elements with the size of the box that they fill
    whole_svg   a whole SVG of a drawing, on a card, light or dark as the reader's system is

A text is as wide as its characters: the font is a monospaced one. Rules of this file: `escaped`
is the only way for a text into a picture; every element has its light colours as attributes, and
a class by which the style sheet gives it dark ones; nothing has an id, since notebooks put many
pictures on one page.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from handcraft.core.errors import printable

# Okabe and Ito's, safe for colour-blind eyes
POSITIVE, NEGATIVE = "#0072b2", "#d55e00"
# class: (attribute, its light colour, its dark one)
LOOKS = {
    "card": ("fill", "#ffffff", "#16191d"),
    "box": ("fill", "#fbfcfd", "#22272d"),
    "field": ("fill", "#f4f5f7", "#22272d"),
    "ink": ("fill", "#1a1c1f", "#e8eaed"),
    "faint": ("fill", "#5c636b", "#a7aeb6"),
    "head": ("fill", "#00588a", "#7cc0ea"),
    "line": ("stroke", "#c9ced4", "#454c54"),
    "stroke": ("stroke", "#1a1c1f", "#e8eaed"),
    "rule": ("stroke", "#7b838c", "#8b939c"),
    "plus": ("fill", POSITIVE, "#3a97d0"),
    "minus": ("fill", NEGATIVE, "#d9722e"),
}
INK = LOOKS["ink"][1]
FAMILY = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
ADVANCE = 0.61  # of the font's size: the width of a character
SIZE = 11.0  # of the font, in pixels
MARGIN = 16.0


def escape(text: str) -> str:
    """A text as it may stand in an element or between the quotes of an attribute."""
    return html.escape(printable(text), quote=True)


def pixels(value: float) -> str:
    """A length or a place in pixels, to a tenth."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def element(name: str, *inside: str, **attributes: str | float | None) -> str:
    """An element around others, which are written already. An attribute that is None is left out;
    a `_` in its name stands for a `-`, one at its end for nothing.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_written(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not inside:
        return f"<{name}{given}/>"
    return f"<{name}{given}>{''.join(inside)}</{name}>"


def _written(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else pixels(value)


def kind(name: str) -> dict[str, str]:
    """The attributes of an element of this kind: its class, and its light colour."""
    attribute, light, _ = LOOKS[name]
    return {"class_": f"hc-{name}", attribute: light}


def tint(colour: str, share: float = 0.2) -> str:
    """A colour on white, as one that is not transparent: some renderers know no transparency."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    mixed = (round(255 + share * (part - 255)) for part in parts)
    return "#" + "".join(f"{part:02x}" for part in mixed)


def tip(*lines: str) -> str:
    """A tooltip of these lines, to be put inside an element."""
    return element("title", "\n".join(map(escape, lines)))


def text(
    x: float,
    y: float,
    words: str,
    look: str = "ink",
    *,
    size: float = SIZE,
    anchor: str | None = None,
    bold: bool = False,
    turned: bool = False,
) -> str:
    """A line of text whose baseline begins, ends or has its middle at a point; `turned` reads
    upwards.
    """
    return element(
        "text",
        escape(words),
        x=x,
        y=y,
        **kind(look),
        font_size=None if size == SIZE else size,
        text_anchor=anchor,
        font_weight="bold" if bold else None,
        transform=f"rotate(-90 {pixels(x)} {pixels(y)})" if turned else None,
    )


def width_of(words: str, size: float = SIZE) -> float:
    """The width of a text in pixels."""
    wide = sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in printable(words)
    )
    return wide * size * ADVANCE


def clipped_to(words: str, most: int) -> str:
    """The text, printable, at most so many characters: the end of a longer one is left out."""
    shown = printable(words)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def visible(token: str) -> str:
    """A token as a name: a space at an end, or alone, is ␣; an empty one has its quotes."""
    bare = token.strip(" ")
    before = len(token) - len(token.lstrip(" ")) if bare else len(token)
    after = len(token) - len(token.rstrip(" ")) if bare else 0
    return printable("␣" * before + bare + "␣" * after) or "''"


def line_path(
    lines: Iterable[tuple[float, float, float, float]],
) -> str:
    """The path of straight lines, each from one point to another."""
    return "".join(
        f"M{pixels(a)} {pixels(b)}L{pixels(c)} {pixels(d)}"
        for a, b, c, d in lines
    )


# ---------------------------------------------------------------- drawings


@dataclass(frozen=True)
class Drawing:
    """Elements in a box: their places count from its upper left corner."""

    width: float
    height: float
    elements: tuple[str, ...]

    def moved(self, x: float, y: float) -> str:
        """The elements as one, with the corner at this point."""
        where = f"translate({pixels(x)} {pixels(y)})"
        return element("g", *self.elements, transform=where if x or y else None)


def text_line(
    words: str, look: str = "ink", *, size: float = SIZE, bold: bool = False
) -> Drawing:
    """A line of text as a drawing."""
    table_drawing = text(0, size, words, look, size=size, bold=bold)
    return Drawing(width_of(words, size), size * 1.5, (table_drawing,))


def stacked(drawings: Sequence[Drawing], gap: float = 8.0) -> Drawing:
    """The drawings one below the other."""
    parts = []
    y = 0.0
    for drawing in drawings:
        parts.append(drawing.moved(0, y))
        y += drawing.height + gap
    width = max((drawing.width for drawing in drawings), default=0.0)
    return Drawing(width, max(0.0, y - gap), tuple(parts))


def beside(drawings: Sequence[Drawing], gap: float = 28.0) -> Drawing:
    """The drawings one beside the other, their upper edges in line."""
    parts = []
    x = 0.0
    for drawing in drawings:
        parts.append(drawing.moved(x, 0))
        x += drawing.width + gap
    height = max((drawing.height for drawing in drawings), default=0.0)
    return Drawing(max(0.0, x - gap), height, tuple(parts))


def flowing(
    drawings: Iterable[Drawing], most: float, gap: float = 28.0
) -> Drawing:
    """The drawings in lines, as words on a page of this width."""
    return stacked(
        [beside(line, gap) for line in _lines(drawings, most, gap)], 18
    )


def _lines(
    drawings: Iterable[Drawing], most: float, gap: float
) -> Iterator[list[Drawing]]:
    line: list[Drawing] = []
    for drawing in drawings:
        wide = sum(one.width + gap for one in line) + drawing.width
        if line and wide > most:
            yield line
            line = []
        line.append(drawing)
    if line:
        yield line


# ---------------------------------------------------------------- a page


def whole_svg(drawing: Drawing, title: str) -> str:
    """A drawing as a whole SVG, on a card of its own; the title is read out and is a tooltip."""
    width = max(drawing.width, 120.0) + 2 * MARGIN
    height = drawing.height + 2 * MARGIN
    card = element("rect", width=width, height=height, rx=6.0, **kind("card"))
    inside = (tip(title), dark_style(), card, drawing.moved(MARGIN, MARGIN))
    whole = element(
        "svg",
        *(f"{part}\n" for part in inside),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {pixels(width)} {pixels(height)}",
        width=width,
        height=height,
        role="img",
        font_family=FAMILY,
        font_size=SIZE,
        **{"xml:space": "preserve"},  # else two spaces of a name become one
    )
    return f"{whole}\n"


def dark_style() -> str:
    """The dark colours, for readers whose system is dark. A style sheet wins over attributes."""
    rules = "".join(
        f".hc-{name}{{{attribute}:{dark}}}"
        for name, (attribute, _, dark) in LOOKS.items()
    )
    return f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
