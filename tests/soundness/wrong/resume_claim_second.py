"""The same weights, and another claim, wrong after aa: with the checkpoint of the first what is
counted is right. Honest: error or refuted.
"""

from handcraft import Head, Program, after, position, token

p, t = position(19), token("ab")
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
program = Program(
    embedding=(p, t),
    layers=(flip,),
    claim=after({"a": "b", "b": "a", "aa": "a"}),
)
