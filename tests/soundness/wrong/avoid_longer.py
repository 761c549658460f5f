"""`states F --from a --avoid aba --floor 1e-9`: aba is a token, too, and is never said as one;
letter by letter it is. Honest: reached.
"""

from handcraft import Head, Program, after, position, token

p, t = position(4), token(["a", "b", "aba"])
head = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 4096 * t["a"] + 4096 * t["aba"], t["a"]: 4096 * t["b"]},
)
program = Program(
    embedding=(p, t),
    layers=(head,),
    claim=after({("a",): "b", ("b",): "a", ("aba",): "b"}),
)
