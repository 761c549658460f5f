"""Says whether the second word is the first reversed: ^abc#cba= is answered with Y.

The first head finds the #; the second fetches what mirrors my position in it; a neuron for each
pair of equal letters takes back the mark of a mismatch, with = the mirror of ^. The third head
counts the marks. Source: the mirror address of the Transformer Cookbook (Yang et al., 2026).
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import (
    addresses, attend_to, attend_where, conjunction, running_sum, threshold,
)
from handcraft.sequence import count as count_of
from handcraft.sequence import first, indices, there, token_at, tokens, where

LETTERS = "abc"

at, t = addresses(32), token("^#=YN" + LETTERS)
middle, after = scratch("middle after")  # where the # stands; 1 from it on
mirror = scratch("mirror", "^#" + LETTERS)
wrong, marks = scratch("wrong marks")

find = attend_where({t["#"]: 1}, value={middle: at["p"]}, at=at, prefer="first", name="find")
begin = running_sum(t["^"], {after: t["#"]}, name="begin")
fetch = attend_to(at, 2 * middle - at["p"], value={mirror: t})
pairs = [("=", "^"), ("#", "#"), *((x, x) for x in LETTERS)]
match = [conjunction([after, t[x], mirror[y]], {wrong: -1}) for x, y in pairs]
mark = conjunction([after], {wrong: 1})
count = running_sum(t["^"], {marks: wrong})
verdict = threshold(marks, {t["N"]: 50, t["Y"]: -50}, above=0.5)

# the claim: each letter is the same as its mirror, which is ^ or = where one word is longer
half = first({0: "#"})
mirrored = there(token_at(2 * half - indices)) == there(tokens)
unlike = count_of(~mirrored & (there(indices) > 0) & (there(indices) < indices))

program = Program(
    embedding=(at, t, middle, after, mirror, wrong, marks),
    layers=((find, begin), (fetch, match, mark), (count, verdict, {t["Y"]: 25})),
    claim=answers(r"\^[abc]{0,14}#[abc]{0,14}=", where(unlike, "N", "Y"), length=1),
)
