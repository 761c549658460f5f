"""Counts in binary: a row of eight bits, the least first, is answered with the next three numbers.

Two heads fetch the bit to increment and the one below it. There is a carry into a bit if it is the
lowest, or if the bit below was 1 and became 0; the new bit is the exclusive or of the two. Source:
ripple carry, least bit first.
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, conjunction
from handcraft.sequence.words import cases, equal, here, lookup, own, token_at

WIDTH, N_CTX = 8, 32

# low: the next bit is the lowest of its row
at = addresses(N_CTX, low=lambda i: int((i + 1) % WIDTH == 0))
t = token("01")
old, below, carry = scratch("old below carry")

fetch = [
    attend_to(at, at["p"] + 1 - WIDTH, value={old: t["1"]}, name="old"),
    attend_to(at, at["p"] - WIDTH, value={below: t["1"]}, name="below"),
]
rule = [conjunction([at["low"]], {carry: 1}),
        conjunction([1 - at["low"], below, t["0"]], {carry: 1})]
flip = [
    conjunction([old, 1 - carry], {t["1"]: 50}),
    conjunction([1 - old, carry], {t["1"]: 50}),
    conjunction([old, carry], {t["0"]: 50}),
    conjunction([1 - old, 1 - carry], {t["0"]: 50}),
]


# the old bit, and the one below it, which is now `own`
bit, under = token_at(here + 1 - WIDTH), token_at(here - WIDTH)
carried = {(b, u, o): str(int(b) ^ (u > o)) for b in "01" for u in "01" for o in "01"}
claim = cases((equal((here + 1) % WIDTH, 0), lookup({"0": "1", "1": "0"}, bit)),
              lookup(carried, bit, under, own))

program = Program(
    embedding=(at, t, old, below, carry),
    layers=((fetch, rule), flip),
    claim=answers("[01]{8}", claim, length=24),
)
