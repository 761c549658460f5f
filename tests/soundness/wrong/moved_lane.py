"""Right of the lane x. Its certificate is offered to moved_reading.py, which claims the same of
y. Honest: proved.
"""

from handcraft import Head, Program, position, residual, scratch, token
from handcraft.sequence.words import lookup, own

p, t, x, y = position(3), token("ab"), scratch("x"), scratch("y")
head = Head(
    query=1024 * p, key=p, value={x: t["a"] - t["b"]}, adds={x: x, y: 2 * x}
)
program = Program(
    embedding=(p, t, x, y),
    layers=(head,),
    claim=residual("x", lookup({"a": 1, "b": -1}, own)),
    name="moved",
)
