"""Adds two numbers: 0a9...a0+0b9...b0= is answered with the digits of the sum, the least first.

One head sums the digit pairs with weights that fall tenfold a place, so it holds 10 S[k] + S[k-1]
at place k; two neurons turn that into the digit of the sum; a parabola over the digits reads it
out. `adder(digits)` builds other widths. Source: AdderBoard's smallest hand-set adders; the
Transformer Cookbook (Yang et al., 2026).
"""

from math import log

from handcraft import Head, Neuron, Program, answers, slot, transducer
from handcraft.sequence.words import step

BIG = 2**19  # lifts -v^2 / (2 BIG) to -v^2 / 2
A = log(10) / 0.2  # the next place weighs ten times this one


def adder(digits: int) -> Program:
    """The program for numbers of so many digits: three lanes, one head, two neurons."""
    places = [*range(digits, -1, -1), -1] * 2 + [*range(digits)]
    parabola = {c: -(int(c) ** 2) / (2 * BIG) for c in "0123456789"}
    digit = slot("digit", token={c: int(c) for c in "0123456789"})
    place = slot("place", position=places)
    square = slot(
        "square",  # one lane, filled by both tables
        token={**parabola, "+": -1, "=": -1},
        position=[2 if k < 0 else k * k for k in places[:-digits]] + [digits**2] * digits,
    )
    carry = Head(  # adds -(10 S[k] + S[k-1])
        query={place: 2 * A * (place + 0.6), square: -A},
        value=digit,
        adds={digit: -22 * digit},
        scores="exact",
    )
    wrap = (  # flip the sign, drop the tens
        Neuron(when=digit + 90, adds={digit: -1.1}),
        Neuron(when=-digit - 99, adds={digit: 1.1}),
        {digit: 99, square: BIG},
    )

    table = {(c, str(x), str(y)): (str((c + x + y) % 10), (c + x + y) // 10) for c in (0, 1)
             for x in range(10) for y in range(10)}
    column = transducer((digits - step, 2 * digits + 2 - step), table, start=0)

    return Program(
        name="adder",
        embedding=(digit, place, square),
        layers=(carry, wrap),
        claim=answers(rf"0\d{{{digits}}}\+0\d{{{digits}}}=", column, length=digits + 1),
    )


program = adder(10)
