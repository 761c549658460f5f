"""Numbers without the error of the head that counted them: a head reads them off a table, at the
position before the number.

    ReadOff(lower).exact(node, held)   a number of positions, exactly
                  .looked_up(node)     a function of such a number, off its own table
                  .column(...)         the same of a function that is given
                  .square(held)        the square of one of these, off a table again

Rules of this file: only a number is read off that is never more than the positions that the query
sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.ground import Ground
from handcraft.lowering.heads.bringing import brought
from handcraft.lowering.heads.matches import WELL_KNOWN
from handcraft.lowering.reading.bases import function_of
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import LEAK, Held, LaneTable, constant
from handcraft.lowering.values.seen import is_seen
from handcraft.sequence.values import Value


class ReadOff:
    """What is read off in one program, each once."""

    def __init__(self, lower: Ground) -> None:
        self._lower = lower
        self.exactly: dict[int, tuple[Node, Held]] = {}
        self._squares: dict[int, tuple[Held, Callable[[], Held]]] = {}

    def exact(self, node: Node, held: Held) -> Held:
        """A number of positions that is not known exactly, exactly; any other value as it is."""
        if not self._must_be(node, held):
            return held
        if id(node) not in self.exactly:
            self.exactly[id(node)] = node, self._itself(node, held)
        return self.exactly[id(node)][1]

    def _must_be(self, node: Node, held: Held) -> bool:
        """True for a whole number that is not known exactly, of positions that the query sees."""
        places = set(range(self._lower.n + 1))
        known = held.codes is not None and set(held.codes) <= places
        far = held.radius > WELL_KNOWN
        return far and known and is_seen(self._lower, node)

    def _itself(self, node: Node, held: Held) -> Held:
        count = self._lower.core.make("exact", node)
        codes = {x: float(x) for x in held.codes or {}}  # type: ignore[arg-type]
        return self.column(self._lower.named(node), count, float, codes)

    def looked_up(self, node: Node) -> Held | None:
        """A function of an exact number that is read off, at the same position; else None."""
        if (count := self.count_in(node)) is None:
            return None
        codes = self._lower.coding(self._lower.domain(node))
        ask = function_of(node, [count])
        name = self._lower.named(node)
        return self.column(
            name, count, lambda c: codes.get(ask([c]), 0.0), codes
        )

    def count_in(self, node: Node) -> Node | None:
        """The exact number that is read off, where a node is computed from that alone."""
        inner = exact_part(node)
        if inner is None or not _is_only_of(node, inner):
            return None
        number = inner.args[0]
        must = self._must_be(number, self._lower.hold(number))
        return inner if must else None

    def column(
        self,
        name: str,
        count: Node,
        f: Callable[[int], float],
        codes: Mapping[Value, float],
    ) -> Held:
        """A function of a number that is read off: what it is at 0, and how much more it is."""
        taken = self._lower.domain(count).values or ()
        start = f(0) if 0 in taken else 0.0 if _is_flag(codes) else f(1)
        row = tuple(
            f(i + 1) - start if i + 1 in taken else 0.0
            for i in range(self._lower.n)
        )
        z = constant(start)
        if any(row):
            lane = self._lower.stream.table(name, LaneTable(positions=row))
            z = z.plus(self._lower.read_at(count, [lane])[0])
        found = Held(z, codes, LEAK)
        squares = {x: c * c for x, c in codes.items()}
        self._squares[id(found)] = (
            found,
            lambda: self.column(
                f"{name}_squared", count, lambda c: f(c) ** 2, squares
            ),
        )
        return found

    def square(self, held: Held) -> Held | None:
        """The square of what is read off; None for any other value."""
        found = self._squares.get(id(held))
        return None if found is None else found[1]()


def read_at(lower: Ground, count: Node, lanes: Sequence[Lane]) -> list[Affine]:
    """What tables of positions hold at the position before a number; 0 where that is 0."""
    places = range(lower.n)
    numbers = LaneTable(positions=tuple(i + 1.0 for i in places))
    squares = LaneTable(positions=tuple((i + 1.0) ** 2 for i in places))
    p, pp = (lower.stream.table("number", t) for t in (numbers, squares))
    number = count.args[0]
    return brought(
        lower,
        lower.hold(number).z,
        p.expression(),
        [lane.expression() for lane in lanes],
        pp.expression(),
        lower.named(number),
    )


def exact_part(node: Node) -> Node | None:
    """The part of a node that is to be held without an error."""
    if node.op == "exact":
        return node
    found = (exact_part(arg) for arg in node.args if node.op != "select")
    return next((part for part in found if part is not None), None)


def _is_flag(codes: Mapping[Value, float]) -> bool:
    return set(codes) <= {0, 1}


def _is_only_of(node: Node, inner: Node) -> bool:
    """True if a node is computed from one part and constants alone."""
    if node is inner or node.op == "constant":
        return True
    if not node.args or node.op in ("select", "there"):
        return False
    return all(_is_only_of(arg, inner) for arg in node.args)
