"""Two leaks of two layers, one added and one taken away: who thinks that they are one leak lets
them cancel. Honest: refuted.
"""

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    position,
    scratch,
    token,
)
from handcraft.sequence.words import below, cases, here

p, t, v, x, y = (
    position(3),
    token("ab"),
    scratch("v"),
    scratch("x"),
    scratch("y"),
)
small = 2.0**-18
one = Head(
    query={v: 19.0},
    key={v: p[0]},
    scores="exact",
    value={v: small * p[0] + p[1]},
    adds={x: v},
)
two = Head(
    query={v: 19.0},
    key={v: p[0]},
    scores="exact",
    value={v: small * p[0] - p[1]},
    adds={y: v},
)
tell = MLP(
    [Neuron(when=2.0**28 * (x - y), adds={t["b"]: 16})], adds={t["a"]: 4}
)
program = Program(
    embedding=(p, t, v, x, y),
    layers=(one, Block([two], tell)),
    claim=cases((below(0, here), "a")),
)
