"""Sorts the letters of a word: ^fade= is answered with adef$.

The first head counts the = so far: 0 before it, 1 from it on. The second counts, for each letter,
the letters of the prompt up to it in the alphabet, and a third how far the answer has come; a flag
for each letter says whether that many are not enough, and the first flag that rises is the answer.
Source: counting sort; thermometer read-out.
"""

from handcraft import Program, answers, position, scratch, token
from handcraft.recipes import count_where, running_sum, threshold
from handcraft.sequence.words import below, cases, count, end, here

LETTERS = "abcdef"

at, t = position(50, p=lambda i: i), token("^=$" + LETTERS)
after = scratch("after")  # 1 from the = on
upto = scratch("upto", LETTERS)  # how many letters of the prompt are at most this one
done = scratch("done")  # how many letters of the answer are there, plus one

begin = running_sum(t["^"], {after: t["="]})
prefix = {upto[x]: t.sum(LETTERS[: i + 1]) for i, x in enumerate(LETTERS)}
tally = count_where(t["^"], {after: 1}, prefix, key={after: 1 - after - t["^"]}, name="count")
progress = running_sum(t["^"], {done: after}, name="progress")
rising = {x: {t[x]: 50, t[y]: -50} for x, y in zip(LETTERS, [*LETTERS[1:], "$"], strict=True)}
write = [threshold(upto[x] - done, rising[x], above=-0.5) for x in LETTERS]

# letters up to this one
upto_x = {x: count({0: tuple(LETTERS[: i + 1])}, before=end) for i, x in enumerate(LETTERS)}
claim = cases(*((below(here - end, upto_x[x]), x) for x in LETTERS), "$")

program = Program(
    embedding=(at, t, after, upto, done),
    layers=(begin, (tally, progress, write, {t["$"]: 50})),
    claim=answers(r"\^[a-f]{0,24}=", claim, length=end, stop="$"),
)
