"""The residual stream while it is written: lanes, what they hold, and the rules so far.

    Held      how a value stands in the stream: an affine expression of lanes, and the number that
              stands for each value
    Stream    makes lanes and rules, and knows from which sublayer on a lane can be read

Every lane but `bos` is 0 at the beginning-of-sequence token, so that a head sees nothing there;
a constant of a key, a value or a neuron is therefore written as a multiple of 1 - bos.

Time is counted in sublayers: 0 is the embedding, 2 b + 1 the heads of block b, 2 b + 2 its
neurons. Rules of this file: it does not know what an expression means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from handcraft.language.affine import Affine, Lane
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

BOS = Lane(slot="bos")
LEAK = (
    2.0**-60
)  # what keys of a score that is less by 64 bring, of numbers up to 10^9 together
FLOAT32 = 2.0**-24  # what float32 rounds a number by, of its size
ERASED = 2.0**10  # the sharpness of the neurons that erase a lane
LEFT = 2.0**-28  # what they leave of it at most, with gelu
SNAPPED = (
    2e-3,
    1e-4,
)  # how exact a number must be for hinges, which keep its error; steps forget it, and take more
ONE = Affine.of({BOS: -1.0}, 1.0)  # 1 everywhere but at BOS


def zero_at_bos(x: Affine) -> Affine:
    """The same expression, but 0 at BOS, where all other lanes are 0."""
    terms = {lane: value for lane, value in x.terms if lane != BOS}
    return Affine.of({**terms, BOS: -x.constant}, x.constant)


def constant(value: float) -> Affine:
    """A number as an expression."""
    return Affine.of({}, float(value))


@dataclass(frozen=True)
class Held:
    """A value in the stream.

    z       the expression of lanes, at the position of the value
    codes   {value: the number that z then is}; None where every number stands for itself
    radius  how far z can be from that number, in float32
    most    the greatest size of that number
    """

    z: Affine
    codes: Mapping[Value, float] | None = None
    radius: float = 0.0
    most: float = 0.0

    @cached_property
    def reach(self) -> float:
        """The greatest size of its numbers."""
        return max(map(abs, self.codes.values())) if self.codes else self.most


@dataclass
class LaneTable:
    """A lane of the embedding: a number for each token, for each position, or neither."""

    tokens: Mapping[str, float] = field(default_factory=dict)
    positions: Sequence[float] = ()

    def squared(self) -> LaneTable:
        """The table of the squares of its numbers."""
        tokens = {t: x * x for t, x in self.tokens.items()}
        return LaneTable(tokens, tuple(x * x for x in self.positions))


@dataclass(frozen=True)
class Attention:
    """One head: rows of (query, key) whose products are the score, and the lanes it writes.

    adds  {lane of the stream: (what is read at the key position, the gain)}
    name  that of the first lane that it brings
    bias  {lane: constant} that is added with it
    sink  by how much BOS as a query prefers itself, where it could see what follows
    final  True if it writes the answer, over what the embedding holds
    counts  True if the score of BOS is a weight, which no change of the others' may change
    """

    rows: tuple[tuple[Affine, Affine], ...]
    adds: Mapping[Lane, tuple[Affine, float]]
    time: int
    name: str = ""
    bias: Mapping[Lane, float] = field(default_factory=dict)
    sink: float = 0.0
    final: bool = False
    counts: bool = False
    erases = False  # of a hinge alone

    @property
    def writes(self) -> tuple[Lane, ...]:
        """The lanes that it writes."""
        return (*self.adds, *self.bias)

    @property
    def read(self) -> set[Lane]:
        """The lanes that it reads."""
        parts = [x for row in self.rows for x in row]
        parts += [x for x, _ in self.adds.values()]
        return {lane for part in parts for lane in part.lanes_read}


@dataclass(frozen=True)
class Hinge:
    """One neuron: amount times the positive part of `when` is added to a lane."""

    when: Affine
    adds: Mapping[Lane, float]
    time: int
    sharpness: float = 8.0
    final: bool = False

    @property
    def erases(self) -> bool:
        """True for one of the two neurons that erase a lane."""
        return not self.when.constant and self.adds == {
            lane: -by for lane, by in self.when.terms
        }

    @property
    def writes(self) -> tuple[Lane, ...]:
        """The lanes that it writes."""
        return tuple(self.adds)

    @property
    def read(self) -> set[Lane]:
        """The lanes that it reads."""
        return set(self.when.lanes_read)


class Stream:
    """Lanes and rules, in the order in which they are made.

    snapped  an input less exact than that, in parts of the distance of two values, takes steps
    """

    def __init__(self) -> None:
        self.snapped = SNAPPED[0]
        self.tables: dict[Lane, LaneTable] = {}
        self.times: dict[Lane, int] = {BOS: 0}
        self.heads: list[Attention] = []
        self.hinges: list[Hinge] = []
        self.constants: list[tuple[int, Lane, float]] = []
        self.meanings: dict[Lane, Expression] = {}
        self.names: dict[tuple[tuple[Lane, float], ...], str] = {}  # of sums
        self._written: dict[tuple[tuple[Affine, float, float], ...], Lane] = {}
        self.spare: set[Lane] = set()  # with LEFT in their radius
        self.reuse: dict[Lane, Lane] = {}  # whose column a lane takes over
        self.sums: list[tuple[Lane, tuple[tuple[Lane, float], ...]]] = []

    def lane(self, name: str) -> Lane:
        """A new lane with such a name."""
        taken = {lane.slot for lane in self.times}
        found, i = name, 2
        while found in taken:
            found, i = f"{name}_{i}", i + 1
        lane = Lane(slot=found)
        self.times[lane] = 0
        return lane

    def table(self, name: str, table: LaneTable) -> Lane:
        """The lane of a table; the same table is one lane."""
        for lane, known in self.tables.items():
            if known == table:
                return lane
        lane = self.lane(name)
        self.tables[lane] = table
        return lane

    def as_sums(self, x: Affine) -> Affine:
        """An expression after lanes that are read as one sum became one lane."""
        for lane, parts in self.sums:
            x = with_sum(x, lane, parts)
        return x

    def may_follow(self, lane: Lane, radius: float) -> float:
        """The radius of a lane that may take over the column of another: with what is left of
        that, unless the lane is exact.
        """
        if radius <= LEFT:
            return radius
        self.spare.add(lane)
        return radius + LEFT

    def time_of(self, *parts: Affine) -> int:
        """From when on these expressions can be read."""
        lanes = (lane for part in parts for lane in part.lanes_read)
        return max((self.times[lane] for lane in lanes), default=0)

    def attend(
        self,
        rows: Iterable[tuple[Affine, Affine]],
        name: str,
        values: Sequence[tuple[Affine, float]],
        sink: float = 0.0,
        *,
        counts: bool = False,
    ) -> list[Lane]:
        """A head that reads these values; a new lane of each."""
        kept = tuple(rows)
        if (found := self._same_head(kept, values, sink)) is not None:
            return found
        read = [x for row in kept for x in row] + [x for x, _ in values]
        time = heads_after(self.time_of(*read))
        lanes = [self.lane(name) for _ in values]
        adds = dict(zip(lanes, values, strict=True))
        self.heads.append(
            Attention(kept, adds, time, lanes[0].slot, {}, sink, counts=counts)
        )
        self.times |= dict.fromkeys(lanes, time)
        return lanes

    def _same_head(
        self,
        rows: tuple[tuple[Affine, Affine], ...],
        values: Sequence[tuple[Affine, float]],
        sink: float,
    ) -> list[Lane] | None:
        """The lanes of a head that looks at the same and reads the same."""
        for head in self.heads:
            if (head.rows, head.sink) == (rows, sink):
                known = {value: lane for lane, value in head.adds.items()}
                if all(value in known for value in values):
                    return [known[value] for value in values]
        return None

    def settled(self) -> list[Attention]:
        """The heads, with a row by which BOS sees itself alone where what it brings is read."""
        last: dict[Lane, int] = {}  # when it is read for the last time
        rules: list[Attention | Hinge] = [*self.heads, *self.hinges]
        for rule in rules:
            for lane in rule.read:
                last[lane] = max(last.get(lane, 0), rule.time)
        return [
            _alone(head)
            if head.sink
            and any(last.get(lane, 0) > head.time for lane in head.adds)
            else head
            for head in self.heads
        ]

    def neurons(
        self,
        name: str,
        hinges: Iterable[tuple[Affine, float, float]],
    ) -> Lane:
        """A lane that neurons write: (when, amount, sharpness) each; of the same, the same lane."""
        kept = tuple(hinges)
        if kept in self._written:
            return self._written[kept]
        time = neurons_after(self.time_of(*(when for when, _, _ in kept)))
        lane = self._written[kept] = self.lane(name)
        for when, amount, sharpness in kept:
            self.hinges.append(
                Hinge(zero_at_bos(when), {lane: amount}, time, sharpness)
            )
        self.times[lane] = time
        return lane


def _alone(head: Attention) -> Attention:
    """The head with a row by which BOS sees itself alone, and asks for nothing else."""
    row = BOS.expression()
    asked = ((zero_at_bos(q), k) for q, k in head.rows)
    return replace(head, rows=(*asked, (row.scaled(head.sink), row)))


def heads_after(time: int) -> int:
    """The first heads that can read what stands there from a time on."""
    return time + 1 if time % 2 == 0 else time + 2


def neurons_after(time: int) -> int:
    """The first neurons that can."""
    return time + 1 if time % 2 else time + 2


def with_sum(
    x: Affine, lane: Lane, parts: Sequence[tuple[Lane, float]]
) -> Affine:
    """The expression with a lane in the place of the sum of several; else as it is."""
    terms = dict(x.terms)
    by = terms.get(parts[0][0], 0.0)
    if not by or any(terms.get(part) != by * more for part, more in parts):
        return x
    kept = {k: v for k, v in terms.items() if k not in dict(parts)}
    return Affine.of({**kept, lane: by}, x.constant)
