"""A value lane that no output reads is 2^128: infinity times zero from the third token on.
Honest: refuted.
"""

from handcraft import Head, Program, after, position, scratch, slot, token

p, t, v, x = position(4), token("ab"), scratch("v"), scratch("x")
e = slot("e", position=[0.0, 0.0, 2.0**64, 0.0])
flip = Head(
    query=1024 * p,
    key=p,
    value={t["a"]: t["a"], t["b"]: t["b"], v: 2.0**64 * e},
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"], x: 0.0 * v},
)
program = Program(
    embedding=(p, t, v, x, e), layers=(flip,), claim=after({"a": "b", "b": "a"})
)
