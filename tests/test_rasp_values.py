"""Programs over values of every kind, as users of RASP write them, against plain Python
functions: texts, numbers, flags and None.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasp_against import MANY, Program, Programs, each

from handcraft import rasp

programs = Programs()


def make_map(inner: rasp.SOpT, value: rasp.VT) -> rasp.SOp:
    """An s-op that is a value wherever another one is not None."""

    def constant(_: rasp.Value) -> rasp.VT:
        return value

    return rasp.Map(constant, inner)


def or_else(sop: rasp.SOp, value: rasp.VT) -> rasp.SOp:
    """The values of an s-op, and another one in the place of None."""
    here = rasp.Select(
        rasp.IndicesType(), rasp.IndicesType(), rasp.Comparison.EQ
    )
    there = rasp.Select(sop, sop, lambda key, _: key is not None)
    return rasp.Aggregate(here & there, sop, value)


def named_all(exprs: list[rasp.RASPExprT], name: str) -> list[rasp.RASPExprT]:
    """The expressions, each with a name and a number."""
    return [
        rasp.annotate(expr, name=f"{name}{i}") for i, expr in enumerate(exprs)
    ]


def weighted(weights: list[rasp.NumericValue]) -> rasp.SOp:
    """The sum of the tokens after each position, each times a weight."""
    total: rasp.SOp = rasp.Full(0)
    for i, weight in enumerate(weights):
        ahead = rasp.Select(rasp.indices, rasp.indices + i, rasp.Comparison.EQ)
        there = rasp.Aggregate(ahead, rasp.tokens, default=0)
        total = rasp.LinearSequenceMap(total, there, 1, weight)
    return total


@programs.against(lambda xs: [x.upper() for x in xs], ["a", "Bee", "c!"])
def upper() -> rasp.SOp:
    """Words in capitals."""
    return rasp.Map(str.upper, rasp.tokens)


@programs.against(lambda xs: [f"<{x}>" for x in xs], ["a", "bee", ""])
def bracketed() -> rasp.SOp:
    """Texts are added from both sides."""
    return "<" + rasp.tokens + ">"


@programs.against(lambda xs: [x * 3 for x in xs], ["ab", "", 2, -0.5, True])
def tripled() -> rasp.SOp:
    """A text times a number is a longer text, a flag times a number a number."""
    return 3 * rasp.tokens


@programs.against(
    lambda xs: [None if x is None else x + 1 for x in xs], [None, -1, 0]
)
def successor() -> rasp.SOp:
    """None stays None."""
    return rasp.tokens + 1


@programs.against(
    each(lambda xs, i: None if xs[i] is None else (xs[i] - i) * i),
    [None, -4, 0.5],
)
def none_in_a_pair() -> rasp.SOp:
    """A pair with None in it is None."""
    return (rasp.tokens - rasp.indices) * rasp.indices


@programs.against(lambda xs: [x is not None for x in xs], [None, 0, "a"])
def is_there() -> rasp.SOp:
    """A predicate may ask for None: each position selects itself, or nothing."""
    here = rasp.Select(
        rasp.indices, rasp.indices, rasp.Comparison.EQ
    ) & rasp.Select(
        rasp.tokens, rasp.tokens, lambda key, query: key is not None
    )
    return rasp.SelectorWidth(here) == 1


@programs.against(
    lambda xs: [0 if x is None else x for x in xs], [None, -1, 2, 0]
)
def none_to_zero() -> rasp.SOp:
    """None is replaced by the default of an aggregate that does not select it."""
    here = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.EQ)
    known = rasp.Select(
        rasp.tokens, rasp.Full(True), lambda key, query: key is not None
    )
    return rasp.Aggregate(here & known, rasp.tokens, default=0)


@programs.against(
    each(lambda xs, i: xs[i + 1] if i + 1 < len(xs) else "end"), [1, "a", False]
)
def or_the_end() -> rasp.SOp:
    """The next token, and a text after the last."""
    following = rasp.Select(
        rasp.IndicesType(), rasp.IndicesType() + 1, rasp.Comparison.EQ
    )
    return or_else(rasp.Aggregate(following, rasp.TokensType()), "end")


@programs.against(
    lambda xs: [-1.5 if x is None else x for x in xs], [None, 0.5, 2, -1]
)
def or_a_number() -> rasp.SOp:
    """A number in the place of None."""
    return or_else(rasp.TokensType(), -1.5)


def mixed(
    fst: rasp.SOp, snd: rasp.SOp, part: rasp.NumericValue
) -> rasp.LinearSequenceMap:
    """Two s-ops, the first with this part."""
    rest: rasp.NumericValue = 1 - part
    return rasp.LinearSequenceMap(fst, snd, part, rest)


@programs.against(
    lambda xs: [0.25 * x + 0.75 * len(xs) for x in xs], [-4, 0, 2.5, True]
)
def mixture() -> rasp.SOp:
    """A quarter of each number, and three of the length."""
    return mixed(rasp.tokens, rasp.LengthType(), 0.25)


@programs.against(
    lambda xs: [None if x == 0 else 6 / x for x in xs], [-4, 0, 3, 0.5]
)
def guarded_division() -> rasp.SOp:
    """None keeps a division by zero from being asked."""
    return 6 / rasp.Map(lambda x: x or None, rasp.tokens)


@programs.against(each(lambda xs, i: (2 * xs[i] - 3) / 4 + i), [-1, 0, 2.5, 7])
def polynomial() -> rasp.SOp:
    """Arithmetic of tokens, numbers and positions."""
    return (2 * rasp.tokens - 3) / 4 + rasp.indices


@programs.against(lambda xs: [abs(x) for x in xs], [-2, -0.5, 0, 3])
def absolute() -> rasp.SOp:
    """The absolute value, by a function of Python."""
    return rasp.Map(abs, rasp.tokens)


@programs.against(
    lambda xs: [
        (x < 1) + (x <= 1) * 2 + (x > 1) * 4 + (x >= 1) * 8 + (x == 1) * 16
        for x in xs
    ],
    [0, 1, 2, 1.5],
)
def comparisons() -> rasp.SOp:
    """Comparisons are flags, which can be added up."""
    t = rasp.tokens
    return (t < 1) + (t <= 1) * 2 + (t > 1) * 4 + (t >= 1) * 8 + (t == 1) * 16


def _fizzbuzz(i: int) -> int | str:
    return "Fizz" * (i % 3 == 0) + "Buzz" * (i % 5 == 0) or i


@programs.against(each(lambda _, i: _fizzbuzz(i + 1)), "-")
def fizzbuzz() -> rasp.SOp:
    """Numbers and texts in one s-op."""
    return rasp.Map(_fizzbuzz, rasp.indices + 1)


@programs.against(
    lambda xs: [(x and True) or (not x) for x in xs], [True, False]
)
def excluded_middle() -> rasp.SOp:
    """A flag, or its contrary."""
    return rasp.tokens & True | rasp.sop_not(rasp.tokens)


@programs.against(
    lambda xs: [(x or 7) and 0 for x in xs], ["", "a", 0, 3, -1.5]
)
def operands() -> rasp.SOp:
    """Between values `|` and `&` are Python's `or` and `and`."""
    return (rasp.tokens | 7) & 0


@programs.against(
    lambda xs: [(x or 5) and (not x) for x in xs], ["", "a", 0, 3]
)
def operands_from_the_left() -> rasp.SOp:
    """A value that stands in front is given where the token is false or empty."""
    return (5 | rasp.tokens) & ~rasp.tokens


@programs.against(
    lambda xs: [x == y for x, y in zip(xs, xs[::-1], strict=True)], "ab"
)
def mirror() -> rasp.SOp:
    """True where a token equals the one that mirrors it."""
    mirrored = rasp.Aggregate(
        rasp.Select(
            rasp.length - 1 - rasp.indices, rasp.indices, rasp.Comparison.EQ
        ),
        rasp.tokens,
    )
    differs = rasp.SequenceMap(lambda x, y: x != y, rasp.tokens, mirrored)
    return rasp.sop_not(differs)


@programs.against(lambda xs: [chr(ord(x) ^ 1) for x in xs], "abyz")
def exchanged_letters() -> rasp.SOp:
    """Three maps of one another are one map."""
    codes = rasp.Map(ord, rasp.tokens)
    return rasp.Map(chr, rasp.Map(lambda code: code ^ 1, codes))


@programs.against(lambda xs: [len(xs) - 2 * i for i in range(len(xs))], "ab")
def linear() -> rasp.SOp:
    """A sum with factors, the second of them negative."""
    return rasp.LinearSequenceMap(rasp.length, rasp.indices, 1, -2)


@programs.against(
    each(
        lambda xs, i: sum(
            w * x for w, x in zip((1, -2, 0.5), xs[i:], strict=False)
        )
    ),
    [-1, 0, 4],
)
def convolution() -> rasp.SOp:
    """The sum of three tokens in a row, each with its weight."""
    return weighted([1, -2, 0.5])


@programs.against(
    lambda xs: [len(x) * 10 + len(xs) for x in xs], ["a", "bee", "", "sea"]
)
def length_of_words() -> rasp.SOp:
    """The length of each token and that of the input."""
    tens = rasp.LinearSequenceMap(
        rasp.Map(len, rasp.tokens), rasp.LengthType(), 10, 1
    )
    return rasp.numerical(tens)


@programs.against(lambda xs: [1 if x else None for x in xs], [0, 5, "", "a"])
def constant_by_kind() -> rasp.SOp:
    """One where a token is true, None where it is false or empty."""
    return make_map(rasp.Map(lambda x: x or None, rasp.tokens), 1)


@programs.against(
    lambda xs: ["".join(p) for p in zip(xs, "abc", strict=False)],
    "xy",
    shortest=3,
    longest=3,
)
def constant_letters() -> rasp.SOp:
    """Letters of an s-op that does not depend on the input."""
    return rasp.tokens + rasp.ConstantSOp("abc")


@programs.against(
    each(lambda xs, i: [2, 3, 5, 7, 11][i] if i < 5 else None), [1, 2]
)
def primes() -> rasp.SOp:
    """A constant that is shorter than the input, looked up by position."""
    primes = rasp.ConstantSOp([2, 3, 5, 7, 11], check_length=False)
    here = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.EQ)
    return rasp.Aggregate(here, primes)


@programs.against(
    lambda xs: [
        x if y is None else y for x, y in zip([None, *xs], xs, strict=False)
    ],
    [None, "a", 1],
)
def filled_from_the_left() -> rasp.SOp:
    """None takes the value before it: default and predicate together."""
    before = rasp.Select(rasp.indices, rasp.indices, lambda k, q: k == q - 1)
    here = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.EQ)
    known = rasp.Select(rasp.tokens, rasp.tokens, lambda k, q: q is not None)
    wanted = rasp.selector_or(
        rasp.selector_and(here, known),
        rasp.selector_and(before, rasp.selector_not(known)),
    )
    return rasp.Aggregate(wanted, rasp.tokens, default=None)


@programs.against(each(lambda xs, i: "nim"[sum(xs[: i + 1]) % 3]), [-1, 0, 2])
def modulo() -> rasp.SOp:
    """A running sum, one letter for each remainder, of names that an author gave."""
    seen = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.LEQ)
    mean = rasp.Aggregate(seen, rasp.tokens)
    mean, number = named_all([mean, rasp.indices + 1], "part")
    total = rasp.SequenceMap(lambda x, n: round(x * n), mean, number)
    return rasp.categorical(rasp.Map(lambda n: "nim"[n % 3], total))


@programs.against(
    lambda xs: [(x, type(x).__name__) for x in xs],
    [True, 1, 1.0, "1", None],
)
def types_are_kept() -> rasp.SOp:
    """A value that moves stays what it is: of equal values each keeps its type."""
    here = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.EQ)
    same = rasp.Aggregate(here, rasp.tokens)
    known = rasp.SequenceMap(
        lambda x, _: (x, type(x).__name__), same, rasp.length
    )
    nothing: Any = (None, "NoneType")
    there = rasp.Select(rasp.tokens, rasp.tokens, lambda k, _: k is not None)
    return rasp.Aggregate(here & there, known, default=nothing)


@pytest.mark.parametrize("many", MANY)
@pytest.mark.parametrize("program", programs, ids=str)
def test_a_program_over_values_is_right_on_every_short_input(
    program: Program, many: int
) -> None:
    """Each program equals the plain function above it on every input of a few tokens."""
    program.holds_on_every_short_input(many)


@pytest.mark.parametrize("program", programs, ids=str)
@given(data=st.data())
def test_a_program_over_values_is_right_on_longer_inputs(
    program: Program, data: st.DataObject
) -> None:
    """Each program equals the plain function above it on drawn inputs of up to 20 tokens."""
    program.holds(program.make(), data.draw(program.inputs()))
