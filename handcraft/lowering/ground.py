"""What the lowering of one part may ask of the whole.

A head's rows and a neuron's inputs need other nodes lowered first, as values, flags or squares.
Rules of this file: it says what there is; handcraft.lowering.lower does it, and a frame may do some
of it in another way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.naming import Naming
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domain import Domain
from handcraft.lowering.reading.domains import Domains
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.stream import Held, Stream
from handcraft.sequence.values import Value


class Ground(Protocol):
    """The lowering of one program.

    n         the most tokens of a text
    anchored  False where no token stands before the text
    """

    core: Core
    domains: Domains
    codes: Mapping[str, float]
    naming: Naming
    n: int
    causal: bool
    anchored: bool

    @property
    def stream(self) -> Stream:
        """The lanes and rules so far."""
        ...

    def named(self, node: Node) -> str:
        """The name of the lane of a node."""
        ...

    def domain(self, node: Node) -> Domain:
        """The values of a node. Raises Refused where there are too many to follow."""
        ...

    def listed(self, node: Node) -> tuple[Value, ...]:
        """All values of a node, None last. Raises Refused where there are too many."""
        ...

    def code(self, value: Value) -> float:
        """The number that stands for a value: of a text its code, or a free one."""
        ...

    def coding(self, domain: Domain) -> dict[Value, float]:
        """The numbers of the values of a small domain."""
        ...

    def hold(self, node: Node) -> Held:
        """How the value of a node stands in the stream. Raises Refused."""
        ...

    def held_number(self, node: Node, z: Affine, radius: float) -> Held:
        """A number that stands for itself."""
        ...

    def standard(self, node: Node) -> Held | None:
        """The value as itself, or as its token's code; None where it can be of both kinds."""
        ...

    def flag(self, node: Node) -> Held:
        """1 where a condition holds, else 0, also where it is undefined."""
        ...

    def exact(self, node: Node, held: Held) -> Held:
        """A number without the error of the head that counted it, where that can be."""
        ...

    def read_at(self, count: Node, lanes: Sequence[Lane]) -> list[Affine]:
        """What tables of positions hold at the position before a number."""
        ...

    def squared(self, node: Node, held: Held) -> Held | None:
        """The square of the number of a value. None where it has too many numbers."""
        ...

    def square(self, node: Node, held: Held) -> Held | None:
        """The same, by rules that are made now."""
        ...

    def lane_square(
        self, lane: Lane, held: Held, a: float, b: float
    ) -> Held | None:
        """The square of what a lane holds, of which the value is a times it plus b."""
        ...

    def indicator(
        self,
        bases: Sequence[Node],
        rows: Sequence[tuple[Value, ...]],
        members: frozenset[int],
    ) -> Held:
        """1 where the values of these nodes are one of some rows, else 0."""
        ...

    def one_hot(self, base: Node) -> Mapping[Value, Held]:
        """A flag for each value of a node, by rules that are made now."""
        ...

    def flag_lanes(self, node: Node, leaf: Node) -> Mapping[Value, Lane]:
        """A lane for each value but one of a function of the token, or of the position."""
        ...

    def selects_one(self, condition: Node) -> bool:
        """True if no two keys can satisfy a condition."""
        ...

    def limits(self, strength: float) -> Sequence[tuple[Affine, Affine]]:
        """Rows that keep every head to the keys that it may see."""
        ...
