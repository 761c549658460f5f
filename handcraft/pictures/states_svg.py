"""Draws a chain of states as an SVG: states as boxes, edges as curves with their probabilities.

The states stand in columns where the chain has no cycle, so that each answer reads from left to
right; on a circle where they are few; else networkx (the extra `draw`) places them by springs
(Fruchterman and Reingold, 1991), from a circle and a fixed seed. They are pushed apart where two
boxes would overlap.

    colour         the closed class of a state
    grey, dashed   a transient state
    double border  an ended context
    edge           the stronger, the more probable
    red            the path to what should be avoided

Rules of this file: the same chain gives the same bytes; nothing is fetched from anywhere; every
text of a program passes `printable` and is escaped. networkx is imported only where springs are
needed. A number stands on a box of its own: a halo by `paint-order` hides it in renderers that do
not know that.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handcraft.analysis.reachability import Avoided
from handcraft.analysis.states import Chain
from handcraft.core.errors import MissingExtraError, ProgramError, printable
from handcraft.pictures.svg import FAMILY, dark_style, escape, kind, width_of

Point = tuple[float, float]
_Pairs = set[tuple[int, int]]

MOST_DRAWN = 300  # states of an SVG: more cannot be told apart
ON_CIRCLE = 16  # states at most: on a circle no edge passes behind a state
# a smaller probability is drawn faint, without its number: the number is its tooltip
_LEAST = 0.001
# characters of a context inside its state; the whole of it is its tooltip
_LONGEST = 24
# Okabe and Ito's, safe for colour-blind eyes
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
TRANSIENT, PATH = "#8a8a8a", "#c00000"
# pixels: between states, of a state, of a letter
GAP, HEIGHT, CHARACTER = 84.0, 38.0, 8.4
ROUNDS = 60  # of pushing boxes apart


def layouts() -> Any:
    """The module networkx. Raises MissingExtraError where it is not installed."""
    try:
        import networkx
    except ImportError:
        raise MissingExtraError(
            f"an SVG of more than {ON_CIRCLE} states that lead back to each other needs"
            " the extra `draw`: pip install 'handcraft[draw]'; .dot and .mmd do not"
        ) from None
    return networkx


def steps_of(avoided: Avoided | None) -> _Pairs:
    """The edges of the path to what should be avoided."""
    return (
        set(zip(avoided.path, avoided.path[1:], strict=False))
        if avoided
        else set()
    )


def colour_of(chain: Chain, state: int) -> str:
    """The colour of a state's closed class; grey for a transient one."""
    if state not in chain.place:
        return TRANSIENT
    return COLOURS[chain.place[state][0] % len(COLOURS)]


def share_of(chain: Chain, state: int) -> str:
    """The share of its time that the chain spends in a state, as a text; empty where it is not
    known.
    """
    share = chain.place.get(state, (0, None))[1]
    return "" if share is None else _number(share)


def _number(p: float) -> str:
    return f"{p:.3g}" if p >= _LEAST or p == 0 else f"<{_LEAST}"


# ---------------------------------------------------------------- the picture


def svg(chain: Chain, avoided: Avoided | None = None) -> str:
    """The chain as an SVG. Raises ProgramError where there are too many states to see."""
    if len(chain.states) > MOST_DRAWN:
        raise ProgramError(
            f"an SVG of {len(chain.states)} states cannot be read, at most {MOST_DRAWN}"
            " are drawn; start from fewer contexts, or write .dot, .mmd or .json"
        )
    labels = [_short(chain.label(i)) for i in range(len(chain.states))]
    wide = max(46.0, CHARACTER * max(map(len, labels)) + 18)
    where, size = _placed(chain, wide)
    lines = [*_head(chain, size)]
    marks = steps_of(avoided)
    for i, j, _, p in chain.edges:
        lines.append(_arrow(chain, (i, j), p, where, wide, (i, j) in marks))
    for i, j, _, p in chain.edges:
        if p >= _LEAST:
            lines.append(_chance((i, j), p, where, wide))
    for i, label in enumerate(labels):
        lines += _state(chain, i, label, where[i], wide)
    return "\n".join([*lines, "</svg>", ""])


def _head(chain: Chain, size: Point) -> Iterator[str]:
    """The opening tag, the title and the arrowheads."""
    width, height = (f"{length:.0f}" for length in size)
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = f'font-family="{escape(FAMILY)}" font-size="14" text-anchor="middle"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" {font}>'
    sizes = f"{len(chain.states)} states, {len(chain.edges)} edges"
    yield f"<title>{html.escape(printable(f'{chain.model.name}: {sizes}'))}</title>"
    colours = sorted(
        {*(colour_of(chain, i) for i in range(len(chain.states))), PATH}
    )
    yield f"<defs>{''.join(map(_arrowhead, colours))}</defs>"
    yield dark_style()
    yield f'<rect width="{width}" height="{height}" {_look("card")}/>'


def _look(name: str) -> str:
    """The attributes of a kind of element, written."""
    return " ".join(
        f'{key.rstrip("_")}="{value}"' for key, value in kind(name).items()
    )


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else "…" + label[1 - _LONGEST :]


def _arrowhead(colour: str) -> str:
    return (
        f'<marker id="states-{colour[1:]}" viewBox="0 0 8 8" refX="7" refY="4"'
        ' markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse"'
        f' orient="auto"><path d="M0 0.5 8 4 0 7.5Z" fill="{colour}"/></marker>'
    )


def _placed(chain: Chain, wide: float) -> tuple[list[Point], Point]:
    """The middle of each state, and the size of the whole."""
    n = len(chain.states)
    likeliest = sorted(chain.edges, key=lambda edge: -edge[3])
    after: dict[int, list[int]] = {i: [] for i in range(n)}
    for i, j, _, _ in likeliest:
        if i != j:
            after[i].append(j)
    if (columns := _generations(after)) is not None:
        return _in_columns(columns, wide)
    # in this order the likeliest edges lead to a neighbour
    shares = [chain.place.get(i, (0, 0.0))[1] or 0.0 for i in range(n)]
    order = _walk(after, sorted(range(n), key=lambda i: -shares[i]))
    circle = _on_circle(order)
    if n <= ON_CIRCLE:
        side = (wide + GAP) * n / math.pi
        return _fitted(circle, (side, side * 0.75), wide)
    side = 1.5 * (wide + GAP) * math.sqrt(n)
    return _fitted(_by_springs(after, circle), (side, side * 0.75), wide)


def _generations(after: Mapping[int, Sequence[int]]) -> list[list[int]] | None:
    """The states in columns, each one after the last of those that lead to it; None where some
    lead back.
    """
    before = dict.fromkeys(after, 0)
    for following in after.values():
        for j in following:
            before[j] += 1
    columns = []
    ready = [i for i in after if not before[i]]
    while ready:
        columns.append(sorted(ready))
        following = [j for i in ready for j in after[i]]
        for j in following:
            before[j] -= 1
        ready = [j for j in dict.fromkeys(following) if not before[j]]
    return columns if sum(map(len, columns)) == len(after) else None


def _walk(
    after: Mapping[int, Sequence[int]], starts: Sequence[int]
) -> list[int]:
    """Every state, each followed by the first of those after it that was not seen yet, depth
    first.
    """
    seen: dict[int, None] = {}
    for start in starts:
        stack = [start]
        while stack:
            state = stack.pop()
            if state not in seen:
                seen[state] = None
                stack += reversed(after[state])
    return list(seen)


def _on_circle(order: Sequence[int]) -> list[Point]:
    """A place on a circle for each state, in this order."""
    turn = 2 * math.pi / len(order)
    place = {i: k * turn for k, i in enumerate(order)}
    return [(math.cos(place[i]), math.sin(place[i])) for i in range(len(order))]


def _by_springs(
    after: Mapping[int, Sequence[int]], circle: Sequence[Point]
) -> list[Point]:
    """The places that networkx finds from those on the circle."""
    graph = layouts().DiGraph()
    graph.add_nodes_from(after)
    graph.add_edges_from((i, j) for i, js in after.items() for j in js)
    found = layouts().spring_layout(
        graph,
        pos=dict(enumerate(circle)),
        k=3 / math.sqrt(len(after)),
        iterations=200,
        seed=0,
    )
    return [(float(found[i][0]), float(found[i][1])) for i in after]


def _in_columns(
    columns: Sequence[Sequence[int]], wide: float
) -> tuple[list[Point], Point]:
    """Places for states in columns, in a column in their order."""
    where = {
        state: (float(x), i - (len(states) - 1) / 2)
        for x, states in enumerate(columns)
        for i, state in enumerate(states)
    }
    width = (len(columns) - 1) * (wide + GAP)
    height = (max(map(len, columns)) - 1) * (HEIGHT + GAP / 3)
    found = [where[state] for state in range(len(where))]
    return _fitted(found, (width, height), wide)


def _fitted(
    points: list[Point], size: Point, wide: float
) -> tuple[list[Point], Point]:
    """The points stretched to the size, no box on another, with a margin for the boxes and their
    loops.
    """
    xs, ys = zip(*points, strict=True)
    x = _stretched(xs, size[0])
    y = _stretched(ys, size[1])
    placed = _apart(list(zip(x, y, strict=True)), wide)
    side, top = wide / 2 + 56, HEIGHT / 2 + 56  # the margins
    xs, ys = zip(*placed, strict=True)
    left = min(xs)
    low = min(ys)
    moved = [(px - left + side, py - low + top) for px, py in placed]
    return moved, (max(xs) - left + 2 * side, max(ys) - low + 2 * top)


def _stretched(axis: Sequence[float], length: float) -> list[float]:
    span = max(axis) - min(axis) or 1.0
    return [(value - min(axis)) / span * length for value in axis]


def _apart(points: list[Point], wide: float) -> list[Point]:
    """The points, with those of boxes that overlap moved away from each other, left and right, a
    little at a time.
    """
    room = (wide + GAP / 4, HEIGHT + GAP / 4)
    placed = [list(point) for point in points]
    for _ in range(ROUNDS):
        pairs = [
            (p, q)
            for i, p in enumerate(placed)
            for q in placed[:i]
            if all(abs(p[a] - q[a]) < room[a] for a in (0, 1))
        ]
        for p, q in pairs:
            left, right = (p, q) if p[0] <= q[0] else (q, p)
            left[0], right[0] = left[0] - GAP / 16, right[0] + GAP / 16
    return [(x, y) for x, y in placed]


def _state(
    chain: Chain, state: int, label: str, at: Point, wide: float
) -> Iterator[str]:
    colour = colour_of(chain, state)
    share = share_of(chain, state)
    dashed = "" if state in chain.place else ' stroke-dasharray="4 3"'
    yield f"<g><title>{html.escape(chain.label(state))}</title>"
    for inset in (0, 3) if chain.states[state].ended else (0,):
        x = at[0] - wide / 2 + inset
        y = at[1] - HEIGHT / 2 + inset
        fill = 'fill="none"' if inset else _look("card")
        yield (
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{wide - 2 * inset:.0f}"'
            f' height="{HEIGHT - 2 * inset:.0f}" rx="9" {fill} stroke="{colour}"'
            f' stroke-width="1.5"{dashed}/>'
        )
    y = at[1] + (-2 if share else 5)
    yield (
        f'<text x="{at[0]:.0f}" y="{y:.0f}" {_look("ink")}'
        f' xml:space="preserve">{html.escape(label)}</text>'
    )
    if share:
        yield (
            f'<text x="{at[0]:.0f}" y="{at[1] + 13:.0f}" font-size="11"'
            f" {_look('faint')}>{html.escape(share)}</text>"
        )
    yield "</g>"


def _curve(
    pair: tuple[int, int], where: list[Point], wide: float
) -> tuple[str, Point]:
    """The path of an edge, and the place of its number."""
    xs, ys = zip(*where, strict=True)
    middle = sum(xs) / len(where), sum(ys) / len(where)
    a, b = (where[i] for i in pair)
    return _loop(a, middle, wide) if a == b else _bow(a, b, middle, wide)


def _arrow(
    chain: Chain,
    pair: tuple[int, int],
    p: float,
    where: list[Point],
    wide: float,
    marked: bool,
) -> str:
    colour = PATH if marked else colour_of(chain, pair[0])
    way, _ = _curve(pair, where, wide)
    source, target = (html.escape(chain.label(state)) for state in pair)
    width = 1 + 1.5 * p
    opacity = 0.15 + 0.85 * math.sqrt(p)
    return (
        f'<path d="{way}" fill="none" stroke="{colour}"'
        f' stroke-width="{width:.2f}" opacity="{opacity:.2f}"'
        f' marker-end="url(#states-{colour[1:]})">'
        f"<title>{source} → {target}: {p:.3g}</title></path>"
    )


def _chance(
    pair: tuple[int, int], p: float, where: list[Point], wide: float
) -> str:
    x, y = _curve(pair, where, wide)[1]
    shown = _number(p)
    wide_number = width_of(shown) + 2
    return (
        f'<rect x="{x - wide_number / 2:.0f}" y="{y - 7:.0f}"'
        f' width="{wide_number:.0f}" height="14" {_look("card")}/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" font-size="11" {_look("ink")}>'
        f"{html.escape(shown)}</text>"
    )


def _bow(a: Point, b: Point, middle: Point, wide: float) -> tuple[str, Point]:
    """A curve from border to border, bent towards the middle of the picture; the way back is
    bent more.
    """
    dx = b[0] - a[0]
    dy = b[1] - a[1]
    inward = math.copysign(1, dy * (middle[0] - a[0]) - dx * (middle[1] - a[1]))
    bend = inward * (0.08 if a < b else 0.2)
    via = (a[0] + b[0]) / 2 + bend * dy, (a[1] + b[1]) / 2 - bend * dx
    (x1, y1), (x2, y2) = _border(a, via, wide), _border(b, via, wide)
    # the number stands at 0.4 of the curve
    x = 0.36 * x1 + 0.48 * via[0] + 0.16 * x2
    y = 0.36 * y1 + 0.48 * via[1] + 0.16 * y2
    way = f"M{x1:.0f} {y1:.0f}Q{via[0]:.0f} {via[1]:.0f} {x2:.0f} {y2:.0f}"
    return way, (x, y)


def _border(at: Point, towards: Point, wide: float) -> Point:
    """The point where the line from the middle of a state towards another point leaves its box."""
    dx = towards[0] - at[0]
    dy = towards[1] - at[1]
    scale = 1 / max(abs(dx) / (wide / 2 + 1), abs(dy) / (HEIGHT / 2 + 1), 1e-9)
    return at[0] + dx * scale, at[1] + dy * scale


def _loop(at: Point, middle: Point, wide: float) -> tuple[str, Point]:
    """A loop on the side of a state that looks away from the middle of the picture."""
    away = at[0] - middle[0], at[1] - middle[1]
    sideways = abs(away[0]) > 1.6 * abs(away[1])
    out = (0.0, -1.0 if away[1] <= 0 else 1.0)
    if sideways:
        out = (math.copysign(1, away[0]), 0.0)
    edge = 1 + (wide if sideways else HEIGHT) / 2

    def point(far: float, across: float) -> str:
        return (
            f"{at[0] + out[0] * far + out[1] * across:.0f}"
            f" {at[1] + out[1] * far + out[0] * across:.0f}"
        )

    way = (
        f"M{point(edge, -9)}C{point(edge + 43, -28)} {point(edge + 43, 28)}"
        f" {point(edge, 9)}"
    )
    return way, (at[0] + out[0] * (edge + 33), at[1] + out[1] * (edge + 33))
