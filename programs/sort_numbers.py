"""Sorts numbers of two digits: ^420713= is answered with 071342$.

Counting sort over 100 values. Each number marks all values from its own on; a head adds the marks
up, so that it knows how many numbers are at most each value. The number to write is how many values
have no more of them than are already written; neurons split it into its two digits. Source:
counting sort; thermometer code; the Transformer Cookbook (2026).
"""

from handcraft import Program, answers, scratch, sequence, token
from handcraft.recipes import (
    addresses, attend_to, conjunction, modulo, parabola, quotient, running_sum, threshold,
)
from handcraft.sequence import below, indices, lookup, otherwise, there, token_at, tokens, where

DIGITS, VALUES, CLOSED = "0123456789", range(100), 1000

at = addresses(42, odd=lambda i: i % 2)  # tens stand at odd positions, and are written from there
t = token("^=$" + DIGITS)
tens, after, tick, done, number, digit, end = scratch("tens after tick done number digit end")
least, upto = scratch("least upto", map(str, VALUES))
own = t.sum(DIGITS, int)

fetch = attend_to(at, at["p"] - 1, value={tens: own}, name="tens")
begin = running_sum(t["^"], {after: t["="]}, name="begin")
# only the last digit of a number of the prompt counts
closed = CLOSED * (at["odd"] + after + t["^"])
mark = [threshold(v - 10 * tens - own - closed, {least[str(v)]: 1}, above=-0.5) for v in VALUES]
ticks = conjunction([after, at["odd"]], {tick: 1})  # at the = and at every last digit written
count = running_sum(t["^"], {upto: least, done: tick})
choose = [threshold(done - upto[str(v)], {number: 1}, above=0.5) for v in VALUES]
split = [
    quotient(number - CLOSED * (1 - at["odd"]), 10, 100, {digit: 1}),
    modulo(number - CLOSED * at["odd"], 10, 100, {digit: 1}),
    threshold(number, {end: 1}, above=99.5),
]
decode = parabola(digit, {t[d]: int(d) for d in DIGITS})


# the claim: next comes the number that has as many before it in order as are written
value = {d: int(d) for d in DIGITS}
two = 10 * lookup(value, tokens) + lookup(value, token_at(indices + 1))
asked = where(below(indices, sequence.end), indices % 2, 0)  # where a number of the prompt begins
lesser = (there(two) < two) | (there(two) == two) & (there(indices) < indices)
rank, step = sequence.count(there(asked) & lesser), indices - sequence.end
place = sequence.fetch(indices, there(asked) & (there(rank) == step // 2))
sorted_digit = otherwise(token_at(place + step % 2), "$")


program = Program(
    embedding=(at, t, tens, after, tick, done, least, upto, number, digit, end),
    layers=(
        (fetch, begin, mark, ticks),
        (count, choose),
        split,
        (decode, conjunction([end], {t["$"]: 50_000})),
    ),
    claim=answers(r"\^(\d\d){0,10}=", sorted_digit, stop="$", length=sequence.end),
)
