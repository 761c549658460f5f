"""Prompts fill the window, and answers have two tokens: there is no position from which the
second could be said. Honest: error.
"""

from handcraft import Head, Program, answers, position, token
from handcraft.sequence.words import lookup, own

p, t = position(3), token("abc")
ring = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["c"]: 64 * t["b"], t["a"]: 64 * t["c"]},
)
program = Program(
    embedding=(p, t),
    layers=(ring,),
    claim=answers(
        "[abc]{1,3}", lookup({"a": "b", "b": "c", "c": "a"}, own), length=2
    ),
)
