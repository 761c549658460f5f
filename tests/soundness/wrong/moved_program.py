"""Right, and so is its certificate wherever the file lies: a claim is what it means, not the
path it was read from. Honest: proved.
"""

from handcraft import Head, Program, after, position, token

p, t = position(5), token("ab")
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
program = Program(
    embedding=(p, t),
    layers=(flip,),
    claim=after({"a": "b", "b": "a"}),
    name="moved",
)
