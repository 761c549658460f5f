"""The mean of 2^-149 and nothing is nothing, in every context of four tokens; scaled up on
paper it would say b. Honest: refuted.
"""

from handcraft import Head, Program, position, scratch, slot, token
from handcraft.sequence.words import cases, equal, here

p, t, x, y = position(4), token("ab"), scratch("x"), scratch("y")
e = slot("e", position=[2.0**-149, 0.0, 0.0, 0.0])
mean = Head(query={x: 0.0}, key={x: 0.0}, value={x: e}, adds={x: x})
up = Head(query=1024 * p, key=p, value={x: 2.0**100 * x}, adds={y: 2.0**51 * x})
say = Head(
    query=1024 * p, key=p, value={x: y}, adds={t["b"]: 64 * x, t["a"]: 4}
)
program = Program(
    embedding=(p, t, e, x, y),
    layers=(mean, up, say),
    claim=cases((equal(here, 3), "b")),
)
