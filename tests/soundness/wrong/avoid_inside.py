"""`states F --from c --avoid b --floor 1e-9`: b is a token that is never said, and stands
inside ab, which is. Honest: reached.
"""

from handcraft import Head, Program, after, position, token

p, t = position(3), token(["b", "ab", "c"])
head = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["ab"]: 4096 * t["c"] + 4096 * t["b"], t["c"]: 4096 * t["ab"]},
)
program = Program(
    embedding=(p, t),
    layers=(head,),
    claim=after({("c",): "ab", ("ab",): "c", ("b",): "ab"}),
)
