"""S-ops: what has one value a token.

Rules of this file: None stays None, and the author's function is not asked. An operator between
two s-ops is a SequenceMap, one between an s-op and a plain value a Map; `&`, `|` and `~` are
Python's `and`, `or` and `not` of values, so they give an operand; from either side `|` prefers the
s-op's value to a plain one. An s-op has no truth value of its own: Python takes it, like any
object, for true.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

from handcraft.rasp.annotations import Encoding
from handcraft.rasp.chains import Chain
from handcraft.rasp.expressions import (
    RASPExpr,
    Value,
    as_list,
    expect_function,
    shown,
)

_LOG = logging.getLogger("handcraft.rasp")


class SOp(RASPExpr):
    """An expression with one value a token."""

    kind = "sop"
    called = "an s-op"
    __array_ufunc__: ClassVar[None] = None  # `array + sop` asks the s-op

    def __call__(self, xs: Sequence[Value]) -> list[Value]:
        """The values for this input, one a token."""
        return list(super().__call__(xs))

    def default_annotation(self, key: str) -> object:
        if key == "encoding":
            return Encoding.CATEGORICAL
        return super().default_annotation(key)

    def default_annotations(self) -> tuple[str, ...]:
        return (*super().default_annotations(), "encoding")

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> SOp:  # type: ignore[override]  # a Map
        return _compared(operator.eq, self, other)

    def __ne__(self, other: object) -> SOp:  # type: ignore[override]  # a Map
        return _compared(operator.ne, self, other)

    def __lt__(self, other: Any) -> SOp:
        return _applied(operator.lt, self, other)

    def __le__(self, other: Any) -> SOp:
        return _applied(operator.le, self, other)

    def __gt__(self, other: Any) -> SOp:
        return _applied(operator.gt, self, other)

    def __ge__(self, other: Any) -> SOp:
        return _applied(operator.ge, self, other)

    def __add__(self, other: Any) -> SOp:
        return _applied(operator.add, self, other)

    def __radd__(self, other: Any) -> SOp:
        return _applied(_turned(operator.add), self, other)

    def __sub__(self, other: Any) -> SOp:
        return _applied(operator.sub, self, other)

    def __rsub__(self, other: Any) -> SOp:
        return _applied(_turned(operator.sub), self, other)

    def __mul__(self, other: Any) -> SOp:
        return _applied(operator.mul, self, other)

    def __rmul__(self, other: Any) -> SOp:
        return _applied(_turned(operator.mul), self, other)

    def __truediv__(self, other: Any) -> SOp:
        return _applied(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> SOp:
        return _applied(_turned(operator.truediv), self, other)

    def __invert__(self) -> SOp:
        return sop_not(self)

    def __and__(self, other: Any) -> SOp:
        return _applied(_both, self, other)

    def __rand__(self, other: Any) -> SOp:
        return _applied(_turned(_both), self, other)

    def __or__(self, other: Any) -> SOp:
        return _applied(_either, self, other)

    def __ror__(self, other: Any) -> SOp:
        return _applied(_either, self, other)


SOpT = TypeVar("SOpT", bound=SOp)


class _Primitive(SOp):
    """An s-op of the input alone; its label is its kind, whatever an author calls it."""

    @property
    def children(self) -> list[RASPExpr]:
        return []

    @property
    def label(self) -> str:
        return self.kind

    def __repr__(self) -> str:
        return self.label


class TokensType(_Primitive):
    """The input itself."""

    kind = "tokens"


class IndicesType(_Primitive):
    """The positions, from 0."""

    kind = "indices"


class LengthType(_Primitive):
    """The length of the input, at every position."""

    kind = "length"


tokens, indices, length = TokensType(), IndicesType(), LengthType()


class Map(SOp):
    """A function of each value of an s-op.

    A map of a map becomes one map of both functions, unless `simplify` is False.
    """

    kind = "map"

    def __init__(
        self, f: Callable[[Any], Any], inner: SOp, simplify: bool = True
    ) -> None:
        expect_function(f, "Map(f)")
        SOp.check(inner, "Map(inner)")
        while simplify and type(inner) is Map:
            f, inner = Chain(inner.f, f), inner.inner
        self.f: Callable[[Any], Any] = f
        self.inner: SOp = inner

    @property
    def children(self) -> list[RASPExpr]:
        return [self.inner]


class SequenceMap(SOp):
    """A function of the values of two s-ops at the same position."""

    kind = "sequence_map"

    def __init__(
        self, f: Callable[[Any, Any], Any], fst: SOp, snd: SOp
    ) -> None:
        own = type(self).__name__
        expect_function(f, f"{own}(f)")
        SOp.check(fst, f"{own}(fst)")
        SOp.check(snd, f"{own}(snd)")
        if fst is snd:
            _LOG.warning(
                "both s-ops of a %s are %s; a Map of it says the same",
                own,
                fst.label,
            )
        self.f, self.fst, self.snd = f, fst, snd

    @property
    def children(self) -> list[RASPExpr]:
        return [self.fst, self.snd]


class LinearSequenceMap(SequenceMap):
    """`fst_fac` times one s-op plus `snd_fac` times another."""

    kind = "linear_sequence_map"

    def __init__(
        self, fst: SOp, snd: SOp, fst_fac: float, snd_fac: float
    ) -> None:
        super().__init__(lambda x, y: fst_fac * x + snd_fac * y, fst, snd)
        self.fst_fac, self.snd_fac = fst_fac, snd_fac


class Full(SOp):
    """The same value at every position."""

    kind = "full"

    def __init__(self, fill: Value) -> None:
        if isinstance(fill, RASPExpr):
            raise TypeError(f"Full(fill) must be a value, found {shown(fill)}")
        self.fill = fill

    @property
    def children(self) -> list[RASPExpr]:
        return []


class ConstantSOp(SOp):
    """Values that do not depend on the input; their number must be its length, unless
    `check_length` is False.
    """

    kind = "constant_sop"

    def __init__(
        self, value: Iterable[Value], check_length: bool = True
    ) -> None:
        self.value = as_list(value, "ConstantSOp(value)")
        self.check_length = check_length

    @property
    def children(self) -> list[RASPExpr]:
        return []


def sop_not(sop: SOp) -> SOp:
    """True where the value of an s-op is false, 0 or empty, False where it is any other."""
    SOp.check(sop, "sop_not(sop)")
    return Map(operator.not_, sop)


def _applied(f: Callable[[Any, Any], Any], sop: SOp, other: Any) -> SOp:
    if isinstance(other, SOp):
        return SequenceMap(f, sop, other)
    if isinstance(other, RASPExpr):
        raise TypeError(
            f"an s-op is combined with an s-op or a value, found {shown(other)};"
            " Aggregate and SelectorWidth make s-ops of selectors"
        )
    return Map(lambda x: f(x, other), sop)


def _compared(f: Callable[[Any, Any], Any], sop: SOp, other: Any) -> Any:
    # a list that is searched asks whether an s-op is a selector: it is not
    foreign = isinstance(other, RASPExpr) and not isinstance(other, SOp)
    return NotImplemented if foreign else _applied(f, sop, other)


def _turned(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, y: f(y, x)


def _both(x: Any, y: Any) -> Any:
    return x and y


def _either(x: Any, y: Any) -> Any:
    return x or y
