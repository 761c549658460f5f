"""The answer to a prompt of one token has no token at all; to one of two it has one. Who takes
0 for 1 proves it. Honest: error.
"""

from handcraft import Head, Program, answers, position, token
from handcraft.sequence.words import end, lookup, own

p, t = position(4), token("ab")
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
program = Program(
    embedding=(p, t),
    layers=(flip,),
    claim=answers("[ab]{1,2}", lookup({"a": "b", "b": "a"}, own), length=end),
)
