"""Checks what a certificate assumes of this machine's exp and tanh, for every float32 and a sample
of float64.

A certificate bounds roundings by theory, but for exp and tanh there is none: how far NumPy's
are off depends on the processor and on how NumPy was built. So each assumption is a law here (u
is the unit roundoff):

    exp     1 at 0; 8 u of the result where that is a normal number; the least normal number
            below that; 0 from `zero_below` on
    tanh    8 u, absolutely
    gelu    x or 0 from `saturated` on, else 16 u |x|: the forward pass's own, with NumPy's tanh
            in it

`check_law` goes through the bit patterns of all float32 in a law's range and compares with
NumPy's float64, itself off by less than a millionth of u. Of float64 there are too many: powers
of two, multiples of ln 2 with their neighbours, and drawn numbers are compared with 50 decimal
digits; that is a sample, and no proof. Arrays of every length up to 64, and arrays with gaps, may
be computed by other code: they are sampled, too.

Rules of this file: the limits are the certificate's own; NaN counts as a violation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

import numpy as np

from handcraft.core.gpt2 import Array, gelu
from handcraft.proof.prover.softmax import EXP_ERROR
from handcraft.proof.prover.zonotope import GELU_ERROR, Precision

_Function = Callable[[Array], Array]
# float64 -> the exact result as a sum of two float64
Truth = Callable[[Array], tuple[Array, Array]]
TANH_ERROR = 8.0  # units of roundoff, absolute
OF_TRUTH = 1e-6  # how far, in units, a truth can be off
_CHUNK = 2**18
_DRAWN = 40_000  # float64 for each law
SAMPLED = 2**15  # float32 for each law, in short arrays
DIGITS = 50
SLOPE, CUBE = math.sqrt(2 / math.pi), 0.044715  # of gelu


@dataclass(frozen=True)
class Law:
    """|function(x) - truth(x)| <= limit * unit(x, truth) for all floats from low to high;
    exactly where the limit is 0.
    """

    name: str
    function: _Function
    truth: Truth
    low: float
    high: float
    limit: float = 0.0
    unit: Callable[[Array, Array], Array] = lambda x, truth: np.zeros_like(x)  # noqa: ARG005
    dtype: str = "float32"


@dataclass(frozen=True)
class Finding:
    """The largest error among so many floats, in the law's units, and the float where it occurs."""

    law: Law
    floats: int = 0
    worst: float = 0.0
    at: float = 0.0
    every: bool = False  # True if these are all floats of the law

    @property
    def holds(self) -> bool:
        """True if the law holds for these floats."""
        return (
            self.worst + (OF_TRUTH if self.law.limit else 0.0) <= self.law.limit
        )

    def joined(self, other: Finding) -> Finding:
        """The finding of both sets of floats together."""
        worse = other if other.worst > self.worst else self
        return replace(worse, floats=self.floats + other.floats)

    def to_json(self) -> dict[str, object]:
        """The finding as plain data."""
        fields = {
            "law": self.law.name,
            "dtype": self.law.dtype,
            "floats": self.floats,
            "every": self.every,
            "holds": self.holds,
        }
        return fields | {
            "worst": self.worst if math.isfinite(self.worst) else None,
            "limit": self.law.limit,
            "at": self.at,
        }


# ------------------------------------------------------------ the laws


def laws(
    dtype: str,
    exp: _Function = np.exp,
    tanh: _Function = np.tanh,
    gelu: _Function = gelu,
) -> list[Law]:
    """The laws of float32, or of float64."""
    p = Precision(dtype)
    own = float(np.finfo(dtype).max)
    truth_exp, truth_tanh, truth_gelu = (
        _wide if dtype == "float32" else _decimal
    )()
    normal = math.log(p.least)
    zero = -p.zero_below
    edge = p.saturated
    rows = [
        Law("exp, at zero", exp, _same(1.0), 0.0, 0.0),
        Law(
            "exp, normal results",
            exp,
            truth_exp,
            normal,
            0.0,
            EXP_ERROR,
            lambda _x, truth: p.u * truth,
        ),
        Law(
            "exp, faint results",
            exp,
            truth_exp,
            zero,
            normal,
            1.0,
            lambda x, _truth: np.full_like(x, p.least),
        ),
        Law("exp, underflow", exp, _same(0.0), -math.inf, zero),
        Law(
            "tanh",
            tanh,
            truth_tanh,
            -math.inf,
            math.inf,
            TANH_ERROR,
            lambda x, _truth: np.full_like(x, p.u),
        ),
        Law(
            "gelu, bent",
            gelu,
            truth_gelu,
            -edge,
            edge,
            GELU_ERROR,
            lambda x, _truth: p.u * np.abs(x) + p.least / GELU_ERROR,
        ),
        Law(
            "gelu, the identity",
            gelu,
            lambda x: (x, np.zeros_like(x)),
            edge,
            own,
        ),
        Law("gelu, zero", gelu, _same(0.0), -own, -edge),
    ]
    return [replace(law, dtype=dtype) for law in rows]


def _same(value: float) -> Truth:
    return lambda x: (np.full_like(x, value), np.zeros_like(x))


def _wide() -> tuple[Truth, Truth, Truth]:
    """The truths of float32: float64."""

    def alone(function: _Function) -> Truth:
        return lambda x: (function(x), np.zeros_like(x))

    return (
        alone(np.exp),
        alone(np.tanh),
        alone(lambda x: x / (1 + np.exp(-2 * SLOPE * (x + CUBE * x**3)))),
    )


def _decimal() -> tuple[Truth, Truth, Truth]:
    """The truths of float64: many digits."""
    with localcontext(prec=DIGITS):
        slope = (
            2
            / Decimal("3.14159265358979323846264338327950288419716939937510582")
        ).sqrt()
    return (
        _digits(lambda x: x.exp() if x > -20000 else Decimal(0)),
        _digits(
            lambda x: (
                1 - 2 / (1 + (2 * x).exp())
                if abs(x) < 100
                else Decimal(1).copy_sign(x)
            )
        ),
        _digits(
            lambda x: (
                x / (1 + (-2 * slope * (x + Decimal("0.044715") * x**3)).exp())
            )
        ),
    )


def _digits(function: Callable[[Decimal], Decimal]) -> Truth:
    def pairs(x: Array) -> tuple[Array, Array]:  # [n] -> [n], [n]
        with localcontext(prec=DIGITS):
            exact = [function(Decimal(value)) for value in x.tolist()]
            rounded = [float(value) for value in exact]
            rest = [
                float(value - Decimal(first))
                for value, first in zip(exact, rounded, strict=True)
            ]
        return np.array(rounded), np.array(rest)

    return pairs


# ------------------------------------------------------------ which floats


def spans(law: Law) -> list[range]:
    """The bit patterns of a law's floats: those of the negative ones, then of the others."""
    n = np.finfo(law.dtype).bits
    found = []
    if law.low <= 0:
        found.append(
            range(
                _pattern(min(law.high, 0.0), law.dtype),
                _pattern(law.low, law.dtype) + 1,
            )
        )
    sign = 1 << (n - 1)
    found = [range(sign + span.start, sign + span.stop) for span in found]
    if law.high >= 0:
        found.append(
            range(
                _pattern(max(law.low, 0.0), law.dtype),
                _pattern(law.high, law.dtype) + 1,
            )
        )
    return found


def _pattern(value: float, dtype: str) -> int:
    unsigned = np.uint32 if dtype == "float32" else np.uint64
    return int(np.array([abs(value)], dtype=dtype).view(unsigned)[0])


def _every(law: Law, step: int) -> Iterator[Array]:
    """The float32 of a law, or every step-th of them, in chunks."""
    for span in spans(law):
        for start in range(span.start, span.stop, _CHUNK * step):
            bits = np.arange(
                start,
                min(span.stop, start + _CHUNK * step),
                step,
                dtype=np.uint64,
            )
            yield _inside(law, bits.astype(np.uint32).view(np.float32))


def _inside(
    law: Law, x: Array
) -> Array:  # [n] -> [n_inside]: an end that is no float was rounded
    wide = x.astype(np.float64)
    return x[(wide >= law.low) & (wide <= law.high)]


def _drawn(law: Law) -> Iterator[Array]:
    """A sample of the float64 of a law: patterns, multiples of ln 2, powers of two, and what
    lies beside them.
    """
    random = np.random.default_rng(2025)
    parts = [
        random.integers(
            span.start, span.stop, _DRAWN // 2, dtype=np.uint64
        ).view(np.float64)
        for span in spans(law)
    ]
    low = max(law.low, -800.0)
    high = min(law.high, 800.0)
    parts.append(
        random.uniform(low, high, _DRAWN // 2)
        if low < high
        else np.array([low])
    )
    middles = np.concatenate(
        [
            np.arange(-1200, 1200) * math.log(2),
            *(sign * np.exp2(np.arange(-60, 10.0)) for sign in (-1, 1)),
        ]
    )
    parts += [
        middles,
        np.nextafter(middles, -math.inf),
        np.nextafter(middles, math.inf),
        np.array([law.low, law.high]),
    ]
    bits = np.unique(
        np.concatenate(parts).view(np.uint64)
    )  # each once, -0 and 0 apart
    yield _inside(law, bits.view(np.float64))


# ------------------------------------------------------------ the check


def check_law(
    law: Law, step: int = 1, progress: Callable[[int], None] = lambda _: None
) -> Finding:
    """The finding of a law on every step-th float32, or on a sample of float64."""
    found = Finding(law)
    for x in _every(law, step) if law.dtype == "float32" else _drawn(law):
        found = found.joined(measured(law, x))
        progress(len(x))
    return replace(found, every=law.dtype == "float32" and step == 1)


@np.errstate(all="ignore")  # what overflows or is no number is judged
def measured(law: Law, x: Array) -> Finding:  # [n]
    """The finding of a law on these floats."""
    if not len(x):
        return Finding(law)
    wide = x.astype(np.float64)
    (first, rest), y = law.truth(wide), law.function(x).astype(np.float64)
    off = np.abs((y - first) - rest)
    units = np.where(
        (y == first) & (rest == 0), 0.0, off / law.unit(wide, first)
    )
    units = np.nan_to_num(units, nan=math.inf, posinf=math.inf)
    worst = int(units.argmax())
    return Finding(law, len(x), float(units[worst]), float(x[worst]))


def in_pieces(law: Law) -> Law:
    """The same law in short arrays, every second one with gaps."""

    def function(x: Array) -> Array:  # [n] -> [n]
        ends = np.cumsum(np.arange(len(x)) % 64 + 1)
        parts = np.split(x, ends[ends < len(x)])
        return np.concatenate(
            [
                law.function(np.repeat(part, 2)[::2] if i % 2 else part)
                for i, part in enumerate(parts)
            ]
        )

    return replace(law, name=f"{law.name}, in short arrays", function=function)


def check_all(
    step: int = 1, progress: Callable[[int, int], None] = lambda *_: None
) -> list[Finding]:
    """The findings of all laws: float32 on every step-th float, float32 in short arrays, and
    float64.
    """
    wide = laws("float32")
    sizes = [sum(map(len, spans(law))) for law in wide]
    total = sum(sizes) // step
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    found = [check_law(law, step, more) for law in wide]
    found += [
        check_law(in_pieces(law), max(step, size // SAMPLED))
        for law, size in zip(wide, sizes, strict=True)
    ]
    return [*found, *(check_law(law) for law in laws("float64"))]
