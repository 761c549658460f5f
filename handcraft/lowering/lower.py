"""Lowers the nodes of an expression to lanes, heads and neurons of one stream.

    Lowering(...).hold(node)   how the value of a node stands in the stream
                 .standard     the same as a number, or as a token's code
                 .flag         a condition as 1 or 0

A function of the token is a lane of `wte`, one of the position a lane of `wpe`; sums and
multiples need no rule; what else is computed at one position takes neurons, and a selection takes
a head. A frame overrides what it does in another way. Rules of this file: each node is lowered
once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.heads.fetching import known_to_be_one
from handcraft.lowering.heads.selecting import selection
from handcraft.lowering.meanings import NodeMeanings
from handcraft.lowering.naming import Naming
from handcraft.lowering.reading.bases import bases_of
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.domain import Domain
from handcraft.lowering.reading.domains import (
    MOST_COMBINED,
    Domains,
    Unlisted,
    Untold,
)
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused, blaming
from handcraft.lowering.stream import BOS, Held, LaneTable, Stream, constant
from handcraft.lowering.values.flags import Flags
from handcraft.lowering.values.functions import as_standard, computed, tabled
from handcraft.lowering.values.inputs import flag_lanes, of_index, of_token
from handcraft.lowering.values.read_off import ReadOff, read_at
from handcraft.lowering.values.squares import Squares
from handcraft.lowering.values.sums import affine_of, number_held
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

_UNDEFINED = -1.0  # how far below the least number None stands
_FOLLOWED = ("state", "lowest", "end", "step")


class Lowering:
    """The stream of one program, and how each node stands in it.

    codes     {token: its code}
    n         the most tokens of a text
    anchored  False where no token stands before the text
    naming    names of lanes, after the author's variables
    """

    def __init__(
        self,
        core: Core,
        domains: Domains,
        codes: Mapping[str, float],
        named: Mapping[str, Expression] | None = None,
    ) -> None:
        self.core = core
        self.domains = domains
        self.codes = codes
        self.naming = Naming(core, named or {})
        self.n = domains.n
        self.causal = domains.causal
        self.anchored = True
        self.stream = Stream()
        self.stream.tables[BOS] = LaneTable({})
        self._words: dict[str, float] = {}
        self._held: dict[int, tuple[Node, Held]] = {}
        self._standard: dict[int, Held | None] = {}
        self._read_off = ReadOff(self)
        self._squares = Squares(self, self._read_off)
        self._flags = Flags(self, self._read_off)

    @property
    def values(self) -> list[tuple[Node, Held]]:
        """Each node that was lowered, with how it stands in the stream that is emitted."""
        found = [*self._held.values(), *self._read_off.exactly.values()]
        return [
            (node, replace(held, z=self.stream.as_sums(held.z)))
            for node, held in found
        ]

    def meanings(self) -> dict[Lane, Expression]:
        """What each lane holds that stands for one value alone."""
        words, found = NodeMeanings(), dict[Lane, Expression]()
        for node, held in self.values:
            said = words.of_lane(node, held)
            if said is not None and said[0] not in self.stream.tables:
                found.setdefault(*said)
        return found

    def named(self, node: Node) -> str:
        """The name of the lane of a node."""
        return self.naming.of(node)

    # ------------------------------------------------------------ domains and codes

    def domain(self, node: Node) -> Domain:
        """The values of a node. Raises Refused where there are too many to follow."""
        try:
            return self.domains.of(node)
        except Untold as found:
            raise _followed(found.node) from None
        except Unlisted as found:
            raise Refused(
                found.node,
                f"is computed from more than {MOST_COMBINED} combinations of values",
                "a shorter window or a smaller alphabet",
            ) from None

    def listed(self, node: Node) -> tuple[Value, ...]:
        """All values of a node, None last. Raises Refused where there are too many."""
        found = self.domain(node).values
        if found is None:
            raise Refused(
                node,
                "has too many values to list",
                "a shorter window, or clip() or round_() around it",
            )
        return found

    def code(self, value: Value) -> float:
        """The number that stands for a value: of a text its code, or a free one."""
        if value is None:
            return _UNDEFINED
        if not isinstance(value, str):
            return float(value)
        if value in self.codes:
            return self.codes[value]
        return self._words.setdefault(value, self._next_code())

    def _next_code(self) -> float:
        """A number for a text that is no token, such as a machine's state."""
        used = max(map(abs, self.codes.values()), default=0.0)
        return used + 1.0 + len(self._words)

    def coding(self, domain: Domain) -> dict[Value, float]:
        """The numbers of the values of a small domain: None is the next below them."""
        values = domain.values or ()
        found: dict[Value, float] = {
            x: self.code(x) for x in values if x is not None
        }
        if domain.none:
            taken = set(found.values())
            found[None] = 0.0 if 0.0 not in taken else min(taken) + _UNDEFINED
        return found

    # ------------------------------------------------------------ values

    def hold(self, node: Node) -> Held:
        """How the value of a node stands in the stream. Raises Refused."""
        if id(node) not in self._held:
            with blaming(node):
                self._held[id(node)] = node, self.lowered(node)
        return self._held[id(node)][1]

    def lowered(self, node: Node) -> Held:
        """The value of a node, by rules that are made now."""
        if node.op in _FOLLOWED:
            raise _followed(node)
        if node.op == "constant":
            z = self.code(node.data)
            return Held(constant(z), {node.data: z}, most=abs(z))
        if node.op == "select":
            return selection(self, node)
        if node.op == "length":
            return self.of_length()
        return affine_of(self, node) or self._at_position(node)

    def of_length(self) -> Held:
        """The number of tokens: a count of all positions."""
        return self.hold(self.core.select("count", self.core.true))

    def of_token(self, node: Node) -> Held:
        """A function of the token."""
        return of_token(self, node)

    def of_index(self, node: Node) -> Held:
        """A function of the position."""
        return of_index(self, node)

    def _at_position(self, node: Node) -> Held:
        bases = bases_of(node)
        if all(base.op == "token" for base in bases):
            return self.of_token(node)
        if all(base.op == "index" for base in bases):
            return self.of_index(node)
        if node.op == "exact":
            return self.exact(node.args[0], self.hold(node.args[0]))
        if len(bases) == 1:
            found = self._read_off.looked_up(node)
            return found or computed(self, node, bases)
        return computed(self, node, bases)

    def held_number(self, node: Node, z: Affine, radius: float) -> Held:
        """A number that stands for itself."""
        return number_held(self, node, z, radius)

    # ------------------------------------------------------------ as numbers, codes and flags

    def standard(self, node: Node) -> Held | None:
        """The value as itself, or as its token's code; None where it can be of both kinds."""
        if id(node) not in self._standard:
            with blaming(node):
                found = as_standard(self, node, self.hold(node))
            self._standard[id(node)] = found
        return self._standard[id(node)]

    def flag(self, node: Node) -> Held:
        """1 where a condition holds, else 0, also where it is undefined."""
        if node.op == "constant":
            z = float(node.data not in (0, None))
            return Held(constant(z), {int(z): z}, most=1.0)
        values = self.domain(node).values
        if values is not None and set(values) <= {0, 1}:
            found = self.standard(node)
            if found is not None:
                return found
        one, zero = self.core.constant(1), self.core.constant(0)
        return self._as_flag(node, self.core.make("cases", node, one, zero))

    def _as_flag(self, node: Node, flag: Node) -> Held:
        """The choice of 1 or 0 by a condition: of few values by a table of them."""
        if self.domain(node).values is None:
            return self.hold(flag)
        if id(flag) not in self._held:
            with blaming(node):
                self._held[id(flag)] = flag, tabled(self, flag, [node])
        return self._held[id(flag)][1]

    def exact(self, node: Node, held: Held) -> Held:
        """A number without the error of the head that counted it, where that can be."""
        return self._read_off.exact(node, held)

    def read_at(self, count: Node, lanes: Sequence[Lane]) -> list[Affine]:
        """What tables of positions hold at the position before a number."""
        return read_at(self, count, lanes)

    def squared(self, node: Node, held: Held) -> Held | None:
        """The square of the number of a value. None where it has too many numbers."""
        return self._squares.of(node, held)

    def square(self, node: Node, held: Held) -> Held | None:
        """The same, by rules that are made now."""
        return self._squares.made(node, held)

    def lane_square(
        self, lane: Lane, held: Held, a: float, b: float
    ) -> Held | None:
        """The square of what a lane holds, of which the value is a times it plus b."""
        return self._squares.of_lane(lane, held, a, b)

    def indicator(
        self,
        bases: Sequence[Node],
        rows: Sequence[tuple[Value, ...]],
        members: frozenset[int],
    ) -> Held:
        """1 where the values of these nodes are one of some rows, else 0."""
        return self._flags.indicator(bases, rows, members)

    def one_hot(self, base: Node) -> Mapping[Value, Held]:
        """A flag for each value of a node, by rules that are made now."""
        return self._flags.one_hot(base)

    def flag_lanes(self, node: Node, leaf: Node) -> Mapping[Value, Lane]:
        """A lane for each value but one of a function of the token, or of the position."""
        return flag_lanes(self, node, leaf)

    # ------------------------------------------------------------ selections

    def selects_one(self, condition: Node) -> bool:
        """True if a fetch by a condition has one key at most to choose from."""
        return known_to_be_one(self, condition)

    def limits(self, strength: float) -> Sequence[tuple[Affine, Affine]]:  # noqa: ARG002
        """More rows of every selection: 0 at the keys that may be read, far below at others."""
        return ()


def _followed(node: Node) -> Refused:
    return Refused(
        node, "is followed token by token, which no head does", "total or count"
    )
