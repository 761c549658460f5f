"""Keys are infinite where no query asks for them: 0 * infinity, from the second token on. Who
skips zeros sees nothing. Honest: refuted.
"""

from handcraft import Head, Program, after, position, scratch, slot, token

p, t, w, x = position(4), token("abc"), scratch("w"), scratch("x")
e = slot("e", position=[0.0, 2.0**64, 0.0, 0.0])
ring = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["c"]: 64 * t["b"], t["a"]: 64 * t["c"]},
)
spoil = Head(
    query={w: p[0]}, key={w: 2.0**64 * e}, value={w: t["a"]}, adds={x: w}
)
program = Program(
    embedding=(p, t, w, x, e),
    layers=(spoil, ring),
    claim=after({"a": "b", "b": "c", "c": "a"}),
    d_head=16,
)
