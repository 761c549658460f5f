"""Right; a table holds 2^60 at one position of fifteen, which one drawn context in thousands
reaches alone. Honest: export exits 1.
"""

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    position,
    scratch,
    slot,
    token,
)
from handcraft.sequence.words import token_at

p, t, c, w = position(15), token("ab"), scratch("c"), scratch("w")
e = slot("e", position=[*[0.0] * 14, 2.0**30])
mean = Head(query=0 * p, key=0 * p, value={c: t["b"]}, adds={c: c})
rare = MLP([Neuron(when=2.0**-10 * e - 2.0**24 * c, adds={w: 2.0**30})])
first = Head(query={c: 1024.0}, key={c: p[0]}, value=t, adds=64 * t)
program = Program(
    embedding=(p, t, e, c, w),
    layers=(Block([mean], rare), first),
    claim=token_at(0),
    activation="relu",
)
