"""A token after all but c, and the number 0 after that, which is the id of a: the model says a.
Honest: error.
"""

from handcraft import Head, Program, answers, position, token
from handcraft.sequence.words import cases, equal, lookup, own

p, t = position(3), token("abc")
ring = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["c"]: 64 * t["b"], t["a"]: 64 * t["c"]},
)
rule = cases((equal(own, "c"), 0), lookup({"a": "b", "b": "c"}, own))
program = Program(
    embedding=(p, t),
    layers=(ring,),
    claim=answers("[abc]{1,3}", rule, length=1),
)
