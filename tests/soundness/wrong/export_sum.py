"""Right; but after eleven of b a lane is 2^40, past what the norms of an export hold, and the
last b is lost. Honest: export exits 1.
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
from handcraft.sequence.words import token_at

p, t, c, w = position(14), token("ab"), scratch("c"), scratch("w")
mean = Head(query=0 * p, key=0 * p, value={c: t["a"]}, adds={c: c})
rare = MLP(
    [Neuron(when=2.0**20 * p[13] - 2.0**24 * c, adds={w: 2.0**40}, sharpness=4)]
)
first = Head(query={c: 1024.0}, key={c: p[0]}, value=t, adds=64 * t)
program = Program(
    embedding=(p, t, c, w),
    layers=(Block([mean], rare), first),
    claim=token_at(0),
)
