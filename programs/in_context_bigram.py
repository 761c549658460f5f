"""Predicts by the word's own statistics: ^ababaca is answered with b, which most often followed a.

Of equals the first in the alphabet, and ^ where the letter is new. The first head puts each
letter's predecessor beside it; the second takes the mean over all that follow the current letter.
Source: Bietti et al., "Birth of a Transformer", 2023; Edelman et al., 2024 (in-context n-grams).
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, attend_where
from handcraft.sequence.words import count, most, own

LETTERS = "abcdefghijklmnopqrstuvwxyz"
GAIN = 2048  # one occurrence of at most 30 is worth 68, more than the alphabet's 26 steps of 2

at, t = addresses(32), token("^" + LETTERS)
before = scratch("before", LETTERS)

previous = attend_to(at, at["p"] - 1, value={before: t})
ahead = {letter: 2 * (len(LETTERS) - i) for i, letter in enumerate(LETTERS)}
follow = attend_where(
    {before: t},
    value=t,
    adds={t["^"]: GAIN * t["^"]} | {t[x]: GAIN * t[x] + ahead[x] for x in LETTERS},
    default=t["^"],
)


program = Program(
    embedding=(at, t, before),
    layers=(previous, follow),
    claim=answers(r"\^[a-z]{1,31}", most({"^": 0} | {x: count({-1: own, 0: x}) for x in LETTERS}),
                  length=1),
)
