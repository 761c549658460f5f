"""A neuron that adds nothing to any lane is infinite at the last position: who leaves it out
sees a right model. Honest: refuted.
"""

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    after,
    position,
    scratch,
    slot,
    token,
)

p, t, x = position(6), token("abc"), scratch("x")
e = slot("e", position=[0.0, 0.0, 0.0, 0.0, 0.0, 2.0**70])
ring = Head(
    query=1024 * p,
    key=p,
    value=t,
    adds={t["b"]: 64 * t["a"], t["c"]: 64 * t["b"], t["a"]: 64 * t["c"]},
)
silent = MLP([Neuron(when=2.0**70 * e, adds={x: 0.0})])
program = Program(
    embedding=(p, t, x, e),
    layers=(Block([ring], silent),),
    claim=after({"a": "b", "b": "c", "c": "a"}),
    activation="relu",
)
