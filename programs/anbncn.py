"""Says whether a word is a^n b^n c^n: ^aabbcc= is answered with Y.

The first head counts each letter so far; neurons mark a letter that comes after a later one. The
second head looks for a mark; the answer is Y where there are none and the three counts are equal.
Source: counting against an anchor (BOS), Bhattamishra et al., 2020; the Transformer Cookbook (Yang
et al., 2026).
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_where, running_sum, threshold
from handcraft.sequence.words import cases, count, equal, state

N_CTX = 32

at, t = addresses(N_CTX), token("^=YNabc")
seen = scratch("seen", "abc")
bad, marked = scratch("bad marked")

tally = running_sum(t["^"], {seen[x]: t[x] for x in "abc"})
later = {"a": seen["b"] + seen["c"], "b": seen["c"]}  # what must not have come before a letter
order = [threshold(later[x] - N_CTX * (1 - t[x]), {bad: 1}, above=0.5) for x in later]
find = attend_where({bad: 1}, value={marked: 1 - t["^"]}, at=at, prefer="first", default=t["^"])
no = {t["N"]: 50, t["Y"]: -50}
pairs = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")]
uneven = [threshold(seen[x] - seen[y], no, above=0.5) for x, y in pairs]
misplaced = threshold(marked, no, above=0.5)


a, b, c = (count({0: x}) for x in "abc")
# the latest letter; - is disorder
after = {"a": {"b": "b", "c": "c"}, "b": {"a": "-", "c": "c"}, "c": {"a": "-", "b": "-"}}
verdict = cases((equal(state(after, "a"), "-"), "N"), (equal(a, b) * equal(b, c), "Y"), "N")

program = Program(
    embedding=(at, t, seen, bad, marked),
    layers=((tally, order), (find, uneven, misplaced, {t["Y"]: 25})),
    claim=answers(r"\^(a{0,10}b{0,10}c{0,10}|[abc]{1,30})=", verdict, length=1),
)
