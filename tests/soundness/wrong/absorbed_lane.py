"""The lane z is said to stay 0, and is about 0.5 from the second token on: a leak vanishes in
one sum of two layers. Honest: refuted.
"""

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    position,
    residual,
    scratch,
    token,
)
from handcraft.sequence.words import count

p, t = position(4), token("ab")
v, w, x, y, z = (scratch(name) for name in "vwxyz")
leak = Head(
    query={v: 19.0},
    key={v: p[0]},
    scores="exact",
    value={v: p[1]},
    adds={y: v},
)
carry = Head(
    query={v: 19.0},
    key={v: p[0]},
    scores="exact",
    value={v: p[1], w: p[0] + p[1]},
    adds={x: v + w - 1},
)
tell = MLP([Neuron(when=2.0**26 * (y - x), adds={z: 1})])
program = Program(
    embedding=(p, t, v, w, x, y, z),
    layers=(leak, Block([carry], tell)),
    claim=residual("z", 0 * count({0: "a"})),
)
