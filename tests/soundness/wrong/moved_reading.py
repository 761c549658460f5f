"""Another lane on the same weights under the same name: the certificate of what one lane holds
says nothing of the other. Honest: rejected.
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
    claim=residual("y", lookup({"a": 1, "b": -1}, own)),
    name="moved",
)
