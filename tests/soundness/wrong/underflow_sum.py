"""Two halves of 2^-149 are each rounded to nothing before they are added; on paper their sum
comes back as 1. Honest: refuted.
"""

from handcraft import Head, Program, after, position, scratch, slot, token

p, t, x, y = position(2), token("ab"), scratch("x"), scratch("y")
e, f = slot("e", position=[2.0**-75] * 2), slot("f", position=[2.0**-75] * 2)
one = Head(
    query=1024 * p, key=p, value={x: 2.0**-76 * e + 2.0**-76 * f}, adds={x: x}
)
up = Head(query=1024 * p, key=p, value={x: 2.0**100 * x}, adds={y: 2.0**50 * x})
say = Head(
    query=1024 * p, key=p, value={x: y}, adds={t["b"]: 64 * x, t["a"]: 4}
)
program = Program(
    embedding=(p, t, e, f, x, y),
    layers=(one, up, say),
    claim=after({"a": "b", "b": "b"}),
)
