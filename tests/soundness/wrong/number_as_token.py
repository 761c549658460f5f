"""The claim counts the a's, and the model gives the token of that id: 1 is b. A number is no
token. Honest: error.
"""

from handcraft import Head, Program, position, token
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
    claim=lookup({"a": 1, "b": 2, "c": 0}, own),
)
