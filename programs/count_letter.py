"""Counts a letter in a word: ^strawberry?r is answered with 3.

The first head counts, against ^, the positions whose letter is mine, and so myself too; the second
attends to the position of that number less one, where the position table holds its name. Source:
counting against an anchor (BOS); index lookup, the Transformer Cookbook (Yang et al., 2026).
"""

from string import ascii_lowercase as LETTERS

from handcraft import Program, answers, scratch, slot, token
from handcraft.recipes import addresses, attend_to, count_where
from handcraft.sequence.words import count, end, lookup, own

N_CTX = 32
NUMBERS = [str(i) for i in range(N_CTX - 3)]

at, t = addresses(N_CTX), token(["^", "?", *LETTERS, *NUMBERS])
name = slot("name", labels=NUMBERS, position=[[float(i == j) for j in range(len(NUMBERS))]
                                              for i in range(N_CTX)])
same = scratch("same")

sum_up = count_where(t["^"], t, {same: 1 - t["^"]})
look = attend_to(at, same - 1, range=(0, at["p"]), value=name,
                 adds={t[n]: 50 * name[n] for n in NUMBERS})


program = Program(
    embedding=(at, t, name, same),
    layers=(sum_up, look),
    claim=answers(r"\^[a-z]{1,28}\?[a-z]", lookup(dict(enumerate(NUMBERS)),
                                                  count({0: own}, before=end - 1)), length=1),
)
