"""Multiplies by seven: ^123= is answered with 1680=, the digits of the product, the least first.

Two heads fetch the digit that is due and the one below it, counted back from the =. Ten times the
first product and the second, less the digit just written, is u = 10 t - c, where t is the due
product with its carry and c < 10 the carry before: t is u / 10 rounded up, and neurons count it
modulo 10. Source: AdderBoard's 10:1 kernel, for one operand.
"""

from handcraft import Program, answers, scratch, token, transducer
from handcraft.recipes import (
    addresses, attend_to, attend_where, conjunction, parabola, threshold,
)
from handcraft.sequence.words import end
from handcraft.sequence.words import step as k

FACTOR, DIGITS = 7, "0123456789"
# so sharp that no other position weighs anything: every number here is whole, and exact
EXACT = 128

at, t = addresses(32), token("^=" + DIGITS)
equals, due, below, digit, done = scratch("equals due below digit done")
number = t.sum(DIGITS, int)
place = 2 * equals - at["p"] - 1  # where the due digit stands; -1 when the product is complete

find = attend_where({t["="]: 1}, value={equals: at["p"]}, at=at, prefer="first", nearer=EXACT)
fetch = [
    attend_to(at, place, value={due: number}, sharpness=EXACT, name="due"),
    attend_to(at, place + 1, value={below: number}, sharpness=EXACT, name="below"),
]
u = 10 * FACTOR * due + FACTOR * below - number
most = 9 * FACTOR + FACTOR - 1
count = [threshold(u, {digit: -9 if k % 10 == 0 else 1}, above=10 * (k - 1) + 0.5)
         for k in range(1, most + 1)]
stop = threshold(-place, {done: 1}, above=0.5)
decode = parabola(digit, {t[d]: int(d) for d in DIGITS})


rows = {(c, x): divmod(FACTOR * int(x.replace("^", "0")) + c, 10)[::-1] for c in range(FACTOR)
        for x in "^" + DIGITS}
column = transducer(end - 1 - k, {key: (str(digit), carry)
                                  for key, (digit, carry) in rows.items()}, start=0)

program = Program(
    embedding=(at, t, equals, due, below, digit, done),
    layers=(
        find,
        (fetch, count, stop),
        (decode, conjunction([done], {t["="]: 10_000})),
    ),
    claim=answers(r"\^\d{1,14}=", column, length=end + 1, stop="="),
)
