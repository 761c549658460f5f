"""A live head: its score is 2^129 before it is divided by 8 and 2^126 after, so where one
divides decides. Honest: refuted.
"""

from handcraft import Head, Program, after, position, scratch, token

p, t, w, x = position(4), token("ab"), scratch("w"), scratch("x")
flip = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
)
late = Head(
    query={w: 2.0**65 * p[3]},
    key={w: 2.0**64 * p[3]},
    value={w: t["a"]},
    adds={x: w},
)
program = Program(
    embedding=(p, t, w, x),
    layers=(late, flip),
    claim=after({"a": "b", "b": "a"}),
    d_head=64,
)
