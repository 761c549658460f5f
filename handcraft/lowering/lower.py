"""Lowers the nodes of an expression to lanes, heads and neurons of one stream.

    Lowering(...).hold(node)   how the value of a node stands in the stream
                .standard      the same as a number, or as a token's code
                .flag          a condition as 1 or 0

A function of the token is a lane of `wte`, one of the position a lane of `wpe`; sums and
multiples need no rule; what else is computed at one position takes neurons, and a selection takes
a head. Rules of this file: each node is lowered once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np

from handcraft.language.affine import Affine, Lane
from handcraft.lowering.heads.bringing import brought
from handcraft.lowering.heads.fetching import known_to_be_one
from handcraft.lowering.heads.matches import EXACT
from handcraft.lowering.heads.placing import placed_square
from handcraft.lowering.heads.selecting import selected
from handcraft.lowering.meanings import Meanings
from handcraft.lowering.naming import Naming
from handcraft.lowering.pointwise import Inexact, images, joined, mapped, whole
from handcraft.lowering.reading.domains import (
    MOST_COMBINED,
    Domain,
    Domains,
    Unlisted,
    Untold,
    bases_of,
    function_of,
)
from handcraft.lowering.reading.nodes import Core, Node
from handcraft.lowering.refusals import Refused
from handcraft.lowering.stream import (
    BOS,
    LEAK,
    ONE,
    Held,
    Stream,
    Table,
    constant,
)
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value

_UNDEFINED = -1.0  # how far below the least number None stands


class Lowering:
    """The stream of one program, and how each node stands in it.

    codes  {token: its code}
    n      the most tokens of a text
    named  {variable of the author's: its expression}, for names of lanes
    """

    def __init__(
        self,
        core: Core,
        domains: Domains,
        codes: Mapping[str, float],
        named: Mapping[str, Expression] | None = None,
    ) -> None:
        self.core = core
        self.naming = Naming(core, named or {})
        self.domains = domains
        self.codes = codes
        self.n = domains.n
        self.causal = domains.causal
        self.stream = Stream()
        self.stream.tables[BOS] = Table({})
        self._held: dict[int, tuple[Node, Held]] = {}
        self._standard: dict[int, Held | None] = {}
        self._squared: dict[int, tuple[Held, Held | None]] = {}  # by identity
        self._squares: dict[Lane, Held | None] = {}
        self._one_hots: dict[Any, tuple[Node, Mapping[Value, Held]]] = {}
        self._exact: dict[int, tuple[Node, Held]] = {}
        self._flags: dict[Any, Held] = {}
        self._words: dict[str, float] = {}
        self.anchored = True  # False where no token stands before the text
        self._columns: dict[int, tuple[Held, Callable[[], Held]]] = {}

    @property
    def values(self) -> list[tuple[Node, Held]]:
        """Each node that was lowered, with how it stands in the stream that is emitted."""
        found = [*self._held.values(), *self._exact.values()]
        return [
            (node, replace(held, z=self.stream.as_sums(held.z)))
            for node, held in found
        ]

    def meanings(self) -> dict[Lane, Expression]:
        """What each lane holds that stands for one value alone."""
        words, found = Meanings(), dict[Lane, Expression]()
        for node, held in self.values:
            said = words.of_lane(node, held)
            if said is not None and said[0] not in self.stream.tables:
                found.setdefault(*said)
        return found

    # ------------------------------------------------------------ domains

    def domain(self, node: Node) -> Domain:
        """The values of a node. Raises Refused where there are too many to follow."""
        try:
            return self.domains.of(node)
        except Untold as found:
            raise _NOT_YET(found.node) from None
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

    # ------------------------------------------------------------ values

    def hold(self, node: Node) -> Held:
        """How the value of a node stands in the stream. Raises Refused."""
        if id(node) not in self._held:
            try:
                self._held[id(node)] = node, self._lowered(node)
            except Inexact as found:
                raise Refused(
                    node,
                    f"would read a number that is only known to {found.radius:.2g},"
                    f" and must tell apart what differs by {found.gap:.2g}",
                    "a shorter window",
                ) from None
        return self._held[id(node)][1]

    def _lowered(self, node: Node) -> Held:
        if node.op in ("state", "lowest", "end", "step"):
            raise _NOT_YET(node)
        if node.op == "constant":
            return self._constant(node.data)
        if node.op == "select":
            return selected(self, node)
        if node.op == "length":
            return self._length()
        if (found := self._affine(node)) is not None:
            return found
        bases = bases_of(node)
        if all(base.op == "token" for base in bases):
            return self._of_token(node)
        if all(base.op == "index" for base in bases):
            return self._of_index(node)
        return self._computed(node, bases)

    def _constant(self, value: Value) -> Held:
        z = self._code(value)
        return Held(constant(z), {value: z}, most=abs(z))

    def _code(self, value: Value) -> float:
        if value is None:
            return _UNDEFINED
        if isinstance(value, str):
            if value not in self.codes:
                return self._words.setdefault(value, self._next_code())
            return self.codes[value]
        return float(value)

    def _next_code(self) -> float:
        """A number for a text that is no token, such as a machine's state."""
        used = max(map(abs, self.codes.values()), default=0.0)
        return used + 1.0 + len(self._words)

    def _length(self) -> Held:
        whole = self.core.select("count", self.core.true)
        return self.hold(whole)

    def coding(self, domain: Domain) -> dict[Value, float]:
        """The numbers of the values of a small domain: None is the next below them."""
        values = domain.values or ()
        found = _apart({x: self._code(x) for x in values if x is not None})
        if domain.none:
            taken = set(found.values())
            found[None] = 0.0 if 0.0 not in taken else min(taken) + _UNDEFINED
        return found

    def _of_token(self, node: Node) -> Held:
        """A lane of wte."""
        ask = function_of(node, [self.core.token])
        codes = self.coding(self.domain(node))
        table = {t: codes.get(ask([t]), 0.0) for t in self.domains.alphabet}
        lane = self.stream.table(self.named(node), Table(tokens=table))
        return Held(lane.expression(), codes, _rounding(table.values()))

    def _of_index(self, node: Node) -> Held:
        """A lane of wpe."""
        ask = function_of(node, [self.core.index])
        codes = self.coding(self.domain(node))
        row = tuple(codes.get(ask([i]), 0.0) for i in range(self.n))
        lane = self.stream.table(self.named(node), Table(positions=row))
        return Held(lane.expression(), codes, _rounding(row))

    # ------------------------------------------------------------ at one position

    def _computed(self, node: Node, bases: Sequence[Node]) -> Held:
        if node.op == "exact":
            return self.exact(node.args[0], self.hold(node.args[0]))
        if len(bases) == 1:
            inner = _exact_part(node)
            found = self._looked_up(node)
            if found is not None:
                return found
            return self._joined(node, bases if inner is None else [inner])
        if node.op == "cases" and (found := self._where(node)) is not None:
            return found
        args = [arg for arg in node.args if arg.op != "constant"]
        inner = self._few(args)
        if inner:
            return self._joined(node, args)
        if self._few(bases):
            return self._joined(node, bases)
        raise Refused(
            node,
            f"is computed from more than {MOST_COMBINED} combinations of values",
            "a shorter window or a smaller alphabet",
        )

    def _few(self, parts: Sequence[Node]) -> bool:
        lists = [self.domain(part).values for part in parts]
        sizes = [len(x) for x in lists if x is not None]
        return len(sizes) == len(lists) and prod(sizes) <= MOST_COMBINED

    def _affine(self, node: Node) -> Held | None:
        """A sum, a difference or a multiple, which needs no rule."""
        if node.op not in ("add", "subtract", "multiply"):
            return None
        args = [self._number(arg) for arg in node.args]
        if any(arg is None for arg in args):
            return None
        a, b = args
        if node.op == "multiply":
            return self._multiple(node, a, b)
        sign = 1.0 if node.op == "add" else -1.0
        z = a.z.plus(b.z.scaled(sign))
        return self._numeric(node, z, a.radius + b.radius)

    def _multiple(self, node: Node, a: Any, b: Any) -> Held | None:
        for one, other in ((a, b), (b, a)):
            if not one.z.terms:
                factor = one.z.constant
                return self._numeric(
                    node, other.z.scaled(factor), abs(factor) * other.radius
                )
        return None

    def _numeric(self, node: Node, z: Affine, radius: float) -> Held:
        domain = self.domain(node)
        most = float(max(abs(domain.low), abs(domain.high)))
        if len(z.terms) > 1:
            self.stream.names.setdefault(z.terms, self.named(node))
        codes = None
        if domain.values is not None:
            codes = {x: float(x) for x in domain.values}  # type: ignore[arg-type]
        if (
            radius
            or not whole(z)
            or domain.step is None
            or domain.step != int(domain.step)
        ):
            radius += 4 * 2.0**-24 * most
        return Held(z, codes, radius, most)

    def _number(self, node: Node) -> Held | None:
        """A node that is always a number, as that number."""
        domain = self.domain(node)
        if domain.none or not domain.numeric:
            return None
        return self.standard(node)

    def _where(self, node: Node) -> Held | None:
        """cases(condition, a, b): b, and a - b more where the condition holds."""
        if len(node.args) != 3:
            return None
        when, then, rest = node.args
        a, b = self.standard(then), self.standard(rest)
        if a is None or b is None:
            return None
        codes = {**(a.codes or {}), **(b.codes or {})}
        if (
            a.codes is None
            or b.codes is None
            or len(set(codes.values())) < len(codes)
        ):
            return None
        if any(
            a.codes.get(x, z) != z or b.codes.get(x, z) != z
            for x, z in codes.items()
        ):
            return None
        flag = self.flag(when)
        d = a.z.plus(b.z.scaled(-1.0))
        most = a.reach + b.reach
        if not d.terms:
            z = b.z.plus(flag.z.scaled(d.constant))
            return Held(z, codes, b.radius + abs(d.constant) * flag.radius)
        wall = most + 1.0
        shut = flag.z.scaled(wall).plus(constant(-wall))
        lane = self.stream.neurons(
            self.named(node),
            [
                (d.plus(shut), 1.0, 8.0),
                (d.scaled(-1.0).plus(shut), -1.0, 8.0),
            ],
            _says(node),
        )
        radius = a.radius + 2 * b.radius + 2 * wall * flag.radius
        radius = self.stream.may_follow(lane, radius + 2.0**-20 * most)
        return Held(b.z.plus(lane.expression()), codes, radius)

    def _joined(self, node: Node, parts: Sequence[Node]) -> Held:
        """A function of few combinations of values."""
        held = [self.hold(part) for part in parts]
        ask = function_of(node, parts)
        codes = self.coding(self.domain(node))
        table = {}
        for row in product(*(self.listed(part) for part in parts)):
            at = _codes_at(held, row)
            code = codes.get(ask(row))
            if at is not None and code is not None:  # else it never occurs
                table[at] = code
        z, radius = joined(
            self.stream,
            held,
            table,
            self.named(node),
            _says(node),
            flag={*codes} <= {0, 1, None},
        )
        return Held(z, codes, radius)

    def held_number(self, node: Node, z: Affine, radius: float) -> Held:
        """A number that stands for itself."""
        return self._numeric(node, z, radius)

    def selects_one(self, condition: Node) -> bool:
        """True if a fetch by a condition has one key at most to choose from."""
        return known_to_be_one(self, condition)

    def named(self, node: Node) -> str:
        """The name of the lane of a node."""
        return self.naming.of(node)

    def says(self, node: Node) -> str:
        """The node as its author wrote it."""
        return _says(node)

    def limits(self, strength: float) -> Sequence[tuple[Affine, Affine]]:  # noqa: ARG002
        """More rows of every selection: 0 at the keys that may be read, far below at others."""
        return ()

    # ------------------------------------------------------------ as numbers, codes and flags

    def standard(self, node: Node) -> Held | None:
        """The value as itself, or as its token's code; None where it can be of both kinds."""
        if id(node) not in self._standard:
            self._standard[id(node)] = self._in_standard(node, self.hold(node))
        return self._standard[id(node)]

    def _in_standard(self, node: Node, held: Held) -> Held | None:
        if held.codes is None:
            return held
        wanted = {x: self._code(x) for x in held.codes if x is not None}
        kinds = {type(x) is str for x in wanted}
        if len(kinds) > 1:
            return None
        if all(held.codes[x] == z for x, z in wanted.items()):
            return held
        pairs = [(held.codes[x], z) for x, z in wanted.items()]
        if None in held.codes:
            taken = set(wanted.values())
            none = 0.0 if 0.0 not in taken else min(taken, default=0.0) - 1.0
            pairs.append((held.codes[None], none))
            wanted[None] = none
        f = images(pairs)
        assert f is not None
        z, radius = mapped(
            self.stream, held.z, held.radius, f, self.named(node), _says(node)
        )
        return Held(z, wanted, radius)

    def flag(self, node: Node) -> Held:
        """1 where a condition holds, else 0, also where it is undefined."""
        if node.op == "constant":
            z = float(node.data not in (0, None))
            return Held(constant(z), {z: z}, most=1.0)
        domain = self.domain(node)
        values = domain.values
        if values is not None and set(values) <= {0, 1}:
            found = self.standard(node)
            if found is not None:
                return found
        as_flag = self.core.make(
            "cases", node, self.core.constant(1), self.core.constant(0)
        )
        if values is None:
            return self.hold(as_flag)
        if id(as_flag) not in self._held:
            self._held[id(as_flag)] = as_flag, self._joined(as_flag, [node])
        return self._held[id(as_flag)][1]

    def exact(self, node: Node, held: Held) -> Held:
        """A whole number from 0 on that the query sees so many positions for, exactly: read off the
        last of them, with its square; any other value as it is.
        """
        if not self._must_be_read_off(node, held):
            return held
        if id(node) not in self._exact:
            self._exact[id(node)] = node, self._read_off(node, held)
        return self._exact[id(node)][1]

    def is_seen(self, node: Node) -> bool:
        """True if a number is never more than the positions that its query sees."""
        if node.op in ("length", "index"):
            return True
        if node.op == "constant":
            return bool(node.data in (0, 1))
        if node.op == "select":
            return self._counts(node)
        if node.op == "add":  # the index, and 1
            index = self.core.index in node.args
            return index and self.core.constant(1) in node.args
        if node.op in ("both", "either", "negate", "equal", "below"):
            return True
        if node.op == "least":
            return any(map(self.is_seen, node.args))
        if node.op == "greatest":
            return all(map(self.is_seen, node.args))
        if node.op == "cases":  # (condition, value)s, and what else
            return all(map(self.is_seen, (*node.args[1::2], node.args[-1])))
        if node.op == "modulo" and self.domain(node.args[0]).low < 0:
            return False
        if node.op in ("exact", "modulo") or (
            node.op in ("subtract", "divide")
            and self.domain(node.args[1]).low >= (node.op == "divide")
        ):
            return self.is_seen(node.args[0])
        return False

    def _counts(self, node: Node) -> bool:
        """True for a selection that gives a number of positions, or one of them."""
        if node.data == "total":
            return self.domain(node.value).high <= 1
        return node.data in ("count", "first", "latest", "best")

    def _must_be_read_off(self, node: Node, held: Held) -> bool:
        """True for a whole number that is not known exactly, of positions that the query sees."""
        whole = set(range(self.n + 1))
        known = held.codes is not None and set(held.codes) <= whole
        far = held.radius > EXACT
        return far and known and self.is_seen(node)

    def _looked_up(self, node: Node) -> Held | None:
        """A function of an exact number that is read off, at the same position."""
        if (count := self._read_of(node)) is None:
            return None
        codes = self.coding(self.domain(node))
        ask = function_of(node, [count])
        name = self.named(node)
        return self._column(name, count, lambda c: codes[ask([c])], codes)

    def _column(
        self,
        name: str,
        count: Node,
        f: Callable[[int], float],
        codes: Mapping[Value, float],
    ) -> Held:
        """A function of a number that is read off: what it is at 0, and how much more it is."""
        taken = self.domain(count).values or ()
        flag = set(codes) <= {0, 1}
        start = f(0) if 0 in taken else 0.0 if flag else f(1)
        row = tuple(
            f(i + 1) - start if i + 1 in taken else 0.0 for i in range(self.n)
        )
        z = constant(start)
        if any(row):
            lane = self.stream.table(name, Table(positions=row))
            z = z.plus(self._off(count, [lane])[0])
        found = Held(z, codes, LEAK)
        squares = {x: c * c for x, c in codes.items()}
        self._columns[id(found)] = (
            found,
            lambda: self._column(
                f"{name}_squared", count, lambda c: f(c) ** 2, squares
            ),
        )
        return found

    def _read_of(self, node: Node) -> Node | None:
        """The exact number that is read off, where a node is computed from that alone."""
        inner = _exact_part(node)
        if inner is None or not _only_of(node, inner):
            return None
        held = self.hold(inner.args[0])
        return inner if self._must_be_read_off(inner.args[0], held) else None

    def _off(self, count: Node, lanes: Sequence[Lane]) -> list[Affine]:
        """What these tables hold at the position before a number."""
        places = range(self.n)
        numbers = Table(positions=tuple(i + 1.0 for i in places))
        squares = Table(positions=tuple((i + 1.0) ** 2 for i in places))
        p, pp = (self.stream.table("number", t) for t in (numbers, squares))
        number = count.args[0]
        return brought(
            self,
            self.hold(number).z,
            p.expression(),
            [lane.expression() for lane in lanes],
            pp.expression(),
            self.named(number),
        )

    def _read_off(self, node: Node, held: Held) -> Held:
        count = self.core.make("exact", node)
        codes = {x: float(x) for x in held.codes or {}}  # type: ignore[arg-type]
        return self._column(self.named(node), count, float, codes)

    def squared(self, node: Node, held: Held) -> Held | None:
        """The square of the number of a value. None where it has too many numbers."""
        if id(held) not in self._squared:
            self._squared[id(held)] = held, self._square(node, held)
        return self._squared[id(held)][1]

    def _square(self, node: Node, held: Held) -> Held | None:
        if held.codes is None:
            return None
        if id(held) in self._columns:
            return self._columns[id(held)][1]()
        codes = {x: z * z for x, z in held.codes.items()}
        if not held.z.terms:
            return Held(constant(held.z.constant**2), codes)
        if node.op == "select" and node.data == "at":
            return placed_square(self, node)
        if len(held.z.terms) == 1:
            return self._square_of_lane(held, codes)
        f = images((z, z * z) for z in held.codes.values())
        return self._by_neurons(held, f, codes, f"{self.named(node)}_squared")

    def _square_of_lane(
        self, held: Held, codes: Mapping[Value, float]
    ) -> Held | None:
        """(a z + b)^2 is a^2 z^2 + 2 a b z + b^2, so one square serves all multiples."""
        ((lane, a),) = held.z.terms
        b = held.z.constant
        if lane not in self._squares:
            self._squares[lane] = self._square_lane(lane, held, a, b)
        square = self._squares[lane]
        if square is None:
            return None
        mixed = Affine.of({lane: 2 * a * b}, b * b)
        radius = a * a * square.radius + 2 * abs(b) * held.radius
        return Held(square.z.scaled(a * a).plus(mixed), codes, radius)

    def _square_lane(
        self, lane: Lane, held: Held, a: float, b: float
    ) -> Held | None:
        table = self.stream.tables.get(lane)
        name = f"{lane.slot}_squared"
        if table is not None:
            squares = Table(
                {t: x * x for t, x in table.tokens.items()},
                tuple(x * x for x in table.positions),
            )
            found = self.stream.table(name, squares)
            return Held(found.expression())
        zs = [(z - b) / a for z in (held.codes or {}).values()]
        f = images((z, z * z) for z in zs)
        inner = Held(lane.expression(), None, held.radius / abs(a))
        return self._by_neurons(inner, f, {}, name)

    def _by_neurons(
        self,
        held: Held,
        f: Any,
        codes: Mapping[Value, float],
        name: str,
    ) -> Held | None:
        try:
            z, radius = mapped(
                self.stream, held.z, held.radius, f, name, blurred=1 / 16
            )
        except Inexact:
            return None
        return Held(z, codes, radius)

    def indicator(
        self,
        bases: Sequence[Node],
        rows: Sequence[tuple[Value, ...]],
        members: frozenset[int],
    ) -> Held:
        """1 where the values of these nodes are one of some rows, else 0."""
        wanted = {rows[i] for i in members}
        key = (tuple(map(id, bases)), frozenset(wanted))
        if key not in self._flags:
            self._flags[key] = self._indicated(bases, rows, wanted)
        return self._flags[key]

    def _of_one_hot(self, base: Node, wanted: set[Value]) -> Held:
        """1 where a value is one of some, as a sum of lanes."""
        key = (id(base), "one-hot")
        if key not in self._one_hots:
            self._one_hots[key] = base, self._one_hot(base)
        lanes = self._one_hots[key][1]
        z, radius = Affine.of({}), 0.0
        for x in wanted & lanes.keys():
            z, radius = z.plus(lanes[x].z), radius + lanes[x].radius
        return Held(z, {0: 0.0, 1: 1.0}, radius)

    def _one_hot(self, base: Node) -> Mapping[Value, Held]:
        """A flag for each value; the one that has none is what the others leave."""
        leaf = self._leaf_of(base)
        found: dict[Value, Held] = {}
        if leaf is not None:
            for x, lane in self._tables(base, leaf).items():
                found[x] = Held(lane.expression(), {0: 0.0, 1: 1.0})
            return self._with_last(self.listed(base), found)
        if (count := self._read_of(base)) is not None:
            return self._one_hot_off(base, count)
        held = self.exact(base, self.hold(base))
        values = [x for x in self.listed(base) if _codes_at([held], [x])]
        for x in values[1:]:
            at = _codes_at([held], [x])
            f = images(
                ((_codes_at([held], [y]) or (0.0,))[0], float(x == y))
                for y in values
            )
            assert f is not None and at is not None
            z, radius = mapped(
                self.stream,
                held.z,
                held.radius,
                f,
                self.naming.of_flag(base, x),
                flag=True,
            )
            found[x] = Held(z, {0: 0.0, 1: 1.0}, radius)
        return self._with_last(values, found)

    def _one_hot_off(self, base: Node, count: Node) -> Mapping[Value, Held]:
        """The same for what is read off a number."""
        ask = function_of(base, [count])
        codes: dict[Value, float] = {0: 0.0, 1: 1.0}
        values = self.listed(base)
        flags = {
            x: self._column(
                self.naming.of_flag(base, x),
                count,
                partial(_is, ask, x),
                codes,
            )
            for x in values[1:]
        }
        return self._with_last(values, flags)

    def _with_last(
        self, values: Sequence[Value], flags: Mapping[Value, Held]
    ) -> Mapping[Value, Held]:
        """The flags and that of the one value that has none: 1 less all of them."""
        z, radius = ONE, 0.0
        for held in flags.values():
            z, radius = z.plus(held.z.scaled(-1.0)), radius + held.radius
        (last,) = (x for x in values if x not in flags)
        return {**flags, last: Held(z, {0: 0.0, 1: 1.0}, radius)}

    def _leaf_of(self, node: Node) -> Node | None:
        """The token or the index, where a node is a function of that alone."""
        bases = bases_of(node)
        alone = len(bases) == 1 and bases[0].op in ("token", "index")
        return bases[0] if alone else None

    def _tables(self, node: Node, leaf: Node) -> Mapping[Value, Lane]:
        """A lane for each value of a function of the token, or of the position."""
        ask = function_of(node, [leaf])
        found = {}
        values = self.listed(node)
        for x in values[:-1] if leaf.op == "token" else values[1:]:
            name = self.naming.of_flag(node, x)
            if leaf.op == "token":
                tokens = {
                    t: float(ask([t]) == x) for t in self.domains.alphabet
                }
                found[x] = self.stream.table(name, Table(tokens))
            else:
                row = tuple(float(ask([i]) == x) for i in range(self.n))
                found[x] = self.stream.table(name, Table({}, row))
        return found

    def _indicated(
        self,
        bases: Sequence[Node],
        rows: Iterable[tuple[Value, ...]],
        wanted: set[tuple[Value, ...]],
    ) -> Held:
        if len(wanted) == len(list(rows)):
            return Held(constant(1), {1: 1.0})
        if len(bases) == 1:
            return self._of_one_hot(bases[0], {x for (x,) in wanted})
        held = [self.hold(base) for base in bases]
        points = {}
        for row in rows:
            at = _codes_at(held, row)
            if at is not None:
                points[at] = float(row in wanted)
        z, radius = joined(self.stream, held, points, "is_one_of")
        return Held(z, {0: 0.0, 1: 1.0}, radius)


def _NOT_YET(node: Node) -> Refused:
    return Refused(
        node, "is followed token by token, which no head does", "total or count"
    )


def _rounding(numbers: Iterable[float]) -> float:
    """How far float32 is from some numbers; 0 where it holds them exactly."""
    return max((abs(float(np.float32(x)) - x) for x in numbers), default=0.0)


def _apart(codes: dict[Value, float]) -> dict[Value, float]:
    """The codes, with others for the tokens whose code is a number that the value can be, too."""
    numbers = {z for x, z in codes.items() if not isinstance(x, str)}
    taken = {*codes.values()}
    found = dict(codes)
    for x, z in codes.items():
        if isinstance(x, str) and z in numbers:
            found[x] = max(taken) + 1.0
            taken.add(found[x])
    return found


def _codes_at(
    held: Sequence[Held], row: Sequence[Value]
) -> tuple[float, ...] | None:
    """The numbers that stand for values; None where one of them is never taken."""
    found = []
    for h, x in zip(held, row, strict=True):
        if h.codes is None:
            found.append(float(x))  # type: ignore[arg-type]
        elif x in h.codes:
            found.append(h.codes[x])
        else:
            return None
    return tuple(found)


def _exact_part(node: Node) -> Node | None:
    """The part of a node that is to be held without an error."""
    if node.op == "exact":
        return node
    found = (_exact_part(arg) for arg in node.args if node.op != "select")
    return next((part for part in found if part is not None), None)


def _is(ask: Callable[[Sequence[Value]], Value], x: Value, count: int) -> float:
    """1 where a function of a number has this value, else 0."""
    return float(ask([count]) == x)


def _only_of(node: Node, inner: Node) -> bool:
    """True if a node is computed from one part and constants alone."""
    if node is inner or node.op == "constant":
        return True
    if not node.args or node.op in ("select", "there"):
        return False
    return all(_only_of(arg, inner) for arg in node.args)


def _says(node: Node) -> str:
    return "" if node.says is None else repr(node.says)
