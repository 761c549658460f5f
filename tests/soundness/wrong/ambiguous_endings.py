"""`aba` is a, ba or ab, a: two spellings of a prompt, of which the model answers one rightly.
Honest: error.
"""

from handcraft import Head, Program, answers, position, token
from handcraft.sequence.words import lookup, own

p, t = position(3), token(["a", "ba", "ab"])
head = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["ba"]: 8 * t["a"], t["a"]: 8 * t["ba"] + 8 * t["ab"]},
)
rule = lookup({"a": "ba", "ba": "a", "ab": "a"}, own)
program = Program(
    embedding=(p, t), layers=(head,), claim=answers("aba|ab|a", rule, length=1)
)
