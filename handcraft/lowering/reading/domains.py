"""Which values a node can have, at any position of any text of the alphabet and the length.

    Domain            the values, each with the number that stands for it in the stream
    Domains(...).of   the domain of a node

A number stands for itself; a token has a code; None, where it can be, has a number of its own
beside them. Small domains are lists of values, larger ones of numbers are a lattice between two
bounds, and what is a mean is any real number between two bounds.

Rules of this file: no domain is too small; numbers are exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import gcd, prod
from typing import Any, TypeAlias

from handcraft.core.errors import ProgramError
from handcraft.lowering.reading.nodes import NEVER, Node, Settled, parts_of
from handcraft.lowering.reading.orders import Orders
from handcraft.sequence.operations import branches_of
from handcraft.sequence.values import Value

Number: TypeAlias = int | Fraction
MOST_LISTED = 4_096  # values of a domain that are listed
MOST_COMBINED = 40_000  # combinations of values that are asked one by one
FEW_COMBINED = 4_096  # so many are asked though there may be fewer to ask


@dataclass(frozen=True)
class Domain:
    """The values of a node.

    low, high  the least and the greatest number
    step       all numbers are low plus a multiple of it; None for any real number
    listed     the values themselves, where they are few or no numbers; each once
    none       True if it may be undefined
    apart      the least difference of two numbers that are not equal; 0 if that is not known
    """

    low: Number = 0
    high: Number = 0
    step: Number | None = 1
    listed: tuple[Value, ...] | None = None
    none: bool = False
    apart: Number = 1

    @cached_property
    def numeric(self) -> bool:
        """True if all values but None are numbers."""
        return self.listed is None or all(
            not isinstance(x, str) for x in self.listed
        )

    @property
    def exact(self) -> bool:
        """True if the numbers stand on a lattice."""
        return self.step is not None

    @property
    def size(self) -> int | None:
        """How many values there are besides None; None for real numbers."""
        if self.listed is not None:
            return len(self.listed)
        if self.step is None:
            return None
        return int((self.high - self.low) / self.step) + 1

    @cached_property
    def values(self) -> tuple[Value, ...] | None:
        """Its values, None last; None where there are too many to list."""
        none = (None,) if self.none else ()
        if self.listed is not None:
            return (*self.listed, *none)
        if self.step is None or (self.size or 0) > MOST_LISTED:
            return None
        count = self.size or 0
        return (
            *(_plain(self.low + i * self.step) for i in range(count)),
            *none,
        )

    def maybe(self) -> Domain:
        """The same, or None."""
        return Domain(
            self.low, self.high, self.step, self.listed, True, self.apart
        )


def _plain(x: Number) -> Number:
    return int(x) if x == int(x) else x


def listing(values: Iterable[Value]) -> Domain:
    """The domain of these values, in order."""
    found = set(values)
    none = None in found
    numbers = sorted(x for x in found if not isinstance(x, str | None))
    texts = sorted(x for x in found if isinstance(x, str))
    step, apart = _lattice(numbers)
    return Domain(
        low=numbers[0] if numbers else 0,
        high=numbers[-1] if numbers else 0,
        step=step,
        listed=(*map(_plain, numbers), *texts),
        none=none,
        apart=apart,
    )


def _lattice(numbers: list[Any]) -> tuple[Number, Number]:
    """The step of the least lattice with these numbers, and their least distance."""
    gaps = [b - a for a, b in zip(numbers, numbers[1:], strict=False)]
    if not gaps:
        return 1, 1
    step = Fraction(gaps[0])
    for other in gaps[1:]:
        step = _common(step, Fraction(other))
    return _plain(step), min(gaps)


def _common(a: Fraction, b: Fraction) -> Fraction:
    bottom = a.denominator * b.denominator
    top = gcd(a.numerator * b.denominator, b.numerator * a.denominator)
    return Fraction(top, bottom)


def span(
    low: Number,
    high: Number,
    step: Number | None = 1,
    *,
    none: bool = False,
    apart: Number | None = None,
) -> Domain:
    """The numbers between two bounds."""
    found = 0 if step is None else step
    return Domain(
        _plain(Fraction(low)),
        _plain(Fraction(high)),
        step,
        None,
        none,
        found if apart is None else apart,
    )


class Domains:
    """Finds domains: of an alphabet, of texts of 1 to n tokens.

    alphabet  the tokens of a text
    n         the most tokens of a text
    """

    def __init__(
        self, alphabet: Iterable[str], n: int, *, causal: bool
    ) -> None:
        self.alphabet = tuple(alphabet)
        self.n = n
        self.causal = causal
        self.orders = Orders(
            lambda node: not self.of(node).none, n, causal=causal
        )
        self._known: dict[int, tuple[Node, Domain]] = {}
        self._leaves: dict[str, Domain] = {
            "token": listing(self.alphabet),
            "index": span(0, n - 1),
            "length": span(1, n),
        }

    def tell(self, op: str, domain: Domain) -> None:
        """Says which values a leaf has."""
        self._leaves[op] = domain

    def of(self, node: Node) -> Domain:
        """The domain of a node."""
        if id(node) not in self._known:
            self._known[id(node)] = node, self._found(node)
        return self._known[id(node)][1]

    def _found(self, node: Node) -> Domain:
        if node.op == "constant":
            return listing([node.data])
        if node.op == "there":
            return self.of(node.args[0])
        if node.op == "select":
            return self._selected(node)
        if node.op in self._leaves:
            return self._leaves[node.op]
        if node.op in ("state", "lowest", "end", "step"):
            raise Untold(node)
        return self._computed(node)

    # ------------------------------------------------------------ at one position

    def _computed(self, node: Node) -> Domain:
        """From what it is computed from in the end, where that has few combinations; else from its
        arguments, as if each could have any value beside any other's.
        """
        bases = bases_of(node)
        for most in (FEW_COMBINED, MOST_COMBINED):
            for parts in (bases, tuple(dict.fromkeys(node.args))):
                if (found := self._from(node, parts, most)) is not None:
                    return self._short(found)
        return self._by_form(node)

    def _from(
        self, node: Node, parts: tuple[Node, ...], most: int
    ) -> Domain | None:
        """The values for all combinations of those of some parts, if they are not too many."""
        lists = [self.of(part).values for part in parts]
        known = [x for x in lists if x is not None]
        if len(known) < len(lists) or prod(map(len, known)) > most:
            return None
        ask = function_of(node, parts)
        try:
            return listing(
                value
                for row in product(*known)
                if (value := ask(row)) is not NEVER
            )
        except ProgramError:  # of values that never stand side by side
            return None

    @staticmethod
    def _short(domain: Domain) -> Domain:
        if domain.listed is None or len(domain.listed) <= MOST_LISTED:
            return domain
        if not domain.numeric:
            return domain
        return span(domain.low, domain.high, domain.step, none=domain.none)

    def _by_form(self, node: Node) -> Domain:
        if node.op in ("cases", "otherwise", "lookup"):
            return self._chosen(node)
        if node.op == "table":
            return listing(node.data.known.values())
        found = [self.of(arg) for arg in node.args]
        if (form := _FORMS.get(node.op)) is None:
            raise Unlisted(node)
        domain = form(*found)
        return domain.maybe() if any(x.none for x in found) else domain

    def _chosen(self, node: Node) -> Domain:
        """All values that a choice can give, whether or not it comes to that."""
        if node.op == "lookup":
            return listing([*(x for _, x in node.data), None])
        if node.op == "otherwise":
            first, then = map(self.of, node.args)
            values = first.values
            if values is None:
                return _union(replace(first, none=False), then)
            kept = [x for x in values if x is not None]
            return _union(listing(kept), then) if kept else then
        pairs, default = branches_of(node.args)
        found = listing([None]) if default is None else self.of(default)
        for _, then in pairs:
            found = _either_of(found, self.of(then))
        return found

    # ------------------------------------------------------------ selections

    def _selected(self, node: Node) -> Domain:
        kind = node.data
        if kind == "count":
            least = int(self.orders.holds_itself(node.condition))
            return span(least, max(least, self._most_keys(node)))
        if kind in ("first", "latest", "best"):
            every = node.condition.op == "constant" and node.condition.data == 1
            none = not every or (kind == "best" and self.of(node.value).none)
            none = none and not isinstance(kind, Settled)
            return span(0, self.n - 1, none=none)
        value = self.of(node.value)
        if kind == "total":
            low, high = min(value.low, 0), max(value.high, 0)
            most = self._most_keys(node)
            return span(low * most, high * most, _step(value), none=value.none)
        if kind == "mean":
            return self._mean(node, value)
        if isinstance(kind, Settled):
            value = replace(value, none=False)
            if kind.tokens is not None:
                value = listing(kind.tokens)
        if self.orders.is_one(node.condition) or self._is_chosen(node):
            return value
        if node.default is None:
            sure = kind == "at" or isinstance(kind, Settled)
            return value if sure else value.maybe()
        return _union(value, self.of(node.default))

    def _is_chosen(self, node: Node) -> bool:
        """True for a fetch at a position that a selection always chooses."""
        if node.condition.op != "equal":
            return False
        return any(
            key.op == "there"
            and key.args[0].op == "index"
            and place.op == "select"
            and place.data in ("first", "latest", "best")
            and not self.of(place).none
            for key, place in (node.condition.args, node.condition.args[::-1])
        )

    def _mean(self, node: Node, value: Domain) -> Domain:
        """The sums of 1 to n values, each by their number, where they are few."""
        every = self.orders.holds_itself(node.condition)
        none = value.none or not every
        found = _means(value, self.n)
        if found is not None:
            return listing([*found, None] if none else found)
        apart = Fraction(_step(value) or 0, max(1, self.n * (self.n - 1)))
        return span(value.low, value.high, None, none=none, apart=apart)

    def _most_keys(self, node: Node) -> int:
        """How many positions can be selected, by what is said of the position alone."""
        alone = [part for part in parts_of(node.condition) if _of_key(part)]
        asks = [function_of(part, bases_of(part)) for part in alone]
        return sum(
            all(ask([i]) not in (0, None) for ask in asks)
            for i in range(self.n)
        )


def _means(value: Domain, n: int) -> set[Value] | None:
    """The means of 1 to n values of a lattice; None where they are many."""
    if value.step is None or not value.numeric:
        return None
    low, step = Fraction(value.low), Fraction(value.step)
    steps = int((value.high - value.low) / step)
    if steps * n * (n + 1) // 2 > MOST_COMBINED:
        return None
    found: set[Value] = {
        _plain(low + step * Fraction(i, count))
        for count in range(1, n + 1)
        for i in range(steps * count + 1)
    }
    return found if len(found) <= MOST_LISTED else None


def _of_key(part: Node) -> bool:
    """True for a condition on the index of the key alone."""
    bases = bases_of(part)
    alone = len(bases) == 1 and bases[0].op == "there"
    return alone and bases[0].args[0].op == "index"


class Unlisted(Exception):  # noqa: N818  # the caller says it in words
    """A node whose values are too many to be listed."""

    def __init__(self, node: Node) -> None:
        self.node = node


class Untold(Unlisted):
    """A node of which no domain is known."""


def _step(value: Domain) -> Number | None:
    """The step of the lattice through 0 on which all values stand."""
    if value.step is None:
        return None
    return _plain(
        _common(
            Fraction(value.step),
            abs(Fraction(value.low)) or Fraction(value.step),
        )
    )


def _either_of(a: Domain, b: Domain) -> Domain:
    """The values of both."""
    if 0 in (a.size, b.size):  # None alone
        return (b if a.size == 0 else a).maybe()
    return _union(a, b)


def _union(a: Domain, b: Domain) -> Domain:
    one, other = a.values, b.values
    if one is not None and other is not None:
        found = listing({*one, *other})
        if a.none:  # the default is for places where nothing is selected
            return found.maybe()
        return found
    step = (
        None
        if None in (a.step, b.step)
        else _common(Fraction(_step(a) or 1), Fraction(_step(b) or 1))
    )
    return span(
        min(a.low, b.low), max(a.high, b.high), step, none=a.none or b.none
    )


def _sum(a: Domain, b: Domain) -> Domain:
    step = (
        None
        if None in (a.step, b.step)
        else _plain(_common(Fraction(a.step or 1), Fraction(b.step or 1)))
    )
    alone = [x.apart for x, by in ((a, b), (b, a)) if by.size == 1]
    apart = max(alone, default=0) if step is None else step
    return span(a.low + b.low, a.high + b.high, step, apart=apart)


def _opposite(a: Domain) -> Domain:
    return span(-a.high, -a.low, a.step, apart=a.apart)


def _product(a: Domain, b: Domain) -> Domain:
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    if (a.size == 1 or b.size == 1) and None in (a.step, b.step):
        k = abs(a.low) if a.size == 1 else abs(b.low)
        other = b if a.size == 1 else a
        return span(min(corners), max(corners), None, apart=k * other.apart)
    steps = [_step(a), _step(b)]
    step = (
        None
        if None in steps
        else _plain(Fraction(steps[0] or 1) * (steps[1] or 1))
    )
    return span(
        min(corners), max(corners), step, apart=0 if step is None else step
    )


def _flag(*_: Domain) -> Domain:
    return listing([0, 1])


_FORMS: Mapping[str, Callable[..., Domain]] = {
    "add": _sum,
    "subtract": lambda a, b: _sum(a, _opposite(b)),
    "multiply": _product,
    **dict.fromkeys(("equal", "below", "both", "either", "negate"), _flag),
    "least": lambda *xs: span(
        min(x.low for x in xs), min(x.high for x in xs), _steps(xs)
    ),
    "greatest": lambda *xs: span(
        max(x.low for x in xs), max(x.high for x in xs), _steps(xs)
    ),
}


def _steps(domains: Iterable[Domain]) -> Number | None:
    step: Number | None = None
    for domain in domains:
        own = _step(domain)
        if own is None:
            return None
        step = (
            own
            if step is None
            else _plain(_common(Fraction(step), Fraction(own)))
        )
    return step


# ---------------------------------------------------------------- functions of bases


def bases_of(node: Node) -> tuple[Node, ...]:
    """The leaves and selections that a value is computed from, each once; with `there` around
    those of the key position.
    """
    found: dict[int, Node] = {}
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if part.op == "constant":
            continue
        if not part.args or part.op in ("select", "there"):
            found.setdefault(id(part), part)
        else:
            waiting.extend(reversed(part.args))
    return tuple(found.values())


def function_of(
    node: Node, bases: Iterable[Node]
) -> Callable[[Iterable[Value]], Value]:
    """The value of a node as a function of those of its bases; each part is computed once."""
    given = tuple(bases)
    order = _order(node, {id(base) for base in given})

    def ask(row: Iterable[Value]) -> Value:
        known = {id(base): x for base, x in zip(given, row, strict=True)}
        for part in order:
            known[id(part)] = (
                part.data
                if part.op == "constant"
                else part.computed([known[id(arg)] for arg in part.args])
            )
        return known[id(node)]

    return ask


def _order(node: Node, bases: set[int]) -> list[Node]:
    """The parts above the bases, each after what it is computed from."""
    found: dict[int, Node] = {}
    waiting = [(node, False)]
    while waiting:
        part, ready = waiting.pop()
        if id(part) in bases or id(part) in found:
            continue
        if ready or part.op == "constant":
            found[id(part)] = part
        else:
            waiting.append((part, True))
            waiting.extend((arg, False) for arg in part.args)
    return list(found.values())
