"""Draws the wiring of a model: a column for each sublayer, a box for each slot, head and group of
neurons, and a line from who writes a lane to whom reads it.

A head's box has a line for its query, key and value, at which the lines of the lanes end that it
reads there. What a box writes leaves it as one line, which passes behind later sublayers, as the
residual stream does, and branches to every reader. The lanes stand at each branch where there is
room, and always in its tooltip.

    double border   a slot of the embedding, and the logits
    single border   a head or neurons
    dashed border   constants

Rules of this file: layers.py places the boxes; what a picture cannot hold is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handcraft.core.errors import ProgramError
from handcraft.pictures.layers import Layered, placed_columns
from handcraft.pictures.svg import (
    Drawing,
    clipped_to,
    element,
    kind,
    pixels,
    stacked,
    text,
    text_line,
    tip,
    whole_svg,
    width_of,
)
from handcraft.pictures.wiring import WiredEdge, WiredNode, Wiring

MOST_BOXES = 80  # of a picture: more cannot be told apart
MOST_RULES = 12  # in a tooltip
ROW, PAD = 15.0, 8.0  # pixels: of a line in a box, around the lines
BETWEEN, APART = 150.0, 22.0  # pixels between columns, and between boxes
TOP = 28.0  # pixels above the boxes, for the names of the columns
_LANES, _NAME = 22, 30  # characters of the lanes at a line, and of a name
PORTS = {"q": "query", "k": "key", "v": "value"}
# lines take these in turn: by colour alone nothing is told, each is followed to its box
LINE_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#b0628f",
    "#8a6d00",
    "#3d7ea6",
)


def circuit_svg(found: Wiring) -> str:
    """The wiring as an SVG. Raises ProgramError where there are too many boxes to see."""
    drawing = circuit_drawing(found)
    return whole_svg(drawing, heading(found))


def heading(found: Wiring) -> str:
    """What the picture shows."""
    n, m = len(found.nodes), len(found.edges)
    return f"{found.program}: what feeds what, {n} nodes, {m} edges"


def circuit_drawing(found: Wiring) -> Drawing:
    """The wiring under its title. Raises ProgramError where there are too many boxes to see."""
    if len(found.nodes) > MOST_BOXES:
        raise ProgramError(
            f"a picture of {len(found.nodes)} nodes cannot be read, at most"
            f" {MOST_BOXES} are drawn; write .dot, .mmd or .json",
            (found.program,),
        )
    title = text_line(clipped_to(heading(found), 110), size=14.0, bold=True)
    return stacked([title, _Graph(found).drawing()], gap=14)


class _Graph:
    """A wiring while it is drawn: its columns, and the box of each node."""

    def __init__(self, found: Wiring) -> None:
        self.found = found
        self.nodes = {node.name: node for node in found.nodes}
        used = sorted({node.column for node in found.nodes})
        self.headings = [found.columns[i] for i in used]
        self.column = {
            node.name: used.index(node.column) for node in found.nodes
        }
        self.ports = {
            node.name: _ports(node, found.edges) for node in found.nodes
        }
        self.lines = {
            node.name: [clipped_to(node.label, _NAME), *_subtitle(node)]
            for node in found.nodes
        }
        self.widths = [self.column_width(i) for i in range(len(used))]
        self.x = [sum(self.widths[:i]) + BETWEEN * i for i in range(len(used))]
        self.where = self.places()

    def members(self, column: int) -> list[str]:
        return [name for name, i in self.column.items() if i == column]

    def column_width(self, column: int) -> float:
        names = self.members(column)
        lines = [line for name in names for line in self.lines[name]]
        lines.append(self.headings[column])
        return max(map(width_of, lines)) + 2 * PAD + 6

    def height(self, name: str) -> float:
        return ROW * (len(self.lines[name]) + len(self.ports[name])) + PAD

    def places(self) -> Layered:
        columns = [self.members(i) for i in range(len(self.headings))]
        heights = {name: self.height(name) for name in self.nodes}
        edges = [(edge.sender, edge.receiver) for edge in self.found.edges]
        return placed_columns(columns, heights, edges, APART)

    # ------------------------------------------------------------ places

    def top(self, name: str) -> float:
        middle = self.where.middle[name, self.column[name]]
        return TOP + middle - self.height(name) / 2

    def out(self, name: str, column: int) -> float:
        """The height of a node's line where it leaves a column."""
        return TOP + self.where.middle[name, column]

    def port(self, name: str, into: str) -> float:
        """The height at which a line enters a box."""
        ports = self.ports[name]
        if into not in ports:
            return TOP + self.where.middle[name, self.column[name]]
        row = len(self.lines[name]) + ports.index(into)
        return self.top(name) + PAD / 2 + ROW * (row + 0.5)

    # ------------------------------------------------------------ drawing

    def drawing(self) -> Drawing:
        parts = [
            text(x + width / 2, 11, words, "faint", anchor="middle")
            for x, width, words in zip(
                self.x, self.widths, self.headings, strict=True
            )
        ]
        parts += self.trunks()
        parts += self.branches()
        parts += self.labels()
        for node in self.found.nodes:
            parts += self.box(node)
        width = self.x[-1] + self.widths[-1]
        return Drawing(width + 2, TOP + self.where.height + 4, tuple(parts))

    def colour(self, name: str) -> str:
        return LINE_COLOURS[list(self.nodes).index(name) % len(LINE_COLOURS)]

    def trunks(self) -> Iterator[str]:
        """The lines from boxes through the columns that they pass."""
        for name in self.nodes:
            passed = [i for n, i in self.where.middle if n == name]
            for i in range(self.column[name] + 1, max(passed) + 1):
                start = (
                    self.x[i - 1] + self.widths[i - 1],
                    self.out(name, i - 1),
                )
                end = self.x[i], self.out(name, i)
                way = (
                    f"{_curve(start, end)}H{pixels(self.x[i] + self.widths[i])}"
                )
                yield self.line(way, name)

    def branches(self) -> Iterator[str]:
        """The lines' ends, from the column before a reader to its box."""
        for edge in self.found.edges:
            for into, lanes in edge.reads:
                start, end = self.branch(edge, into)
                said = f"{edge.sender} → {edge.receiver}, {into}: {', '.join(lanes)}"
                yield self.line(_curve(start, end), edge.sender, said)
                arrow = f"M{pixels(end[0])} {pixels(end[1])}l-7 -3.5v7z"
                yield element("path", d=arrow, fill=self.colour(edge.sender))

    def branch(
        self, edge: WiredEdge, into: str
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        i = self.column[edge.receiver]
        start = self.x[i - 1] + self.widths[i - 1], self.out(edge.sender, i - 1)
        return start, (self.x[i], self.port(edge.receiver, into))

    def line(self, way: str, name: str, said: str = "") -> str:
        return element(
            "path",
            *([tip(said)] if said else []),
            d=way,
            fill="none",
            stroke=self.colour(name),
            stroke_width="1.4",
        )

    def labels(self) -> Iterator[str]:
        """The lanes at each branch for which there is room, one on no other."""
        taken: list[tuple[float, float, float]] = []
        for edge in self.found.edges:
            for into, lanes in edge.reads:
                start, end = self.branch(edge, into)
                words = clipped_to(self.found.said(lanes), _LANES)
                wide = width_of(words, 9.0)
                for t in (0.5, 0.62, 0.38, 0.74, 0.26):
                    x, y = _point(start, end, t)
                    spot = (x - wide / 2, y, wide)
                    fits = start[0] < spot[0] and x + wide / 2 < end[0] - 8
                    if fits and not any(_touch(spot, other) for other in taken):
                        taken.append(spot)
                        yield from _label(x, y, wide, words)
                        break

    def box(self, node: WiredNode) -> Iterator[str]:
        x, y = self.x[self.column[node.name]], self.top(node.name)
        width, height = (
            self.widths[self.column[node.name]],
            self.height(node.name),
        )
        ends = node.kind in ("slot", "logits")
        dashed = "4 3" if node.kind == "constants" else None
        for inset in (0, 3) if ends else (0,):
            yield element(
                "rect",
                *([] if inset else [tip(*_tooltip(node))]),
                x=x + inset,
                y=y + inset,
                width=width - 2 * inset,
                height=height - 2 * inset,
                rx=6.0,
                **kind("box"),
                stroke="#7b838c",
                stroke_dasharray=dashed,
            )
        for i, words in enumerate(self.lines[node.name]):
            down = y + PAD / 2 + ROW * (i + 0.72)
            look = "faint" if i else "ink"
            yield text(x + PAD + 2, down, words, look, bold=not i)
        for into in self.ports[node.name]:
            down = self.port(node.name, into) + 4
            yield text(x + PAD + 2, down, f"· {PORTS[into]}", "head")


def _ports(node: WiredNode, edges: Sequence[WiredEdge]) -> list[str]:
    """The inputs of a head that something is read into, in their order."""
    read = {
        into
        for edge in edges
        if edge.receiver == node.name
        for into, _ in edge.reads
    }
    return [into for into in PORTS if into in read]


def _subtitle(node: WiredNode) -> list[str]:
    """Where the rules of a node stand in the program, where that is one place."""
    if node.kind not in ("head", "neurons"):
        return []
    paths = {rule.rule.rpartition(" > ")[0] for rule in node.rules}
    path = paths.pop() if len(paths) == 1 else ""
    return [clipped_to(path, _NAME)] if path else []


def _tooltip(node: WiredNode) -> list[str]:
    """What a node is called, and its rules."""
    said = [rule.text for rule in node.rules[:MOST_RULES]]
    more = len(node.rules) - len(said)
    rest = [f"... {more} more"] if more > 0 else []
    return [node.label, *said, *rest]


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    """The path of a curve that leaves and arrives level."""
    (x1, y1), (x2, y2) = start, end
    middle = (x1 + x2) / 2
    points = (middle, y1, middle, y2, x2, y2)
    return f"M{pixels(x1)} {pixels(y1)}C{' '.join(map(pixels, points))}"


def _point(
    start: tuple[float, float], end: tuple[float, float], t: float
) -> tuple[float, float]:
    """The point of that curve at a part of the way."""
    (x1, y1), (x2, y2) = start, end
    middle = (x1 + x2) / 2
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    return a * x1 + (b + c) * middle + d * x2, (a + b) * y1 + (c + d) * y2


def _touch(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> bool:
    (x1, y1, w1), (x2, y2, w2) = one, other
    return abs(y1 - y2) < 14 and x1 < x2 + w2 + 3 and x2 < x1 + w1 + 3


def _label(x: float, y: float, wide: float, words: str) -> Iterator[str]:
    yield element(
        "rect",
        x=x - wide / 2 - 2,
        y=y - 7,
        width=wide + 4,
        height=13.0,
        **kind("card"),
    )
    yield text(x, y + 3, words, size=9.0, anchor="middle")
