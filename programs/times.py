"""Multiplies by seven: ^ and 15 digits and = are answered with the 16 digits of the product, the least first.

One head sees two digits of the number with weights 10 to 1, the one that is due and the one below it. Less the digit
just written that is u = 10 t - c, where t is the next digit with its carry and c < 10 the carry before: t is u / 10
rounded up, and neurons count it modulo 10. Source: AdderBoard's 10:1 kernel, for one operand.
"""

from math import log

from handcraft import MLP, Block, Head, Program, answers, position, scratch, token
from handcraft.recipes import as_mlp, parabola, step

FACTOR, WIDTH = 7, 15
LARGE = 32  # a score of zero leaks less than float32's last bit
DIGITS = "0123456789"

p, t = position(2 * WIDTH + 2), token("^=" + DIGITS)
pair, digit = scratch("pair"), scratch("digit")  # 10 a[k] + a[k-1]; the digit to write
number = sum((int(d) * t[d] for d in DIGITS[1:]), 0)

due, below = 2 * WIDTH + 1, 2 * WIDTH + 2  # at position i these less i are where a[k] and a[k-1] stand
ask = {p[due - i]: (LARGE + log(10)) * p[i] for i in range(WIDTH + 1, 2 * WIDTH + 2)}
ask_below = {p[below - i]: LARGE * p[i] for i in range(WIDTH + 1, 2 * WIDTH + 2)}
look = Head(
    query={lane: ask.get(lane, 0) + ask_below.get(lane, 0) for lane in p.lanes[: WIDTH + 2]},
    value={pair: number},
    output={pair: 11 * pair},
    scores="exact",
)

u = FACTOR * pair - number
most = 9 * FACTOR + FACTOR - 1
count = [n for k in range(1, most + 1) for n in step(u, {digit: -9 if k % 10 == 0 else 1}, above=10 * (k - 1) + 0.5)]


def answer(prompt: str) -> str:
    """The product, least digit first."""
    return f"{FACTOR * int(prompt[1:-1]):0{WIDTH + 1}d}"[::-1]


program = Program(
    embedding=(p, t, pair, digit),
    layers=(Block([look], MLP(count)), as_mlp(parabola(digit, {t[d]: int(d) for d in DIGITS}, 50))),
    claim=answers(rf"\^\d{{{WIDTH}}}=", answer, length=WIDTH + 1),
)
