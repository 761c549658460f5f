"""The regions of a text with its answer, and lowering in each of them.

    ^x=x=y$    region 0 is the x after ^; each separator begins the next one, the last is y

A position of a later region stands for the element that it is about to say: the separator for the
first, the first for the second. Its last position, which ends the region, repeats the last
element, so that a computed value is at every position one that some element can have. What is
known of an element by its token or its index is brought from region 0 by one head.

    Regions          where each position stands, and for which element
    RegionLowering   lowers an expression: a selection reads the region in which the values at its
                     keys are known, and no other

Rules of this file: a value of level k (nodes.level_of) is right from region k on; before that it is
some number, which no selected key has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.echoes.levels import head_level
from handcraft.lowering.heads.bringing import brought
from handcraft.lowering.heads.choosing import NEARER
from handcraft.lowering.lower import Lowering
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domains import Domains
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import (
    BOS,
    ONE,
    Held,
    LaneTable,
    Stream,
    constant,
    zero_at_bos,
)
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

_FAR = 64.0  # a key of another region is behind by so many times the strength
EMPTY: Affine = Affine.of({})


# ---------------------------------------------------------------- the regions


@dataclass(frozen=True)
class Lengths:
    """The lengths of the texts.

    n        the most tokens of x
    echoes   how often x is said again before the answer
    """

    n: int
    echoes: int

    @property
    def last(self) -> int:
        """The region of the answer."""
        return self.echoes + 1

    @property
    def places(self) -> int:
        """The positions after ^ that are read: of all but the stop token."""
        return (self.last + 1) * self.n + self.last


class Regions:
    """The place of each position: every number here is exact.

    place     its position, 1 after ^
    start     how many positions after ^ the separator of its region has before it; 0 in region 0
    length    the number of elements; 0 in region 0
    seen      1 from region 1 on
    at_end    1 at the last position of a region from region 1 on
    index     the element for which it stands
    """

    def __init__(
        self, stream: Stream, lengths: Lengths, separator: str
    ) -> None:
        self.stream = stream
        self.lengths = lengths
        n = lengths.places
        numbers = tuple(i + 1.0 for i in range(n))
        self.place = self._table("place", LaneTable(positions=numbers))
        squares = tuple(x * x for x in numbers)
        self.square = self._table("place_squared", LaneTable(positions=squares))
        self._is_separator = self._table(
            "separator", LaneTable(tokens={separator: 1.0})
        )
        before = self.place.plus(ONE.scaled(-1.0))
        self.start, self.length, self.seen = self._separators(before)
        self.at_end = self._end(before)
        self.index = before.plus(self.start.scaled(-1.0)).plus(
            self.at_end.scaled(-1.0)
        )
        self._from = [ONE, self.seen, *self._later()]

    def _table(self, name: str, table: LaneTable) -> Affine:
        return self.stream.table(name, table).expression()

    def _separators(self, before: Affine) -> tuple[Affine, Affine, Affine]:
        """The numbers at the latest separator and the first one. The scores of two differ by
        64 at least, so the weight is 1 to the last bit.
        """
        many = self.lengths.places * NEARER
        wall = 4.0 * 2 ** (int(many).bit_length())

        def of(near: float, name: str, value: Affine) -> Affine:
            key = self.place.scaled(near).plus(self._is_separator.scaled(wall))
            key = key.plus(BOS.expression().scaled(wall / 2))
            rows = [(constant(1), key)]
            (lane,) = self.stream.attend(
                rows, name, [(zero_at_bos(value), 1.0)]
            )
            return lane.expression()

        near = -NEARER if self.lengths.echoes else NEARER
        start = of(NEARER, "start", before)
        length = start
        if self.lengths.echoes:
            length = of(-NEARER, "length", before)
        return start, length, of(near, "seen", ONE)

    def _end(self, before: Affine) -> Affine:
        n = float(self.lengths.places)
        when = before.plus(self.start.scaled(-1.0))
        when = when.plus(self.length.scaled(-1.0)).plus(ONE)
        when = when.plus(ONE.scaled(-n)).plus(self.seen.scaled(n))
        lane = self.stream.neurons("at_end", [(when, 1.0, 8.0)])
        return lane.expression()

    def _later(self) -> Iterator[Affine]:
        """1 from region 2 on, 1 from region 3 on, and so on."""
        last = self.lengths.last
        for k in range(2, last + 1):
            # 0 in region k, negative before it
            past = self.start.plus(self.length.scaled(-float(k)))
            past = past.plus(ONE.scaled(1.0 - k))
            hinges = [(past.plus(ONE), 1.0, 8.0)]
            if k < last:
                hinges.append((past, -1.0, 8.0))
            yield self.stream.neurons(f"from_region_{k}", hinges).expression()

    def fetched(self, lower: Lowering, value: Affine, name: str) -> Affine:
        """The value in region 0 at the element for which a position stands."""
        (found,) = brought(
            lower,
            self.index.plus(constant(1)),
            self.place,
            [zero_at_bos(value)],
            self.square,
            name,
        )
        return found

    @property
    def answering(self) -> Affine:
        """1 in the region of the answer."""
        return self._from[-1]

    def key_of(self, region: int) -> Affine:
        """0 at the elements of a region before the last, at most -1 elsewhere but at ^."""
        inside = self._from[region].plus(self._from[region + 1].scaled(-1.0))
        found = zero_at_bos(inside).plus(ONE.scaled(-1.0))
        if region:
            found = found.plus(self.at_end.scaled(-1.0))
        return found


class RegionStream(Stream):
    """A stream whose heads are causal, so that ^ needs no row of its own to see itself alone.

    at_start   what a lane is in region 0, where a head reads that alone
    """

    def __init__(self) -> None:
        super().__init__()
        self.at_start: dict[Lane, Affine] = {}
        self.reads_start = False

    def attend(
        self,
        rows: Iterable[tuple[Affine, Affine]],
        name: str,
        values: Sequence[tuple[Affine, float]],
        sink: float = 0.0,  # noqa: ARG002
        *,
        counts: bool = False,
    ) -> list[Lane]:
        """A head; of one that reads region 0 the keys are what stands there from the start."""
        kept = [(q, self._key(k)) for q, k in rows]
        read = [(self._key(x), gain) for x, gain in values]
        return super().attend(kept, name, read, counts=counts)

    def _key(self, x: Affine) -> Affine:
        if not self.reads_start:
            return x
        found = constant(x.constant)
        for lane, factor in x.terms:
            here = self.at_start.get(lane, lane.expression())
            found = found.plus(here.scaled(factor))
        return found


# ---------------------------------------------------------------- lowering


class RegionLowering(Lowering):
    """Lowers an expression that looks both ways at the elements of x."""

    stream: RegionStream

    def __init__(
        self,
        core: Core,
        domains: Domains,
        named: Mapping[str, Expression],
        lengths: Lengths,
        separator: str,
    ) -> None:
        super().__init__(core, domains, {}, named)
        self.stream = RegionStream()
        self.stream.tables[BOS] = LaneTable({})
        self.regions = Regions(self.stream, lengths, separator)
        self._region: int | None = None
        self._brought: dict[Lane, Lane] = {}
        self._tables_of: dict[Lane, LaneTable] = {}
        for lane in self.regions.start.lanes_read:
            self.stream.at_start[lane] = EMPTY
        for lane in self.regions.at_end.lanes_read:
            self.stream.at_start[lane] = EMPTY

    # ------------------------------------------------------------ the region of the keys

    @contextmanager
    def _reading(self, region: int | None) -> Iterator[None]:
        before = self._region
        self._region = region
        self.stream.reads_start = region == 0
        try:
            yield
        finally:
            self._region = before
            self.stream.reads_start = before == 0

    def limits(self, strength: float) -> Sequence[tuple[Affine, Affine]]:
        """The row that keeps a head to the region that it reads."""
        if self._region is None:
            return ()
        key = self.regions.key_of(self._region)
        return ((constant(_FAR * strength), key),)

    def lowered(self, node: Node) -> Held:
        if node.op == "select":
            with self._reading(head_level(node)):
                return super().lowered(node)
        with self._reading(None):
            return super().lowered(node)

    def read_at(self, count: Node, lanes: Sequence[Lane]) -> list[Affine]:
        here, number = self.regions, count.args[0]
        z = self.hold(number).z
        with self._reading(None):
            return brought(
                self,
                z,
                here.place,
                [lane.expression() for lane in lanes],
                here.square,
                self.named(number),
            )

    # ------------------------------------------------------------ tokens, indices, the length

    def bring(self, lane: Lane) -> Lane:
        """The lane of an embedded number at the element for which a position stands."""
        if lane not in self._brought:
            with self._reading(None):
                found = self.regions.fetched(self, lane.expression(), lane.slot)
            ((new, _),) = found.terms
            self._brought[lane] = new
            self._tables_of[new] = self.stream.tables[lane]
            self.stream.at_start[new] = lane.expression()
        return self._brought[lane]

    def of_token(self, node: Node) -> Held:
        return self._moved(super().of_token(node))

    def of_index(self, node: Node) -> Held:
        if node is self.core.index:
            codes: dict[Value, float] = {i: float(i) for i in range(self.n)}
            return Held(self.regions.index, codes, most=float(self.n))
        return self._moved(super().of_index(node))

    def _moved(self, held: Held) -> Held:
        ((lane, _),) = held.z.terms
        return Held(self.bring(lane).expression(), held.codes)

    def flag_lanes(self, node: Node, leaf: Node) -> Mapping[Value, Lane]:
        found = super().flag_lanes(node, leaf)
        return {x: self.bring(lane) for x, lane in found.items()}

    def of_length(self) -> Held:
        codes: dict[Value, float] = {i: float(i) for i in range(1, self.n + 1)}
        return Held(self.regions.length, codes, most=float(self.n))

    # ------------------------------------------------------------ squares

    def square(self, node: Node, held: Held) -> Held | None:
        if held.codes is not None and (by := self._of_place(held.z)):
            a, b = by
            lane = self.bring(self._index_squared()).expression()
            z = lane.scaled(a * a).plus(self.regions.index.scaled(2 * a * b))
            codes = {x: y * y for x, y in held.codes.items()}
            return Held(z.plus(constant(b * b)), codes)
        return super().square(node, held)

    def _of_place(self, z: Affine) -> tuple[float, float] | None:
        """(a, b) of a times the index plus b."""
        ((place, _),) = self.regions.place.terms
        a = dict(z.terms).get(place, 0.0)
        rest = z.plus(self.regions.index.scaled(-a))
        return (a, rest.constant) if a and not rest.terms else None

    def _index_squared(self) -> Lane:
        """The square of the index in region 0, going on behind it, so that it fits `place`."""
        row = tuple(float(i * i) for i in range(self.regions.lengths.places))
        return self.stream.table("index_squared", LaneTable(positions=row))

    def lane_square(
        self, lane: Lane, held: Held, a: float, b: float
    ) -> Held | None:
        table = self._tables_of.get(lane)
        if table is None:
            return super().lane_square(lane, held, a, b)
        name = f"{lane.slot}_squared"
        found = self.stream.table(name, table.squared())
        return Held(self.bring(found).expression())
