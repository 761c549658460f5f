"""Lanes, affine expressions of lanes, and maps from lanes to expressions.

    lane     one column of the residual stream, or a lane inside one head      token:a
    affine   a sum of lanes times numbers, plus a constant                     1024 - 1024 v
    map      for each target lane one affine expression, in a fixed order      {v: t:a - t:b}

Every weight of a head or a neuron is a coefficient or a constant of such an expression.

In JSON a lane is "token:a", a lane inside one head "@anchor", and an expression
{"token:a": 1024.0, "1": 0.5}, where "1" is the constant. Rules of this file: values are frozen;
operators return new ones; `==` compares content; arithmetic with a NumPy array is an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, TypeAlias, cast

from handcraft.core.errors import ProgramError, printable
from handcraft.core.frozen import Frozen
from handcraft.language.mistakes import Linear
from handcraft.sequence.expression import Expression
from handcraft.sequence.mistakes import AtKey

CONSTANT = "1"  # the key of the constant in JSON, and the name of a bias row


class Operand(Linear, Frozen):
    """A part of an expression: a lane, a slot, an affine expression or a map."""

    __array_ufunc__ = (
        None  # np.array * operand is an error, not an array of objects
    )

    def expression(self) -> Affine | Map:
        """This operand as an expression."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return printable(str(self))

    def __add__(self, other: Term) -> Any:
        return _combine(self.expression(), lift(other))

    def __radd__(self, other: Term) -> Any:
        return _combine(lift(other), self.expression())

    def __sub__(self, other: Term) -> Any:
        return _combine(self.expression(), lift(other).scaled(-1.0))

    def __rsub__(self, other: Term) -> Any:
        return _combine(lift(other), self.expression().scaled(-1.0))

    def __pos__(self) -> Any:
        return self.expression()

    def __neg__(self) -> Any:
        return self.expression().scaled(-1.0)

    def __mul__(self, factor: float) -> Any:
        value = number(
            factor, "an expression can only be multiplied by a number", PRODUCT
        )
        return self.expression().scaled(value)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Any:
        value = number(divisor, "an expression can only be divided by a number")
        if value == 0:
            raise ProgramError("division of an expression by zero")
        return self.expression().scaled(1 / value)


class Named(Operand):
    """An operand that names lanes and can be a key of a map: a lane or a slot."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes it names, in column order."""
        raise NotImplementedError


class Lane(Named):
    """One column, named by its slot and its label; `local` lanes exist inside one head only."""

    slot: str
    label: str | None = None
    local: bool = False

    def __str__(self) -> str:
        name = self.slot if self.label is None else f"{self.slot}:{self.label}"
        return f"@{name}" if self.local else name

    def __hash__(self) -> int:
        return hash((self.slot, self.label))

    @classmethod
    def parse(cls, text: str) -> Lane:
        """The lane with this name in JSON, e.g. "token:a"."""
        slot, colon, label = text.removeprefix("@").partition(":")
        local = text.startswith("@")
        return cls(slot=slot, label=label if colon else None, local=local)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return (self,)

    def expression(self) -> Affine:
        return Affine.of({self: 1.0})


class Affine(Operand):
    """A sum of lanes times numbers, plus a constant.

    Terms are in the order of first use; no coefficient is zero.
    """

    terms: tuple[tuple[Lane, float], ...] = ()
    constant: float = 0.0

    @classmethod
    def of(cls, terms: Mapping[Lane, float], constant: float = 0.0) -> Affine:
        """The expression with these coefficients. Raises ProgramError unless they are finite."""
        for value in (*terms.values(), constant):
            if not math.isfinite(value):
                raise ProgramError(f"a weight must be finite, found {value}")
        kept = tuple(
            (lane, value) for lane, value in terms.items() if value != 0
        )
        return cls.model_construct(terms=kept, constant=constant)

    def expression(self) -> Affine:
        return self

    def scaled(self, factor: float) -> Affine:
        """The expression times the factor."""
        terms = {lane: value * factor for lane, value in self.terms}
        return Affine.of(terms, self.constant * factor)

    def plus(self, other: Affine) -> Affine:
        """The sum, lane by lane."""
        terms = dict(self.terms)
        for lane, value in other.terms:
            terms[lane] = terms.get(lane, 0.0) + value
        return Affine.of(terms, self.constant + other.constant)

    @property
    def lanes_read(self) -> tuple[Lane, ...]:
        """The lanes it reads."""
        return tuple(lane for lane, _ in self.terms)

    def to_json(self) -> dict[str, float]:
        """The expression as plain data, such as {"token:a": 1024.0, "1": 0.5}."""
        constant = {CONSTANT: self.constant} if self.constant else {}
        return {str(lane): value for lane, value in self.terms} | constant

    def __str__(self) -> str:
        parts = [
            _term(value, printable(str(lane))) for lane, value in self.terms
        ]
        if self.constant or not parts:
            sign = "-" if self.constant < 0 else "+"
            parts.append((sign, format_number(abs(self.constant))))
        (sign, first), *rest = parts
        start = f"-{first}" if sign == "-" else first
        return start + "".join(f" {sign} {text}" for sign, text in rest)


class Map(Operand):
    """One affine expression for each target lane, in the declared order."""

    rows: tuple[tuple[Lane, Affine], ...] = ()

    @classmethod
    def of(cls, rows: Iterable[tuple[Lane, Affine]]) -> Map:
        """The map of these rows; a lane that occurs twice gets the sum."""
        merged: dict[Lane, Affine] = {}
        for lane, affine in rows:
            merged[lane] = (
                merged[lane].plus(affine) if lane in merged else affine
            )
        return cls.model_construct(rows=tuple(merged.items()))

    @classmethod
    def identity(cls, lanes: Iterable[Lane]) -> Map:
        """The map from each lane to itself."""
        return cls.of((lane, lane.expression()) for lane in lanes)

    def expression(self) -> Map:
        return self

    def scaled(self, factor: float) -> Map:
        """The map with every row times the factor."""
        return Map.of(
            (lane, affine.scaled(factor)) for lane, affine in self.rows
        )

    @property
    def targets(self) -> tuple[Lane, ...]:
        """The lanes it defines."""
        return tuple(lane for lane, _ in self.rows)

    @property
    def lanes_read(self) -> tuple[Lane, ...]:
        """The lanes its expressions read, in the order of first use."""
        read = (lane for _, affine in self.rows for lane in affine.lanes_read)
        return tuple(dict.fromkeys(read))

    def to_json(self) -> dict[str, dict[str, float]]:
        """The map as plain data, such as {"v": {"token:a": 1.0, "token:b": -1.0}}."""
        return {str(lane): affine.to_json() for lane, affine in self.rows}

    def __str__(self) -> str:
        rows = [
            f"{printable(str(lane))}: {affine}" for lane, affine in self.rows
        ]
        return "{" + ", ".join(rows) + "}"


Term: TypeAlias = Operand | float
# how a product of two lanes is written
PRODUCT = "; a lane times a flag is recipes.product(x, flag, most, {lane: 1})"


def number(value: object, expected: str, instead: str = "") -> float:
    """The value as a float. Raises ProgramError, starting with `expected`, for anything else.

    instead  said of an expression, where no number can stand
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ProgramError(
                "a weight must be finite, found a whole number past every float"
            ) from None
        except Exception:  # an author's own number may do anything
            kind = printable(type(value).__name__)
            raise ProgramError(
                f"{expected}, found a {kind} that gives none"
            ) from None
    advice = instead if isinstance(value, Operand) else ""
    raise ProgramError(f"{expected}, found {kind_of(value)}{advice}")


def lift(value: object) -> Affine | Map:
    """The expression of a number, lane, slot or expression. Raises ProgramError for others."""
    if isinstance(value, Operand):
        return value.expression()
    if isinstance(value, Real) and not isinstance(value, bool):
        return Affine.of({}, number(value, ""))
    raise ProgramError(
        "an expression is made of lanes, slots and numbers, found"
        f" {kind_of(value)}{_instead(value)}"
    )


def _instead(value: object) -> str:
    """The notation that an author may have meant, after a semicolon."""
    if isinstance(value, bool):
        return (
            "; == compares two expressions now, and is no flag: neurons make it,"
            " recipes.equals(x, number, {lane: 1})"
        )
    if isinstance(value, str):
        return "; a lane is written slot['label']"
    if isinstance(value, list | tuple | set):
        return "; lanes are added with +, or named as {lane: expression}"
    if isinstance(value, Expression | AtKey):
        return (
            " of handcraft.sequence, which says what a model should say; that language"
            " and handcraft.recipes each have a mean"
        )
    return ""


def kind_of(value: object) -> str:
    """The kind of a wrong value, in words for a message."""
    if isinstance(value, Named):
        name = getattr(value, "name", value)
        return printable(f"the {type(value).__name__.lower()} {name}")
    if isinstance(value, Operand):
        return printable(f"the expression {value}")
    if shape := getattr(value, "shape", None):
        return f"an array of shape {shape}"
    name = getattr(value, "__name__", None)
    if callable(value) and isinstance(name, str):
        kind = "class" if isinstance(value, type) else "function"
        return printable(f"the {kind} {name}")
    return _plain_kind(value)


def _plain_kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, Frozen):
        name = type(value).__name__
        article = "an" if name[0] in "AEIO" or name == "MLP" else "a"
        return f"{article} {name}"
    return f"{type(value).__name__} {printable(repr(value))[:60]}"


def _combine(a: Affine | Map, b: Affine | Map) -> Affine | Map:
    """The sum; an affine expression beside a map is added to each of its rows."""
    if isinstance(a, Affine) and isinstance(b, Affine):
        return a.plus(b)
    if isinstance(a, Map) and isinstance(b, Map):
        return Map.of((*a.rows, *b.rows))
    whole, single = (a, b) if isinstance(a, Map) else (b, a)
    rows = cast(Map, whole).rows
    added = cast(Affine, single)
    return Map.of((lane, affine.plus(added)) for lane, affine in rows)


# ---------------------------------------------------------------- as text


def format_number(value: float) -> str:
    """The shortest text of a weight for people: six significant digits, no trailing zeros."""
    return f"{value:.6g}"


def _term(value: float, lane: str) -> tuple[str, str]:
    """The sign of a term, and its text without the sign."""
    size = abs(value)
    text = lane if size == 1 else f"{format_number(size)} {lane}"
    return "-" if value < 0 else "+", text


def describe(lanes: Iterable[Lane]) -> str:
    """The lanes by slot, for messages: `position (5 lanes) and v (1 lane)`."""
    counts: dict[str, int] = {}
    for lane in lanes:
        slot = printable(f"@{lane.slot}" if lane.local else lane.slot)
        counts[slot] = counts.get(slot, 0) + 1
    texts = [
        f"{slot} ({n} lane{'s' if n > 1 else ''})" for slot, n in counts.items()
    ]
    return " and ".join(texts) if texts else "no lanes"
